//! Creating, reading and changing objects.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Reason};
use apiserver::{Call, DeleteOptions, FieldValidation, PatchKind, User, WriteOptions};
use bytes::Bytes;

use crate::{cluster, configmap, create_pod, pod};

#[test]
fn a_created_object_has_identity_and_is_read_back() {
    let client = cluster();
    let created = create_pod(&client, "a");
    assert_eq!(created.api_version(), "v1");
    assert_eq!(created.kind(), "Pod");
    assert_eq!(created.namespace(), "test");
    assert_eq!(created.uid().len(), 36);
    assert_eq!(created.creation_timestamp(), "2018-10-11T12:00:00Z");
    assert_eq!(created.str_at(&["status", "phase"]), "Pending");
    assert_eq!(created.resource_version(), client.server().store().revision().to_string());
    assert_eq!(client.get(&api::PODS, "test", "a").unwrap(), created);
}

#[test]
fn taken_and_missing_names_are_refused() {
    let client = cluster();
    create_pod(&client, "a");
    let taken = client.create(&api::PODS, "test", pod("a")).unwrap_err();
    assert_eq!(taken.message, "pods \"a\" already exists");
    let missing = client.get(&api::DEPLOYMENTS, "test", "x").unwrap_err();
    assert_eq!(missing.message, "deployments.apps \"x\" not found");
}

#[test]
fn names_are_generated_from_58_letters_and_5_more() {
    let client = cluster();
    let mut object = configmap("");
    object.set(&["metadata", "generateName"], json!("web-"));
    let created = client.create(&api::CONFIG_MAPS, "test", object.clone()).unwrap();
    assert!(created.name().starts_with("web-") && created.name().len() == 9);
    object.set(&["metadata", "generateName"], json!("x".repeat(70)));
    let created = client.create(&api::CONFIG_MAPS, "test", object).unwrap();
    assert_eq!(created.name().len(), 63);
}

#[test]
fn namespaces_must_exist_and_be_open() {
    let client = cluster();
    let missing = client.create(&api::PODS, "nosuchns", pod("a")).unwrap_err();
    assert_eq!(missing.message, "namespaces \"nosuchns\" not found");
    client.delete(&api::NAMESPACES, "", "test", DeleteOptions::default()).unwrap();
    let closed = client.create(&api::CONFIG_MAPS, "test", configmap("late")).unwrap_err();
    assert_eq!(closed.code, 403);
    assert_eq!(
        closed.message,
        "configmaps \"late\" is forbidden: unable to create new content in namespace test because \
         it is being terminated"
    );
}

#[test]
fn bodies_must_fit_the_url() {
    let client = cluster();
    let mut body = pod("a");
    body.set(&["metadata", "namespace"], json!("other"));
    let wrong = client.create(&api::PODS, "test", body).unwrap_err();
    assert_eq!(
        wrong.message,
        "the namespace of the provided object does not match the namespace sent on the request"
    );
    let mut body = pod("a");
    body["apiVersion"] = json!("v2");
    let wrong = client.create(&api::PODS, "test", body).unwrap_err();
    assert_eq!(
        wrong.message,
        "Pod in version \"v2\" cannot be handled as a Pod: no kind \"Pod\" is registered for version \
         \"v2\" in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:29\""
    );
    create_pod(&client, "a");
    let patch = json!({"metadata": {"name": "zz"}});
    let wrong = client.patch(&api::PODS, "test", "a", PatchKind::Merge, patch).unwrap_err();
    assert_eq!(wrong.message, "the name of the object (zz) does not match the name on the URL (a)");
}

#[test]
fn updates_are_optimistic() {
    let client = cluster();
    let first = client.create(&api::CONFIG_MAPS, "test", configmap("a")).unwrap();
    let mut changed = (*first).clone();
    changed["data"] = json!({"a": "c"});
    client.update(&api::CONFIG_MAPS, changed.clone()).unwrap();
    changed["data"] = json!({"a": "d"});
    let stale = client.update(&api::CONFIG_MAPS, changed.clone()).unwrap_err();
    assert_eq!(
        stale.message,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please \
         apply your changes to the latest version and try again"
    );
    changed.remove(&["metadata", "resourceVersion"]);
    client.update(&api::CONFIG_MAPS, changed).unwrap();
    let patch = json!({"metadata": {"resourceVersion": "1"}});
    let stale = client.patch(&api::CONFIG_MAPS, "test", "a", PatchKind::Merge, patch).unwrap_err();
    assert!(stale.is_conflict());
}

