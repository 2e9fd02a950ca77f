//! The clusters of a run, with their registries when images go through them.
//!
//! Invariant: everything that was started ends with [`Stand::shut_down`], the last cluster first: the
//! images that all of them run belong to the first.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ::registry::Bound;
use ::registry::prune::Prunings;
use anyhow::{Context as _, Result};
use apiserver::User;
use apiserver::http::Gate;
use authentication::Tokens;
use cluster::Cluster;
use cri::config::Credentials;
use cri::sim::SimImages;
use rehearsal::images::{ImageSource, SimRegistries};
use tokio::runtime::Runtime;

use crate::docker_images::{DockerImages, Workbench};
use crate::engine::{Guard, Images, Prepared};
use crate::registry::{self, Place, RegistryOptions, Running};

/// Clusters side by side.
#[derive(Debug, Default)]
pub(crate) struct Stand {
    pub(crate) clusters: Vec<Cluster>,
    guards: Vec<Guard>,
    registries: Vec<Running>,
    simulated: Vec<SimImages>,
    workbench: Option<Workbench>,
    token: String,
}

impl Stand {
    /// Starts one more cluster; on an engine with a registry, if there is to be one.
    pub(crate) fn add(
        &mut self,
        prepared: Prepared,
        with_registry: bool,
        tokio: &Runtime,
    ) -> Result<()> {
        let Prepared { mut config, images, guard } = prepared;
        let real = match images {
            Images::Sim(images) => {
                self.simulated.push(images);
                false
            }
            Images::Docker(workbench) => {
                self.workbench.get_or_insert(workbench);
                true
            }
        };
        if self.token.is_empty() {
            self.token = config.world.hex(32);
        }
        let nodes_token = if real { config.world.hex(32) } else { String::new() };
        let bound = (real && with_registry).then(|| {
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            Bound::to(any).context("cannot start the registry")
        });
        let bound = bound.transpose()?;
        if let Some(bound) = &bound {
            guard.serve_registry(bound.addr());
            config.registry = Some(bound.addr());
            for node in &mut config.agent.nodes {
                node.credentials = node_credentials(&nodes_token);
            }
        }
        self.guards.push(guard);
        let cluster = Cluster::start(config).context("cannot start the cluster")?;
        if let Some(bound) = bound {
            let _guard = tokio.enter();
            let others = Arc::new(Tokens::new(cluster.server().clone(), cluster::bearers(&[])));
            let nodes =
                User::with_groups("system:nodes", &["system:authenticated", "system:nodes"]);
            let tokens = vec![(self.token.clone(), User::system_admin()), (nodes_token, nodes)];
            let known = Arc::new(Gate::new(&tokens, Some(others)));
            let options = RegistryOptions::default();
            let place = Place { options: &options, name: None, number: 0 };
            self.registries.push(registry::start(
                &cluster,
                bound,
                &place,
                known,
                Prunings::default(),
            )?);
        }
        self.clusters.push(cluster);
        Ok(())
    }

    /// Where the images of all clusters come from.
    pub(crate) fn image_source(&mut self) -> Result<Box<dyn ImageSource>> {
        let Some(workbench) = self.workbench.take() else {
            return Ok(Box::new(SimRegistries::new(self.simulated.clone())));
        };
        let credentials = Credentials {
            username: "rehearse".to_owned(),
            password: self.token.clone(),
            ..Credentials::default()
        };
        let registries = self.registries.iter().map(Running::addr).collect();
        Ok(Box::new(DockerImages { workbench, registries, credentials }))
    }

    /// Takes everything down.
    pub(crate) fn shut_down(self, tokio: &Runtime) -> Result<()> {
        for registry in self.registries {
            tokio.block_on(registry.shut_down());
        }
        let both = self.guards.into_iter().zip(self.clusters).rev();
        let ended: Vec<Result<()>> =
            both.map(|(guard, cluster)| guard.shut_down(cluster)).collect();
        ended.into_iter().collect()
    }
}

/// What nodes show the registry of their cluster, under each of its names. Pods of a run have no pull
/// secrets: there are no roles that would make any.
fn node_credentials(token: &str) -> Vec<Credentials> {
    let of = |server: String| Credentials {
        username: "nodes".to_owned(),
        password: token.to_owned(),
        server,
        ..Credentials::default()
    };
    admission::Options::default().registries.into_iter().map(of).collect()
}
