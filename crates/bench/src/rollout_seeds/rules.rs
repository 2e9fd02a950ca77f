//! What every rollout must keep to, held against every write.
//!
//! Invariant: rules are about what is stored; nothing is asked of the controllers.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use apimachinery::{ObjectExt as _, Value};
use apiserver::{Client, Stored};
use deployments::keys;
use deployments::rollout::{Phase, decode_config, version_of};
use deployments::strategy::resolve_fenceposts;
use store::{EventKind, Watcher};

use super::{CONFIG, PROJECT};

/// The rules, with what was seen so far.
#[derive(Debug)]
pub(super) struct Rules {
    watcher: Watcher<Stored>,
    /// Controllers by name.
    controllers: BTreeMap<String, Value>,
    /// Application pods by name.
    pods: BTreeMap<String, Value>,
    /// Images of every rollout, by its number.
    images: BTreeMap<i64, Vec<String>>,
    broken: Vec<String>,
}

impl Rules {
    pub(super) fn new(watcher: Watcher<Stored>) -> Self {
        let (controllers, pods) = (BTreeMap::new(), BTreeMap::new());
        Self { watcher, controllers, pods, images: BTreeMap::new(), broken: Vec::new() }
    }

    /// Takes in what was written since.
    pub(super) fn look(&mut self) {
        while let Ok(Some(event)) = self.watcher.try_next() {
            let deleted = event.kind != EventKind::Put;
            let prev = event.prev.as_ref().map(|kv| kv.value.value());
            let object = if deleted { prev } else { Some(event.kv.value.value()) };
            let Some(object) = object.filter(|object| object.namespace() == PROJECT) else {
                continue;
            };
            let map = match object.kind() {
                "ReplicationController" => &mut self.controllers,
                "Pod" if !object.label(keys::DEPLOYMENT_LABEL).is_empty() => &mut self.pods,
                _ => continue,
            };
            let name = object.name().to_owned();
            if deleted {
                map.remove(&name);
                continue;
            }
            let old = map.insert(name, Value::clone(&object));
            if object.kind() == "ReplicationController" {
                self.controller(old.as_ref(), &object);
            }
        }
    }

    pub(super) fn broken(&self) -> bool {
        !self.broken.is_empty()
    }

    pub(super) fn verdict(&self) -> Result<()> {
        match self.broken.first() {
            Some(text) => bail!("{text}"),
            None => Ok(()),
        }
    }

    fn controller(&mut self, old: Option<&Value>, new: &Value) {
        let Some(old) = old else { return self.began(new) };
        if size(old) == size(new) {
            return;
        }
        let Some(to) = self.under_way() else { return };
        let Some(desired) = to.annotation(keys::DESIRED_REPLICAS).and_then(|n| n.parse().ok())
        else {
            return;
        };
        let Some(config) = decode_config(&to) else { return };
        let complete = self.controllers.values().filter(|rc| Phase::of(rc) == Phase::Complete);
        let from = complete.max_by_key(|rc| version_of(rc)).cloned();
        let Some(from) = from.filter(|from| version_of(from) < version_of(&to)) else { return };
        let text = if config.str_at(&["spec", "strategy", "type"]) == "Recreate" {
            self.recreate(&to, &from, old, new)
        } else {
            rolling(&config, desired, &to, &from, (old, new))
        };
        self.broken.extend(text);
    }

    /// The rollout that a deployer works on.
    fn under_way(&self) -> Option<Value> {
        let mut all = self.controllers.values();
        let works = |rc: &&Value| matches!(Phase::of(rc), Phase::Pending | Phase::Running);
        all.find(works).cloned()
    }

    /// A rollout that images gave rise to has images that the one before had not: those that were noted
    /// as its causes. (Until the controller is made a tag may have moved on, or back.)
    fn began(&mut self, rc: &Value) {
        let containers = rc.list_at(&["spec", "template", "spec", "containers"]);
        let images = containers.iter().map(|container| container.str_at(&["image"]).to_owned());
        let config = decode_config(rc).unwrap_or_default();
        let causes = config.list_at(&["status", "details", "causes"]);
        let version = version_of(rc);
        if let Some(before) = self.images.get(&(version - 1)) {
            let cause = |cause: &Value| cause.str_at(&["imageTrigger", "from", "name"]).to_owned();
            for image in causes.iter().map(cause).filter(|image| before.contains(image)) {
                self.broken.push(format!("{} was triggered twice by {image}", rc.name()));
            }
        }
        let running = self.controllers.values().filter(|other| other.name() != rc.name());
        for other in running.filter(|other| !Phase::of(other).is_terminal()) {
            let text = format!("{} began while {} was under way", rc.name(), other.name());
            self.broken.push(text);
        }
        self.images.insert(version, images.collect());
    }

