//! The figures that the project promises, measured: `cargo xtask bench`, and thousands of seeds of a
//! rehearsal: `cargo xtask seeds`.
//!
//! One file per group of figures, all listed in [`GROUPS`]; [`figure`] says what a figure is and
//! prints it.
//!
//! Invariant: wall time comes from a real [`world::World`]; nothing is timed that a user of the
//! program would not wait for.
#![expect(clippy::print_stdout, reason = "a program whose output is the point")]

mod api;
mod chaos;
mod docker;
mod etcd;
mod figure;
mod https;
mod images;
mod main_job;
mod pods;
mod program;
mod rollout_seeds;
mod rollouts;
mod scale;
mod scheduler;
mod seeds;
mod serve;
mod simulation;
mod store;
mod up;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::figure::Figure;

/// The rehearsal that every figure of a whole run is about, from the workspace's root.
const MAIN_JOB: &str = "fixtures/rehearsals/hello-promotion";

/// As `rehearse` has it, so that what runs in this process is measured as users get it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Measures what the project promises")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kills components at random under many seeds.
    Chaos(chaos::Chaos),
    /// Prints one line per figure.
    Figures(Figures),
    /// Runs a rehearsal under many seeds.
    Seeds(seeds::Seeds),
    /// Runs rollouts that go wrong under many seeds.
    RolloutSeeds(rollout_seeds::RolloutSeeds),
    /// Runs one large cluster; the process of the group `scale`.
    #[command(hide = true)]
    Scale(scale::Scale),
    /// Serves an API until it is killed; the server of the group `pods`.
    #[command(hide = true)]
    Serve,
}

#[derive(Debug, Args)]
struct Figures {
    /// Which groups of figures to measure; all by default.
    names: Vec<String>,
    /// Print one JSON object per figure.
    #[arg(long)]
    json: bool,
}

/// Measures a group and hands every figure over as soon as it is known.
type Measure = fn(&mut dyn FnMut(Figure)) -> Result<()>;

/// Every group of figures, by name.
const GROUPS: &[(&str, Measure)] = &[
    ("store", store::measure),
    ("api", api::measure),
    ("pods", pods::measure),
    ("scheduler", scheduler::measure),
    ("scale", scale::measure),
    ("up", up::measure),
    ("registry", images::measure),
    ("rollouts", rollouts::measure),
    ("main-job", main_job::measure),
    ("docker", docker::measure),
];

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Chaos(options) => chaos::run(&options),
        Command::Figures(figures) => measure(&figures),
        Command::Seeds(options) => seeds::run(&options),
        Command::RolloutSeeds(options) => rollout_seeds::run(&options),
        Command::Scale(options) => scale::run(&options),
        Command::Serve => serve::run(),
    }
}

fn measure(options: &Figures) -> Result<()> {
    let known = |name: &String| GROUPS.iter().any(|(group, _)| group == name);
    if let Some(unknown) = options.names.iter().find(|name| !known(name)) {
        let groups: Vec<_> = GROUPS.iter().map(|(group, _)| *group).collect();
        bail!("no figures named {unknown:?}; there are {}", groups.join(", "));
    }
    for (group, measure) in GROUPS {
        if options.names.is_empty() || options.names.iter().any(|name| name == group) {
            measure(&mut |figure| println!("{}", figure.line(options.json)))
                .with_context(|| format!("cannot measure {group}"))?;
        }
    }
    Ok(())
}
