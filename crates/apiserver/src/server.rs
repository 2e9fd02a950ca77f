//! The handle: what a server is made of and how a call finds whoever serves it.
//!
//! Invariant: after [`Builder::build`] nothing here changes; every call runs on the caller's thread
//! and takes no lock but the store's and,
//! for events, that of their lease.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{Resource, Verb};
use apimachinery::Status;
use rustc_hash::FxHashMap;
use store::Store;
use world::World;

use crate::admission::namespace_lifecycle::NamespaceLifecycle;
use crate::admission::{Admission, AdmissionRequest, Operation};
use crate::audit::Auditor;
use crate::call::Call;
use crate::custom;
use crate::custom::scale::CustomScale;
use crate::custom::strategy::CustomStrategy;
use crate::handler::{HandlerContext, RestHandler};
use crate::lease::SharedLease;
use crate::log::PodLogs;
use crate::schema;
use crate::stored::Stored;
use crate::strategy::{self, Generic, Strategy, StrategyContext};
use crate::stream::PodStreams;
use crate::subresource;
use crate::user::{self, AllowAll, Attributes, Authorizer, Impersonation, User};

/// A resource whatever version it is served in: plural and storage group. The length comes first
/// because it tells most apart.
type Identity = (usize, &'static str, &'static str);

/// The API server; clones share it.
#[derive(Debug, Clone)]
pub struct ApiServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: World,
    store: Store<Stored>,
    strategies: FxHashMap<Identity, Arc<dyn Strategy>>,
    /// The same for what is built in, by where it is described.
    known: FxHashMap<usize, Arc<dyn Strategy>>,
    handlers: FxHashMap<Identity, BTreeMap<&'static str, Box<dyn RestHandler>>>,
    admission: Vec<Box<dyn Admission>>,
    logs: Option<Arc<dyn PodLogs>>,
    streams: Option<Arc<dyn PodStreams>>,
    authorizer: Box<dyn Authorizer>,
    auditor: Option<Arc<dyn Auditor>>,
    extensions: Vec<&'static Resource>,
    shared_lease: SharedLease,
}

/// Collects what a server is made of.
#[derive(Debug)]
pub struct Builder(Inner);

impl Builder {
    /// Gives a resource rules of its own, in all versions it is served in.
    #[must_use]
    pub fn strategy(mut self, resource: &'static Resource, strategy: Box<dyn Strategy>) -> Self {
        self.0.strategies.insert(identity(resource), Arc::from(strategy));
        self
    }

    /// Serves a sub-resource, or with the empty word a whole virtual resource, in all versions.
    #[must_use]
    pub fn handler(
        mut self,
        resource: &'static Resource,
        subresource: &'static str,
        handler: Box<dyn RestHandler>,
    ) -> Self {
        self.0.handlers.entry(identity(resource)).or_default().insert(subresource, handler);
        self
    }

    /// Puts something around the handler that is there, which must be.
    ///
    /// # Panics
    /// When there is none: what is wrapped is part of the program.
    #[must_use]
    pub fn wrap(
        mut self,
        resource: &'static Resource,
        subresource: &'static str,
        wrap: impl FnOnce(Box<dyn RestHandler>) -> Box<dyn RestHandler>,
    ) -> Self {
        let handlers = self.0.handlers.entry(identity(resource)).or_default();
        let inner = handlers.remove(subresource).expect("a handler to wrap is there");
        handlers.insert(subresource, wrap(inner));
        self
    }

    /// Adds a rule for writes, after those added before.
    #[must_use]
    pub fn admission(mut self, admission: Box<dyn Admission>) -> Self {
        self.0.admission.push(admission);
        self
    }

    /// Says where the logs of containers are read.
    #[must_use]
    pub fn logs(mut self, logs: Arc<dyn PodLogs>) -> Self {
        self.0.logs = Some(logs);
        self
    }

    /// Says who runs commands in containers and reaches their ports.
    #[must_use]
    pub fn streams(mut self, streams: Arc<dyn PodStreams>) -> Self {
        self.0.streams = Some(streams);
        self
    }

    /// Says who may do what.
    #[must_use]
    pub fn authorizer(mut self, authorizer: Box<dyn Authorizer>) -> Self {
        self.0.authorizer = authorizer;
        self
    }

