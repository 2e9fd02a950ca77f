//! Lifecycle hooks: the pod that runs a command before, amid or after a rollout, the images that are
//! tagged then, and what is said about both.
//!
//! Invariant: pure; [`crate::deployer`] creates the pods, follows them and writes the tags.
//!
//! Mirrors: `openshift/origin pkg/apps/strategy/support/lifecycle.go`.

use std::time::Duration;

use apimachinery::names::joined;
use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};

use crate::deployer_pod::{MAX_RUN_SECONDS, with_extra};
use crate::keys;

/// Name of a hook pod's container.
pub const CONTAINER: &str = "lifecycle";

/// When in a rollout a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before anything is scaled.
    Pre,
    /// When the old pods are gone and no new one is there; Recreate only.
    Mid,
    /// When the new pods are there.
    Post,
}

impl Moment {
    /// The word in the config, in events and in the log.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Mid => "mid",
            Self::Post => "post",
        }
    }

    /// The end of the pod's name, and the value of its type label.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Pre => "hook-pre",
            Self::Mid => "hook-mid",
            Self::Post => "hook-post",
        }
    }
}

/// What is done about a hook that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The rollout fails.
    Abort,
    /// The container is started again until the deadline; then the rollout fails.
    Retry,
    /// The rollout goes on.
    Ignore,
}

impl FailurePolicy {
    /// Reads the policy of `hook`; any unknown word aborts.
    #[must_use]
    pub fn of(hook: &Value) -> Self {
        match hook.str_at(&["failurePolicy"]) {
            "Retry" => Self::Retry,
            "Ignore" => Self::Ignore,
            _ => Self::Abort,
        }
    }
}

/// The hook of `moment` in the strategy that `config` asks for.
#[must_use]
pub fn find(config: &Value, moment: Moment) -> Option<&Value> {
    let params = match config.str_at(&["spec", "strategy", "type"]) {
        "Rolling" => "rollingParams",
        "Recreate" => "recreateParams",
        _ => return None,
    };
    let hook = config.at(&["spec", "strategy", params, moment.label()]);
    hook.filter(|hook| hook.is_object())
}

/// `<rollout>-hook-<moment>`, shortened with a hash when it would be longer than 253 characters.
#[must_use]
pub fn pod_name(rollout: &str, suffix: &str) -> String {
    joined(rollout, suffix, 253)
}

/// The pod that runs `hook` (one with `execNewPod`) for the rollout `rc`, whose deployer has been
/// running for `elapsed`.
///
/// # Errors
/// The text to fail with when the hook names a container that the rollout does not have.
pub fn make_pod(
    hook: &Value,
    rc: &Value,
    strategy: &Value,
    suffix: &str,
    elapsed: Duration,
) -> Result<Value, String> {
    let exec = hook.get("execNewPod").unwrap_or(&Value::Null);
    let wanted = exec.str_at(&["containerName"]);
    let Some(base) = container(rc, wanted) else {
        return Err(format!("no container named '{wanted}' found in rc template"));
    };
    let template = rc.at(&["spec", "template", "spec"]).unwrap_or(&Value::Null);
    let deadline = strategy.int_at(&["activeDeadlineSeconds"]).unwrap_or(MAX_RUN_SECONDS);
    let elapsed = i64::try_from(elapsed.as_secs()).unwrap_or(deadline);
    let policy = FailurePolicy::of(hook);
    let mut spec = json!({
        "containers": [lifecycle_container(exec, base, rc)],
        "activeDeadlineSeconds": deadline - elapsed,
        "restartPolicy": if policy == FailurePolicy::Retry { "OnFailure" } else { "Never" },
        "terminationGracePeriodSeconds": 10,
    });
    let listed = exec.list_at(&["volumes"]);
    let volumes: Vec<&Value> =
        template.list_at(&["volumes"]).iter().filter(|v| listed.contains(&v["name"])).collect();
    if !volumes.is_empty() {
        spec["volumes"] = json!(volumes);
    }
    for field in ["securityContext", "nodeSelector", "imagePullSecrets"] {
        if let Some(value) = template.get(field) {
            spec[field] = value.clone();
        }
    }
    let labels = [(keys::DEPLOYER_POD_FOR, rc.name()), (keys::DEPLOYER_POD_TYPE, suffix)];
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(rc.name(), suffix),
            "namespace": rc.namespace(),
            "labels": with_extra(strategy, "labels", &labels),
            "annotations":
                with_extra(strategy, "annotations", &[(keys::DEPLOYMENT_NAME, rc.name())]),
        },
        "spec": spec,
    }))
}

fn container<'a>(rc: &'a Value, name: &str) -> Option<&'a Value> {
    let containers = rc.list_at(&["spec", "template", "spec", "containers"]);
    containers.iter().find(|container| container.str_at(&["name"]) == name)
}

