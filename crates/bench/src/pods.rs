//! Ten thousand pods behind HTTPS: created, listed, read and watched; the server is a process of its
//! own and its memory is what the kernel says.
//!
//! The pods are as the controller of a replica set makes them, 2 to 3 KB each. Client and server share the machine's
//! cores.
//!
//! Invariant: every answer is checked; a figure over fewer pods or watchers is an error.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use apimachinery::{Value, json};
use bytes::Bytes;
use http::{Method, StatusCode};
use world::{World, edge};

use crate::etcd;
use crate::figure::{Figure, Target, median, microseconds, milliseconds};
use crate::https::{Address, Connection};
use crate::program::Running;
use crate::serve::{self, TOKEN};

const PODS: usize = 10_000;
const CONNECTIONS: usize = 8;
const LISTS: usize = 15;
const GETS: usize = 2_000;
const WATCHERS: usize = 1_000;
const STREAMS: usize = 100;
const WRITES: usize = 15;
const PATIENCE: Duration = Duration::from_secs(10);
const PATH: &str = "/api/v1/namespaces/default/pods";
const JSON: &str = "application/json";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Measures everything about ten thousand pods.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) -> Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async {
        let (server, address) = serve::start()?;
        // Bodies are made before the clock starts: a client's own work is not the server's.
        let bodies: Vec<Bytes> = (0..PODS)
            .map(|number| serde_json::to_vec(&pod(number)).map(Bytes::from))
            .collect::<Result<_, _>>()?;
        let seconds = create(&address, &bodies).await?.as_secs_f64();
        let figure = Figure::number("pods.create-10000", seconds, "s").target(Target::Below(2.0));
        report(match etcd::puts(&bodies, CONNECTIONS).await? {
            Some(peer) => figure.peer(peer),
            None => figure,
        });
        lists(&address, report).await?;
        let get = get(&address).await?;
        report(Figure::number("pods.get", get, "us").target(Target::Below(200.0)));
        memory(&server, report)?;
        watchers(&address, report).await
    })
}

fn memory(server: &Running, report: &mut dyn FnMut(Figure)) -> Result<()> {
    let resident = server.resident_megabytes()?;
    report(Figure::number("pods.memory", resident, "MB").target(Target::Below(300.0)));
    Ok(())
}

/// A pod as the controller of a replica set makes it.
fn pod(number: usize) -> Value {
    let hash = "7c5ddbdf54";
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("hello-{hash}-{number:05}"),
            "generateName": format!("hello-{hash}-"),
            "labels": {"app": "hello", "tier": "frontend", "pod-template-hash": hash},
            "annotations": {
                "openshift.io/scc": "restricted",
                "prometheus.io/scrape": "true",
                "prometheus.io/port": "8080",
            },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("hello-{hash}"),
                "uid": "0b1c5ab5-9f4a-4b1f-9a33-6a8d6a1e0f11",
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "serviceAccountName": "default",
            "nodeSelector": {"node-role.kubernetes.io/compute": "true"},
            "imagePullSecrets": [{"name": "default-dockercfg-x7k2p"}],
            "containers": [container("hello", 8080)],
            "volumes": [
                {"name": "config", "configMap": {"name": "hello-config"}},
                {"name": "default-token-8zq4l", "secret": {"secretName": "default-token-8zq4l"}},
            ],
        },
    })
}

fn container(name: &str, port: u16) -> Value {
    json!({
        "name": name,
        "image": format!("registry.example.com/team/{name}:v1"),
        "ports": [{"name": "http", "containerPort": port}],
        "env": [
            {"name": "GREETING", "value": "hello"},
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        ],
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"cpu": "100m", "memory": "64Mi"},
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/hello"},
            {
                "name": "default-token-8zq4l", "readOnly": true,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            },
        ],
    })
}

