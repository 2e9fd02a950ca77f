//! `kubectl get -w`: lines appear as things happen.

use crate::harness::kubectl::cluster_and_kubectl;
use crate::kubectl::guestbook::images;

/// The third column.
fn status(line: &str) -> &str {
    line.split_whitespace().nth(2).unwrap_or_default()
}

#[test]
fn a_pod_is_followed_from_pending_to_deleted() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    images(&cluster);
    kubectl.ok("run earlier --image=guestbook/frontend:v4");
    kubectl.ok("wait --for=condition=Ready pod/earlier --timeout=60s");
    let mut watch = kubectl.stream("get pods -w --request-timeout=60s");
    assert_eq!(watch.until("earlier").len(), 2, "a header and the pod that is there");
    kubectl.ok("run web --image=guestbook/frontend:v4");
    let mut lines = watch.until("Running");
    kubectl.ok("delete pod web --wait=false");
    lines.extend(watch.until("Terminating"));
    let mut statuses: Vec<&str> = lines.iter().map(|line| status(line)).collect();
    statuses.dedup();
    assert_eq!(statuses, ["Pending", "ContainerCreating", "Running", "Terminating"]);
}

#[test]
fn events_of_a_watch_by_label_and_name_only() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    images(&cluster);
    let mut watch = kubectl
        .stream("get configmaps -l kind=seen -w --output-watch-events --request-timeout=60s");
    for name in ["one", "two"] {
        kubectl.ok(&format!("create configmap {name} --from-literal=a=b"));
    }
    kubectl.ok("label configmap two kind=seen");
    let added = watch.until("two");
    kubectl.ok("annotate configmap two note=x");
    let modified = watch.until("two");
    kubectl.ok("label configmap two kind-");
    let deleted = watch.until("two");
    let verb = |lines: Vec<String>| {
        lines.last().and_then(|line| line.split_whitespace().next().map(str::to_owned))
    };
    assert_eq!(verb(added).as_deref(), Some("ADDED"));
    assert_eq!(verb(modified).as_deref(), Some("MODIFIED"));
    assert_eq!(verb(deleted).as_deref(), Some("DELETED"));
}

#[test]
fn a_rollout_is_followed_to_its_end() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    images(&cluster);
    kubectl.ok(&format!(
        "apply -f {}",
        crate::harness::fixture_argument("manifests/guestbook/frontend.yaml")
    ));
    let lines = kubectl.stream("rollout status deployment/frontend --timeout=60s").rest();
    assert_eq!(
        lines.last().map(String::as_str),
        Some("deployment \"frontend\" successfully rolled out")
    );
}
