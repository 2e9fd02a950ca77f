//! Pods on a Docker engine: from bound to running, over what the engine needs by itself for the same
//! two containers.
//!
//! The containers of a running pod are looked up on the engine, and copies of them are created and
//! started by plain calls of the engine's API, one after the other, as fast as the engine answers.
//!
//! Invariant: everything made here carries the cluster's label and is removed at the end.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use apimachinery::{Value, json};
use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use cluster::{Cluster, Config, Runtime};
use cri::docker::{CLUSTER_LABEL, DockerConfig, DockerEngine, DockerRuntime, pause_program};
use world::World;

use crate::figure::{Figure, Peer, Target, median, milliseconds};

const ROUNDS: usize = 15;
const NAMESPACE: &str = "default";
const NODE: &str = "localhost";
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures pod starts, if an engine answers.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) -> Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if !tokio.block_on(cri::docker::available(None)) {
        return Ok(());
    }
    let world = World::real();
    let cluster = world.name_suffix(8);
    let config = DockerConfig { cluster: cluster.clone(), socket: None };
    let runtime = tokio.block_on(DockerRuntime::connect(world, config))?;
    let engine = runtime.engine();
    let measured = rounds(&tokio, &engine, runtime, &cluster);
    tokio.block_on(engine.cleanup())?;
    let (pods, plain) = measured?;
    let plain = median(plain);
    let pod = median(pods);
    let peer =
        Peer { name: "the same two containers by the engine's API".to_owned(), value: plain };
    report(Figure::number("docker.pod-start", pod, "ms").peer(peer));
    report(Figure::number("docker.pod-start-ratio", pod / plain, "x").target(Target::Below(1.3)));
    Ok(())
}

/// Milliseconds of pods and of plain containers, taken in turns.
fn rounds(
    tokio: &tokio::runtime::Runtime,
    engine: &DockerEngine,
    runtime: DockerRuntime,
    cluster_id: &str,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let program = pause_program(std::env::consts::ARCH).context("no program for this processor")?;
    let files = [("app".to_owned(), program)];
    let image = format!("rehearse/bench:{cluster_id}");
    tokio.block_on(engine.build_scratch_image(&image, &files, &["/app"]))?;
    let docker = tokio.block_on(Docker::connect_with_local_defaults()?.negotiate_version())?;
    let config = Config::new(World::real(), Runtime::Engine(Box::new(runtime)), 1);
    let mut cluster = Cluster::start(config)?;
    let (mut pods, mut plain) = (Vec::new(), Vec::new());
    // The first pod pays for what an engine does only once.
    for round in 0..=ROUNDS {
        let name = format!("bench-{round}");
        let took = start_pod(&mut cluster, &name, &image)?;
        let bodies = tokio.block_on(copies(&docker, cluster_id, &name))?;
        let took_plain = tokio.block_on(start_plain(&docker, bodies, &name))?;
        delete_pod(&mut cluster, &name)?;
        if round > 0 {
            pods.push(milliseconds(took));
            plain.push(milliseconds(took_plain));
        }
    }
    Ok((pods, plain))
}

/// From the answer to the creation of a bound pod until its status says that its container runs.
fn start_pod(cluster: &mut Cluster, name: &str, image: &str) -> Result<Duration> {
    let client = cluster.client().clone();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeName": NODE,
            "containers": [{"name": "app", "image": image, "imagePullPolicy": "IfNotPresent"}],
        },
    });
    let settled = cluster.world().now() + Duration::from_millis(200);
    cluster.run_until(settled, &mut || false);
    client.create(&api::PODS, NAMESPACE, pod)?;
    let start = cluster.world().now();
    let running = reach(cluster, &mut || {
        let pod = client.get(&api::PODS, NAMESPACE, name);
        pod.is_ok_and(|pod| pod.pointer("/status/containerStatuses/0/state/running").is_some())
    });
    let took = cluster.world().now() - start;
    ensure!(running, "pod {name} does not run: {:?}", client.get(&api::PODS, NAMESPACE, name)?);
    Ok(took)
}

fn delete_pod(cluster: &mut Cluster, name: &str) -> Result<()> {
    let client = cluster.client().clone();
    let options = apiserver::DeleteOptions::from_value(&json!({"gracePeriodSeconds": 1}));
    client.delete(&api::PODS, NAMESPACE, name, options)?;
    let gone = reach(cluster, &mut || {
        client.find(&api::PODS, NAMESPACE, name).is_ok_and(|pod| pod.is_none())
    });
    ensure!(gone, "pod {name} does not go away");
    Ok(())
}

fn reach(cluster: &mut Cluster, holds: &mut dyn FnMut() -> bool) -> bool {
    let deadline = cluster.world().now() + PATIENCE;
    cluster.run_until(deadline, holds)
}

/// What the sandbox and the container of a pod were created with.
struct Bodies {
    sandbox: ContainerCreateBody,
    app: ContainerCreateBody,
}

async fn copies(docker: &Docker, cluster_id: &str, pod: &str) -> Result<Bodies> {
    let labels =
        vec![format!("{CLUSTER_LABEL}={cluster_id}"), format!("io.kubernetes.pod.name={pod}")];
    let filters = [("label".to_owned(), labels)].into();
    let options = ListContainersOptionsBuilder::default().filters(&filters).build();
    let (mut sandbox, mut app) = (None, None);
    for found in docker.list_containers(Some(options)).await? {
        let id = found.id.context("a container without an id")?;
        let found = docker.inspect_container(&id, None).await?;
        let mut body = json::to_value(found.config)?;
        body["HostConfig"] = json::to_value(found.host_config)?;
        let network = body["HostConfig"]["NetworkMode"].as_str().unwrap_or_default();
        let (place, joins) = if network.starts_with("container:") {
            (&mut app, true)
        } else {
            (&mut sandbox, false)
        };
        if joins {
            // A container in another's network has the other's name.
            body["Hostname"] = Value::Null;
            body["Domainname"] = Value::Null;
        }
        *place = Some(json::from_value(body)?);
    }
    Ok(Bodies { sandbox: sandbox.context("no sandbox")?, app: app.context("no container")? })
}

/// Creates and starts the copies; they are removed after the clock has stopped.
async fn start_plain(docker: &Docker, bodies: Bodies, name: &str) -> Result<Duration> {
    let Bodies { sandbox, mut app } = bodies;
    let world = World::real();
    let start = world.now();
    let sandbox = docker.create_container(None, sandbox).await?.id;
    docker.start_container(&sandbox, None).await?;
    if let Some(host) = &mut app.host_config {
        let inside = format!("container:{sandbox}");
        for mode in [&mut host.network_mode, &mut host.ipc_mode, &mut host.pid_mode] {
            if mode.as_deref().is_some_and(|mode| mode.starts_with("container:")) {
                *mode = Some(inside.clone());
            }
        }
    }
    let app = docker.create_container(None, app).await?.id;
    docker.start_container(&app, None).await?;
    let took = world.now() - start;
    for id in [app, sandbox] {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        let removed = docker.remove_container(&id, Some(options)).await;
        removed.with_context(|| format!("cannot remove the copies of {name}"))?;
    }
    Ok(took)
}