    /// No new pod before the old ones are gone.
    fn recreate(&self, to: &Value, from: &Value, old: &Value, new: &Value) -> Option<String> {
        if new.name() != to.name() || size(old) != 0 {
            return None;
        }
        let ended =
            |pod: &Value| matches!(pod.str_at(&["status", "phase"]), "Succeeded" | "Failed");
        let mut alive = self.pods.values().filter(|pod| !ended(pod));
        let left = alive.find(|pod| pod.label(keys::DEPLOYMENT_LABEL) == from.name())?;
        Some(format!("{} was begun while pod {} was there", to.name(), left.name()))
    }

    /// The cluster has come to rest: the newest complete rollout serves, nothing is under way, and
    /// the newest image of every tag has been tried.
    pub(super) fn at_rest(&self, client: &Client, followed: &[&str]) -> Result<()> {
        let dc = client.get(&api::DEPLOYMENT_CONFIGS, PROJECT, CONFIG)?;
        let wanted = dc.int_at(&["spec", "replicas"]).unwrap_or(0);
        let latest = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
        let complete = self.controllers.values().filter(|rc| Phase::of(rc) == Phase::Complete);
        let serving = complete.max_by_key(|rc| version_of(rc)).map(|rc| rc.name().to_owned());
        for (name, rc) in &self.controllers {
            let phase = Phase::of(rc);
            ensure!(phase.is_terminal(), "{name} is still {}", phase.as_str());
            let expected = if serving.as_ref() == Some(name) { wanted } else { 0 };
            ensure!(size(rc) == expected, "{name} has {} replicas, not {expected}", size(rc));
        }
        let newest = self.controllers.values().find(|rc| version_of(rc) == latest);
        let Some(newest) = newest else { bail!("the rollout {latest} is not there") };
        let stream = client.get(&api::IMAGE_STREAMS, PROJECT, CONFIG)?;
        let tags = stream.list_at(&["status", "tags"]);
        let containers = newest.list_at(&["spec", "template", "spec", "containers"]);
        for (followed, container) in followed.iter().zip(containers) {
            let tag = tags.iter().find(|tag| tag.str_at(&["tag"]) == *followed);
            let item = tag.and_then(|tag| tag.list_at(&["items"]).first());
            let image = item.map(|item| item.str_at(&["image"])).unwrap_or_default();
            let used = container.str_at(&["image"]);
            let rolled_out = !image.is_empty() && used.contains(image);
            ensure!(rolled_out, "{used} is rolled out, {image} is what {followed} points to");
        }
        Ok(())
    }
}

fn size(rc: &Value) -> i64 {
    rc.int_at(&["spec", "replicas"]).unwrap_or(0)
}

/// Not more pods than surge allows, and not fewer available ones than promised, as far as the deployer
/// scales: it takes every old pod for available.
fn rolling(
    config: &Value,
    desired: i64,
    to: &Value,
    from: &Value,
    (old, new): (&Value, &Value),
) -> Option<String> {
    let params = config.at(&["spec", "strategy", "rollingParams"]);
    let (surge, unavailable) = resolve_fenceposts(params, desired);
    let (grows, total) = (size(new) > size(old), size(to) + size(from));
    let what = format!("{} {}->{}", new.name(), size(old), size(new));
    if new.name() == to.name() && grows && size(from) > 0 && total > desired + surge {
        return Some(format!("{what}: {total} replicas are more than {desired} and {surge}"));
    }
    let available = to.int_at(&["status", "availableReplicas"]).unwrap_or(0);
    let stay = size(from) + available;
    if new.name() == from.name() && !grows && stay < desired - unavailable && desired > 0 {
        return Some(format!("{what}: {stay} stay of {desired}, {unavailable} may be away"));
    }
    None
}
