//! Which constraints a user may use, and which are tried first.
//!
//! Mirrors: `openshift/origin:pkg/security/securitycontextconstraints/util/sort`.

use std::sync::Arc;

use apimachinery::{ObjectExt as _, Value};
use apiserver::User;

const MASTERS: &str = "system:masters";

/// Whether the constraint names the user or one of the groups. Masters may use every one.
///
/// Deviation: upstream asks RBAC for the verb `use`, which is how masters may; other roles with that
/// verb grant nothing here.
#[must_use]
pub fn usable(constraint: &Value, user: &User) -> bool {
    let named = |field: &str, name: &str| constraint.list_at(&[field]).iter().any(|it| it == name);
    named("users", &user.name)
        || user.groups.iter().any(|group| group == MASTERS || named("groups", group))
}

/// Sorts by priority, highest first; then by how much is allowed, least first; then by name.
pub fn sort(constraints: &mut [Arc<Value>]) {
    constraints.sort_by_cached_key(|constraint| {
        let priority = constraint.int_at(&["priority"]).unwrap_or(0);
        (-priority, points(constraint), constraint.name().to_owned())
    });
}

/// How much a constraint allows.
fn points(constraint: &Value) -> i64 {
    let allows = |field: &str, points: i64| if constraint.bool_at(&[field]) { points } else { 0 };
    let strategy = |field: &str| match constraint.str_at(&[field, "type"]) {
        "RunAsAny" => 40_000,
        "MustRunAsNonRoot" => 30_000,
        "MustRunAsRange" => 20_000,
        "MustRunAs" => 10_000,
        _ => 50_000,
    };
    allows("allowPrivilegedContainer", 1_000_000)
        + allows("allowHostNetwork", 200_000)
        + allows("allowHostPorts", 400_000)
        + volumes(constraint)
        + strategy("runAsUser")
        + strategy("seLinuxContext")
        + capabilities(constraint)
}

fn volumes(constraint: &Value) -> i64 {
    let trivial = ["configMap", "downwardAPI", "emptyDir", "none", "projected", "secret"];
    let volumes = constraint.list_at(&["volumes"]);
    let has = |name: &str| volumes.iter().any(|volume| volume == name);
    if has("*") || has("hostPath") || constraint.bool_at(&["allowHostDirVolumePlugin"]) {
        100_000
    } else if volumes.iter().any(|volume| !trivial.contains(&volume.as_str().unwrap_or_default())) {
        50_000
    } else {
        0
    }
}

fn capabilities(constraint: &Value) -> i64 {
    let list = |field: &str| constraint.list_at(&[field]);
    let count = |field: &str| i64::try_from(list(field).len()).unwrap_or(0);
    let mut points = 5_000 + count("defaultAddCapabilities") * 300;
    if list("allowedCapabilities").iter().any(|capability| capability == "*") {
        points += 4_000;
    } else {
        points += count("allowedCapabilities") * 10;
    }
    points - count("requiredDropCapabilities") * 50
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security_context_constraints::bootstrap;

    #[test]
    fn the_admin_tries_anyuid_first_and_others_have_only_restricted() {
        let mut all: Vec<Arc<Value>> = bootstrap::constraints().into_iter().map(Arc::new).collect();
        sort(&mut all);
        let names = |user: &User| -> Vec<&str> {
            all.iter().filter(|scc| usable(scc, user)).map(|scc| scc.name()).collect()
        };
        assert_eq!(names(&User::with_groups("bob", &["system:authenticated"])), ["restricted"]);
        let sorted: Vec<&str> = all.iter().map(|scc| scc.name()).collect();
        let expected = [
            "anyuid",
            "restricted",
            "nonroot",
            "hostmount-anyuid",
            "hostnetwork",
            "hostaccess",
            "privileged",
        ];
        assert_eq!(sorted, expected);
        assert_eq!(names(&User::system_admin()), expected);
        let account = User::system("system:serviceaccount:openshift-infra:build-controller");
        assert_eq!(names(&account), ["restricted", "privileged"]);
    }
}
