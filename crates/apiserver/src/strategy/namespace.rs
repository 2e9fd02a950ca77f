//! Namespaces: active with the finalizer `kubernetes` until deleted, then terminating until emptied.
//!
//! Mirrors: `kubernetes/pkg/registry/core/namespace`.

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use super::{Strategy, StrategyContext, copy_field};
use crate::custom;
use crate::server::ApiServer;

/// The finalizer of the namespace controller, in `spec.finalizers`.
const KUBERNETES: &str = "kubernetes";

#[derive(Debug)]
pub(super) struct NamespaceStrategy;

impl Strategy for NamespaceStrategy {
    /// Controllers empty a namespace of what is built in; custom resources go with it.
    fn leaves(&self, server: &ApiServer, object: &Value) -> Vec<String> {
        custom::strategy::in_namespace(server, object.name())
    }

    fn prepare_for_create(
        &self,
        _: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        object.set(&["status"], json!({"phase": "Active"}));
        let mut finalizers = object.list_at(&["spec", "finalizers"]).to_vec();
        if !finalizers.iter().any(|finalizer| finalizer == KUBERNETES) {
            finalizers.push(json!(KUBERNETES));
        }
        object.set(&["spec", "finalizers"], Value::from(finalizers));
        Ok(())
    }

    fn prepare_for_update(
        &self,
        _: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        copy_field(new, old, "status");
        copy_field(new, old, "spec");
        Ok(())
    }
}
