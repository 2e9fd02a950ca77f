//! `cargo xtask tidy`: what rustfmt and clippy do not see. Layers between crates, sizes of files,
//! `//!` heads, orphan files, lints switched on, words that do not belong in the repository.
//!
//! Invariant: a file may stand over the size limit only while it is in `tidy-sizes.txt`, and its
//! number there may only shrink.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The layer of every crate: an edge may only point to a lower layer.
const LAYERS: &[(&str, u8)] = &[
    ("world", 0),
    ("apimachinery", 0),
    ("store", 1),
    ("api", 1),
    ("cel", 1),
    ("apiserver", 2),
    ("cri", 2),
    ("controller-runtime", 3),
    ("authentication", 4),
    ("authorization", 4),
    ("scheduler", 4),
    ("controllers", 4),
    ("deployments", 4),
    ("images", 4),
    ("admission", 4),
    ("node", 4),
    ("audit", 4),
    ("metrics", 4),
    ("registry", 5),
    ("why", 5),
    ("cluster", 6),
    ("rehearsal", 7),
    ("bench", 8),
    ("cases", 8),
    ("cli", 8),
    ("fuzz", 8),
];

/// Lines of a file, without its inline tests.
const MAX_LINES: usize = 700;

/// Lines of an inline `mod tests`.
const MAX_TEST_LINES: usize = 150;

/// Words that have no place in a repository that speaks of the product alone.
const BANNED_WORDS: &[&str] = &["/work/", "../shared", "CLAUDE", "helper-", "TODO", "XXX"];

/// Runs every check over the workspace at `root`.
pub(crate) fn run(root: &Path) -> Result<()> {
    let sources = sources(root)?;
    let mut problems = Vec::new();
    check_layers(root, &mut problems)?;
    check_sizes(root, &sources, &mut problems)?;
    for (path, text) in &sources {
        check_head(path, text, &mut problems);
        check_words(path, text, &mut problems);
    }
    check_orphans(&sources, &mut problems);
    check_lints(root, &mut problems)?;
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{} problems:\n{}", problems.len(), problems.join("\n"))
}

/// Every Rust file that git knows or could know, with its text, by path relative to `root`.
fn sources(root: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let mut found = BTreeMap::new();
    for top in ["crates", "tests", "xtask"] {
        collect(root, &root.join(top), &mut found)?;
    }
    Ok(found)
}

fn collect(root: &Path, dir: &Path, found: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)
        .with_context(|| format!("cannot read {}", dir.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                collect(root, &path, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            found.insert(path.strip_prefix(root)?.to_owned(), text);
        }
    }
    Ok(())
}

fn check_layers(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    for entry in fs::read_dir(root.join("crates"))? {
        let dir = entry?.path();
        let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let Some(layer) = layers.get(name.as_str()) else {
            problems.push(format!("crates/{name}: has no layer in xtask/src/tidy.rs"));
            continue;
        };
        for dependency in dependencies(&fs::read_to_string(dir.join("Cargo.toml"))?) {
            match layers.get(dependency.as_str()) {
                Some(other) if other >= layer => problems.push(format!(
                    "crates/{name} (layer {layer}) must not depend on {dependency} (layer {other})"
                )),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Names under `[dependencies]` of a manifest; dev-dependencies may point anywhere.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim() == "[dependencies]";
        } else if inside && let Some((name, _)) = line.split_once(['.', '=', ' ']) {
            names.insert(name.trim().to_owned());
        }
    }
    names
}

fn check_sizes(
    root: &Path,
    sources: &BTreeMap<PathBuf, String>,
    problems: &mut Vec<String>,
) -> Result<()> {
    let allowed = allowed_sizes(&fs::read_to_string(root.join("xtask/tidy-sizes.txt"))?)?;
    for (path, text) in sources {
        let shown = path.display().to_string();
        let is_test = shown.contains("/tests/") || shown.ends_with("tests.rs");
        if is_test || text.starts_with("// @generated") {
            continue;
        }
        let (code, tests) = split_tests(text);
        let limit = allowed.get(&shown).copied().unwrap_or(MAX_LINES);
        if code > limit {
            problems.push(format!("{shown}: {code} lines of code, at most {limit}"));
        }
        if limit > MAX_LINES && code < limit {
            problems.push(format!("{shown}: shrank to {code} lines: lower tidy-sizes.txt"));
        }
        if tests > MAX_TEST_LINES {
            problems.push(format!("{shown}: {tests} lines of inline tests: use a tests.rs"));
        }
    }
    for path in allowed.keys().filter(|path| !sources.contains_key(Path::new(path))) {
        problems.push(format!("{path}: is in tidy-sizes.txt but does not exist"));
    }
    Ok(())
}

fn allowed_sizes(text: &str) -> Result<BTreeMap<String, usize>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (path, size) = line.split_once(' ').context("tidy-sizes.txt: `path lines`")?;
            Ok((path.to_owned(), size.trim().parse()?))
        })
        .collect()
}

