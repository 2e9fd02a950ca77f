//! The kinds of steps, one file each.
//!
//! Invariant: a step that returns `Ok` held; its effects may still be spreading.

mod apply;
mod check;
mod expectation;
mod registry;
mod tag;
mod verify;

use std::time::Duration;

use apimachinery::json;

use crate::load::Plan;
use crate::place::joined;
use crate::runner::{Error, Stage};
use crate::spec::{Check, Condition, Step};

/// What a step does, for people; with what it is expected to come to, if that is not success.
#[must_use]
pub fn title(step: &Step) -> String {
    let title = action_title(step);
    if let Some(refusal) = &step.refused {
        let reason = refusal.reason.as_deref().unwrap_or_default();
        return format!(
            "{title} (to be refused{}{reason})",
            if reason.is_empty() { "" } else { ": " }
        );
    }
    if step.fails.is_some() { format!("{title} (to fail)") } else { title }
}

fn action_title(step: &Step) -> String {
    if let Some(stage) = &step.new_project {
        return format!("new project {}", joined(&stage.cluster, &stage.project));
    }
    if let Some(stage) = &step.apply {
        return format!("apply the manifests of {}", joined(&stage.cluster, &stage.project));
    }
    if let Some(publish) = &step.publish {
        return format!("publish {} to {}", publish.image, publish.to);
    }
    if let Some(tag) = &step.tag {
        return format!("tag {} into {}", tag.from, tag.to);
    }
    if let Some(verify) = &step.verify_deployment {
        let project = joined(&verify.cluster, &verify.project);
        return format!("verify the rollout of {project}/{}", verify.deployment_config);
    }
    if let Some(approve) = &step.approve {
        return format!("approve: {}", approve.message);
    }
    if let Some(wait) = &step.wait {
        return format!("wait {} s", wait.seconds);
    }
    if let Some(pull) = &step.pull {
        return format!("pull {}", pull.image);
    }
    if let Some(push) = &step.push {
        return format!("push {} as {}", push.image, push.to);
    }
    if let Some(copy) = &step.copy {
        return format!("copy {} to {}", copy.from, copy.to);
    }
    if let Some(remove) = &step.remove {
        return format!("remove {}", remove.images.join(", "));
    }
    step.check.as_ref().map(check_title).unwrap_or_default()
}

fn check_title(check: &Check) -> String {
    let (word, condition) = match (&check.always, &check.eventually) {
        (Some(condition), _) => ("always", condition),
        (None, Some(condition)) => ("eventually", condition),
        (None, None) => return "check".to_owned(),
    };
    format!("check {word}: {}", condition_title(condition))
}

fn condition_title(condition: &Condition) -> String {
    if let Some(pods) = &condition.ready_pods {
        let bounds = [("at least", pods.at_least), ("at most", pods.at_most)];
        let bounds: Vec<String> = bounds
            .iter()
            .filter_map(|(word, bound)| bound.map(|bound| format!("{word} {bound}")))
            .collect();
        let (project, dc) = (joined(&pods.cluster, &pods.project), &pods.deployment_config);
        return format!("{} ready pods of {project}/{dc}", bounds.join(", "));
    }
    if let Some(field) = &condition.field {
        return format!("{} of {} {}", field.path, field.kind, field.name);
    }
    let page = condition.page.as_ref();
    page.map(|page| {
        let (project, dc) = (joined(&page.cluster, &page.project), &page.deployment_config);
        format!("every pod of {project}/{dc} answers {:?} on {}", page.contains, page.path)
    })
    .unwrap_or_default()
}

/// Carries one step out, and holds it to what is expected of it; `place` is where it stands in the
/// file.
pub(crate) fn run(
    step: &Step,
    place: &str,
    plan: &Plan,
    stage: &mut Stage<'_, '_>,
) -> Result<(), Error> {
    let outcome = act(step, plan, stage);
    if matches!(outcome, Err(Error::Interrupted | Error::Store(_))) {
        return outcome;
    }
    expectation::judge(step, place, plan, outcome)
}

fn act(step: &Step, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    if let Some(reference) = &step.new_project {
        return new_project(stage_of(plan, &reference.cluster, &reference.project)?, plan, stage);
    }
    if let Some(reference) = &step.apply {
        return apply::run(stage_of(plan, &reference.cluster, &reference.project)?, plan, stage);
    }
    if let Some(publish) = &step.publish {
        return registry::publish(publish, plan, stage);
    }
    if let Some(tag) = &step.tag {
        return tag::run(tag, plan, stage);
    }
    if let Some(pull) = &step.pull {
        return registry::pull(&pull.image, plan, stage);
    }
    if let Some(push) = &step.push {
        return registry::push(push, plan, stage);
    }
    if let Some(copy) = &step.copy {
        return registry::copy(copy, plan, stage);
    }
    if let Some(remove) = &step.remove {
        return registry::remove(remove, plan, stage);
    }
    if let Some(verify) = &step.verify_deployment {
        return verify::run(verify, plan, stage);
    }
    if let Some(approve) = &step.approve {
        let granted = stage.run.progress.approve(&approve.message);
        return if granted { Ok(()) } else { Err(Error::NotHeld("not approved".to_owned())) };
    }
    if let Some(wait) = &step.wait {
        let patience = Duration::from_secs(wait.seconds);
        return stage.run_until(0, patience, &mut |_| false).map(|_| ());
    }
    match &step.check {
        Some(check) => check::run(check, plan, stage),
        None => Ok(()),
    }
}

/// The number of a stage; loading has made sure that there is one.
fn stage_of(plan: &Plan, cluster: &str, project: &str) -> Result<usize, Error> {
    plan.spec.stage_of(cluster, project).map_err(Error::NotHeld)
}

fn cluster_of(plan: &Plan, cluster: &str, project: &str) -> Result<usize, Error> {
    plan.spec.cluster_of(cluster, project).map_err(Error::NotHeld)
}

fn new_project(number: usize, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let wanted = &plan.spec.stages[number];
    let request = json!({
        "apiVersion": "project.openshift.io/v1",
        "kind": "ProjectRequest",
        "metadata": {"name": wanted.project},
        "displayName": wanted.display_name,
    });
    let cluster = cluster_of(plan, &wanted.cluster, &wanted.project)?;
    stage.client(cluster).create(&api::PROJECT_REQUESTS, "", request)?;
    Ok(())
}
