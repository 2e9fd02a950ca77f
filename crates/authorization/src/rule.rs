//! Rules: what one allows, what a set of them covers, and how a refusal prints them.
//!
//! Mirrors: `kubernetes/pkg/apis/rbac/v1/evaluation_helpers.go`,
//! `kubernetes/pkg/registry/rbac/validation/policy_comparator.go`.
//!
//! Invariant: everything here is a pure function of rules and requests.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use apimachinery::ObjectExt as _;
use apimachinery::{Map, Value, json};

const ALL: &str = "*";

/// What someone wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access<'a> {
    /// The verb, e.g. `get`, `impersonate` or any word of an extension.
    pub verb: &'a str,
    /// With what.
    pub target: Target<'a>,
}

/// What an access is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// An object or a collection.
    Resource(ResourceTarget<'a>),
    /// A path that is no resource, e.g. `/healthz`.
    Path(&'a str),
}

/// An object or a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceTarget<'a> {
    /// The group; empty for the core group.
    pub group: &'a str,
    /// The plural.
    pub resource: &'a str,
    /// The sub-resource; empty for the resource itself.
    pub subresource: &'a str,
    /// Where; empty for cluster scope and all namespaces.
    pub namespace: &'a str,
    /// Which; empty for all.
    pub name: &'a str,
}

impl<'a> Access<'a> {
    /// An access to an object or a collection.
    #[must_use]
    pub fn resource(verb: &'a str, target: ResourceTarget<'a>) -> Self {
        Self { verb, target: Target::Resource(target) }
    }

    /// An access to a path that is no resource.
    #[must_use]
    pub fn path(verb: &'a str, path: &'a str) -> Self {
        Self { verb, target: Target::Path(path) }
    }

    /// Where it is to take place; empty for cluster scope.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        match self.target {
            Target::Resource(target) => target.namespace,
            Target::Path(_) => "",
        }
    }
}

/// One rule of a role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    pub verbs: Vec<String>,
    pub groups: Vec<String>,
    pub resources: Vec<String>,
    pub names: Vec<String>,
    pub urls: Vec<String>,
}

impl Rule {
    /// Reads a rule of `rbac.authorization.k8s.io` or `authorization.openshift.io`.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        let texts = |field: &str| -> Vec<String> {
            let list = value.list_at(&[field]);
            list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        Self {
            verbs: texts("verbs"),
            groups: texts("apiGroups"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            urls: texts("nonResourceURLs"),
        }
    }

    /// All rules of a role.
    #[must_use]
    pub fn of_role(role: &Value) -> Vec<Self> {
        role.list_at(&["rules"]).iter().map(Self::from_value).collect()
    }

