//! Which events are told one by one, which together, and which not at all.
//!
//! Events that differ in nothing but their message are told together from the tenth on, and one
//! source may tell 25 events about one object before it has to wait five minutes for each further one.
//!
//! Invariant: pure but for its own memory; the instant is handed in.
//! Mirrors: `k8s.io/client-go/tools/record/events_cache.go`.

use std::collections::VecDeque;
use std::time::Duration;

use apimachinery::{ObjectExt as _, Text, Value};
use rustc_hash::FxHashMap;
use world::Time;

use super::EventRecord;

/// How much of each kind is remembered.
const REMEMBERED: usize = 4096;
/// From how many different messages on events are told together.
const SIMILAR: usize = 10;
/// How far apart similar events may be.
const SIMILAR_WITHIN: Duration = Duration::from_secs(600);
/// Events that a source may tell of an object at once.
const BURST: u32 = 25;
/// How long it takes until it may tell one more.
const REFILL: Duration = Duration::from_secs(300);
/// What stands before the message of events told together.
const COMBINED: &str = "(combined from similar events): ";

/// What is the same about events that are one.
pub(super) type Identity = Text;

/// What to do about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Under which identity it is counted.
    pub(super) identity: Identity,
    /// Its message.
    pub(super) message: String,
    /// Whether it may be told.
    pub(super) told: bool,
}

/// A map that forgets what came first.
#[derive(Debug)]
pub(super) struct Memory<T> {
    entries: FxHashMap<Identity, T>,
    order: VecDeque<Identity>,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self { entries: FxHashMap::default(), order: VecDeque::new() }
    }
}

impl<T> Memory<T> {
    pub(super) fn get_mut(&mut self, identity: &str) -> Option<&mut T> {
        self.entries.get_mut(identity)
    }

    /// Forgets what `begins` so.
    pub(super) fn forget(&mut self, begins: &str) {
        self.entries.retain(|identity, _| !identity.starts_with(begins));
        self.order.retain(|identity| !identity.starts_with(begins));
    }

    pub(super) fn put(&mut self, identity: Identity, entry: T) {
        if self.entries.insert(identity.clone(), entry).is_some() {
            return;
        }
        self.order.push_back(identity);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }
}

#[derive(Debug)]
struct Similar {
    /// In order; few, and mostly one.
    messages: Vec<Text>,
    last: Time,
}

#[derive(Debug)]
struct Bucket {
    tokens: u32,
    /// When the bucket last had exactly `tokens`.
    at: Time,
}

/// Remembers what was told.
#[derive(Debug, Default)]
pub(super) struct Correlator {
    similar: Memory<Similar>,
    buckets: Memory<Bucket>,
}

impl Correlator {
    pub(super) fn forget(&mut self, told_of: &str) {
        self.similar.forget(told_of);
        self.buckets.forget(told_of);
    }

    pub(super) fn correlate(
        &mut self,
        involved: &Value,
        record: &EventRecord<'_>,
        now: Time,
    ) -> Verdict {
        let mut identity = identity(involved, record.component, record.host);
        let told = self.take_token(&identity, now);
        for part in [record.event_type.as_str(), record.reason] {
            identity.push('\n');
            identity.push_str(part);
        }
        if self.many_similar(&identity, record.message, now) {
            let message = format!("{COMBINED}{}", record.message);
            return Verdict { identity: identity.into(), message, told };
        }
        for part in [record.field_path, record.message] {
            identity.push('\n');
            identity.push_str(part);
        }
        Verdict { identity: identity.into(), message: record.message.to_owned(), told }
    }

    fn many_similar(&mut self, kind: &str, message: &str, now: Time) -> bool {
        let fresh = |similar: &&mut Similar| now.since(similar.last) <= SIMILAR_WITHIN;
        let Some(similar) = self.similar.get_mut(kind).filter(fresh) else {
            let messages = vec![Text::from(message)];
            self.similar.put(kind.into(), Similar { messages, last: now });
            return false;
        };
        similar.last = now;
        if let Err(place) = similar.messages.binary_search_by(|other| other.as_str().cmp(message)) {
            similar.messages.insert(place, message.into());
        }
        if similar.messages.len() < SIMILAR {
            return false;
        }
        similar.messages.remove(0);
        true
    }

    fn take_token(&mut self, object: &str, now: Time) -> bool {
        let Some(bucket) = self.buckets.get_mut(object) else {
            self.buckets.put(object.into(), Bucket { tokens: BURST - 1, at: now });
            return true;
        };
        while bucket.tokens < BURST && now.since(bucket.at) >= REFILL {
            bucket.tokens += 1;
            bucket.at = bucket.at + REFILL;
        }
        if bucket.tokens == BURST {
            bucket.at = now;
        }
        if bucket.tokens == 0 {
            return false;
        }
        bucket.tokens -= 1;
        true
    }
}

/// What every identity of events of `component` on `host` about `involved` begins with.
pub(super) fn identity(involved: &Value, component: &str, host: &str) -> String {
    [
        involved.uid(),
        involved.name(),
        involved.namespace(),
        involved.kind(),
        involved.api_version(),
        component,
        host,
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::super::EventType;
    use super::*;

    fn tell(correlator: &mut Correlator, message: &str, seconds: i64) -> Verdict {
        let pod = json!({"kind": "Pod", "metadata": {"name": "a", "namespace": "t"}});
        let record = EventRecord {
            component: "kubelet",
            host: "n1",
            event_type: EventType::Warning,
            reason: "Unhealthy",
            message,
            field_path: "",
        };
        correlator.correlate(&pod, &record, Time::from_unix_seconds(1_000_000 + seconds))
    }

    #[test]
    fn a_component_that_is_forgotten_begins_anew() {
        let mut correlator = Correlator::default();
        for number in 0..12 {
            let verdict = tell(&mut correlator, &format!("m{number}"), number);
            assert_eq!(verdict.message.starts_with(COMBINED), number >= 9, "{number}");
        }
        let pod = json!({"kind": "Pod", "metadata": {"name": "a", "namespace": "t"}});
        correlator.forget(&identity(&pod, "kubelet", "n2"));
        assert!(tell(&mut correlator, "more", 20).message.starts_with(COMBINED), "another one");
        correlator.forget(&identity(&pod, "kubelet", "n1"));
        assert_eq!(tell(&mut correlator, "once", 21).message, "once");
        assert!(correlator.similar.order.len() == 1 && correlator.buckets.order.len() == 1);
    }

    #[test]
    fn the_tenth_message_and_those_after_are_told_together() {
        let mut correlator = Correlator::default();
        let verdicts: Vec<Verdict> =
            (0..12).map(|n| tell(&mut correlator, &format!("m{n:02}"), n)).collect();
        let messages: Vec<&str> = verdicts.iter().map(|verdict| &*verdict.message).collect();
        assert_eq!(messages[8], "m08");
        assert_eq!(messages[9], "(combined from similar events): m09");
        assert_eq!(verdicts[9].identity, verdicts[11].identity);
        let later = tell(&mut correlator, "m99", 12 + 601);
        assert_eq!(later.message, "m99");
    }

    #[test]
    fn a_source_that_tells_too_much_has_to_wait() {
        let mut correlator = Correlator::default();
        let told = |correlator: &mut Correlator, at| tell(correlator, "same", at).told;
        assert!((0..25).all(|_| told(&mut correlator, 0)));
        assert!(!told(&mut correlator, 299));
        assert!(told(&mut correlator, 300));
        assert!(!told(&mut correlator, 301));
        assert!(told(&mut correlator, 900) && told(&mut correlator, 900));
        assert!(!told(&mut correlator, 900));
    }
}
