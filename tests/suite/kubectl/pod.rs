//! Pods by themselves: logs, descriptions, endings, failures.

use crate::harness::kubectl::cluster_and_kubectl;
use crate::harness::transcript::Transcript;

#[test]
fn logs() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    cluster.image(
        "job:1",
        r#"{"logs": ["one", "two", {"atSeconds": 0.2, "line": "three"}], "exit": {"code": 0, "afterSeconds": 0.5}}"#,
    );
    cluster.image("crash:1", r#"{"logs": ["starting", "boom"], "exits": [{"code": 3}, null]}"#);
    cluster.image("guestbook/log-shipper:1", r#"{"logs": ["shipping"]}"#);
    cluster.image("guestbook/frontend:v4", r#"{"logs": ["serving"]}"#);
    kubectl.ok("run job --image=job:1 --restart=Never");
    kubectl
        .ok("wait --for=jsonpath={.status.containerStatuses[0].containerID} pod/job --timeout=60s");
    let followed = kubectl.stream("logs -f job --request-timeout=60s").rest();
    assert_eq!(followed, ["one", "two", "three"]);
    let mut session = Transcript::of(&kubectl);
    session.script(
        "wait --for=jsonpath='{.status.phase}'=Succeeded pod/job --timeout=60s
         get pod job
         logs job
         logs job --tail=1
         logs job --limit-bytes=5
         logs nothing
         apply -f @guestbook/frontend.yaml
         ~ rollout status deployment/frontend --timeout=60s
         logs deployment/frontend -c web
         logs deployment/frontend -c nothing
         run crash --image=crash:1
         - wait --for=jsonpath='{.status.containerStatuses[0].restartCount}'=1 pod/crash --timeout=60s
         - wait --for=condition=Ready pod/crash --timeout=60s
         get pod crash
         logs crash --previous
         logs job --previous",
    );
    session.check("pod_logs");
    let all = kubectl.ok("logs -l tier=frontend --all-containers --tail=1");
    let mut lines: Vec<&str> = all.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["serving", "serving", "serving", "shipping", "shipping", "shipping"]);
}

#[test]
fn described() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    cluster.image("web:1", r#"{"logs": ["serving"]}"#);
    cluster.image("gone:1", r#"{"missing": true}"#);
    let mut session = Transcript::of(&kubectl);
    session.script(
        "run web --image=web:1 --env=COLOUR=blue --port=8080 --labels=app=web
         - wait --for=condition=Ready pod/web --timeout=60s
         describe pod web
         run gone --image=gone:1
         - wait --for=jsonpath='{.status.containerStatuses[0].state.waiting.reason}'=ImagePullBackOff pod/gone --timeout=60s
         get pod gone
         get events --field-selector=involvedObject.name=gone -o custom-columns=TYPE:.type,REASON:.reason,MESSAGE:.message
         delete pod web
         delete pod gone --now
         get pods
         describe node localhost",
    );
    session.check("pod_described");
}
