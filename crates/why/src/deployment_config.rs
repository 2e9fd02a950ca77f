//! What a `DeploymentConfig` waits for: a trigger, the deployer, a hook, its pods.
//!
//! Invariant: whether a rollout is due is asked of the controller's own rules.

use api::views::deployment_config::{image_changes, trigger_source};
use api::views::pod::{is_terminal, is_terminating};
use api::views::workload::{available_replicas, observed_generation, ready_replicas, replicas};
use api::{EVENTS, IMAGE_STREAMS, PODS, REPLICATION_CONTROLLERS};
use apimachinery::{ObjectExt as _, Value};
use deployments::keys;
use deployments::rollout::{Phase, deployer_pod_name, is_cancelled, rollout_name, version_of};
use deployments::strategy::resolve_fenceposts;
use deployments::trigger::{Decision, decide, has_config_change};

use crate::facts::{Facts, count, title};
use crate::finding::{Finding, State};
use crate::{pod, replicas as controllers};

/// How a `DeploymentConfig` stands.
#[must_use]
pub fn look(facts: &Facts, dc: &Value) -> Finding {
    let object = title(dc);
    if let Some(finding) = controllers::deleted(dc) {
        return finding;
    }
    let version = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    let latest = facts.find(&REPLICATION_CONTROLLERS, &rollout_name(dc, version));
    let latest = latest.map(|rc| &**rc);
    if dc.bool_at(&["spec", "paused"]) && latest.is_none_or(|rc| Phase::of(rc).is_terminal()) {
        let due = matches!(decide(dc, latest), Decision::Trigger { .. }) || version == 0;
        let says = if due { "it is paused, and a rollout is due" } else { "it is paused" };
        return Finding::held(object, says)
            .rule("While spec.paused is true no rollout starts, whatever its triggers say")
            .help(format!(
                "Let it go on: oc -n {} rollout resume dc/{}",
                dc.namespace(),
                dc.name()
            ));
    }
    if version == 0 {
        return never(facts, dc);
    }
    let Some(latest) = latest else {
        if observed_generation(dc) < dc.generation() {
            return Finding::waiting(object, format!("rollout {version} is about to be made"));
        }
        return Finding::waiting(
            object,
            format!("the replication controller of rollout {version} is not there"),
        );
    };
    match Phase::of(latest) {
        Phase::Complete => complete(facts, dc, latest),
        Phase::Failed => failed(facts, dc, latest),
        phase => under_way(facts, dc, latest, phase),
    }
}

/// No rollout was ever made.
fn never(facts: &Facts, dc: &Value) -> Finding {
    let object = title(dc);
    let open = image_changes(dc).filter(|params| params.str_at(&["lastTriggeredImage"]).is_empty());
    let waits: Vec<Finding> = open.map(|params| image(facts, dc, params)).collect();
    let by_hand =
        format!("Start one by hand: oc -n {} rollout latest dc/{}", dc.namespace(), dc.name());
    if !waits.is_empty() {
        return Finding::waiting(object, "its first rollout waits for an image")
            .rule("The first rollout begins when every image trigger has found its image")
            .because(waits);
    }
    if image_changes(dc).next().is_none() && !has_config_change(dc) {
        return Finding::held(object, "nothing starts its first rollout")
            .rule("A rollout begins by a ConfigChange or ImageChange trigger, or by hand")
            .help(by_hand);
    }
    Finding::waiting(object, "its first rollout is about to begin")
}

/// An image trigger that has not found its image.
fn image(facts: &Facts, dc: &Value, params: &Value) -> Finding {
    let (namespace, stream, tag) = trigger_source(params, dc.namespace());
    let object = format!("imagestreamtag/{stream}:{tag}");
    let found = facts.all(&IMAGE_STREAMS).iter();
    let found = { found }.find(|is| is.namespace() == namespace && is.name() == stream);
    let Some(found) = found else {
        return Finding::held(
            object,
            format!("there is no image stream {stream:?} in {namespace}"),
        )
        .rule("An ImageChange trigger follows a tag of an image stream")
        .help(format!(
            "Make it, or tag an image into it: oc tag <image> {namespace}/{stream}:{tag}"
        ));
    };
    let tags = found.list_at(&["status", "tags"]).iter();
    let resolved = { tags }.find(|entry| entry.str_at(&["tag"]) == tag);
    if resolved.is_none_or(|entry| entry.list_at(&["items"]).is_empty()) {
        return Finding::held(
            object,
            format!("image stream {namespace}/{stream} has no image under tag {tag:?}"),
        )
        .rule("An ImageChange trigger fires when its tag points to an image")
        .help(format!("Push or tag one: oc tag <image> {namespace}/{stream}:{tag}"));
    }
    if !params.bool_at(&["automatic"]) {
        return Finding::held(object, "its tag has an image, but the trigger is not automatic")
            .rule("A trigger with automatic: false takes a new image only with a rollout by hand")
            .help(format!("oc -n {} rollout latest dc/{}", dc.namespace(), dc.name()));
    }
    Finding::waiting(object, "its tag has an image, which the trigger has not taken over yet")
}

