//! The other versions of kubectl that this machine has: the everyday verbs.

use crate::harness::kubectl::Kubectl;
use crate::harness::served::Served;
use crate::harness::transcript::Transcript;
use crate::kubectl::guestbook::images;

const EVERYDAY: &str = r"
    apply -f @guestbook/frontend.yaml
    apply -f @guestbook/frontend.yaml
    ~ rollout status deployment/frontend --timeout=60s
    apply -f @guestbook/changes/2-without-log-shipper.yaml
    ~ rollout status deployment/frontend --timeout=60s
    get deployment frontend -o wide
    scale deployment frontend --replicas=1
    label deployment frontend stage=dev
    set image deployment/frontend web=guestbook/frontend:v4
    ~ rollout status deployment/frontend --timeout=60s
    create deployment other --image=guestbook/frontend:v4
    ~ rollout status deployment/other --timeout=60s
    logs deployment/other
    create configmap settings --from-literal=a=b
    create -f @bad/wrong-type.yaml
    explain deployment.spec.replicas
    apply -f @openshift-hello/app.yaml
    scale dc hello --replicas=3
    get dc
    delete deployment frontend other
    get deployments
";

/// Runs the everyday verbs with one version.
fn check(version: &str) {
    let cluster = Served::start();
    let Some(kubectl) = Kubectl::find(version, &cluster.kubeconfig()) else { return };
    images(&cluster);
    let mut session = Transcript::of(&kubectl);
    session.script(EVERYDAY);
    session.check(&format!("versions_{version}"));
}

#[test]
fn kubectl_1_20() {
    check("1.20");
}

#[test]
fn kubectl_1_27() {
    check("1.27");
}

#[test]
fn kubectl_1_28() {
    check("1.28");
}

#[test]
fn kubectl_1_29() {
    check("1.29");
}

#[test]
fn kubectl_1_30() {
    check("1.30");
}

#[test]
fn kubectl_1_31() {
    check("1.31");
}

#[test]
fn kubectl_1_33() {
    check("1.33");
}
