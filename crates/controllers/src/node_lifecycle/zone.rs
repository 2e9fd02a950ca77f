//! How fast nodes are emptied: by the share of nodes that are lost in a zone.

use std::time::Duration;

use apimachinery::{ObjectExt as _, Value};

const REGION: &str = "failure-domain.beta.kubernetes.io/region";
const ZONE: &str = "failure-domain.beta.kubernetes.io/zone";

/// More nodes than this make a zone large.
const LARGE: usize = 50;

/// One node in ten seconds: `node-eviction-rate`.
const USUAL: Duration = Duration::from_secs(10);

/// One node in hundred seconds, in large zones with many lost nodes: `secondary-node-eviction-rate`.
const SLOW: Duration = Duration::from_secs(100);

/// How much of a zone is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disruption {
    /// Little.
    Normal,
    /// Three nodes or more, and at least 55 %.
    Partial,
    /// Everything.
    Full,
}

/// How fast the nodes of a zone are emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Not at all.
    Stopped,
    /// One node in this time.
    Every(Duration),
}

/// The failure domain of a node: region and zone.
#[must_use]
pub fn zone_of(node: &Value) -> String {
    match (node.label(REGION), node.label(ZONE)) {
        ("", "") => String::new(),
        (region, zone) => format!("{region}:\u{0}:{zone}"),
    }
}

/// How much of a zone of `nodes` nodes is lost when `not_ready` of them are not ready.
#[must_use]
pub fn disruption(nodes: usize, not_ready: usize) -> Disruption {
    if not_ready > 0 && not_ready == nodes {
        Disruption::Full
    } else if not_ready > 2 && not_ready * 100 >= nodes * 55 {
        Disruption::Partial
    } else {
        Disruption::Normal
    }
}

/// The rate in a zone of `nodes` nodes; none at all when `all_lost` says that every zone is lost.
#[must_use]
pub fn rate(disruption: Disruption, nodes: usize, all_lost: bool) -> Rate {
    match disruption {
        _ if all_lost => Rate::Stopped,
        Disruption::Partial if nodes > LARGE => Rate::Every(SLOW),
        Disruption::Partial => Rate::Stopped,
        Disruption::Normal | Disruption::Full => Rate::Every(USUAL),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use apimachinery::json;

    use super::*;

    #[test]
    fn a_zone_is_named_by_region_and_zone() {
        let node = |labels: Value| json!({"metadata": {"labels": labels}});
        let zones = [
            node(json!({})),
            node(json!({REGION: "r"})),
            node(json!({ZONE: "z"})),
            node(json!({REGION: "r", ZONE: "z"})),
        ];
        let names: BTreeSet<String> = zones.iter().map(zone_of).collect();
        assert_eq!(names.len(), zones.len(), "{names:?}");
        assert_eq!(zone_of(&zones[0]), "", "nodes without labels share a zone");
    }

    #[test]
    fn zones_slow_down_as_more_of_them_is_lost() {
        // (nodes, not ready, all zones lost) -> rate
        for (nodes, not_ready, all_lost, want) in [
            (3, 1, false, Rate::Every(USUAL)),
            (3, 2, false, Rate::Every(USUAL)),
            (3, 3, false, Rate::Every(USUAL)),
            (3, 3, true, Rate::Stopped),
            (5, 3, false, Rate::Stopped),
            (6, 3, false, Rate::Every(USUAL)),
            (100, 54, false, Rate::Every(USUAL)),
            (100, 55, false, Rate::Every(SLOW)),
            (1, 1, true, Rate::Stopped),
        ] {
            let got = rate(disruption(nodes, not_ready), nodes, all_lost);
            assert_eq!(got, want, "{not_ready} of {nodes}");
        }
    }
}
