//! `cargo xtask fuzz`: throws broken input at everything that reads what clients send. The work is the
//! package `fuzz`'s; see there for the targets.
//!
//! Invariant: fails when there is a finding.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Fuzz {
    /// Which targets; all by default.
    targets: Vec<String>,
    /// How long, for each of them.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the inputs are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Fuzzes the sources of the workspace at `root`.
pub(crate) fn run(root: &Path, options: &Fuzz) -> Result<()> {
    let status = Command::new("cargo")
        .args(["run", "--profile", "fuzz", "--locked", "--quiet", "-p", "fuzz", "--"])
        .args(&options.targets)
        .args([format!("--seconds={}", options.seconds), format!("--seed={}", options.seed)])
        .current_dir(root)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "fuzzing found something");
    Ok(())
}
