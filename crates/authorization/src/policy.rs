//! The index: which bindings name a subject, and what their roles allow.
//!
//! It is fed with role and binding documents as they come and go and answers who may do what. A
//! cluster role binding is kept as a binding of the namespace `""`.
//!
//! Mirrors: `kubernetes/pkg/registry/rbac/validation/rule.go`,
//! `kubernetes/plugin/pkg/auth/authorizer/rbac`.
//!
//! Invariant: the answer depends on the present documents only, not on the order they came in.
//! Invariant: what is gone leaves no trace, so that churn does not grow the index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use apiserver::User;

use crate::rule::{Access, Rule};

/// The group that may do everything, whatever the roles say.
pub const MASTERS: &str = "system:masters";

const ACCOUNT_PREFIX: &str = "system:serviceaccount:";

/// Roles and bindings, ready to be asked.
#[derive(Debug, Default)]
pub struct Policy {
    /// By namespace, empty for cluster roles, and name.
    roles: BTreeMap<String, BTreeMap<String, Arc<[Rule]>>>,
    bindings: Places,
    users: BTreeMap<String, Places>,
    groups: BTreeMap<String, Places>,
}

/// Bindings by namespace and name.
type Places = BTreeMap<String, BTreeMap<String, Arc<Binding>>>;

#[derive(Debug, Clone)]
struct Binding {
    role: RoleRef,
    subjects: Vec<Subject>,
    /// The rules of the role, as long as there is one: asking must not look for it.
    rules: Option<Arc<[Rule]>>,
}

impl Binding {
    fn grants(&self, access: &Access<'_>) -> bool {
        let mut rules = self.rules.iter().flat_map(|rules| rules.iter());
        rules.any(|rule| rule.allows(access))
    }
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
                self.relink(namespace, name);
            }
            "rolebindings" | "clusterrolebindings" => {
                self.unbind(namespace, name);
                let subjects = object.list_at(&["subjects"]).iter();
                let subjects = subjects.filter_map(|s| Subject::read(s, namespace)).collect();
                let role = RoleRef::of_binding(object);
                self.bind(namespace, name, Binding { role, subjects, rules: None });
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
                    if roles.is_empty() {
                        self.roles.remove(namespace);
                    }
                }
                self.relink(namespace, name);
            }
            _ => self.unbind(namespace, name),
        }
    }

    /// Gives the bindings of a role its present rules.
    fn relink(&mut self, role_namespace: &str, role: &str) {
        let of_cluster = role_namespace.is_empty();
        let refers =
            |binding: &Binding| binding.role.name == role && binding.role.of_cluster == of_cluster;
        let places = self.bindings.iter().filter(|(ns, _)| of_cluster || *ns == role_namespace);
        let bound: Vec<_> = places
            .flat_map(|(ns, bindings)| bindings.iter().map(move |(name, b)| (ns, name, b)))
            .filter(|(_, _, binding)| refers(binding))
            .map(|(ns, name, binding)| (ns.clone(), name.clone(), (**binding).clone()))
            .collect();
        for (namespace, name, binding) in bound {
            self.bind(&namespace, &name, binding);
        }
    }

    fn bind(&mut self, namespace: &str, name: &str, mut binding: Binding) {
        binding.rules = self.rules_of(&binding.role, namespace).cloned();
        let binding = Arc::new(binding);
        for subject in &binding.subjects {
            let places = self.places_mut(subject).entry(namespace.to_owned()).or_default();
            places.insert(name.to_owned(), Arc::clone(&binding));
        }
        self.bindings.entry(namespace.to_owned()).or_default().insert(name.to_owned(), binding);
    }

    /// Leaves nothing of a binding behind, not even its places when they are empty.
    fn unbind(&mut self, namespace: &str, name: &str) {
        let Some(binding) = take(&mut self.bindings, namespace, name) else { return };
        for subject in &binding.subjects {
            let user = subject.user();
            let (all, key) = match (subject, &user) {
                (Subject::Group(name), _) => (&mut self.groups, name),
                (_, Some(user)) => (&mut self.users, user),
                (_, None) => continue,
            };
            let Some(places) = all.get_mut(key) else { continue };
            take(places, namespace, name);
            if places.is_empty() {
                all.remove(key);
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
            || self.granting(user, access.namespace()).any(|(_, binding)| binding.grants(access))
    }

    /// Why `user` may do this, in the words of the upstream authoriser; `None` when they may not.
    #[must_use]
    pub fn reason(&self, user: &User, access: &Access<'_>) -> Option<String> {
        if is_master(user) {
            return Some(String::new());
        }
        self.bindings_of(user, access.namespace()).into_iter().find_map(|(place, binding)| {
            let subject = binding.subjects.iter().find(|subject| subject.is(user))?;
            binding.grants(access).then(|| {
                let (role, subject) = (&binding.role, subject.describe());
                let (kind, name) = match place {
                    ("", name) => ("ClusterRoleBinding", name.to_owned()),
                    (namespace, name) => ("RoleBinding", format!("{name}/{namespace}")),
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
        let rules = bindings.values().filter_map(|binding| binding.rules.as_ref());
        rules.flat_map(|rules| rules.iter().cloned()).collect()
    }

    /// Everyone who may do this.
    #[must_use]
    pub fn subjects_who(&self, access: &Access<'_>) -> Subjects {
        let mut who = Subjects::default();
        who.groups.insert(MASTERS.to_owned());
        for namespace in places_of(access.namespace()) {
            let bindings = self.bindings.get(namespace).into_iter().flat_map(BTreeMap::values);
            for binding in bindings.filter(|binding| binding.grants(access)) {
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

    /// The bindings that hold for a user in a namespace, by namespace and name; maybe repeatedly.
    fn granting<'a>(
        &'a self,
        user: &'a User,
        namespace: &'a str,
    ) -> impl Iterator<Item = ((&'a str, &'a str), &'a Binding)> {
        let groups = user.groups.iter().filter_map(|group| self.groups.get(group));
        let places = self.users.get(&user.name).into_iter().chain(groups);
        places.flat_map(move |places| {
            places_of(namespace).flat_map(move |namespace| {
                let bindings = places.get(namespace).into_iter().flatten();
                bindings.map(move |(name, binding)| ((namespace, name.as_str()), &**binding))
            })
        })
    }

    /// The bindings that hold for a user in a namespace, once each and in order.
    fn bindings_of<'a>(
        &'a self,
        user: &'a User,
        namespace: &'a str,
    ) -> BTreeMap<(&'a str, &'a str), &'a Binding> {
        self.granting(user, namespace).collect()
    }
}

fn take(places: &mut Places, namespace: &str, name: &str) -> Option<Arc<Binding>> {
    let bindings = places.get_mut(namespace)?;
    let taken = bindings.remove(name);
    if bindings.is_empty() {
        places.remove(namespace);
    }
    taken
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