#[test]
fn an_update_must_mean_the_object_that_is_there() {
    let client = cluster();
    let mut object = (*client.create(&api::CONFIG_MAPS, "test", configmap("a")).unwrap()).clone();
    let uid = object.uid().to_owned();
    object.set(&["metadata", "uid"], json!("0"));
    let other = client.update(&api::CONFIG_MAPS, object).unwrap_err();
    assert_eq!(
        other.message,
        format!(
            "Operation cannot be fulfilled on configmaps \"a\": StorageError: invalid object, Code: \
             4, Key: /kubernetes.io/configmaps/test/a, ResourceVersion: 0, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: 0, UID in object meta: {uid}"
        )
    );
}

#[test]
fn openshift_kinds_want_a_resource_version() {
    let client = cluster();
    let route =
        json!({"metadata": {"name": "r"}, "spec": {"to": {"kind": "Service", "name": "s"}}});
    let mut route = (*client.create(&api::ROUTES, "test", route).unwrap()).clone();
    route.remove(&["metadata", "resourceVersion"]);
    let refused = client.update(&api::ROUTES, route).unwrap_err();
    assert_eq!(
        refused.message,
        "routes.route.openshift.io \"r\" is invalid: metadata.resourceVersion: Invalid value: 0x0: \
         must be specified for an update"
    );
}

#[test]
fn writing_what_is_there_writes_nothing() {
    let client = cluster();
    let object = client.create(&api::CONFIG_MAPS, "test", configmap("a")).unwrap();
    let revision = client.server().store().revision();
    let same = client.update(&api::CONFIG_MAPS, (*object).clone()).unwrap();
    assert_eq!(same.resource_version(), object.resource_version());
    client
        .patch(&api::CONFIG_MAPS, "test", "a", PatchKind::Merge, json!({"data": {"a": "b"}}))
        .unwrap();
    assert_eq!(client.server().store().revision(), revision);
}

fn replication_controller() -> apimachinery::Value {
    json!({
        "metadata": {"name": "rc"},
        "spec": {
            "replicas": 1,
            "selector": {"app": "web"},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "hello:v1"}]},
            },
        },
        "status": {"replicas": 9},
    })
}

#[test]
fn spec_and_status_are_written_apart_and_generation_counts_specs() {
    let client = cluster();
    let rcs = &api::REPLICATION_CONTROLLERS;
    let created = client.create(rcs, "test", replication_controller()).unwrap();
    assert_eq!(created.generation(), 1);
    assert_ne!(created.int_at(&["status", "replicas"]), Some(9));

    let mut new = (*created).clone();
    new["spec"]["replicas"] = json!(3);
    new["status"] = json!({"replicas": 3});
    let updated = client.update(rcs, new.clone()).unwrap();
    assert_eq!(updated.generation(), 2);
    assert_eq!(updated.get("status"), created.get("status"));

    new = (*updated).clone();
    new["spec"]["replicas"] = json!(7);
    new["status"] = json!({"replicas": 3});
    let updated = client.update_status(rcs, new).unwrap();
    assert_eq!(updated.generation(), 2);
    assert_eq!(updated.int_at(&["spec", "replicas"]), Some(3));
    assert_eq!(updated.int_at(&["status", "replicas"]), Some(3));

    let patch = json!({"metadata": {"labels": {"x": "y"}}});
    let updated = client.patch(rcs, "test", "rc", PatchKind::Merge, patch).unwrap();
    assert_eq!(updated.generation(), 2);
}

