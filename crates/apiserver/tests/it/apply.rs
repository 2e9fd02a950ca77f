//! Server-side apply and the managers of fields.

use apimachinery::ObjectExt as _;
use apimachinery::{Value, json};
use apiserver::{Call, Client, PatchKind, User, WriteOptions, Written};

use crate::{bind, cluster, pod};

type Outcome = Result<Value, apimachinery::Status>;

fn options(manager: &str) -> WriteOptions {
    WriteOptions { field_manager: manager.to_owned(), ..WriteOptions::default() }
}

fn as_value(written: Written) -> Value {
    written.object.into_value()
}

fn apply_with(client: &Client, options: WriteOptions, config: Value) -> Outcome {
    let admin = User::system_admin();
    let resource = api::find_kind(
        if config.api_version() == "apps/v1" { "apps" } else { "" },
        "v1",
        config.kind(),
    );
    let name = config.name().to_owned();
    let mut call = Call::new(&admin, resource.unwrap()).within("test").named(&name);
    call.options = options;
    client.server().patch(&call, PatchKind::Apply, config).map(as_value)
}

fn apply(client: &Client, manager: &str, config: Value) -> Outcome {
    apply_with(client, options(manager), config)
}

fn patch(client: &Client, manager: &str, sub: &str, patch: Value) -> Value {
    let admin = User::system_admin();
    let mut call =
        Call::new(&admin, &api::DEPLOYMENTS).within("test").named("web").subresource(sub);
    call.options = options(manager);
    client.server().patch(&call, PatchKind::Merge, patch).map(as_value).unwrap()
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image,
                    "ports": [{"containerPort": 80}]}]},
            },
        },
    })
}

fn managers(object: &Value) -> Vec<String> {
    let line = |entry: &Value| {
        let words = ["manager", "operation", "apiVersion", "subresource"];
        let words: Vec<&str> = words.iter().map(|word| entry.str_at(&[word])).collect();
        format!("{}: {}", words.join(" ").trim_end(), entry["fieldsV1"])
    };
    object.list_at(&["metadata", "managedFields"]).iter().map(line).collect()
}

#[test]
fn an_apply_creates_and_owns_what_it_says() {
    let client = cluster();
    let made = apply(&client, "kubectl", deployment("a:1")).unwrap();
    assert_eq!(made.str_at(&["spec", "strategy", "type"]), "RollingUpdate");
    assert_eq!(
        managers(&made),
        [
            r#"kubectl Apply apps/v1: {"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{},"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}}}}"#
        ]
    );
    let again = apply(&client, "kubectl", deployment("a:1")).unwrap();
    assert_eq!(again.resource_version(), made.resource_version());
    let changed = apply(&client, "kubectl", deployment("a:2")).unwrap();
    assert_eq!(changed.generation(), 2);
}

#[test]
fn conflicts_are_refused_until_forced() {
    let client = cluster();
    apply(&client, "kubectl", deployment("a:1")).unwrap();
    let scaled = patch(&client, "kubectl-scale", "scale", json!({"spec": {"replicas": 5}}));
    assert_eq!(scaled.kind(), "Scale");
    let refused = apply(&client, "kubectl", deployment("a:1")).unwrap_err();
    assert_eq!(
        refused.message,
        "Apply failed with 1 conflict: conflict with \"kubectl-scale\" with subresource \"scale\" \
         using apps/v1: .spec.replicas"
    );
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        refused.details["causes"],
        json!([{"reason": "FieldManagerConflict", "field": ".spec.replicas", "message":
            "conflict with \"kubectl-scale\" with subresource \"scale\" using apps/v1"}])
    );
    let forced = WriteOptions { force: true, ..options("kubectl") };
    let taken = apply_with(&client, forced, deployment("a:1")).unwrap();
    assert_eq!(taken.int_at(&["spec", "replicas"]), Some(2));
    assert_eq!(managers(&taken).len(), 1);
    // What is applied no longer goes; what has a default falls back to it.
    let mut config = deployment("a:1");
    config.remove(&["spec", "replicas"]);
    let without = apply(&client, "kubectl", config).unwrap();
    assert_eq!(without.int_at(&["spec", "replicas"]), Some(1));
}

