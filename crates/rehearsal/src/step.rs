//! The kinds of steps, one file each.
//!
//! Invariant: a step that returns `Ok` held; its effects may still be spreading.

mod apply;
mod check;
mod publish;
mod tag;
mod verify;

use std::time::Duration;

use serde_json::json;

use crate::load::Plan;
use crate::runner::{Error, Stage};
use crate::spec::{Check, Condition, Step};

/// What a step does, for people.
#[must_use]
pub fn title(step: &Step) -> String {
    if let Some(stage) = &step.new_project {
        return format!("new project {}", stage.project);
    }
    if let Some(stage) = &step.apply {
        return format!("apply the manifests of {}", stage.project);
    }
    if let Some(publish) = &step.publish {
        return format!("publish {} to {}", publish.image, publish.to);
    }
    if let Some(tag) = &step.tag {
        return format!("tag {} into {}", tag.from, tag.to);
    }
    if let Some(verify) = &step.verify_deployment {
        return format!("verify the rollout of {}/{}", verify.project, verify.deployment_config);
    }
    if let Some(approve) = &step.approve {
        return format!("approve: {}", approve.message);
    }
    if let Some(wait) = &step.wait {
        return format!("wait {} s", wait.seconds);
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
        let (project, dc) = (&pods.project, &pods.deployment_config);
        return format!("{} ready pods of {project}/{dc}", bounds.join(", "));
    }
    if let Some(field) = &condition.field {
        return format!("{} of {} {}", field.path, field.kind, field.name);
    }
    let page = condition.page.as_ref();
    page.map(|page| {
        let (project, dc) = (&page.project, &page.deployment_config);
        format!("every pod of {project}/{dc} answers {:?} on {}", page.contains, page.path)
    })
    .unwrap_or_default()
}

/// Carries one step out.
pub(crate) fn run(step: &Step, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    if let Some(reference) = &step.new_project {
        return new_project(&reference.project, plan, stage);
    }
    if let Some(reference) = &step.apply {
        return apply::run(&reference.project, plan, stage);
    }
    if let Some(publish) = &step.publish {
        return publish::run(publish, plan, stage);
    }
    if let Some(tag) = &step.tag {
        return tag::run(tag, stage);
    }
    if let Some(verify) = &step.verify_deployment {
        return verify::run(verify, stage);
    }
    if let Some(approve) = &step.approve {
        let granted = stage.run.progress.approve(&approve.message);
        return if granted { Ok(()) } else { Err(Error::NotHeld("not approved".to_owned())) };
    }
    if let Some(wait) = &step.wait {
        let patience = Duration::from_secs(wait.seconds);
        return stage.run_until(patience, &mut |_| false).map(|_| ());
    }
    match &step.check {
        Some(check) => check::run(check, stage),
        None => Ok(()),
    }
}

fn new_project(project: &str, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let found = plan.spec.stages.iter().find(|stage| stage.project == project);
    let display_name = found.map(|stage| stage.display_name.as_str()).unwrap_or_default();
    let request = json!({
        "apiVersion": "project.openshift.io/v1",
        "kind": "ProjectRequest",
        "metadata": {"name": project},
        "displayName": display_name,
    });
    stage.client().create(&api::PROJECT_REQUESTS, "", request)?;
    Ok(())
}
