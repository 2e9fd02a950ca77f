//! What clients learn about the API.

use crate::harness::kubectl::cluster_and_kubectl;
use crate::harness::transcript::Transcript;

#[test]
fn resources_and_versions() {
    let Some((_cluster, kubectl)) = cluster_and_kubectl() else { return };
    let mut session = Transcript::of(&kubectl);
    session.script(
        "api-versions
         api-resources
         api-resources --api-group=apps.openshift.io -o wide
         api-resources --namespaced=false -o name
         get --raw /healthz
         get --raw /readyz
         get --raw /apis/image.openshift.io/v1",
    );
    session.check("discovery_resources_and_versions");
}

#[test]
fn explanations() {
    let Some((_cluster, kubectl)) = cluster_and_kubectl() else { return };
    let mut session = Transcript::of(&kubectl);
    session.script(
        "explain deployment.spec.strategy
         explain pod.spec.containers.readinessProbe.httpGet
         explain dc.spec.triggers
         explain deploymentconfig.spec.strategy.rollingParams --recursive
         explain is.spec.tags.from
         explain pod.nothing",
    );
    session.check("discovery_explanations");
}
