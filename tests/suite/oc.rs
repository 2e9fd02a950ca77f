//! The requests that `oc` 3.11 sends for its commands, with the answers that a recorded 3.11 gave: one
//! file per group of commands. (Logging in and out is with the crate `authentication`.)
//!
//! `oc` itself is not needed: what it prints it makes of these answers.

mod application;
mod custom;
mod legacy;
mod policy;
mod project;
mod rollout;
mod tag;
mod template;

use apimachinery::json;
use cluster::Access;

use crate::harness::raw::Raw;
use crate::harness::served::Served;

/// A cluster with OpenShift's rules, its administrator, and alice with a project `shop`.
fn shop() -> (Served, Raw, Raw) {
    let cluster = Served::with(|config| config.access = Access::Policy);
    let admin = Raw::admin(&cluster);
    let alice = admin.by("alice");
    let request = json!({"kind": "ProjectRequest", "apiVersion": "project.openshift.io/v1",
        "metadata": {"name": "shop"}, "displayName": "Shop"});
    alice.post("/apis/project.openshift.io/v1/projectrequests", &request).ok();
    // The accounts of a project come after it.
    admin.wait("/api/v1/namespaces/shop/serviceaccounts", "deployer", |account| {
        account["secrets"].as_array().is_some_and(|secrets| secrets.len() > 1)
    });
    (cluster, admin, alice)
}

/// The path of something in `shop`.
fn path(group: &str, rest: &str) -> String {
    match group {
        "" => format!("/api/v1/namespaces/shop/{rest}"),
        "apps" | "batch" => format!("/apis/{group}/v1/namespaces/shop/{rest}"),
        _ if group.contains('.') => format!("/apis/{group}/v1/namespaces/shop/{rest}"),
        _ => format!("/apis/{group}.openshift.io/v1/namespaces/shop/{rest}"),
    }
}
