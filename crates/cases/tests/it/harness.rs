//! From a directory of tables to counts: reading files, finding adapters, running rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use apimachinery::Value;
use flate2::read::GzDecoder;

/// An environment variable that steers the tests.
#[expect(clippy::disallowed_methods, reason = "the tables live outside the project")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Prints a line beside the results of the tests.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("a test may print");
}

/// The served resource that a table is about.
pub(crate) fn resource(group: &str, version: &str, plural: &str) -> &'static api::Resource {
    api::resources::find(group, version, plural).expect("upstream's resources are served")
}

/// One recorded call or one row of a table.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// Arguments by parameter, or the whole row of a table.
    pub(crate) input: &'a Value,
    /// Results in order; empty for a table.
    pub(crate) out: &'a [Value],
    /// The row's name in its table.
    pub(crate) key: &'a Value,
}

impl Row<'_> {
    /// The argument or field `name`; null when it is absent.
    pub(crate) fn arg(&self, name: &str) -> &Value {
        self.input.get(name).unwrap_or(&Value::Null)
    }

    /// The text of the argument or field `name`.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.arg(name).as_str().unwrap_or_default()
    }

    /// The row itself, where it is a text.
    pub(crate) fn word(&self) -> &str {
        self.input.as_str().expect("a text")
    }

    /// The row's name, where it is a text.
    pub(crate) fn name(&self) -> &str {
        self.key.as_str().expect("a text")
    }

    /// The result at `index`; null when there is none.
    pub(crate) fn result(&self, index: usize) -> &Value {
        self.out.get(index).unwrap_or(&Value::Null)
    }
}

/// What became of a row.
#[derive(Debug)]
pub(crate) enum Outcome {
    Pass,
    Fail(String),
    /// The row asks something that this project does not answer by design.
    Skip,
}

impl Outcome {
    /// This outcome unless it passed, else that of `next`.
    pub(crate) fn and(self, next: impl FnOnce() -> Self) -> Self {
        if matches!(self, Self::Pass) { next() } else { self }
    }
}

/// Passes when both are equal.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(got: &T, want: &T) -> Outcome {
    if got == want {
        return Outcome::Pass;
    }
    Outcome::Fail(format!("\n    want {want:?}\n    got  {got:?}"))
}

type Adapter = Box<dyn Fn(&Row<'_>) -> Outcome>;

/// Adapters by file and by name of the function or table.
#[derive(Default)]
pub(crate) struct Suites(BTreeMap<(String, String), Adapter>);

/// Counts of one function or table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passes: usize,
    pub(crate) applicable: usize,
}

/// What a run of all tables gave: counts, or none where nothing calls the table.
pub(crate) type Report = BTreeMap<(String, String), Option<Count>>;

impl Suites {
    /// Calls `adapter` for every row of `name` (a function, or a test with its line) in `file`.
    pub(crate) fn add(
        &mut self,
        file: &'static str,
        name: &'static str,
        adapter: impl Fn(&Row<'_>) -> Outcome + 'static,
    ) {
        let before = self.0.insert((file.to_owned(), name.to_owned()), Box::new(adapter));
        assert!(before.is_none(), "{file} {name} has two adapters");
    }

    /// Runs every table below `dir`.
    pub(crate) fn run(&self, dir: &str) -> Report {
        let mut report = Report::new();
        let mut used = BTreeSet::new();
        for file in files(Path::new(dir)) {
            let tables = read(&Path::new(dir).join(&file));
            let parts = [&tables["tables"], &tables["io"]];
            for (name, rows) in parts.into_iter().filter_map(Value::as_object).flatten() {
                let rows = rows.as_array().expect("a table is a list");
                let key = (file.clone(), name.to_string());
                let count = self.0.get(&key).map(|adapter| run(&file, name, rows, adapter));
                if count.is_some() {
                    used.insert(key.clone());
                }
                report.insert(key, count);
            }
        }
        let idle: Vec<_> = self.0.keys().filter(|key| !used.contains(*key)).collect();
        assert!(idle.is_empty(), "adapters without a table: {idle:?}");
        report
    }
}

fn run(file: &str, name: &str, rows: &[Value], adapter: &Adapter) -> Count {
    let shown = setting("CASES_SHOW").is_some_and(|part| format!("{file} {name}").contains(&part));
    let mut count = Count::default();
    for (index, row) in rows.iter().enumerate() {
        let row = Row {
            input: row.get("in").or_else(|| row.get("case")).unwrap_or(&Value::Null),
            out: row["out"].as_array().map_or(&[], apimachinery::List::as_slice),
            key: row.get("key").or_else(|| row.get("test")).unwrap_or(&Value::Null),
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| adapter(&row)))
            .unwrap_or_else(|_| Outcome::Fail("panicked".to_owned()));
        match outcome {
            Outcome::Skip => continue,
            Outcome::Pass => count.passes += 1,
            Outcome::Fail(why) if shown => {
                say(&format!(
                    "{file} {name} row {index} ({}): {why}\n    in   {}\n",
                    row.key, row.input
                ));
            }
            Outcome::Fail(_) => {}
        }
        count.applicable += 1;
    }
    count
}

fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for area in fs::read_dir(dir).expect("CASES_DIR is a directory") {
        let area = area.expect("CASES_DIR is readable").path();
        if !area.is_dir() {
            continue;
        }
        for file in fs::read_dir(&area).expect("an area is a directory") {
            let path = file.expect("an area is readable").path();
            let name = path.strip_prefix(dir).expect("below the directory").to_string_lossy();
            if name.ends_with(".json") || name.ends_with(".json.gz") {
                found.push(name.into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Reads a JSON file, packed or not.
pub(crate) fn read(path: &Path) -> Value {
    let bytes = fs::read(path).expect("a table is readable");
    if path.extension().is_none_or(|extension| extension != "gz") {
        return serde_json::from_slice(&bytes).expect("a table is JSON");
    }
    let mut text = Vec::new();
    GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).expect("a table unpacks");
    serde_json::from_slice(&text).expect("a table is JSON")
}
