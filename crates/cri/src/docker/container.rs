//! Containers: creating, starting, stopping, removing, looking inside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerCreateBody, HostConfig, VolumeCreateRequest};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use futures_util::StreamExt as _;

use super::sandbox::{TYPE_LABEL, UID_LABEL, named, no_healthcheck};
use super::{CLUSTER_LABEL, Shared, archive, error, exits, log};
use crate::config::{ContainerConfig, Mount, MountSource};
use crate::runtime::{ContainerExit, ContainerState, ContainerStatus, Error, Reply, SandboxStatus};

/// How much of a command's output is kept.
const MOST_OUTPUT: usize = 10 * 1024;

/// Creates a container under `name`, or under a longer one when that is taken.
pub(super) async fn create_named(
    shared: &Shared,
    name: &str,
    body: ContainerCreateBody,
) -> Result<String, Error> {
    let first = shared.docker.create_container(Some(named(name)), body.clone()).await;
    let created = match first {
        Err(taken) if error::is_conflict(&taken) => {
            let other = format!("{name}_{}", shared.world.hex(8));
            shared.docker.create_container(Some(named(&other)), body).await
        }
        other => other,
    };
    created.map(|created| created.id).map_err(error::from_engine)
}

pub(super) async fn create(
    shared: &Shared,
    sandbox: &str,
    config: &ContainerConfig,
) -> Result<String, Error> {
    let name = format!(
        "k8s_{}_{}_{}_{}_{}",
        config.name, config.pod_name, config.pod_namespace, config.pod_uid, config.attempt
    );
    for mount in &config.mounts {
        let (uid, read_only) = (&config.pod_uid, config.security.read_only_root);
        match &mount.source {
            MountSource::EmptyDir { volume, memory } => {
                create_volume(shared, uid, volume, *memory).await?;
                if read_only && !memory {
                    let open = archive::open_directory(HELPER_PATH);
                    fill_volume(shared, &volume_name(uid, volume), open).await?;
                }
            }
            MountSource::Files(files) if read_only => {
                if files.iter().any(|file| file.path.is_empty()) {
                    let what = "a subPath file in a container with a read-only root";
                    return Err(Error::Unsupported(what));
                }
                let volume = files_volume(config, mount);
                create_volume(shared, uid, &volume, false).await?;
                let archive = archive::tar(HELPER_PATH, files);
                fill_volume(shared, &volume_name(uid, &volume), archive).await?;
            }
            _ => {}
        }
    }
    let id = create_named(shared, &name, body(shared, sandbox, config)).await?;
    let birth = exits::Birth {
        sandbox: Some(sandbox.to_owned()),
        pod_uid: config.pod_uid.clone(),
        name: config.name.clone(),
        fallback_to_logs: config.fallback_to_logs,
        termination_path: config.termination_message_path.clone(),
    };
    shared.lives.lock().add(&id, birth);
    if !config.security.read_only_root {
        for mount in &config.mounts {
            if let Err(failed) = fill(shared, &id, mount).await {
                remove_forced(shared, &id).await?;
                return Err(failed);
            }
        }
    }
    Ok(id)
}

/// Where a helper container mounts the volume that it is there to fill.
const HELPER_PATH: &str = "/volume";

/// The volume for the files of `mount` in a container whose root cannot be written.
fn files_volume(config: &ContainerConfig, mount: &Mount) -> String {
    format!("files_{}{}", config.name, mount.path)
}

/// Unpacks `archive`, made for [`HELPER_PATH`], into a volume. The engine writes into containers
/// only, and not into those with a read-only root; so one is created for it that never starts.
async fn fill_volume(shared: &Shared, volume: &str, archive: Vec<u8>) -> Result<(), Error> {
    let host_config = HostConfig {
        binds: Some(vec![format!("{volume}:{HELPER_PATH}")]),
        ..HostConfig::default()
    };
    let body = ContainerCreateBody {
        image: Some(shared.pause_image.lock().clone()),
        labels: Some(shared.labels().into_iter().collect()),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    };
    let id = create_named(shared, &format!("k8s_FILL_{}", shared.world.hex(12)), body).await?;
    let options = UploadToContainerOptionsBuilder::default().path("/").build();
    let archive = bollard::body_full(archive.into());
    let filled = shared.docker.upload_to_container(&id, Some(options), archive).await;
    remove_forced(shared, &id).await?;
    filled.map_err(error::from_engine)
}

/// The engine's name of a pod's scratch volume.
fn volume_name(uid: &str, volume: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' };
    format!("k8s_{}_{uid}", volume.chars().map(plain).collect::<String>())
}

