//! `componentstatuses`: whether the control plane is well. Its parts live in this process, so whoever can
//! ask is answered that they are.
//!
//! Mirrors: `kubernetes/pkg/registry/core/componentstatus/rest.go`.

use apimachinery::Status;
use apimachinery::{Value, json};

use crate::call::{ListOptions, ObjectList};
use crate::error;
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;

/// The parts, each with what it says when it is well.
const COMPONENTS: [(&str, &str); 3] =
    [("scheduler", "ok"), ("controller-manager", "ok"), ("etcd-0", "{\"health\": \"true\"}")];

/// Serves `componentstatuses`.
#[derive(Debug)]
pub(crate) struct ComponentStatuses;

fn status((name, message): (&str, &str)) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ComponentStatus",
        "metadata": {"name": name, "creationTimestamp": null},
        "conditions": [{"type": "Healthy", "status": "True", "message": message}],
    })
}

impl RestHandler for ComponentStatuses {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let name = cx.call.name;
        let found = COMPONENTS.into_iter().find(|(component, _)| *component == name);
        let missing = || error::plain(format!("Component not found: {name}"));
        found.map(|component| Stored::new(status(component))).ok_or_else(missing)
    }

    fn list(&self, _cx: &HandlerContext<'_>, _options: &ListOptions) -> Result<ObjectList, Status> {
        let items = COMPONENTS.into_iter().map(|component| Stored::new(status(component)));
        Ok(ObjectList {
            items: items.collect(),
            resource_version: String::new(),
            continue_token: None,
            remaining: None,
            instead: None,
        })
    }
}
