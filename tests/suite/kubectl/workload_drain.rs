//! Nodes that are cordoned, drained within a disruption budget, and tainted.

use node::NodeConfig;

use crate::harness::kubectl::Kubectl;
use crate::harness::served::Served;

const BUDGET: &str = "create pdb web --selector=app=web --min-available=2";

/// The nodes on which the living pods of `app` are, sorted.
fn places(kubectl: &Kubectl, app: &str) -> Vec<String> {
    let path = "{range .items[*]}{.metadata.deletionTimestamp}@{.spec.nodeName} {end}";
    let shown = kubectl.ok(&format!("get pods -l app={app} -o jsonpath='{path}'"));
    let living = shown.split_whitespace().filter_map(|word| word.strip_prefix('@'));
    let mut nodes: Vec<String> = living.map(str::to_owned).collect();
    nodes.sort();
    nodes
}

fn check(version: &str) {
    let cluster = Served::with(|config| {
        config.agent.nodes =
            vec![NodeConfig::new("node-1", "127.0.0.2"), NodeConfig::new("node-2", "127.0.0.3")];
    });
    let Some(kubectl) = Kubectl::find(version, &cluster.kubeconfig()) else { return };
    cluster.image("web:1", "{}");
    kubectl.ok("wait --for=condition=Ready node/node-1 node/node-2 --timeout=60s");
    assert_eq!(kubectl.ok("cordon node-2"), "node/node-2 cordoned\n");
    kubectl.ok("create deployment web --image=web:1 --replicas=2");
    kubectl.ok("rollout status deployment/web --timeout=60s");
    assert_eq!(places(&kubectl, "web"), ["node-1", "node-1"], "kubectl.{version}");
    assert_eq!(kubectl.ok("uncordon node-2"), "node/node-2 uncordoned\n");

    // The budget leaves nothing to spare.
    kubectl.ok(BUDGET);
    kubectl.ok("wait --for=jsonpath={.status.currentHealthy}=2 pdb/web --timeout=60s");
    let refused = kubectl.run(&["drain", "node-1", "--timeout=2s"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    let why = "Cannot evict pod as it would violate the pod's disruption budget.";
    assert!(refused.stderr.contains(why), "kubectl.{version}: {}", refused.stderr);
    assert_eq!(places(&kubectl, "web"), ["node-1", "node-1"], "kubectl.{version}");

    // With one pod to spare they go one after the other.
    kubectl.ok("scale deployment web --replicas=3");
    kubectl.ok("rollout status deployment/web --timeout=60s");
    let drained = kubectl.ok("drain node-1 --timeout=120s");
    assert!(drained.ends_with("node/node-1 drained\n"), "kubectl.{version}: {drained}");
    kubectl.ok("rollout status deployment/web --timeout=60s");
    assert_eq!(places(&kubectl, "web"), ["node-2", "node-2", "node-2"], "kubectl.{version}");
    kubectl.ok("uncordon node-1");

    // A taint drives out at once what does not tolerate it, whatever the budget says.
    let pods = kubectl.ok("get pods -l app=web -o name");
    kubectl.ok("taint node node-2 maintenance=yes:NoExecute");
    let gone = pods.split_whitespace().collect::<Vec<_>>().join(" ");
    kubectl.ok(&format!("wait --for=delete {gone} --timeout=60s"));
    kubectl.ok("wait --for=jsonpath={.status.readyReplicas}=3 deployment/web --timeout=60s");
    assert_eq!(places(&kubectl, "web"), ["node-1", "node-1", "node-1"], "kubectl.{version}");
    assert_eq!(kubectl.ok("taint node node-2 maintenance-"), "node/node-2 untainted\n");
}

#[test]
fn kubectl_1_28_drains_a_node_within_a_budget() {
    check("1.28");
}

#[test]
fn kubectl_1_33_drains_a_node_within_a_budget() {
    check("1.33");
}
