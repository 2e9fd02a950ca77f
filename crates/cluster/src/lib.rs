//! The composition root: a whole cluster in one process.
//!
//! [`Cluster::start`] puts an API server with all its plug-ins, every controller, the scheduler and a
//! node agent on one container runtime together and hands out the driver's loop. Nothing else in the
//! workspace names all of them.
//!
//! Reading order: [`config`] (what may be chosen), this file, [`pages`] (how the pages of pods are
//! fetched on either runtime), [`kill`] (components that are killed and started anew),
//! [`together`] (several clusters in one process).
//!
//! Invariant: on a simulated world no thread but the caller's is involved.

pub mod config;
mod extenders;
mod kill;
pub mod nodes;
pub mod pages;
pub mod together;

use std::sync::Arc;

use apimachinery::{Status, Value};
use apiserver::{ApiServer, Client, Stored};
use audit::AuditLog;
use authentication::Bearers;
use controller_runtime::{Controller, Driver, Faults, Work};
use cri::builtin::{Builtin, WithBuiltins};
use cri::sim::SimRuntime;
use cri::{ContainerRuntime, Wake};
use images::AllowedRegistries;
use images::source::Source;
use images::source::registry::Registries;
use images::source::sim::Catalogue;
use node::{Agent, RuntimeLogs, RuntimeStreams};
use store::Store;
use world::{Time, World};

pub use crate::config::{Access, Config, Extension, Runtime};
use crate::kill::Revival;
use crate::pages::Pages;
pub use crate::together::run_together;

/// A running cluster, driven by whoever calls [`Cluster::run_until`].
#[derive(Debug)]
pub struct Cluster {
    plan: Plan,
    driver: Driver,
    server: ApiServer,
    /// What survives when components are killed; real engines are not asked to.
    revival: Option<Revival>,
}

/// What the components of a cluster are made of, again and again if they are killed.
#[derive(Debug, Clone)]
struct Plan {
    world: World,
    builtin: Builtin,
    agent: node::AgentConfig,
    control: node::AgentControl,
    nodes: Vec<Value>,
    scheduler: scheduler::Profile,
    pages: Pages,
    access: Access,
    rules: admission::Options,
    tokens: Vec<(String, String)>,
    audit: Option<Arc<AuditLog>>,
    faults: Option<Faults>,
    extensions: Vec<Arc<dyn Extension>>,
    source: Arc<dyn Source>,
    allowed: AllowedRegistries,
}

/// Who knows the tokens of people and service accounts, and those that `tokens` names.
#[must_use]
pub fn bearers(tokens: &[(String, String)]) -> Bearers {
    Bearers::new(&[admission::token_user]).named(tokens)
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
        let Config { world, runtime, agent, nodes, scheduler, access, audit, faults, .. } = config;
        let (registry, source, extensions) =
            (config.registry, config.image_source, config.extensions);
        let source = source.unwrap_or_else(|| match &runtime {
            Runtime::Sim(images) => Arc::new(Catalogue(images.clone())),
            Runtime::Engine(_) => Arc::new(Registries),
        });
        let builtin = Builtin::new(world.clone());
        let mut rules = admission::Options::default();
        rules.registries.extend(registry.map(|address| address.to_string()));
        if !world.is_simulated() {
            rules.webhooks = Some(Arc::new(admission::webhook::HttpCaller));
        }
        let pages = Pages::Network;
        let mut plan = Plan {
            world,
            builtin,
            agent,
            control: node::AgentControl::default(),
            nodes,
            scheduler,
            pages,
            access,
            rules,
            tokens: config.tokens,
            audit,
            faults,
            extensions,
            source,
            allowed: config.allowed_registries,
        };
        match runtime {
            Runtime::Sim(images) => {
                let sim = SimRuntime::new(plan.world.clone(), images);
                plan.pages = Pages::Sim(sim.control());
                let revival = Revival::new(sim.clone());
                let cluster = if plan.faults.is_some() {
                    let runtime = revival.session(&plan);
                    Self::compose(plan, runtime, None)?
                } else {
                    let runtime = WithBuiltins::new(sim, plan.builtin.clone());
                    Self::compose(plan, runtime, None)?
                };
                Ok(Self { revival: Some(revival), ..cluster })
            }
            Runtime::Engine(engine) => {
                let runtime = WithBuiltins::new(engine, plan.builtin.clone());
                Self::compose(plan, runtime, None)
            }
        }
    }

    /// All components, over `store` if there is one already.
    fn compose(
        plan: Plan,
        mut runtime: impl ContainerRuntime + 'static,
        store: Option<Store<Stored>>,
    ) -> Result<Self, Error> {
        let server = plan.server(&runtime, store);
        apiserver::bootstrap(&server)?;
        let mut driver = Driver::new(plan.world.clone(), server.clone());
        if let Some(faults) = &plan.faults {
            driver.set_faults(faults.clone());
        }
        let wake: Wake = driver.waker();
        runtime.set_wake(wake);
        for node in &plan.nodes {
            match driver.client().create(&api::NODES, "", node.clone()) {
                Err(status) if !status.is_already_exists() => return Err(status.into()),
                _ => {}
            }
        }
        if plan.access == Access::Policy {
            authorization::bootstrap(&server)?;
            admission::bootstrap(&server)?;
            metrics::bootstrap(driver.client())?;
            why::bootstrap(driver.client())?;
            if !plan.world.is_simulated() {
                controllers::persistent_volume::bootstrap(driver.client())?;
            }
        }
        for controller in plan.components(Box::new(runtime), &driver) {
            driver.add(controller);
        }
        Ok(Self { plan, driver, server, revival: None })
    }

    /// The clock and the names of this cluster.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.plan.world
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
        &self.plan.pages
    }

    /// Wakes the loop out of its wait, from any thread.
    #[must_use]
    pub fn waker(&self) -> Arc<dyn Fn() + Send + Sync> {
        self.driver.waker()
    }

    /// What the controllers have done since the start.
    #[must_use]
    pub fn work(&self) -> Work {
        self.driver.work()
    }

    /// Drives the cluster until `done` says so or `deadline` has come; gives whether `done` did.
    pub fn run_until(&mut self, deadline: Time, done: &mut dyn FnMut() -> bool) -> bool {
        self.driver.run_until(deadline, &mut |_| done())
    }
}

