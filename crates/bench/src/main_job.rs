//! The main job, simulated: as the process that its users start, and within a process.
//!
//! Invariant: every run must pass; the time of a run that failed says nothing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use world::World;

use crate::figure::{Figure, Target, median, milliseconds};
use crate::program::{rehearse, thread_cpu};
use crate::simulation;

const RUNS: usize = 20;
const SEED: u64 = 1;

/// Measures wall time, virtual time and sameness.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) -> Result<()> {
    let world = World::real();
    let (mut as_process, mut outputs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let start = world.now();
        outputs.push(run_process("text")?);
        as_process.push(milliseconds(world.now() - start));
    }
    let target = Target::Below(50.0);
    report(Figure::number("main-job.process", median(as_process), "ms").target(target));
    let path = Path::new(crate::MAIN_JOB);
    let (mut in_process, mut processor, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (start, cpu) = (world.now(), thread_cpu()?);
        let plan = rehearsal::load(path)?;
        let outcome = simulation::run(&plan, SEED, 1)?;
        in_process.push(milliseconds(world.now() - start));
        processor.push(milliseconds(thread_cpu()?.saturating_sub(cpu)));
        ensure!(outcome.report.passed, "the main job failed");
        outcomes.push(outcome);
    }
    report(Figure::number("main-job.in-process", median(in_process), "ms").target(target));
    report(Figure::number("main-job.in-process-cpu", median(processor), "ms"));
    let minutes = outcomes.first().map_or(0.0, |outcome| outcome.spanned.as_secs_f64() / 60.0);
    report(Figure::number("main-job.virtual-time", minutes, "min"));
    outputs.dedup();
    let json = [run_process("json")?, run_process("json")?];
    let bytes = outcomes.iter().map(simulation::Outcome::bytes).collect::<Result<Vec<_>>>()?;
    let same = outputs.len() == 1 && json[0] == json[1] && bytes.iter().all(|b| *b == bytes[0]);
    report(Figure::fact("main-job.identical", same));
    Ok(())
}

/// Runs the program as a user does; gives its output.
fn run_process(output: &str) -> Result<Vec<u8>> {
    let mut command = Command::new(rehearse()?);
    command.args(["run", crate::MAIN_JOB, "--on", "sim", "--output", output]);
    let done = command.arg(format!("--seed={SEED}")).output().context("cannot start rehearse")?;
    let said = String::from_utf8_lossy(&done.stdout);
    ensure!(done.status.success(), "the main job failed:\n{said}");
    Ok(done.stdout)
}
