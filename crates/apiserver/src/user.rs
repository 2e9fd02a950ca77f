//! Who asks, and the seam where it is decided whether they may.
//!
//! Invariant: only the edge asks the [`Authorizer`]; calls in process have been granted by whoever
//! handed out the [`crate::Client`].

use std::collections::BTreeMap;
use std::fmt::Debug;

use api::{Resource, Verb};
use apimachinery::Status;
use apimachinery::json;
use apimachinery::status::{Reason, qualified};
use store::Store;

use crate::stored::Stored;

/// The key of [`User::extra`] under which the scopes of an OAuth token stand.
pub const SCOPES: &str = "scopes.authorization.openshift.io";

/// What is said when nothing allows a request.
pub const NO_MATCH: &str = "no RBAC policy matched";

const UNAUTHENTICATED: &str = "system:unauthenticated";

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// The name, e.g. `alice` or `system:serviceaccount:test:deployer`.
    pub name: String,
    /// The uid of the user object, if there is one.
    pub uid: String,
    /// The groups, e.g. `system:authenticated`.
    pub groups: Vec<String>,
    /// What else is known, e.g. the [`SCOPES`] of the token shown.
    pub extra: BTreeMap<String, Vec<String>>,
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
        Self::with_groups("system:anonymous", &[UNAUTHENTICATED])
    }

    /// Whether these are the credentials of nobody.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.groups.iter().any(|group| group == UNAUTHENTICATED)
    }

    /// What the token shown may be used for; empty for everything.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        self.extra.get(SCOPES).map_or(&[], Vec::as_slice)
    }

    /// A user with these groups.
    #[must_use]
    pub fn with_groups(name: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Self { name: name.to_owned(), groups, ..Self::default() }
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

/// Whom a request wants to act as: the `Impersonate-*` headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Impersonation {
    /// `Impersonate-User`
    pub user: String,
    /// `Impersonate-Group`, in order.
    pub groups: Vec<String>,
    /// `Impersonate-Extra-<key>`: keys, lower case and unescaped, with their values.
    pub extra: Vec<(String, String)>,
}

impl<'a> Attributes<'a> {
    /// The namespace it is about: namespaces and projects count as objects of their own.
    ///
    /// Mirrors: `k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`.
    #[must_use]
    pub fn place(&self) -> &'a str {
        match self.resource.plural {
            "namespaces" | "projects" => self.name,
            _ => self.namespace,
        }
    }

    /// The refusal that OpenShift 3.11 gives, with the reason.
    #[must_use]
    pub fn refusal(&self, reason: &str) -> Status {
        let target = UnknownTarget {
            group: self.resource.group,
            plural: self.resource.plural,
            subresource: self.subresource,
            namespace: self.place(),
            name: self.name,
        };
        target.refusal(self.user, self.verb, reason)
    }
}

/// What a path names when no resource of that name may exist.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnknownTarget<'a> {
    /// The group.
    pub group: &'a str,
    /// The word that stands where a resource would.
    pub plural: &'a str,
    /// The sub-resource; empty for none.
    pub subresource: &'a str,
    /// Where; empty for all namespaces and for cluster scope.
    pub namespace: &'a str,
    /// Which; empty for all.
    pub name: &'a str,
}

impl UnknownTarget<'_> {
    /// The refusal that OpenShift 3.11 gives, with the reason.
    #[must_use]
    pub fn refusal(&self, user: &User, verb: Verb, reason: &str) -> Status {
        let mut what = self.plural.to_owned();
        if !self.subresource.is_empty() {
            what = format!("{what}/{}", self.subresource);
        }
        let qualified = qualified(&what, self.group);
        let place = match self.namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        let (user, verb) = (&user.name, verb.as_str());
        let text = format!("User {user:?} cannot {verb} {qualified} {place}: {reason}");
        Status::forbidden(self.group, self.plural, self.name, &text)
    }
}

/// The refusal of a path that is no resource.
pub(crate) fn path_refusal(user: &User, verb: &str, path: &str, reason: &str) -> Status {
    let text = format!("forbidden: User {:?} cannot {verb} path {path:?}: {reason}", user.name);
    Status { details: json!({}), ..Status::new(Reason::Forbidden, text) }
}

/// Decides who may do what.
pub trait Authorizer: Send + Sync + Debug {
    /// Whether the call may go on.
    fn allows(&self, attributes: &Attributes<'_>) -> bool;

    /// Learns where the objects are by which it decides; called once, before anything is asked.
    fn attach(&self, _store: &Store<Stored>) {}

    /// Whether a path that is no resource, e.g. `/version`, may be asked for with a verb that is the
    /// HTTP method in lower case.
    fn allows_path(&self, _user: &User, _verb: &str, _path: &str) -> bool {
        true
    }

    /// Why a call that [`Self::allows`] does not let through is refused.
    fn denial(&self, _attributes: &Attributes<'_>) -> String {
        NO_MATCH.to_owned()
    }

    /// Why a path that [`Self::allows_path`] does not let through is refused.
    fn denial_of_path(&self, _user: &User, _verb: &str, _path: &str) -> String {
        NO_MATCH.to_owned()
    }

    /// The user that `caller` becomes; here for masters only.
    ///
    /// # Errors
    /// 403 with the text that names what may not be impersonated.
    fn impersonate(&self, caller: &User, wanted: &Impersonation) -> Result<User, Status> {
        if !caller.groups.iter().any(|group| group == "system:masters") {
            let name = &caller.name;
            let text = format!(
                "User {name:?} cannot impersonate users at the cluster scope: no RBAC policy matched"
            );
            return Err(Status::forbidden("", "users", &wanted.user, &text));
        }
        Ok(wanted.become_user())
    }
}

impl Impersonation {
    /// The user that it leads to, for whoever may: service accounts and everyone else get the groups
    /// that go without saying.
    #[must_use]
    pub fn become_user(&self) -> User {
        let (name, mut groups) = (self.user.clone(), self.groups.clone());
        if groups.is_empty() && name.starts_with("system:serviceaccount:") {
            groups = User::system(&name).groups;
        }
        let anonymous = name == "system:anonymous";
        let all = if anonymous { UNAUTHENTICATED } else { "system:authenticated" };
        if !groups.iter().any(|group| group == all) {
            groups.push(all.to_owned());
        }
        let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in &self.extra {
            extra.entry(key.clone()).or_default().push(value.clone());
        }
        User { name, uid: String::new(), groups, extra }
    }
}

/// Lets everyone do everything who is recognised.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Authorizer for AllowAll {
    fn allows(&self, attributes: &Attributes<'_>) -> bool {
        !attributes.user.is_anonymous()
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
            attributes.refusal(NO_MATCH).message,
            "pods is forbidden: User \"alice\" cannot list pods in the namespace \"default\": no RBAC policy matched"
        );
    }

    #[test]
    fn a_namespace_is_its_own_place() {
        let attributes = Attributes {
            user: &User::with_groups("alice", &[]),
            verb: Verb::Patch,
            resource: &api::NAMESPACES,
            subresource: "",
            namespace: "",
            name: "dev",
        };
        assert_eq!(
            attributes.refusal(NO_MATCH).message,
            "namespaces \"dev\" is forbidden: User \"alice\" cannot patch namespaces in the namespace \"dev\": no RBAC policy matched"
        );
    }

    #[test]
    fn service_accounts_belong_to_their_groups() {
        let user = User::system("system:serviceaccount:test:deployer");
        assert!(user.groups.contains(&"system:serviceaccounts:test".to_owned()));
    }
}
