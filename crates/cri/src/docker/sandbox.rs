//! Pod sandboxes: a container that holds the network of a pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, PortBinding};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptionsBuilder,
    StopContainerOptionsBuilder,
};
use futures_util::future::join_all;

use super::{Shared, container, error, exits};
use crate::config::PodSandboxConfig;
use crate::runtime::{Error, Reply, SandboxStatus};

/// Label that tells sandboxes from containers.
pub(super) const TYPE_LABEL: &str = "io.kubernetes.docker.type";
/// Label with the uid of the pod.
pub(super) const UID_LABEL: &str = "io.kubernetes.pod.uid";

pub(super) async fn run(
    shared: &Shared,
    config: &PodSandboxConfig,
) -> Result<SandboxStatus, Error> {
    let name =
        format!("k8s_POD_{}_{}_{}_{}", config.name, config.namespace, config.uid, config.attempt);
    let id = container::create_named(shared, &name, body(shared, config)).await?;
    let birth = exits::Birth { pod_uid: config.uid.clone(), ..exits::Birth::default() };
    shared.lives.lock().add(&id, birth);
    if let Err(failed) = shared.docker.start_container(&id, None).await {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        drop(shared.docker.remove_container(&id, Some(options)).await);
        shared.lives.lock().remove(&id);
        return Err(error::from_engine(failed));
    }
    let ip = address(shared, &id).await?;
    Ok(SandboxStatus { id, ip, pod_uid: config.uid.clone(), running: true })
}

async fn address(shared: &Shared, id: &str) -> Result<String, Error> {
    let found = shared.docker.inspect_container(id, None).await;
    let settings = found.map_err(|e| error::about(id, e))?.network_settings;
    let networks = settings.and_then(|settings| settings.networks).unwrap_or_default();
    let own = networks.get(&shared.network).and_then(|endpoint| endpoint.ip_address.clone());
    Ok(own.unwrap_or_default())
}

fn body(shared: &Shared, config: &PodSandboxConfig) -> ContainerCreateBody {
    let network = if config.host_network { "host" } else { shared.network.as_str() };
    let binding =
        |host_port: u16| PortBinding { host_ip: None, host_port: Some(host_port.to_string()) };
    let port = |port: &crate::config::PortMapping| {
        format!("{}/{}", port.container_port, port.protocol.to_lowercase())
    };
    let published = !config.host_network && !config.ports.is_empty();
    let bindings =
        config.ports.iter().map(|p| (port(p), Some(vec![binding(p.host_port)]))).collect();
    let hosts = config.host_aliases.iter().map(|(ip, name)| format!("{name}:{ip}")).collect();
    ContainerCreateBody {
        hostname: (!config.host_network).then(|| config.hostname.clone()),
        image: Some(shared.pause_image.lock().clone()),
        labels: Some(labels(shared, config).into_iter().collect()),
        exposed_ports: published.then(|| config.ports.iter().map(port).collect()),
        healthcheck: Some(no_healthcheck()),
        host_config: Some(HostConfig {
            network_mode: Some(network.to_owned()),
            ipc_mode: Some("shareable".to_owned()),
            port_bindings: published.then_some(bindings),
            extra_hosts: (!config.host_aliases.is_empty()).then_some(hosts),
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
    let mut labels = config.labels.clone();
    for (key, value) in &config.annotations {
        labels.insert(format!("annotation.{key}"), value.clone());
    }
    let own = [
        ("io.kubernetes.pod.name", config.name.as_str()),
        ("io.kubernetes.pod.namespace", &config.namespace),
        (UID_LABEL, &config.uid),
        ("io.kubernetes.container.name", "POD"),
        (TYPE_LABEL, "podsandbox"),
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
    let volumes = uid.and_then(|uid| shared.volumes.lock().remove(&uid).map(|all| (uid, all)));
    let Some((uid, volumes)) = volumes else { return Ok(Reply::Done) };
    for name in volumes {
        let options = RemoveVolumeOptionsBuilder::default().build();
        if let Err(failed) = shared.docker.remove_volume(&name, Some(options)).await
            && error::is_conflict(&failed)
        {
            // Still used by another sandbox's containers of this pod; goes with that.
            shared.volumes.lock().entry(uid.clone()).or_default().insert(name);
        }
    }
    Ok(Reply::Done)
}

/// The options of a creation under `name`.
pub(super) fn named(name: &str) -> bollard::query_parameters::CreateContainerOptions {
    CreateContainerOptionsBuilder::default().name(name).build()
}
