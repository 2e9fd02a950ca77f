//! Scopes against requests.

use apimachinery::json;
use apiserver::user::SCOPES;

use super::*;
use crate::rule::ResourceTarget;

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.put(
        "clusterroles",
        &json!({"metadata": {"name": "look"}, "rules": [
            {"verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["pods", "secrets"]},
            {"verbs": ["*"], "apiGroups": [""], "resources": ["services"]},
        ]}),
    );
    policy
}

fn check(scopes: &[&str], namespace: &str, request: &str, expect: bool) {
    let mut user = User::with_groups("ann", &[]);
    user.extra.insert(SCOPES.to_owned(), texts(scopes));
    let (verb, what) = request.split_once(' ').unwrap();
    let access = if what.starts_with('/') {
        Access::path(verb, what)
    } else {
        let (resource, group) = what.split_once('.').unwrap_or((what, ""));
        let (resource, name) = resource.split_once('=').unwrap_or((resource, ""));
        Access::resource(
            verb,
            ResourceTarget { group, resource, name, namespace, ..ResourceTarget::default() },
        )
    };
    assert_eq!(permit(&policy(), &user, &access), expect, "{scopes:?} {request}");
}

#[test]
fn scopes_narrow() {
    for (scopes, namespace, request, expect) in [
        (&[][..], "p", "get pods", true),
        (&["user:full"], "p", "delete secrets", true),
        (&["user:full"], "", "get /metrics", true),
        (&["user:info"], "", "get users=~.user.openshift.io", true),
        (&["user:info"], "", "get users=bob.user.openshift.io", false),
        (&["user:info"], "", "get /apis/apps", true),
        (&["user:info"], "", "get /metrics", false),
        (&["user:info"], "p", "list pods", false),
        (&["user:check-access"], "", "create selfsubjectaccessreviews.authorization.k8s.io", true),
        (&["user:check-access"], "", "create subjectaccessreviews.authorization.k8s.io", false),
        (&["user:list-projects"], "", "list projects.project.openshift.io", true),
        (&["user:list-projects"], "", "create projectrequests.project.openshift.io", false),
        (&["role:look:p"], "p", "list pods", true),
        (&["role:look:p"], "q", "list pods", false),
        (&["role:look:*"], "q", "list pods", true),
        (&["role:look:p"], "p", "list secrets", false),
        (&["role:look:p:!"], "p", "list secrets", true),
        (&["role:look:p"], "p", "get services", false),
        (&["role:look:p:!"], "p", "get services", true),
        (&["role:nosuch:p"], "p", "list pods", false),
        (&["user:dogs"], "p", "list pods", false),
        (&["user:info", "role:look:p"], "p", "list pods", true),
    ] {
        check(scopes, namespace, request, expect);
    }
}