#[test]
fn what_kubectl_applied_on_its_own_side_is_taken_over() {
    let client = cluster();
    let admin = User::system_admin();
    let mut call = Call::new(&admin, &api::DEPLOYMENTS).within("test");
    call.options = options("kubectl-client-side-apply");
    let mut object = deployment("a:1");
    let last = "kubectl.kubernetes.io/last-applied-configuration";
    object.set_annotation(last, &deployment("a:1").to_string());
    client.server().create(&call, object).unwrap();
    let other = apply(&client, "other", deployment("a:2")).unwrap_err();
    assert!(other.message.starts_with("Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using apps/v1: .spec.template.spec.containers[name=\"c\"].image"), "{}", other.message);
    let taken = apply(&client, "kubectl", deployment("a:2")).unwrap();
    assert_eq!(taken.annotation(last), Some(&*format!("{}\n", deployment("a:2"))));
}

#[test]
fn objects_made_in_process_are_untracked_until_somebody_applies() {
    let client = cluster();
    let created = client.create(&api::PODS, "test", pod("a")).unwrap();
    assert!(managers(&created).is_empty());
    bind(&client, "a");
    let config = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a",
        "labels": {"tier": "x"}}});
    let applied = apply(&client, "m", config).unwrap();
    let names: Vec<String> = managers(&applied);
    assert_eq!(names[0], r#"m Apply v1: {"f:metadata":{"f:labels":{"f:tier":{}}}}"#);
    assert!(names[1].starts_with("before-first-apply Update v1: "), "{names:?}");
    // A controller's write leaves the entries as they are.
    let mut object = applied;
    object.set(&["metadata", "labels", "by"], json!("controller"));
    let kept = client.update(&api::PODS, object).unwrap();
    assert_eq!(managers(&kept), names);
}

#[test]
fn managers_can_be_reset_and_written() {
    let client = cluster();
    let made = apply(&client, "kubectl", deployment("a:1")).unwrap();
    let kept = patch(&client, "x", "", json!({"metadata": {"managedFields": []}}));
    assert_eq!(managers(&kept), managers(&made));
    let mut entries = made["metadata"]["managedFields"].clone();
    entries[0]["manager"] = json!("renamed");
    let renamed = patch(&client, "x", "", json!({"metadata": {"managedFields": entries}}));
    assert!(managers(&renamed)[0].starts_with("renamed Apply apps/v1"));
    let reset = patch(&client, "x", "", json!({"metadata": {"managedFields": [{}]}}));
    assert!(managers(&reset).is_empty());
    let status = patch(&client, "x", "status", json!({"status": {"replicas": 1}}));
    assert!(managers(&status).is_empty());
}

#[test]
fn configurations_that_do_not_fit_are_refused() {
    let client = cluster();
    let refused = |config: Value| apply(&client, "m", config).unwrap_err().message;
    let mut unknown = deployment("a:1");
    unknown["spec"]["foo"] = json!(1);
    assert_eq!(
        refused(unknown),
        "failed to create typed patch object (test/web; apps/v1, Kind=Deployment): .spec.foo: \
         field not declared in schema"
    );
    let mut twice = deployment("a:1");
    let one = twice["spec"]["template"]["spec"]["containers"][0].clone();
    twice["spec"]["template"]["spec"]["containers"] = json!([one, one]);
    assert_eq!(
        refused(twice),
        "failed to create typed patch object (test/web; apps/v1, Kind=Deployment): \
         .spec.template.spec.containers: duplicate entries for key [name=\"c\"]"
    );
    let mut managed = deployment("a:1");
    managed["metadata"]["managedFields"] = json!([]);
    assert_eq!(refused(managed), "metadata.managedFields must be nil");
    assert_eq!(
        apply(&client, "", deployment("a:1")).unwrap_err().message,
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for \
         apply patch"
    );
}

#[test]
fn a_dry_run_shows_the_outcome_and_stores_nothing() {
    let client = cluster();
    let dry = WriteOptions { dry_run: true, ..options("kubectl") };
    let shown = apply_with(&client, dry, deployment("a:1")).unwrap();
    assert_eq!(managers(&shown).len(), 1);
    assert!(client.find(&api::DEPLOYMENTS, "test", "web").unwrap().is_none());
}

#[test]
fn a_null_removes_and_is_no_change_when_it_is_applied_again() {
    let client = cluster();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "m", "labels": {"app": "web"}}, "data": {"k": "v"}});
    client.create(&api::CONFIG_MAPS, "test", map).unwrap();
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "m", "labels": null}});
    let first = apply(&client, "one", config.clone()).unwrap();
    assert_eq!(first.at(&["metadata", "labels"]), None);
    assert_eq!(
        managers(&first),
        [
            r#"one Apply v1: {"f:metadata":{"f:labels":{}}}"#,
            r#"before-first-apply Update v1: {"f:data":{".":{},"f:k":{}}}"#,
        ]
    );
    assert_eq!(apply(&client, "one", config).unwrap(), first);
}
