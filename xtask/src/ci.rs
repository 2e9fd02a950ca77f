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
    // Alone, it would be built anew from its dependencies on: with the features that it needs itself.
    cargo(root, &["build", "--workspace", "--locked", "--bin", "fuzz"])?;
    let fuzz = std::env::current_exe().context("where xtask is")?.with_file_name("fuzz");
    run_in(root, Command::new(fuzz).args(["--seconds", "3"]))
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    run_in(root, Command::new("cargo").args(arguments).env("INSTA_UPDATE", "no"))
}

fn run_in(root: &Path, command: &mut Command) -> Result<()> {
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    let line = format!("{} {}", command.get_program().display(), arguments.join(" "));
    println!("$ {line}");
    // Many tests wait for containers and for clients most of the time.
    command.env("RUST_TEST_THREADS", "6");
    let status = command.current_dir(root).status().with_context(|| format!("`{line}`"))?;
    ensure!(status.success(), "`{line}` failed");
    Ok(())
}
