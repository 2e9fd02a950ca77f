//! Daemon sets, jobs and cron jobs by the kubectl verbs that are about them.

use crate::harness::fixture_argument;
use crate::harness::kubectl::cluster_and_kubectl;

#[test]
fn a_daemon_set_is_rolled_out_and_undone() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    for image in ["agent:1", "agent:2"] {
        cluster.image(image, "{}");
    }
    kubectl.ok(&format!("create -f {}", fixture_argument("manifests/workloads/agent.yaml")));
    let status = "rollout status ds/agent --timeout=60s";
    let done = "daemon set \"agent\" successfully rolled out";
    assert_eq!(kubectl.stream(status).rest().last().unwrap(), done);
    kubectl.ok("set image ds/agent agent=agent:2");
    assert_eq!(kubectl.stream(status).rest().last().unwrap(), done);
    kubectl.ok("rollout undo ds/agent");
    assert_eq!(kubectl.stream(status).rest().last().unwrap(), done);
    let history = kubectl.ok("rollout history ds/agent");
    assert_eq!(
        history.trim_end(),
        "daemonset.apps/agent \nREVISION  CHANGE-CAUSE\n2         <none>\n3         <none>"
    );
    let image = "get pods -o jsonpath={.items[*].spec.containers[0].image}";
    assert_eq!(kubectl.ok(image), "agent:1");
}

#[test]
fn jobs_are_created_waited_for_and_made_from_cron_jobs() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    cluster.image("work:1", r#"{"logs": ["done"], "exit": {"code": 0, "afterSeconds": 0.1}}"#);
    cluster.image("broken:1", r#"{"exit": {"code": 1, "afterSeconds": 0.1}}"#);
    kubectl.ok("create job once --image=work:1");
    assert_eq!(
        kubectl.ok("wait --for=condition=complete job/once --timeout=60s"),
        "job.batch/once condition met\n"
    );
    assert_eq!(kubectl.ok("logs job/once"), "done\n");
    // Never in the middle of the night of New Year, so nothing is due while the test runs.
    kubectl.ok("create cronjob tick --image=work:1 --schedule='0 0 1 1 *'");
    kubectl.ok("create job manual --from=cronjob/tick");
    kubectl.ok("wait --for=condition=complete job/manual --timeout=60s");
    let owner = "get job manual -o jsonpath={.metadata.ownerReferences[0].name}";
    assert_eq!(kubectl.ok(owner), "tick");
    let broken = fixture_argument("manifests/workloads/broken-job.yaml");
    kubectl.ok(&format!("create -f {broken}"));
    kubectl.ok("wait --for=condition=failed job/broken --timeout=60s");
    let reason = "get job broken -o jsonpath={.status.conditions[0].reason}";
    assert_eq!(kubectl.ok(reason), "BackoffLimitExceeded");
    kubectl.ok("delete cronjob tick");
    kubectl.ok("wait --for=delete job/manual --timeout=60s");
}
