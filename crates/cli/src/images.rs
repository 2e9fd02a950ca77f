//! `rehearse images`: makes a rehearsal's images for use outside of it, e.g. with `rehearse up`.
//!
//! Invariant: only images with `build: {web: …}` are made; the others are the user's own to build.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::engine;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// A rehearsal file, or a directory with a `rehearsal.yaml`.
    path: PathBuf,
    /// Socket of the Docker engine, `unix://` or a path; the usual one without it.
    #[arg(long, env = "DOCKER_HOST", value_name = "SOCKET")]
    docker_host: Option<String>,
}

/// Makes the images and prints each with its digest.
pub(crate) fn build(options: &Options) -> Result<bool> {
    let plan = rehearsal::load(&options.path)?;
    let tokio = engine::tokio_runtime()?;
    let docker = engine::connect(options.docker_host.as_deref(), &tokio)?;
    let mut outcome = Ok(());
    for (reference, image) in &plan.spec.images {
        let Some(web) = image.build.as_ref().and_then(|build| build.web.as_ref()) else { continue };
        let (files, entrypoint) = rehearsal::web::image(web).map_err(anyhow::Error::msg)?;
        let entrypoint = entrypoint.each_ref().map(String::as_str);
        match tokio.block_on(docker.build_lasting_image(reference, &files, &entrypoint)) {
            Ok(digest) => out!("{reference}  {digest}"),
            Err(error) => {
                outcome = Err(error).with_context(|| format!("cannot make {reference}"));
                break;
            }
        }
    }
    tokio.block_on(docker.cleanup()).context("cannot clean up")?;
    outcome.map(|()| true)
}
