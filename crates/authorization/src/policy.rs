//! The index: which bindings name a subject, and what their roles allow.
//!
//! It is fed with role and binding documents as they come and go and answers who may do what. A
//! cluster role binding is kept as a binding of the namespace `""`.
//!
//! Mirrors: `kubernetes/pkg/registry/rbac/validation/rule.go`,
//! `kubernetes/plugin/pkg/auth/authorizer/rbac`.
//!
//! Invariant: the answer depends on the present documents only, not on the order they came in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apiserver::User;
use serde_json::Value;

use crate::rule::{Access, Rule};

/// The group that may do everything, whatever the roles say.
pub const MASTERS: &str = "system:masters";

const ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// Roles and bindings, ready to be asked.
#[derive(Debug, Default)]
pub struct Policy {
    /// By namespace, empty for cluster roles, and name.
    roles: BTreeMap<String, BTreeMap<String, Arc<[Rule]>>>,
    bindings: BTreeMap<String, BTreeMap<String, Binding>>,
    users: BTreeMap<String, Places>,
    groups: BTreeMap<String, Places>,
}

/// The names of bindings by namespace.
type Places = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug)]
struct Binding {
    role: RoleRef,
    subjects: Vec<Subject>,
}

/// The role that a binding grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRef {
    /// Whether the role is a cluster role.
    pub of_cluster: bool,
    /// Its name.
    pub name: String,
}

impl RoleRef {
    /// Reads `roleRef` of a binding.
    #[must_use]
    pub fn of_binding(binding: &Value) -> Self {
        let of_cluster = binding.str_at(&["roleRef", "kind"]) != "Role";
        Self { of_cluster, name: binding.str_at(&["roleRef", "name"]).to_owned() }
    }

    fn kind(&self) -> &'static str {
        if self.of_cluster { "ClusterRole" } else { "Role" }
    }
}

/// Whom a binding names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    User(String),
    Group(String),
    /// Namespace and name.
    Account(String, String),
}

impl Subject {
    fn read(value: &Value, namespace: &str) -> Option<Self> {
        let name = value.str_at(&["name"]).to_owned();
        match value.str_at(&["kind"]) {
            "User" => Some(Self::User(name)),
            "Group" => Some(Self::Group(name)),
            "ServiceAccount" => {
                let own = value.str_at(&["namespace"]);
                let namespace = if own.is_empty() { namespace } else { own };
                (!namespace.is_empty()).then(|| Self::Account(namespace.to_owned(), name))
            }
            _ => None,
        }
    }

    fn user(&self) -> Option<String> {
        match self {
            Self::User(name) => Some(name.clone()),
            Self::Account(namespace, name) => Some(format!("{ACCOUNT_PREFIX}{namespace}:{name}")),
            Self::Group(_) => None,
        }
    }

    fn is(&self, user: &User) -> bool {
        match self {
            Self::Group(name) => user.groups.contains(name),
            _ => self.user().is_some_and(|name| name == user.name),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::User(name) => format!("User {name:?}"),
            Self::Group(name) => format!("Group {name:?}"),
            Self::Account(namespace, name) => {
                format!("ServiceAccount {:?}", format!("{name}/{namespace}"))
            }
        }
    }
}

/// Who may do something: names in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subjects {
    /// Users, service accounts by their full names.
    pub users: BTreeSet<String>,
    /// Groups.
    pub groups: BTreeSet<String>,
}

impl Policy {
    /// Takes in a role or binding that is new or changed.
    pub fn put(&mut self, kind: &str, object: &Value) {
        let (namespace, name) = (object.namespace(), object.name());
        match kind {
            "roles" | "clusterroles" => {
                let roles = self.roles.entry(namespace.to_owned()).or_default();
                roles.insert(name.to_owned(), Rule::of_role(object).into());
            }
            "rolebindings" | "clusterrolebindings" => {
                self.unbind(namespace, name);
                self.bind(namespace, name, object);
            }
            _ => {}
        }
    }

    /// Forgets a role or binding.
    pub fn remove(&mut self, kind: &str, namespace: &str, name: &str) {
        match kind {
            "roles" | "clusterroles" => {
                if let Some(roles) = self.roles.get_mut(namespace) {
                    roles.remove(name);
                }
            }
            _ => self.unbind(namespace, name),
        }
    }

    fn bind(&mut self, namespace: &str, name: &str, object: &Value) {
        let subjects = object.list_at(&["subjects"]).iter();
        let subjects: Vec<_> = subjects.filter_map(|s| Subject::read(s, namespace)).collect();
        for subject in &subjects {
            let places = self.places_mut(subject);
            places.entry(namespace.to_owned()).or_default().insert(name.to_owned());
        }
        let binding = Binding { role: RoleRef::of_binding(object), subjects };
        self.bindings.entry(namespace.to_owned()).or_default().insert(name.to_owned(), binding);
    }

