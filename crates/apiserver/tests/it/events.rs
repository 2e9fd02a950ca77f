//! Events that components tell: the same to everybody as events that were created as documents.

use std::sync::Arc;

use apimachinery::{Map, ObjectExt as _, Status, Text, Value, json};
use apiserver::event::{Again, Involved, Told};
use apiserver::{
    Admission, AdmissionRequest, ApiServer, Client, DeleteOptions, ListOptions, PatchKind, User,
    WatchEvent,
};
use parking_lot::Mutex;
use world::World;

use crate::cluster;

fn told(client: &Client, ending: u128) -> Told {
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1",
        "namespace": "test", "uid": "u-1", "resourceVersion": "7"}});
    Told {
        involved: Involved::of(&object, "spec.containers{web}"),
        ending,
        annotations: Map::new(),
        at: client.server().world().now(),
        event_type: "Normal",
        reason: Text::from("Pulled"),
        message: Text::from("Container image \"web:1\" already present on machine"),
        component: Text::from("kubelet"),
        host: Text::from("node-1"),
    }
}

fn stored(client: &Client, name: &str) -> Value {
    (*client.get(&api::EVENTS, "test", name).unwrap()).clone()
}

#[test]
fn a_told_event_is_stored_as_a_created_one() {
    let client = cluster();
    let now = client.server().world().now().rfc3339();
    let document = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": "web-1.15", "namespace": "test", "annotations": {"a": "b"}},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": "web-1", "uid": "u-1",
            "namespace": "test", "resourceVersion": "7", "fieldPath": "spec.containers{web}"},
        "type": "Normal", "reason": "Pulled", "count": 1,
        "message": "Container image \"web:1\" already present on machine",
        "source": {"component": "kubelet", "host": "node-1"},
        "firstTimestamp": now, "lastTimestamp": now,
    });
    client.create(&api::EVENTS, "test", document).unwrap();
    let annotations = json!({"a": "b"}).as_object().unwrap().clone();
    client.tell(Told { annotations, ..told(&client, 0x16) }).unwrap();
    let (created, mut seen) = (stored(&client, "web-1.15"), stored(&client, "web-1.16"));
    assert_eq!(seen.uid().len(), created.uid().len());
    assert!(seen.uid() != created.uid() && seen.resource_version() > created.resource_version());
    for field in ["name", "uid", "resourceVersion"] {
        seen.set(&["metadata", field], created["metadata"][field].clone());
    }
    assert_eq!(seen, created);
}

/// What Go leaves out when it is empty is not there either.
#[test]
fn what_is_not_said_is_not_written() {
    let client = cluster();
    let nothing = Text::new();
    let (reason, message, component) = (nothing.clone(), nothing.clone(), nothing);
    client.tell(Told { reason, message, component, ..told(&client, 1) }).unwrap();
    let document = json!({
        "metadata": {"name": "web-1.2", "namespace": "test"},
        "involvedObject": {"namespace": "test"}, "source": {"component": ""},
        "reason": "", "message": "",
    });
    client.create(&api::EVENTS, "test", document).unwrap();
    for event in [stored(&client, "web-1.1"), stored(&client, "web-1.2")] {
        let said = ["reason", "message"].map(|field| event.get(field));
        assert_eq!((said, event["source"].get("component")), ([None; 2], None), "{event}");
    }
    let at = client.server().world().now();
    let again = Again { count: 2, at, message: Text::from("something") };
    client.tell_again("test", "web-1.1", again).unwrap();
    client.tell_again("test", "web-1.1", Again { count: 3, at, message: Text::new() }).unwrap();
    assert_eq!(stored(&client, "web-1.1").get("message"), None);
}

#[test]
fn what_has_no_namespace_is_told_of_in_default() {
    let client = cluster();
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}});
    client.tell(Told { involved: Involved::of(&node, ""), ..told(&client, 1) }).unwrap();
    let event = client.get(&api::EVENTS, "default", "node-1.1").unwrap();
    assert_eq!(
        event["involvedObject"],
        json!({"apiVersion": "v1", "kind": "Node", "name": "node-1"})
    );
}

