//! Who asks, and the seam where it is decided whether they may.
//!
//! Invariant: only the edge asks the [`Authorizer`]; calls in process have been granted by whoever
//! handed out the [`crate::Client`].

use std::fmt::Debug;

use api::{Resource, Verb};
use apimachinery::Status;
use apimachinery::status::qualified;

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// The name, e.g. `alice` or `system:serviceaccount:test:deployer`.
    pub name: String,
    /// The uid of the user object, if there is one.
    pub uid: String,
    /// The groups, e.g. `system:authenticated`.
    pub groups: Vec<String>,
}

impl User {
    /// The owner of the cluster.
    #[must_use]
    pub fn system_admin() -> Self {
        Self::with_groups(
            "system:admin",
            &["system:cluster-admins", "system:masters", "system:authenticated"],
        )
    }

    /// A component or service account by its full name; the groups of a service account follow.
    #[must_use]
    pub fn system(name: &str) -> Self {
        let Some(account) = name.strip_prefix("system:serviceaccount:") else {
            return Self::with_groups(name, &["system:authenticated"]);
        };
        let namespace = account.split(':').next().unwrap_or_default();
        let of_namespace = format!("system:serviceaccounts:{namespace}");
        Self::with_groups(name, &["system:serviceaccounts", &of_namespace, "system:authenticated"])
    }

    /// Whoever shows no credentials.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::with_groups("system:anonymous", &["system:unauthenticated"])
    }

    /// A user with these groups.
    #[must_use]
    pub fn with_groups(name: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Self { name: name.to_owned(), uid: String::new(), groups }
    }
}

/// What is to be authorised.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Who asks.
    pub user: &'a User,
    /// What they want to do.
    pub verb: Verb,
    /// With what.
    pub resource: &'static Resource,
    /// The sub-resource; empty for the resource itself.
    pub subresource: &'a str,
    /// Where; empty for all namespaces and for cluster scope.
    pub namespace: &'a str,
    /// Which; empty for all.
    pub name: &'a str,
}

impl Attributes<'_> {
    /// The refusal that OpenShift 3.11 gives.
    #[must_use]
    pub fn refusal(&self) -> Status {
        let mut what = self.resource.plural.to_owned();
        if !self.subresource.is_empty() {
            what = format!("{what}/{}", self.subresource);
        }
        let qualified = qualified(&what, self.resource.group);
        let place = if self.namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace {:?}", self.namespace)
        };
        let text = format!(
            "User {:?} cannot {} {qualified} {place}: no RBAC policy matched",
            self.user.name,
            self.verb.as_str(),
        );
        Status::forbidden(self.resource.group, self.resource.plural, self.name, &text)
    }
}

/// Decides who may do what.
pub trait Authorizer: Send + Sync + Debug {
    /// Whether the call may go on.
    fn allows(&self, attributes: &Attributes<'_>) -> bool;
}

/// Lets everyone do everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Authorizer for AllowAll {
    fn allows(&self, _attributes: &Attributes<'_>) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_reads_as_upstream() {
        let attributes = Attributes {
            user: &User::with_groups("alice", &[]),
            verb: Verb::List,
            resource: &api::PODS,
            subresource: "",
            namespace: "default",
            name: "",
        };
        assert_eq!(
            attributes.refusal().message,
            "pods is forbidden: User \"alice\" cannot list pods in the namespace \"default\": no RBAC policy matched"
        );
    }

    #[test]
    fn service_accounts_belong_to_their_groups() {
        let user = User::system("system:serviceaccount:test:deployer");
        assert!(user.groups.contains(&"system:serviceaccounts:test".to_owned()));
    }
}
