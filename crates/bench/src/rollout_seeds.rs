//! Thousands of seeds of rollouts with pods that fail, hang and flap, and users who interfere.
//!
//! Every seed makes one config with a strategy, hooks and images drawn from the seed, and lets users
//! move tags, change the config, cancel, retry, scale, pause and delete. [`rules`] looks at every
//! write; at the end the cluster must have come to rest where it should.
//!
//! Invariant: a seed says everything; two runs of it are the same.

mod rules;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{Client, DeleteOptions, PatchKind};
use clap::Args;
use cluster::{Cluster, Config, Runtime};
use cri::sim::SimImages;
use world::World;

use self::rules::Rules;

/// How many failures are told.
const SHOWN: usize = 20;
const PROJECT: &str = "shop";
const CONFIG: &str = "web";
/// Seconds after which a deployer is ended whose hook is retried for ever.
const DEADLINE: u64 = 300;
/// Kinds of images: good, slow, never ready, crashing, flapping, not there, there after a while.
const IMAGES: [&str; 7] = [
    "{}",
    r#"{"startSeconds": 3, "readyAfterSeconds": 6}"#,
    r#"{"readyAfterSeconds": 100000}"#,
    r#"{"exit": {"code": 1, "afterSeconds": 3}}"#,
    r#"{"health": [{"afterSeconds": 4, "answers": false}, {"afterSeconds": 9, "answers": true},
        {"afterSeconds": 20, "answers": false}, {"afterSeconds": 25, "answers": true}]}"#,
    r#"{"missing": true}"#,
    r#"{"missing": true, "pullFailures": 1}"#,
];

/// Kinds of images of the second container, which half of the configs have: good ones.
const SIDES: [&str; 3] = ["{}", r#"{"startSeconds": 2}"#, r#"{"startSeconds": 0.2}"#];
/// The tags that images are taken from, one for each container.
const TAGS: [&str; 2] = ["live", "side"];

#[derive(Debug, Args)]
pub(crate) struct RolloutSeeds {
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    runs: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Runs every seed and prints what became of them.
pub(crate) fn run(options: &RolloutSeeds) -> Result<()> {
    let world = World::real();
    let start = world.now();
    let next = AtomicU64::new(0);
    let work = || {
        let mut failures = BTreeMap::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= options.runs {
                return failures;
            }
            let seed = options.from.wrapping_add(index);
            let attempt = catch_unwind(AssertUnwindSafe(|| play(seed)));
            match attempt {
                Ok(Ok(())) => {}
                Ok(Err(error)) => drop(failures.insert(seed, format!("{error:#}"))),
                Err(_) => drop(failures.insert(seed, "panicked, see above".to_owned())),
            }
        }
    };
    let failures: BTreeMap<u64, String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..options.threads.max(1)).map(|_| scope.spawn(work)).collect();
        let results = threads.into_iter().map(|thread| thread.join().expect("panics are caught"));
        results.flatten().collect()
    });
    for (seed, failure) in failures.iter().take(SHOWN) {
        println!("seed {seed}: {failure}");
    }
    let (runs, from, failed) = (options.runs, options.from, failures.len());
    let took = (world.now() - start).as_secs_f64();
    println!("rollouts: {runs} seeds from {from}, {failed} failed, {took:.1} s");
    ensure!(failed == 0, "{failed} seeds failed");
    Ok(())
}

/// One seed.
struct Play {
    cluster: Cluster,
    client: Client,
    /// What is drawn comes from a world of its own, so that it does not depend on the cluster's.
    dice: World,
    rules: Rules,
    /// The tags that the config follows.
    tags: &'static [&'static str],
}

