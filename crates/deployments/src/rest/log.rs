//! `deploymentconfigs/log`: the deployer's log while a rollout runs, an application pod's afterwards.
//!
//! A rollout that has not begun is waited for, a minute at most: for its replication controller, then
//! for its deployer to run.
//!
//! Deviation: nothing goes on while a simulated world answers, so there the answer is at once the one
//! of the end of that minute.
//!
//! Mirrors: `openshift/origin pkg/apps/apiserver/registry/deploylog/rest.go`.

use std::cmp::Reverse;

use apimachinery::{ObjectExt as _, Status, Value, field};
use apiserver::{Call, HandlerContext, ListOptions, LogOptions, LogStream, RestHandler};

use super::config;
use crate::keys;
use crate::rollout::{Phase, deployer_pod_name, rollout_name};

#[derive(Debug)]
pub(super) struct Log;

impl RestHandler for Log {
    fn log(&self, cx: &HandlerContext<'_>, options: &LogOptions) -> Result<LogStream, Status> {
        let rollout = wanted_rollout(cx, options)?;
        let rc = find(cx, &api::REPLICATION_CONTROLLERS, &rollout)?;
        let deployer = deployer_pod_name(&rollout);
        let pod = match Phase::of(&rc) {
            Phase::Complete => application_pod(cx, &rollout)?,
            Phase::New | Phase::Pending if has(options, "nowait") => {
                return Ok(Box::pin(futures_util::stream::empty()));
            }
            Phase::New | Phase::Pending if !has_begun(cx, &deployer) => {
                return Err(Status::bad_request(format!(
                    "failed to run deployer pod {deployer}: timed out waiting for the condition"
                )));
            }
            _ => deployer,
        };
        let call = Call::new(cx.call.user, &api::PODS)
            .within(cx.call.namespace)
            .named(&pod)
            .subresource("log");
        let options = LogOptions { previous: false, ..options.clone() };
        cx.server.log(&call, &options)
    }

    fn log_waits_for(
        &self,
        cx: &HandlerContext<'_>,
        options: &LogOptions,
    ) -> &'static [&'static api::Resource] {
        const BEGINNING: &[&api::Resource] = &[&api::REPLICATION_CONTROLLERS, &api::PODS];
        let Ok(rollout) = wanted_rollout(cx, options) else { return &[] };
        let waits = match find(cx, &api::REPLICATION_CONTROLLERS, &rollout) {
            Ok(rc) => {
                matches!(Phase::of(&rc), Phase::New | Phase::Pending) && !has(options, "nowait")
            }
            Err(missing) => missing.is_not_found(),
        };
        if waits { BEGINNING } else { &[] }
    }
}

fn has(options: &LogOptions, flag: &str) -> bool {
    options.more.get(flag).is_some_and(|value| !matches!(value.as_str(), "0" | "false"))
}

fn find(
    cx: &HandlerContext<'_>,
    resource: &'static api::Resource,
    name: &str,
) -> Result<Value, Status> {
    let call = Call::new(cx.call.user, resource).within(cx.call.namespace).named(name);
    cx.server.get(&call).map(apiserver::Stored::into_value)
}

fn has_begun(cx: &HandlerContext<'_>, deployer: &str) -> bool {
    find(cx, &api::PODS, deployer).is_ok_and(|pod| {
        matches!(pod.str_at(&["status", "phase"]), "Running" | "Succeeded" | "Failed")
    })
}

fn wanted_rollout(cx: &HandlerContext<'_>, options: &LogOptions) -> Result<String, Status> {
    let dc = config(cx)?;
    Ok(rollout_name(&dc, wanted_version(&dc, options)?))
}

/// The rollout asked for: the latest, the one before, or one by its number.
fn wanted_version(dc: &Value, options: &LogOptions) -> Result<i64, Status> {
    let name = dc.name();
    let latest = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    if options.previous && options.more.contains_key("version") {
        let text = "cannot use previous when a version is specified";
        let errors = vec![field::Error::invalid(&field::Path::new("previous"), true, text)];
        return Err(Status::invalid("apps.openshift.io", "DeploymentLogOptions", "", &errors));
    }
    if latest == 0 {
        let text = format!("no deployment exists for deploymentConfig {name:?}");
        return Err(Status::bad_request(text));
    }
    if options.previous {
        if latest <= 1 {
            let text = format!("no previous deployment exists for deploymentConfig {name:?}");
            return Err(Status::bad_request(text));
        }
        return Ok(latest - 1);
    }
    let Some(text) = options.more.get("version") else { return Ok(latest) };
    match text.parse::<i64>() {
        Ok(version) if (1..=latest).contains(&version) => Ok(version),
        _ => {
            let text = format!("invalid version for deploymentConfig {name:?}: {text}");
            Err(Status::bad_request(text))
        }
    }
}

/// The pod of `rollout` whose log says most: assigned, running, ready before others, older first.
fn application_pod(cx: &HandlerContext<'_>, rollout: &str) -> Result<String, Status> {
    let call = Call::new(cx.call.user, &api::PODS).within(cx.call.namespace);
    let selector = format!("{}={rollout}", keys::DEPLOYMENT_LABEL);
    let options = ListOptions { label_selector: selector, ..ListOptions::default() };
    let pods = cx.server.list(&call, &options)?.items;
    let rank = |pod: &Value| {
        let assigned = !pod.str_at(&["spec", "nodeName"]).is_empty();
        let running = pod.str_at(&["status", "phase"]) == "Running";
        let ready = api::views::pod::is_ready(pod);
        (Reverse((assigned, running, ready)), pod.creation_timestamp().to_owned())
    };
    let best = pods.iter().min_by_key(|pod| rank(&pod.value()));
    best.map(|pod| pod.value().name().to_owned())
        .ok_or_else(|| Status::not_found("", "pods", rollout))
}
