//! Whether a daemon set's pod belongs on a node.
//!
//! The daemon set controller of 3.11 places its pods itself, so it asks a few of the scheduler's
//! predicates. What the operator meant (selectors, host ports, taints) removes pods silently; what
//! happened to the node (resources) only keeps new ones away and is told.
//!
//! Invariant: [`verdict`] is pure; a cordoned node still counts.
//!
//! Mirrors: `nodeShouldRunDaemonPod` of `k8s.io/kubernetes/pkg/controller/daemon`, and OpenShift's
//! `namespaceNodeSelectorMatches`.

use std::sync::Arc;

use api::views;
use api::views::pod::Resources;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};

/// Node selectors of a namespace.
const NAMESPACE_SELECTORS: [&str; 2] =
    ["openshift.io/node-selector", "scheduler.alpha.kubernetes.io/node-selector"];

/// The taint of a cordoned node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// What must be so on one node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The node counts among those that must run the pod.
    pub wanted: bool,
    /// A pod may be created there now.
    pub schedule: bool,
    /// A pod that is there may stay.
    pub keep: bool,
    /// Why a wanted pod cannot be created, for people.
    pub complaint: Option<String>,
}

/// Decides about `node`, on which `others` run (pods of the set itself left out). `pod` is what
/// would be created there: the set's template with its additional tolerations.
#[must_use]
pub fn verdict(pod: &Value, node: &Value, others: &[Arc<Value>]) -> Verdict {
    let pinned = pod.str_at(&["spec", "nodeName"]);
    let intended = (pinned.is_empty() || pinned == node.name())
        && selectors_match(pod, node)
        && ports_are_free(pod, others)
        && tolerates(pod, node, &["NoExecute"]);
    if !intended {
        return Verdict::default();
    }
    if !tolerates(pod, node, &["NoExecute", "NoSchedule"]) {
        return Verdict { keep: true, ..Verdict::default() };
    }
    let complaint = shortage(pod, node, others);
    Verdict { wanted: true, schedule: complaint.is_none(), keep: true, complaint }
}

/// Whether the node is one of those that the namespace's pods may run on.
#[must_use]
pub fn namespace_admits(namespace: Option<&Value>, node: &Value) -> bool {
    NAMESPACE_SELECTORS.iter().all(|key| {
        let selector = namespace.and_then(|namespace| namespace.annotation(key)).unwrap_or("");
        LabelSelector::parse(selector).is_ok_and(|selector| selector.matches(node.labels()))
    })
}

fn selectors_match(pod: &Value, node: &Value) -> bool {
    let selector = pod.map_at(&["spec", "nodeSelector"]);
    let selected = selector.is_none_or(|map| LabelSelector::from_map(map).matches(node.labels()));
    let path = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"];
    let required = pod.at(&["spec"]).and_then(|spec| spec.at(&path));
    let attracted = required.filter(|required| !required.is_null()).is_none_or(|required| {
        let mut terms = required.list_at(&["nodeSelectorTerms"]).iter();
        terms.any(|term| views::node::term_matches(term, node.labels(), node.name()))
    });
    selected && attracted
}

fn ports_are_free(pod: &Value, others: &[Arc<Value>]) -> bool {
    let wanted = views::pod::host_ports(pod);
    wanted.is_empty()
        || !others
            .iter()
            .flat_map(|other| views::pod::host_ports(other))
            .any(|taken| wanted.iter().any(|port| port.conflicts_with(&taken)))
}

/// Whether the pod puts up with the node's taints of these effects.
///
/// Deviation: nodes of 3.11 are not tainted when they are cordoned; where they are, as by newer
/// node controllers, the taint is passed over, as newer daemon set controllers do.
fn tolerates(pod: &Value, node: &Value, effects: &[&str]) -> bool {
    let tolerations = pod.list_at(&["spec", "tolerations"]);
    let taints = views::node::taints(node).iter();
    let mut repelling = taints.filter(|taint| {
        effects.contains(&taint.str_at(&["effect"])) && taint.str_at(&["key"]) != UNSCHEDULABLE
    });
    repelling
        .all(|taint| tolerations.iter().any(|toleration| views::node::tolerates(toleration, taint)))
}

/// Which resource there is too little of, the last one found.
fn shortage(pod: &Value, node: &Value, others: &[Arc<Value>]) -> Option<String> {
    let used_pods = i64::try_from(others.len()).unwrap_or(i64::MAX);
    let mut short = None;
    let mut check = |resource: &str, asked: i64, used: i64, has: i64| {
        if has < asked.saturating_add(used) {
            short = Some(format!(
                "Node didn't have enough resource: {resource}, requested: {asked}, used: {used}, \
                 capacity: {has}"
            ));
        }
    };
    check("pods", 1, used_pods, views::node::allocatable_pods(node));
    let asked = views::pod::requests(pod);
    if asked != Resources::default() {
        let has = views::node::allocatable(node);
        let mut used = Resources::default();
        for other in others {
            used.add(&views::pod::requests(other));
        }
        check("cpu", asked.milli_cpu, used.milli_cpu, has.milli_cpu);
        check("memory", asked.memory_bytes, used.memory_bytes, has.memory_bytes);
        check(
            "ephemeral-storage",
            asked.ephemeral_storage_bytes,
            used.ephemeral_storage_bytes,
            has.ephemeral_storage_bytes,
        );
        let of = |amounts: &Resources, name: &str| amounts.scalar.get(name).copied().unwrap_or(0);
        for (name, asked) in &asked.scalar {
            check(name, *asked, of(&used, name), of(&has, name));
        }
    }
    short
}
