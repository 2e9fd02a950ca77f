//! One cluster of `rehearse up` with everything around it: API, registry, engine, audit trail.
//!
//! Invariant: two clusters share nothing but the process; where both would listen at the same usual
//! port or write into the same directory, the later one or the name decides.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use ::registry::prune::Prunings;
use anyhow::{Context as _, Result};
use apiserver::http::{self, Authenticator, Gate, Server};
use audit::AuditLog;
use authentication::htpasswd::Htpasswd;
use authentication::{OAuth, Provider, Tokens};
use cluster::{Access, Cluster};
use images::AllowedRegistries;
use rehearsal::rollout::serve::{Follower, Rollouts};
use tokio::runtime::Runtime;
use world::World;

use crate::engine::{Engine, Guard, Prepared};
use crate::registry::{self, Place, Running};

/// Where the API listens when nobody says otherwise.
const PORT: u16 = 8443;
/// How many ports from the usual one are tried before any free one is taken.
const USUAL_PORTS: u16 = 16;

/// What is asked of one cluster.
pub(super) struct Options<'a> {
    pub(super) all: &'a super::Options,
    pub(super) name: Option<&'a str>,
    /// Counted from 0.
    pub(super) number: u16,
    pub(super) users: Option<&'a str>,
    pub(super) audit_log: Option<&'a str>,
}

/// A cluster that is up; who drives it holds the [`Cluster`] itself.
pub(super) struct Standing {
    name: Option<String>,
    pub(super) server: Server,
    pub(super) registry: Running,
    guard: Guard,
    follower: Follower,
}

impl Standing {
    pub(super) fn start(
        options: &Options<'_>,
        engine: &Engine,
        tokio: &Runtime,
    ) -> Result<(Cluster, Self)> {
        let nodes = options.all.nodes.read()?;
        let place =
            Place { options: &options.all.registry, name: options.name, number: options.number };
        let bound = registry::bind(&place)?;
        let audit = options.audit_log.map(Path::new);
        let Prepared { config, guard, .. } =
            engine.prepare(World::real(), options.name, nodes.count, tokio)?;
        let mut config = nodes.apply(config);
        if !options.all.allow_all {
            config.access = Access::Policy;
        }
        guard.serve_registry(bound.addr());
        config.registry = Some(bound.addr());
        config.audit = Some(audit_trail(&config.world, audit)?);
        config.allowed_registries = allowed_registries(options.all.master_config.as_deref())?;
        config.tokens.clone_from(&options.all.tokens);
        let rollouts = Rollouts::default();
        config.extensions.push(Arc::new(rollouts.clone()));
        let prunings = Prunings::default();
        config.extensions.push(Arc::new(registry::Pruning(prunings.clone())));
        let cluster = Cluster::start(config).context("cannot start the cluster")?;
        let _guard = tokio.enter();
        let server = serve(&cluster, options)?;
        let gate = Gate::new(&[], Some(tokens(&cluster, options)));
        let registry = registry::start(&cluster, bound, &place, Arc::new(gate), prunings)?;
        let follower = Follower::new(cluster.world(), cluster.server(), &rollouts);
        let name = options.name.map(str::to_owned);
        Ok((cluster, Self { name, server, registry, guard, follower }))
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Takes in what was written since.
    pub(super) fn catch_up(&mut self) {
        self.follower.catch_up();
    }

    /// Takes it down and removes what it made.
    pub(super) fn shut_down(self, cluster: Cluster, tokio: &Runtime) -> Result<()> {
        let Self { server, registry, guard, .. } = self;
        tokio.block_on(async { tokio::join!(server.shutdown(), registry.shut_down()) });
        guard.shut_down(cluster)
    }
}

/// The audit trail, kept in memory and written to `file` too when there is one.
fn audit_trail(world: &World, file: Option<&Path>) -> Result<Arc<AuditLog>> {
    let log = AuditLog::new(world.clone());
    let Some(path) = file else { return Ok(Arc::new(log)) };
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let file = opened.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Arc::new(log.with_file(Box::new(file))))
}

/// The registries that the configuration of a master allows.
fn allowed_registries(file: Option<&Path>) -> Result<AllowedRegistries> {
    let Some(path) = file else { return Ok(AllowedRegistries::default()) };
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let documents =
        apimachinery::yaml::load_documents(&text).with_context(|| path.display().to_string())?;
    let config = documents.into_iter().next().map(|document| document.value).unwrap_or_default();
    AllowedRegistries::from_master_config(&config).with_context(|| path.display().to_string())
}

/// Who judges names and passwords.
fn provider(users: Option<&Path>) -> Result<Provider> {
    let Some(path) = users else { return Ok(Provider::AnyPassword) };
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let users = Htpasswd::parse(&text).with_context(|| path.display().to_string())?;
    Ok(Provider::Htpasswd(users))
}

/// Who knows the callers by their tokens.
fn tokens(cluster: &Cluster, options: &Options<'_>) -> Arc<dyn Authenticator> {
    Arc::new(Tokens::new(cluster.server().clone(), cluster::bearers(&options.all.tokens)))
}

/// Serves the API at the first address that is free.
fn serve(cluster: &Cluster, options: &Options<'_>) -> Result<Server> {
    let mut addresses = addresses(options).into_iter().peekable();
    while let Some(address) = addresses.next() {
        match serve_at(cluster, options, address)? {
            Err(error) if addresses.peek().is_some() && is_taken(&error) => {}
            result => return Ok(result?),
        }
    }
    anyhow::bail!("there is no address to listen on")
}

fn is_taken(error: &http::Error) -> bool {
    matches!(error, http::Error::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse)
}

/// Where the API may listen, in order.
fn addresses(options: &Options<'_>) -> Vec<SocketAddr> {
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match (options.all.listen, options.name) {
        (Some(listen), _) => vec![registry::following(listen, options.number)],
        (None, None) => vec![local(PORT)],
        (None, Some(_)) => (PORT..PORT + USUAL_PORTS).chain([0]).map(local).collect(),
    }
}

fn serve_at(
    cluster: &Cluster,
    options: &Options<'_>,
    address: SocketAddr,
) -> Result<Result<Server, http::Error>> {
    let mut config = http::Config::local()?;
    config.listen = address;
    config.authenticator = Some(tokens(cluster, options));
    let provider = provider(options.users.map(Path::new))?;
    let pages = OAuth::new(cluster.server().clone(), provider, options.all.user_mapping);
    config.site = Some(Arc::new(pages));
    Ok(Server::start(cluster.server().clone(), config))
}
