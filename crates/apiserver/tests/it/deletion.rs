//! Deleting: grace periods, finalizers, preconditions, namespaces.

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::{Client, DeleteOptions, Deleted, ListOptions, PatchKind, WatchEvent};

use crate::{bind, cluster, configmap, create_pod};

fn delete_pod(client: &Client, options: DeleteOptions) -> Result<Value, Status> {
    client
        .delete(&api::PODS, "test", "p", options)
        .map(|deleted| deleted.into_stored().into_value())
}

fn grace(seconds: i64) -> DeleteOptions {
    DeleteOptions { grace_period_seconds: Some(seconds), ..DeleteOptions::default() }
}

#[test]
fn a_pod_that_runs_nowhere_goes_at_once() {
    let client = cluster();
    create_pod(&client, "p");
    delete_pod(&client, DeleteOptions::default()).unwrap();
    assert!(client.get(&api::PODS, "test", "p").unwrap_err().is_not_found());
}

#[test]
fn a_bound_pod_ends_gracefully_and_the_period_only_shortens() {
    let client = cluster();
    create_pod(&client, "p");
    bind(&client, "p");
    let ending = delete_pod(&client, DeleteOptions::default()).unwrap();
    assert_eq!(ending.deletion_timestamp(), Some("2018-10-11T12:00:30Z"));
    assert_eq!(ending.int_at(&["metadata", "deletionGracePeriodSeconds"]), Some(30));
    delete_pod(&client, grace(60)).unwrap();
    let same = client.get(&api::PODS, "test", "p").unwrap();
    assert_eq!(same.resource_version(), ending.resource_version());
    delete_pod(&client, grace(10)).unwrap();
    let shorter = client.get(&api::PODS, "test", "p").unwrap();
    assert_eq!(shorter.deletion_timestamp(), Some("2018-10-11T12:00:10Z"));
    delete_pod(&client, DeleteOptions::now(shorter.uid())).unwrap();
    assert!(client.get(&api::PODS, "test", "p").unwrap_err().is_not_found());
}

#[test]
fn the_last_state_is_told_before_the_end() {
    let client = cluster();
    create_pod(&client, "p");
    bind(&client, "p");
    delete_pod(&client, DeleteOptions::default()).unwrap();
    let revision = client.server().store().revision().to_string();
    let options = ListOptions { resource_version: revision, ..ListOptions::default() };
    let mut watch = client.watch(&api::PODS, "test", &options).unwrap();
    delete_pod(&client, grace(0)).unwrap();
    let Some(WatchEvent::Modified(last)) = watch.try_next() else { panic!("no last state") };
    assert_eq!(last.value().int_at(&["metadata", "deletionGracePeriodSeconds"]), Some(0));
    assert_eq!(last.value().deletion_timestamp(), Some("2018-10-11T12:00:00Z"));
    assert!(matches!(watch.try_next(), Some(WatchEvent::Deleted(_))));
}

#[test]
fn other_kinds_answer_with_a_status() {
    let client = cluster();
    let created = client.create(&api::CONFIG_MAPS, "test", configmap("a")).unwrap();
    let options = DeleteOptions::default();
    let deleted = client.delete(&api::CONFIG_MAPS, "test", "a", options).unwrap();
    let Deleted::Status(status) = deleted else { panic!("not a status") };
    assert_eq!(status["details"], json!({"name": "a", "kind": "configmaps", "uid": created.uid()}));
}

#[test]
fn preconditions_must_hold() {
    let client = cluster();
    let created = client.create(&api::CONFIG_MAPS, "test", configmap("cm")).unwrap();
    let options = DeleteOptions { uid: Some("0000".to_owned()), ..DeleteOptions::default() };
    let refused = client.delete(&api::CONFIG_MAPS, "test", "cm", options).unwrap_err();
    assert_eq!(
        refused.message,
        format!(
            "Operation cannot be fulfilled on ConfigMap \"cm\": the UID in the precondition (0000) \
             does not match the UID in record ({}). The object might have been deleted and then \
             recreated",
            created.uid()
        )
    );
}

