//! A recording: its commands, what was written and what the deployers logged.
//!
//! Invariant: only reads.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use apimachinery::{ObjectExt as _, Value};
use world::Time;

use super::story::Seen;
use super::times::Line;

/// How much sooner a deployer begins than the recorded ones, which took 1.4 s at least; by as much the
/// parts of one line follow each other sooner.
const PACE: f64 = 0.3;

/// A command of a transcript: when, what, and what it printed.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) at: f64,
    pub(super) line: String,
    /// What was posted, where `oc` was not used.
    pub(super) body: String,
    /// By all parts of the line.
    pub(super) printed: String,
    pub(super) silent: bool,
}

impl Command {
    /// Its parts, if they are several, as far apart as the writes of streams that they made.
    fn parts(self, writes: &[Seen]) -> Vec<Self> {
        let lines: Vec<&str> = self.line.split("; oc ").collect();
        if lines.len() == 1 {
            return vec![self];
        }
        let made = writes.iter().filter(|write| {
            let of_stream = write.new.as_ref().is_some_and(|new| new.kind() == "ImageStream");
            of_stream && write.at >= self.at
        });
        let moments: Vec<f64> = made.map(|write| write.at).take(lines.len()).collect();
        let part = |(line, moment): (&&str, &f64)| Self {
            at: self.at + (moment - moments[0]) * PACE,
            line: format!("oc {}", line.trim_start_matches("oc ").trim_end_matches(" >/dev/null")),
            body: String::new(),
            printed: self.printed.clone(),
            silent: line.ends_with(" >/dev/null"),
        };
        lines.iter().zip(&moments).map(part).collect()
    }
}

pub(super) fn commands(folder: &Path, writes: &[Seen]) -> Vec<Command> {
    let text = std::fs::read_to_string(folder.join("transcript.txt")).unwrap();
    let mut commands: Vec<Command> = Vec::new();
    let mut inside = "";
    for line in text.lines() {
        if let Some((at, rest)) = line.strip_prefix("[t=").and_then(|rest| rest.split_once(']')) {
            inside = "";
            let command = rest.strip_prefix(" $ ").filter(|rest| !rest.contains(" &  "));
            let posted = rest.strip_prefix(" POST ").map(|_| rest.trim_start());
            if let Some(line) = command.or(posted) {
                let (at, line) = (at.parse().unwrap(), line.to_owned());
                let (body, printed) = (String::new(), String::new());
                commands.push(Command { at, line, body, printed, silent: false });
            }
        } else if let Some(part) = line.strip_prefix("--- ") {
            let part = part.split(' ').next().unwrap_or_default();
            inside = if part.starts_with("std") || part == "response" { "printed" } else { part };
        } else if let Some(command) = commands.last_mut().filter(|_| !line.is_empty()) {
            let text = match inside {
                "request" => &mut command.body,
                "printed" => &mut command.printed,
                _ => continue,
            };
            text.push_str(line);
            text.push('\n');
        }
    }
    commands.into_iter().flat_map(|command| command.parts(writes)).collect()
}

pub(super) fn recorded_writes(folder: &Path) -> Vec<Seen> {
    let file = std::fs::File::open(folder.join("watch.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut events: Vec<(i64, f64, Value, bool)> = Vec::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let object = entry["ev"]["object"].clone();
        let version = object.resource_version().parse().unwrap_or(0);
        let deleted = entry["ev"]["type"] == "DELETED";
        let known = ["ADDED", "MODIFIED", "DELETED"].map(Value::from);
        if known.contains(&entry["ev"]["type"]) {
            events.push((version, entry["t"].as_f64().unwrap() / 1000.0, object, deleted));
        }
    }
    events.sort_by_key(|event| event.0);
    let mut last: BTreeMap<[String; 3], Value> = BTreeMap::new();
    let mut writes = Vec::new();
    for (_, at, object, deleted) in events {
        let key = [object.kind(), object.namespace(), object.name()].map(str::to_owned);
        let old = last.get(&key).cloned();
        if deleted {
            last.remove(&key);
        } else {
            last.insert(key, object.clone());
        }
        writes.push(Seen { at, old, new: (!deleted).then_some(object) });
    }
    writes
}

/// The logs of the deployer pods, oldest first.
pub(super) type DeployerLogs = Vec<(String, Vec<Line>)>;

pub(super) fn recorded_logs(folder: &Path) -> DeployerLogs {
    let Ok(files) = std::fs::read_dir(folder.join("podlogs")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let deployers = files.iter().filter(|file| file.to_string_lossy().ends_with("-deploy.log"));
    let logs = deployers.map(|file| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).unwrap();
        (name.split_once('-').unwrap().1.to_owned(), stamped(&text))
    });
    logs.collect()
}

/// The lines of a log whose lines begin with their times.
pub(super) fn stamped(text: &str) -> Vec<Line> {
    let shown = text.lines().filter(|line| !line.contains("code = Unknown desc = "));
    let lines = shown.map(|line| {
        let (moment, text) = line.split_once(' ').unwrap_or((line, ""));
        let at = Time::parse_rfc3339(moment).unwrap().since(world::SIMULATION_EPOCH);
        Line { at: at.as_secs_f64(), text: text.to_owned() }
    });
    lines.collect()
}

/// The lines of all logs.
pub(super) fn without_times(logs: &DeployerLogs) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, log) in logs {
        lines.push(format!("# {name}"));
        lines.extend(log.iter().map(|line| line.text.clone()));
    }
    lines
}
