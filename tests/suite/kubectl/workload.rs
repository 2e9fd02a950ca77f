//! Deployments, daemon sets, jobs and cron jobs by the kubectl verbs that are about them.

use cluster::Access;

use crate::harness::fixture_argument;
use crate::harness::kubectl::{Kubectl, cluster_and_kubectl};
use crate::harness::served::Served;

/// The eldest and the newest kubectl that speak only of today's groups.
const VERSIONS: [&str; 2] = ["1.28", "1.33"];

fn image_of(kubectl: &Kubectl, deployment: &str) -> String {
    // The replica set that has pods.
    let path = "{range .items[?(@.spec.replicas>0)]}{.spec.template.spec.containers[0].image}{end}";
    kubectl.ok(&format!("get rs -l app={deployment} -o jsonpath='{path}'"))
}

#[test]
fn a_deployment_is_rolled_out_undone_paused_resumed_and_scaled() {
    for version in VERSIONS {
        let cluster = Served::start();
        let Some(kubectl) = Kubectl::find(version, &cluster.kubeconfig()) else { continue };
        for image in ["web:1", "web:2", "web:3"] {
            cluster.image(image, "{}");
        }
        let rolled_out = || {
            let lines = kubectl.stream("rollout status deployment/web --timeout=60s").rest();
            assert_eq!(lines.last().unwrap(), "deployment \"web\" successfully rolled out");
        };
        kubectl.ok("create deployment web --image=web:1");
        rolled_out();
        let cause = "annotate deployment web kubernetes.io/change-cause=";
        kubectl.ok(&format!("{cause}first"));
        kubectl.ok("set image deployment/web web=web:2");
        kubectl.ok(&format!("{cause}second --overwrite"));
        rolled_out();
        assert_eq!(
            kubectl.ok("rollout history deployment/web").trim_end(),
            "deployment.apps/web \nREVISION  CHANGE-CAUSE\n1         first\n2         second"
        );
        assert_eq!(kubectl.ok("rollout undo deployment/web"), "deployment.apps/web rolled back\n");
        rolled_out();
        assert_eq!(image_of(&kubectl, "web"), "web:1");
        let history = kubectl.ok("rollout history deployment/web");
        assert!(history.contains("\n2  ") && history.contains("\n3  "), "{history}");
        assert!(kubectl.ok("rollout history deployment/web --revision=2").contains("web:2"));

        assert_eq!(kubectl.ok("rollout pause deployment/web"), "deployment.apps/web paused\n");
        kubectl.ok("set image deployment/web web=web:3");
        let refused = kubectl.run(&["rollout", "undo", "deployment/web"]);
        assert!(refused.stderr.contains("you cannot rollback a paused deployment"), "{refused:?}");
        kubectl.ok("scale deployment/web --replicas=3 --current-replicas=1");
        kubectl.ok("wait --for=jsonpath={.status.readyReplicas}=3 deployment/web --timeout=60s");
        assert_eq!(image_of(&kubectl, "web"), "web:1", "kubectl.{version}: paused");
        assert_eq!(kubectl.ok("rollout resume deployment/web"), "deployment.apps/web resumed\n");
        rolled_out();
        assert_eq!(image_of(&kubectl, "web"), "web:3");
        kubectl.ok("rollout undo deployment/web --to-revision=2");
        rolled_out();
        assert_eq!(image_of(&kubectl, "web"), "web:2");
    }
}

