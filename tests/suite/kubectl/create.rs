//! `kubectl create` and the verbs that change one thing; from 1.32 on their bodies are protobuf.

use crate::harness::kubectl::cluster_and_kubectl;
use crate::harness::transcript::Transcript;

#[test]
fn kinds_with_a_generator() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    cluster.image("web:1", "{}");
    let mut session = Transcript::of(&kubectl);
    session.script(
        "create namespace shop
         create namespace shop
         create namespace Not_A_Name",
    );
    kubectl.ok("config set-context --current --namespace=shop");
    session.script(
        "create configmap settings --from-literal=colour=blue --from-literal=size=3
         get configmap settings -o yaml
         create secret generic password --from-literal=user=ann --from-literal=word=secret
         get secret password -o yaml
         create serviceaccount robot
         create deployment web --image=web:1 --replicas=2 --port=8080
         ~ rollout status deployment/web --timeout=60s
         get deployment web -o yaml
         expose deployment web --port=80 --target-port=8080
         create service clusterip plain --tcp=5678:8080
         create service nodeport open --tcp=80 --node-port=30999
         create service nodeport taken --tcp=80 --node-port=30999
         create quota small --hard=pods=10
         get svc,cm,secret,sa
         create job once --image=web:1
         auth can-i create pods
         auth can-i --list=false delete nodes
         auth whoami",
    );
    session.check("create_kinds_with_a_generator");
}

#[test]
fn one_thing_changed() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    cluster.image("web:1", "{}");
    cluster.image("web:2", "{}");
    let mut session = Transcript::of(&kubectl);
    session.script(
        r#"create deployment web --image=web:1
         ~ rollout status deployment/web --timeout=60s
         set image deployment/web web=web:2
         ~ rollout status deployment/web --timeout=60s
         set image deployment/web nothing=web:2
         set env deployment/web COLOUR=blue
         set resources deployment web --limits=cpu=200m
         get deployment web -o jsonpath='{.spec.template.spec.containers}'
         rollout restart deployment/web
         ~ rollout status deployment/web --timeout=60s
         get deployment web -o jsonpath='{.metadata.generation} {.status.observedGeneration}'
         rollout pause deployment/web
         rollout resume deployment/web
         patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"web","workingDir":"/srv"}]}}}}'
         get deployment web -o jsonpath='{.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].workingDir}'
         patch deployment web --type=merge -p '{"spec":{"template":{"metadata":{"labels":{"tier":"front"}}}}}'
         patch deployment web --type=json -p '[{"op":"replace","path":"/spec/replicas","value":2}]'
         patch deployment web --type=json -p '[{"op":"test","path":"/spec/replicas","value":7}]'
         patch deployment web --type=json -p '[{"op":"remove","path":"/spec/nothing"}]'
         patch deployment web -p '{"spec":{"replicas":"many"}}'
         patch deployment web --subresource=scale --type=merge -p '{"spec":{"replicas":3}}'
         ~ rollout status deployment/web --timeout=60s
         get deployment web -o jsonpath='{.spec.replicas} {.spec.template.metadata.labels}'
         create configmap settings --from-literal=a=b
         - replace --raw /api/v1/namespaces/default/configmaps/settings -f @create/settings.json
         get configmap settings -o jsonpath='{.data}'
         replace --raw /api/v1/namespaces/default/configmaps/settings -f @create/settings-stale.json
         autoscale deployment web --max=5"#,
    );
    session.check("create_one_thing_changed");
}

#[test]
fn finalizers_hold_an_object() {
    let Some((_cluster, kubectl)) = cluster_and_kubectl() else { return };
    let mut session = Transcript::of(&kubectl);
    session.script(
        r#"create configmap held --from-literal=a=b
         patch configmap held --type=merge -p '{"metadata":{"finalizers":["example.com/hold"]}}'
         delete configmap held --wait=false
         get configmap held -o jsonpath='{.metadata.finalizers} {.metadata.deletionGracePeriodSeconds}'
         patch configmap held --type=merge -p '{"metadata":{"finalizers":["example.com/other"]}}'
         patch configmap held --type=merge -p '{"metadata":{"finalizers":null}}'
         get configmap held"#,
    );
    session.check("create_finalizers_hold_an_object");
}

#[test]
fn a_deleted_namespace_takes_everything_along() {
    let Some((cluster, kubectl)) = cluster_and_kubectl() else { return };
    cluster.image("web:1", "{}");
    let mut session = Transcript::of(&kubectl);
    session.script(
        "create namespace shop
         create deployment web --image=web:1 -n shop
         ~ rollout status deployment/web -n shop --timeout=60s
         create configmap settings -n shop --from-literal=a=b
         delete namespace shop
         get namespace shop
         get pods,deploy,rs,cm -n shop
         create configmap late -n shop --from-literal=a=b",
    );
    session.check("create_a_deleted_namespace_takes_everything_along");
}