fn complete(facts: &Facts, dc: &Value, latest: &Value) -> Finding {
    let object = title(dc);
    if let Decision::Trigger { details } = decide(dc, Some(latest)) {
        let says = format!("a new rollout is about to begin: {}", details.str_at(&["message"]));
        return Finding::waiting(object, says);
    }
    let below = controllers::look(facts, latest);
    if below.is_settled() {
        let says = format!("rollout {} is complete: {}", version_of(latest), below.says);
        return Finding::settled(object, says);
    }
    let says = format!("rollout {} is complete, but its pods are not well", version_of(latest));
    Finding::waiting(object, says).because([below])
}

fn failed(facts: &Facts, dc: &Value, latest: &Value) -> Finding {
    let reason = latest.annotation(keys::STATUS_REASON).unwrap_or_default();
    let cause = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let word = if is_cancelled(latest) { "was cancelled" } else { "has failed" };
    let serving = facts
        .all(&REPLICATION_CONTROLLERS)
        .iter()
        .filter(|rc| rc.annotation(keys::CONFIG_NAME) == Some(dc.name()))
        .filter(|rc| Phase::of(rc) == Phase::Complete)
        .max_by_key(|rc| version_of(rc));
    let rest = match serving {
        Some(rc) => format!(
            "rollout {} serves ({} ready)",
            version_of(rc),
            count(ready_replicas(rc), "pod")
        ),
        None => "no rollout serves".to_owned(),
    };
    let says = format!("rollout {}{cause} {word}; {rest}", version_of(latest));
    let (ns, name) = (dc.namespace(), dc.name());
    let mut finding = Finding::failed(title(dc), says)
        .rule("After a failed rollout the last complete one gets its pods back; nothing is tried again by itself")
        .help(format!("See the deployer's log: oc -n {ns} logs {}", deployer_pod_name(latest.name())))
        .help(format!("Try again: oc -n {ns} rollout retry dc/{name} (or oc rollout latest dc/{name})"));
    let hooks = hook_pods(facts, latest);
    finding = finding.because(pod::unsettled(facts, hooks));
    let pods = facts.owned(&PODS, latest).map(|pod| &**pod);
    finding = finding.because(pod::unsettled(facts, pods));
    if finding.because.is_empty() {
        finding = finding.because(last_words(facts, latest));
    }
    finding
}

/// The newest warning about a pod of the rollout: the pods are gone, their events are not.
fn last_words(facts: &Facts, rc: &Value) -> Option<Finding> {
    let deployer = deployer_pod_name(rc.name());
    let warnings = facts.all(&EVENTS).iter().filter(|event| {
        let (kind, name) =
            (event.str_at(&["involvedObject", "kind"]), event.str_at(&["involvedObject", "name"]));
        let own = name.strip_prefix(rc.name()).is_some_and(|rest| rest.starts_with('-'));
        // What comes after `Error: ` only names the reason once more.
        let says = !event.str_at(&["message"]).starts_with("Error: ");
        event.str_at(&["type"]) == "Warning" && kind == "Pod" && own && name != deployer && says
    });
    let last = warnings.max_by_key(|event| event.str_at(&["lastTimestamp"]))?;
    let object = format!("pod/{}", last.str_at(&["involvedObject", "name"]));
    let says = format!("its last warning, before it was removed: {}", last.str_at(&["message"]));
    Some(Finding::failed(object, says))
}