    /// Says who keeps a record of requests.
    #[must_use]
    pub fn auditor(mut self, auditor: Arc<dyn Auditor>) -> Self {
        self.0.auditor = Some(auditor);
        self
    }

    /// Serves a virtual resource that is not among [`api::resources`], as an aggregated API server
    /// would.
    #[must_use]
    pub fn extension(mut self, resource: &'static Resource, handler: Box<dyn RestHandler>) -> Self {
        self.0.extensions.push(resource);
        self.handler(resource, "", handler)
    }

    /// Keeps objects in `store` instead of a new one.
    #[must_use]
    pub fn store(mut self, store: Store<Stored>) -> Self {
        self.0.store = store;
        self
    }

    /// The server.
    #[must_use]
    pub fn build(mut self) -> ApiServer {
        let generic: Arc<dyn Strategy> = Arc::new(Generic);
        for resource in api::resources() {
            let found = self.0.strategies.get(&identity(resource)).unwrap_or(&generic);
            self.0.known.insert(std::ptr::from_ref(*resource).addr(), Arc::clone(found));
        }
        self.0.authorizer.attach(&self.0.store);
        ApiServer(Arc::new(self.0))
    }
}

impl ApiServer {
    /// A server with all built-in kinds on an empty store.
    #[must_use]
    pub fn builder(world: World) -> Builder {
        let store = Store::new(world.clone());
        let strategies = strategy::built_in();
        let builder = Builder(Inner {
            world,
            store,
            strategies: strategies.into_iter().map(|(r, s)| (identity(r), Arc::from(s))).collect(),
            known: FxHashMap::default(),
            handlers: FxHashMap::default(),
            admission: vec![Box::new(NamespaceLifecycle)],
            logs: None,
            streams: None,
            authorizer: Box::new(AllowAll),
            auditor: None,
            extensions: Vec::new(),
            shared_lease: SharedLease::default(),
        });
        subresource::built_in().into_iter().fold(builder, |builder, (resource, word, handler)| {
            builder.handler(resource, word, handler)
        })
    }

    /// Where objects are kept. Writing here goes round all checks.
    #[must_use]
    pub fn store(&self) -> &Store<Stored> {
        &self.0.store
    }

    /// The source of time and names.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// Where the logs of containers are read.
    #[must_use]
    pub fn pod_logs(&self) -> Option<&Arc<dyn PodLogs>> {
        self.0.logs.as_ref()
    }

    /// Who runs commands in containers and reaches their ports.
    #[must_use]
    pub fn pod_streams(&self) -> Option<&Arc<dyn PodStreams>> {
        self.0.streams.as_ref()
    }

    /// Who keeps a record of requests.
    #[must_use]
    pub fn auditor(&self) -> Option<&Arc<dyn Auditor>> {
        self.0.auditor.as_ref()
    }

    /// The virtual resources besides [`api::resources`].
    pub(crate) fn extensions(&self) -> &[&'static Resource] {
        &self.0.extensions
    }

    /// Whether the caller may do this; to be asked at the edge.
    ///
    /// # Errors
    /// 403 with the text that names the verb and the place.
    pub fn authorize(&self, call: &Call<'_>, verb: Verb) -> Result<(), Status> {
        let attributes = attributes(call, verb);
        if self.allows(&attributes) {
            return Ok(());
        }
        Err(attributes.refusal(&self.0.authorizer.denial(&attributes)))
    }

    /// Whether the caller may ask for a path that is no resource, with a method in lower case.
    ///
    /// # Errors
    /// 403 with the text that names the path.
    pub fn authorize_path(&self, user: &User, verb: &str, path: &str) -> Result<(), Status> {
        if self.allows_path(user, verb, path) {
            return Ok(());
        }
        let reason = self.0.authorizer.denial_of_path(user, verb, path);
        Err(user::path_refusal(user, verb, path, &reason))
    }

    /// Whether a call with these attributes would be let through.
    #[must_use]
    pub fn allows(&self, attributes: &Attributes<'_>) -> bool {
        self.0.authorizer.allows(attributes)
    }

