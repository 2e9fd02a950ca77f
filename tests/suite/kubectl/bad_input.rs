//! Manifests with one mistake each: what a person is told, and that nothing is created.

use crate::harness::kubectl::cluster_and_kubectl;
use crate::harness::transcript::Transcript;
use crate::harness::{fixture, fixture_argument};

/// All of `fixtures/manifests/bad`, in order of their names.
fn bad_manifests() -> Vec<String> {
    let directory = std::fs::read_dir(fixture("manifests/bad")).unwrap();
    let names = directory.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".yaml")).collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

#[test]
fn is_refused_with_the_place() {
    let Some((_cluster, kubectl)) = cluster_and_kubectl() else { return };
    let mut session = Transcript::of(&kubectl);
    for name in bad_manifests() {
        let output = session.run(&format!("create -f @bad/{name}"));
        assert_ne!(output.code, 0, "{name} was accepted");
    }
    session.run("get deploy,svc,cm,dc");
    session.check("bad_input_is_refused_with_the_place");
}

/// `--validate=false` and `warn` change what happens to an unknown field.
#[test]
fn validation_levels() {
    let Some((_cluster, kubectl)) = cluster_and_kubectl() else { return };
    let mut session = Transcript::of(&kubectl);
    session.script(
        "create -f @bad/unknown-field.yaml --validate=warn --dry-run=server
         create -f @bad/unknown-field.yaml --validate=ignore
         get deployment bad -o jsonpath='{.spec.template.spec.containers[0]}'
         apply -f @bad/unknown-field.yaml
         create -f @bad/wrong-type.yaml --validate=ignore
         create -f @bad/malformed.yaml --validate=ignore",
    );
    session.check("bad_input_validation_levels");
}

/// The same mistakes in an update.
#[test]
fn updates_are_checked_too() {
    let Some((_cluster, kubectl)) = cluster_and_kubectl() else { return };
    let good = fixture_argument("manifests/guestbook/cache.yaml");
    kubectl.ok(&format!("create -f {good}"));
    let mut session = Transcript::of(&kubectl);
    session.script(
        r#"patch deployment cache-leader -p '{"spec":{"selector":{"matchLabels":{"app":"other"}}}}'
         patch service cache-leader -p '{"spec":{"clusterIP":"1.2.3.4"}}'
         patch service cache-leader -p '{"spec":{"ports":[{"port":6379,"targetPort":99999}]}}'
         patch deployment cache-leader -p '{"spec":{"template":{"spec":{"restartPolicy":"Never"}}}}'
         patch deployment cache-leader -p '{"metadata":{"labels":{"a b":"c"}}}'
         patch deployment cache-leader -p '{"spec":{"template":{"spec":{"imaginary":1}}}}'
         patch deployment cache-leader -p '{"metadata":{"name":"other"}}'
         patch deployment cache-leader -p 'not json'"#,
    );
    session.check("bad_input_updates_are_checked_too");
}