fn hook_pods<'a>(facts: &'a Facts, rc: &'a Value) -> impl Iterator<Item = &'a Value> {
    let of = facts.all(&PODS).iter().map(|pod| &**pod);
    of.filter(|pod| {
        pod.label(keys::DEPLOYER_POD_FOR) == rc.name()
            && !pod.label(keys::DEPLOYER_POD_TYPE).is_empty()
    })
}

/// A rollout between its beginning and its end.
fn under_way(facts: &Facts, dc: &Value, latest: &Value, phase: Phase) -> Finding {
    let object = title(dc);
    let version = version_of(latest);
    let deployer = facts.find(&PODS, &deployer_pod_name(latest.name())).map(|pod| &**pod);
    let Some(deployer) = deployer.filter(|_| phase == Phase::Running) else {
        let says =
            format!("rollout {version} is {}: its deployer pod does not run yet", phase.as_str());
        let told = facts.told(latest, &["FailedCreate"]).map(|event| event.str_at(&["message"]));
        let finding = Finding::waiting(object, says)
            .rule("A rollout is carried out by a pod of its own, <rollout>-deploy");
        return match (deployer, told) {
            (None, Some(text)) => {
                controllers::refused(finding.because([Finding::held(title(latest), text)]), text)
            }
            (deployer, _) => finding.because(pod::unsettled(facts, deployer)),
        };
    };
    if is_cancelled(latest) {
        let says = format!("rollout {version} is being cancelled");
        return Finding::waiting(object, says).because(pod::unsettled(facts, [deployer]));
    }
    let hook = hook_pods(facts, latest).find(|pod| !is_terminal(pod) && !is_terminating(pod));
    if let Some(hook) = hook {
        let kind = hook.label(keys::DEPLOYER_POD_TYPE).trim_start_matches("hook-");
        let says = format!("rollout {version} runs its {kind} hook");
        let below = pod::look(facts, hook);
        let below =
            if below.is_settled() { Finding { state: State::Waiting, ..below } } else { below };
        return Finding::waiting(object, says).rule(hook_rule(kind)).because([below]);
    }
    scaling(facts, dc, latest)
}

fn hook_rule(kind: &str) -> &'static str {
    match kind {
        "pre" => "Nothing is scaled before the pre hook has ended",
        "mid" => "Between the old pods and the new ones the mid hook must end",
        _ => "A rollout is complete when its post hook has ended",
    }
}

/// The deployer scales up and down.
fn scaling(facts: &Facts, dc: &Value, latest: &Value) -> Finding {
    let wanted = dc.int_at(&["spec", "replicas"]).unwrap_or(0);
    let others = facts.all(&REPLICATION_CONTROLLERS).iter().filter(|rc| {
        rc.annotation(keys::CONFIG_NAME) == Some(dc.name()) && rc.name() != latest.name()
    });
    let old: i64 = others.clone().map(|rc| replicas(rc)).sum();
    let available = available_replicas(latest);
    let says = format!(
        "rollout {} is under way: {available} of {} available, {} of older rollouts left",
        version_of(latest),
        count(wanted, "new pod"),
        count(old, "pod")
    );
    let mut finding = Finding::waiting(title(dc), says);
    let strategy = dc.str_at(&["spec", "strategy", "type"]);
    let field = if strategy == "Recreate" { "recreateParams" } else { "rollingParams" };
    let params = dc.at(&["spec", "strategy", field]);
    if strategy == "Rolling" && old > 0 {
        let (surge, unavailable) = resolve_fenceposts(params, wanted);
        finding = finding.rule(format!(
            "Rolling: at most {} exist at a time (maxSurge), and an old one goes only while {} stay \
             available (maxUnavailable)",
            count(wanted + surge, "pod"), wanted - unavailable
        ));
    } else if old > 0 {
        finding = finding.rule("Recreate: all old pods go before new ones are made");
    }
    let seconds = params.and_then(|params| params.int_at(&["timeoutSeconds"])).unwrap_or(600);
    finding = finding.rule(format!(
        "The deployer gives up when it has waited {seconds} s for a pod (timeoutSeconds); the rollout then fails and is undone"
    ));
    let gone = others.flat_map(|rc| facts.owned(&PODS, rc)).map(|pod| &**pod);
    let gone: Vec<&Value> = gone.filter(|pod| is_terminating(pod)).collect();
    let below = controllers::look(facts, latest);
    let below = (!below.is_settled()).then_some(below);
    finding.because(below).because(pod::unsettled(facts, gone))
}
