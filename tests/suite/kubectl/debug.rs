//! `kubectl debug`: containers that join a pod, copies of pods, and pods on a node.

use crate::harness::kubectl::{Kubectl, cluster_and_kubectl};
use crate::harness::served::Served;
use crate::harness::transcript::Transcript;

/// A cluster in which the pod `web` runs, with an image of tools.
fn with_a_pod() -> Option<(Served, Kubectl)> {
    let (cluster, kubectl) = cluster_and_kubectl()?;
    cluster.image("web:1", r#"{"logs": ["serving"]}"#);
    cluster.image("tools:1", r#"{"logs": ["tools at hand"]}"#);
    kubectl.ok("run web --image=web:1");
    kubectl.ok("wait --for=condition=Ready pod/web --timeout=60s");
    Some((cluster, kubectl))
}

#[test]
fn a_container_joins_a_pod() {
    let Some((_cluster, kubectl)) = with_a_pod() else { return };
    let mut session = Transcript::of(&kubectl);
    session.script(
        "debug web --image=tools:1 --target=web -c look --profile=general
         - wait --for=jsonpath={.status.ephemeralContainerStatuses[0].state.running.startedAt} pod/web --timeout=60s
         logs web -c look
         exec web -c look -- echo hello
         get pod web -o jsonpath={.spec.ephemeralContainers[0].targetContainerName}
         debug web --image=tools:1 -c look
         debug web --image=tools:1 --target=nobody -c more
         get pod web",
    );
    session.check("debug_joins");
}

/// Each version has its own way of waiting for the container and attaching to it.
#[test]
fn its_output_is_followed() {
    for version in ["1.28", "1.31", "1.32", "1.33"] {
        let cluster = Served::start();
        let Some(kubectl) = Kubectl::find(version, &cluster.kubeconfig()) else { continue };
        cluster.image(
            "ticker:1",
            r#"{"logs": [{"everySeconds": 0.1, "line": "tick"}], "exit": {"afterSeconds": 4}}"#,
        );
        kubectl.ok("run web --image=web:1");
        kubectl.ok("wait --for=condition=Ready pod/web --timeout=60s");
        let lines = kubectl.stream("debug web --image=ticker:1 -i -c look").rest();
        assert!(lines.iter().any(|line| line == "tick"), "kubectl.{version} {lines:?}");
    }
}

#[test]
fn copies_and_nodes() {
    let Some((_cluster, kubectl)) = with_a_pod() else { return };
    let mut session = Transcript::of(&kubectl);
    session.script(
        "debug web --copy-to=copy --image=tools:1 -c look --profile=general
         - wait --for=condition=Ready pod/copy --timeout=60s
         get pod copy -o jsonpath={.spec.containers[*].name}
         debug web --copy-to=other --set-image=*=tools:1
         - wait --for=condition=Ready pod/other --timeout=60s
         logs other",
    );
    session.check("debug_copies");
    let said = kubectl.ok("debug node/localhost --image=tools:1 --profile=general");
    let name = said.split_whitespace().find(|word| word.starts_with("node-debugger-")).unwrap();
    kubectl.ok(&format!("wait --for=condition=Ready pod/{name} --timeout=60s"));
    let host = kubectl.ok(&format!("get pod {name} -o jsonpath={{.spec.hostPID}}"));
    assert_eq!(host, "true");
}
