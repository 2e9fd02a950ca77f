//! The API server: pods created and listed over HTTPS, and created in process.
//!
//! Server and client share the process and the machine's cores, so the client's work is part of
//! every figure over HTTPS. No controller runs: what a cluster does with the pods is not the API's.
//!
//! Invariant: every answer is checked; a refused request fails the measurement.

use anyhow::{Result, ensure};
use apimachinery::{Value, json};
use apiserver::{Client, User};
use bytes::Bytes;
use http::{Method, StatusCode};
use world::World;

use crate::figure::{Figure, Target, median, microseconds, milliseconds, per_second};
use crate::serve::{TOKEN, api_server, serve};

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 8;
const CREATES: usize = 8_000;
const LISTED: usize = 1_000;
const LISTS: usize = 100;
const IN_PROCESS: usize = 20_000;

/// Measures creates and lists.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) -> Result<()> {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    tokio.block_on(async {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            rates.push(creates().await?);
        }
        let target = Target::AtLeast(5_000.0);
        report(Figure::number("api.pod-creates", median(rates), "creates/s").target(target));
        let list = milliseconds(list().await?);
        report(Figure::number("api.list-1000-pods", list, "ms").target(Target::Below(10.0)));
        Ok::<_, anyhow::Error>(())
    })?;
    report(Figure::number("api.create-in-process", in_process()?, "us"));
    Ok(())
}

fn path(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

/// A pod as people write them.
fn pod(number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("hello-{number}"),
            "labels": {"app": "hello", "tier": "frontend"},
        },
        "spec": {
            "containers": [{
                "name": "hello",
                "image": "hello:v1",
                "ports": [{"containerPort": 8080}],
                "env": [{"name": "GREETING", "value": "hello"}],
                "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
            }],
        },
    })
}

/// Pods created per second over several connections.
async fn creates() -> Result<f64> {
    let (server, address) = serve(api_server()?)?;
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(address.connect().await?);
    }
    let world = World::real();
    let start = world.now();
    let mut tasks = Vec::new();
    for (first, mut connection) in connections.into_iter().enumerate() {
        tasks.push(world::edge::spawn(async move {
            let path = path("default");
            for number in (first..CREATES).step_by(CONNECTIONS) {
                let body = Bytes::from(serde_json::to_vec(&pod(number))?);
                let (status, _) = connection.send(Method::POST, &path, TOKEN, body).await?;
                ensure!(status == StatusCode::CREATED, "a create was answered {status}");
            }
            Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    let took = world.now() - start;
    server.shutdown().await;
    Ok(per_second(CREATES, took))
}

/// How long a list of 1,000 pods takes, from the request to the last byte of its JSON.
async fn list() -> Result<std::time::Duration> {
    let (server, address) = serve(api_server()?)?;
    let mut connection = address.connect().await?;
    let path = path("default");
    for number in 0..LISTED {
        let body = Bytes::from(serde_json::to_vec(&pod(number))?);
        connection.send(Method::POST, &path, TOKEN, body).await?;
    }
    let world = World::real();
    let mut took = Vec::with_capacity(LISTS);
    let mut last = Bytes::new();
    for _ in 0..LISTS {
        let start = world.now();
        let (status, body) = connection.send(Method::GET, &path, TOKEN, Bytes::new()).await?;
        took.push(world.now() - start);
        ensure!(status == StatusCode::OK, "a list was answered {status}");
        last = body;
    }
    let list: Value = serde_json::from_slice(&last)?;
    let items = list["items"].as_array().map_or(0, |list| list.len());
    ensure!(items == LISTED, "the list has {items} of {LISTED} pods");
    server.shutdown().await;
    Ok(median(took))
}

/// Microseconds of one create by a component in the process.
fn in_process() -> Result<f64> {
    let server = api_server()?;
    let client = Client::new(server, User::system_admin());
    let world = World::real();
    let mut took = Vec::with_capacity(IN_PROCESS);
    for number in 0..IN_PROCESS {
        let pod = pod(number);
        let start = world.now();
        client.create(&api::PODS, "default", pod)?;
        took.push(world.now() - start);
    }
    Ok(microseconds(median(took)))
}
