//! Holds the counts of a run against a list: `ratchet.txt` for the tables, `golden.txt` for the
//! recording.
//!
//! A line reads `<file> <function or test> <passes> of <applicable>[: <reason>]`. A name may end in `*` and
//! then speaks for every table of the file that nothing calls; it needs a reason.
//!
//! Invariant: a count below its line fails; `UPDATE_RATCHET=1` writes the counts of the run and keeps
//! the reasons.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::harness::{Count, Report, say, setting};

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    count: Count,
    reason: String,
}

type Lines = BTreeMap<(String, String), Line>;

/// Fails when a count fell or when a table is not named.
pub(crate) fn hold(list: &str, report: &Report) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(list);
    let mut lines = parse(&fs::read_to_string(&path).expect("the list is there"));
    let mut problems = Vec::new();
    for ((file, name), count) in report {
        match count {
            Some(count) => {
                compare(&mut lines, file, name, *count, &mut problems);
            }
            None if is_excused(&lines, file, name) => {}
            None => problems.push(format!("{file} {name}: neither called nor excused")),
        }
    }
    for (file, name) in lines.keys() {
        let known = |(f, n): &(String, String)| f == file && covers(name, n);
        if !report.keys().any(known) {
            problems.push(format!("{file} {name}: no such table"));
        }
    }
    if setting("UPDATE_RATCHET").is_some() {
        fs::write(&path, print(&lines)).expect("the list is writable");
    }
    let all: Vec<Count> = report.values().filter_map(|count| *count).collect();
    let passes: usize = all.iter().map(|count| count.passes).sum();
    let applicable: usize = all.iter().map(|count| count.applicable).sum();
    say(&format!("{passes} of {applicable} rows in {} tables pass", all.len()));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn compare(lines: &mut Lines, file: &str, name: &str, count: Count, problems: &mut Vec<String>) {
    let key = (file.to_owned(), name.to_owned());
    let rewriting = setting("UPDATE_RATCHET").is_some();
    match lines.get_mut(&key) {
        Some(line) if rewriting => line.count = count,
        None if rewriting => {
            lines.insert(key, Line { count, reason: String::new() });
        }
        Some(line) if count.passes < line.count.passes => problems.push(format!(
            "{file} {name}: {} of {} pass, were {}",
            count.passes, count.applicable, line.count.passes
        )),
        Some(line) if count != line.count => say(&format!(
            "{file} {name}: {} of {} pass, the list says {} of {}: run with UPDATE_RATCHET=1",
            count.passes, count.applicable, line.count.passes, line.count.applicable
        )),
        Some(line) if count.passes < count.applicable && line.reason.is_empty() => {
            problems.push(format!(
                "{file} {name}: {} rows fail without a reason",
                count.applicable - count.passes
            ));
        }
        Some(_) => {}
        None => problems.push(format!("{file} {name}: not in the list")),
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

fn is_excused(lines: &Lines, file: &str, name: &str) -> bool {
    lines.iter().any(|((f, pattern), line)| {
        f == file
            && covers(pattern, name)
            && line.count == Count::default()
            && !line.reason.is_empty()
    })
}

fn parse(text: &str) -> Lines {
    let mut lines = Lines::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (key, line) = parse_line(line).expect(line);
        lines.insert(key, line);
    }
    lines
}

fn parse_line(line: &str) -> Option<((String, String), Line)> {
    let (head, reason) = line.split_once(": ").unwrap_or((line, ""));
    let mut words = head.split(' ');
    let (file, name) = (words.next()?, words.next()?);
    let passes = words.next()?.parse().ok()?;
    let applicable = words.nth(1)?.parse().ok()?;
    let count = Count { passes, applicable };
    Some(((file.to_owned(), name.to_owned()), Line { count, reason: reason.to_owned() }))
}

fn print(lines: &Lines) -> String {
    let mut text = String::from(
        "# <file> <function or test> <passes> of <applicable>[: why not all, or why not applicable]\n\
         # A name that ends in * speaks for the tables of the file that no adapter calls.\n",
    );
    for ((file, name), Line { count, reason }) in lines {
        let Count { passes, applicable } = count;
        let colon = if reason.is_empty() { "" } else { ": " };
        writeln!(text, "{file} {name} {passes} of {applicable}{colon}{reason}")
            .expect("a string takes all");
    }
    text
}

#[test]
fn a_line_reads_as_it_prints() {
    let text = "a/b.json Do 1 of 2: why: so\na/b.json Test* 0 of 0: not here\n";
    let printed = print(&parse(text));
    assert!(printed.ends_with(text), "{printed}");
}