#[test]
fn a_replaced_status_is_an_updated_status() {
    let (whole, part) = (cluster(), cluster());
    let condition = json!({"type": "Ready", "status": "True", "lastProbeTime": null, "x": 1});
    let status = json!({"phase": "Running", "conditions": [condition], "hostIP": ""});
    let mut updated = (*create_pod(&whole, "a")).clone();
    updated.set(&["status"], status.clone());
    let updated = whole.update_status(&api::PODS, updated).unwrap();
    let created = create_pod(&part, "a");
    let replaced = part.replace_status(&api::PODS, &created, status.clone()).unwrap();
    assert_eq!(replaced.at(&["status"]), updated.at(&["status"]));
    assert_eq!(replaced.at(&["spec"]), updated.at(&["spec"]));
    assert_ne!(replaced.resource_version(), created.resource_version());

    let again = part.replace_status(&api::PODS, &replaced, status.clone()).unwrap();
    assert_eq!(again.resource_version(), replaced.resource_version(), "nothing is new");
    let late = part.replace_status(&api::PODS, &created, status).unwrap_err();
    assert!(late.is_conflict(), "{late}");
    let wrong = part.replace_status(&api::PODS, &replaced, json!({"phase": 1})).unwrap_err();
    assert!(wrong.message.contains("cannot unmarshal number"), "{wrong}");
    part.delete(&api::PODS, "test", "a", DeleteOptions::default()).unwrap();
    let gone = part.replace_status(&api::PODS, &replaced, json!({})).unwrap_err();
    assert!(gone.is_not_found(), "{gone}");
}

#[test]
fn a_dry_run_checks_and_stores_nothing() {
    let client = cluster();
    let user = User::system_admin();
    let mut call = Call::new(&user, &api::PODS).within("test");
    call.options = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let written = client.server().create(&call, pod("a")).unwrap();
    assert_eq!(written.object.value().name(), "a");
    assert_eq!(client.get(&api::PODS, "test", "a").unwrap_err().reason, Reason::NotFound);
}

#[test]
fn put_of_endpoints_creates_them() {
    let client = cluster();
    let endpoints = json!({"metadata": {"name": "e", "namespace": "test"}});
    client.update(&api::ENDPOINTS, endpoints.clone()).unwrap();
    client.get(&api::ENDPOINTS, "test", "e").unwrap();
    assert!(client.update(&api::CONFIG_MAPS, endpoints).unwrap_err().is_not_found());
}

#[test]
fn fields_are_validated_as_asked() {
    let client = cluster();
    let user = User::system_admin();
    let create = |mode, bytes: &'static str| {
        let mut call = Call::new(&user, &api::CONFIG_MAPS).within("test");
        call.options = WriteOptions { field_validation: mode, ..WriteOptions::default() };
        client.server().create(&call, Bytes::from_static(bytes.as_bytes()))
    };
    let body = r#"{"metadata": {"name": "a"}, "data": {"x": "1"}, "foo": 1, "data": {"x": "2"}}"#;
    let strict = create(FieldValidation::Strict, body).unwrap_err();
    assert_eq!(
        strict.message,
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown \
         field \"foo\", duplicate field \"data\""
    );
    let warned = create(FieldValidation::Warn, body).unwrap();
    assert_eq!(warned.warnings, ["unknown field \"foo\"", "duplicate field \"data\""]);
    assert_eq!(warned.object.value().get("foo"), None);
    assert_eq!(warned.object.value()["data"]["x"], "2");
}

#[test]
fn defaults_are_filled_and_rules_hold() {
    let client = cluster();
    let created = create_pod(&client, "a");
    assert_eq!(created["spec"]["restartPolicy"], "Always");
    assert_eq!(created["spec"]["containers"][0]["terminationMessagePolicy"], "File");
    let nothing = client.create(&api::PODS, "test", json!({"metadata": {"name": "p"}}));
    assert_eq!(
        nothing.unwrap_err().message,
        "Pod \"p\" is invalid: spec.containers: Required value"
    );
    let nameless = client.create(&api::PODS, "test", pod("")).unwrap_err();
    assert_eq!(
        nameless.message,
        "Pod \"\" is invalid: metadata.name: Required value: name or generateName is required"
    );
    let patch = json!({"spec": {"containers": [{"name": "c", "command": ["x"]}]}});
    let frozen = client.patch(&api::PODS, "test", "a", PatchKind::Strategic, patch).unwrap_err();
    assert!(frozen.message.starts_with(
        "Pod \"a\" is invalid: spec: Forbidden: pod updates may not change fields other than"
    ));
}