#[test]
fn an_autoscaler_made_by_kubectl_scales() {
    let cluster = Served::start();
    let Some(kubectl) = Kubectl::find("1.33", &cluster.kubeconfig()) else { return };
    cluster.image("busy:1", r#"{"cpu": "300m"}"#);
    kubectl.ok("create deployment web --image=busy:1");
    kubectl.ok("set resources deployment web --requests=cpu=100m");
    kubectl.ok("rollout status deployment/web --timeout=60s");
    assert_eq!(
        kubectl.ok("autoscale deployment web --min=1 --max=3 --cpu-percent=100"),
        "horizontalpodautoscaler.autoscaling/web autoscaled\n"
    );
    kubectl.ok("wait --for=jsonpath={.status.readyReplicas}=3 deployment/web --timeout=120s");
    let row = kubectl.ok("get hpa web --no-headers");
    let row: Vec<&str> = row.split_whitespace().take(5).collect();
    assert_eq!(row, ["web", "Deployment/web", "300%/100%", "1", "3"]);
    assert!(
        kubectl.ok("describe hpa web").contains("New size: 3; reason: cpu resource utilization")
    );
}

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

#[test]
fn a_job_is_numbered_held_and_let_go() {
    for version in VERSIONS {
        let cluster = Served::start();
        let Some(kubectl) = Kubectl::find(version, &cluster.kubeconfig()) else { continue };
        cluster.image("work:1", r#"{"logs": ["done"], "exit": {"code": 0, "afterSeconds": 0.1}}"#);
        kubectl.ok(&format!("create -f {}", fixture_argument("manifests/workloads/sum.yaml")));
        kubectl.ok("wait --for=condition=Suspended job/sum --timeout=60s");
        assert_eq!(kubectl.ok("get pods -o name"), "");
        kubectl.ok(r#"patch job sum -p {"spec":{"suspend":false}}"#);
        kubectl.ok("wait --for=condition=Complete job/sum --timeout=60s");
        let indexes = "get job sum -o jsonpath={.status.completedIndexes}";
        assert_eq!(kubectl.ok(indexes), "0-2", "kubectl.{version}");
        let described = kubectl.ok("describe job sum");
        let described = described.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in ["Completion Mode: Indexed", "Completed Indexes: 0-2", "Job resumed"] {
            assert!(described.contains(text), "kubectl.{version} {text}: {described}");
        }
        let arguments = ["create", "cronjob", "bad", "--image=work:1", "--schedule=60 * * * *"];
        let refused = kubectl.run(&arguments);
        assert!(refused.stderr.contains("End of range (60) above maximum (59): 60"), "{refused:?}");
    }
}

#[test]
fn claims_are_bound_at_once_or_when_a_pod_needs_them() {
    for version in VERSIONS {
        let cluster = Served::with(|config| config.access = Access::Policy);
        let Some(kubectl) = Kubectl::find(version, &cluster.kubeconfig()) else { continue };
        cluster.image("web:1", "{}");
        kubectl.ok(&format!("create -f {}", fixture_argument("manifests/workloads/claims.yaml")));
        kubectl.ok("wait --for=jsonpath={.status.phase}=Bound pvc/at-once --timeout=60s");
        let phase = "get pvc late -o jsonpath={.status.phase}";
        assert_eq!(kubectl.ok(phase), "Pending", "kubectl.{version}");
        let waits = "waiting for first consumer to be created before binding";
        assert!(kubectl.ok("describe pvc late").contains(waits), "kubectl.{version}");
        kubectl.ok(&format!("create -f {}", fixture_argument("manifests/workloads/claimant.yaml")));
        kubectl.ok("wait --for=condition=Ready pod/claimant --timeout=60s");
        assert_eq!(kubectl.ok(phase), "Bound", "kubectl.{version}");
        // A claim in use stays until its pod is gone.
        kubectl.ok("delete pvc late --wait=false");
        assert_eq!(kubectl.ok("get pvc late -o name"), "persistentvolumeclaim/late\n");
        kubectl.ok("delete pod claimant --now");
        kubectl.ok("wait --for=delete pvc/late --timeout=60s");
    }
}

/// A pod that asks for a gibibyte of its node's disk.
const SCRATCH: &str = r#"{"spec": {"containers": [{"name": "scratch", "image": "web:1",
    "resources": {"requests": {"ephemeral-storage": "1Gi"}}}]}}"#;

#[test]
fn nodes_have_disks_and_the_api_its_service() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    cluster.image("web:1", "{}");
    let run = ["run", "scratch", "--image=web:1", "--overrides", SCRATCH];
    assert_eq!(kubectl.run(&run).code, 0);
    kubectl.ok("wait --for=condition=Ready pod/scratch --timeout=60s");
    // Whoever deletes everything still reaches the API by its name.
    kubectl.ok("delete all --all");
    kubectl.ok("wait --for=create service/kubernetes --timeout=60s");
    assert_eq!(kubectl.ok("get all -o name"), "service/kubernetes\n");
}