    fn unbind(&mut self, namespace: &str, name: &str) {
        let of_namespace = self.bindings.get_mut(namespace);
        let Some(binding) = of_namespace.and_then(|bindings| bindings.remove(name)) else { return };
        for subject in &binding.subjects {
            if let Some(names) = self.places_mut(subject).get_mut(namespace) {
                names.remove(name);
            }
        }
    }

    fn places_mut(&mut self, subject: &Subject) -> &mut Places {
        match subject {
            Subject::Group(name) => self.groups.entry(name.clone()).or_default(),
            _ => self.users.entry(subject.user().unwrap_or_default()).or_default(),
        }
    }

    /// The rules of a role as a binding in `namespace` refers to it.
    #[must_use]
    pub fn rules_of(&self, role: &RoleRef, namespace: &str) -> Option<&Arc<[Rule]>> {
        self.roles.get(if role.of_cluster { "" } else { namespace })?.get(&role.name)
    }

    /// Whether `user` may do this.
    #[must_use]
    pub fn allows(&self, user: &User, access: &Access<'_>) -> bool {
        is_master(user)
            || self.granting(user, access.namespace()).any(|(namespace, name)| {
                self.binding(namespace, name).is_some_and(|b| self.grants(b, namespace, access))
            })
    }

    /// Why `user` may do this, in the words of the upstream authoriser; `None` when they may not.
    #[must_use]
    pub fn reason(&self, user: &User, access: &Access<'_>) -> Option<String> {
        if is_master(user) {
            return Some(String::new());
        }
        self.bindings_of(user, access.namespace()).into_iter().find_map(|(namespace, name)| {
            let binding = self.binding(namespace, name)?;
            let subject = binding.subjects.iter().find(|subject| subject.is(user))?;
            self.grants(binding, namespace, access).then(|| {
                let (role, subject) = (&binding.role, subject.describe());
                let (kind, name) = if namespace.is_empty() {
                    ("ClusterRoleBinding", name.to_owned())
                } else {
                    ("RoleBinding", format!("{name}/{namespace}"))
                };
                let (of, role) = (role.kind(), &role.name);
                format!("RBAC: allowed by {kind} {name:?} of {of} {role:?} to {subject}")
            })
        })
    }

    /// All rules that hold for `user` in `namespace`, those of the cluster first.
    #[must_use]
    pub fn rules_for(&self, user: &User, namespace: &str) -> Vec<Rule> {
        let bindings = self.bindings_of(user, namespace);
        let rules = bindings.into_iter().filter_map(|(namespace, name)| {
            self.rules_of(&self.binding(namespace, name)?.role, namespace)
        });
        rules.flat_map(|rules| rules.iter().cloned()).collect()
    }

    /// Everyone who may do this.
    #[must_use]
    pub fn subjects_who(&self, access: &Access<'_>) -> Subjects {
        let mut who = Subjects::default();
        who.groups.insert(MASTERS.to_owned());
        for namespace in places_of(access.namespace()) {
            let bindings = self.bindings.get(namespace).into_iter().flatten();
            for (_, binding) in bindings.filter(|(_, b)| self.grants(b, namespace, access)) {
                for subject in &binding.subjects {
                    match subject {
                        Subject::Group(name) => who.groups.insert(name.clone()),
                        _ => who.users.insert(subject.user().unwrap_or_default()),
                    };
                }
            }
        }
        who
    }

    fn binding(&self, namespace: &str, name: &str) -> Option<&Binding> {
        self.bindings.get(namespace)?.get(name)
    }

    fn grants(&self, binding: &Binding, namespace: &str, access: &Access<'_>) -> bool {
        let rules = self.rules_of(&binding.role, namespace);
        rules.is_some_and(|rules| rules.iter().any(|rule| rule.allows(access)))
    }

    /// The bindings that hold for a user in a namespace, by namespace and name; maybe repeatedly.
    fn granting<'a>(
        &'a self,
        user: &'a User,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let groups = user.groups.iter().filter_map(|group| self.groups.get(group));
        let places = self.users.get(&user.name).into_iter().chain(groups);
        places.flat_map(move |places| {
            places_of(namespace).flat_map(move |namespace| {
                let names = places.get(namespace).into_iter().flatten();
                names.map(move |name| (namespace, name.as_str()))
            })
        })
    }

    /// The bindings that hold for a user in a namespace, once each and in order.
    fn bindings_of<'a>(
        &'a self,
        user: &'a User,
        namespace: &'a str,
    ) -> BTreeSet<(&'a str, &'a str)> {
        self.granting(user, namespace).collect()
    }
}

/// The cluster, and the namespace if there is one.
fn places_of(namespace: &str) -> impl Iterator<Item = &str> {
    [""].into_iter().chain(Some(namespace).filter(|namespace| !namespace.is_empty()))
}

fn is_master(user: &User) -> bool {
    user.groups.iter().any(|group| group == MASTERS)
}

#[cfg(test)]
mod tests;
