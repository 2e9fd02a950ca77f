//! `rehearse up`: one cluster or several, each with its API served over HTTPS, until interrupted.
//!
//! [`names`] says which clusters there are, [`standing`] brings one up, [`contexts`] writes the
//! kubeconfig of all.
//!
//! Invariant: the kubeconfig is written before the first line is printed, and `/readyz` answers 200
//! by then.

mod contexts;
mod names;
mod standing;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use authentication::MappingMethod;
use clap::Args;
use cluster::{Cluster, run_together};

use self::names::Names;
use self::standing::Standing;
use crate::engine::{self, Engine};
use crate::interrupt::Interrupt;
use crate::nodes;
use crate::registry;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    engine: engine::Choice,
    #[command(flatten)]
    nodes: nodes::NodeOptions,
    /// A name for the cluster; given several times, so many clusters stand side by side, each with its
    /// own API, registry, nodes and users. Clusters of other processes must have other names.
    #[arg(long = "name", value_name = "NAME", value_parser = names::parse)]
    names: Vec<String>,
    /// Where to write the kubeconfig; it has a context of the name of each cluster.
    #[arg(long, default_value = "rehearse.kubeconfig", value_name = "FILE")]
    kubeconfig: PathBuf,
    /// A bearer token that is recognised, and whose it is; may be given several times.
    #[arg(long = "token", value_name = "TOKEN=USER", value_parser = parse_token)]
    tokens: Vec<(String, String)>,
    /// Who may log in: lines as `htpasswd` writes them (bcrypt, MD5 or SHA-1). Without it, anyone with
    /// any password. `NAME=FILE` is for the cluster of that name only.
    #[arg(long, value_name = "FILE")]
    users: Vec<String>,
    /// How a login leads to its user: `claim` makes the user of that name, `lookup` wants users and
    /// identities made before, `add` also takes users of other identities.
    #[arg(long, value_name = "METHOD", default_value = "claim", value_parser = parse_mapping)]
    user_mapping: MappingMethod,
    /// Let everyone who is recognised do everything, without roles, quota or other rules.
    #[arg(long)]
    allow_all: bool,
    /// The configuration of a master, of which `imagePolicyConfig.allowedRegistriesForImport` is read:
    /// the registries that image streams may point to. Without it, all of them.
    #[arg(long, value_name = "FILE")]
    master_config: Option<PathBuf>,
    /// Where to write who changed what, a JSON document a line; added to what is there.
    /// With several clusters `NAME=FILE`, each its own.
    #[arg(long, value_name = "FILE")]
    audit_log: Vec<String>,
    /// Where to listen, by default 127.0.0.1:8443; further clusters take the ports that follow. A
    /// cluster with a name takes a later port by default when that one is taken.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    registry: registry::RegistryOptions,
}

/// Reads `TOKEN=USER`.
fn parse_token(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((token, name)) if !token.is_empty() && !name.is_empty() => {
            Ok((token.to_owned(), name.to_owned()))
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

/// How long the loop runs before it is asked to go on; it is woken by whatever happens before.
const TURN: Duration = Duration::from_secs(3600);

/// Serves until interrupted; gives whether the end was orderly.
pub(crate) fn up(options: &Options) -> Result<bool> {
    let names = Names::new(&options.names)?;
    names.each_its_own("--audit-log", &options.audit_log)?;
    contexts::refuse_foreign(&options.kubeconfig)?;
    let tokio = engine::tokio_runtime()?;
    let interrupt = Interrupt::listen(tokio.handle());
    let engine = Engine::choose(&options.engine, &tokio)?;
    let (mut clusters, mut standing) = (Vec::new(), Vec::new());
    for (number, name) in (0..).zip(names.iter()) {
        let own = options.for_cluster(&names, name, number);
        let (cluster, stands) = Standing::start(&own, &engine, &tokio)?;
        clusters.push(cluster);
        standing.push(stands);
    }
    announce(&standing, options, engine.name())?;
    interrupt.wakes_all(clusters.iter().map(Cluster::waker).collect());
    while !interrupt.is_set() {
        let Some(first) = clusters.first() else { break };
        let deadline = first.world().now() + TURN;
        run_together(&mut clusters, deadline, &mut || {
            standing.iter_mut().for_each(Standing::catch_up);
            interrupt.is_set()
        });
    }
    let both = standing.into_iter().zip(clusters);
    let ended: Vec<Result<()>> =
        both.map(|(standing, cluster)| standing.shut_down(cluster, &tokio)).collect();
    ended.into_iter().collect::<Result<()>>()?;
    Ok(true)
}

impl Options {
    /// What is asked of the cluster with this name and number.
    fn for_cluster<'a>(
        &'a self,
        names: &Names,
        name: Option<&'a str>,
        number: u16,
    ) -> standing::Options<'a> {
        standing::Options {
            all: self,
            name,
            number,
            users: names.value_of(&self.users, name),
            audit_log: names.value_of(&self.audit_log, name),
        }
    }
}

fn announce(standing: &[Standing], options: &Options, engine: &str) -> Result<()> {
    let own: Vec<_> = standing.iter().map(|one| (one.name(), one.server.kubeconfig())).collect();
    contexts::write(&options.kubeconfig, &own)?;
    for one in standing {
        let name = one.name().map(|name| format!(" {name}")).unwrap_or_default();
        out!("cluster{name} on {engine}, serving https://{}", one.server.addr());
    }
    out!("export KUBECONFIG={}", options.kubeconfig.display());
    for one in standing {
        let name = one.name().map(|name| format!(" of {name}")).unwrap_or_default();
        out!("registry{name} on {}", one.registry.addr());
    }
    Ok(())
}
