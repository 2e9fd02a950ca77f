//! `cargo xtask chaos`: kills components of simulated clusters at random under thousands of seeds; each
//! cluster must end like one in which nothing was killed. The work is the package `bench`'s; see
//! [`crate::bench::start`].
//!
//! Invariant: fails when one seed does.

use std::path::Path;

use anyhow::Result;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Chaos {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Runs the seeds with the sources of the workspace at `root`.
pub(crate) fn run(root: &Path, options: &Chaos) -> Result<()> {
    let arguments = [
        "chaos".to_owned(),
        format!("--seeds={}", options.seeds),
        format!("--from={}", options.from),
        format!("--threads={}", options.threads),
    ];
    crate::bench::start(root, "release", &arguments)
}
