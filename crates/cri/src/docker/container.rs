//! Containers: creating, starting, stopping, removing, looking inside.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::Text;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use world::Time;

use super::sandbox::{self, TYPE_LABEL, UID_LABEL, named, no_healthcheck};
use super::{CLUSTER_LABEL, Shared, error, exits, log, volume};

/// Says in which sandbox a container was made.
const SANDBOX_LABEL: &str = "io.kubernetes.sandbox.id";
use crate::config::ContainerConfig;
use crate::runtime::{ContainerExit, ContainerState, ContainerStatus, Error, Reply};

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
    let uid = &*config.pod_uid;
    let mut binds = Vec::new();
    for mount in config.mounts.iter() {
        binds.push(volume::bind(shared, uid, sandbox, mount).await?);
    }
    let mounted = |path: &str| config.mounts.iter().any(|mount| mount.path == path);
    if !config.host_network && !mounted("/etc/hosts") {
        binds.extend(volume::own_file(shared, uid, "hosts", "/etc/hosts"));
    }
    let message = format!("{}_{}", config.name, config.attempt);
    let path = config.termination_message_path.as_str();
    let own = (!path.is_empty() && !mounted(path))
        .then(|| volume::own_file(shared, uid, &message, path))
        .flatten();
    if own.is_some() {
        volume::make_message(shared, sandbox, &message).await?;
    }
    let message_file = own.as_ref().map(|_| message).unwrap_or_default();
    binds.extend(own);
    let id = create_named(shared, &name, body(shared, sandbox, config, binds)).await?;
    let birth = exits::Birth {
        sandbox: Some(sandbox.to_owned()),
        pod_uid: config.pod_uid.to_string(),
        name: config.name.to_string(),
        fallback_to_logs: config.fallback_to_logs,
        message_file,
    };
    shared.lives.lock().add(&id, birth);
    Ok(id)
}

fn body(
    shared: &Shared,
    sandbox: &str,
    config: &ContainerConfig,
    binds: Vec<String>,
) -> ContainerCreateBody {
    let words = |words: &[String]| Some(words.to_vec()).filter(|words| !words.is_empty());
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let env = config.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    ContainerCreateBody {
        image: Some(config.image_id.to_string()),
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
        host_config: Some(host_config(sandbox, config, binds)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(sandbox: &str, config: &ContainerConfig, binds: Vec<String>) -> HostConfig {
    let (resources, security) = (&config.resources, &config.security);
    let joined = Some(format!("container:{sandbox}"));
    let limit = resources.memory_limit;
    let quota = resources.cpu_limit_milli * 100;
    let pid = match (config.host_pid, config.share_pid) {
        (true, _) => Some("host".to_owned()),
        (false, true) => joined.clone(),
        (false, false) if !config.pid_of.is_empty() => Some(format!("container:{}", config.pid_of)),
        (false, false) => None,
    };
    let ipc = if config.host_ipc { Some("host".to_owned()) } else { joined.clone() };
    HostConfig {
        network_mode: joined,
        ipc_mode: ipc,
        pid_mode: pid,
        security_opt: (!security.options.is_empty()).then(|| security.options.clone()),
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
        (SANDBOX_LABEL, sandbox),
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
    let (mut bytes, mut errors) = (Vec::new(), Vec::new());
    if let StartExecResults::Attached { mut output, .. } = started {
        while let Some(Ok(piece)) = output.next().await {
            let left = MOST_OUTPUT - bytes.len();
            let is_error = matches!(piece, LogOutput::StdErr { .. });
            let piece = log::bytes(piece);
            let piece = &piece[..piece.len().min(left)];
            bytes.extend_from_slice(piece);
            if is_error {
                errors.extend_from_slice(piece);
            }
        }
    }
    let ended = shared.docker.inspect_exec(&exec).await.map_err(error::from_engine)?;
    let output = String::from_utf8_lossy(&bytes).into_owned();
    let stderr = String::from_utf8_lossy(&errors).into_owned();
    Ok(Reply::Exec { exit_code: ended.exit_code.unwrap_or_default(), output, stderr })
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
            sandboxes.push(sandbox::status(shared, id, pod_uid, running, &labels).await);
            continue;
        }
        let attempt = labels.get("annotation.io.kubernetes.container.restartCount");
        let exit: Option<ContainerExit> = match state.as_str() {
            "exited" | "dead" => exits::exit_of(shared, &id).await,
            _ => None,
        };
        let started_at = if state == "created" { None } else { exits::start_of(shared, &id).await };
        let created = summary.created.unwrap_or_default();
        let annotations = labels.iter().filter_map(|(key, value)| {
            Some((key.strip_prefix("annotation.")?.to_owned(), value.clone()))
        });
        containers.push(ContainerStatus {
            annotations: Arc::new(annotations.collect()),
            created_at: Time::from_unix_seconds(created),
            started_at,
            id: id.into(),
            pod_uid: pod_uid.into(),
            sandbox: labels.get(SANDBOX_LABEL).map_or("", String::as_str).into(),
            name: labels.get("io.kubernetes.container.name").map_or_else(Text::new, Text::from),
            attempt: attempt.and_then(|text| text.parse().ok()).unwrap_or_default(),
            state: match state.as_str() {
                "created" => ContainerState::Created,
                _ if running => ContainerState::Running,
                _ => ContainerState::Exited,
            },
            exit: exit.map(Box::new),
        });
    }
    Ok(Reply::List { sandboxes, containers })
}
