//! `NodePreferAvoidPodsPriority`: nodes that ask not to get the pods of a controller.
//!
//! Mirrors: `node_prefer_avoid_pods.go`.

use apimachinery::ObjectExt as _;

use crate::pod::PodInfo;
use crate::priorities::{MAX, Priority, Reads};
use crate::snapshot::NodeInfo;

#[derive(Debug)]
pub(super) struct NodePreferAvoidPods;

impl Priority for NodePreferAvoidPods {
    fn name(&self) -> &str {
        "NodePreferAvoidPodsPriority"
    }

    fn reads(&self) -> Reads {
        Reads::Controller
    }

    fn raw(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        if node.avoids.is_empty() {
            return MAX;
        }
        let Some(owner) = pod.pod.controller_ref() else { return MAX };
        let (kind, uid) = (owner.kind(), owner.str_at(&["uid"]));
        if !matches!(kind, "ReplicationController" | "ReplicaSet") {
            return MAX;
        }
        let avoided = node.avoids.iter().any(|(k, u)| k == kind && u == uid);
        if avoided { 0 } else { MAX }
    }
}
