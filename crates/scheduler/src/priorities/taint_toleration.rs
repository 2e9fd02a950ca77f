//! `TaintTolerationPriority`: nodes with fewer taints that the pod would rather avoid.
//!
//! Mirrors: `taint_toleration.go`.

use api::views::node::{taints, tolerates};
use apimachinery::ObjectExt as _;

use crate::pod::PodInfo;
use crate::priorities::{Item, Priority, normalise};
use crate::snapshot::NodeInfo;

const PREFER: &str = "PreferNoSchedule";

#[derive(Debug)]
pub(super) struct TaintToleration;

impl Priority for TaintToleration {
    fn name(&self) -> &str {
        "TaintTolerationPriority"
    }

    fn raw(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let taints = node.node.as_ref().map_or(&[][..], |node| taints(node));
        if taints.is_empty() {
            return 0;
        }
        let tolerations = pod.pod.list_at(&["spec", "tolerations"]);
        let about = |effect: &str| effect.is_empty() || effect == PREFER;
        let met = |taint| {
            let mut tolerations =
                tolerations.iter().filter(|toleration| about(toleration.str_at(&["effect"])));
            tolerations.any(|toleration| tolerates(toleration, taint))
        };
        let preferring = taints.iter().filter(|taint| taint.str_at(&["effect"]) == PREFER);
        i64::try_from(preferring.filter(|taint| !met(taint)).count()).unwrap_or(i64::MAX)
    }

    fn is_relative(&self) -> bool {
        true
    }

    fn reduce(&self, items: &mut [Item]) {
        normalise(items, true);
    }
}
