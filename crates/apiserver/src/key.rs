//! The layout of the store: which key an object lives at.
//!
//! `/registry/<storage group or "core">/<plural>/<namespace>/<name>`, without the namespace for
//! cluster-scoped kinds, and `/registry/ranges/<range>/<item>` for names that only one object may
//! hold ([`crate::strategy::Claim`]).
//!
//! Invariant: no prefix built here ends inside a path segment.

use api::Resource;

/// The key of one object.
#[must_use]
pub fn object(resource: &Resource, namespace: &str, name: &str) -> String {
    let mut key = collection(resource, namespace);
    key.push_str(name);
    key
}

/// The prefix of all objects of a resource, or of those in one namespace.
#[must_use]
pub fn collection(resource: &Resource, namespace: &str) -> String {
    let group = if resource.storage.0.is_empty() { "core" } else { resource.storage.0 };
    let length = resource.plural.len() + group.len() + namespace.len() + 64;
    let mut key = String::with_capacity(length);
    for part in ["/registry/", group, "/", resource.plural, "/"] {
        key.push_str(part);
    }
    if resource.namespaced() && !namespace.is_empty() {
        key.push_str(namespace);
        key.push('/');
    }
    key
}

/// The key by which an object holds `item` of `range` for itself.
#[must_use]
pub fn claim(range: &str, item: &str) -> String {
    format!("/registry/ranges/{range}/{item}")
}

/// The key as etcd of OpenShift 3.11 names it, for messages that show it.
pub(crate) fn upstream(resource: &Resource, namespace: &str, name: &str) -> String {
    let root =
        if resource.group.ends_with("openshift.io") { "openshift.io" } else { "kubernetes.io" };
    let path = if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") };
    format!("/{root}/{}/{path}", resource.plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_the_layout() {
        assert_eq!(object(&api::PODS, "a", "b"), "/registry/core/pods/a/b");
        assert_eq!(object(&api::NODES, "", "n"), "/registry/core/nodes/n");
        assert_eq!(collection(&api::DEPLOYMENTS, ""), "/registry/apps/deployments/");
        assert_eq!(upstream(&api::PODS, "a", "b"), "/kubernetes.io/pods/a/b");
    }
}
