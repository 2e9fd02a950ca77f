//! `cargo xtask bench`: prints the figures that the project promises. The work is the package
//! `bench`'s, built with optimisation; this only builds and starts it, so that chores build quickly.
//!
//! Invariant: the program that is measured is built from the same sources as what measures it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Groups of figures; all by default.
    names: Vec<String>,
    /// Print one JSON object per figure.
    #[arg(long)]
    json: bool,
}

/// Measures in the workspace at `root`.
pub(crate) fn run(root: &Path, options: &Bench) -> Result<()> {
    let mut arguments = vec!["figures".to_owned()];
    arguments.extend(options.names.iter().cloned());
    if options.json {
        arguments.push("--json".to_owned());
    }
    start(root, &arguments)
}

/// Builds `rehearse` and `bench`, and runs `bench` with `arguments`.
pub(crate) fn start(root: &Path, arguments: &[String]) -> Result<()> {
    cargo(root, &["build", "--release", "--locked", "--quiet", "-p", "cli"], &[])?;
    cargo(root, &["run", "--release", "--locked", "--quiet", "-p", "bench", "--"], arguments)
}

fn cargo(root: &Path, command: &[&str], arguments: &[String]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    let status = cargo.args(command).args(arguments).current_dir(root).status();
    let status = status.context("cannot start cargo")?;
    ensure!(status.success(), "`cargo {}` failed", command.join(" "));
    Ok(())
}
