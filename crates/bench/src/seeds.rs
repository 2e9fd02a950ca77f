//! Thousands of seeds of a rehearsal: each must pass, and a sample is run again and compared.
//!
//! Invariant: which seeds fail does not depend on the number of threads.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use rehearsal::Plan;
use world::World;

use crate::simulation;

/// One in so many seeds is run twice.
const REPEATED: u64 = 50;

/// How many failures are told in full.
pub(crate) const SHOWN: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Seeds {
    /// How many seeds.
    #[arg(long, default_value_t = 10_000)]
    runs: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Number of nodes.
    #[arg(long, default_value_t = 1)]
    nodes: usize,
    /// The rehearsal.
    #[arg(long, default_value = crate::MAIN_JOB)]
    rehearsal: PathBuf,
}

/// Runs every seed and prints what became of them.
pub(crate) fn run(options: &Seeds) -> Result<()> {
    let plan = rehearsal::load(&options.rehearsal)?;
    let world = World::real();
    let start = world.now();
    let check = |seed: u64| check(&plan, seed, options.nodes);
    let failures = run_all(options.from, options.runs, options.threads, &check);
    let took = (world.now() - start).as_secs_f64();
    for (seed, failure) in failures.iter().take(SHOWN) {
        println!("seed {seed}: {failure}");
    }
    println!(
        "{}: {} seeds from {}, {} failed, {:.1} s on {} threads",
        plan.spec.name,
        options.runs,
        options.from,
        failures.len(),
        took,
        options.threads,
    );
    if let Some((seed, _)) = failures.first_key_value() {
        let rehearsal = options.rehearsal.display();
        bail!("repeat the first with: rehearse run {rehearsal} --on sim --seed {seed}");
    }
    Ok(())
}

/// Checks `runs` seeds from `from` on and gives the failures by seed.
pub(crate) fn run_all(
    from: u64,
    runs: u64,
    threads: usize,
    check: &(dyn Fn(u64) -> Result<()> + Sync),
) -> BTreeMap<u64, String> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut failures = BTreeMap::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= runs {
                return failures;
            }
            let seed = from.wrapping_add(index);
            let attempt = catch_unwind(AssertUnwindSafe(|| check(seed)));
            if let Err(error) = attempt.unwrap_or_else(|_| bail!("panicked, see above")) {
                failures.insert(seed, format!("{error:#}"));
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let results = threads.into_iter().map(|thread| thread.join().expect("panics are caught"));
        results.flatten().collect()
    })
}

fn check(plan: &Plan, seed: u64, nodes: usize) -> Result<()> {
    let outcome = simulation::run(plan, seed, nodes)?;
    let report = &outcome.report;
    if let Some(violation) = report.violations.first() {
        let violation = serde_json::to_string(violation)?;
        bail!("{} violations, the first is {violation}", report.violations.len());
    }
    for step in &report.steps {
        if let Some(error) = &step.error {
            bail!("step {:?} at {} s: {error}", step.title, step.at);
        }
    }
    ensure!(report.passed, "no parity: {}", serde_json::to_string(&report.parity)?);
    if seed.is_multiple_of(REPEATED) {
        let again = simulation::run(plan, seed, nodes).context("passed once, not twice")?;
        ensure!(outcome.bytes()? == again.bytes()?, "two runs differ");
    }
    Ok(())
}
