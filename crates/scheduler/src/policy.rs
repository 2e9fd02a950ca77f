//! The policy file: `kind: Policy`, `apiVersion: v1`, as JSON or YAML.
//!
//! What the file leaves out is the built-in provider's; what it lists is all there is.
//!
//! Invariant: a name that is not known, or known for nothing, is refused before anything is scheduled.
//!
//! Mirrors: `pkg/scheduler/factory/plugins.go`, `pkg/scheduler/api/validation`.

use std::sync::Arc;

use apimachinery::yaml::load_documents;
use apimachinery::{ObjectExt as _, Value};

use crate::extender::{self, Extender};
use crate::predicates::{self, CheckNodeLabelPresence, CheckServiceAffinity, Predicate};
use crate::priorities::{
    self, NodeLabel, Priority, RequestedToCapacityRatio, ServiceAntiAffinity, Shape,
};
use crate::profile::Profile;

/// Why a policy is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is neither JSON nor YAML.
    #[error("invalid policy: {0}")]
    Syntax(String),
    /// It is something else than a policy.
    #[error("invalid policy: no kind {kind:?} is registered for version {version:?}")]
    Kind {
        /// The kind it claims to be.
        kind: String,
        /// The version it claims to be in.
        version: String,
    },
    /// A field that means nothing.
    #[error("invalid policy: unknown field {0:?}")]
    Field(String),
    /// No predicate has the name, and no argument tells what is meant.
    #[error("Invalid configuration: Predicate type not found for {0}")]
    UnknownPredicate(String),
    /// No priority has the name, and no argument tells what is meant.
    #[error("Invalid configuration: Priority type not found for {0}")]
    UnknownPriority(String),
    /// An argument means nothing or several things.
    #[error("Exactly 1 {kind} argument is required, numArgs: {count}, {title}: {name}")]
    Arguments {
        /// `predicate` or `priority`.
        kind: &'static str,
        /// The same, capital.
        title: &'static str,
        /// Whose argument.
        name: String,
        /// How many it means.
        count: usize,
    },
    /// A weight below 1.
    #[error("Priority {0} should have a positive weight applied to it or it has overflown")]
    Weight(String),
    /// A shape that cannot be drawn.
    #[error("invalid RequestedToCapacityRatioPriority arguments: {0}")]
    Shape(String),
    /// A symmetric weight out of bounds.
    #[error("invalid hardPodAffinitySymmetricWeight: {0}, must be in the range 0-100")]
    HardWeight(i64),
    /// An extender that cannot be used.
    #[error(transparent)]
    Extender(#[from] extender::Error),
}

/// The predicates of the built-in provider of 1.11.
const PREDICATES: [&str; 14] = [
    "NoVolumeZoneConflict",
    "MaxEBSVolumeCount",
    "MaxGCEPDVolumeCount",
    "MaxAzureDiskVolumeCount",
    "MaxCSIVolumeCount",
    "MatchInterPodAffinity",
    "NoDiskConflict",
    "GeneralPredicates",
    "CheckNodeMemoryPressure",
    "CheckNodeDiskPressure",
    "CheckNodePIDPressure",
    "CheckNodeCondition",
    "PodToleratesNodeTaints",
    "CheckVolumeBinding",
];

/// The priorities of the built-in provider of 1.11.
const PRIORITIES: [(&str, i64); 7] = [
    ("SelectorSpreadPriority", 1),
    ("InterPodAffinityPriority", 1),
    ("LeastRequestedPriority", 1),
    ("BalancedResourceAllocation", 1),
    ("NodePreferAvoidPodsPriority", 10_000),
    ("NodeAffinityPriority", 1),
    ("TaintTolerationPriority", 1),
];

/// The built-in provider of Kubernetes.
///
/// # Panics
/// Never: the names are registered.
#[must_use]
pub fn kubernetes() -> Profile {
    Profile::of(&PREDICATES, &PRIORITIES).expect("the built-in names are registered")
}

/// The policy that OpenShift's installer writes: the built-in one, pods of a service kept in one
/// region and spread over its zones.
#[must_use]
pub fn openshift() -> Profile {
    let built_in = kubernetes();
    let mut predicates = built_in.predicates;
    let labels = vec!["region".to_owned()];
    predicates.push(Arc::new(CheckServiceAffinity { name: "Region".to_owned(), labels }));
    let mut priorities = built_in.priorities;
    let (name, label) = ("Zone".to_owned(), "zone".to_owned());
    priorities.push((Arc::new(ServiceAntiAffinity { name, label }), 2));
    Profile::new(predicates, priorities)
}

/// The policy of this name, where it is not a file: `openshift` or `kubernetes`.
#[must_use]
pub fn named(name: &str) -> Option<Profile> {
    match name {
        "openshift" => Some(openshift()),
        "kubernetes" => Some(kubernetes()),
        _ => None,
    }
}

/// What a policy has.
const FIELDS: [&str; 7] = [
    "alwaysCheckAllPredicates",
    "apiVersion",
    "extenders",
    "hardPodAffinitySymmetricWeight",
    "kind",
    "predicates",
    "priorities",
];

/// Holds `entry`, found at `path`, to the fields that mean something.
fn check_fields(entry: &Value, path: &str, known: &[&str]) -> Result<(), Error> {
    let mut fields = entry.as_object().into_iter().flat_map(|entry| entry.keys());
    match fields.find(|field| !known.contains(&field.as_str())) {
        Some(field) => Err(Error::Field(format!("{path}{field}"))),
        None => Ok(()),
    }
}

