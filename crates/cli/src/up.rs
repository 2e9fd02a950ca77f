//! `rehearse up`: a cluster with its API served over HTTPS, until interrupted.
//!
//! Invariant: the kubeconfig is written before the first line is printed, and `/readyz` answers 200
//! by then.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use apiserver::User;
use apiserver::http::{self, Authenticator, Gate, Server, kubeconfig};
use audit::AuditLog;
use authentication::htpasswd::Htpasswd;
use authentication::{MappingMethod, OAuth, Provider, Tokens};
use clap::Args;
use cluster::{Access, Cluster};
use rehearsal::rollout::serve::{Follower, Rollouts};

use crate::engine::{self, Engine, Prepared};
use crate::interrupt::Interrupt;
use crate::nodes;
use crate::registry;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    engine: engine::Choice,
    #[command(flatten)]
    nodes: nodes::NodeOptions,
    /// Where to write the kubeconfig.
    #[arg(long, default_value = "rehearse.kubeconfig", value_name = "FILE")]
    kubeconfig: PathBuf,
    /// A bearer token that is recognised, and whose it is; may be given several times.
    #[arg(long = "token", value_name = "TOKEN=USER", value_parser = parse_token)]
    tokens: Vec<(String, User)>,
    /// Who may log in: lines as `htpasswd` writes them (bcrypt, MD5 or SHA-1). Without it, anyone with
    /// any password.
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// How a login leads to its user: `claim` makes the user of that name, `lookup` wants users and
    /// identities made before, `add` also takes users of other identities.
    #[arg(long, value_name = "METHOD", default_value = "claim", value_parser = parse_mapping)]
    user_mapping: MappingMethod,
    /// Let everyone who is recognised do everything, without roles, quota or other rules.
    #[arg(long)]
    allow_all: bool,
    /// Where to write who changed what, a JSON document a line; added to what is there.
    #[arg(long, value_name = "FILE")]
    audit_log: Option<PathBuf>,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    #[command(flatten)]
    registry: registry::RegistryOptions,
}

/// Reads `TOKEN=USER`; people get the group of those who logged in with a token.
fn parse_token(text: &str) -> Result<(String, User), String> {
    match text.split_once('=') {
        Some((token, name)) if !token.is_empty() && !name.is_empty() => {
            let groups = ["system:authenticated", "system:authenticated:oauth"];
            Ok((token.to_owned(), User::with_groups(name, &groups)))
        }
        _ => Err("must be of the form TOKEN=USER".to_owned()),
    }
}

fn parse_mapping(text: &str) -> Result<MappingMethod, String> {
    match text {
        "claim" => Ok(MappingMethod::Claim),
        "lookup" => Ok(MappingMethod::Lookup),
        "add" => Ok(MappingMethod::Add),
        _ => Err("must be one of claim, lookup, add".to_owned()),
    }
}

/// Who judges names and passwords.
fn provider(users: Option<&Path>) -> Result<Provider> {
    let Some(path) = users else { return Ok(Provider::AnyPassword) };
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let users = Htpasswd::parse(&text).with_context(|| path.display().to_string())?;
    Ok(Provider::Htpasswd(users))
}

/// How long the loop runs before it is asked to go on; it is woken by whatever happens before.
const TURN: Duration = Duration::from_secs(3600);

/// Serves until interrupted; gives whether the end was orderly.
pub(crate) fn up(options: &Options) -> Result<bool> {
    refuse_foreign(&options.kubeconfig)?;
    let tokio = engine::tokio_runtime()?;
    let interrupt = Interrupt::listen(tokio.handle());
    let engine = Engine::choose(&options.engine, &tokio)?;
    let nodes = options.nodes.read()?;
    let bound = registry::bind(&options.registry)?;
    let Prepared { config, guard, .. } =
        engine.prepare(world::World::real(), nodes.count, &tokio)?;
    let mut config = nodes.apply(config);
    if !options.allow_all {
        config.access = Access::Policy;
    }
    guard.serve_registry(bound.addr());
    config.registry = Some(bound.addr());
    config.audit = Some(audit_trail(&config.world, options.audit_log.as_deref())?);
    let rollouts = Rollouts::default();
    config.extensions.push(Arc::new(rollouts.clone()));
    let mut cluster = Cluster::start(config).context("cannot start the cluster")?;
    let server = {
        let _guard = tokio.enter();
        serve(&cluster, options)?
    };
    let registry = {
        let _guard = tokio.enter();
        let gate = Gate::new(&options.tokens, Some(tokens(&cluster)));
        registry::start(&cluster, bound, &options.registry, Arc::new(gate))?
    };
    announce(&server, &options.kubeconfig, engine.name())?;
    out!("registry on {}", registry.addr());
    interrupt.wakes(cluster.waker());
    let mut follower = Follower::new(cluster.world(), cluster.server(), &rollouts);
    while !interrupt.is_set() {
        let deadline = cluster.world().now() + TURN;
        cluster.run_until(deadline, &mut || {
            follower.catch_up();
            interrupt.is_set()
        });
    }
    tokio.block_on(async { tokio::join!(server.shutdown(), registry.shut_down()) });
    guard.shut_down(cluster)?;
    Ok(true)
}

/// The audit trail, kept in memory and written to `file` too when there is one.
fn audit_trail(world: &world::World, file: Option<&Path>) -> Result<Arc<AuditLog>> {
    let log = AuditLog::new(world.clone());
    let Some(path) = file else { return Ok(Arc::new(log)) };
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let file = opened.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Arc::new(log.with_file(Box::new(file))))
}

/// Who knows the tokens of people and service accounts.
fn tokens(cluster: &Cluster) -> Arc<dyn Authenticator> {
    Arc::new(Tokens::new(cluster.server().clone(), &[admission::token_user]))
}

fn serve(cluster: &Cluster, options: &Options) -> Result<Server> {
    let mut config = http::Config::local()?;
    config.listen = options.listen;
    config.tokens.clone_from(&options.tokens);
    config.authenticator = Some(tokens(cluster));
    let provider = provider(options.users.as_deref())?;
    let pages = OAuth::new(cluster.server().clone(), provider, options.user_mapping);
    config.site = Some(Arc::new(pages));
    Ok(Server::start(cluster.server().clone(), config)?)
}

/// The first line of a kubeconfig that is ours to replace.
const MARK: &str = "# Written by rehearse up; replaced at its next start.\n";

/// Refuses a file that someone else wrote: it may hold the only copy of their credentials.
fn refuse_foreign(path: &Path) -> Result<()> {
    match std::fs::read_to_string(path) {
        Ok(text) if !text.starts_with(MARK) => anyhow::bail!(
            "{} exists and was not written by this program; name another file with --kubeconfig",
            path.display()
        ),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn announce(server: &Server, path: &Path, engine: &str) -> Result<()> {
    kubeconfig::write(path, &format!("{MARK}{}", server.kubeconfig()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    out!("cluster on {engine}, serving https://{}", server.addr());
    out!("export KUBECONFIG={}", path.display());
    Ok(())
}
