//! `cargo xtask codegen`: facts → schema table.
//!
//! `codegen` writes the table, `codegen --check` fails when it differs from what the facts give,
//! `codegen import --from DIR` makes the facts from downloaded packages.
//!
//! Invariant: writing and checking need no network and give the same bytes everywhere.

mod facts;
mod import;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};

use self::facts::Facts;

/// Arguments of `codegen`.
#[derive(Debug, Args)]
pub(crate) struct Codegen {
    /// Only compare; fail when the committed table is not what the facts give.
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the facts from downloaded packages.
    Import {
        /// Directory with the unpacked packages.
        #[arg(long)]
        from: PathBuf,
    },
}

/// Runs the command in the repository at `root`.
pub(crate) fn run(root: &Path, arguments: &Codegen) -> Result<()> {
    let facts_dir = root.join("crates/api/facts");
    if let Some(Command::Import { from }) = &arguments.command {
        return replace(&facts_dir, "facts", &facts::write(&import::import(from)?));
    }
    let schema = root.join("crates/api/src/schema");
    let index = schema.join("table.rs");
    let table = table::render(&read(&facts_dir)?)?;
    if arguments.check {
        let same = fs::read_to_string(&index).ok() == Some(table.index);
        ensure!(same, "crates/api/src/schema/table.rs is stale: run `cargo xtask codegen`");
        return check(&schema.join("table"), &table.packages);
    }
    replace(&schema.join("table"), "rs", &table.packages)?;
    fs::write(&index, table.index)?;
    Ok(())
}

fn read(dir: &Path) -> Result<Facts> {
    let mut out = Facts::new();
    for (name, text) in texts(dir, "facts")? {
        facts::read(&mut out, &text).with_context(|| name)?;
    }
    Ok(out)
}

fn texts(dir: &Path, extension: &str) -> Result<BTreeMap<String, String>> {
    let mut out = BTreeMap::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            let name = path.file_name().context("a file has a name")?.to_string_lossy();
            out.insert(name.into_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(out)
}

/// Makes a directory hold exactly the given files of one extension.
fn replace(dir: &Path, extension: &str, files: &BTreeMap<String, String>) -> Result<()> {
    fs::create_dir_all(dir)?;
    let before = texts(dir, extension)?;
    for name in before.keys().filter(|name| !files.contains_key(*name)) {
        fs::remove_file(dir.join(name))?;
    }
    for (name, text) in files.iter().filter(|(name, text)| before.get(*name) != Some(text)) {
        fs::write(dir.join(name), text)?;
    }
    Ok(())
}

fn check(dir: &Path, files: &BTreeMap<String, String>) -> Result<()> {
    let committed = texts(dir, "rs")?;
    let differing: Vec<&String> = files
        .keys()
        .chain(committed.keys())
        .filter(|name| files.get(*name) != committed.get(*name))
        .collect();
    ensure!(differing.is_empty(), "run `cargo xtask codegen`; stale: {differing:?}");
    Ok(())
}

#[cfg(test)]
mod tests;
