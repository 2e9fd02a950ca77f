//! Events: what controllers tell the people who look.
//!
//! The same event again only counts up: `count` and `lastTimestamp` of the stored Event are patched.
//! What is similar or too much is told together or not at all (`correlator`).
//!
//! Invariant: an event that cannot be written is dropped; events never fail a reconcile.
//!
//! Mirrors: `k8s.io/client-go/tools/record` (names `<object>.<hex nanoseconds>`, counting).

mod correlator;

use apimachinery::json::Name as _;
use apimachinery::{Map, Text, Texts, Value};
use apiserver::Client;
use apiserver::event::{Again, Involved, Told};
use world::World;

use self::correlator::{Correlator, Identity, Memory, Verdict};

/// How many messages are kept so that the same one told of another object takes no memory.
const MESSAGES: usize = 64;

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

/// Writes Events through the API.
#[derive(Debug)]
pub struct Recorder {
    client: Client,
    world: World,
    seen: Memory<Seen>,
    correlator: Correlator,
    messages: Texts<MESSAGES>,
    last_name_nanos: i64,
}

#[derive(Debug, Clone)]
struct Seen {
    namespace: Text,
    name: Text,
    count: i64,
}

impl Recorder {
    /// A recorder that writes by `client`.
    #[must_use]
    pub fn new(client: Client, world: World) -> Self {
        let (seen, correlator) = (Memory::default(), Correlator::default());
        let messages = Texts::new();
        Self { client, world, seen, correlator, messages, last_name_nanos: 0 }
    }

    /// Forgets what `component` told about `involved`, as a new process of that name would not know
    /// it: it tells everything anew instead of counting up.
    pub fn forget(&mut self, component: &str, involved: &Value) {
        let told_of = correlator::identity(involved, component, "");
        self.seen.forget(&told_of);
        self.correlator.forget(&told_of);
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
        let now = self.world.now();
        let Verdict { identity, message, told } = self.correlator.correlate(involved, record, now);
        let record = EventRecord { message: &message, ..*record };
        let Some(seen) = self.seen.get_mut(&identity) else {
            if told {
                self.create(involved, &record, identity);
            }
            return;
        };
        seen.count += 1;
        if !told {
            return;
        }
        let again = Again { count: seen.count, at: now, message: self.messages.shared(&message) };
        let result = self.client.tell_again(&seen.namespace, &seen.name, again);
        if result.is_err() {
            self.create(involved, &record, identity);
        }
    }

    fn create(&mut self, involved: &Value, record: &EventRecord<'_>, identity: Identity) {
        let told = self.told(involved, record);
        let namespace = told.namespace().into();
        match self.client.tell(told) {
            Ok(name) => self.seen.put(identity, Seen { namespace, name, count: 1 }),
            Err(status) => {
                tracing::debug!(%status, reason = record.reason, "event dropped");
            }
        }
    }

    fn told(&mut self, involved: &Value, record: &EventRecord<'_>) -> Told {
        let at = self.world.now();
        self.last_name_nanos = at.unix_nanos().max(self.last_name_nanos + 1);
        Told {
            involved: Involved::of(involved, record.field_path),
            ending: u128::try_from(self.last_name_nanos).unwrap_or_default(),
            annotations: Map::new(),
            at,
            event_type: record.event_type.as_str(),
            reason: record.reason.name(),
            message: self.messages.shared(record.message),
            component: record.component.name(),
            host: record.host.name(),
        }
    }
}
