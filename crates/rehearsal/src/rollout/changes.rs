//! What one write means for a rollout.
//!
//! Invariant: pure; looks at one write and nothing else.

use api::views::deployment_config::image_changes;
use apimachinery::{ObjectExt as _, Value};

use super::{Kind, TagChange};
use crate::timeline::short;

const CONFIG_NAME: &str = "openshift.io/deployment-config.name";
const VERSION: &str = "openshift.io/deployment-config.latest-version";
const PHASE: &str = "openshift.io/deployment.phase";
const REASON: &str = "openshift.io/deployment.status-reason";
const CANCELLED: &str = "openshift.io/deployment.cancelled";
const POD_FOR: &str = "openshift.io/deployer-pod-for.name";
const POD_TYPE: &str = "openshift.io/deployer-pod.type";

const CONFIG_CONTROLLER: &str = "deploymentconfig-controller";
const DEPLOYER_CONTROLLER: &str = "deployer-controller";

/// One thing that a write means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// A rollout was set off.
    Begins { version: i64, cause: Cause },
    /// How many replicas a rollout is asked for now, and how many are ready.
    Replicas { version: i64, wanted: i64, ready: i64 },
    /// A rollout was removed.
    Gone { version: i64 },
    /// A rollout has reached a phase.
    Phase { version: i64, phase: String, reason: String },
    /// A line of the story; without `who`, whoever scales just now.
    Moment { kind: Kind, who: &'static str, what: String },
}

/// What set a rollout off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) why: String,
    /// Who raised the version.
    pub(super) who: &'static str,
    /// The tags that moved.
    pub(super) tags: Vec<TagChange>,
}

/// The name of the `DeploymentConfig` that a write is about, and what it means; `None` for writes
/// that have nothing to do with one.
pub(super) fn changes(old: Option<&Value>, new: Option<&Value>) -> Option<(String, Vec<Seen>)> {
    let object = new.or(old)?;
    match object.kind() {
        "DeploymentConfig" => Some((object.name().to_owned(), config(old, new))),
        "ReplicationController" => {
            let name = object.annotation(CONFIG_NAME)?;
            let version = object.annotation(VERSION)?.parse().ok()?;
            Some((name.to_owned(), rollout(object.name(), version, old, new)))
        }
        "Pod" => {
            let rollout = Some(object.label(POD_FOR)).filter(|name| !name.is_empty())?;
            let (name, _) = rollout.rsplit_once('-')?;
            Some((name.to_owned(), pod(old, new)))
        }
        _ => None,
    }
}

fn config(old: Option<&Value>, new: Option<&Value>) -> Vec<Seen> {
    let Some(new) = new else { return Vec::new() };
    let number = |path: &[&str], of: Option<&Value>| of.and_then(|dc| dc.int_at(path)).unwrap_or(0);
    let mut seen = Vec::new();
    let change = |what: String| Seen::Moment { kind: Kind::Change, who: "client", what };
    let replicas = &["spec", "replicas"];
    let (was, is) = (number(replicas, old), number(replicas, Some(new)));
    if old.is_some() && was != is {
        seen.push(change(format!("replicas wanted {was} -> {is}")));
    }
    let paused = |dc: &Value| dc.bool_at(&["spec", "paused"]);
    if old.is_some_and(|old| paused(old) != paused(new)) {
        let what = if paused(new) { "rollouts are paused" } else { "rollouts are resumed" };
        seen.push(change(what.to_owned()));
    }
    let latest = &["status", "latestVersion"];
    let version = number(latest, Some(new));
    if version > number(latest, old) && version > 0 {
        seen.push(Seen::Begins { version, cause: cause(new) });
    }
    seen
}

fn cause(dc: &Value) -> Cause {
    let details = &["status", "details"];
    let message = dc.at(details).map(|details| details.str_at(&["message"])).unwrap_or_default();
    let causes = dc.list_at(&["status", "details", "causes"]);
    let manual = causes.iter().any(|cause| cause.str_at(&["type"]) == "Manual");
    let tags = causes.iter().filter_map(|cause| tag(dc, cause.at(&["imageTrigger", "from"])?));
    let tags: Vec<TagChange> = tags.collect();
    let message = if message.is_empty() { "no cause is given" } else { message };
    let own = format!("{}/", dc.namespace());
    let shown = |tag: &TagChange| {
        let name = tag.tag.strip_prefix(&own).unwrap_or(&tag.tag);
        if tag.image.is_empty() {
            return name.to_owned();
        }
        format!("{name} is {}", short(&tag.image))
    };
    let why = match tags.as_slice() {
        [] => message.to_owned(),
        tags => format!("{message}: {}", tags.iter().map(shown).collect::<Vec<_>>().join(", ")),
    };
    Cause { why, who: if manual { "client" } else { CONFIG_CONTROLLER }, tags }
}

