//! What a worker acts through: the API, the runtime, and the tickets under way.

use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apimachinery::{Recent, Text, Value, json};
use apiserver::Client;
use controller_runtime::recorder::EventRecord;
use controller_runtime::{Caches, Context, EventType};
use cri::{ContainerRuntime, Id, Image, Ticket};
use rustc_hash::FxHashMap;
use world::Time;

use crate::env::Source;
use crate::probe::Kind;

/// What a command was submitted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The action under way.
    Step,
    /// The preStop hook of a container.
    PreStop(Text),
    /// The stop of a container.
    Stop(Text),
    /// A probing of a container's instance.
    Probe(Text, Kind, Id),
    /// The removal of a sandbox.
    Remove(Id),
    /// The removal of an instance that nobody wants.
    Stray(Id),
    /// New files for a volume.
    Refresh,
    /// Nobody waits for it.
    Forget,
}

/// Which commands are under way and who owns what.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    last: Ticket,
    open: FxHashMap<Ticket, (Arc<str>, Purpose)>,
    /// Container and sandbox ids → pod uid.
    owners: FxHashMap<Id, Arc<str>>,
    /// The newest images' names in statuses, by the engine's.
    images: Recent<(Text, Text), Text>,
}

impl Tickets {
    /// Leaves numbers below `ticket` to whoever had this runtime before.
    pub(crate) fn begin_after(&mut self, ticket: Ticket) {
        self.last = self.last.max(ticket);
    }

    pub(crate) fn fresh(&mut self) -> Ticket {
        self.last += 1;
        self.last
    }

    pub(super) fn issue(&mut self, uid: &Arc<str>, purpose: Purpose) -> Ticket {
        let ticket = self.fresh();
        self.open.insert(ticket, (Arc::clone(uid), purpose));
        ticket
    }

    pub(crate) fn redeem(&mut self, ticket: Ticket) -> Option<(Arc<str>, Purpose)> {
        self.open.remove(&ticket)
    }

    pub(crate) fn own(&mut self, id: &Id, uid: &Arc<str>) {
        self.owners.insert(Id::clone(id), Arc::clone(uid));
    }

    pub(crate) fn owner(&self, id: &str) -> Option<Arc<str>> {
        self.owners.get(id).cloned()
    }

    pub(crate) fn disown(&mut self, ids: &[Id]) {
        for id in ids {
            self.owners.remove(id);
        }
    }

    /// `imageID` of the status, one text for all that have the image.
    pub(super) fn image_id(&mut self, image: &Image) -> Text {
        let known = self.images.get(|(id, digest)| *id == image.id && *digest == image.repo_digest);
        known.unwrap_or_else(|| {
            let of = (image.id.clone(), image.repo_digest.clone());
            self.images.put(of, crate::container::image_id(image).into())
        })
    }
}

/// The means of one run of a worker.
#[derive(Debug)]
pub(crate) struct Io<'a, 'c> {
    pub(crate) cx: &'a mut Context<'c>,
    pub(crate) runtime: &'a mut dyn ContainerRuntime,
    pub(crate) tickets: &'a mut Tickets,
}

impl Io<'_, '_> {
    pub(crate) fn now(&self) -> Time {
        self.cx.world.now()
    }

    pub(crate) fn event(
        &mut self,
        pod: &Value,
        host: &str,
        event_type: EventType,
        reason: &str,
        message: &str,
        field_path: &str,
    ) {
        let component = "kubelet";
        let record = EventRecord { component, host, event_type, reason, message, field_path };
        self.cx.recorder.record(pod, &record);
    }

    pub(super) fn objects(&self, pod: &Value) -> Objects<'_> {
        let client = self.cx.client;
        Objects { caches: self.cx.caches, client, namespace: pod.namespace().to_owned() }
    }
}

/// The cached objects of one namespace, and the tokens of its service accounts.
#[derive(Debug)]
pub(super) struct Objects<'a> {
    caches: &'a Caches,
    client: &'a Client,
    namespace: String,
}

impl Source for Objects<'_> {
    fn config_map(&self, name: &str) -> Option<Arc<Value>> {
        self.caches.get(&api::CONFIG_MAPS, &self.namespace, name)
    }

    fn secret(&self, name: &str) -> Option<Arc<Value>> {
        self.caches.get(&api::SECRETS, &self.namespace, name)
    }

    fn token(&self, pod: &Value, described: &Value) -> Result<String, String> {
        let account = match pod.str_at(&["spec", "serviceAccountName"]) {
            "" => "default",
            name => name,
        };
        let audiences = match described.str_at(&["audience"]) {
            "" => Vec::new(),
            audience => vec![audience],
        };
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": audiences,
                "expirationSeconds": crate::volumes::token_seconds(described),
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.name(),
                    "uid": pod.uid()},
            },
        });
        let accounts = &api::SERVICE_ACCOUNTS;
        self.client
            .subresource_create(accounts, &self.namespace, account, "token", request)
            .map(|issued| issued.str_at(&["status", "token"]).to_owned())
            .map_err(|status| format!("failed to fetch token: {}", status.message))
    }

    fn claim(&self, name: &str) -> Option<Arc<Value>> {
        self.caches.get(&api::PERSISTENT_VOLUME_CLAIMS, &self.namespace, name)
    }

    fn persistent_volume(&self, name: &str) -> Option<Arc<Value>> {
        self.caches.get(&api::PERSISTENT_VOLUMES, "", name)
    }

    fn services(&self) -> Vec<Arc<Value>> {
        let kubernetes = (self.namespace != "default")
            .then(|| self.caches.get(&api::SERVICES, "default", "kubernetes"))
            .flatten();
        kubernetes.into_iter().chain(self.caches.list(&api::SERVICES, &self.namespace)).collect()
    }
}
