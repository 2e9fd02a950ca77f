//! Watches: where they begin, what selectors make of events, how they end.

use std::collections::BTreeMap;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Reason};
use apiserver::{Client, DeleteOptions, ListOptions, PatchKind, Watch, WatchEvent};

use crate::{bind, cluster, configmap, create_pod};

fn describe(event: &WatchEvent) -> String {
    match event {
        WatchEvent::Added(object) => format!("+{}", object.value().name()),
        WatchEvent::Modified(object) => format!("~{}", object.value().name()),
        WatchEvent::Deleted(object) => format!("-{}", object.value().name()),
        WatchEvent::Bookmark(_) => "bookmark".to_owned(),
        WatchEvent::InitialEventsEnd(_) => "end".to_owned(),
        WatchEvent::Error(status) => status.message.clone(),
    }
}

fn drain(watch: &mut Watch) -> Vec<String> {
    std::iter::from_fn(|| watch.try_next()).map(|event| describe(&event)).collect()
}

fn watch(client: &Client, options: &ListOptions) -> Watch {
    client.watch(&api::PODS, "test", options).unwrap()
}

#[test]
fn what_exists_comes_first_then_what_happens() {
    let client = cluster();
    create_pod(&client, "a");
    let mut all = watch(&client, &ListOptions::default());
    let since = client.server().store().revision().to_string();
    let options = ListOptions { resource_version: since, ..ListOptions::default() };
    let mut later = watch(&client, &options);
    assert_eq!(drain(&mut all), ["+a"]);
    create_pod(&client, "b");
    bind(&client, "b");
    client.create(&api::CONFIG_MAPS, "test", configmap("c")).unwrap();
    client.delete(&api::PODS, "test", "a", DeleteOptions::default()).unwrap();
    assert_eq!(drain(&mut all), ["+b", "~b", "~a", "-a"]);
    assert_eq!(drain(&mut later), ["+b", "~b", "~a", "-a"]);
}

#[test]
fn selectors_turn_changes_into_coming_and_going() {
    let client = cluster();
    create_pod(&client, "a");
    let options = ListOptions { label_selector: "tier=front".to_owned(), ..ListOptions::default() };
    let mut watch = watch(&client, &options);
    let relabel = |value| {
        let patch = json!({"metadata": {"labels": {"tier": value}}});
        client.patch(&api::PODS, "test", "a", PatchKind::Merge, patch).unwrap()
    };
    relabel("back");
    relabel("front");
    let patch = json!({"metadata": {"annotations": {"x": "y"}}});
    client.patch(&api::PODS, "test", "a", PatchKind::Merge, patch).unwrap();
    let last = relabel("back");
    let events: Vec<WatchEvent> = std::iter::from_fn(|| watch.try_next()).collect();
    assert_eq!(events.iter().map(describe).collect::<Vec<_>>(), ["+a", "~a", "-a"]);
    let WatchEvent::Deleted(gone) = &events[2] else { panic!("not deleted") };
    assert_eq!(gone.value().label("tier"), "front");
    assert_eq!(gone.value().resource_version(), last.resource_version());
}

#[test]
fn a_watch_list_marks_the_end_of_the_beginning() {
    let client = cluster();
    create_pod(&client, "a");
    let options = ListOptions {
        send_initial_events: Some(true),
        resource_version_match: "NotOlderThan".to_owned(),
        allow_watch_bookmarks: true,
        ..ListOptions::default()
    };
    let mut watch = watch(&client, &options);
    assert_eq!(drain(&mut watch), ["+a", "end"]);
    let Some(WatchEvent::Bookmark(revision)) = watch.bookmark() else { panic!("no bookmark") };
    assert_eq!(revision, client.server().store().revision().to_string());
}

#[test]
fn a_revision_that_is_gone_ends_the_watch_with_410() {
    let client = cluster();
    create_pod(&client, "a");
    let store = client.server().store();
    store.compact(store.revision()).unwrap();
    let options = ListOptions { resource_version: "1".to_owned(), ..ListOptions::default() };
    let mut watch = watch(&client, &options);
    let Some(WatchEvent::Error(status)) = watch.try_next() else { panic!("no error") };
    assert_eq!((status.reason, status.code), (Reason::Expired, 410));
    assert_eq!(status.message, "The resourceVersion for the provided watch is too old.");
    assert!(watch.try_next().is_none() && watch.is_over());
}

#[test]
fn replaying_events_gives_what_a_list_shows() {
    let client = cluster();
    let mut watch = watch(&client, &ListOptions::default());
    for name in ["a", "b", "c"] {
        create_pod(&client, name);
        bind(&client, name);
    }
    client.delete(&api::PODS, "test", "b", DeleteOptions::now("")).unwrap();
    let mut replayed = BTreeMap::new();
    while let Some(event) = watch.try_next() {
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                replayed.insert(object.value().name().to_owned(), object.value());
            }
            WatchEvent::Deleted(object) => drop(replayed.remove(object.value().name())),
            other => panic!("unexpected {other:?}"),
        }
    }
    let listed = client.list(&api::PODS, "test").unwrap();
    assert_eq!(replayed.into_values().collect::<Vec<_>>(), listed);
}
