//! Sets of paths into a document, and their JSON form `fieldsV1`.
//!
//! An element of a path is kept as it is written there: `f:<field>`, `k:{"<key>":<value>,…}`,
//! `v:<value>` or `i:<index>`. A set holds a path itself (`.`), or paths below it, or both:
//!
//! ```text
//! {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}}}
//! ```
//!
//! Invariant: no branch is without a member somewhere below it.
//! Mirrors: `sigs.k8s.io/structured-merge-diff/v4/fieldpath`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Map, Value};

/// One step of a path in its written form.
pub type Element = Arc<str>;

/// A set of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Set {
    nodes: BTreeMap<Element, Node>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    /// Whether the path to here is in the set.
    member: bool,
    below: Set,
}

/// The element of a field or of a key of a map.
#[must_use]
pub fn field(name: &str) -> Element {
    format!("f:{name}").into()
}

/// The name of a field's element.
#[must_use]
pub fn field_name(element: &str) -> Option<&str> {
    element.strip_prefix("f:")
}

/// The element of an item of a list that is a map by these keys.
#[must_use]
pub fn key(keys: Map) -> Element {
    format!("k:{}", Value::Object(keys)).into()
}

/// The element of an item of a list that is a set.
#[must_use]
pub fn value(value: &Value) -> Element {
    format!("v:{value}").into()
}

impl Set {
    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds a path; the empty one is never in a set.
    pub fn insert(&mut self, path: &[Element]) {
        let Some((last, parents)) = path.split_last() else { return };
        let mut place = self;
        for element in parents {
            place = &mut place.nodes.entry(element.clone()).or_default().below;
        }
        place.nodes.entry(last.clone()).or_default().member = true;
    }

    /// A set of paths made of field names.
    #[must_use]
    pub fn of_fields(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            let path: Vec<Element> = path.iter().map(|name| field(name)).collect();
            set.insert(&path);
        }
        set
    }

    /// Whether an element on its own is in the set.
    #[must_use]
    pub fn has(&self, element: &str) -> bool {
        self.nodes.get(element).is_some_and(|node| node.member)
    }

    /// The paths that begin with an element, without it.
    #[must_use]
    pub fn below(&self, element: &str) -> Option<&Self> {
        self.nodes.get(element).map(|node| &node.below).filter(|below| !below.is_empty())
    }

    /// The paths of both.
    #[must_use]
    pub fn union(mut self, other: &Self) -> Self {
        for (element, theirs) in &other.nodes {
            let ours = self.nodes.entry(element.clone()).or_default();
            ours.member |= theirs.member;
            ours.below = std::mem::take(&mut ours.below).union(&theirs.below);
        }
        self
    }

    /// The paths that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, |ours, theirs| Node {
            member: ours.member && !theirs.is_some_and(|node| node.member),
            below: match theirs {
                Some(theirs) => ours.below.difference(&theirs.below),
                None => ours.below.clone(),
            },
        })
    }

    /// The paths that neither are in `other` nor lie below one that is.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.combine(other, |ours, theirs| match theirs {
            None => ours.clone(),
            Some(theirs) if theirs.member => Node::default(),
            Some(theirs) => {
                Node { member: ours.member, below: ours.below.recursive_difference(&theirs.below) }
            }
        })
    }

    /// The paths that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, |ours, theirs| match theirs {
            None => Node::default(),
            Some(theirs) => Node {
                member: ours.member && theirs.member,
                below: ours.below.intersection(&theirs.below),
            },
        })
    }

    fn combine(&self, other: &Self, each: impl Fn(&Node, Option<&Node>) -> Node) -> Self {
        let mut nodes = BTreeMap::new();
        for (element, ours) in &self.nodes {
            let node = each(ours, other.nodes.get(element));
            if node.member || !node.below.is_empty() {
                nodes.insert(element.clone(), node);
            }
        }
        Self { nodes }
    }

    /// Makes members of all elements that lead somewhere and for which `wanted` holds; `descend`
    /// gives what `wanted` knows of the level below.
    pub(super) fn with_members<S: Copy>(
        &self,
        at: S,
        wanted: &impl Fn(S, &str) -> bool,
        descend: &impl Fn(S, &str) -> S,
    ) -> Self {
        let nodes = self.nodes.iter().map(|(element, node)| {
            let leads = !node.below.is_empty();
            let member = node.member || (leads && wanted(at, element));
            let below = if leads {
                node.below.with_members(descend(at, element), wanted, descend)
            } else {
                Self::default()
            };
            (element.clone(), Node { member, below })
        });
        Self { nodes: nodes.collect() }
    }

    /// Every path as clients read it, e.g. `.spec.containers[name="web"].image`.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        let written = |element: &str| format!("{prefix}{}", readable(element));
        let members = self.nodes.iter().filter(|(_, node)| node.member);
        paths.extend(members.map(|(element, _)| written(element)));
        for (element, node) in &self.nodes {
            node.below.collect_paths(&written(element), paths);
        }
    }

    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let member = |(element, node): (&Element, &Node)| {
            let mut below = node.below.to_json();
            if let Some(map) = below.as_object_mut().filter(|_| node.member)
                && !map.is_empty()
            {
                map.insert(".".to_owned(), Value::Object(Map::new()));
            }
            (element.to_string(), below)
        };
        Value::Object(self.nodes.iter().map(member).collect())
    }

    /// Reads the JSON form; `None` when it is none.
    #[must_use]
    pub fn from_json(json: &Value) -> Option<Self> {
        let mut set = Self::default();
        for (element, below) in json.as_object()? {
            if element == "." {
                continue;
            }
            let element = canonical(element)?;
            let children = below.as_object()?;
            let member = children.is_empty() || children.contains_key(".");
            let below = Self::from_json(below)?;
            set.nodes.insert(element, Node { member, below });
        }
        Some(set)
    }
}

