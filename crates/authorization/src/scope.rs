//! What the scopes of a token leave of its user's rights.
//!
//! A scope stands for rules; a request goes on when a rule of some scope allows it and the user's own
//! bindings do, too. A scope that cannot be read allows nothing.
//!
//! Mirrors: `openshift/origin:pkg/authorization/authorizer/scope`.
//!
//! Invariant: scopes only ever take rights away.

use apiserver::{Scope, User};

use crate::policy::{Policy, RoleRef};
use crate::rule::{Access, Rule};

const ALL: &str = "*";

/// What every token may ask for, whatever its scopes: what there is.
const DISCOVERY: &[&str] = &[
    "/version",
    "/version/*",
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/oapi",
    "/oapi/*",
    "/openapi",
    "/openapi/*",
    "/swaggerapi",
    "/swaggerapi/*",
    "/swagger.json",
    "/swagger-2.0.0.pb-v1",
    "/osapi",
    "/osapi/",
    "/.well-known",
    "/.well-known/*",
    "/",
];

/// Resources that lead to more rights: a scope of a role gives them only when it says so.
const ESCALATING: &[(&str, &str)] = &[
    ("", "secrets"),
    ("image.openshift.io", "imagestreams/secrets"),
    ("", "imagestreams/secrets"),
    ("oauth.openshift.io", "oauthauthorizetokens"),
    ("", "oauthauthorizetokens"),
    ("oauth.openshift.io", "oauthaccesstokens"),
    ("", "oauthaccesstokens"),
    ("authorization.openshift.io", "roles"),
    ("", "roles"),
    ("authorization.openshift.io", "rolebindings"),
    ("", "rolebindings"),
    ("authorization.openshift.io", "clusterroles"),
    ("", "clusterroles"),
    ("authorization.openshift.io", "clusterrolebindings"),
    ("", "clusterrolebindings"),
    ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
];

/// Whether the scopes of the user's token, if it has any, let `access` go on.
#[must_use]
pub fn permit(policy: &Policy, user: &User, access: &Access<'_>) -> bool {
    let scopes = user.scopes();
    scopes.is_empty()
        || allows(&[discovery()], access)
        || scopes.iter().filter_map(|text| Scope::parse(text).ok()).any(|scope| {
            matches!(scope, Scope::Full)
                || allows(&rules(policy, &scope, access.namespace()), access)
        })
}

/// Why scopes refuse.
#[must_use]
pub fn denial(user: &User) -> String {
    format!("scopes [{}] prevent this action", user.scopes().join(" "))
}

/// Whether the token may see every project that its user sees.
#[must_use]
pub fn lists_all_projects(user: &User) -> bool {
    user.scopes().iter().any(|text| Scope::parse(text) == Ok(Scope::ListProjects))
}

/// The rules that a scope stands for in a namespace.
#[must_use]
pub fn rules(policy: &Policy, scope: &Scope, namespace: &str) -> Vec<Rule> {
    match scope {
        Scope::Info => vec![Rule {
            names: texts(&["~"]),
            ..rule(&["get"], &["", "user.openshift.io"], &["users"])
        }],
        Scope::CheckAccess => vec![
            rule(
                &["create"],
                &["authorization.k8s.io"],
                &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            ),
            rule(&["create"], &["", "authorization.openshift.io"], &["selfsubjectrulesreviews"]),
        ],
        Scope::ListScopedProjects | Scope::ListProjects => {
            vec![rule(&["list", "watch"], &["", "project.openshift.io"], &["projects"])]
        }
        Scope::Full => Rule::full_authority().to_vec(),
        Scope::Role { namespace: own, .. } if own != ALL && own != namespace => Vec::new(),
        Scope::Role { name, escalating, .. } => {
            let role = RoleRef { of_cluster: true, name: name.clone() };
            let rules = policy.rules_of(&role, "").map_or(&[][..], |rules| rules);
            if *escalating {
                return rules.to_vec();
            }
            rules.iter().filter(|rule| !unbounded(rule)).map(without_escalation).collect()
        }
    }
}

fn allows(rules: &[Rule], access: &Access<'_>) -> bool {
    rules.iter().any(|rule| rule.allows(access))
}

fn discovery() -> Rule {
    Rule { verbs: texts(&["get"]), urls: texts(DISCOVERY), ..Rule::default() }
}

fn rule(verbs: &[&str], groups: &[&str], resources: &[&str]) -> Rule {
    let (verbs, groups, resources) = (texts(verbs), texts(groups), texts(resources));
    Rule { verbs, groups, resources, ..Rule::default() }
}

fn unbounded(rule: &Rule) -> bool {
    [&rule.verbs, &rule.groups, &rule.resources].into_iter().flatten().any(|word| word == ALL)
}

/// Takes a resource out as soon as one group of the rule makes it dangerous.
fn without_escalation(rule: &Rule) -> Rule {
    let dangerous = |resource: &String| {
        ESCALATING
            .iter()
            .any(|(group, name)| name == resource && rule.groups.iter().any(|own| own == group))
    };
    let mut rule = rule.clone();
    rule.resources = rule.resources.iter().filter(|r| !dangerous(r)).cloned().collect();
    rule
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests;
