//! `cargo xtask ci`: everything that continuous integration runs, in order, stopping at the first
//! failure.
//!
//! Invariant: the commands are those of the README and of the style; nothing here is more lenient.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Runs every check in the workspace at `root`.
pub(crate) fn run(root: &Path) -> Result<()> {
    cargo(root, &["fmt", "--all", "--check"])?;
    cargo(root, &["fmt", "--manifest-path", "tests/kube-rs-client/Cargo.toml", "--check"])?;
    cargo(root, &["xtask", "tidy"])?;
    cargo(root, &["xtask", "codegen", "--check"])?;
    cargo(root, &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    cargo(root, &["test", "--workspace", "--locked", "--no-fail-fast"])?;
    cargo(root, &["run", "--locked", "-p", "fuzz", "--", "--seconds", "3"])
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    println!("$ cargo {}", arguments.join(" "));
    let status = Command::new("cargo")
        .args(arguments)
        .env("INSTA_UPDATE", "no")
        .current_dir(root)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "`cargo {}` failed", arguments.join(" "));
    Ok(())
}
