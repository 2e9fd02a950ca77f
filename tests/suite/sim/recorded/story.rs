//! What a recorded master and a simulated cluster wrote, brought into one form: lists of lines by
//! topic, without times, uids and random names.
//!
//! Invariant: one function reads both sides.

use std::collections::{BTreeMap, BTreeSet};

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::names::Names;

/// One write with the second at which it was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) at: f64,
    pub(super) old: Option<Value>,
    pub(super) new: Option<Value>,
}

/// Lines by topic.
pub(super) type Story = BTreeMap<String, Vec<String>>;

pub(super) const PHASE: &str = "openshift.io/deployment.phase";

/// The story of `writes`, which are in order. What is in several projects has its own part.
pub(super) fn tell(writes: &[Seen], names: &Names) -> Story {
    let mut story = Story::new();
    let projects: BTreeSet<&str> =
        writes.iter().filter_map(|write| write.new.as_ref()).map(|new| new.namespace()).collect();
    for project in &projects {
        let own = writes
            .iter()
            .filter(|write| write.new.as_ref().is_some_and(|new| new.namespace() == *project));
        for (topic, lines) in tell_one(own) {
            let lines = lines.iter().map(|line| names.plain(line)).collect();
            let part = if projects.len() > 1 { format!("{project}: ") } else { String::new() };
            story.insert(format!("{part}{}", names.plain(&topic)), lines);
        }
    }
    story
}

/// The controllers that were given pods before they were said to run.
pub(super) fn acted_before_running(writes: &[Seen]) -> BTreeSet<String> {
    let of = writes.iter().filter_map(|write| Some((write.old.as_ref()?, write.new.as_ref()?)));
    let early = of.filter(|(old, new)| {
        new.kind() == "ReplicationController"
            && size(old) == 0
            && size(new) > 0
            && new.annotation(PHASE) == Some("Pending")
    });
    early.map(|(_, new)| new.name().to_owned()).collect()
}

fn tell_one<'a>(writes: impl Iterator<Item = &'a Seen>) -> Story {
    let mut story = Story::new();
    for write in writes {
        let Some(new) = &write.new else { continue };
        match new.kind() {
            "ImageStream" => stream(&mut story, write.old.as_ref(), new),
            "Deployment" => deployment(&mut story, write.old.as_ref(), new),
            "ReplicaSet" => replica_set(&mut story, write.old.as_ref(), new),
            "RoleBinding" if write.old.is_none() => {
                let (subjects, role) = (&new["subjects"], new.str_at(&["roleRef", "name"]));
                say(&mut story, "bindings", format!("{} {role} {subjects}", new.name()));
            }
            "DeploymentConfig" => config(&mut story, write.old.as_ref(), new),
            "ReplicationController" => controller(&mut story, write.old.as_ref(), new),
            "Event" => event(&mut story, write.old.as_ref(), new),
            "Pod" if write.old.is_none() => pod(&mut story, new),
            _ => {}
        }
    }
    story
}

fn say(story: &mut Story, topic: &str, line: String) {
    let lines = story.entry(topic.to_owned()).or_default();
    if lines.last() != Some(&line) {
        lines.push(line);
    }
}

/// What a stream asks for and what its tags point to.
fn stream(story: &mut Story, old: Option<&Value>, new: &Value) {
    let name = new.name();
    for (part, key) in [("spec", "name"), ("status", "tag")] {
        let before = old.map_or(&[][..], |old| old.list_at(&[part, "tags"]));
        let after = new.list_at(&[part, "tags"]);
        for tag in after.iter().filter(|tag| !before.contains(tag)) {
            let mut tag = tag.clone();
            // Stored or not, it is always shown.
            if tag.get("items").is_some_and(Value::is_null) {
                tag.remove(&["items"]);
            }
            for list in ["items", "conditions"] {
                let fields = tag.get_mut(list).and_then(Value::as_array_mut);
                for field in fields.into_iter().flatten() {
                    field.remove(&["created"]);
                    field.remove(&["lastTransitionTime"]);
                }
            }
            say(story, &format!("{part} of {name}"), tag.to_string());
        }
        let gone = before.iter().filter(|tag| !after.iter().any(|kept| kept[key] == tag[key]));
        for tag in gone {
            say(story, &format!("{part} of {name}"), format!("without {}", tag.str_at(&[key])));
        }
    }
}

fn conditions(story: &mut Story, new: &Value) {
    let name = new.name();
    for kind in ["Available", "Progressing", "ReplicaFailure"] {
        let conditions = new.list_at(&["status", "conditions"]);
        let found = conditions.iter().find(|condition| condition.str_at(&["type"]) == kind);
        if let Some(condition) = found {
            let text = |field| condition.str_at(&[field]);
            let line = format!("{} {}: {}", text("status"), text("reason"), text("message"));
            say(story, &format!("{kind} of {name}"), line);
        }
    }
}

fn deployment(story: &mut Story, old: Option<&Value>, new: &Value) {
    let name = new.name();
    let annotations = new["metadata"]["annotations"].to_string();
    say(story, &format!("annotations of {name}"), annotations);
    if old.is_none_or(|old| old["spec"] != new["spec"]) {
        let line = format!("{} {}", new.generation(), new["spec"]);
        say(story, &format!("specs of {name}"), line);
    }
    conditions(story, new);
}

