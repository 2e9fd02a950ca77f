//! `rehearse`: stands up an OpenShift-3.11-compatible cluster and rehearses promotions on it.
//!
//! One file per command: [`run`], [`up`] and [`images`]; [`engine`] chooses the container runtime and
//! [`progress`] shows a run while it happens.
//!
//! Invariant: exit code 0 only if everything held; 1 when it did not, 2 for a wrong call.
#![expect(clippy::print_stderr, reason = "this is the program that talks to people")]

/// Prints a line to standard output. A reader that has gone away (`| head`) is no reason to fail:
/// what the run does and how it ends does not depend on who listens.
macro_rules! out {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        drop(writeln!(std::io::stdout().lock(), $($argument)*));
    }};
}

mod api_client;
mod audit;
mod docker_images;
mod engine;
mod images;
mod interrupt;
mod nodes;
mod progress;
mod prune;
mod registry;
mod run;
mod stand;
mod timeline;
mod up;
mod why;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Objects are trees of many small strings and maps; the system's allocator would take a third of the
/// time of a simulated run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(name = "rehearse", version, about, max_term_width = 100)]
/// Rehearse a team's promotion on an OpenShift-3.11-compatible cluster: simulated on a virtual clock,
/// or in real containers.
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to log to standard error, e.g. `debug` or `controller_runtime=debug`.
    #[arg(
        long,
        global = true,
        env = "REHEARSE_LOG",
        default_value = "warn",
        value_name = "FILTER"
    )]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry a rehearsal out and prove what every stage runs.
    Run(run::Options),
    /// Make the images of a rehearsal on the local Docker engine, under their own names.
    Images(images::Options),
    /// Stand a cluster up and serve its API until interrupted.
    Up(up::Options),
    /// Tell a rollout as people read it: when, who, old and new replicas, hooks, why.
    Timeline(timeline::Options),
    /// Say who changed what in a cluster that is up, and who was refused.
    Audit(audit::Options),
    /// Remove what nobody needs any more from a cluster that is up: images, old rollouts.
    #[command(subcommand)]
    Prune(prune::What),
    /// Say why a pod runs where it does, or what a workload waits for, in a cluster that is up.
    Why(why::Options),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_new(&cli.log)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let outcome = match cli.command {
        Command::Run(options) => run::run(&options),
        Command::Images(options) => images::build(&options),
        Command::Up(options) => up::up(&options),
        Command::Timeline(options) => timeline::timeline(&options),
        Command::Audit(options) => audit::audit(&options),
        Command::Prune(what) => prune::prune(&what),
        Command::Why(options) => why::why(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