#[test]
fn told_events_are_listed_watched_counted_and_deleted() {
    let client = cluster();
    let options = ListOptions {
        field_selector: "involvedObject.name=web-1,reason=Pulled".to_owned(),
        ..ListOptions::default()
    };
    let mut watch = client.watch(&api::EVENTS, "test", &options).unwrap();
    client.tell(told(&client, 1)).unwrap();
    let Some(WatchEvent::Added(seen)) = watch.try_next() else { panic!("not seen") };
    let event = stored(&client, "web-1.1");
    assert_eq!(*seen.value(), event);
    assert_eq!(serde_json::from_slice::<Value>(&seen.json()).unwrap(), event);
    assert_eq!(client.list_with(&api::EVENTS, "test", &options).unwrap().items.len(), 1);
    let patch = json!({"count": 2});
    client.patch(&api::EVENTS, "test", "web-1.1", PatchKind::Merge, patch).unwrap();
    let mut counted = stored(&client, "web-1.1");
    assert_eq!(counted["count"], 2);
    assert!(counted.resource_version() != event.resource_version());
    counted["count"] = json!(1);
    counted.set(&["metadata", "resourceVersion"], event["metadata"]["resourceVersion"].clone());
    assert_eq!(counted, event);
    client.tell(told(&client, 2)).unwrap();
    client.delete(&api::EVENTS, "test", "web-1.2", DeleteOptions::default()).unwrap();
    assert!(client.find(&api::EVENTS, "test", "web-1.2").unwrap().is_none());
}

#[test]
fn an_event_that_is_told_again_is_counted() {
    let client = cluster();
    let now = client.server().world().now();
    let at = now + std::time::Duration::from_secs(7);
    let again = |count| Again { count, at, message: Text::from("another") };
    let expected = |event: &Value, count: i64| {
        let mut expected = event.clone();
        for (path, value) in [
            (&["count"] as &[&str], json!(count)),
            (&["lastTimestamp"], json!(at.rfc3339())),
            (&["message"], json!("another")),
            (&["metadata", "resourceVersion"], json!("")),
        ] {
            expected.set(path, value);
        }
        expected
    };
    client.tell(told(&client, 1)).unwrap();
    let event = stored(&client, "web-1.1");
    // What was patched meanwhile is a document.
    let patch = json!({"metadata": {"labels": {"a": "b"}}});
    for count in [2, 3] {
        client.tell_again("test", "web-1.1", again(count)).unwrap();
        let mut counted = stored(&client, "web-1.1");
        assert!(counted.resource_version() != event.resource_version());
        counted.set(&["metadata", "resourceVersion"], json!(""));
        let mut expected = expected(&event, count);
        if count == 3 {
            expected.set(&["metadata", "labels"], json!({"a": "b"}));
        }
        assert_eq!(counted, expected);
        client.patch(&api::EVENTS, "test", "web-1.1", PatchKind::Merge, patch.clone()).unwrap();
    }
    assert!(client.tell_again("test", "web-1.9", again(2)).unwrap_err().is_not_found());
}

#[test]
fn a_told_event_is_refused_as_a_created_one() {
    let client = cluster();
    client.tell(told(&client, 1)).unwrap();
    let refusal = |told: Told| client.tell(told).unwrap_err().message;
    assert_eq!(refusal(told(&client, 1)), "events \"web-1.1\" already exists");
    let elsewhere = |name: &str| {
        let object = json!({"kind": "Pod", "metadata": {"name": name, "namespace": "nowhere"}});
        Told { involved: Involved::of(&object, ""), ..told(&client, 1) }
    };
    assert_eq!(refusal(elsewhere("web-1")), "namespaces \"nowhere\" not found");
    let object = json!({"kind": "Role", "metadata": {"name": "a:b", "namespace": "test"}});
    let odd = Told { involved: Involved::of(&object, ""), ..told(&client, 1) };
    assert!(refusal(odd).starts_with("Event \"a:b.1\" is invalid: metadata.name: Invalid value"));
}

/// Wants to see all events, or none.
#[derive(Debug)]
struct Curious {
    wants: bool,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Admission for Curious {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if request.object.kind() == "Event" {
            self.seen.lock().push(request.object.name().to_owned());
        }
        Ok(())
    }

    fn sees_events(&self, _: &ApiServer, _: &str) -> bool {
        self.wants
    }
}

#[test]
fn rules_see_the_events_that_they_want_to_see() {
    for (wants, expected) in [(true, vec!["web-1.1".to_owned()]), (false, Vec::new())] {
        let seen = Arc::default();
        let rule = Box::new(Curious { wants, seen: Arc::clone(&seen) });
        let server = ApiServer::builder(World::simulated(1)).admission(rule).build();
        let client = Client::new(server, User::system_admin());
        let namespace = json!({"metadata": {"name": "test"}});
        client.create(&api::NAMESPACES, "", namespace).unwrap();
        client.tell(told(&client, 1)).unwrap();
        assert_eq!(*seen.lock(), expected);
        assert_eq!(stored(&client, "web-1.1")["reason"], "Pulled");
    }
}