impl Plan {
    fn server(&self, runtime: &impl ContainerRuntime, store: Option<Store<Stored>>) -> ApiServer {
        let store = store.unwrap_or_else(|| Store::new(self.world.clone()));
        let mut builder = ApiServer::builder(self.world.clone()).store(store);
        if let Some(faults) = &self.faults {
            builder = builder.admission(Box::new(faults.clone()));
        }
        let builder =
            images::register_with(builder, Arc::clone(&self.source), self.allowed.clone());
        let builder = deployments::register(builder);
        let builder = authentication::register(builder, bearers(&self.tokens));
        let logs = RuntimeLogs::new(self.world.clone(), runtime.logs());
        let builder = builder.logs(Arc::new(logs));
        let builder = builder.streams(Arc::new(RuntimeStreams::new(runtime.streams())));
        let builder = why::register(builder, self.scheduler.clone());
        let mut builder = metrics::register(builder, runtime.metrics());
        for extension in &self.extensions {
            builder = extension.extend(builder);
        }
        if let Some(log) = &self.audit {
            builder = audit::register(builder, Arc::clone(log));
        }
        if self.access == Access::Policy {
            builder = authorization::register(admission::register(builder, &self.rules));
        } else {
            builder = admission::register_tokens(builder);
        }
        builder.build()
    }

    /// Every component, as it is when its process starts; always the same ones in the same order.
    fn components(
        &self,
        runtime: Box<dyn ContainerRuntime>,
        driver: &Driver,
    ) -> Vec<Box<dyn Controller>> {
        let mut all: Vec<Box<dyn Controller>> = vec![Box::new(self.scheduler(driver))];
        all.extend(controllers::all());
        all.extend(deployments::controllers(self.builtin.clone()));
        let wake = self.source.is_remote().then(|| driver.waker());
        all.extend(images::controllers_with(wake.as_ref()));
        let heartbeats = self.agent.heartbeat.is_some();
        let metrics = runtime.metrics();
        all.extend(controllers::of_nodes(controllers::NodeOptions { heartbeats, metrics }));
        if self.access == Access::Policy {
            all.extend(authorization::controllers());
            all.extend(admission::controllers(&self.rules));
        }
        let agent = Agent::new(self.agent.clone(), runtime);
        all.push(Box::new(agent.with_control(self.control.clone())));
        all
    }

    /// The scheduler; a simulated world has no network on which extenders could be reached.
    fn scheduler(&self, driver: &Driver) -> scheduler::Scheduler {
        let scheduler = scheduler::Scheduler::new(self.scheduler.clone());
        if self.world.is_simulated() {
            return scheduler;
        }
        scheduler.with_caller(Arc::new(extenders::ExtenderCaller), driver.waker())
    }
}