async fn create(address: &Address, bodies: &[Bytes]) -> Result<Duration> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(address.connect().await?);
    }
    let world = World::real();
    let start = world.now();
    let mut tasks = Vec::new();
    for (first, mut connection) in connections.into_iter().enumerate() {
        let bodies: Vec<_> = bodies.iter().skip(first).step_by(CONNECTIONS).cloned().collect();
        tasks.push(edge::spawn(async move {
            for body in bodies {
                let (status, _) = connection.send(Method::POST, PATH, TOKEN, body).await?;
                ensure!(status == StatusCode::CREATED, "a create was answered {status}");
            }
            Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(world.now() - start)
}

async fn lists(address: &Address, report: &mut dyn FnMut(Figure)) -> Result<()> {
    let mut connection = address.connect().await?;
    let forms = [
        ("pods.list-json", JSON, "items", "pods.list-json-gzip"),
        ("pods.list-table", TABLE, "rows", ""),
    ];
    for (name, accept, field, zipped) in forms {
        let mut took = Vec::new();
        let mut last = Bytes::new();
        for _ in 0..LISTS {
            let (each, body) = fetch(&mut connection, PATH, accept, false).await?;
            took.push(each);
            last = body;
        }
        let first = took.first().copied().unwrap_or_default();
        let list: Value = serde_json::from_slice(&last)?;
        let found = list[field].as_array().map_or(0, |list| list.len());
        ensure!(found == PODS, "the list has {found} of {PODS} pods");
        let figure = Figure::number(name, milliseconds(median(took)), "ms");
        report(figure.target(Target::Below(60.0)));
        if zipped.is_empty() {
            continue;
        }
        report(Figure::number("pods.list-json-first", milliseconds(first), "ms"));
        report(Figure::number("pods.list-json-size", megabytes(last.len()), "MB"));
        let (each, _) = fetch(&mut connection, PATH, accept, true).await?;
        report(Figure::number(zipped, milliseconds(each), "ms"));
    }
    Ok(())
}

fn megabytes(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6
}

async fn fetch(
    connection: &mut Connection,
    path: &str,
    accept: &'static str,
    gzip: bool,
) -> Result<(Duration, Bytes)> {
    let world = World::real();
    let start = world.now();
    let (status, pieces) = connection.fetch(path, TOKEN, accept, gzip).await?;
    let took = world.now() - start;
    ensure!(status == StatusCode::OK, "{path} was answered {status}");
    Ok((took, pieces.concat().into()))
}

/// Microseconds to read one pod.
async fn get(address: &Address) -> Result<f64> {
    let mut connection = address.connect().await?;
    let mut took = Vec::with_capacity(GETS);
    for number in 0..GETS {
        let path = format!("{PATH}/hello-7c5ddbdf54-{:05}", number * 7 % PODS);
        took.push(fetch(&mut connection, &path, JSON, false).await?.0);
    }
    Ok(microseconds(median(took)))
}

/// From before one write to when every watcher has its bytes, with the watches as streams of a few
/// HTTP/2 connections, as clients' informers open them, and each on a connection of its own.
async fn watchers(address: &Address, report: &mut dyn FnMut(Figure)) -> Result<()> {
    let target = Target::Below(20.0);
    for (name, streams) in [("pods.watch-1000", STREAMS), ("pods.watch-1000-connections", 1)] {
        let took = milliseconds(reach(address, streams).await?);
        report(Figure::number(name, took, "ms").target(target));
    }
    Ok(())
}

async fn reach(address: &Address, streams: usize) -> Result<Duration> {
    let mut writer = address.connect().await?;
    let list: Value = {
        let (_, body) = fetch(&mut writer, &format!("{PATH}?limit=1"), JSON, false).await?;
        serde_json::from_slice(&body)?
    };
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let path = format!("{PATH}?watch=1&resourceVersion={version}");
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..WATCHERS / streams {
        let mut connection = address.connect_h2().await?;
        for _ in 0..streams {
            let mut watch = connection.watch(&path, TOKEN).await?;
            let sender = sender.clone();
            drop(edge::spawn(async move {
                while let Some(lines) = watch.lines().await {
                    if sender.send(lines).is_err() {
                        return;
                    }
                }
            }));
        }
    }
    let world = World::real();
    let mut took = Vec::with_capacity(WRITES);
    for write in 0..WRITES {
        // Past the burst of the write before, whose frames may still be acknowledged.
        edge::sleep(Duration::from_millis(50)).await;
        // A patch that changes nothing would reach nobody.
        let word = format!("{streams}-{write}");
        let patch = json!({"metadata": {"annotations": {"write": word}}}).to_string();
        let path = format!("{PATH}/hello-7c5ddbdf54-{write:05}");
        let start = world.now();
        let status = writer.patch(&path, TOKEN, patch.into()).await?;
        ensure!(status == StatusCode::OK, "a patch was answered {status}");
        let mut reached = 0;
        while reached < WATCHERS {
            let lines = edge::timeout(PATIENCE, receiver.recv()).await.flatten();
            reached += lines.with_context(|| format!("only {reached} watchers were reached"))?;
        }
        took.push(world.now() - start);
        ensure!(reached == WATCHERS, "{reached} events for {WATCHERS} watchers");
    }
    Ok(median(took))
}
