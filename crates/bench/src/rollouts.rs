//! How soon a moved tag becomes a rollout.
//!
//! Invariant: what is timed begins with the write of the tag and ends with the
//! `ReplicationController`s being there; simulated containers cost nothing.

use std::time::Duration;

use ::store::EventKind;
use anyhow::{Result, ensure};
use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::Client;
use cluster::{Cluster, Config, Runtime};
use cri::sim::{Behaviour, SimImages};
use world::World;

use crate::figure::{Figure, Target, median, milliseconds};

/// How often one config's rollout is timed.
const ROUNDS: u32 = 50;
/// How many configs follow one tag.
const FOLLOWERS: usize = 1_000;
const PROJECT: &str = "bench";

/// Measures one config and a thousand.
pub(crate) fn measure(tell: &mut dyn FnMut(Figure)) -> Result<()> {
    tell(one_config()?);
    tell(many_configs()?);
    Ok(())
}

struct Bench {
    cluster: Cluster,
    client: Client,
    real: World,
}

impl Bench {
    /// A cluster with `count` configs that follow `app:live`, which stands at version 1.
    fn start(count: usize) -> Result<Self> {
        let images = SimImages::new();
        for version in [1, 2] {
            // Two versions are two images only when they differ.
            let behaviour =
                Behaviour { start_seconds: Some(f64::from(version)), ..Behaviour::default() };
            images.add(&format!("app:v{version}"), behaviour);
        }
        let nodes = count.div_ceil(100) + 1;
        let config = Config::new(World::simulated(1), Runtime::Sim(images), nodes);
        let cluster = Cluster::start(config)?;
        let client = cluster.client().clone();
        let mut bench = Self { cluster, client, real: World::real() };
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PROJECT}});
        bench.client.create(&api::NAMESPACES, "", namespace)?;
        bench.tag(1)?;
        for index in 0..count {
            bench.client.create(&api::DEPLOYMENT_CONFIGS, PROJECT, config_named(index))?;
        }
        Ok(bench)
    }

    /// `oc tag --source=docker app:v<version> app:live`.
    fn tag(&mut self, version: u32) -> Result<()> {
        let object = json!({
            "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamTag",
            "metadata": {"name": "app:live", "namespace": PROJECT},
            "tag": {"from": {"kind": "DockerImage", "name": format!("app:v{version}")}},
        });
        self.client.update(&api::IMAGE_STREAM_TAGS, object)?;
        Ok(())
    }

    /// Moves the tag to `version` and gives the wall time until `count` new rollouts are there.
    fn time(&mut self, version: u32, count: usize) -> Result<Duration> {
        let store = self.cluster.server().store();
        let mut watcher = store.watch("/registry/", store.revision())?;
        let deadline = self.cluster.world().now() + Duration::from_secs(3_600);
        let start = self.real.now();
        self.tag(version)?;
        let mut made = 0;
        let reached = self.cluster.run_until(deadline, &mut || {
            while let Ok(Some(event)) = watcher.try_next() {
                let new = event.kind == EventKind::Put && event.prev.is_none();
                made +=
                    usize::from(new && event.kv.value.value().kind() == "ReplicationController");
            }
            made >= count
        });
        let took = self.real.now() - start;
        ensure!(reached, "{made} of {count} rollouts came");
        Ok(took)
    }

    fn settle(&mut self) {
        let deadline = self.cluster.world().now() + Duration::from_secs(600);
        self.cluster.run_until(deadline, &mut || false);
    }
}

fn config_named(index: usize) -> Value {
    let name = format!("app-{index}");
    json!({
        "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig",
        "metadata": {"name": name, "namespace": PROJECT},
        "spec": {
            "replicas": 1, "selector": {"app": name},
            "triggers": [{"type": "ImageChange", "imageChangeParams": {
                "automatic": true, "containerNames": ["app"],
                "from": {"kind": "ImageStreamTag", "name": "app:live"}}}],
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": " "}]},
            },
        },
    })
}

/// The median over one config's rollouts, each begun when the one before is complete.
fn one_config() -> Result<Figure> {
    let mut bench = Bench::start(1)?;
    bench.settle();
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        times.push(bench.time(2 - round % 2, 1)?);
        bench.settle();
    }
    let value = milliseconds(median(times));
    Ok(Figure::number("rollouts.tag-to-controller", value, "ms").target(Target::Below(5.0)))
}

fn many_configs() -> Result<Figure> {
    let mut bench = Bench::start(FOLLOWERS)?;
    bench.settle();
    let seconds = bench.time(2, FOLLOWERS)?.as_secs_f64();
    Ok(Figure::number("rollouts.begin-1000", seconds, "s").target(Target::Below(1.0)))
}
