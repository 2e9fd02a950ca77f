//! Events: the core form and that of `events.k8s.io`.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::rename;
use crate::Resource;

/// Field names in the core group and in `events.k8s.io`.
const NAMES: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

pub(super) fn convert(object: &mut Value, from: &Resource, to: &Resource) {
    if from.group == to.group {
        return;
    }
    for (core, events) in NAMES {
        let (old, new) = if to.group.is_empty() { (events, core) } else { (core, events) };
        rename(object, &[old], &[new]);
    }
    let required = if to.group.is_empty() { "involvedObject" } else { "regarding" };
    if object.get(required).is_none() {
        object.set(&[required], json!({}));
    }
}