/// Lines before and from the inline `mod tests` on.
fn split_tests(text: &str) -> (usize, usize) {
    let total = text.lines().count();
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.windows(2).position(|pair| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    start.map_or((total, 0), |start| (start, total - start))
}

fn check_head(path: &Path, text: &str, problems: &mut Vec<String>) {
    if !text.starts_with("//! ") && !text.starts_with("// @generated") {
        problems.push(format!("{}: does not open with a `//!` head", path.display()));
    }
}

fn check_words(path: &Path, text: &str, problems: &mut Vec<String>) {
    if path.ends_with("xtask/src/tidy.rs") {
        return;
    }
    for (number, line) in text.lines().enumerate() {
        for word in BANNED_WORDS.iter().filter(|word| line.contains(**word)) {
            problems.push(format!("{}:{}: contains {word:?}", path.display(), number + 1));
        }
    }
}

/// Files that no `mod` line reaches.
fn check_orphans(sources: &BTreeMap<PathBuf, String>, problems: &mut Vec<String>) {
    let declared: BTreeSet<PathBuf> =
        sources.iter().flat_map(|(path, text)| declared_modules(path, text)).collect();
    for path in sources.keys() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let parent = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let is_root = matches!(name, "lib.rs" | "main.rs" | "build.rs")
            || matches!(parent, Some("examples" | "benches" | "programs"));
        if !is_root && !declared.contains(path) {
            problems.push(format!("{}: no `mod` declares it", path.display()));
        }
    }
}

fn declared_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let dir = path.parent().unwrap_or_else(|| Path::new(""));
    let base = if matches!(name, "lib" | "main") { dir.to_owned() } else { dir.join(name) };
    let mut explicit: Option<PathBuf> = None;
    let mut modules = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("#[path = \"") {
            explicit = rest.strip_suffix("\"]").map(|file| dir.join(file));
            continue;
        }
        let scope = line.strip_prefix("pub(").and_then(|rest| rest.split_once(") "));
        let words = scope.map_or(line, |(_, words)| words).trim_start_matches("pub ");
        if let Some(module) = words.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            modules.push(explicit.take().unwrap_or_else(|| base.join(format!("{module}.rs"))));
        }
    }
    modules
}

fn check_lints(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    let mut manifests = vec![root.join("tests/Cargo.toml"), root.join("xtask/Cargo.toml")];
    for entry in fs::read_dir(root.join("crates"))? {
        manifests.push(entry?.path().join("Cargo.toml"));
    }
    for manifest in manifests {
        if !fs::read_to_string(&manifest)?.contains("[lints]\nworkspace = true") {
            problems.push(format!("{}: `[lints] workspace = true` is missing", manifest.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask has a parent");
        if let Err(error) = run(root) {
            panic!("{error}");
        }
    }

    #[test]
    fn dependencies_are_those_of_the_section() {
        let manifest = "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\nc = \"1\"\n[dev-dependencies]\nd = \"1\"\n";
        assert_eq!(dependencies(manifest), BTreeSet::from(["b".to_owned(), "c".to_owned()]));
    }

    #[test]
    fn modules_are_found_beside_their_parent() {
        let path = Path::new("crates/a/src/lib.rs");
        let found = declared_modules(path, "pub mod x;\nmod y;\nmod tests {\n");
        assert_eq!(found, [Path::new("crates/a/src/x.rs"), Path::new("crates/a/src/y.rs")]);
        let path = Path::new("crates/a/src/x.rs");
        assert_eq!(declared_modules(path, "mod z;"), [Path::new("crates/a/src/x/z.rs")]);
    }
}