fn play(seed: u64) -> Result<()> {
    let images = SimImages::new();
    for (index, behaviour) in IMAGES.iter().enumerate() {
        images.add(&format!("web:v{index}"), serde_json::from_str(behaviour)?);
    }
    for (index, behaviour) in SIDES.iter().enumerate() {
        images.add(&format!("side:v{index}"), serde_json::from_str(behaviour)?);
    }
    let config = Config::new(World::simulated(seed), Runtime::Sim(images), 2);
    let cluster = Cluster::start(config)?;
    let store = cluster.server().store();
    let rules = Rules::new(store.watch("/registry/", store.revision())?);
    let client = cluster.client().clone();
    let dice = World::simulated(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let tags = if dice.random_below(2) == 0 { &TAGS[..1] } else { &TAGS[..] };
    let mut play = Play { cluster, client, dice, rules, tags };
    play.begin()?;
    let acts = 3 + play.below(6);
    for _ in 0..acts {
        let pause = play.below(70);
        play.run_for(pause)?;
        play.act()?;
    }
    play.resume()?;
    play.run_for(1_800)?;
    play.rules.at_rest(&play.client, play.tags)
}

impl Play {
    fn below(&self, n: u64) -> u64 {
        self.dice.random_below(n)
    }

    fn run_for(&mut self, seconds: u64) -> Result<()> {
        let deadline = self.cluster.world().now() + Duration::from_secs(seconds);
        let rules = &mut self.rules;
        self.cluster.run_until(deadline, &mut || {
            rules.look();
            rules.broken()
        });
        self.rules.look();
        self.rules.verdict()
    }

    fn begin(&mut self) -> Result<()> {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PROJECT}});
        self.client.create(&api::NAMESPACES, "", namespace)?;
        for tag in self.tags {
            self.tag(tag, 0)?;
        }
        let config = self.config();
        self.client.create(&api::DEPLOYMENT_CONFIGS, PROJECT, config)?;
        self.run_for(60)
    }

    fn config(&self) -> Value {
        let replicas = 1 + self.below(6);
        let config_change = self.below(2) == 0;
        let follow = |(tag, container): (&&str, &str)| {
            json!({"type": "ImageChange", "imageChangeParams": {
                "automatic": true, "containerNames": [container],
                "from": {"kind": "ImageStreamTag", "name": format!("web:{tag}")}}})
        };
        let mut triggers: Vec<Value> = self.tags.iter().zip(["web", "side"]).map(follow).collect();
        if config_change {
            triggers.push(json!({"type": "ConfigChange"}));
        }
        let mut containers = vec![json!({
            "name": "web", "image": " ", "ports": [{"containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 2,
                "failureThreshold": 1}})];
        if self.tags.len() > 1 {
            containers.push(json!({"name": "side", "image": " "}));
        }
        json!({
            "apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig",
            "metadata": {"name": CONFIG, "namespace": PROJECT},
            "spec": {
                "replicas": replicas, "selector": {"app": CONFIG}, "triggers": triggers,
                "minReadySeconds": self.below(4), "strategy": self.strategy(),
                "revisionHistoryLimit": 20,
                "template": {
                    "metadata": {"labels": {"app": CONFIG}},
                    "spec": {
                        "terminationGracePeriodSeconds": 5,
                        "containers": containers,
                    },
                },
            },
        })
    }

    fn strategy(&self) -> Value {
        let timeout = 20 + self.below(40);
        let mut params = json!({"timeoutSeconds": timeout});
        if self.below(3) == 0 {
            for moment in ["pre", "mid", "post"] {
                self.hook(&mut params, moment);
            }
            return json!({
                "type": "Recreate", "recreateParams": params, "activeDeadlineSeconds": DEADLINE});
        }
        for moment in ["pre", "post"] {
            self.hook(&mut params, moment);
        }
        let bounds = [json!(0), json!(1), json!(2), json!("25%"), json!("50%"), json!("100%")];
        let draw = |from: usize| {
            let index = from + usize::try_from(self.below(6)).unwrap_or(0) % (6 - from);
            bounds[index].clone()
        };
        let surge = draw(0);
        let unavailable = if surge == 0 { draw(1) } else { draw(0) };
        params["maxSurge"] = surge;
        params["maxUnavailable"] = unavailable;
        json!({"type": "Rolling", "rollingParams": params, "activeDeadlineSeconds": DEADLINE})
    }

    fn hook(&self, params: &mut Value, moment: &str) {
        if self.below(5) != 0 {
            return;
        }
        let policy = ["Abort", "Retry", "Ignore"][usize::try_from(self.below(3)).unwrap_or(0)];
        let code = self.below(2) * self.below(2);
        let script = format!("echo {moment}; sleep {}; exit {code}", self.below(5));
        params[moment] = json!({"failurePolicy": policy, "execNewPod": {
            "containerName": "web", "command": ["/bin/sh", "-c", script]}});
    }

    /// `oc tag --source=docker <repository>:v<version> web:<tag>`.
    fn tag(&self, tag: &str, version: u64) -> Result<()> {
        let repository = if tag == TAGS[0] { "web" } else { tag };
        let object = json!({
            "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamTag",
            "metadata": {"name": format!("web:{tag}"), "namespace": PROJECT},
            "tag": {"from": {"kind": "DockerImage", "name": format!("{repository}:v{version}")}},
        });
        self.client.update(&api::IMAGE_STREAM_TAGS, object)?;
        Ok(())
    }

    fn patch(&self, patch: Value) -> Result<()> {
        let resource = &api::DEPLOYMENT_CONFIGS;
        self.client.patch(resource, PROJECT, CONFIG, PatchKind::Strategic, patch)?;
        Ok(())
    }

    fn resume(&self) -> Result<()> {
        self.patch(json!({"spec": {"paused": false}}))
    }

    /// Something that a user does.
    fn act(&mut self) -> Result<()> {
        match self.below(12) {
            0..=4 => self.move_tags(),
            5 => {
                let variable = json!({"name": "N", "value": self.below(1_000).to_string()});
                let containers = json!([{"name": "web", "env": [variable]}]);
                self.patch(json!({"spec": {"template": {"spec": {"containers": containers}}}}))
            }
            6 => self.patch(json!({"spec": {"replicas": self.below(7)}})),
            7 => self.patch(json!({"spec": {"paused": self.below(2) == 0}})),
            8 => self.cancel(),
            9 => self.latest(),
            10 => self.retry(),
            _ => self.delete_pod(),
        }
    }

    /// Moves a tag once, or several times within seconds, so that images come while others are rolled
    /// out; several tags may move at the same moment.
    fn move_tags(&mut self) -> Result<()> {
        for _ in 0..1 + self.below(3) * self.below(2) {
            let count = u64::try_from(self.tags.len()).unwrap_or(1);
            let tag = self.tags[usize::try_from(self.below(count)).unwrap_or(0)];
            let kinds = if tag == TAGS[0] { IMAGES.len() } else { SIDES.len() };
            let versions = u64::try_from(kinds).unwrap_or(1);
            let version = if self.below(3) == 0 { 0 } else { self.below(versions) };
            self.tag(tag, version)?;
            let pause = self.below(4) * self.below(2);
            self.run_for(pause)?;
        }
        Ok(())
    }

    fn annotate(&self, rc: &Value, annotations: &Value) -> Result<()> {
        let patch = json!({"metadata": {"annotations": annotations}});
        let resource = &api::REPLICATION_CONTROLLERS;
        self.client.patch(resource, PROJECT, rc.name(), PatchKind::Merge, patch)?;
        Ok(())
    }

    fn cancel(&self) -> Result<()> {
        for rc in self.client.list(&api::REPLICATION_CONTROLLERS, PROJECT)? {
            let phase = rc.annotation(deployments::keys::PHASE).unwrap_or_default();
            if matches!(phase, "New" | "Pending" | "Running") {
                self.annotate(&rc, &json!({deployments::keys::CANCELLED: "true"}))?;
            }
        }
        Ok(())
    }

    fn latest(&self) -> Result<()> {
        let request = json!({
            "kind": "DeploymentRequest", "apiVersion": "apps.openshift.io/v1",
            "name": CONFIG, "latest": true, "force": true});
        let resource = &api::DEPLOYMENT_CONFIGS;
        let made =
            self.client.subresource_create(resource, PROJECT, CONFIG, "instantiate", request);
        match made {
            // Paused, or the rollout before is not there yet.
            Err(status) if status.code == 422 || status.is_not_found() => Ok(()),
            made => Ok(made.map(drop)?),
        }
    }

    fn retry(&self) -> Result<()> {
        let dc = self.client.get(&api::DEPLOYMENT_CONFIGS, PROJECT, CONFIG)?;
        let version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
        let name = format!("{CONFIG}-{version}");
        let rc = self.client.find(&api::REPLICATION_CONTROLLERS, PROJECT, &name)?;
        let failed = |rc: &Value| rc.annotation(deployments::keys::PHASE) == Some("Failed");
        let Some(rc) = rc.filter(|rc| failed(rc)) else { return Ok(()) };
        for pod in self.client.list(&api::PODS, PROJECT)? {
            if pod.label(deployments::keys::DEPLOYER_POD_FOR) == name {
                let options =
                    DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
                self.client.delete(&api::PODS, PROJECT, pod.name(), options)?;
            }
        }
        self.annotate(
            &rc,
            &json!({
                deployments::keys::PHASE: "New", deployments::keys::CANCELLED: null,
                deployments::keys::STATUS_REASON: null}),
        )
    }

    /// Deletes some pod, be it the deployer's.
    fn delete_pod(&self) -> Result<()> {
        let pods = self.client.list(&api::PODS, PROJECT)?;
        let count = u64::try_from(pods.len()).unwrap_or(0);
        if count == 0 {
            return Ok(());
        }
        let index = usize::try_from(self.below(count)).unwrap_or(0);
        self.client.delete(&api::PODS, PROJECT, pods[index].name(), DeleteOptions::default())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rollouts_keep_the_rules_under_some_seeds() {
        for seed in 1..=25 {
            if let Err(error) = play(seed) {
                panic!("seed {seed}: {error:#}");
            }
        }
    }
}
