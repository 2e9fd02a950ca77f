//! `cargo xtask images`: makes a rehearsal's images on the local Docker engine.
//!
//! Invariant: only starts `rehearse images`; what an image is made of is decided there.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Makes the images of the rehearsal in `directory`.
pub(crate) fn run(root: &Path, directory: &str) -> Result<()> {
    let status = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--locked", "-p", "cli", "--", "images", directory])
        .current_dir(root)
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the images could not be made");
    Ok(())
}
