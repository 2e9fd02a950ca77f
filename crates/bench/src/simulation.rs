//! One run of a rehearsal on a simulated cluster in this process, from an empty cluster to the
//! report.
//!
//! Invariant: what a run gives depends on the rehearsal, the seed and the number of nodes alone.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cluster::{Cluster, Config, Runtime};
use cri::sim::SimImages;
use rehearsal::report::StepReport;
use rehearsal::timeline::Entry;
use rehearsal::{Plan, Progress, Report, Run};
use world::{SIMULATION_EPOCH, World};

/// What a run gives.
pub(crate) struct Outcome {
    /// The report.
    pub(crate) report: Report,
    /// How much virtual time went by.
    pub(crate) spanned: Duration,
}

impl Outcome {
    /// The report as the bytes that two runs with one seed must share.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(&self.report)?)
    }
}

/// Runs `plan` under `seed`.
pub(crate) fn run(plan: &Plan, seed: u64, nodes: usize) -> Result<Outcome> {
    let mut images = SimImages::new();
    let world = World::simulated(seed);
    let config = Config::new(world.clone(), Runtime::Sim(images.clone()), nodes);
    let mut cluster = Cluster::start(config).context("cannot start the cluster")?;
    let report = rehearsal::run(Run {
        plan,
        clusters: std::slice::from_mut(&mut cluster),
        images: &mut images,
        runtime: "sim",
        progress: &mut Silent,
        interrupted: Arc::new(AtomicBool::new(false)),
    })?;
    Ok(Outcome { report, spanned: world.now() - SIMULATION_EPOCH })
}

/// Shows nothing and approves of everything.
struct Silent;

impl Progress for Silent {
    fn step_started(&mut self, _index: usize, _total: usize, _title: &str) {}

    fn happened(&mut self, _entry: &Entry) {}

    fn step_finished(&mut self, _index: usize, _total: usize, _report: &StepReport) {}

    fn approve(&mut self, _message: &str) -> bool {
        true
    }
}