async fn create_volume(
    shared: &Shared,
    uid: &str,
    volume: &str,
    memory: bool,
) -> Result<(), Error> {
    let name = volume_name(uid, volume);
    let known = shared.volumes.lock().get(uid).is_some_and(|all| all.contains(&name));
    if known {
        return Ok(());
    }
    let tmpfs = [("type", "tmpfs"), ("device", "tmpfs"), ("o", "mode=1777")];
    let options = tmpfs.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let request = VolumeCreateRequest {
        name: Some(name.clone()),
        driver_opts: memory.then(|| options.into_iter().collect()),
        labels: Some(shared.labels().into_iter().collect()),
        ..VolumeCreateRequest::default()
    };
    shared.docker.create_volume(request).await.map_err(error::from_engine)?;
    shared.volumes.lock().entry(uid.to_owned()).or_default().insert(name);
    Ok(())
}

/// Puts the files of a mount into the created container, and opens scratch volumes for everyone.
async fn fill(shared: &Shared, id: &str, mount: &Mount) -> Result<(), Error> {
    let archive = match &mount.source {
        MountSource::Files(files) => archive::tar(&mount.path, files),
        MountSource::EmptyDir { memory: false, .. } if !mount.read_only => {
            archive::open_directory(&mount.path)
        }
        _ => return Ok(()),
    };
    let options = UploadToContainerOptionsBuilder::default().path("/").build();
    let body = bollard::body_full(archive.into());
    let uploaded = shared.docker.upload_to_container(id, Some(options), body).await;
    uploaded.map_err(error::from_engine)
}

fn body(shared: &Shared, sandbox: &str, config: &ContainerConfig) -> ContainerCreateBody {
    let words = |words: &[String]| Some(words.to_vec()).filter(|words| !words.is_empty());
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let env = config.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    ContainerCreateBody {
        image: Some(config.image_id.clone()),
        entrypoint: words(&config.command),
        cmd: words(&config.args),
        env: Some(env),
        working_dir: text(&config.working_dir),
        user: text(&config.security.user),
        tty: Some(config.tty),
        open_stdin: Some(config.stdin),
        stdin_once: Some(config.stdin_once),
        healthcheck: Some(no_healthcheck()),
        labels: Some(labels(shared, sandbox, config).into_iter().collect()),
        host_config: Some(host_config(sandbox, config)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(sandbox: &str, config: &ContainerConfig) -> HostConfig {
    let (resources, security) = (&config.resources, &config.security);
    let joined = Some(format!("container:{sandbox}"));
    let limit = resources.memory_limit;
    let quota = resources.cpu_limit_milli * 100;
    let binds = config.mounts.iter().filter_map(|mount| bind(config, mount)).collect();
    HostConfig {
        network_mode: joined.clone(),
        ipc_mode: joined,
        binds: Some(binds),
        cpu_shares: Some((resources.cpu_request_milli * 1024 / 1000).max(2)),
        cpu_period: (quota > 0).then_some(100_000),
        cpu_quota: (quota > 0).then_some(quota.max(1000)),
        memory: (limit > 0).then_some(limit),
        memory_swap: (limit > 0).then_some(limit),
        oom_score_adj: Some(resources.oom_score_adj.max(0)),
        privileged: Some(security.privileged),
        readonly_rootfs: Some(security.read_only_root),
        cap_add: Some(security.cap_add.clone()),
        cap_drop: Some(security.cap_drop.clone()),
        group_add: Some(security.groups.clone()),
        ..HostConfig::default()
    }
}

fn bind(config: &ContainerConfig, mount: &Mount) -> Option<String> {
    let source = match &mount.source {
        MountSource::HostPath(path) => path.clone(),
        MountSource::EmptyDir { volume, .. } => volume_name(&config.pod_uid, volume),
        MountSource::Files(_) if config.security.read_only_root => {
            let volume = volume_name(&config.pod_uid, &files_volume(config, mount));
            return Some(format!("{volume}:{}:ro", mount.path));
        }
        MountSource::Files(_) => return None,
    };
    let mode = if mount.read_only { ":ro" } else { "" };
    Some(format!("{source}:{}{mode}", mount.path))
}

fn labels(shared: &Shared, sandbox: &str, config: &ContainerConfig) -> BTreeMap<String, String> {
    let annotations = config.annotations.iter();
    let mut labels: BTreeMap<String, String> =
        annotations.map(|(key, value)| (format!("annotation.{key}"), value.clone())).collect();
    let attempt = config.attempt.to_string();
    let own = [
        ("io.kubernetes.pod.name", config.pod_name.as_str()),
        ("io.kubernetes.pod.namespace", &config.pod_namespace),
        (UID_LABEL, &config.pod_uid),
        ("io.kubernetes.container.name", &config.name),
        ("io.kubernetes.sandbox.id", sandbox),
        ("annotation.io.kubernetes.container.restartCount", &attempt),
        (TYPE_LABEL, "container"),
    ];
    labels.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels.extend(shared.labels());
    labels
}

pub(super) async fn start(shared: &Shared, id: &str) -> Result<Reply, Error> {
    let started = shared.docker.start_container(id, None).await;
    started.map(|()| Reply::Started(shared.world.now())).map_err(|e| error::about(id, e))
}

pub(super) async fn stop(shared: &Arc<Shared>, id: &str, grace: Duration) -> Result<Reply, Error> {
    let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
    let options = StopContainerOptionsBuilder::default().t(seconds).build();
    match shared.docker.stop_container(id, Some(options)).await {
        Err(failed) if error::is_missing(&failed) => return Ok(Reply::Done),
        Err(failed) => return Err(error::from_engine(failed)),
        Ok(()) => {}
    }
    exits::report(shared, id).await;
    Ok(Reply::Done)
}

pub(super) async fn remove(shared: &Shared, id: &str) -> Result<Reply, Error> {
    let options = RemoveContainerOptionsBuilder::default().v(true).build();
    match shared.docker.remove_container(id, Some(options)).await {
        Err(failed) if !error::is_missing(&failed) => return Err(error::from_engine(failed)),
        _ => {}
    }
    shared.lives.lock().remove(id);
    shared.readings.forget(id);
    Ok(Reply::Done)
}

/// Removes a container whether it runs or not.
pub(super) async fn remove_forced(shared: &Shared, id: &str) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match shared.docker.remove_container(id, Some(options)).await {
        Err(failed) if error::is_missing(&failed) || error::is_conflict(&failed) => {}
        Err(failed) => return Err(error::from_engine(failed)),
        Ok(()) => {}
    }
    shared.lives.lock().remove(id);
    shared.readings.forget(id);
    Ok(())
}

pub(super) async fn exec(shared: &Shared, id: &str, command: Vec<String>) -> Result<Reply, Error> {
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command),
        ..CreateExecOptions::default()
    };
    let created = shared.docker.create_exec(id, options).await;
    let exec = created.map_err(|e| error::about(id, e))?.id;
    let started = shared.docker.start_exec(&exec, None).await.map_err(error::from_engine)?;
    let mut bytes = Vec::new();
    if let StartExecResults::Attached { mut output, .. } = started {
        while let Some(Ok(piece)) = output.next().await {
            let left = MOST_OUTPUT - bytes.len();
            let piece = log::bytes(piece);
            bytes.extend_from_slice(&piece[..piece.len().min(left)]);
        }
    }
    let ended = shared.docker.inspect_exec(&exec).await.map_err(error::from_engine)?;
    let output = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Reply::Exec { exit_code: ended.exit_code.unwrap_or_default(), output })
}

