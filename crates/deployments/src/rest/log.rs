//! `deploymentconfigs/log`: the deployer's log while a rollout runs, an application pod's afterwards.
//!
//! Deviation: what OpenShift 3.11 waits up to a minute for (the rollout, its deployer pod) must be
//! there when asked; otherwise the answer is the one given after that minute.
//!
//! Mirrors: `openshift/origin pkg/apps/apiserver/registry/deploylog/rest.go`.

use std::cmp::Reverse;

use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Call, HandlerContext, ListOptions, LogOptions, LogStream, RestHandler};

use super::config;
use crate::keys;
use crate::rollout::{Phase, deployer_pod_name, rollout_name};

#[derive(Debug)]
pub(super) struct Log;

impl RestHandler for Log {
    fn log(&self, cx: &HandlerContext<'_>, options: &LogOptions) -> Result<LogStream, Status> {
        let dc = config(cx)?;
        let rollout = rollout_name(&dc, wanted_version(&dc, options)?);
        let call = Call::new(cx.call.user, &api::REPLICATION_CONTROLLERS)
            .within(cx.call.namespace)
            .named(&rollout);
        let rc = cx.server.get(&call)?.into_value();
        let pod = match Phase::of(&rc) {
            Phase::Complete => application_pod(cx, &rollout)?,
            _ => deployer_pod_name(&rollout),
        };
        let call = Call::new(cx.call.user, &api::PODS)
            .within(cx.call.namespace)
            .named(&pod)
            .subresource("log");
        let options = LogOptions { previous: false, ..options.clone() };
        cx.server.log(&call, &options)
    }
}

/// The rollout asked for: the latest, the one before, or one by its number.
fn wanted_version(dc: &Value, options: &LogOptions) -> Result<i64, Status> {
    let name = dc.name();
    let latest = dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
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
