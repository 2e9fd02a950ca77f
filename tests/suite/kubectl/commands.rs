//! Every command of kubectl, with every kubectl that this machine has: that it ends as it should and
//! says what it should.
//!
//! Invariant: each version has a cluster of its own.

use std::process::Command;

use tempfile::TempDir;

use crate::harness::fixture;
use crate::harness::kubectl::{Kubectl, words};
use crate::harness::served::Served;

/// What the output of a command contains, and the command. In order: later ones use what earlier
/// ones made. A `!` before the command means that it must fail, `@24` before that that kubectl has it
/// from 1.24 on.
const TABLE: &str = r#"
    deployment.apps/web created | create deployment web --image=web:1 --port=80
    successfully rolled out | rollout status deployment/web --timeout=60s
    web- | get pods
    NODE | get pods -o wide
    kind: Deployment | get deployment web -o yaml
    "kind": "Deployment" | get deployment web -o json
    deployment.apps/web | get deployment -o name
    web:1 | get deployment web -o jsonpath={.spec.template.spec.containers[0].image}
    web | get deployment web -o go-template={{.metadata.name}}
    web:1 | get deployment web -o custom-columns=I:.spec.template.spec.containers[0].image
    web- | get pods -l app=web -A --field-selector=status.phase=Running
    web- | get pods --sort-by=.metadata.name
    deployment.apps/web | get all
    replicas: 1 | @24 get deployment web --subresource=scale -o yaml
    service/web exposed | expose deployment web --port=80
    web | get endpoints
    deployment.apps/web scaled | scale deployment web --replicas=2
    deployment.apps/web image updated | set image deployment/web web=web:2
    deployment.apps/web env updated | set env deployment/web COLOUR=blue
    COLOUR=blue | set env deployment/web --list
    resource requirements updated | set resources deployment web --limits=cpu=200m
    deployment.apps/web restarted | rollout restart deployment/web
    deployment.apps/web paused | rollout pause deployment/web
    deployment.apps/web resumed | rollout resume deployment/web
    successfully rolled out | rollout status deployment/web --timeout=60s
    CHANGE-CAUSE | rollout history deployment/web
    rolled back | rollout undo deployment/web
    successfully rolled out | rollout status deployment/web --timeout=60s
    labeled | label deployment web tier=front
    deployment.apps/web annotate | annotate deployment web note=x
    patched | patch deployment web -p {"spec":{"minReadySeconds":1}}
    autoscaled | autoscale deployment web --max=5
    Deployment/web | get hpa
    configmap/c created | create configmap c --from-literal=a=b
    secret/s created | create secret generic s --from-literal=a=b
    serviceaccount/robot created | create serviceaccount robot
    reader created | create role reader --verb=get,list --resource=pods
    reader created | create rolebinding reader --role=reader --serviceaccount=default:robot
    yes | auth can-i list pods
    system:admin | @27 auth whoami
    r created | create clusterrole r --verb=get --resource=nodes
    r created | create clusterrolebinding r --clusterrole=r --user=ann
    none created | create poddisruptionbudget none --selector=app=none --min-available=1
    created | create quota q --hard=configmaps=50
    created | create priorityclass p --value=5
    i created | create ingress i --rule=a.example/*=web:80
    cron created | create cronjob cron --image=web:1 --schedule=@yearly
    once created | @21 create job once --from=cronjob/cron
    configmap/file created | create -f file.yaml
    configmap/file configured | apply -f file-2.yaml
    configmap/file unchanged | apply -f file-2.yaml
    serverside-applied | apply --server-side --force-conflicts -f file-2.yaml
    server dry run | apply -f file-3.yaml --dry-run=server
    a: "3" | !diff -f file-3.yaml
    configmap/file replaced | replace -f file-3.yaml
    configmap/file replaced | replace --force -f file-3.yaml
    configmap/kust created | apply -k kustomize
    configmap/file edited | edit configmap file
    edited | get configmap file -o jsonpath={.data.a}
    CPU | top pods
    localhost | top nodes
    cordoned | cordon localhost
    uncordoned | uncordon localhost
    tainted | taint node localhost k=v:PreferNoSchedule
    untainted | taint node localhost k-
    pod/one created | run one --image=web:1
    condition met | wait --for=condition=Ready pod/one --timeout=60s
    condition met | @23 wait --for=jsonpath={.status.phase}=Running pod/one --timeout=60s
    serving | logs one
    serving | logs deployment/web
    hi | exec one -- echo hi
     | cp file.yaml default/one:/tmp/copy.yaml
     | cp default/one:/tmp/copy.yaml back.yaml
    configmap/file configured | apply -f back.yaml
    Name: | describe pod one
    RollingUpdateStrategy | describe deployment web
    Endpoints: | describe service web
    Allocatable: | describe node localhost
    Started | @26 events
    Scheduled | get events
    replicas | explain deployment.spec
    deploymentconfigs | api-resources
    apps.openshift.io/v1 | api-versions
    running at | cluster-info
    Server Version | version
    PodList | cluster-info dump
    ok | get --raw /readyz
    hello | get --raw /api/v1/namespaces/default/services/web:80/proxy/
    ok | get --raw /api/v1/nodes/localhost/proxy/healthz
    csr created | create -f csr.yaml
    csr approved | certificate approve csr
    Approved | get csr
    Creating debugging pod | debug node/localhost --image=tool:1 --attach=false
    pod/original created | run original --image=web:1
    condition met | wait --for=condition=Ready pod/original --timeout=60s
    Defaulting debug container name | debug original --image=tool:1 --copy-to=copy --attach=false
    tool:1 | get pod copy -o jsonpath={.spec.containers[*].image}
    deleted | delete pod original copy --now
    pod/brief created | run brief --image=web:1 --restart=Never
    deleted | delete pod brief --now
    deleted | delete pods -l run=one
    evicting pod | drain localhost --ignore-daemonsets --delete-emptydir-data --force --timeout=60s
    uncordoned | uncordon localhost
    deleted | delete deployment web
    deleted | delete configmap --all
    namespace/shop created | create namespace shop
    deleted | delete namespace shop
    NotFound | !get namespace shop
"#;

/// Copies the fixtures to where the commands run.
fn prepare(directory: &TempDir) {
    let from = fixture("manifests/commands");
    let copied = Command::new("cp").arg("-r").arg(from.join(".")).arg(directory.path()).status();
    assert!(copied.unwrap().success());
}

fn check(version: &str) {
    let cluster = Served::start();
    let Some(kubectl) = Kubectl::find(version, &cluster.kubeconfig()) else { return };
    for image in ["web:1", "web:2"] {
        cluster.image(image, r#"{"http": {"/": {"body": "hello\n"}}, "logs": ["serving"]}"#);
    }
    let minor: u32 = version.strip_prefix("1.").unwrap().parse().unwrap();
    let directory = TempDir::new().unwrap();
    prepare(&directory);
    for line in TABLE.lines().filter(|line| !line.trim().is_empty()) {
        let (wanted, command) = line.split_once(" | ").unwrap();
        let (command, since) = match command.strip_prefix('@').and_then(|it| it.split_once(' ')) {
            Some((since, command)) => (command, since.parse().unwrap()),
            None => (command, 0),
        };
        if minor < since {
            continue;
        }
        let (command, fails) = match command.strip_prefix('!') {
            Some(command) => (command, true),
            None => (command, false),
        };
        let output = kubectl
            .command(&words(command))
            .current_dir(directory.path())
            .env("KUBE_EDITOR", "sed -i s/a:.*3.*/a:\\ edited/")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let said = text.contains(wanted.trim());
        assert!(
            said && output.status.success() != fails,
            "kubectl.{version} {command}: {}\n{text}",
            output.status
        );
    }
}

#[test]
fn kubectl_1_20_has_every_command() {
    check("1.20");
}

#[test]
fn kubectl_1_27_has_every_command() {
    check("1.27");
}

#[test]
fn kubectl_1_28_has_every_command() {
    check("1.28");
}

#[test]
fn kubectl_1_29_has_every_command() {
    check("1.29");
}

#[test]
fn kubectl_1_30_has_every_command() {
    check("1.30");
}

#[test]
fn kubectl_1_31_has_every_command() {
    check("1.31");
}

#[test]
fn kubectl_1_32_has_every_command() {
    check("1.32");
}

#[test]
fn kubectl_1_33_has_every_command() {
    check("1.33");
}
