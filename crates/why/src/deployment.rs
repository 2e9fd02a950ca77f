//! What a Deployment waits for.
//!
//! Invariant: which replica set is the new one, how far it may grow and when a rollout is over is
//! asked of the controller's own rules.

use api::REPLICA_SETS;
use api::views::pod::condition;
use api::views::workload::{available_replicas, observed_generation, replicas};
use apimachinery::{ObjectExt as _, Value};
use controllers::deployment::rules;

use crate::facts::{Facts, are, count, title};
use crate::finding::{Finding, State};
use crate::{pod, replicas as sets};

/// How a Deployment stands.
#[must_use]
pub fn look(facts: &Facts, deployment: &Value) -> Finding {
    let object = title(deployment);
    if let Some(finding) = sets::deleted(deployment) {
        return finding;
    }
    if observed_generation(deployment) < deployment.generation() {
        return Finding::waiting(object, "its last change has not been looked at yet");
    }
    let owned: Vec<Value> =
        facts.owned(&REPLICA_SETS, deployment).map(|set| (**set).clone()).collect();
    let paused = deployment.bool_at(&["spec", "paused"]);
    let new = rules::new_set(deployment, &owned);
    let new = new.and_then(|name| owned.iter().find(|set| set.name() == name));
    let status = deployment.at(&["status"]).cloned().unwrap_or_default();
    let complete = new.is_some() && rules::is_complete(deployment, &status);
    if complete {
        let says = format!(
            "{} of the current template available{}",
            count(replicas(deployment), "pod"),
            if paused { "; it is paused" } else { "" }
        );
        return Finding::settled(object, says);
    }
    if paused {
        return Finding::held(object, "it is paused in the middle of a change")
            .rule("While spec.paused is true no rollout starts or goes on; its size still follows")
            .help(format!(
                "Let it go on: kubectl -n {} rollout resume deployment/{}",
                deployment.namespace(),
                deployment.name()
            ));
    }
    match new {
        None => without_new(deployment),
        Some(new) => rolling(facts, deployment, new, &owned),
    }
}

fn without_new(deployment: &Value) -> Finding {
    let told = condition(deployment, "Progressing");
    let failed = told.filter(|it| it.str_at(&["reason"]) == "ReplicaSetCreateError");
    match failed {
        Some(failed) => Finding::failed(title(deployment), failed.str_at(&["message"])),
        None => Finding::waiting(
            title(deployment),
            "there is no replica set of its current template yet",
        ),
    }
}

fn rolling(facts: &Facts, deployment: &Value, new: &Value, owned: &[Value]) -> Finding {
    let wanted = replicas(deployment);
    let (there, available) = (replicas(new), available_replicas(new));
    let old: i64 = owned.iter().filter(|set| set.name() != new.name()).map(replicas).sum();
    let says = format!(
        "a rollout to {} is under way: {available} of {} available, {} of older templates left",
        title(new),
        count(wanted, "new pod"),
        count(old, "pod")
    );
    let (state, says) = match deadline(facts, deployment) {
        Some(late) => (State::Failed, format!("{says}; {late}")),
        None => (State::Waiting, says),
    };
    let mut finding = Finding::new(title(deployment), state, says);
    if deployment.str_at(&["spec", "strategy", "type"]) == "Recreate" {
        if there < wanted {
            finding = finding.rule("Recreate: new pods are made when every old one is gone");
            let olds = owned.iter().filter(|set| set.name() != new.name());
            let pods = olds.flat_map(|set| facts.owned(&api::PODS, set)).map(|pod| &**pod);
            finding = finding.because(pod::unsettled(facts, pods));
        }
    } else {
        for rule in bounds(deployment, new, owned, old) {
            finding = finding.rule(rule);
        }
    }
    if state == State::Failed {
        let seconds = deployment.int_at(&["spec", "progressDeadlineSeconds"]).unwrap_or(600);
        finding = finding
            .rule(format!(
                "A rollout without progress for {seconds} s counts as failed (progressDeadlineSeconds); \
                 it is not undone by itself"
            ))
            .help(format!(
                "Mend what holds the pod below, or go back: kubectl -n {} rollout undo deployment/{}",
                deployment.namespace(), deployment.name()
            ));
    }
    let held = sets::look(facts, new);
    let olds = owned.iter().filter(|set| set.name() != new.name() && replicas(set) > 0);
    let olds = olds.map(|set| sets::look(facts, set)).filter(|set| set.state == State::Held);
    let causes = [held].into_iter().filter(|held| !held.is_settled()).chain(olds);
    finding.because(causes)
}

fn deadline(facts: &Facts, deployment: &Value) -> Option<String> {
    let told = condition(deployment, "Progressing")?;
    if told.str_at(&["reason"]) != "ProgressDeadlineExceeded" {
        return None;
    }
    let since = facts.ago(told.str_at(&["lastTransitionTime"]))?;
    Some(format!("its deadline passed {since} ago"))
}

/// The bounds of a rolling update that hold it now.
fn bounds(deployment: &Value, new: &Value, owned: &[Value], old: i64) -> Vec<String> {
    let wanted = replicas(deployment);
    let params = |field: &str| {
        let value = deployment.at(&["spec", "strategy", "rollingUpdate", field]);
        value.cloned().unwrap_or_else(|| Value::from("25%"))
    };
    let (surge, unavailable) = (params("maxSurge"), params("maxUnavailable"));
    let Ok((most, fewer)) = rules::fenceposts(&surge, &unavailable, wanted) else {
        return Vec::new();
    };
    let plain = |value: &Value| value.to_string().replace('"', "");
    let mut held = Vec::new();
    if rules::new_size(deployment, owned) <= replicas(new) && replicas(new) < wanted {
        held.push(format!(
            "At most {} may exist at a time (replicas {wanted} + maxSurge {} = {most})",
            count(wanted + most, "pod"),
            plain(&surge)
        ));
    }
    if old > 0 {
        let available: i64 = owned.iter().map(available_replicas).sum();
        held.push(format!(
            "An old pod goes only while at least {} stay available (replicas {wanted} - \
             maxUnavailable {} = {fewer}); {available} {} now",
            count(wanted - fewer, "pod"),
            plain(&unavailable),
            are(available)
        ));
    }
    held
}
