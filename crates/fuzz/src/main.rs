//! Throws broken input at everything that reads what clients send: `cargo xtask fuzz`.
//!
//! One file per target, all listed in [`target::TARGETS`]; [`run`] makes the inputs from valid samples
//! ([`mutate`]), tries them and shrinks what it finds. Inputs that are answered in a way not seen before
//! become samples themselves.
//!
//! Invariant: a seed gives the same inputs on every machine; a finding names the seed and the input.
//! Invariant: every target says what must hold besides not panicking.
#![expect(clippy::print_stdout, reason = "a program whose output is the point")]

mod mutate;
mod run;
mod target;

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "fuzz", about = "Throws broken input at everything that reads what clients send")]
struct Arguments {
    /// Which targets; all by default.
    targets: Vec<String>,
    /// How long, for each of them.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the inputs are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes every input there before it is tried, for inputs that end the process.
    #[arg(long, value_name = "FILE")]
    trace: Option<std::path::PathBuf>,
    /// Tries the input in this file once instead.
    #[arg(long, value_name = "FILE", conflicts_with = "trace")]
    input: Option<std::path::PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let known = |name: &String| target::TARGETS.iter().any(|target| target.name == name);
    if let Some(unknown) = arguments.targets.iter().find(|name| !known(name)) {
        let names: Vec<_> = target::TARGETS.iter().map(|target| target.name).collect();
        bail!("no target named {unknown:?}; there are {}", names.join(", "));
    }
    let chosen = target::TARGETS.iter().filter(|target| {
        arguments.targets.is_empty() || arguments.targets.iter().any(|name| name == target.name)
    });
    let mut findings = 0;
    for target in chosen {
        if let Some(file) = &arguments.input {
            findings += usize::from(run::once(target, &std::fs::read(file)?));
            continue;
        }
        let plan = run::Plan {
            seed: arguments.seed,
            time: Duration::from_secs(arguments.seconds),
            trace: arguments.trace.clone(),
        };
        findings += run::run(target, &plan)?;
    }
    if findings > 0 {
        bail!("{findings} findings");
    }
    Ok(())
}