/// An element as this server writes it.
fn canonical(element: &str) -> Option<Element> {
    let (kind, rest) = element.split_once(':')?;
    match kind {
        "f" => Some(element.into()),
        "k" => serde_json::from_str::<Map>(rest).ok().map(key),
        "v" => serde_json::from_str::<Value>(rest).ok().map(|read| value(&read)),
        "i" => rest.parse::<i64>().ok().map(|index| format!("i:{index}").into()),
        _ => None,
    }
}

/// An element as it stands in messages.
pub(super) fn readable(element: &str) -> String {
    let Some((kind, rest)) = element.split_once(':') else { return element.to_owned() };
    match kind {
        "f" => format!(".{rest}"),
        "k" => {
            let keys: Map = serde_json::from_str(rest).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, at)| format!("{key}={at}")).collect();
            format!("[{}]", keys.join(","))
        }
        "v" => format!("[={rest}]"),
        _ => format!("[{rest}]"),
    }
}

#[cfg(test)]
mod tests {
    use crate::json;

    use super::*;

    fn set(json: &Value) -> Set {
        Set::from_json(json).unwrap()
    }

    #[test]
    fn the_json_form_is_kept() {
        let form = json!({"f:a": {".": {}, "f:b": {}}, "f:c": {"k:{\"x\":1,\"y\":\"z\"}": {}}});
        assert_eq!(set(&form).to_json(), form);
        let spaced = json!({"f:c": {"k:{\"y\":\"z\", \"x\": 1}": {}}, "v:\"q\"": {}});
        assert_eq!(set(&spaced).paths(), ["[=\"q\"]", ".c[x=1,y=\"z\"]"]);
        for broken in [json!({"x:a": {}}), json!({"k:{": {}}), json!({"f:a": 1}), json!([])] {
            assert_eq!(Set::from_json(&broken), None, "{broken}");
        }
    }

    #[test]
    fn algebra_keeps_no_empty_branches() {
        let a = set(&json!({"f:a": {".": {}, "f:b": {}}, "f:c": {"f:d": {}}}));
        let b = set(&json!({"f:a": {"f:b": {}}, "f:c": {}}));
        assert_eq!(a.difference(&b).to_json(), json!({"f:a": {}, "f:c": {"f:d": {}}}));
        assert_eq!(a.recursive_difference(&b).to_json(), json!({"f:a": {}}));
        assert_eq!(a.intersection(&b).to_json(), json!({"f:a": {"f:b": {}}}));
        let both = json!({"f:a": {".": {}, "f:b": {}}, "f:c": {".": {}, "f:d": {}}});
        assert_eq!(a.clone().union(&b).to_json(), both);
        assert!(a.difference(&a).is_empty());
    }
}
