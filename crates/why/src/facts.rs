//! What is looked at: the objects of a namespace and some of the cluster's, at one revision.
//!
//! Invariant: all lists are of the same revision of the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{
    CRON_JOBS, DAEMON_SETS, DEPLOYMENT_CONFIGS, DEPLOYMENTS, EVENTS, HORIZONTAL_POD_AUTOSCALERS,
    IMAGE_STREAMS, JOBS, NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES,
    POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, Resource, STATEFUL_SETS,
    STORAGE_CLASSES, Scope,
};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Client, ListOptions};
use scheduler::{Profile, Snapshot};
use world::Time;

static READ: [&Resource; 17] = [
    &PODS,
    &REPLICATION_CONTROLLERS,
    &REPLICA_SETS,
    &DEPLOYMENTS,
    &DEPLOYMENT_CONFIGS,
    &STATEFUL_SETS,
    &DAEMON_SETS,
    &JOBS,
    &CRON_JOBS,
    &PERSISTENT_VOLUME_CLAIMS,
    &HORIZONTAL_POD_AUTOSCALERS,
    &POD_DISRUPTION_BUDGETS,
    &EVENTS,
    &IMAGE_STREAMS,
    &NODES,
    &PERSISTENT_VOLUMES,
    &STORAGE_CLASSES,
];

/// The objects that explanations are made from.
#[derive(Debug, Default)]
pub struct Facts {
    /// The revision of the store.
    pub revision: u64,
    /// The present.
    pub now: Time,
    objects: BTreeMap<&'static str, Vec<Arc<Value>>>,
    /// What the scheduler would decide from, and by: read only when some pod has no node.
    pub placing: Option<(Snapshot, Profile)>,
}

impl Facts {
    /// Reads what concerns the objects of `namespace`, as it is now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn read(client: &Client, profile: &Profile, namespace: &str) -> Result<Self, Status> {
        let revision = client.server().store().revision();
        let now = client.server().world().now();
        let mut facts = Self { revision, now, ..Self::default() };
        for resource in READ {
            // Triggers may follow image streams of other namespaces.
            let all = resource.scope == Scope::Cluster || resource.plural == "imagestreams";
            let options = ListOptions {
                resource_version: revision.to_string(),
                resource_version_match: "Exact".to_owned(),
                ..ListOptions::default()
            };
            let list = client.list_with(resource, if all { "" } else { namespace }, &options)?;
            let objects = list.items.into_iter().map(|item| item.value()).collect();
            facts.objects.insert(resource.plural, objects);
        }
        let unplaced = |pod: &Arc<Value>| pod.str_at(&["spec", "nodeName"]).is_empty();
        if facts.all(&PODS).iter().any(unplaced) {
            facts.placing = Some((scheduler::facts_at(client, revision)?, profile.clone()));
        }
        Ok(facts)
    }

    /// Facts that are these objects.
    #[must_use]
    pub fn of(objects: impl IntoIterator<Item = Value>, now: Time) -> Self {
        let mut facts = Self { now, ..Self::default() };
        for object in objects {
            let resource = READ.iter().find(|resource| resource.kind == object.kind());
            if let Some(resource) = resource {
                facts.objects.entry(resource.plural).or_default().push(Arc::new(object));
            }
        }
        facts
    }

    /// All objects of a resource.
    #[must_use]
    pub fn all(&self, resource: &Resource) -> &[Arc<Value>] {
        self.objects.get(resource.plural).map_or(&[], Vec::as_slice)
    }

    /// The object of this name.
    #[must_use]
    pub fn find(&self, resource: &Resource, name: &str) -> Option<&Arc<Value>> {
        self.all(resource).iter().find(|object| object.name() == name)
    }

    /// The objects that `owner` controls.
    pub fn owned<'a>(
        &'a self,
        resource: &Resource,
        owner: &'a Value,
    ) -> impl Iterator<Item = &'a Arc<Value>> {
        let owns = move |object: &&Arc<Value>| {
            let holder = object.controller_ref().map(|holder| holder.str_at(&["uid"]));
            !owner.uid().is_empty() && holder == Some(owner.uid())
        };
        self.all(resource).iter().filter(owns)
    }

    /// The newest event about `object` with one of these reasons; with none, the newest warning.
    #[must_use]
    pub fn told(&self, object: &Value, reasons: &[&str]) -> Option<&Value> {
        let about = |event: &&Arc<Value>| {
            let reason = event.str_at(&["reason"]);
            event.str_at(&["involvedObject", "uid"]) == object.uid()
                && if reasons.is_empty() {
                    event.str_at(&["type"]) == "Warning"
                } else {
                    reasons.contains(&reason)
                }
        };
        let events = self.all(&EVENTS).iter().filter(about);
        events.max_by_key(|event| event.str_at(&["lastTimestamp"])).map(|event| &**event)
    }

    /// The newest message about `object` that begins like this.
    #[must_use]
    pub fn said(&self, object: &Value, beginning: &str) -> Option<&str> {
        let about = |event: &&Arc<Value>| {
            event.str_at(&["involvedObject", "uid"]) == object.uid()
                && event.str_at(&["message"]).starts_with(beginning)
        };
        let events = self.all(&EVENTS).iter().filter(about);
        let newest = events.max_by_key(|event| event.str_at(&["lastTimestamp"]));
        newest.map(|event| event.str_at(&["message"]))
    }

    /// How long ago a time in an object was, in words; nothing when it is not a time.
    #[must_use]
    pub fn ago(&self, time: &str) -> Option<String> {
        let then = Time::parse_rfc3339(time)?;
        Some(duration(self.now.since(then).as_secs()))
    }
}

/// A length of time as people say it.
#[must_use]
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The object as `kind/name`.
#[must_use]
pub fn title(object: &Value) -> String {
    format!("{}/{}", object.kind().to_lowercase(), object.name())
}

/// `1 pod`, `2 pods`.
#[must_use]
pub fn count(number: i64, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

/// `is` or `are`.
#[must_use]
pub fn are(number: i64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}
