//! How roles and bindings are written: nobody grants more than they have.
//!
//! The rules hold for `rbac.authorization.k8s.io` and for OpenShift's views of the same objects.
//!
//! Mirrors: `kubernetes/pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased`.

use apimachinery::Value;
use apimachinery::{ObjectExt as _, Status};
use apiserver::strategy::{keep_status, reset_status};
use apiserver::{Strategy, StrategyContext};

use crate::escalation::{self, GROUP};
use crate::policy::RoleRef;
use crate::rbac::Rbac;
use crate::rule::Rule;

/// The strategy of roles and cluster roles.
#[derive(Debug)]
pub struct Roles(pub Rbac);

impl Roles {
    fn check(
        &self,
        cx: &StrategyContext<'_>,
        role: &Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        if escalation::exempt(cx.user) {
            return Ok(());
        }
        let refuse = |text: &str| Status::forbidden(GROUP, cx.resource.plural, cx.name, text);
        let extra = |wanted: &[Rule]| {
            let user = cx.user;
            self.0.read(|p| escalation::extra_privileges(p, user, cx.namespace, wanted))
        };
        if let Some(text) = extra(&Rule::of_role(role)) {
            return Err(refuse(&text));
        }
        let gathers = |role: &Value| role.get("aggregationRule").is_some_and(|v| !v.is_null());
        if (gathers(role) || old.is_some_and(gathers)) && extra(&Rule::full_authority()).is_some() {
            return Err(refuse("must have cluster-admin privileges to use the aggregationRule"));
        }
        Ok(())
    }
}

impl Strategy for Roles {
    fn prepare_for_create(
        &self,
        cx: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        reset_status(cx.resource, object);
        self.check(cx, object, None)
    }

    fn prepare_for_update(
        &self,
        cx: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        keep_status(cx.resource, new, old);
        if only_collected(new, old) {
            return Ok(());
        }
        self.check(cx, new, Some(old))
    }
}

/// The strategy of role bindings and cluster role bindings.
#[derive(Debug)]
pub struct Bindings(pub Rbac);

impl Bindings {
    fn check(&self, cx: &StrategyContext<'_>, binding: &Value) -> Result<(), Status> {
        if escalation::exempt(cx.user) {
            return Ok(());
        }
        let role = RoleRef::of_binding(binding);
        let place = (cx.resource.plural, cx.namespace, cx.name);
        self.0.read(|policy| escalation::check_binding(policy, cx.user, place, &role))
    }
}

impl Strategy for Bindings {
    fn prepare_for_create(
        &self,
        cx: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        reset_status(cx.resource, object);
        self.check(cx, object)
    }

    fn prepare_for_update(
        &self,
        cx: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        keep_status(cx.resource, new, old);
        if only_collected(new, old) {
            return Ok(());
        }
        self.check(cx, new)
    }
}

/// Whether a change only serves the collection of garbage.
fn only_collected(new: &Value, old: &Value) -> bool {
    let without = |object: &Value| {
        let mut object = object.clone();
        for field in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
            drop(object.remove(&["metadata", field]));
        }
        object
    };
    without(new) == without(old)
}
