//! Other people's clients, unmodified: one file each.
//!
//! Invariant: a machine without a client passes, saying so on standard error.

mod helm;
mod kube_rs;
mod python;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::served::Served;

/// Where the continuous integration puts what comes from package registries.
fn tools() -> Option<PathBuf> {
    std::env::var_os("REHEARSE_CLIENT_TOOLS").map(PathBuf::from)
}

/// A program of that directory, or of `PATH`, that answers `--help`.
fn find(name: &str) -> Option<PathBuf> {
    let own = tools().map(|directory| directory.join("bin").join(name));
    let own = own.filter(|file| file.is_file());
    let program = own.unwrap_or_else(|| PathBuf::from(name));
    let answers = Command::new(&program)
        .arg("--help")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    answers.then_some(program)
}

/// Runs a client against a cluster; gives what it printed. It must succeed.
fn run(cluster: &Served, home: &std::path::Path, command: &mut Command) -> String {
    let output = command
        .env("HOME", home)
        .env("KUBECONFIG", cluster.kubeconfig())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{stdout}{stderr}");
    stdout
}
