//! Creating the bootstrap policy in a new cluster.
//!
//! Invariant: running it again changes nothing; what people changed stays changed.

use std::sync::Arc;

use api::Resource;
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::{ApiServer, Call, User};

use crate::{aggregation, facts};

/// Creates the roles and bindings of OpenShift 3.11 unless they exist. The namespaces must be there.
///
/// # Errors
/// When the server refuses one of them for another reason than that it exists.
pub fn bootstrap(server: &ApiServer) -> Result<(), Status> {
    let admin = User::system_admin();
    for (resource, object) in policy() {
        let namespace = object.namespace().to_owned();
        let call = Call::new(&admin, resource).within(&namespace);
        match server.create(&call, object) {
            Err(status) if !status.is_already_exists() => return Err(status),
            _ => {}
        }
    }
    Ok(())
}

/// The bootstrap policy with the rules of aggregated roles filled in.
#[must_use]
pub fn policy() -> Vec<(&'static Resource, Value)> {
    let mut objects = facts::objects();
    let roles: Vec<Arc<Value>> = objects
        .iter()
        .filter(|(resource, _)| resource.kind == "ClusterRole")
        .map(|(_, role)| Arc::new(role.clone()))
        .collect();
    for (_, object) in &mut objects {
        if let Some(rules) = aggregation::aggregated(object, &roles) {
            object.set(&["rules"], json!(rules));
        }
    }
    objects
}
