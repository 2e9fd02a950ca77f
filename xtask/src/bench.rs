//! `cargo xtask bench`: prints the figures that the project promises. The work is the package
//! `bench`'s, built as what is handed out is; this only builds and starts it, so that chores build
//! quickly.
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
    start(root, "dist", &arguments)
}

/// Builds `rehearse` and `bench` with the profile, and runs `bench` with `arguments`.
pub(crate) fn start(root: &Path, profile: &str, arguments: &[String]) -> Result<()> {
    cargo(root, &["build", "--profile", profile, "--locked", "--quiet", "-p", "cli"])?;
    let mut run = vec!["run", "--profile", profile, "--locked", "--quiet", "-p", "bench", "--"];
    run.extend(arguments.iter().map(String::as_str));
    cargo(root, &run)
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    let status = Command::new("cargo").args(arguments).current_dir(root).status();
    let status = status.context("cannot start cargo")?;
    ensure!(status.success(), "`cargo {}` failed", arguments.join(" "));
    Ok(())
}