#[test]
fn finalizers_hold_an_object_until_they_are_gone() {
    let client = cluster();
    let mut object = configmap("a");
    object.set(&["metadata", "finalizers"], json!(["example.com/x"]));
    client.create(&api::CONFIG_MAPS, "test", object).unwrap();
    client.delete(&api::CONFIG_MAPS, "test", "a", DeleteOptions::default()).unwrap();
    let held = client.get(&api::CONFIG_MAPS, "test", "a").unwrap();
    assert_eq!(held.deletion_timestamp(), Some("2018-10-11T12:00:00Z"));
    assert_eq!(held.int_at(&["metadata", "deletionGracePeriodSeconds"]), Some(0));
    let patch = json!({"metadata": {"finalizers": null}});
    client.patch(&api::CONFIG_MAPS, "test", "a", PatchKind::Merge, patch).unwrap();
    assert!(client.get(&api::CONFIG_MAPS, "test", "a").unwrap_err().is_not_found());
}

fn finalizers_after(options: DeleteOptions) -> Option<Value> {
    let client = cluster();
    let rc = json!({"metadata": {"name": "rc"}, "spec": {"replicas": 0, "selector": {"a": "b"},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [
            {"name": "c", "image": "i"}]}}}});
    client.create(&api::REPLICATION_CONTROLLERS, "test", rc).unwrap();
    client.delete(&api::REPLICATION_CONTROLLERS, "test", "rc", options).unwrap();
    let left = client.find(&api::REPLICATION_CONTROLLERS, "test", "rc").unwrap()?;
    assert_eq!(left.generation(), 2);
    left.at(&["metadata", "finalizers"]).cloned()
}

#[test]
fn propagation_follows_the_options_and_the_kind() {
    let policy = |policy: &str| DeleteOptions {
        propagation_policy: Some(policy.to_owned()),
        ..DeleteOptions::default()
    };
    assert_eq!(finalizers_after(DeleteOptions::default()), Some(json!(["orphan"])));
    assert_eq!(finalizers_after(policy("Foreground")), Some(json!(["foregroundDeletion"])));
    assert_eq!(finalizers_after(policy("Background")), None);
    let orphan =
        |orphan| DeleteOptions { orphan_dependents: Some(orphan), ..DeleteOptions::default() };
    assert_eq!(finalizers_after(orphan(true)), Some(json!(["orphan"])));
    assert_eq!(finalizers_after(orphan(false)), None);
}

#[test]
fn an_unknown_policy_is_invalid() {
    let client = cluster();
    let options =
        DeleteOptions { propagation_policy: Some("Later".to_owned()), ..DeleteOptions::default() };
    let refused = client.delete(&api::CONFIG_MAPS, "test", "a", options).unwrap_err();
    assert_eq!(refused.code, 422);
    assert!(refused.message.contains("propagationPolicy: Unsupported value: \"Later\""));
}

#[test]
fn a_namespace_terminates_until_finalized() {
    let client = cluster();
    let delete = || client.delete(&api::NAMESPACES, "", "test", DeleteOptions::default());
    delete().unwrap();
    let namespace = client.get(&api::NAMESPACES, "", "test").unwrap();
    assert_eq!(namespace.str_at(&["status", "phase"]), "Terminating");
    assert!(delete().unwrap_err().message.starts_with(
        "Operation cannot be fulfilled on namespaces \"test\": The system is ensuring all content"
    ));
    let mut finalized = (*namespace).clone();
    finalized["spec"] = json!({});
    client.update_sub(&api::NAMESPACES, "finalize", finalized).unwrap();
    assert!(client.get(&api::NAMESPACES, "", "test").unwrap_err().is_not_found());
}

#[test]
fn the_cluster_keeps_its_own_namespaces() {
    let client = cluster();
    let refused =
        client.delete(&api::NAMESPACES, "", "default", DeleteOptions::default()).unwrap_err();
    assert_eq!(
        refused.message,
        "namespaces \"default\" is forbidden: this namespace may not be deleted"
    );
}

#[test]
fn a_collection_goes_by_selector() {
    let client = cluster();
    for name in ["a", "b"] {
        create_pod(&client, name);
    }
    let patch = json!({"metadata": {"labels": {"keep": "yes"}}});
    client.patch(&api::PODS, "test", "b", PatchKind::Merge, patch).unwrap();
    let selected = ListOptions { label_selector: "!keep".to_owned(), ..ListOptions::default() };
    let options = DeleteOptions::default();
    client.delete_collection(&api::PODS, "test", options, &selected).unwrap();
    let left = client.list(&api::PODS, "test").unwrap();
    assert_eq!(left.iter().map(|pod| pod.name()).collect::<Vec<_>>(), ["b"]);
}
