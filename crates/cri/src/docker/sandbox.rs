//! Pod sandboxes: a container that holds the network of a pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::Value;
use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, PortBinding};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use futures_util::future::join_all;

use super::{Shared, container, error, exits, volume};
use crate::config::PodSandboxConfig;
use crate::runtime::{Error, Reply, SandboxStatus};

/// Label that tells sandboxes from containers.
pub(super) const TYPE_LABEL: &str = "io.kubernetes.docker.type";
/// Label with the number of a sandbox.
const ATTEMPT_LABEL: &str = "annotation.rehearse.attempt";
/// Label with the uid of the pod.
pub(super) const UID_LABEL: &str = "io.kubernetes.pod.uid";

pub(super) async fn run(
    shared: &Shared,
    config: &PodSandboxConfig,
) -> Result<SandboxStatus, Error> {
    let name =
        format!("k8s_POD_{}_{}_{}_{}", config.name, config.namespace, config.uid, config.attempt);
    let binds = volume::prepare(shared, config).await?;
    let id = container::create_named(shared, &name, body(shared, config, binds)).await?;
    let birth = exits::Birth { pod_uid: config.uid.to_string(), ..exits::Birth::default() };
    shared.lives.lock().add(&id, birth);
    let started = match shared.docker.start_container(&id, None).await {
        Ok(()) => settle(shared, &id, config).await,
        Err(failed) => Err(error::from_engine(failed)),
    };
    let ip = match started {
        Ok(ip) => ip,
        Err(failed) => return give_up(shared, &id, failed).await,
    };
    let (pod_uid, attempt) = (config.uid.clone(), config.attempt);
    Ok(SandboxStatus { id: id.into(), ip: ip.into(), pod_uid, attempt, running: true })
}

/// Finds out the address of a started sandbox and writes what depends on it.
async fn settle(shared: &Shared, id: &str, config: &PodSandboxConfig) -> Result<String, Error> {
    let ip = address(shared, id).await?;
    volume::fill(shared, id, config, &hosts(config, &ip)).await?;
    Ok(ip)
}

async fn give_up<T>(shared: &Shared, id: &str, failed: Error) -> Result<T, Error> {
    shared.lives.lock().stopping(id);
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    drop(shared.docker.remove_container(id, Some(options)).await);
    shared.lives.lock().remove(id);
    Err(failed)
}

/// `/etc/hosts` of a pod.
///
/// Mirrors: `pkg/kubelet/kubelet_pods.go` `managedHostsFileContent`.
fn hosts(config: &PodSandboxConfig, ip: &str) -> String {
    let mut text = String::from(
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost \
         ip6-loopback\nfe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\n\
         fe00::2\tip6-allrouters\n",
    );
    let host = config.hostname.as_str();
    let full = if config.domain.is_empty() {
        String::new()
    } else {
        format!("{host}.{}\t", config.domain)
    };
    text.push_str(&format!("{ip}\t{full}{host}\n"));
    if !config.host_aliases.is_empty() {
        text.push_str("\n# Entries added by HostAliases.\n");
        for (ip, names) in &config.host_aliases {
            text.push_str(&format!("{ip}\t{}\n", names.join("\t")));
        }
    }
    text
}

/// A sandbox as a listing shows it.
pub(super) async fn status(
    shared: &Shared,
    id: String,
    pod_uid: String,
    running: bool,
    labels: &BTreeMap<String, String>,
) -> SandboxStatus {
    let attempt = labels.get(ATTEMPT_LABEL).and_then(|text| text.parse().ok()).unwrap_or_default();
    let ip = address(shared, &id).await.unwrap_or_default();
    SandboxStatus { id: id.into(), ip: ip.into(), pod_uid: pod_uid.into(), attempt, running }
}

async fn address(shared: &Shared, id: &str) -> Result<String, Error> {
    let found = shared.docker.inspect_container(id, None).await;
    let settings = found.map_err(|e| error::about(id, e))?.network_settings;
    let networks = settings.and_then(|settings| settings.networks).unwrap_or_default();
    let own = networks.get(&shared.network).and_then(|endpoint| endpoint.ip_address.clone());
    Ok(own.unwrap_or_default())
}

