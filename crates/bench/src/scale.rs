//! Whole clusters of the size that OpenShift is documented for: nodes, replication controllers and
//! simulated pods from nothing to Running, and what one pod more costs then.
//!
//! Every cluster is a process of its own (the hidden command `scale`), so that its memory is what the
//! kernel says and nothing is left of the one before.
//!
//! Invariant: every pod runs and is ready when the clock is stopped, or the figure is an error.
#![expect(clippy::print_stdout, reason = "the figures go to whoever started the process")]

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use apimachinery::ObjectExt as _;
use apiserver::{Client, DeleteOptions};
use clap::Args;
use cluster::{Cluster, Config, Runtime};
use cri::sim::SimImages;
use serde_json::{Value, json};
use world::World;

use crate::figure::{Figure, Target, median, microseconds, milliseconds};
use crate::program::thread_cpu;

/// Pods of each replication controller.
const REPLICAS: usize = 100;
/// Replication controllers of each namespace.
const PER_NAMESPACE: usize = 10;
/// How often one pod is replaced.
const CHANGES: usize = 40;
/// Virtual seconds between two looks at whether all pods run.
const GLANCE: Duration = Duration::from_secs(5);
/// Virtual seconds after which a cluster is late.
const LATE: Duration = Duration::from_secs(3600);

/// One cluster.
#[derive(Debug, Args)]
pub(crate) struct Scale {
    /// Nodes.
    #[arg(long, default_value_t = 1_000)]
    nodes: usize,
    /// Pods.
    #[arg(long, default_value_t = 100_000)]
    pods: usize,
}

/// Measures clusters from small to large, each in a process of its own.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) -> Result<()> {
    let small = start(10, 100)?;
    let small_change = number(&small, "change")?;
    report(Figure::number("scale.change-100-pods", small_change, "us"));
    let large = start(1_000, 100_000)?;
    let target = Target::Below(30.0);
    report(Figure::number("scale.wall-1000-100000", number(&large, "wall")?, "s").target(target));
    report(Figure::number("scale.cpu-1000-100000", number(&large, "cpu")?, "s"));
    let target = Target::Below(1500.0);
    let memory = number(&large, "memory")?;
    report(Figure::number("scale.memory-1000-100000", memory, "MB").target(target));
    report(Figure::number("scale.writes-1000-100000", number(&large, "writes")?, ""));
    let change = number(&large, "change")?;
    // Half as much again is what the deeper trees of a thousand times as many objects may cost.
    let target = Target::Below(small_change * 1.5);
    report(Figure::number("scale.change-100000-pods", change, "us").target(target));
    let largest = start(2_000, 150_000)?;
    report(Figure::number("scale.wall-2000-150000", number(&largest, "wall")?, "s"));
    report(Figure::number("scale.cpu-2000-150000", number(&largest, "cpu")?, "s"));
    report(Figure::number("scale.memory-2000-150000", number(&largest, "memory")?, "MB"));
    Ok(())
}

fn number(figures: &Value, name: &str) -> Result<f64> {
    figures[name].as_f64().with_context(|| format!("the cluster tells no {name}"))
}

/// What a cluster of its own process tells.
fn start(nodes: usize, pods: usize) -> Result<Value> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["scale", &format!("--nodes={nodes}"), &format!("--pods={pods}")]);
    let output = command.output().context("cannot start the cluster's process")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the cluster tells nothing")
}

