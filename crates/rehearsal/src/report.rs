//! What a run gives back: for people as text, for machines as JSON.
//!
//! Invariant: a report of a simulated run holds nothing of the host: no wall time, no path.

use std::fmt::Write as _;

use serde::Serialize;

use crate::observe::Violation;
use crate::parity::{StageFacts, Verdict};
use crate::rollout::Rollout;
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
    /// The rollouts, one by one.
    pub rollouts: Vec<Rollout>,
    /// Moments at which too few pods were ready.
    pub violations: Vec<Violation>,
    /// What the stages run at the end.
    pub stages: Vec<StageFacts>,
    /// Whether that is the same everywhere; absent when the rehearsal does not ask, or ended early.
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

/// The digests of a stage, shortened; with their containers when there are several.
fn digests_text(facts: &StageFacts) -> String {
    let named = facts.digests.len() > 1;
    let shown: Vec<String> = facts
        .digests
        .iter()
        .flat_map(|(container, digests)| digests.iter().map(move |digest| (container, digest)))
        .map(|(container, digest)| match named {
            true => format!("{container}={}", short(digest)),
            false => short(digest).to_owned(),
        })
        .collect();
    if shown.is_empty() { "<none>".to_owned() } else { shown.join(",") }
}

impl Report {
    /// The timeline as text, one line an entry.
    #[must_use]
    pub fn timeline_text(&self) -> String {
        let mut text = String::new();
        for entry in &self.timeline {
            let place = entry.place();
            let project = if place.is_empty() { "-" } else { &place };
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
        let rows: Vec<(&StageFacts, String)> =
            self.stages.iter().map(|facts| (facts, digests_text(facts))).collect();
        let stages = rows.iter().map(|(facts, _)| facts.stage.len()).max().unwrap_or(0).max(5);
        let digests = rows.iter().map(|(_, digests)| digests.len()).max().unwrap_or(0).max(6);
        let mut text = format!("{:<stages$}  {:<digests$}  READY\n", "STAGE", "DIGEST");
        for (facts, shown) in rows {
            let StageFacts { stage, ready, replicas, .. } = facts;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{stage:<stages$}  {shown:<digests$}  {ready}/{replicas}");
        }
        if let Some(verdict) = &self.parity {
            let _ = writeln!(text, "{verdict}");
        }
        text
    }
}