pub(super) async fn list(shared: &Shared) -> Result<Reply, Error> {
    let label = format!("{CLUSTER_LABEL}={}", shared.cluster);
    let filters = std::iter::once(("label".to_owned(), vec![label])).collect();
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let all = shared.docker.list_containers(Some(options)).await.map_err(error::from_engine)?;
    let (mut sandboxes, mut containers) = (Vec::new(), Vec::new());
    for summary in all {
        let mut labels: BTreeMap<String, String> =
            summary.labels.unwrap_or_default().into_iter().collect();
        let id = summary.id.unwrap_or_default();
        let state = summary.state.map(|state| state.to_string()).unwrap_or_default();
        let running = state == "running" || state == "paused";
        let pod_uid = labels.remove(UID_LABEL).unwrap_or_default();
        if labels.get(TYPE_LABEL).is_some_and(|kind| kind == "podsandbox") {
            sandboxes.push(SandboxStatus { id, ip: String::new(), pod_uid, running });
            continue;
        }
        let attempt = labels.get("annotation.io.kubernetes.container.restartCount");
        let exit: Option<ContainerExit> = match state.as_str() {
            "exited" | "dead" => exits::exit_of(shared, &id).await,
            _ => None,
        };
        containers.push(ContainerStatus {
            id,
            pod_uid,
            name: labels.get("io.kubernetes.container.name").cloned().unwrap_or_default(),
            attempt: attempt.and_then(|text| text.parse().ok()).unwrap_or_default(),
            state: match state.as_str() {
                "created" => ContainerState::Created,
                _ if running => ContainerState::Running,
                _ => ContainerState::Exited,
            },
            exit,
        });
    }
    Ok(Reply::List { sandboxes, containers })
}
