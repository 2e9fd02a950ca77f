//! Why a node was refused, in figures, and what would change that.
//!
//! Invariant: what is proposed concerns the nodes that lack least.

use std::collections::BTreeSet;

use api::views::node as nodes;
use api::views::pod::Resources;
use apimachinery::{ObjectExt as _, Value};
use scheduler::{Decision, NodeInfo, Outcome, PodInfo, Snapshot};

use crate::placement::Refusal;

/// The most that is proposed.
const MOST: usize = 6;

/// Every reason against every node, with figures.
#[must_use]
pub fn refusals(snapshot: &Snapshot, pod: &PodInfo, decision: &Decision) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for verdict in &decision.verdicts {
        let Some(node) = snapshot.node(&verdict.node) else { continue };
        for asked in &verdict.predicates {
            for reason in &asked.reasons {
                let reason = reason.to_string();
                refusals.push(Refusal {
                    node: verdict.node.clone(),
                    predicate: asked.predicate.clone(),
                    detail: detail(&reason, node, pod),
                    reason,
                });
            }
        }
    }
    refusals
}

/// CPU, memory and the like: name, what the node has, what is taken, what the pod asks for.
fn amounts<'a>(node: &NodeInfo, pod: &'a PodInfo) -> Vec<(&'a str, [i64; 3])> {
    let of = |read: fn(&Resources) -> i64| {
        [read(&node.allocatable), read(&node.requested), read(&pod.request)]
    };
    let mut all = vec![
        ("cpu", of(|it| it.milli_cpu)),
        ("memory", of(|it| it.memory_bytes)),
        ("ephemeral-storage", of(|it| it.ephemeral_storage_bytes)),
    ];
    for (name, asked) in &pod.request.scalar {
        let at = |it: &Resources| it.scalar.get(name).copied().unwrap_or(0);
        all.push((name, [at(&node.allocatable), at(&node.requested), *asked]));
    }
    all
}