    /// Whether the caller may ask for a path that is no resource, with a method in lower case.
    #[must_use]
    pub fn allows_path(&self, user: &User, verb: &str, path: &str) -> bool {
        self.0.authorizer.allows_path(user, verb, path)
    }

    /// The user that `caller` becomes by impersonation.
    ///
    /// # Errors
    /// 403 with the text that names what may not be impersonated.
    pub fn impersonate(&self, caller: &User, wanted: &Impersonation) -> Result<User, Status> {
        self.0.authorizer.impersonate(caller, wanted)
    }

    /// Whether a PUT may create what it does not find.
    pub(crate) fn creates_on_update(&self, call: &Call<'_>) -> bool {
        self.handler(call).is_some()
            || self.strategy(call.resource).allow_create_on_update(call.resource)
    }

    /// Refuses to create for a caller who may only change what is there.
    pub(crate) fn check_may_create(&self, call: &Call<'_>) -> Result<(), Status> {
        if call.options.forbids_create {
            return Err(attributes(call, Verb::Create).refusal(user::NO_MATCH));
        }
        Ok(())
    }

    pub(crate) fn shared_lease(&self) -> &SharedLease {
        &self.0.shared_lease
    }

    pub(crate) fn strategy(&self, resource: &Resource) -> &dyn Strategy {
        let known = self.0.known.get(&std::ptr::from_ref(resource).addr());
        match known.or_else(|| self.0.strategies.get(&identity(resource))) {
            Some(strategy) => &**strategy,
            None if custom::is_custom(resource) => &CustomStrategy,
            None => &Generic,
        }
    }

    pub(crate) fn handler(&self, call: &Call<'_>) -> Option<&dyn RestHandler> {
        if call.subresource == "scale" && custom::is_custom(call.resource) {
            return Some(&CustomScale);
        }
        let handlers = self.0.handlers.get(&identity(call.resource))?;
        handlers.get(call.subresource).map(|handler| &**handler)
    }

    pub(crate) fn handler_context<'a>(&'a self, call: &'a Call<'a>) -> HandlerContext<'a> {
        HandlerContext { server: self, call }
    }

    pub(crate) fn strategy_context<'a>(
        &'a self,
        call: &Call<'a>,
        name: &'a str,
    ) -> StrategyContext<'a> {
        StrategyContext {
            server: self,
            resource: call.resource,
            user: call.user,
            namespace: call.namespace,
            name,
            now: self.0.world.now(),
        }
    }

    pub(crate) fn admit(
        &self,
        call: &Call<'_>,
        operation: Operation,
        object: &mut apimachinery::Value,
        old: Option<&apimachinery::Value>,
    ) -> Result<(), Status> {
        for admission in &self.0.admission {
            let mut request =
                AdmissionRequest { server: self, call, operation, object: &mut *object, old };
            admission.admit(&mut request)?;
        }
        Ok(())
    }

    /// Whether some rule wants to see the events that components tell in `namespace`.
    pub(crate) fn rules_see_events(&self, namespace: &str) -> bool {
        self.0.admission.iter().any(|rule| rule.sees_events(self, namespace))
    }

    /// The outcome of a write as its caller hears it.
    pub(crate) fn answered<T>(&self, outcome: Result<T, Status>) -> Result<T, Status> {
        let done = outcome?;
        self.0.admission.iter().try_for_each(|admission| admission.answer())?;
        Ok(done)
    }

    /// A stored object as callers of `resource` see it.
    pub(crate) fn present(&self, resource: &'static Resource, stored: &Stored) -> Stored {
        let strategy = self.strategy(resource);
        let same_version = schema::is_storage(resource);
        if same_version && !strategy.decorates() {
            return stored.clone();
        }
        let mut value = (*stored.value()).clone();
        strategy.decorate(&mut value);
        schema::to_served(resource, &mut value);
        Stored::new(value)
    }
}

fn attributes<'a>(call: &Call<'a>, verb: Verb) -> Attributes<'a> {
    Attributes {
        user: call.user,
        verb,
        resource: call.resource,
        subresource: call.subresource,
        namespace: call.namespace,
        name: call.name,
    }
}

fn identity(resource: &Resource) -> Identity {
    (resource.plural.len(), resource.plural, resource.storage.0)
}