fn replica_set(story: &mut Story, old: Option<&Value>, new: &Value) {
    let name = new.name();
    let before = old.map_or(0, size);
    if before != size(new) {
        let lines = story.entry("sizes".to_owned()).or_default();
        lines.push(format!("{name} {before}->{}", size(new)));
    }
    let annotations = new["metadata"]["annotations"].to_string();
    say(story, &format!("annotations of {name}"), annotations);
}

fn config(story: &mut Story, old: Option<&Value>, new: &Value) {
    let name = new.name();
    let version = |dc: &Value| dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    if version(new) > old.map_or(0, version) {
        let details = new.at(&["status", "details"]).cloned().unwrap_or(Value::Null);
        let causes = details.list_at(&["causes"]);
        let kinds: Vec<&str> = causes.iter().map(|cause| cause.str_at(&["type"])).collect();
        let line = format!("{} {} {kinds:?}", version(new), details.str_at(&["message"]));
        say(story, &format!("versions of {name}"), line);
    }
    let triggers = format!("{} {}", new.generation(), new["spec"]["triggers"]);
    say(story, &format!("triggers of {name}"), triggers);
    conditions(story, new);
}

pub(super) fn size(rc: &Value) -> i64 {
    rc.int_at(&["spec", "replicas"]).unwrap_or(0)
}

fn controller(story: &mut Story, old: Option<&Value>, new: &Value) {
    let name = new.name();
    if let Some(phase) = new.annotation(PHASE) {
        say(story, &format!("phases of {name}"), phase.to_owned());
    }
    let before = old.map_or(0, size);
    if before != size(new) {
        let lines = story.entry("sizes".to_owned()).or_default();
        lines.push(format!("{name} {before}->{}", size(new)));
    }
    if old.is_none() {
        let spec = json!({
            "labels": new.labels(), "selector": new["spec"]["selector"],
            "pods": new["spec"]["template"]["metadata"], "minReady": new["spec"].get("minReadySeconds"),
        });
        say(story, &format!("{name} when it was made"), without_null_times(spec).to_string());
    }
    let shown: Vec<String> = new
        .map_at(&["metadata", "annotations"])
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", plain(key, value.as_str().unwrap_or_default())))
        .collect();
    story.insert(format!("annotations of {name} at last"), shown);
}

fn without_null_times(mut spec: Value) -> Value {
    spec["pods"].remove(&["creationTimestamp"]);
    spec
}

/// The value of an annotation without what differs from run to run.
fn plain(key: &str, value: &str) -> String {
    if key.ends_with("-at") {
        return "<time>".to_owned();
    }
    match key {
        "openshift.io/encoded-deployment-config" => "<config>".to_owned(),
        "kubectl.kubernetes.io/update-source-id" => {
            value.split(':').next().unwrap_or_default().to_owned()
        }
        _ => value.to_owned(),
    }
}

fn event(story: &mut Story, old: Option<&Value>, new: &Value) {
    let about = &new["involvedObject"];
    let (kind, name) = (about.str_at(&["kind"]), about.str_at(&["name"]));
    let text = |path: &[&str]| new.str_at(path).to_owned();
    if kind == "DeploymentConfig" || kind == "Deployment" {
        let line = format!(
            "{} {} {}: {}",
            text(&["source", "component"]),
            text(&["type"]),
            text(&["reason"]),
            text(&["message"])
        );
        let count = new.int_at(&["count"]).unwrap_or(0);
        story.insert(format!("times of {name}'s {line}"), vec![count.to_string()]);
        say(story, &format!("events of {name}"), line);
    } else if (kind == "ReplicationController" || kind == "ReplicaSet") && old.is_none() {
        let topic = format!("number of {} of {name}", text(&["reason"]));
        let lines = story.entry(topic).or_insert_with(|| vec!["0".to_owned()]);
        let count: u32 = lines[0].parse().unwrap();
        lines[0] = (count + 1).to_string();
    }
}

/// Deployer and hook pods as they are made.
fn pod(story: &mut Story, new: &Value) {
    if new.label("openshift.io/deployer-pod-for.name").is_empty() {
        return;
    }
    let container = &new["spec"]["containers"][0];
    let mut annotations = new["metadata"]["annotations"].clone();
    annotations.remove(&["openshift.io/scc"]);
    let image = container["image"].as_str().unwrap_or_default();
    let image = if image.contains("origin-deployer") { "<deployer>" } else { image };
    // The deadline of a hook counts from the start of its deployer.
    let hook = new.name().contains("-hook-");
    let deadline = new["spec"]["activeDeadlineSeconds"].as_i64().filter(|_| !hook);
    let shown = json!({
        "labels": new.labels(), "annotations": annotations, "container": container["name"],
        "image": image, "command": container.get("command"), "env": container["env"],
        "pull": container["imagePullPolicy"], "restart": new["spec"]["restartPolicy"],
        "grace": new["spec"]["terminationGracePeriodSeconds"], "deadline": deadline,
        // A cluster with one caller has no service accounts to fill in.
        "account": new["spec"].get("serviceAccountName").cloned().unwrap_or_else(|| json!("default")),
    });
    say(story, "deployer and hook pods", format!("{} {shown}", new.name()));
}