#[test]
fn strategic_patches_merge_lists_by_key() {
    let client = cluster();
    create_pod(&client, "a");
    let patch = json!({"spec": {"containers": [{"name": "c", "image": "hello:v2"}]}});
    let patched = client.patch(&api::PODS, "test", "a", PatchKind::Strategic, patch).unwrap();
    assert_eq!(patched["spec"]["containers"].as_array().unwrap().len(), 1);
    assert_eq!(patched["spec"]["containers"][0]["image"], "hello:v2");
    assert_eq!(patched["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
}

#[test]
fn older_versions_are_views_of_the_same_objects() {
    let client = cluster();
    let old = api::find("extensions", "v1beta1", "deployments").unwrap();
    let deployment = json!({"metadata": {"name": "d"}, "spec": {
        "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    let created = client.create(old, "test", deployment).unwrap();
    assert_eq!(created.api_version(), "extensions/v1beta1");
    let stored = client.get(&api::DEPLOYMENTS, "test", "d").unwrap();
    assert_eq!(stored.api_version(), "apps/v1");
    assert_eq!(stored.uid(), created.uid());
    assert_eq!(stored["spec"]["selector"]["matchLabels"]["app"], "web");
    let mut wrong = (*stored).clone();
    wrong.set(&["metadata", "labels"], json!({"a": "b"}));
    let mismatch = client.update(old, wrong).unwrap_err();
    assert_eq!(
        mismatch.message,
        "the API version in the data (apps/v1) does not match the expected API version \
         (extensions/v1beta1)"
    );
}

#[test]
fn duplicate_fields_are_told_and_warnings_survive_a_refusal() {
    let client = cluster();
    let admin = User::system_admin();
    let mut call = Call::new(&admin, &api::CONFIG_MAPS).within("test");
    let twice = Bytes::from_static(
        br#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"1"},"data":{"k":"2"}}"#,
    );
    call.options.field_validation = FieldValidation::Strict;
    let refused = client.server().create(&call, twice.clone()).unwrap_err();
    assert_eq!(
        refused.message,
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: \
         duplicate field \"data\""
    );
    call.options.field_validation = FieldValidation::Warn;
    let written = client.server().create(&call, twice.clone()).unwrap();
    assert_eq!(written.warnings, ["duplicate field \"data\""]);
    let again = client.server().create(&call, twice).unwrap_err();
    assert_eq!((again.code, again.warnings), (409, vec!["duplicate field \"data\"".to_owned()]));
}

#[test]
fn events_go_two_hours_after_they_were_last_counted() {
    let client = cluster();
    let event = |name: &str| {
        json!({"metadata": {"name": name}, "reason": "R", "message": "m", "type": "Normal",
            "involvedObject": {"kind": "Pod", "namespace": "test", "name": "p"}, "count": 1})
    };
    let world = client.server().world().clone();
    let left = || {
        client.server().store().expire_leases();
        let events = client.list(&api::EVENTS, "test").unwrap();
        events.iter().map(|event| event.name().to_owned()).collect::<Vec<_>>()
    };
    for name in ["a", "b"] {
        client.create(&api::EVENTS, "test", event(name)).unwrap();
    }
    assert_eq!(client.server().store().leases().len(), 1);
    world.advance_to(world.now() + std::time::Duration::from_secs(3600));
    client.patch(&api::EVENTS, "test", "a", PatchKind::Merge, json!({"count": 2})).unwrap();
    world.advance_to(world.now() + std::time::Duration::from_secs(3660));
    assert_eq!(left(), ["a"]);
    world.advance_to(world.now() + std::time::Duration::from_secs(3600));
    assert!(left().is_empty());
}

#[test]
fn a_route_without_host_gets_one_and_keeps_it() {
    let client = cluster();
    let route = json!({
        "metadata": {"name": "web"}, "spec": {"to": {"kind": "Service", "name": "web"}}});
    let made = client.create(&api::ROUTES, "default", route).unwrap();
    let host = "web-default.router.default.svc.cluster.local";
    assert_eq!(made.str_at(&["spec", "host"]), host);
    assert_eq!(made.annotation("openshift.io/host.generated"), Some("true"));
    let mut changed = (*made).clone();
    changed["spec"]["host"] = json!("");
    let kept = client.update(&api::ROUTES, changed).unwrap();
    assert_eq!(kept.str_at(&["spec", "host"]), host);
}