/// Reads a policy.
///
/// Deviation: a misspelt field is refused; upstream passes over it, which leaves its defaults in force.
///
/// # Errors
/// In upstream's words when the text cannot be read or names what does not exist.
pub fn parse(text: &str) -> Result<Profile, Error> {
    let documents = load_documents(text).map_err(|error| Error::Syntax(error.to_string()))?;
    let policy = match documents.as_slice() {
        [document] if document.value.is_object() => &document.value,
        _ => return Err(Error::Syntax("one document is wanted".to_owned())),
    };
    let (kind, version) = (policy.kind(), policy.api_version());
    if kind != "Policy" || version != "v1" {
        return Err(Error::Kind { kind: kind.to_owned(), version: version.to_owned() });
    }
    check_fields(policy, "", &FIELDS)?;
    let listed = |field: &str| policy.get(field).and_then(Value::as_array);
    let built_in = kubernetes();
    let predicates = match listed("predicates") {
        Some(entries) => entries.iter().map(predicate).collect::<Result<_, _>>()?,
        None => built_in.predicates,
    };
    let priorities = match listed("priorities") {
        Some(entries) => entries.iter().map(priority).collect::<Result<_, _>>()?,
        None => built_in.priorities,
    };
    let mut profile = Profile::new(predicates, priorities);
    profile.always_check_all_predicates = policy.bool_at(&["alwaysCheckAllPredicates"]);
    // As upstream, 0 is no weight given.
    match policy.int_at(&["hardPodAffinitySymmetricWeight"]).unwrap_or(0) {
        0 => {}
        weight @ 1..=100 => profile.hard_pod_affinity_weight = weight,
        weight => return Err(Error::HardWeight(weight)),
    }
    let extenders = listed("extenders").map_or(&[][..], apimachinery::List::as_slice);
    let extenders = extenders.iter().map(Extender::read).collect::<Result<Vec<_>, _>>()?;
    extender::validate(&extenders)?;
    profile.extenders = extenders.into_iter().map(Arc::new).collect();
    let ignored = profile.extenders.iter().flat_map(|extender| extender.ignored_resources());
    let ignored: Vec<String> = ignored.map(str::to_owned).collect();
    if !ignored.is_empty() {
        predicates::ignore_resources(&mut profile.predicates, &ignored);
    }
    Ok(profile)
}

/// The argument of an entry, which must be of exactly one of `kinds`.
fn argument<'a>(
    entry: &'a Value,
    kinds: &[&'static str],
    kind: &'static str,
    title: &'static str,
) -> Result<Option<(&'static str, &'a Value)>, Error> {
    let Some(argument) = entry.get("argument").filter(|argument| !argument.is_null()) else {
        return Ok(None);
    };
    let given = |kind: &&'static str| {
        let value = argument.get(*kind).filter(|value| !value.is_null())?;
        Some((*kind, value))
    };
    let mut given = kinds.iter().filter_map(given);
    match (given.next(), given.count()) {
        (Some(one), 0) => Ok(Some(one)),
        (first, more) => {
            let (name, count) =
                (entry.str_at(&["name"]).to_owned(), more + usize::from(first.is_some()));
            Err(Error::Arguments { kind, title, name, count })
        }
    }
}

fn texts(value: &Value, field: &str) -> Vec<String> {
    value.list_at(&[field]).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn predicate(entry: &Value) -> Result<Arc<dyn Predicate>, Error> {
    check_fields(entry, "predicates.", &["argument", "name"])?;
    let name = entry.str_at(&["name"]).to_owned();
    let kinds = ["serviceAffinity", "labelsPresence"];
    match argument(entry, &kinds, "predicate", "Predicate")? {
        None => predicates::named(&name).ok_or(Error::UnknownPredicate(name)),
        Some(("serviceAffinity", value)) => {
            Ok(Arc::new(CheckServiceAffinity { name, labels: texts(value, "labels") }))
        }
        Some((_, value)) => {
            let presence = value.bool_at(&["presence"]);
            Ok(Arc::new(CheckNodeLabelPresence { name, labels: texts(value, "labels"), presence }))
        }
    }
}

fn priority(entry: &Value) -> Result<(Arc<dyn Priority>, i64), Error> {
    check_fields(entry, "priorities.", &["argument", "name", "weight"])?;
    let name = entry.str_at(&["name"]).to_owned();
    let weight = entry.int_at(&["weight"]).unwrap_or(0);
    if weight < 1 || weight >= i64::from(i32::MAX) / priorities::MAX {
        return Err(Error::Weight(name));
    }
    let kinds = ["serviceAntiAffinity", "labelPreference", "requestedToCapacityRatioArguments"];
    let priority: Arc<dyn Priority> = match argument(entry, &kinds, "priority", "Priority")? {
        None => priorities::named(&name).ok_or(Error::UnknownPriority(name))?,
        Some(("serviceAntiAffinity", value)) => {
            let label = value.str_at(&["label"]).to_owned();
            Arc::new(ServiceAntiAffinity { name, label })
        }
        Some(("labelPreference", value)) => {
            let label = value.str_at(&["label"]).to_owned();
            Arc::new(NodeLabel { name, label, presence: value.bool_at(&["presence"]) })
        }
        Some((_, value)) => {
            let shape = value.get("shape").or_else(|| value.get("utilizationShape"));
            let points =
                shape.and_then(Value::as_array).map_or(&[][..], apimachinery::List::as_slice);
            let number = |point: &Value, field: &str| point.int_at(&[field]).unwrap_or(0);
            let points =
                points.iter().map(|p| (number(p, "utilization"), number(p, "score"))).collect();
            let shape = Shape::new(points).map_err(Error::Shape)?;
            Arc::new(RequestedToCapacityRatio { name, shape })
        }
    };
    Ok((priority, weight))
}

#[cfg(test)]
mod tests;
