//! `SelectorSpreadPriority`: pods of one service or controller spread over nodes and zones.
//!
//! Mirrors: `selector_spreading.go`.

use std::collections::BTreeMap;

use apimachinery::ObjectExt as _;

use crate::priorities::resource_allocation::whole;
use crate::priorities::{MAX, Priority, Request};
use crate::snapshot::NodeInfo;

/// How much zones count against nodes.
const ZONE_WEIGHT: f64 = 2.0 / 3.0;
const NODE_WEIGHT: f64 = 1.0 / 3.0;

#[derive(Debug)]
pub(super) struct SelectorSpread;

impl Priority for SelectorSpread {
    fn name(&self) -> &'static str {
        "SelectorSpreadPriority"
    }

    fn score(&self, request: &Request<'_>, nodes: &[&NodeInfo]) -> Vec<i64> {
        let namespace = request.pod.pod.namespace();
        let by_node = request.snapshot.spread.counts(namespace, &request.selectors.0);
        let counts: Vec<i64> = nodes
            .iter()
            .map(|node| by_node.get(node.name.as_str()).copied().unwrap_or(0))
            .collect();
        let zones: Vec<Option<String>> = nodes.iter().map(|node| zone(node)).collect();
        let mut by_zone: BTreeMap<&str, i64> = BTreeMap::new();
        for (zone, count) in zones.iter().zip(&counts) {
            if let Some(zone) = zone {
                *by_zone.entry(zone).or_insert(0) += count;
            }
        }
        let max_node = counts.iter().copied().max().unwrap_or(0);
        let max_zone = by_zone.values().copied().max().unwrap_or(0);
        let score = |(zone, count): (&Option<String>, &i64)| {
            let node = share(max_node, *count);
            let score = match zone.as_ref().and_then(|zone| by_zone.get(zone.as_str())) {
                Some(count) => node * NODE_WEIGHT + ZONE_WEIGHT * share(max_zone, *count),
                None => node,
            };
            whole(score)
        };
        zones.iter().zip(&counts).map(score).collect()
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