fn body(shared: &Shared, config: &PodSandboxConfig, binds: Vec<String>) -> ContainerCreateBody {
    let network = if config.host_network { "host" } else { shared.network.as_str() };
    let binding = |port: &crate::config::PortMapping| PortBinding {
        host_ip: Some(port.host_ip.clone()).filter(|ip| !ip.is_empty()),
        host_port: Some(port.host_port.to_string()),
    };
    let port = |port: &crate::config::PortMapping| {
        format!("{}/{}", port.container_port, port.protocol.to_lowercase())
    };
    let published = !config.host_network && !config.ports.is_empty();
    let bindings = config.ports.iter().map(|p| (port(p), Some(vec![binding(p)]))).collect();
    let list = |words: &[String]| (!words.is_empty()).then(|| words.to_vec());
    let sysctls = config.sysctls.clone().into_iter().collect();
    ContainerCreateBody {
        hostname: (!config.host_network).then(|| config.hostname.to_string()),
        image: Some(shared.pause_image.lock().clone()),
        labels: Some(labels(shared, config).into_iter().collect()),
        exposed_ports: published.then(|| config.ports.iter().map(port).collect()),
        healthcheck: Some(no_healthcheck()),
        host_config: Some(HostConfig {
            network_mode: Some(network.to_owned()),
            ipc_mode: Some("shareable".to_owned()),
            port_bindings: published.then_some(bindings),
            binds: Some(binds),
            dns: list(&config.dns.servers),
            dns_search: list(&config.dns.searches),
            dns_options: list(&config.dns.options),
            sysctls: (!config.sysctls.is_empty()).then_some(sysctls),
            cpu_shares: Some(2),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// Switches the image's own health check off.
pub(super) fn no_healthcheck() -> HealthConfig {
    HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }
}

fn labels(shared: &Shared, config: &PodSandboxConfig) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let own = config.labels.iter().map(|(key, value)| (key.to_string(), text(value)));
    let told = config.annotations.iter();
    let told = told.map(|(key, value)| (format!("annotation.{key}"), text(value)));
    let mut labels: BTreeMap<String, String> = own.chain(told).collect();
    let attempt = config.attempt.to_string();
    let own = [
        ("io.kubernetes.pod.name", config.name.as_str()),
        ("io.kubernetes.pod.namespace", &config.namespace),
        (UID_LABEL, &config.uid),
        ("io.kubernetes.container.name", "POD"),
        (TYPE_LABEL, "podsandbox"),
        (ATTEMPT_LABEL, &attempt),
    ];
    labels.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels.extend(shared.labels());
    labels
}

pub(super) async fn stop(shared: &Arc<Shared>, id: &str) -> Result<Reply, Error> {
    shared.lives.lock().stopping(id);
    let inside = shared.lives.lock().inside(id);
    let stops = inside
        .iter()
        .map(|container| container::stop(shared, container, std::time::Duration::ZERO));
    for result in join_all(stops).await {
        result?;
    }
    let options = StopContainerOptionsBuilder::default().t(2).build();
    match shared.docker.stop_container(id, Some(options)).await {
        Err(failed) if !error::is_missing(&failed) => Err(error::from_engine(failed)),
        _ => Ok(Reply::Done),
    }
}

pub(super) async fn remove(shared: &Arc<Shared>, id: &str) -> Result<Reply, Error> {
    shared.lives.lock().stopping(id);
    let uid = match shared.docker.inspect_container(id, None).await {
        Ok(found) => found.config.and_then(|c| c.labels).and_then(|mut l| l.remove(UID_LABEL)),
        Err(failed) if error::is_missing(&failed) => None,
        Err(failed) => return Err(error::from_engine(failed)),
    };
    let mut ids = shared.lives.lock().inside(id);
    ids.push(id.to_owned());
    for result in join_all(ids.iter().map(|id| container::remove_forced(shared, id))).await {
        result?;
    }
    if let Some(uid) = uid {
        volume::remove(shared, &uid).await;
    }
    Ok(Reply::Done)
}

/// The options of a creation under `name`.
pub(super) fn named(name: &str) -> bollard::query_parameters::CreateContainerOptions {
    CreateContainerOptionsBuilder::default().name(name).build()
}
