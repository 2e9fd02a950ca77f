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
use apimachinery::{Value, json};
use apiserver::{Client, DeleteOptions, ListOptions};
use clap::Args;
use cluster::{Cluster, Config, Runtime};
use cri::sim::SimImages;
use world::World;

use crate::figure::{Figure, Target, microseconds, milliseconds};
use crate::program::thread_cpu;

/// Pods of each replication controller.
const REPLICAS: usize = 100;
/// Replication controllers of each namespace.
const PER_NAMESPACE: usize = 10;
/// How many pods are replaced, one after the other.
const CHANGES: usize = 40;
/// Virtual seconds in which a pod is replaced.
const REPLACED: Duration = Duration::from_secs(10);
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

/// What replacing one pod costs: the name in the small and in the large cluster, the unit and the
/// field that tells it.
const CHANGE_FIGURES: [(&str, &str, &str, &str); 3] = [
    ("scale.change-100-pods", "scale.change-100000-pods", "us", "change"),
    ("scale.change-reconciles-100-pods", "scale.change-reconciles-100000-pods", "", "reconciles"),
    ("scale.change-looks-100-pods", "scale.change-looks-100000-pods", "", "looks"),
];

/// Measures clusters from small to large, each in a process of its own.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) -> Result<()> {
    let small = start(10, 100)?;
    for (name, _, unit, field) in CHANGE_FIGURES {
        report(Figure::number(name, number(&small, field)?, unit));
    }
    let large = start(1_000, 100_000)?;
    let target = Target::Below(30.0);
    report(Figure::number("scale.wall-1000-100000", number(&large, "wall")?, "s").target(target));
    report(Figure::number("scale.cpu-1000-100000", number(&large, "cpu")?, "s"));
    let target = Target::Below(1500.0);
    let memory = number(&large, "memory")?;
    report(Figure::number("scale.memory-1000-100000", memory, "MB").target(target));
    report(Figure::number("scale.writes-1000-100000", number(&large, "writes")?, ""));
    for (_, name, unit, field) in CHANGE_FIGURES {
        // Half as much again is what the deeper trees of a thousand times as many objects may cost.
        let target = Target::Below(number(&small, field)? * 1.5);
        report(Figure::number(name, number(&large, field)?, unit).target(target));
    }
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
    let idle = spent(&mut cluster, |_, _| Ok(()))?;
    let client = cluster.client().clone();
    let victims = victims(&client, options.pods)?;
    let changed = spent(&mut cluster, |client, number| {
        let (namespace, name) = &victims[number];
        client.delete(&api::PODS, namespace, name, DeleteOptions::default())?;
        Ok(())
    })?;
    let ready = ready(&client)?;
    ensure!(ready == i64::try_from(options.pods)?, "{ready} pods are ready after the changes");
    let each = changed.each_beyond(&idle);
    let figures = json!({
        "nodes": options.nodes, "pods": options.pods, "wall": wall.as_secs_f64(),
        "cpu": cpu.as_secs_f64(), "cpuPerPodMs": milliseconds(cpu) / as_float(options.pods),
        "memory": memory, "writes": writes, "change": microseconds(each.cpu),
        "reconciles": each.reconciles, "looks": each.looks,
        "idleUs": microseconds(idle.cpu),
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
    let all =
        cluster.client().list_with(&api::PODS, "", &ListOptions::default())?.items.into_iter();
    let phases = all.map(|pod| pod.value().str_at(&["status", "phase"]).to_owned());
    let running = phases.filter(|phase| phase == "Running").count();
    ensure!(running == pods, "{running} of {pods} pods run");
    Ok(())
}

fn ready(client: &Client) -> Result<i64> {
    let controllers = client.list(&api::REPLICATION_CONTROLLERS, "")?;
    Ok(controllers.iter().filter_map(|rc| rc.int_at(&["status", "readyReplicas"])).sum())
}

/// What the cluster did in some time.
struct Spent {
    cpu: Duration,
    reconciles: f64,
    looks: f64,
}

impl Spent {
    /// What one change costs beyond what time that passes costs anyway.
    fn each_beyond(&self, idle: &Self) -> Self {
        let count = as_float(CHANGES);
        Self {
            cpu: self.cpu.saturating_sub(idle.cpu).div_f64(count),
            reconciles: (self.reconciles - idle.reconciles) / count,
            looks: (self.looks - idle.looks) / count,
        }
    }
}

/// Does something before each of so many spans of virtual time, in which all that follows from it
/// comes to rest; gives what the cluster did in all of them together.
fn spent(
    cluster: &mut Cluster,
    mut act: impl FnMut(&Client, usize) -> Result<()>,
) -> Result<Spent> {
    let client = cluster.client().clone();
    let (work, cpu) = (cluster.work(), thread_cpu()?);
    for number in 0..CHANGES {
        act(&client, number)?;
        let until = cluster.world().now() + REPLACED;
        cluster.run_until(until, &mut || false);
    }
    let (done, cpu) = (cluster.work(), thread_cpu()?.saturating_sub(cpu));
    let reconciles = as_float(usize::try_from(done.reconciles - work.reconciles)?);
    let looks = as_float(usize::try_from(done.looked_at - work.looked_at)?);
    Ok(Spent { cpu, reconciles, looks })
}

/// One pod each of so many controllers, as far as there are so many: namespace and name.
fn victims(client: &Client, pods: usize) -> Result<Vec<(String, String)>> {
    let controllers = pods.div_ceil(REPLICAS);
    (0..CHANGES)
        .map(|number| {
            let namespace = namespace_of(number % controllers);
            let labels = format!("app=app-{}", number % controllers);
            let options = ListOptions { label_selector: labels, ..ListOptions::default() };
            let list = client.list_with(&api::PODS, &namespace, &options)?;
            let victim = list.items.get(number / controllers).context("no pod to replace")?;
            Ok((namespace, victim.value().name().to_owned()))
        })
        .collect()
}

/// The most memory that was resident at any time, in MB (of 1,000,000 bytes).
fn most_resident_megabytes() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: f64 = kibibytes.context("no VmHWM in the status")?.trim().parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}
