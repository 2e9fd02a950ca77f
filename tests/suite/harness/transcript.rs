//! A terminal session, for snapshots: commands as typed and what they printed.
//!
//! Invariant: only what cannot be the same twice is replaced: generated names, addresses, ages, UIDs,
//! points in time. Runs of spaces count as two, because columns follow the widths of those.

use super::kubectl::{Kubectl, Output, words};

/// What is replaced, in this order.
pub(crate) const FILTERS: [(&str, &str); 18] = [
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
    (r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-xxxxx"),
    (r"\b10\.128\.\d+\.\d+", "POD-IP"),
    (r"\b172\.30\.\d+\.\d+", "SERVICE-IP"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", "TIME"),
    (r"(encoded-deployment-config: \|\n +)\{.*", "${1}CONFIG"),
    (r"\b(Less than a second|\d+ seconds?|About a minute|\d+ minutes) ago", "AGO"),
    (r#""resourceVersion":"\d+""#, r#""resourceVersion":"RV""#),
    (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), .* [+-]\d{4}", "TIME"),
    (r#"(resourceVersion"?): "\d+""#, r#"${1}: "RV""#),
    (r"sim://[0-9a-f]{12,}", "sim://ID"),
    (r"(?m)(\s)\d+[smh](\d+[sm])?( ago\))", "${1}AGE${3}"),
    (r"(?m)(\s\(x\d+ over )\d+[smh](\d+[sm])?\)", "${1}AGE)"),
    (r"(?m)(\S) {2,}", "$1  "),
    (r"(?m)([^:\s])  \d+[smh](\d+[sm])?(  |$)", "$1  AGE$3"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"(?m) +$", ""),
];

/// A kubectl whose session is written down.
#[derive(Debug)]
pub(crate) struct Transcript<'a> {
    kubectl: &'a Kubectl,
    text: String,
    /// Longer texts and their names, e.g. the directory of fixtures.
    hidden: Vec<(String, String)>,
}

impl<'a> Transcript<'a> {
    pub(crate) fn of(kubectl: &'a Kubectl) -> Self {
        let manifests = super::fixture_argument("manifests");
        let hidden = vec![(format!("{manifests}/"), String::new())];
        Self { kubectl, text: String::new(), hidden }
    }

    /// Runs a command and writes it down; `@file` names a file under `fixtures/manifests`.
    pub(crate) fn run(&mut self, command: &str) -> Output {
        let manifests = super::fixture_argument("manifests");
        let arguments: Vec<String> = words(command)
            .iter()
            .map(|word| match word.strip_prefix('@') {
                Some(file) => format!("{manifests}/{file}"),
                None => word.clone(),
            })
            .collect();
        let output = self.kubectl.run(&arguments);
        self.note(command);
        self.text.push_str(&output.stdout);
        if !output.stdout.is_empty() && !output.stdout.ends_with('\n') {
            self.text.push('\n');
        }
        for line in output.stderr.lines() {
            self.text.push_str(&format!("! {line}\n"));
        }
        if output.code != 0 {
            self.text.push_str(&format!("= {}\n", output.code));
        }
        output
    }

    /// Runs each line of a script. What is printed on the way to something depends on how fast it
    /// goes: a line that begins with `~` must succeed and only the last line of its output counts; one
    /// that begins with `-` must succeed and its output does not count.
    pub(crate) fn script(&mut self, commands: &str) {
        for command in commands.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match command.split_once(' ') {
                Some(("~", command)) => self.wait(command, true),
                Some(("-", command)) => self.wait(command, false),
                _ => drop(self.run(command)),
            }
        }
    }

    fn wait(&mut self, command: &str, show_last: bool) {
        let start = self.text.len();
        let output = self.run(command);
        assert_eq!(output.code, 0, "kubectl {command}\n{}{}", output.stdout, output.stderr);
        self.text.truncate(start);
        self.note(command);
        if show_last {
            self.text.push_str(output.stdout.lines().last().unwrap_or_default());
            self.text.push('\n');
        }
    }

    fn note(&mut self, command: &str) {
        self.text.push_str(&format!("$ {command}\n"));
    }

    /// Compares the session with the snapshot `name`.
    pub(crate) fn check(mut self, name: &str) {
        for (text, name) in &self.hidden {
            self.text = self.text.replace(text, name);
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_filters(FILTERS.to_vec());
        settings.set_omit_expression(true);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/suite/snapshots"));
        settings.bind(|| insta::assert_snapshot!(name, self.text));
    }
}
