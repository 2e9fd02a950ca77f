//! Stateful sets by the kubectl verbs that are about them: rolled out, scaled, undone, with claims.

use cluster::Access;

use crate::harness::fixture_argument;
use crate::harness::kubectl::{Kubectl, MAIN};
use crate::harness::raw::Raw;
use crate::harness::served::Served;

fn check(version: &str) {
    let cluster = Served::with(|config| config.access = Access::Policy);
    let Some(kubectl) = Kubectl::find(version, &cluster.kubeconfig()) else { return };
    for image in ["db:1", "db:2"] {
        cluster.image(image, "{}");
    }
    let rolled_out = |count: u32| {
        let lines = kubectl.stream("rollout status sts/db --timeout=60s").rest();
        let last = lines.last().unwrap();
        // `partition` is defaulted to 0, which makes every rollout a partitioned one to kubectl.
        let done = format!("partitioned roll out complete: {count} new pods have been updated...");
        assert_eq!(last, &done, "kubectl.{version}: {lines:#?}");
    };
    let images = "get pods -l app=db -o jsonpath={.items[*].spec.containers[0].image}";
    kubectl.ok(&format!("create -f {}", fixture_argument("manifests/workloads/db.yaml")));
    rolled_out(2);
    kubectl.ok("set image sts/db db=db:2");
    rolled_out(2);
    assert_eq!(kubectl.ok(images), "db:2 db:2");
    kubectl.ok("rollout restart sts/db");
    rolled_out(2);
    let history = kubectl.ok("rollout history sts/db");
    let revisions: Vec<&str> = history.lines().skip(2).filter(|line| !line.is_empty()).collect();
    assert_eq!(revisions.len(), 3, "{history}");
    kubectl.ok("rollout undo sts/db --to-revision=1");
    rolled_out(2);
    assert_eq!(kubectl.ok(images), "db:1 db:1");
    assert_eq!(kubectl.ok("scale sts db --replicas=3"), "statefulset.apps/db scaled\n");
    rolled_out(3);
    kubectl.ok("scale sts db --replicas=1");
    let admin = Raw::admin(&cluster);
    for pod in ["db-2", "db-1"] {
        admin.wait_deleted("/api/v1/namespaces/default/pods", pod);
    }
    assert_eq!(kubectl.ok("get pods -o name"), "pod/db-0\n");
    // Claims outlive the pods that asked for them.
    let claims =
        kubectl.ok("get pvc -o jsonpath='{range .items[*]}{.metadata.name}={.status.phase},{end}'");
    assert_eq!(claims, "data-db-0=Bound,data-db-1=Bound,data-db-2=Bound,");
}

#[test]
fn kubectl_1_20_rolls_out_stateful_sets() {
    check("1.20");
}

#[test]
fn kubectl_1_28_rolls_out_stateful_sets() {
    check("1.28");
}

#[test]
fn the_main_kubectl_rolls_out_stateful_sets() {
    check(MAIN);
}

#[test]
fn kubectl_1_33_rolls_out_stateful_sets() {
    check("1.33");
}
