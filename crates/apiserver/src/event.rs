//! Events as the components of this process tell them: kept as what is said, written out as documents
//! for those who read them.
//!
//! A pod on its way to Running is told of in five events that hardly anybody reads; as documents they
//! took more memory than the pod itself. An event that was changed is a document like any other object.
//!
//! Invariant: the document is what creating the same event as a document stores.

use apimachinery::json::Name as _;
use apimachinery::object::map_of;
use apimachinery::{Map, ObjectExt as _, Status, Text, Value, validation};
use store::Revision;
use world::{Time, Uuid};

use crate::call::{Call, PatchKind};
use crate::client::Client;
use crate::server::ApiServer;
use crate::stored::Stored;
use crate::{error, key};

/// Where events about objects without a namespace stand.
const DEFAULT_NAMESPACE: &str = "default";

/// The object that an event is about, as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Involved {
    api_version: Text,
    kind: Text,
    namespace: Text,
    name: Text,
    uid: Text,
    resource_version: Text,
    field_path: Text,
}

/// What a component tells: the fields of an Event, of which the rest follows.
#[derive(Debug, Clone)]
pub struct Told {
    /// What it is about.
    pub involved: Involved,
    /// What the name ends with, in hexadecimal digits, after the name of the object.
    pub ending: u128,
    /// `metadata.annotations`.
    pub annotations: Map,
    /// When it was seen for the first time.
    pub at: Time,
    /// `Normal` or `Warning`.
    pub event_type: &'static str,
    /// One word in camel case.
    pub reason: Text,
    /// A sentence for people.
    pub message: Text,
    /// Who tells it.
    pub component: Text,
    /// Where; empty when the component has no host.
    pub host: Text,
}

/// What is told of an event that was seen again.
#[derive(Debug, Clone)]
pub struct Again {
    /// How often it was seen.
    pub count: i64,
    /// When it was seen the last time.
    pub at: Time,
    /// A sentence for people, in the place of the one before.
    pub message: Text,
}

/// A told event in the store.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    told: Told,
    count: i64,
    last: Time,
    uid: Uuid,
    pub(crate) revision: Revision,
}

impl Involved {
    /// `object`, or the part of it at `field_path` unless that is empty.
    #[must_use]
    pub fn of(object: &Value, field_path: &str) -> Self {
        Self {
            api_version: object.text_at(&["apiVersion"]),
            kind: object.text_at(&["kind"]),
            namespace: object.text_at(&["metadata", "namespace"]),
            name: object.text_at(&["metadata", "name"]),
            uid: object.text_at(&["metadata", "uid"]),
            resource_version: object.text_at(&["metadata", "resourceVersion"]),
            field_path: field_path.name(),
        }
    }

    fn document(&self) -> Value {
        let members = [
            ("apiVersion", &self.api_version),
            ("fieldPath", &self.field_path),
            ("kind", &self.kind),
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("resourceVersion", &self.resource_version),
            ("uid", &self.uid),
        ];
        said(members).collect()
    }
}

/// The members that say something; the API leaves the others out.
fn said<'a, const N: usize>(
    members: [(&'a str, &'a Text); N],
) -> impl Iterator<Item = (&'a str, Value)> {
    let told = members.into_iter().filter(|(_, text)| !text.is_empty());
    told.map(|(name, text)| (name, Value::from(text)))
}

impl Told {
    /// The name of the event.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{:x}", self.involved.name, self.ending)
    }

    /// The namespace of the event.
    #[must_use]
    pub fn namespace(&self) -> &str {
        let of_object = self.involved.namespace.as_str();
        if of_object.is_empty() { DEFAULT_NAMESPACE } else { of_object }
    }

    /// The event as it is sent to be created.
    fn document(&self) -> Value {
        let mut metadata =
            map_of([("name", self.name().into()), ("namespace", self.namespace().into())]);
        if !self.annotations.is_empty() {
            metadata.set(&["annotations"], Value::Object(self.annotations.clone()));
        }
        let source = said([("component", &self.component), ("host", &self.host)]);
        let at = Value::from(self.at.rfc3339());
        let members = [
            ("apiVersion", "v1".into()),
            ("count", 1.into()),
            ("eventTime", Value::Null),
            ("firstTimestamp", at.clone()),
            ("involvedObject", self.involved.document()),
            ("kind", "Event".into()),
            ("lastTimestamp", at),
            ("metadata", metadata),
            ("reportingComponent", "".into()),
            ("reportingInstance", "".into()),
            ("source", source.collect()),
            ("type", self.event_type.into()),
        ];
        let texts = said([("message", &self.message), ("reason", &self.reason)]);
        members.into_iter().chain(texts).collect()
    }
}

impl Kept {
    /// The event as it is stored.
    pub(crate) fn document(&self) -> Value {
        let mut event = self.told.document();
        event.set(&["count"], self.count.into());
        event.set(&["lastTimestamp"], self.last.rfc3339().into());
        event.set(&["metadata", "creationTimestamp"], self.told.at.rfc3339().into());
        event.set(&["metadata", "uid"], self.uid.to_string().into());
        if self.revision > 0 {
            event.set(&["metadata", "resourceVersion"], self.revision.to_string().into());
        }
        event
    }

    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + self.told.message.len()
    }
}

impl ApiServer {
    /// Creates an event; a rule that cares about events in its namespace sees it as any other object.
    fn tell(&self, call: &Call<'_>, told: Told) -> Result<Text, Status> {
        let name = told.name();
        if self.rules_see_events(call.namespace) || !validation::dns1123_subdomain(&name).is_empty()
        {
            return self.create(call, told.document()).map(|_| name.into());
        }
        let kept = Kept { count: 1, last: told.at, told, uid: self.world().uuid(), revision: 0 };
        let key = key::object(call.resource, call.namespace, &name);
        match self.put_at(self.strategy(call.resource), &key, 0, Stored::told(kept)) {
            Some(_) => Ok(name.into()),
            None => Err(error::already_exists(call.resource, &name)),
        }
    }

    /// Changes an event that was told and not changed otherwise; `None` when that cannot be done here.
    fn tell_again(&self, call: &Call<'_>, again: &Again) -> Option<()> {
        if self.rules_see_events(call.namespace) {
            return None;
        }
        let current = self.store().get(&key::object(call.resource, call.namespace, call.name))?;
        let mut kept = current.value.event()?.clone();
        kept.told.message.clone_from(&again.message);
        (kept.count, kept.last) = (again.count, again.at);
        let strategy = self.strategy(call.resource);
        self.replace(strategy, &current, Stored::told(kept)).map(drop)
    }
}

impl Client {
    /// Creates the event that a component tells; gives its name.
    ///
    /// # Errors
    /// As [`Client::create`].
    pub fn tell(&self, told: Told) -> Result<Text, Status> {
        let namespace = Text::from(told.namespace());
        let call = Call::new(self.user(), &api::EVENTS).within(&namespace);
        self.server().tell(&call, told)
    }

    /// Says of an event that it was seen again.
    ///
    /// # Errors
    /// As [`Client::patch`].
    pub fn tell_again(&self, namespace: &str, name: &str, again: Again) -> Result<(), Status> {
        let call = Call::new(self.user(), &api::EVENTS).within(namespace).named(name);
        if self.server().tell_again(&call, &again).is_some() {
            return Ok(());
        }
        let patch = map_of([
            ("count", again.count.into()),
            ("lastTimestamp", again.at.rfc3339().into()),
            ("message", Value::String(again.message)),
        ]);
        self.patch(&api::EVENTS, namespace, name, PatchKind::Merge, patch).map(drop)
    }
}
