//! `namespaces/finalize`: the only way to change `spec.finalizers`; the last one gone ends a
//! terminating namespace.

use apimachinery::Value;
use apimachinery::{ObjectExt as _, Status};

use crate::call::Written;
use crate::error;
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;
use crate::update::check_names;

const ATTEMPTS: usize = 100;

#[derive(Debug)]
pub(super) struct NamespaceFinalize;

impl RestHandler for NamespaceFinalize {
    fn update(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        let call = cx.call;
        check_names(call, &body)?;
        for _ in 0..ATTEMPTS {
            let current = cx.server.current(call)?;
            let version = body.resource_version();
            if !version.is_empty() && version != current.value.value().resource_version() {
                return Err(error::modified(call.resource, call.name));
            }
            let mut namespace = (*current.value.value()).clone();
            let finalizers = body.list_at(&["spec", "finalizers"]).to_vec();
            if finalizers.is_empty() {
                namespace.remove(&["spec", "finalizers"]);
            } else {
                namespace.set(&["spec", "finalizers"], Value::from(finalizers));
            }
            if namespace == *current.value.value() || call.options.dry_run {
                return Ok(Written::ok(Stored::new(namespace)));
            }
            let strategy = cx.server.strategy(call.resource);
            if let Some(written) = cx.server.replace(strategy, &current, Stored::new(namespace)) {
                cx.server.remove_if_finalized(call.resource, call.name);
                return Ok(Written::ok(written));
            }
        }
        Err(error::modified(call.resource, call.name))
    }
}
