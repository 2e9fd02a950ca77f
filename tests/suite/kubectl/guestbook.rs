//! A guestbook as people write one: applied, read in every format, changed, scaled, deleted.

use crate::harness::kubectl::cluster_and_kubectl;
use crate::harness::served::Served;
use crate::harness::transcript::Transcript;

const SERVES: &str = r#"{"http": {"/healthz": {"body": "ok"}}, "logs": ["serving"]}"#;

/// Gives the images of the guestbook something to do.
pub(super) fn images(cluster: &Served) {
    cluster.image("guestbook/cache:6", r#"{"logs": ["ready to accept connections"]}"#);
    cluster.image("guestbook/log-shipper:1", r#"{"logs": ["shipping"]}"#);
    for version in ["v4", "v5"] {
        cluster.image(&format!("guestbook/frontend:{version}"), SERVES);
    }
}

#[test]
fn applied_and_read() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    images(&cluster);
    let mut session = Transcript::of(&kubectl);
    session.script(
        "apply -f @guestbook/cache.yaml -f @guestbook/frontend.yaml
         apply -f @guestbook/cache.yaml -f @guestbook/frontend.yaml
         ~ rollout status deployment/cache-leader --timeout=60s
         - wait --for=condition=Available deployment --all --timeout=60s
         ~ rollout status deployment/frontend --timeout=60s
         ~ rollout status deployment/cache-follower --timeout=60s
         get deployments
         get deploy,rs,svc,endpoints -o wide
         get pods --sort-by=.metadata.name
         get pods -l tier=frontend -o wide --sort-by=.metadata.name
         get pods --field-selector=status.phase!=Running
         get pods --field-selector=status.nothing=x
         get pods -A --sort-by=.metadata.name --no-headers
         get svc -l 'tier in (frontend), app' --show-labels
         get deploy -o name
         get deploy frontend -L team
         get svc frontend -o yaml
         get deploy frontend -o yaml
         get rs -l tier=frontend -o yaml
         get svc cache-leader -o json
         get deploy nothing
         get nothing
         get all -l role=leader",
    );
    session.check("guestbook_applied_and_read");
}

#[test]
fn changed_by_apply() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    images(&cluster);
    let mut session = Transcript::of(&kubectl);
    session.script(
        "apply -f @guestbook/frontend.yaml
         ~ rollout status deployment/frontend --timeout=60s

         apply -f @guestbook/changes/1-new-image.yaml
         ~ rollout status deployment/frontend --timeout=60s
         get rs
         get deploy frontend -o jsonpath='{.spec.template.spec.containers[*].image}'
         rollout history deployment/frontend

         apply -f @guestbook/changes/2-without-log-shipper.yaml
         get deploy frontend -o jsonpath='{.spec.template.spec.containers[*].name}'
         apply -f @guestbook/changes/3-without-metrics-port.yaml
         get deploy frontend -o jsonpath='{.spec.template.spec.containers[0].ports}'
         get deploy frontend -o jsonpath='{.metadata.labels}'
         apply -f @guestbook/changes/4-without-team-label.yaml
         get deploy frontend -o jsonpath='{.metadata.labels}'
         ~ rollout status deployment/frontend --timeout=60s
         apply -f @guestbook/changes/4-without-team-label.yaml
         diff -f @guestbook/changes/4-without-team-label.yaml
         apply --dry-run=server -f @guestbook/frontend.yaml
         rollout undo deployment/frontend
         ~ rollout status deployment/frontend --timeout=60s
         get deploy frontend -o jsonpath='{.spec.template.spec.containers[0].ports[*].name}'",
    );
    session.check("guestbook_changed_by_apply");
}

#[test]
fn described() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    images(&cluster);
    kubectl.ok("create namespace guestbook");
    kubectl.ok("config set-context --current --namespace=guestbook");
    let mut session = Transcript::of(&kubectl);
    session.script(
        "apply -f @guestbook/frontend.yaml
         ~ rollout status deployment/frontend --timeout=60s
         scale deployment/frontend --replicas=1
         - wait --for=jsonpath='{.status.replicas}'=1 deployment/frontend --timeout=60s
         describe deployment frontend
         describe svc frontend
         describe rs
         describe namespace guestbook",
    );
    session.check("guestbook_described");
}

#[test]
fn scaled_labelled_and_deleted() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    images(&cluster);
    let mut session = Transcript::of(&kubectl);
    session.script(
        "create -f @guestbook/cache.yaml -f @guestbook/frontend.yaml
         create -f @guestbook/frontend.yaml
         - wait --for=condition=Available deployment --all --timeout=60s
         scale deployment/frontend --replicas=5
         - wait --for=jsonpath='{.status.readyReplicas}'=5 deployment/frontend --timeout=60s
         scale deployment/frontend --replicas=2 --current-replicas=4
         scale deployment/frontend --replicas=1 --current-replicas=5
         scale deployment -l tier=backend --replicas=0
         - wait --for=jsonpath='{.status.observedGeneration}'=2 deployment/cache-leader --timeout=60s
         label deployment frontend stage=dev tier=web
         label deployment frontend stage=prod
         label deployment frontend stage=prod --overwrite
         label deployment frontend tier-
         get deployment frontend --show-labels --no-headers
         annotate deployment frontend example.com/owner=ann example.com/note='two words'
         annotate deployment frontend example.com/note-
         get deployment frontend -o jsonpath='{.metadata.annotations}'
         label deployment frontend 'bad key=x'
         delete service -l tier=backend
         delete deployment cache-leader --wait=false
         delete deployment cache-leader cache-follower
         delete -f @guestbook/frontend.yaml
         - wait --for=delete pods --all --timeout=60s
         - wait --for=delete rs --all --timeout=60s
         get all -l app",
    );
    session.check("guestbook_scaled_labelled_and_deleted");
}

/// Deleting with `--cascade=orphan` leaves what was owned, without an owner.
#[test]
fn orphaned() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    images(&cluster);
    let mut session = Transcript::of(&kubectl);
    session.script(
        "apply -f @guestbook/frontend.yaml
         ~ rollout status deployment/frontend --timeout=60s
         delete deployment frontend --cascade=orphan
         get rs -o jsonpath='{.items[*].metadata.ownerReferences}'
         get pods --no-headers
         delete rs --all --cascade=foreground
         - wait --for=delete pods --all --timeout=60s
         get pods",
    );
    session.check("guestbook_orphaned");
}