/// An amount as people write it.
#[must_use]
pub fn amount(resource: &str, value: i64) -> String {
    match resource {
        "cpu" if value % 1000 == 0 => (value / 1000).to_string(),
        "cpu" => format!("{value}m"),
        "memory" | "ephemeral-storage" => {
            let units = [("Gi", 1_i64 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
            let whole = units.iter().find(|(_, unit)| value >= *unit && value % unit == 0);
            let near = units.iter().find(|(_, unit)| value >= 10 * unit);
            match whole.or(near) {
                Some((name, unit)) => format!("{}{name}", value / unit),
                None => value.to_string(),
            }
        }
        _ => value.to_string(),
    }
}

fn detail(reason: &str, node: &NodeInfo, pod: &PodInfo) -> String {
    if reason == "Insufficient pods" {
        return format!("it takes {} pods and has {}", node.allowed_pods, node.pods.len());
    }
    if let Some(resource) = reason.strip_prefix("Insufficient ") {
        let found = amounts(node, pod).into_iter().find(|(name, _)| *name == resource);
        let Some((_, [has, used, asked])) = found else { return String::new() };
        let text = |value| amount(resource, value);
        return format!(
            "the pod asks for {} {resource}; of {} here, {} {} taken and {} free",
            text(asked),
            text(has),
            text(used),
            if used == 1 { "is" } else { "are" },
            text((has - used).max(0)),
        );
    }
    match reason {
        "node(s) were unschedulable" => "it is cordoned".to_owned(),
        "node(s) were not ready" => "its agent does not say that it is ready".to_owned(),
        "node(s) didn't match node selector" => selector_detail(node, pod),
        "node(s) had taints that the pod didn't tolerate" => {
            format!("tainted with {}", untolerated(node, pod).join(", "))
        }
        "node(s) didn't have free ports for the requested pod ports" => {
            let taken = pod.host_ports.iter().filter(|port| node.is_port_taken(port));
            let ports: Vec<String> = taken.map(|port| port.port.to_string()).collect();
            format!("a pod there has taken port {}", ports.join(", "))
        }
        "node(s) didn't match the requested hostname" => {
            format!("the pod wants {}", pod.pod.str_at(&["spec", "nodeName"]))
        }
        _ => String::new(),
    }
}

/// The pairs of the pod's node selector that the node lacks.
fn missing_labels(node: &NodeInfo, pod: &PodInfo) -> Vec<(String, String)> {
    let wanted = pod.pod.map_at(&["spec", "nodeSelector"]).into_iter().flatten();
    let lacking =
        wanted.filter(|(key, value)| node.labels().and_then(|l| l.get(key)) != Some(value));
    lacking
        .map(|(key, value)| (key.to_string(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn selector_detail(node: &NodeInfo, pod: &PodInfo) -> String {
    let missing = missing_labels(node, pod);
    if missing.is_empty() {
        return "its labels are not those of the pod's node affinity".to_owned();
    }
    let pairs: Vec<String> = missing.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("it lacks the label {}", pairs.join(", "))
}

fn shown(taint: &Value) -> String {
    let (key, value) = (taint.str_at(&["key"]), taint.str_at(&["value"]));
    let equals = if value.is_empty() { "" } else { "=" };
    format!("{key}{equals}{value}:{}", taint.str_at(&["effect"]))
}

/// The taints that keep the pod off.
fn untolerated(node: &NodeInfo, pod: &PodInfo) -> Vec<String> {
    let Some(of) = node.node.as_deref() else { return Vec::new() };
    let tolerations = pod.pod.list_at(&["spec", "tolerations"]);
    let bad = nodes::taints(of).iter().filter(|taint| {
        taint.str_at(&["effect"]) != "PreferNoSchedule"
            && !tolerations.iter().any(|toleration| nodes::tolerates(toleration, taint))
    });
    bad.map(shown).collect()
}

/// What would let the pod fit, easiest first.
#[must_use]
pub fn remedies(
    snapshot: &Snapshot,
    pod: &PodInfo,
    decision: &Decision,
    refusals: &[Refusal],
) -> Vec<String> {
    if let Outcome::Failed(text) = &decision.outcome {
        return beforehand(snapshot, text);
    }
    let lacks = |node: &str| refusals.iter().filter(|refusal| refusal.node == node).count();
    let names: BTreeSet<&str> = refusals.iter().map(|refusal| &*refusal.node).collect();
    let least = names.iter().map(|name| lacks(name)).min().unwrap_or(0);
    let near = refusals.iter().filter(|refusal| lacks(&refusal.node) == least);
    let (mut help, mut shapes) = (Vec::new(), Vec::new());
    if let Some(text) = too_big(snapshot, pod, refusals) {
        help.push(text);
    }
    for refusal in near {
        let Some(node) = snapshot.node(&refusal.node) else { continue };
        for text in proposals(refusal, node, pod) {
            // What is the same on another node is said once.
            let shape = text.replace(&*refusal.node, "*");
            if !shapes.contains(&shape) && help.len() < MOST {
                help.push(text);
                shapes.push(shape);
            }
        }
    }
    help
}

fn beforehand(snapshot: &Snapshot, text: &str) -> Vec<String> {
    if snapshot.is_empty() {
        return vec!["Add a node: rehearse up --nodes 1".to_owned()];
    }
    if text.starts_with("persistentvolumeclaim") {
        return vec!["Create the claim that the pod names, or name another".to_owned()];
    }
    Vec::new()
}

/// Says when a request is more than any node has, empty as it may be.
fn too_big(snapshot: &Snapshot, pod: &PodInfo, refusals: &[Refusal]) -> Option<String> {
    let short = refusals.iter().filter_map(|refusal| refusal.reason.strip_prefix("Insufficient "));
    let short: BTreeSet<&str> = short.filter(|resource| *resource != "pods").collect();
    short.into_iter().find_map(|resource| {
        let found = snapshot.nodes().flat_map(|node| amounts(node, pod));
        let of = found.filter(|(name, _)| *name == resource).map(|(_, amounts)| amounts);
        let (largest, asked) =
            of.fold((0, 0), |(largest, _), [has, _, asked]| (has.max(largest), asked));
        (asked > largest).then(|| {
            format!(
                "Ask for less {resource}, or add a larger node: the pod asks for {}, the largest \
                 node has {} in all",
                amount(resource, asked),
                amount(resource, largest)
            )
        })
    })
}

fn proposals(refusal: &Refusal, node: &NodeInfo, pod: &PodInfo) -> Vec<String> {
    let name = &refusal.node;
    if refusal.reason == "Insufficient pods" {
        return vec![format!("Delete a pod on {name}, or add a node")];
    }
    if let Some(resource) = refusal.reason.strip_prefix("Insufficient ") {
        let found = amounts(node, pod).into_iter().find(|(other, _)| *other == resource);
        let Some((_, [has, used, asked])) = found.filter(|(_, [has, _, asked])| asked <= has)
        else {
            return Vec::new();
        };
        let short = amount(resource, asked + used - has);
        return vec![format!(
            "Free {short} {resource} on {name} (delete or shrink pods there), or ask for {short} less"
        )];
    }
    match refusal.reason.as_str() {
        "node(s) were unschedulable" => vec![format!("Open the node: kubectl uncordon {name}")],
        "node(s) were not ready" => {
            vec![format!("Bring {name} back; see: kubectl describe node {name}")]
        }
        "node(s) didn't match node selector" => {
            // A node's own name is not something to give to another.
            let missing = missing_labels(node, pod).into_iter();
            let missing = missing.filter(|(key, _)| key != "kubernetes.io/hostname");
            let label = |(key, value): (String, String)| {
                format!("Label a node: kubectl label node {name} {key}={value}")
            };
            let mut help: Vec<String> = missing.map(label).collect();
            let begin = if help.is_empty() { "Change" } else { "Or change" };
            help.push(format!("{begin} what the pod asks for: nodeSelector, node affinity"));
            help
        }
        "node(s) had taints that the pod didn't tolerate" => {
            let each = untolerated(node, pod).into_iter();
            each.map(|taint| {
                format!(
                    "Give the pod a toleration for {taint}, or: kubectl taint node {name} {taint}-"
                )
            })
            .collect()
        }
        "node(s) didn't have free ports for the requested pod ports" => {
            vec!["Leave out hostPort, or add a node where the port is free".to_owned()]
        }
        "node(s) didn't match pod affinity/anti-affinity" => {
            vec![
                "Make the pods run that it wants near, or add a node without those it avoids"
                    .to_owned(),
            ]
        }
        "node(s) didn't find available persistent volumes to bind" => {
            vec!["Make a volume for the pod's claim, or a storage class that makes them".to_owned()]
        }
        _ => Vec::new(),
    }
}
