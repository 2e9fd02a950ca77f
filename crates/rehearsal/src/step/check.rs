//! `check`: holds the cluster to a condition, at every moment or at some moment.
//!
//! Invariant: `always` is looked at after every write of the period, not now and then.

use std::time::Duration;

use api::views::deployment_config::serves;
use apimachinery::{Gvk, ObjectExt as _, Value};
use apiserver::Client;
use cluster::pages::Pages;

use crate::load::Plan;
use crate::runner::{Error, Stage, ready_pods};
use crate::spec::{Check, Condition, FieldCondition, Page, ReadyPods};

/// Patience of `eventually` and length of `always` when the file does not say.
const DEFAULT_SECONDS: u64 = 60;

/// How long between two looks at something that changes without a write, such as a page.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub(super) fn run(check: &Check, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    stage.settle()?;
    let of = |condition: &Condition| {
        let (_, cluster, project) = condition.subject();
        super::cluster_of(plan, cluster, project)
    };
    if let Some(condition) = &check.always {
        let length = Duration::from_secs(check.for_seconds.unwrap_or(DEFAULT_SECONDS));
        return always(condition, length, of(condition)?, stage);
    }
    match &check.eventually {
        Some(condition) => {
            let patience = Duration::from_secs(check.within_seconds.unwrap_or(DEFAULT_SECONDS));
            eventually(condition, patience, of(condition)?, stage)
        }
        None => Ok(()),
    }
}

fn always(
    condition: &Condition,
    length: Duration,
    cluster: usize,
    stage: &mut Stage<'_, '_>,
) -> Result<(), Error> {
    let pages = stage.pages(cluster);
    let mut broken = holds(condition, &stage.client(cluster), &pages).err();
    if broken.is_none() {
        stage.run_until(cluster, length, &mut |client| {
            broken = holds(condition, client, &pages).err();
            broken.is_some()
        })?;
    }
    broken.map_or(Ok(()), |why| Err(Error::NotHeld(why)))
}

fn eventually(
    condition: &Condition,
    patience: Duration,
    cluster: usize,
    stage: &mut Stage<'_, '_>,
) -> Result<(), Error> {
    let pages = stage.pages(cluster);
    let deadline = stage.now() + patience;
    loop {
        let Err(why) = holds(condition, &stage.client(cluster), &pages) else { return Ok(()) };
        let now = stage.now();
        if now >= deadline {
            let seconds = patience.as_secs();
            return Err(Error::NotHeld(format!("not within {seconds} s: {why}")));
        }
        let slice = deadline.since(now).min(LOOK_AGAIN);
        stage.run_until(cluster, slice, &mut |client| holds(condition, client, &pages).is_ok())?;
    }
}

/// Whether the condition holds now; the error says what is instead.
fn holds(condition: &Condition, client: &Client, pages: &Pages) -> Result<(), String> {
    if let Some(pods) = &condition.ready_pods {
        return ready(pods, client);
    }
    if let Some(field) = &condition.field {
        return field_holds(field, client);
    }
    condition.page.as_ref().map_or(Ok(()), |page| page_holds(page, client, pages))
}

fn ready(wanted: &ReadyPods, client: &Client) -> Result<(), String> {
    let count = ready_pods(client, &wanted.project, &wanted.deployment_config);
    let enough = wanted.at_least.is_none_or(|bound| count >= bound);
    let few = wanted.at_most.is_none_or(|bound| count <= bound);
    if enough && few {
        return Ok(());
    }
    Err(format!("{}/{} has {count} ready pods", wanted.project, wanted.deployment_config))
}

fn field_holds(wanted: &FieldCondition, client: &Client) -> Result<(), String> {
    let gvk = Gvk::from_api_version(&wanted.api_version, &wanted.kind);
    let resource = api::find_kind(&gvk.group, &gvk.version, &gvk.kind)
        .ok_or_else(|| format!("there is no kind {}", wanted.kind))?;
    let object =
        client.get(resource, &wanted.project, &wanted.name).map_err(|status| status.message)?;
    let path: Vec<&str> = wanted.path.split('.').collect();
    let found = object.at(&path).cloned().unwrap_or(Value::Null);
    let number = found.as_i64();
    let equal = wanted.equals.as_ref().is_none_or(|value| *value == found);
    let enough = wanted.at_least.is_none_or(|bound| number.is_some_and(|n| n >= bound));
    let few = wanted.at_most.is_none_or(|bound| number.is_some_and(|n| n <= bound));
    if equal && enough && few {
        return Ok(());
    }
    Err(format!("{} of {} {} is {found}", wanted.path, wanted.kind, wanted.name))
}

fn page_holds(wanted: &Page, client: &Client, pages: &Pages) -> Result<(), String> {
    let dc = &wanted.deployment_config;
    let pods = client.list(&api::PODS, &wanted.project).map_err(|status| status.message)?;
    let ready = pods.iter().filter(|pod| serves(pod, dc));
    let mut any = false;
    for pod in ready {
        any = true;
        let ip = pod.str_at(&["status", "podIP"]);
        let answer = pages.get(ip, wanted.port, &wanted.path);
        let answer = answer.map_err(|error| format!("{}: {error}", pod.name()))?;
        if !answer.body.contains(&wanted.contains) {
            let (name, status) = (pod.name(), answer.status);
            return Err(format!("{name} answers {status} {:?}", answer.body.trim_end()));
        }
    }
    if any { Ok(()) } else { Err(format!("no pod of {}/{dc} is ready", wanted.project)) }
}
