//! Table tests of the garbage collector's decision.

use super::*;

fn object(owners: usize, finalizers: &[&str], deleted: bool) -> Value {
    let owners: Vec<Value> = (0..owners)
        .map(|n| {
            json!({"apiVersion": "v1", "kind": "ReplicationController",
            "name": format!("rc{n}"), "uid": format!("o{n}"), "blockOwnerDeletion": true})
        })
        .collect();
    let mut object = json!({"metadata": {"name": "x", "uid": "x", "resourceVersion": "1",
        "ownerReferences": owners, "finalizers": finalizers}});
    if deleted {
        object.set(&["metadata", "deletionTimestamp"], json!("2018-10-11T12:00:00Z"));
    }
    object
}

fn dependent(blocks: bool, foreground: bool) -> Arc<Value> {
    let mut dependent = object(0, if foreground { &[FOREGROUND] } else { &[] }, foreground);
    let owner = json!({"uid": "x", "blockOwnerDeletion": blocks});
    dependent.set(&["metadata", "ownerReferences"], json!([owner]));
    Arc::new(dependent)
}

fn check(object: &Value, owners: &[Owner], dependents: &[Arc<Value>], expected: &[Action]) {
    let observed = Observed { object, owners: owners.to_vec(), dependents };
    assert_eq!(plan(&observed), expected, "{object} {owners:?}");
}

#[test]
fn an_object_goes_when_no_owner_is_left() {
    use Owner::{Dangling, Solid, Waiting};
    check(&object(0, &[], false), &[], &[], &[]);
    check(&object(1, &[], false), &[Solid], &[], &[]);
    check(&object(1, &[], false), &[Dangling], &[], &[Action::Delete("Background")]);
    check(&object(1, &[ORPHAN], false), &[Dangling], &[], &[Action::Delete("Orphan")]);
    check(&object(1, &[FOREGROUND], false), &[Dangling], &[], &[Action::Delete("Foreground")]);
    check(&object(1, &[], false), &[Waiting], &[], &[Action::Delete("Background")]);
    check(
        &object(2, &[], false),
        &[Solid, Dangling],
        &[],
        &[Action::Disown(vec!["o1".to_owned()])],
    );
    check(
        &object(3, &[], false),
        &[Waiting, Solid, Dangling],
        &[],
        &[Action::Disown(vec!["o0".to_owned(), "o2".to_owned()])],
    );
}

#[test]
fn foreground_deletion_goes_down_the_tree_and_does_not_wait_in_circles() {
    let waiting = [Owner::Waiting];
    let below = [dependent(true, false)];
    check(&object(1, &[], false), &waiting, &below, &[Action::Delete("Foreground")]);
    let circle = [dependent(true, true)];
    let expected = [Action::Unblock, Action::Delete("Foreground")];
    check(&object(1, &[], false), &waiting, &circle, &expected);
}

#[test]
fn finalizers_come_off_when_their_work_is_done() {
    let going = object(0, &[FOREGROUND], true);
    check(&going, &[], &[dependent(true, false)], &[Action::LookAtDependents]);
    check(&going, &[], &[dependent(false, false)], &[Action::Unfinalize(FOREGROUND)]);
    check(&going, &[], &[], &[Action::Unfinalize(FOREGROUND)]);
    check(
        &object(0, &[ORPHAN], true),
        &[],
        &[dependent(true, false), dependent(false, false)],
        &[Action::Orphan(0), Action::Orphan(1), Action::Unfinalize(ORPHAN)],
    );
    check(&object(0, &["example.org/other"], true), &[], &[], &[]);
}

#[test]
fn changes_without_meaning_for_ownership_give_no_keys() {
    let owned = |phase: &str| {
        let mut pod = object(1, &[], false);
        pod.set(&["apiVersion"], json!("v1"));
        pod.set(&["kind"], json!("Pod"));
        pod.set(&["metadata", "namespace"], json!("ns"));
        pod.set(&["status", "phase"], json!(phase));
        Some(Arc::new(pod))
    };
    let keys = |old, new| {
        let keys = keys_of(&Caches::default(), &Change::new(old, new));
        keys.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(keys(None, owned("Pending")), ["ns/pods./x"]);
    assert!(keys(owned("Pending"), owned("Running")).is_empty());
    assert_eq!(keys(owned("Running"), None), ["uid:x", "ns/pods./x"]);
    let key = Key::new("ns", "pods./x");
    let (resource, name) = resource_of(&Caches::default(), &key).unwrap();
    assert_eq!((resource.plural, name), ("pods", "x"));
}
