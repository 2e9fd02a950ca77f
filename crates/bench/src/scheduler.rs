//! Placing pods: decisions alone, and the whole control loop from a replication controller to bound
//! pods, on small and large clusters.
//!
//! Invariant: every pod is placed while the clock runs, or the figure is an error.

use std::sync::Arc;

use anyhow::{Result, ensure};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{ApiServer, Client};
use controller_runtime::{Driver, Key, Step};
use controllers::replication::ReplicationController;
use scheduler::decision::Outcome;
use scheduler::fast::Fast;
use scheduler::{PodInfo, Profile, Scheduler, Snapshot};
use world::World;

use crate::figure::{Figure, Target, milliseconds, per_second};
use crate::program::thread_cpu;

const PODS: usize = 10_000;
/// Replication controllers that the pods of the loop belong to.
const CONTROLLERS: usize = 100;

/// Measures decisions and loops.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) -> Result<()> {
    for (nodes, plain, apart) in [
        (100, "scheduler.decisions-100-nodes", None),
        (1_000, "scheduler.decisions-1000-nodes", Some("scheduler.anti-affinity-1000-nodes")),
        (5_000, "scheduler.decisions-5000-nodes", Some("scheduler.anti-affinity-5000-nodes")),
    ] {
        let target = Target::AtLeast(10_000.0);
        report(Figure::number(plain, decisions(nodes, false)?, "pods/s").target(target));
        if let Some(name) = apart {
            let target = Target::AtLeast(1_000.0);
            report(Figure::number(name, decisions(nodes, true)?, "pods/s").target(target));
        }
    }
    for (nodes, name, rate) in [
        (100, "scheduler.loop-cpu-100-nodes", None),
        (1_000, "scheduler.loop-cpu-1000-nodes", None),
        (5_000, "scheduler.loop-cpu-5000-nodes", Some("scheduler.loop-rate-5000-nodes")),
    ] {
        let (cpu, per_second) = control_loop(nodes, false)?;
        report(Figure::number(name, cpu, "ms/pod").target(Target::Below(0.1)));
        if let Some(rate) = rate {
            let target = Target::AtLeast(10_000.0);
            report(Figure::number(rate, per_second, "pods/s").target(target));
            let (_, per_second) = control_loop(nodes, true)?;
            let target = Target::AtLeast(1_000.0);
            report(
                Figure::number("scheduler.loop-rate-5000-nodes-apart", per_second, "pods/s")
                    .target(target),
            );
        }
    }
    Ok(())
}

fn node(number: usize) -> Value {
    let name = format!("node-{number:04}");
    let labels = json!({
        "kubernetes.io/hostname": name,
        "failure-domain.beta.kubernetes.io/zone": format!("zone-{}", number % 3),
    });
    let allocatable = json!({"cpu": "32", "memory": "128Gi", "pods": "250"});
    let status =
        json!({"allocatable": allocatable, "conditions": [{"type": "Ready", "status": "True"}]});
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "status": status})
}

/// The template of the pods of one controller; those that stay apart share no node.
fn template(app: &str, apart: bool) -> Value {
    let container = json!({"name": "web", "image": "registry/web:1", "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}});
    let mut spec = json!({"containers": [container]});
    if apart {
        let selector = json!({"matchLabels": {"app": app}});
        let term = json!({"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"});
        let terms = json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]});
        spec["affinity"] = json!({"podAntiAffinity": terms});
    }
    json!({"metadata": {"labels": {"app": app}}, "spec": spec})
}

fn controller(app: &str, replicas: usize, apart: bool) -> Value {
    json!({"apiVersion": "v1", "kind": "ReplicationController",
        "metadata": {"name": app, "namespace": "bench"},
        "spec": {"replicas": replicas, "selector": {"app": app}, "template": template(app, apart)}})
}

/// Decisions a second, each taken into account by the next.
fn decisions(nodes: usize, apart: bool) -> Result<f64> {
    let nodes = (0..nodes).map(|number| (&api::NODES, Arc::new(node(number))));
    let owners = (0..CONTROLLERS).map(|number| {
        let owner = controller(&format!("app-{number}"), 1, apart);
        (&api::REPLICATION_CONTROLLERS, Arc::new(owner))
    });
    let mut snapshot = Snapshot::of(owners.chain(nodes).map(|(r, o)| (r as &'static _, o)));
    let pods: Vec<(Key, PodInfo)> = (0..PODS)
        .map(|number| {
            let mut pod = template(&format!("app-{}", number % CONTROLLERS), apart);
            pod.set(&["metadata", "namespace"], json!("bench"));
            pod.set(&["metadata", "name"], json!(format!("pod-{number}")));
            (Key::of(&pod), PodInfo::new(Arc::new(pod)))
        })
        .collect();
    let (profile, mut fast, mut turn) = (Profile::default(), Fast::default(), 0);
    let world = World::real();
    let start = world.now();
    for (key, pod) in &pods {
        let choice = fast.choose(&profile, &mut snapshot, pod, turn);
        let Some(choice) = choice else { anyhow::bail!("{key} needs the slow way") };
        turn += u64::from(choice.took_turn);
        match choice.outcome {
            Outcome::Node(node) => snapshot.place(key, pod, &node),
            Outcome::Unschedulable(text) | Outcome::Failed(text) => anyhow::bail!("{key}: {text}"),
        }
    }
    Ok(per_second(PODS, world.now().since(start)))
}

/// Milliseconds of processor time a pod, and pods a second, from controllers to bound pods.
fn control_loop(nodes: usize, apart: bool) -> Result<(f64, f64)> {
    let world = World::real();
    let server = ApiServer::builder(world.clone()).build();
    let mut driver = Driver::new(world.clone(), server);
    driver.add(Box::new(ReplicationController));
    driver.add(Box::new(Scheduler::default()));
    let client = driver.client().clone();
    let namespace = json!({"metadata": {"name": "bench"}});
    client.create(&api::NAMESPACES, "", namespace)?;
    for number in 0..nodes {
        add_node(&client, number)?;
    }
    while driver.step() == Step::Worked {}
    let (start, cpu) = (world.now(), thread_cpu()?);
    for number in 0..CONTROLLERS {
        let owner = controller(&format!("app-{number}"), PODS / CONTROLLERS, apart);
        client.create(&api::REPLICATION_CONTROLLERS, "bench", owner)?;
    }
    while driver.step() == Step::Worked {}
    let (took, cpu) = (world.now().since(start), thread_cpu()?.saturating_sub(cpu));
    let pods = client.list(&api::PODS, "bench")?;
    let bound = pods.iter().filter(|pod| !pod.str_at(&["spec", "nodeName"]).is_empty()).count();
    ensure!(bound == PODS, "only {bound} of {PODS} pods were bound");
    let pods = f64::from(u32::try_from(PODS)?);
    Ok((milliseconds(cpu) / pods, per_second(PODS, took)))
}

fn add_node(client: &Client, number: usize) -> Result<()> {
    let node = node(number);
    let made = client.create(&api::NODES, "", node.clone())?;
    let mut made = (*made).clone();
    made.set(&["status"], node["status"].clone());
    client.update_status(&api::NODES, made)?;
    Ok(())
}
