//! The scheduler's rules in plain words, by upstream's names.
//!
//! Invariant: every predicate and priority that a policy may name has a sentence.

use scheduler::predicates::Predicate;
use scheduler::priorities::Priority;

/// The question that a predicate asks about a node.
#[must_use]
pub fn question(predicate: &dyn Predicate) -> String {
    match predicate.rule() {
        "CheckNodeCondition" => "Is the node ready and open for new pods?",
        "CheckNodeUnschedulable" => "Is the node open for new pods, not cordoned?",
        "GeneralPredicates" => {
            "Has it the CPU, memory, ports, labels and name that the pod asks for?"
        }
        "HostName" => "Is it the node that the pod names?",
        "PodFitsHostPorts" => "Are the ports of the node free that the pod wants?",
        "MatchNodeSelector" => "Has it the labels that the pod asks for?",
        "PodFitsResources" => "Is enough CPU, memory and room for pods left?",
        "NoDiskConflict" => "Is no disk of the pod in use there by another pod?",
        "PodToleratesNodeTaints" => "Does the pod tolerate everything the node is tainted with?",
        "PodToleratesNodeNoExecuteTaints" => "Does the pod tolerate what would evict it again?",
        "CheckNodeLabelPresence" => "Has it (or lacks it) the labels that the policy names?",
        "CheckServiceAffinity" => {
            let labels = predicate.sibling_labels().join(", ");
            return format!("Is it in the same {labels} as the other pods of the service?");
        }
        "MaxEBSVolumeCount" => "Can it attach more Amazon EBS volumes?",
        "MaxGCEPDVolumeCount" => "Can it attach more Google persistent disks?",
        "MaxCSIVolumeCount" => "Can it attach more CSI volumes?",
        "MaxAzureDiskVolumeCount" => "Can it attach more Azure disks?",
        "CheckVolumeBinding" => "Can the pod's volume claims be had there?",
        "NoVolumeZoneConflict" => "Is it in the zone of the pod's volumes?",
        "CheckNodeMemoryPressure" => "Has it memory to spare (asked for pods without requests)?",
        "CheckNodePIDPressure" => "Can it start more processes?",
        "CheckNodeDiskPressure" => "Has it disk space to spare?",
        "MatchInterPodAffinity" => "Are the right pods near, and no wrong ones?",
        _ => "Does the policy allow it?",
    }
    .to_owned()
}

/// What a priority likes in a node.
#[must_use]
pub fn liking(priority: &dyn Priority) -> String {
    match priority.name() {
        "SelectorSpreadPriority" | "ServiceSpreadingPriority" => {
            "Few pods of the same service or controller on the node and in its zone"
        }
        "InterPodAffinityPriority" => "Pods near that the pod likes, none that it avoids",
        "LeastRequestedPriority" => "Much CPU and memory left",
        "MostRequestedPriority" => "Little CPU and memory left: fill one node after the other",
        "BalancedResourceAllocation" => "CPU and memory taken in equal parts",
        "NodePreferAvoidPodsPriority" => "Does not ask to be spared pods of this controller",
        "NodeAffinityPriority" => "Has the labels that the pod prefers",
        "TaintTolerationPriority" => "Few PreferNoSchedule taints that the pod does not tolerate",
        "ImageLocalityPriority" => "Has the pod's images already",
        "EqualPriority" => "The same for every node",
        "ResourceLimitsPriority" => "Can meet the pod's limits",
        _ => return of_policy(priority),
    }
    .to_owned()
}

/// Priorities that the policy names itself are told by what they are made of.
fn of_policy(priority: &dyn Priority) -> String {
    let made = format!("{priority:?}");
    let label = made.split("label: \"").nth(1).and_then(|rest| rest.split('"').next());
    match (made.split([' ', '{']).next().unwrap_or_default(), label) {
        ("ServiceAntiAffinity", Some(label)) => {
            format!("Few pods of the same service where the label {label:?} is the same")
        }
        ("NodeLabel", Some(label)) if made.contains("presence: false") => {
            format!("Lacks the label {label:?}")
        }
        ("NodeLabel", Some(label)) => format!("Has the label {label:?}"),
        ("RequestedToCapacityRatio", _) => "How full it is, by the policy's curve".to_owned(),
        _ => "What the policy says".to_owned(),
    }
}