/// The tag that a cause is about; causes name the image that it pointed to.
fn tag(dc: &Value, from: &Value) -> Option<TagChange> {
    let image = from.str_at(&["name"]);
    let source = image_changes(dc)
        .find(|params| params.str_at(&["lastTriggeredImage"]) == image)
        .and_then(|params| params.at(&["from"]))
        .unwrap_or(from);
    let namespace = match source.str_at(&["namespace"]) {
        "" => dc.namespace(),
        namespace => namespace,
    };
    let name = Some(source.str_at(&["name"])).filter(|name| !name.is_empty())?;
    let digest = image.split_once('@').map(|(_, digest)| digest).unwrap_or_default();
    Some(TagChange {
        tag: format!("{namespace}/{name}"),
        image: digest.to_owned(),
        moved_by: String::new(),
    })
}

fn rollout(name: &str, version: i64, old: Option<&Value>, new: Option<&Value>) -> Vec<Seen> {
    let Some(new) = new else { return vec![Seen::Gone { version }] };
    let number = |path: &[&str], of: Option<&Value>| of.and_then(|rc| rc.int_at(path)).unwrap_or(0);
    let (wanted, ready) = (&["spec", "replicas"], &["status", "readyReplicas"]);
    let (was, is) = (number(wanted, old), number(wanted, Some(new)));
    let (was_ready, is_ready) = (number(ready, old), number(ready, Some(new)));
    let mut seen = vec![Seen::Replicas { version, wanted: is, ready: is_ready }];
    let mut tell = |kind: Kind, who: &'static str, what: String| {
        seen.push(Seen::Moment { kind, who, what });
    };
    if was != is {
        tell(Kind::Scale, "", format!("{name} is scaled {was} -> {is}"));
    }
    if was_ready != is_ready {
        let what = format!("{name} has {is_ready} of {is} ready");
        tell(Kind::Ready, "replication-controller", what);
    }
    let text = |key: &str, of: Option<&Value>| {
        of.and_then(|rc| rc.annotation(key)).unwrap_or_default().to_owned()
    };
    let reason = text(REASON, Some(new));
    let phase = text(PHASE, Some(new));
    let cancelled = |of: Option<&Value>| text(CANCELLED, of) == "true";
    // Before anything goes wrong the reason is what set the rollout off.
    let wrong = phase == "Failed" || cancelled(Some(new));
    let reason = if wrong { reason } else { String::new() };
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let moved = text(PHASE, old) != phase;
    if moved {
        let who = if phase == "New" { CONFIG_CONTROLLER } else { DEPLOYER_CONTROLLER };
        tell(Kind::Phase, who, format!("{name} is {phase}{because}"));
    }
    if cancelled(Some(new)) && !cancelled(old) {
        let who = if reason.contains("newer") { CONFIG_CONTROLLER } else { "client" };
        tell(Kind::Change, who, format!("{name} is cancelled{because}"));
    }
    if moved {
        // Last, so that the moments above still belong to a rollout under way.
        seen.push(Seen::Phase { version, phase, reason });
    }
    seen
}

/// Hook pods, and deployer pods that fail.
fn pod(old: Option<&Value>, new: Option<&Value>) -> Vec<Seen> {
    let Some(new) = new else { return Vec::new() };
    let phase = |of: Option<&Value>| {
        of.map(|pod| pod.str_at(&["status", "phase"])).unwrap_or_default().to_owned()
    };
    let (was, is) = (phase(old), phase(Some(new)));
    let name = new.name();
    let moment =
        |kind: Kind, who: &'static str, what: String| vec![Seen::Moment { kind, who, what }];
    let Some(hook) = new.label(POD_TYPE).strip_prefix("hook-") else {
        let failed = is == "Failed" && was != is;
        let what = format!("{name} has failed");
        return if failed { moment(Kind::Change, "node", what) } else { Vec::new() };
    };
    match (old.is_none(), is.as_str()) {
        (true, _) => moment(Kind::HookBegin, "deployer", format!("hook {hook} begins ({name})")),
        (false, "Succeeded") if was != is => {
            moment(Kind::HookEnd, "hook", format!("hook {hook} has succeeded"))
        }
        (false, "Failed") if was != is => {
            moment(Kind::HookEnd, "hook", format!("hook {hook} has failed"))
        }
        _ => Vec::new(),
    }
}
