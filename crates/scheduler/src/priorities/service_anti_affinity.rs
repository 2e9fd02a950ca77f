//! `ServiceAntiAffinity` (argument `serviceAntiAffinity`): pods of a service spread over the values of a
//! node label.
//!
//! Mirrors: `selector_spreading.go` (`ServiceAntiAffinity`).

use std::collections::BTreeMap;

use crate::affinity::value_of;
use crate::priorities::resource_allocation::whole;
use crate::priorities::{Item, Kin, MAX, Priority, Source};
use crate::snapshot::NodeInfo;

/// Pods of a service spread over the values of a node label.
#[derive(Debug)]
pub struct ServiceAntiAffinity {
    /// The name that the policy gives it.
    pub name: String,
    /// The label.
    pub label: String,
}

impl Priority for ServiceAntiAffinity {
    fn name(&self) -> &str {
        &self.name
    }

    fn source(&self) -> Source {
        Source::Kin(Kin::FirstService)
    }

    fn place(&self, node: &NodeInfo) -> Option<String> {
        value_of(node.labels(), &self.label).map(str::to_owned)
    }

    fn reduce(&self, items: &mut [Item]) {
        let total: i64 = items.iter().map(|item| item.value * item.count).sum();
        let mut by_value: BTreeMap<u32, i64> = BTreeMap::new();
        for item in &*items {
            if let Some(place) = item.place {
                *by_value.entry(place).or_insert(0) += item.value * item.count;
            }
        }
        for item in items {
            let there = item.place.and_then(|place| by_value.get(&place));
            item.value = there.map_or(0, |there| share(total, *there));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "upstream divides as floats")]
fn share(total: i64, there: i64) -> i64 {
    if total == 0 { MAX } else { whole(MAX as f64 * ((total - there) as f64 / total as f64)) }
}
