//! What a run gives back: for people as text, for machines as JSON.
//!
//! Invariant: a report of a simulated run holds nothing of the host: no wall time, no path.

use std::fmt::Write as _;

use serde::Serialize;

use crate::observe::Violation;
use crate::parity::{StageFacts, Verdict};
use crate::timeline::{Entry, short};

/// Everything about one run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Name of the rehearsal.
    pub rehearsal: String,
    /// `sim` or `docker`.
    pub runtime: String,
    /// Seed of a simulated run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The steps that were begun.
    pub steps: Vec<StepReport>,
    /// What happened.
    pub timeline: Vec<Entry>,
    /// Moments at which too few pods were ready.
    pub violations: Vec<Violation>,
    /// What the stages run at the end.
    pub stages: Vec<StageFacts>,
    /// Whether that is the same everywhere; absent when the rehearsal does not ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parity: Option<Verdict>,
    /// Whether every step held, availability was never broken and parity was reached.
    pub passed: bool,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// What was done.
    pub title: String,
    /// Seconds since the rehearsal began.
    pub at: String,
    /// Seconds it took.
    pub took: String,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Report {
    /// The timeline as text, one line an entry.
    #[must_use]
    pub fn timeline_text(&self) -> String {
        let mut text = String::new();
        for entry in &self.timeline {
            let project = if entry.project.is_empty() { "-" } else { &entry.project };
            let line =
                format!("{:>9}s  {project:<12} {:<22} {}", entry.at, entry.object, entry.text);
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The table stage × digest × replicas ready, and the verdict.
    #[must_use]
    pub fn parity_text(&self) -> String {
        let width = self.stages.iter().map(|facts| facts.stage.len()).max().unwrap_or(0).max(5);
        let mut text = format!("{:<width$}  {:<19}  READY\n", "STAGE", "DIGEST");
        for facts in &self.stages {
            let digests: Vec<&str> = facts.digests.iter().map(|digest| short(digest)).collect();
            let digests = if digests.is_empty() { "<none>".to_owned() } else { digests.join(",") };
            let stage = &facts.stage;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{stage:<width$}  {digests:<19}  {}/{}",
                facts.ready, facts.replicas
            );
        }
        if let Some(verdict) = &self.parity {
            let _ = writeln!(text, "{verdict}");
        }
        text
    }
}
