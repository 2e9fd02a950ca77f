//! `rehearse run`: carries a rehearsal out and prints the timeline and the proof.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use rehearsal::{Plan, Report, Run};
use serde::Serialize;

use crate::engine::{self, Engine};
use crate::interrupt::Interrupt;
use crate::progress::Lines;
use crate::stand::Stand;
use crate::why::{self, Trouble};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A rehearsal file, or a directory with a `rehearsal.yaml`.
    path: PathBuf,
    #[command(flatten)]
    engine: engine::Choice,
    /// Seed of a simulated run: the same seed gives the same output, byte by byte.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Number of nodes.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    nodes: u16,
    /// How to print the outcome.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Approve every `approve` step without asking.
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Steps, timeline and parity table.
    Text,
    /// One JSON document at the end.
    Json,
}

/// Runs the rehearsal; gives whether everything held.
pub(crate) fn run(options: &Options) -> Result<bool> {
    let plan = rehearsal::load(&options.path)?;
    let tokio = engine::tokio_runtime()?;
    let interrupt = Interrupt::listen(tokio.handle());
    let engine = Engine::choose(&options.engine, &tokio)?;
    let text = options.output == Output::Text;
    if text {
        let seed =
            if engine.is_simulated() { format!(", seed {}", options.seed) } else { String::new() };
        out!("rehearsal {} on {}{seed}", plan.spec.name, engine.name());
    }
    let nodes = usize::from(options.nodes);
    let mut stand = Stand::default();
    let world = engine.world(options.seed);
    for _ in plan.spec.cluster_names() {
        let prepared = engine.prepare(world.clone(), None, nodes, &tokio)?;
        stand.add(prepared, plan.spec.moves_images(), &tokio)?;
    }
    let mut images = stand.image_source()?;
    interrupt.wakes_all(stand.clusters.iter().map(cluster::Cluster::waker).collect());
    let ask = !engine.is_simulated() && !options.yes && std::io::stdin().is_terminal();
    let outcome = rehearsal::run(Run {
        plan: &plan,
        clusters: &mut stand.clusters,
        images: &mut *images,
        runtime: engine.name(),
        progress: &mut Lines::new(ask, !text),
        interrupted: Arc::clone(&interrupt.flag),
    });
    let failed = outcome.as_ref().is_ok_and(|report| !report.passed);
    let why = if failed { why::troubles(&stand.clusters, &plan) } else { Vec::new() };
    let cleaned = stand.shut_down(&tokio);
    let report = outcome.context("cannot follow the cluster")?;
    cleaned?;
    if text {
        print_report(&plan, &report);
        for trouble in &why {
            out!(
                "\nwhy, in {}: {}",
                trouble.place(),
                ::why::text::chain(&trouble.finding).trim_end()
            );
        }
    } else {
        out!("{}", serde_json::to_string_pretty(&Document { report: &report, why: &why })?);
    }
    Ok(report.passed)
}

/// The report of a run and, when it did not pass, what its projects wait for.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    why: &'a [Trouble],
}

fn print_report(plan: &Plan, report: &Report) {
    out!("\ntimeline");
    out!("{}", report.timeline_text().trim_end());
    if plan.spec.parity.is_some() {
        out!("\n{}", report.parity_text().trim_end());
    }
    for violation in &report.violations {
        out!(
            "BROKEN: {} had {} ready pods at {} s, at least {} are promised",
            violation.deployment_config,
            violation.ready,
            violation.at,
            violation.at_least
        );
    }
    if !report.passed
        && let Some(seed) = report.seed
    {
        out!("this run can be repeated with --seed {seed}");
    }
}
