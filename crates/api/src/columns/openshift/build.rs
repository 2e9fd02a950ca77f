//! Rows of BuildConfigs and Builds.

use std::time::Duration;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value, duration};
use world::Time;

use super::super::{Printer, named, string};
use super::text;

pub(super) static BUILD_CONFIG: Printer = Printer {
    columns: &[named("NAME"), string("TYPE"), string("FROM"), string("LATEST")],
    cells: |config, _| {
        let strategy = config.str_at(&["spec", "strategy", "type"]);
        let from = if strategy == "Custom" {
            config.str_at(&["spec", "strategy", "customStrategy", "from", "name"]).to_owned()
        } else {
            source(config)
        };
        let latest = config.int_at(&["status", "lastVersion"]).unwrap_or(0);
        vec![json!(config.name()), json!(strategy), json!(from), json!(latest.to_string())]
    },
};

pub(super) static BUILD: Printer = Printer {
    columns: &[
        named("NAME"),
        string("TYPE"),
        string("FROM"),
        string("STATUS"),
        string("STARTED"),
        string("DURATION"),
    ],
    cells: |build, now| {
        let phase = build.str_at(&["status", "phase"]);
        let status = match build.str_at(&["status", "reason"]) {
            "" => phase.to_owned(),
            reason => format!("{phase} ({reason})"),
        };
        let started = build.str_at(&["status", "startTimestamp"]);
        vec![
            json!(build.name()),
            json!(build.str_at(&["spec", "strategy", "type"])),
            json!(source(build)),
            json!(status),
            json!(text::ago(started, now)),
            json!(build_duration(build, started, now)),
        ]
    },
};

fn build_duration(build: &Value, started: &str, now: Time) -> String {
    let Some(start) = Time::parse_rfc3339(started) else { return String::new() };
    let end = Time::parse_rfc3339(build.str_at(&["status", "completionTimestamp"]));
    let seconds = end.unwrap_or(now).since(start).as_secs();
    if seconds == 0 { String::new() } else { duration::go_format(Duration::from_secs(seconds)) }
}

fn source(object: &Value) -> String {
    let has =
        |member: &str| object.at(&["spec", "source", member]).is_some_and(|value| !value.is_null());
    let mut kinds = Vec::new();
    if has("binary") {
        kinds.push("Binary");
    }
    if has("dockerfile") {
        kinds.push("Dockerfile");
    }
    if has("git") {
        kinds.push("Git");
    }
    let list = if kinds.is_empty() {
        object.str_at(&["spec", "source", "type"]).to_owned()
    } else {
        kinds.join(",")
    };
    let commit = object.str_at(&["spec", "revision", "git", "commit"]);
    let revision =
        if commit.is_empty() { object.str_at(&["spec", "source", "git", "ref"]) } else { commit };
    if revision.is_empty() { list } else { format!("{list}@{}", short_revision(revision)) }
}

/// Commits are cut to seven digits, names of branches stay.
fn short_revision(revision: &str) -> &str {
    let hexadecimal = revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal && revision.len() > 20 { &revision[..7] } else { revision }
}
