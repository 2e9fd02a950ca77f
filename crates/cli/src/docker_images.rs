//! The integration environment of a real run: images are made on the Docker engine and go from
//! registry to registry by `docker tag`, `push`, `pull` and `rmi`.
//!
//! Nodes and build server use one engine here, as they would not elsewhere. The build server calls a
//! registry `localhost:PORT`, nodes call it `127.0.0.1:PORT`, which are two registries to the engine:
//! what the one has by name, the others have to pull.
//!
//! Invariant: images have names of their own while they are here; no tag of the user's is taken.

use std::net::SocketAddr;

use cri::config::Credentials;
use cri::docker::DockerEngine;
use rehearsal::Plan;
use rehearsal::images::{ImageSource, Pushed, Target};
use rehearsal::place::TagName;
use tokio::runtime::Handle;

/// Where images are made.
#[derive(Debug)]
pub(crate) struct Workbench {
    pub(crate) engine: DockerEngine,
    pub(crate) handle: Handle,
    pub(crate) prefix: String,
}

/// Images made on the engine, and the registries of the clusters, if they have any.
#[derive(Debug)]
pub(crate) struct DockerImages {
    pub(crate) workbench: Workbench,
    /// One a cluster, or none at all: then images are named by the ids they have here.
    pub(crate) registries: Vec<SocketAddr>,
    /// What the registries know the program by.
    pub(crate) credentials: Credentials,
}

impl Workbench {
    /// Makes an image; gives its id.
    fn make(&self, plan: &Plan, reference: &str) -> Result<String, String> {
        let own = reference.rsplit('/').next().unwrap_or(reference);
        let own = format!("{}/{own}", self.prefix);
        let build = plan.spec.images.get(reference).and_then(|image| image.build.as_ref());
        let made = match build {
            None => self.handle.block_on(self.engine.image_id(reference)),
            Some(build) => match (&build.web, &build.context) {
                (Some(web), _) => {
                    let (files, entrypoint) = rehearsal::web::image(web)?;
                    let entrypoint = entrypoint.each_ref().map(String::as_str);
                    let build = self.engine.build_scratch_image(&own, &files, &entrypoint);
                    self.handle.block_on(build).map(Some)
                }
                (None, Some(context)) => {
                    let directory = plan.directory.join(context);
                    let build = self.engine.build_directory(&own, &directory);
                    self.handle.block_on(build).map(Some)
                }
                (None, None) => Ok(None),
            },
        };
        match made {
            Ok(Some(id)) => Ok(id),
            Ok(None) => {
                Err("the engine has no such image and the rehearsal does not build it".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

impl DockerImages {
    /// `localhost:port/project/stream`, as the build server names it.
    fn repository(&self, target: &Target<'_>) -> Result<String, String> {
        let address = self.registries.get(target.cluster);
        let address = address.ok_or_else(|| "the cluster has no registry".to_owned())?;
        let TagName { project, stream, .. } = target.tag;
        Ok(format!("localhost:{}/{project}/{stream}", address.port()))
    }

    fn named(&self, target: &Target<'_>) -> Result<String, String> {
        Ok(format!("{}:{}", self.repository(target)?, target.tag.tag))
    }

    /// Tags `from` as `to` and pushes it; the name stays until it is removed.
    fn send(&self, from: &str, to: &Target<'_>) -> Result<(), String> {
        let (repository, tag) = (self.repository(to)?, to.tag.tag);
        let engine = &self.workbench.engine;
        let sent = self.workbench.handle.block_on(async {
            engine.tag_image(from, &repository, tag).await?;
            engine.push_image(&repository, tag, &self.credentials).await
        });
        sent.map_err(|error| error.to_string())
    }
}

impl ImageSource for DockerImages {
    fn publish(&mut self, plan: &Plan, reference: &str, to: &Target<'_>) -> Result<Pushed, String> {
        let id = self.workbench.make(plan, reference)?;
        if self.registries.is_empty() {
            return Ok(Pushed::Digest(id));
        }
        self.send(&id, to)?;
        self.remove(to)?;
        Ok(Pushed::Mapped)
    }

    fn pull(&mut self, from: &Target<'_>, _digest: &str) -> Result<(), String> {
        let name = self.named(from)?;
        let pulled = self.workbench.engine.pull_image(&name, &self.credentials);
        self.workbench.handle.block_on(pulled).map_err(|error| error.to_string())
    }

    fn push(
        &mut self,
        from: &Target<'_>,
        _digest: &str,
        to: &Target<'_>,
    ) -> Result<Pushed, String> {
        self.send(&self.named(from)?, to)?;
        Ok(Pushed::Mapped)
    }

    fn remove(&mut self, image: &Target<'_>) -> Result<(), String> {
        let name = self.named(image)?;
        let removed = self.workbench.engine.remove_image(&name);
        self.workbench.handle.block_on(removed).map_err(|error| error.to_string())
    }
}
