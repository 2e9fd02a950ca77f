//! The authoriser: a [`Policy`] that follows the store.
//!
//! Nothing runs in the background. Whoever asks looks first whether a role or binding has changed, and
//! takes the changes in before the answer.
//!
//! Invariant: an answer takes into account every write that was finished before the question.
//! Invariant: the store is asked while the policy's lock is held, never the other way round.

use std::sync::Arc;

use api::Verb;
use apimachinery::Status;
use apiserver::user::NO_MATCH;
use apiserver::{Attributes, Authorizer, Impersonation, Stored, User};
use parking_lot::{RwLock, RwLockReadGuard};
use store::{EventKind, Range, Store, Watcher};

use crate::policy::Policy;
use crate::rule::{Access, ResourceTarget};
use crate::{impersonation, scope};

/// All roles and bindings stand under this prefix of the store.
pub(crate) const PREFIX: &str = "/registry/rbac.authorization.k8s.io/";

/// The role based authoriser; clones share it. Before it has a store, only masters may do anything.
#[derive(Debug, Clone, Default)]
pub struct Rbac(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    followed: RwLock<Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    store: Option<Store<Stored>>,
    /// `None` before the first look and after the history was lost.
    watcher: Option<Watcher<Stored>>,
    policy: Policy,
}

impl Rbac {
    /// Whether `user` may do this.
    #[must_use]
    pub fn permits(&self, user: &User, access: &Access<'_>) -> bool {
        self.read(|policy| scope::permit(policy, user, access) && policy.allows(user, access))
    }

    /// Why `user` may not do this.
    #[must_use]
    pub fn why_not(&self, user: &User, access: &Access<'_>) -> String {
        if self.read(|policy| scope::permit(policy, user, access)) {
            return NO_MATCH.to_owned();
        }
        scope::denial(user)
    }

    /// Asks the policy as it is now.
    pub fn read<T>(&self, ask: impl FnOnce(&Policy) -> T) -> T {
        ask(&self.current().policy)
    }

    fn current(&self) -> RwLockReadGuard<'_, Followed> {
        // Asked of the watcher itself: a wake-up may still be on its way to us when the write that it
        // tells of has already been answered.
        let followed = self.0.followed.read();
        if followed.is_current() {
            return followed;
        }
        drop(followed);
        self.0.followed.write().catch_up();
        self.0.followed.read()
    }
}

impl Followed {
    /// Whether every write that was answered before is in the policy.
    fn is_current(&self) -> bool {
        self.watcher.as_ref().is_some_and(|watcher| !watcher.has_news())
    }

    fn catch_up(&mut self) {
        loop {
            let Some(watcher) = &mut self.watcher else { return self.reload() };
            match watcher.try_next() {
                Ok(Some(event)) => {
                    let Some(place) = Place::parse(&event.kv.key) else { continue };
                    match event.kind {
                        EventKind::Delete => {
                            self.policy.remove(place.kind, place.namespace, place.name);
                        }
                        EventKind::Put => self.policy.put(place.kind, &event.kv.value.value()),
                    }
                }
                Ok(None) => return,
                Err(_) => self.watcher = None,
            }
        }
    }

    fn reload(&mut self) {
        let Some(store) = &self.store else { return };
        let found = store.range(&Range::prefix(PREFIX)).expect("the present can be read");
        self.policy = Policy::default();
        for kv in &found.kvs {
            if let Some(place) = Place::parse(&kv.key) {
                self.policy.put(place.kind, &kv.value.value());
            }
        }
        // When the history is gone already, the next question looks again.
        self.watcher = store.watch(PREFIX, found.revision).ok();
    }
}

/// What a key of the store says of its object.
struct Place<'a> {
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Place<'a> {
    fn parse(key: &'a str) -> Option<Self> {
        let (kind, rest) = key.strip_prefix(PREFIX)?.split_once('/')?;
        let (namespace, name) = rest.split_once('/').unwrap_or(("", rest));
        Some(Self { kind, namespace, name })
    }
}

impl Authorizer for Rbac {
    fn allows(&self, attributes: &Attributes<'_>) -> bool {
        asks_who_they_are(attributes) || self.permits(attributes.user, &access_of(attributes))
    }

    fn denial(&self, attributes: &Attributes<'_>) -> String {
        self.why_not(attributes.user, &access_of(attributes))
    }

    fn denial_of_path(&self, user: &User, verb: &str, path: &str) -> String {
        self.why_not(user, &Access::path(verb, path))
    }

    fn attach(&self, store: &Store<Stored>) {
        *self.0.followed.write() = Followed { store: Some(store.clone()), ..Followed::default() };
    }

    fn allows_path(&self, user: &User, verb: &str, path: &str) -> bool {
        self.permits(user, &Access::path(verb, path))
    }

    fn impersonate(&self, caller: &User, wanted: &Impersonation) -> Result<User, Status> {
        impersonation::impersonate(self, caller, wanted)
    }
}

/// Whether someone who is recognised asks for no more than that. The roles of OpenShift 3.11 are older
/// than the question; the basic users of later versions may ask it.
fn asks_who_they_are(attributes: &Attributes<'_>) -> bool {
    attributes.verb == Verb::Create
        && attributes.resource.group == "authentication.k8s.io"
        && attributes.resource.plural == "selfsubjectreviews"
        && !attributes.user.is_anonymous()
}

/// What a request asks for, as rules speak of it.
#[must_use]
pub fn access_of<'a>(attributes: &Attributes<'a>) -> Access<'a> {
    let target = ResourceTarget {
        group: attributes.resource.group,
        resource: attributes.resource.plural,
        subresource: attributes.subresource,
        namespace: attributes.place(),
        name: attributes.name,
    };
    Access::resource(attributes.verb.as_str(), target)
}
