//! A DeploymentConfig that follows an image stream, through kubectl alone.

use crate::harness::kubectl::{Kubectl, cluster_and_kubectl};
use crate::harness::served::Served;
use crate::harness::transcript::Transcript;

/// A project `hello` with the application, not pushed yet.
fn project(cluster: &Served, kubectl: &Kubectl) {
    let app = r#"{"http": {"/": {"body": "hello\n"}}, "logs": ["serving"]}"#;
    cluster.image("hello", app);
    kubectl.ok("create namespace hello");
    kubectl.ok("config set-context --current --namespace=hello");
}

#[test]
fn rolls_out_what_is_pushed() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    project(&cluster, &kubectl);
    let mut session = Transcript::of(&kubectl);
    session.script(
        "apply -f @openshift-hello/app.yaml
         apply -f @openshift-hello/app.yaml
         get dc,is,rc,pods

         create -f @openshift-hello/push-1.yaml
         - wait --for=create rc/hello-1 --timeout=120s
         - wait --for=jsonpath='{.metadata.annotations.openshift\\.io/deployment\\.phase}'=Complete rc/hello-1 --timeout=120s
         - wait --for=delete pod/hello-1-deploy --timeout=120s
         - wait --for=condition=Progressing dc/hello --timeout=60s
         - wait --for=jsonpath='{.status.availableReplicas}'=2 dc/hello --timeout=60s
         get dc
         get dc -o wide
         get is
         get istag
         get rc
         get rc -o wide
         get pods --sort-by=.metadata.name
         get dc hello -o yaml
         get rc hello-1 -o yaml

         apply -f @openshift-hello/app.yaml
         - wait --for=jsonpath='{.status.observedGeneration}'=4 dc/hello --timeout=60s
         get dc hello -o jsonpath='{.metadata.generation} {.status.latestVersion} {.spec.template.spec.containers[0].image}'

         create -f @openshift-hello/push-2.yaml
         - wait --for=jsonpath='{.status.latestVersion}'=2 dc/hello --timeout=120s
         - wait --for=create rc/hello-2 --timeout=120s
         - wait --for=jsonpath='{.metadata.annotations.openshift\\.io/deployment\\.phase}'=Complete rc/hello-2 --timeout=120s
         - wait --for=jsonpath='{.status.replicas}'=0 rc/hello-1 --timeout=60s
         get rc
         get is hello -o yaml
         get dc hello -o jsonpath='{.status.details}'
         describe rc hello-2
         get events --field-selector=involvedObject.kind=DeploymentConfig -o custom-columns=REASON:.reason,SOURCE:.source.component,MESSAGE:.message",
    );
    session.check("deployment_config_rolls_out_what_is_pushed");
}

#[test]
fn is_scaled_patched_and_deleted() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    project(&cluster, &kubectl);
    let mut session = Transcript::of(&kubectl);
    session.script(
        r#"apply -f @openshift-hello/app.yaml
         create -f @openshift-hello/push-1.yaml
         - wait --for=create rc/hello-1 --timeout=120s
         - wait --for=jsonpath='{.metadata.annotations.openshift\.io/deployment\.phase}'=Complete rc/hello-1 --timeout=120s
         scale dc/hello --replicas=3
         - wait --for=jsonpath='{.status.availableReplicas}'=3 dc/hello --timeout=60s
         get rc hello-1
         get --raw /apis/apps.openshift.io/v1/namespaces/hello/deploymentconfigs/hello/scale
         scale rc/hello-1 --replicas=1
         - wait --for=jsonpath='{.spec.replicas}'=3 rc/hello-1 --timeout=60s
         scale dc/hello --replicas=0
         - wait --for=jsonpath='{.status.replicas}'=0 rc/hello-1 --timeout=60s
         scale dc/hello --replicas=1
         - wait --for=jsonpath='{.status.availableReplicas}'=1 dc/hello --timeout=60s
         patch dc hello -p '{"spec":{"template":{"spec":{"containers":[{"name":"hello","env":[{"name":"COLOUR","value":"blue"}]}]}}}}'
         - wait --for=create rc/hello-2 --timeout=120s
         - wait --for=jsonpath='{.metadata.annotations.openshift\.io/deployment\.phase}'=Complete rc/hello-2 --timeout=120s
         get dc hello -o jsonpath='{.status.details}'
         get rc hello-2 -o jsonpath='{.spec.template.spec.containers[0].env}'
         - create --raw /apis/apps.openshift.io/v1/namespaces/hello/deploymentconfigs/hello/instantiate -f @openshift-hello/rollout-latest.json
         get dc hello -o jsonpath='{.status.details}'
         - wait --for=create rc/hello-3 --timeout=120s
         - wait --for=jsonpath='{.metadata.annotations.openshift\.io/deployment\.phase}'=Complete rc/hello-3 --timeout=120s
         label dc hello stage=dev
         annotate dc hello note=x
         logs rc/hello-3
         delete dc hello
         - wait --for=delete rc --all --timeout=60s
         - wait --for=delete pods --all --timeout=60s
         get all"#,
    );
    session.check("deployment_config_is_scaled_patched_and_deleted");
}