    /// The rule as `rbac.authorization.k8s.io` writes it: empty lists are left out.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("verbs".to_owned(), json!(self.verbs));
        for (field, list) in [
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.urls),
        ] {
            if !list.is_empty() {
                map.insert(field.to_owned(), json!(list));
            }
        }
        Value::Object(map)
    }

    /// Everything.
    #[must_use]
    pub fn full_authority() -> [Self; 2] {
        let all = || vec![ALL.to_owned()];
        [
            Self { verbs: all(), groups: all(), resources: all(), ..Self::default() },
            Self { verbs: all(), urls: all(), ..Self::default() },
        ]
    }

    /// Whether the rule lets `access` go on; where it applies is for its binding to say.
    #[must_use]
    pub fn allows(&self, access: &Access<'_>) -> bool {
        has(&self.verbs, access.verb)
            && match access.target {
                Target::Resource(target) => {
                    has(&self.groups, target.group)
                        && self.names_resource(target.resource, target.subresource)
                        && (self.names.is_empty() || self.names.iter().any(|n| n == target.name))
                }
                Target::Path(path) => self.urls.iter().any(|url| url_covers(url, path)),
            }
    }

    fn names_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|word| {
            if word == ALL {
                return true;
            }
            match word.split_once('/') {
                None => subresource.is_empty() && word == resource,
                Some((_, "")) => false,
                Some((of, sub)) => sub == subresource && (of == ALL || of == resource),
            }
        })
    }

    /// Whether the rule gives all that `part`, a rule with one of each, gives.
    fn covers(&self, part: &Self) -> bool {
        has_all(&self.verbs, &part.verbs)
            && has_all(&self.groups, &part.groups)
            && part.resources.iter().all(|resource| self.covers_resource(resource))
            && part.urls.iter().all(|path| self.urls.iter().any(|url| url_covers(url, path)))
            && (self.names.is_empty()
                || !part.names.is_empty() && part.names.iter().all(|n| self.names.contains(n)))
    }

    fn covers_resource(&self, resource: &str) -> bool {
        let any = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
        self.resources
            .iter()
            .any(|word| word == ALL || word == resource || any.as_deref() == Some(word))
    }

    /// The rule taken apart, so that every part has one verb and one thing it is about.
    #[must_use]
    pub fn parts(&self) -> Vec<Self> {
        let one = |text: &String| vec![text.clone()];
        let mut parts = Vec::new();
        for group in &self.groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let part = Self {
                        verbs: one(verb),
                        groups: one(group),
                        resources: one(resource),
                        ..Self::default()
                    };
                    if self.names.is_empty() {
                        parts.push(part);
                        continue;
                    }
                    parts.extend(
                        self.names.iter().map(|name| Self { names: one(name), ..part.clone() }),
                    );
                }
            }
        }
        for url in &self.urls {
            for verb in &self.verbs {
                parts.push(Self { verbs: one(verb), urls: one(url), ..Self::default() });
            }
        }
        parts
    }
}

/// What of `wanted` nothing in `owned` gives, part by part.
#[must_use]
pub fn missing(owned: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    let parts = wanted.iter().flat_map(Rule::parts);
    parts.filter(|part| !owned.iter().any(|rule| rule.covers(part))).collect()
}

/// Puts the rules on one resource, or on one object, together: their verbs follow each other, maybe
/// repeatedly. Rules on several stay as they are, in front.
#[must_use]
pub fn compact(rules: Vec<Rule>) -> Vec<Rule> {
    let mut compacted = Vec::new();
    let mut simple: BTreeMap<_, Rule> = BTreeMap::new();
    for rule in rules {
        match (&rule.groups[..], &rule.resources[..], &rule.names[..], &rule.urls[..]) {
            ([group], [resource], [] | [_], []) => {
                let key = (group.clone(), resource.clone(), rule.names.first().cloned());
                match simple.entry(key) {
                    Entry::Vacant(entry) => drop(entry.insert(rule)),
                    Entry::Occupied(mut entry) => entry.get_mut().verbs.extend(rule.verbs),
                }
            }
            _ => compacted.push(rule),
        }
    }
    compacted.extend(simple.into_values());
    compacted
}

fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|own| own == ALL || own == word)
}

fn has_all(words: &[String], wanted: &[String]) -> bool {
    words.iter().any(|own| own == ALL) || wanted.iter().all(|word| words.contains(word))
}

fn url_covers(url: &str, path: &str) -> bool {
    url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))
}

/// As Go prints the struct: `{[get] [] [pods] [] []}`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [verbs, groups, resources, names, urls] =
            [&self.verbs, &self.groups, &self.resources, &self.names, &self.urls]
                .map(|list| list.join(" "));
        write!(f, "{{[{verbs}] [{groups}] [{resources}] [{names}] [{urls}]}}")
    }
}

/// As Go prints a slice of them.
#[must_use]
pub fn go_list(rules: &[Rule]) -> String {
    let rules: Vec<String> = rules.iter().map(Rule::to_string).collect();
    format!("[{}]", rules.join(" "))
}

#[cfg(test)]
mod tests;
