//! Events: what controllers tell the people who look.
//!
//! The same event again only counts up: `count` and `lastTimestamp` of the stored Event are patched.
//!
//! Invariant: an event that cannot be written is dropped; events never fail a reconcile.
//!
//! Mirrors: `k8s.io/client-go/tools/record` (names `<object>.<hex nanoseconds>`, counting).

use std::collections::{BTreeMap, VecDeque};

use apimachinery::{ObjectExt as _, Value};
use apiserver::{Client, PatchKind};
use serde_json::json;
use world::World;

/// How many distinct events are remembered for counting.
const REMEMBERED: usize = 4096;

/// Whether an event tells of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// Things go their way.
    Normal,
    /// Something may need attention.
    Warning,
}

impl EventType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Everything about one event but its time.
#[derive(Debug, Clone, Copy)]
pub struct EventRecord<'a> {
    /// Source component, e.g. `deploymentconfig-controller`.
    pub component: &'a str,
    /// Source host; empty when the component has none.
    pub host: &'a str,
    /// Normal or Warning.
    pub event_type: EventType,
    /// One word in camel case.
    pub reason: &'a str,
    /// A sentence for people.
    pub message: &'a str,
    /// Part of the object, e.g. `spec.containers{web}`; empty for the whole.
    pub field_path: &'a str,
}

type Identity = (String, String, String, EventType, String, String, String);

/// Writes Events through the API.
#[derive(Debug)]
pub struct Recorder {
    client: Client,
    world: World,
    seen: BTreeMap<Identity, Seen>,
    order: VecDeque<Identity>,
    last_name_nanos: i64,
}

#[derive(Debug, Clone)]
struct Seen {
    namespace: String,
    name: String,
    count: i64,
}

impl Recorder {
    /// A recorder that writes by `client`.
    #[must_use]
    pub fn new(client: Client, world: World) -> Self {
        Self { client, world, seen: BTreeMap::new(), order: VecDeque::new(), last_name_nanos: 0 }
    }

    /// Records an event of `component` about `involved`.
    pub fn event(
        &mut self,
        component: &str,
        involved: &Value,
        event_type: EventType,
        reason: &str,
        message: &str,
    ) {
        let record =
            EventRecord { component, host: "", event_type, reason, message, field_path: "" };
        self.record(involved, &record);
    }

    /// Records an event with host and field path.
    pub fn record(&mut self, involved: &Value, record: &EventRecord<'_>) {
        let identity = identity(involved, record);
        if let Some(seen) = self.seen.get_mut(&identity) {
            seen.count += 1;
            let patch = json!({"count": seen.count, "lastTimestamp": self.world.now().rfc3339()});
            let (namespace, name) = (seen.namespace.clone(), seen.name.clone());
            let result =
                self.client.patch(&api::EVENTS, &namespace, &name, PatchKind::Merge, patch);
            if result.is_ok() {
                return;
            }
            self.seen.remove(&identity);
        }
        self.create(involved, record, identity);
    }

    fn create(&mut self, involved: &Value, record: &EventRecord<'_>, identity: Identity) {
        let event = self.document(involved, record);
        let namespace = event.namespace().to_owned();
        let name = event.name().to_owned();
        match self.client.create(&api::EVENTS, &namespace, event) {
            Ok(_) => self.remember(identity, Seen { namespace, name, count: 1 }),
            Err(status) => {
                tracing::debug!(%status, reason = record.reason, "event dropped");
            }
        }
    }

    fn remember(&mut self, identity: Identity, seen: Seen) {
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.order.push_back(identity.clone());
        self.seen.insert(identity, seen);
    }

    fn document(&mut self, involved: &Value, record: &EventRecord<'_>) -> Value {
        let now = self.world.now();
        self.last_name_nanos = now.unix_nanos().max(self.last_name_nanos + 1);
        let namespace = Some(involved.namespace()).filter(|ns| !ns.is_empty()).unwrap_or("default");
        let mut event = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": format!("{}.{:x}", involved.name(), self.last_name_nanos),
                "namespace": namespace,
            },
            "involvedObject": involved_object(involved, record.field_path),
            "type": record.event_type.as_str(),
            "reason": record.reason,
            "message": record.message,
            "source": {"component": record.component},
            "firstTimestamp": now.rfc3339(),
            "lastTimestamp": now.rfc3339(),
            "count": 1,
        });
        if !record.host.is_empty() {
            event.set(&["source", "host"], json!(record.host));
        }
        event
    }
}

fn identity(involved: &Value, record: &EventRecord<'_>) -> Identity {
    (
        format!("{}/{}", record.component, record.host),
        format!("{}/{}/{}", involved.kind(), involved.namespace(), involved.name()),
        involved.uid().to_owned(),
        record.event_type,
        record.reason.to_owned(),
        record.message.to_owned(),
        record.field_path.to_owned(),
    )
}

fn involved_object(involved: &Value, field_path: &str) -> Value {
    let mut reference = serde_json::Map::new();
    for (key, text) in [
        ("apiVersion", involved.api_version()),
        ("kind", involved.kind()),
        ("namespace", involved.namespace()),
        ("name", involved.name()),
        ("uid", involved.uid()),
        ("resourceVersion", involved.resource_version()),
        ("fieldPath", field_path),
    ] {
        if !text.is_empty() {
            reference.insert(key.to_owned(), json!(text));
        }
    }
    Value::Object(reference)
}
