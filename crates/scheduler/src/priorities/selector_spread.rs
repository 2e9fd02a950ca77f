//! `SelectorSpreadPriority`: pods of one service or controller spread over nodes and zones.
//! `ServiceSpreadingPriority` looks at services only.
//!
//! Mirrors: `selector_spreading.go`.

use std::collections::BTreeMap;

use apimachinery::ObjectExt as _;

use crate::priorities::resource_allocation::whole;
use crate::priorities::{Item, Kin, MAX, Priority, Source};
use crate::snapshot::NodeInfo;

/// How much zones count against nodes.
const ZONE_WEIGHT: f64 = 2.0 / 3.0;
const NODE_WEIGHT: f64 = 1.0 / 3.0;

#[derive(Debug)]
pub(super) struct SelectorSpread;

#[derive(Debug)]
pub(super) struct ServiceSpreading;

impl Priority for SelectorSpread {
    fn name(&self) -> &str {
        "SelectorSpreadPriority"
    }

    fn source(&self) -> Source {
        Source::Kin(Kin::AllOwners)
    }

    fn place(&self, node: &NodeInfo) -> Option<String> {
        zone(node)
    }

    fn reduce(&self, items: &mut [Item]) {
        spread(items);
    }
}

impl Priority for ServiceSpreading {
    fn name(&self) -> &str {
        "ServiceSpreadingPriority"
    }

    fn source(&self) -> Source {
        Source::Kin(Kin::Services)
    }

    fn place(&self, node: &NodeInfo) -> Option<String> {
        zone(node)
    }

    fn reduce(&self, items: &mut [Item]) {
        spread(items);
    }
}

fn spread(items: &mut [Item]) {
    let mut by_zone: BTreeMap<u32, i64> = BTreeMap::new();
    for item in &*items {
        if let Some(zone) = item.place {
            *by_zone.entry(zone).or_insert(0) += item.value * item.count;
        }
    }
    let max_node = items.iter().map(|item| item.value).max().unwrap_or(0);
    let max_zone = by_zone.values().copied().max().unwrap_or(0);
    for item in items {
        let node = share(max_node, item.value);
        let zone = item.place.and_then(|zone| by_zone.get(&zone));
        item.value = whole(match zone {
            Some(count) => node * NODE_WEIGHT + ZONE_WEIGHT * share(max_zone, *count),
            None => node,
        });
    }
}

/// The full score for none of the pods, 0 for the most.
#[expect(clippy::cast_precision_loss, reason = "upstream divides as floats")]
fn share(max: i64, count: i64) -> f64 {
    if max > 0 { MAX as f64 * ((max - count) as f64 / max as f64) } else { MAX as f64 }
}

/// The failure zone of a node, if its labels name one.
fn zone(node: &NodeInfo) -> Option<String> {
    let node = node.node.as_ref()?;
    let region = node.label("failure-domain.beta.kubernetes.io/region");
    let zone = node.label("failure-domain.beta.kubernetes.io/zone");
    if region.is_empty() && zone.is_empty() { None } else { Some(format!("{region}:\0:{zone}")) }
}