/// The container of the hook: the template's, with the hook's command and environment.
fn lifecycle_container(exec: &Value, base: &Value, rc: &Value) -> Value {
    let mut made = Map::from_iter([
        ("name".to_owned(), json!(CONTAINER)),
        ("env".to_owned(), json!(environment(exec, base, rc))),
    ]);
    for field in ["image", "imagePullPolicy", "workingDir", "resources", "securityContext"] {
        if let Some(value) = base.get(field) {
            made.insert(field.to_owned(), value.clone());
        }
    }
    if let Some(command) = exec.get("command").filter(|command| command.is_array()) {
        made.insert("command".to_owned(), command.clone());
    }
    let listed = exec.list_at(&["volumes"]);
    let mounts: Vec<Value> = base
        .list_at(&["volumeMounts"])
        .iter()
        .filter(|mount| listed.contains(&mount["name"]))
        .map(|mount| {
            let kept = ["name", "readOnly", "mountPath", "subPath"];
            let fields = kept.iter().filter_map(|field| Some((*field, mount.get(field)?.clone())));
            json!(fields.map(|(field, value)| (field.to_owned(), value)).collect::<Map>())
        })
        .collect();
    if !mounts.is_empty() {
        made.insert("volumeMounts".to_owned(), json!(mounts));
    }
    Value::Object(made)
}

/// The hook's variables, those of the container that it does not name, and the rollout's.
fn environment(exec: &Value, base: &Value, rc: &Value) -> Vec<Value> {
    let mut variables: Vec<Value> = Vec::new();
    let both = exec.list_at(&["env"]).iter().chain(base.list_at(&["env"]));
    for variable in both {
        if !variables.iter().any(|known| known["name"] == variable["name"]) {
            variables.push(variable.clone());
        }
    }
    variables.push(json!({"name": "OPENSHIFT_DEPLOYMENT_NAME", "value": rc.name()}));
    variables.push(json!({"name": "OPENSHIFT_DEPLOYMENT_NAMESPACE", "value": rc.namespace()}));
    variables
}

/// A tag that a hook writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagging {
    /// The image of the named container in the new rollout.
    pub image: String,
    /// Namespace as the hook gives it, may be empty.
    pub namespace: String,
    /// `<stream>:<tag>`.
    pub name: String,
}

/// The tags that `hook` (one with `tagImages`) writes for the rollout `rc`; an error for every entry
/// whose container is not there.
#[must_use]
pub fn taggings(hook: &Value, rc: &Value) -> Vec<Result<Tagging, String>> {
    let entry = |entry: &Value| {
        let name = entry.str_at(&["containerName"]);
        let found = container(rc, name).ok_or_else(|| {
            format!("unable to find image for container {name:?}, container could not be found")
        })?;
        Ok(Tagging {
            image: found.str_at(&["image"]).to_owned(),
            namespace: entry.str_at(&["to", "namespace"]).to_owned(),
            name: entry.str_at(&["to", "name"]).to_owned(),
        })
    };
    hook.list_at(&["tagImages"]).iter().map(entry).collect()
}

/// What the event at the beginning of a hook says.
#[must_use]
pub fn started(moment: Moment, hook: &Value, rc: &Value) -> String {
    let (label, place) = (moment.label(), place(rc));
    if hook.get("execNewPod").is_some_and(Value::is_object) {
        let words = hook.list_at(&["execNewPod", "command"]);
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return format!("Running {label}-hook (\"{}\") for rc {place}", words.join(" "));
    }
    let images: Vec<String> = taggings(hook, rc)
        .into_iter()
        .flatten()
        .map(|tagging| format!("image {:?} as {:?}", tagging.image, tagging.name))
        .collect();
    format!("Running {label}-hook (TagImages) {} for rc {place}", images.join(","))
}

/// What the event at the good end of a hook says.
#[must_use]
pub fn completed(moment: Moment, rc: &Value) -> String {
    format!("The {}-hook for rc {} completed successfully", moment.label(), place(rc))
}

/// What the event of a failed hook says, and the error that the rollout ends with, if it does.
pub fn failed(
    moment: Moment,
    policy: FailurePolicy,
    rc: &Value,
    error: &str,
) -> (String, Result<(), String>) {
    let (label, place) = (moment.label(), place(rc));
    if policy == FailurePolicy::Ignore {
        let text =
            format!("The {label}-hook failed: {error} (ignore), rollout of {place} will continue");
        return (text, Ok(()));
    }
    let tail = format!("failed: {error}, aborting rollout of {place}");
    (format!("The {label}-hook {tail}"), Err(format!("the {label} hook {tail}")))
}

fn place(rc: &Value) -> String {
    format!("{}/{}", rc.namespace(), rc.name())
}

#[cfg(test)]
mod tests;
