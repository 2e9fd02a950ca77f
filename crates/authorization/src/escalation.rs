//! Nobody gives what they do not have: the check of every role and binding that is written.
//!
//! Mirrors: `kubernetes/pkg/registry/rbac/escalation_check.go`,
//! `kubernetes/pkg/registry/rbac/validation/rule.go`.

use apimachinery::Status;
use apiserver::User;

use crate::policy::{MASTERS, Policy, RoleRef};
use crate::rule::{self, Access, ResourceTarget, Rule};

/// The group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// Whether the check is for others: masters write what they like.
#[must_use]
pub fn exempt(user: &User) -> bool {
    user.groups.iter().any(|group| group == MASTERS)
}

/// What is wrong with `user` granting `wanted` in `namespace`, in the words of OpenShift 3.11.
#[must_use]
pub fn extra_privileges(
    policy: &Policy,
    user: &User,
    namespace: &str,
    wanted: &[Rule],
) -> Option<String> {
    let owned = policy.rules_for(user, namespace);
    let missing = rule::missing(&owned, wanted);
    if missing.is_empty() {
        return None;
    }
    let groups = user.groups.join(" ");
    let extra: Vec<String> =
        user.extra.iter().map(|(key, values)| format!("{key}:[{}]", values.join(" "))).collect();
    Some(format!(
        "attempt to grant extra privileges: {} user=&{{{} {} [{groups}] map[{}]}} ownerrules={} ruleResolutionErrors=[]",
        rule::go_list(&missing),
        user.name,
        user.uid,
        extra.join(" "),
        rule::go_list(&owned),
    ))
}

/// Checks a binding: who may `bind` the role may, and who has all of its rules.
///
/// # Errors
/// 404 when the role does not exist, 403 when it gives more than `user` has.
pub fn check_binding(
    policy: &Policy,
    user: &User,
    place: (&str, &str, &str),
    role: &RoleRef,
) -> Result<(), Status> {
    let (plural, namespace, name) = place;
    let roles = if role.of_cluster { "clusterroles" } else { "roles" };
    let target = ResourceTarget {
        group: GROUP,
        resource: roles,
        namespace,
        name: &role.name,
        ..ResourceTarget::default()
    };
    if policy.allows(user, &Access::resource("bind", target)) {
        return Ok(());
    }
    let Some(wanted) = policy.rules_of(role, namespace) else {
        return Err(Status::not_found(GROUP, roles, &role.name));
    };
    match extra_privileges(policy, user, namespace, wanted) {
        Some(text) => Err(Status::forbidden(GROUP, plural, name, &text)),
        None => Ok(()),
    }
}
