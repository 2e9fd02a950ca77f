//! The composition root: a whole cluster in one process.
//!
//! [`Cluster::start`] puts an API server with all its plug-ins, every controller, the scheduler and a
//! node agent on one container runtime together and hands out the driver's loop. Nothing else in the
//! workspace names all of them.
//!
//! Reading order: [`config`] (what may be chosen), this file, [`pages`] (how the pages of pods are
//! fetched on either runtime).
//!
//! Invariant: on a simulated world no thread but the caller's is involved.

pub mod config;
mod extenders;
pub mod nodes;
pub mod pages;

use std::sync::Arc;

use apimachinery::{Status, Value};
use apiserver::{ApiServer, Client};
use audit::AuditLog;
use controller_runtime::{Controller, Driver};
use cri::builtin::{Builtin, WithBuiltins};
use cri::sim::SimRuntime;
use cri::{ContainerRuntime, Wake};
use node::{Agent, RuntimeLogs, RuntimeStreams};
use world::{Time, World};

pub use crate::config::{Access, Config, Runtime};
use crate::pages::Pages;

/// A running cluster, driven by whoever calls [`Cluster::run_until`].
#[derive(Debug)]
pub struct Cluster {
    world: World,
    driver: Driver,
    server: ApiServer,
    pages: Pages,
}

/// What a cluster is put together from.
struct Parts<R> {
    world: World,
    runtime: R,
    builtin: Builtin,
    agent: node::AgentConfig,
    nodes: Vec<Value>,
    scheduler: scheduler::Profile,
    pages: Pages,
    access: Access,
    audit: Option<Arc<AuditLog>>,
}

/// Why a cluster did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The namespaces and services that every cluster has could not be made.
    #[error("cannot set up the cluster")]
    Bootstrap(#[from] Status),
}

impl Cluster {
    /// Starts a cluster; nothing runs until it is driven.
    ///
    /// # Errors
    /// When the objects that every cluster has cannot be made.
    pub fn start(config: Config) -> Result<Self, Error> {
        let Config { world, runtime, agent, nodes, scheduler, access, audit } = config;
        let builtin = Builtin::new(world.clone());
        match runtime {
            Runtime::Sim(images) => {
                let sim = SimRuntime::new(world.clone(), images);
                let pages = Pages::Sim(sim.control());
                let runtime = WithBuiltins::new(sim, builtin.clone());
                Self::compose(Parts {
                    world,
                    runtime,
                    builtin,
                    agent,
                    nodes,
                    scheduler,
                    pages,
                    access,
                    audit,
                })
            }
            Runtime::Engine(engine) => {
                let runtime = WithBuiltins::new(engine, builtin.clone());
                let pages = Pages::Network;
                Self::compose(Parts {
                    world,
                    runtime,
                    builtin,
                    agent,
                    nodes,
                    scheduler,
                    pages,
                    access,
                    audit,
                })
            }
        }
    }

    fn compose<R: ContainerRuntime + 'static>(parts: Parts<R>) -> Result<Self, Error> {
        let Parts { world, mut runtime, builtin, agent, nodes, scheduler, pages, access, audit } =
            parts;
        let mut rules = admission::Options::default();
        if !world.is_simulated() {
            rules.webhooks = Some(Arc::new(admission::webhook::HttpCaller));
        }
        let builder = ApiServer::builder(world.clone());
        let builder = deployments::register(images::register(builder));
        let builder = authentication::register(builder, &[admission::token_user]);
        let builder = builder.logs(Arc::new(RuntimeLogs::new(world.clone(), runtime.logs())));
        let builder = builder.streams(Arc::new(RuntimeStreams::new(runtime.streams())));
        let mut builder = metrics::register(builder, runtime.metrics());
        if let Some(log) = audit {
            builder = audit::register(builder, log);
        }
        if access == Access::Policy {
            builder = authorization::register(admission::register(builder, &rules));
        }
        let server = builder.build();
        apiserver::bootstrap(&server)?;
        let mut driver = Driver::new(world.clone(), server.clone());
        let wake: Wake = driver.waker();
        runtime.set_wake(wake);
        let heartbeats = agent.heartbeat.is_some();
        let of_nodes = controllers::NodeOptions { heartbeats, metrics: runtime.metrics() };
        for node in nodes {
            driver.client().create(&api::NODES, "", node)?;
        }
        driver.add(Box::new(placing(scheduler, &world, &driver)));
        for controller in controllers(builtin).into_iter().chain(controllers::of_nodes(of_nodes)) {
            driver.add(controller);
        }
        if access == Access::Policy {
            authorization::bootstrap(&server)?;
            admission::bootstrap(&server)?;
            metrics::bootstrap(driver.client())?;
            let more =
                authorization::controllers().into_iter().chain(admission::controllers(&rules));
            more.for_each(|controller| driver.add(controller));
        }
        if access == Access::Policy && !world.is_simulated() {
            controllers::persistent_volume::bootstrap(driver.client())?;
        }
        driver.add(Box::new(Agent::new(agent, Box::new(runtime))));
        Ok(Self { world, driver, server, pages })
    }

    /// The clock and the names of this cluster.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The API server, for edges.
    #[must_use]
    pub fn server(&self) -> &ApiServer {
        &self.server
    }

    /// A client with all rights.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.driver.client()
    }

    /// How to fetch the pages of pods.
    #[must_use]
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// Wakes the loop out of its wait, from any thread.
    #[must_use]
    pub fn waker(&self) -> Arc<dyn Fn() + Send + Sync> {
        self.driver.waker()
    }

    /// Drives the cluster until `done` says so or `deadline` has come; gives whether `done` did.
    pub fn run_until(&mut self, deadline: Time, done: &mut dyn FnMut() -> bool) -> bool {
        self.driver.run_until(deadline, &mut |_| done())
    }
}

/// The scheduler; a simulated world has no network on which extenders could be reached.
fn placing(profile: scheduler::Profile, world: &World, driver: &Driver) -> scheduler::Scheduler {
    let scheduler = scheduler::Scheduler::new(profile);
    if world.is_simulated() {
        return scheduler;
    }
    scheduler.with_caller(Arc::new(extenders::ExtenderCaller), driver.waker())
}

/// Every controller but the scheduler and the node agent.
fn controllers(builtin: Builtin) -> Vec<Box<dyn Controller>> {
    let mut all = controllers::all();
    all.extend(deployments::controllers(builtin));
    all.extend(images::controllers());
    all
}