/// The command `scale`: one cluster, its figures in one line.
pub(crate) fn run(options: &Scale) -> Result<()> {
    let real = World::real();
    let world = World::simulated(1);
    let (began, cpu) = (real.now(), thread_cpu()?);
    let runtime = Runtime::Sim(SimImages::new());
    let mut cluster = Cluster::start(Config::new(world, runtime, options.nodes))?;
    let client = cluster.client().clone();
    let first = cluster.server().store().revision();
    create(&client, options.pods)?;
    settle(&mut cluster, options.pods)?;
    let (wall, cpu) = (real.now().since(began), thread_cpu()?.saturating_sub(cpu));
    let writes = cluster.server().store().revision() - first;
    let memory = most_resident_megabytes()?;
    let changes: Result<Vec<Duration>> =
        (0..CHANGES).map(|number| change(&mut cluster, options.pods, number)).collect();
    let change = microseconds(median(changes?));
    let figures = json!({
        "nodes": options.nodes, "pods": options.pods, "wall": wall.as_secs_f64(),
        "cpu": cpu.as_secs_f64(), "cpuPerPodMs": milliseconds(cpu) / as_float(options.pods),
        "memory": memory, "writes": writes, "change": change,
    });
    println!("{figures}");
    Ok(())
}

fn as_float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Namespaces with replication controllers that want `pods` pods together.
fn create(client: &Client, pods: usize) -> Result<()> {
    let mut left = pods;
    for number in 0..pods.div_ceil(REPLICAS) {
        let namespace = namespace_of(number);
        if number.is_multiple_of(PER_NAMESPACE) {
            client.create(&api::NAMESPACES, "", json!({"metadata": {"name": namespace}}))?;
        }
        let replicas = left.min(REPLICAS);
        left -= replicas;
        let controller = controller(&format!("app-{number}"), replicas);
        client.create(&api::REPLICATION_CONTROLLERS, &namespace, controller)?;
    }
    Ok(())
}

fn namespace_of(controller: usize) -> String {
    format!("project-{}", controller / PER_NAMESPACE)
}

fn controller(name: &str, replicas: usize) -> Value {
    let labels = json!({"app": name});
    let container = json!({
        "name": "web", "image": "registry.example.com/team/web:v1",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "GREETING", "value": "hello"}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    });
    json!({
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": labels,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    })
}

/// Lets virtual time pass until every pod runs and is counted ready by its controller.
fn settle(cluster: &mut Cluster, pods: usize) -> Result<()> {
    let late = cluster.world().now() + LATE;
    loop {
        let until = cluster.world().now() + GLANCE;
        cluster.run_until(until, &mut || false);
        let ready = ready(cluster.client())?;
        if ready == i64::try_from(pods)? {
            break;
        }
        ensure!(cluster.world().now() < late, "only {ready} of {pods} pods are ready");
    }
    let all = cluster.client().list(&api::PODS, "")?;
    let running = all.iter().filter(|pod| pod.str_at(&["status", "phase"]) == "Running").count();
    ensure!(running == pods, "{running} of {pods} pods run");
    Ok(())
}

fn ready(client: &Client) -> Result<i64> {
    let controllers = client.list(&api::REPLICATION_CONTROLLERS, "")?;
    Ok(controllers.iter().filter_map(|rc| rc.int_at(&["status", "readyReplicas"])).sum())
}

/// Processor time of everything that follows when one pod is deleted: it ends, another takes its
/// place, runs and is counted.
fn change(cluster: &mut Cluster, pods: usize, number: usize) -> Result<Duration> {
    let client = cluster.client().clone();
    let namespace = namespace_of(number % pods.div_ceil(REPLICAS));
    let victim = client.list(&api::PODS, &namespace)?.into_iter().nth(number % REPLICAS);
    let victim = victim.context("no pod to replace")?;
    let cpu = thread_cpu()?;
    client.delete(&api::PODS, &namespace, victim.name(), DeleteOptions::default())?;
    let until = cluster.world().now() + 12 * GLANCE;
    cluster.run_until(until, &mut || false);
    let took = thread_cpu()?.saturating_sub(cpu);
    let ready = ready(&client)?;
    ensure!(ready == i64::try_from(pods)?, "{ready} of {pods} pods are ready after a change");
    Ok(took)
}

/// The most memory that was resident at any time, in MB (of 1,000,000 bytes).
fn most_resident_megabytes() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: f64 = kibibytes.context("no VmHWM in the status")?.trim().parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}
