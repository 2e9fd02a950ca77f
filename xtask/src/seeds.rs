//! `cargo xtask seeds`: runs a rehearsal under thousands of seeds on the simulated cluster. The work
//! is the package `bench`'s; see [`crate::bench::start`].
//!
//! Invariant: fails when one seed does.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Seeds {
    /// How many seeds.
    #[arg(long, default_value_t = 10_000)]
    runs: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// The rehearsal.
    #[arg(long, default_value = "fixtures/rehearsals/hello-promotion", value_name = "DIR")]
    rehearsal: PathBuf,
}

/// Runs the seeds with the sources of the workspace at `root`.
pub(crate) fn run(root: &Path, options: &Seeds) -> Result<()> {
    let arguments = [
        "seeds".to_owned(),
        format!("--runs={}", options.runs),
        format!("--from={}", options.from),
        format!("--threads={}", options.threads),
        format!("--rehearsal={}", options.rehearsal.display()),
    ];
    crate::bench::start(root, "release", &arguments)
}
