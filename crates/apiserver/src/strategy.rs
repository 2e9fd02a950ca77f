//! How a resource differs from others when it is written: the seam by which kinds plug in.
//!
//! The methods' default bodies are the rules most kinds follow: clients do not write `status`
//! through the resource itself nor anything else through `status`, and `metadata.generation` counts
//! the changes of `spec`. A strategy that overrides one may call the functions beside the trait
//! ([`reset_status`], [`keep_status`], [`keep_all_but_status`]) to get the usual rule as well.
//!
//! Mirrors: `k8s.io/apiserver/pkg/registry/rest`.
//!
//! Invariant: strategies see and return objects in the storage version.

mod daemon_set;
mod job;
mod kinds;
mod namespace;
mod pod;
mod route;
mod service;

pub(crate) use self::kinds::{Generic, built_in};
pub(crate) use self::service::KUBERNETES_SERVICE_IP;

use std::fmt::Debug;
use std::time::Duration;

use api::Resource;
use apimachinery::field::ErrorList;
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use world::Time;

use crate::call::Propagation;
use crate::server::ApiServer;
use crate::user::User;

/// What a strategy may know about the request.
#[derive(Debug, Clone, Copy)]
pub struct StrategyContext<'a> {
    /// The server, for reading other objects.
    pub server: &'a ApiServer,
    /// The resource as it is served to this caller.
    pub resource: &'static Resource,
    /// Who asks.
    pub user: &'a User,
    /// The object's namespace; empty for cluster scope.
    pub namespace: &'a str,
    /// The object's name.
    pub name: &'a str,
    /// The instant of the request.
    pub now: Time,
}

/// A name out of a range that an object holds for itself as long as it lives, e.g. a service's
/// address. It is taken and given back in the transaction that writes the object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The range, e.g. `serviceips`.
    pub range: &'static str,
    /// The item, e.g. `172.30.0.1`.
    pub item: String,
}

/// The rules of one resource.
pub trait Strategy: Send + Sync + Debug {
    /// Brings a new object, which has its name and uid, into shape before validation.
    ///
    /// # Errors
    /// Whatever is to be answered instead.
    fn prepare_for_create(
        &self,
        cx: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        reset_status(cx.resource, object);
        Ok(())
    }

    /// Brings a changed object into shape before validation.
    ///
    /// # Errors
    /// Whatever is to be answered instead.
    fn prepare_for_update(
        &self,
        cx: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        keep_status(cx.resource, new, old);
        Ok(())
    }

    /// Brings an object changed through its `status` into shape.
    ///
    /// # Errors
    /// Whatever is to be answered instead.
    fn prepare_for_status_update(
        &self,
        _cx: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        keep_all_but_status(new, old);
        Ok(())
    }

    /// What is wrong with a new object beyond what `api::validation` finds.
    fn validate_create(&self, _cx: &StrategyContext<'_>, _object: &Value) -> ErrorList {
        ErrorList::new()
    }

    /// What is wrong with a changed object beyond what `api::validation` finds.
    fn validate_update(&self, _cx: &StrategyContext<'_>, _new: &Value, _old: &Value) -> ErrorList {
        ErrorList::new()
    }

    /// An object that is made up for the caller instead of read, e.g. the user `~`.
    fn made_up(&self, _server: &ApiServer, _user: &User, _name: &str) -> Option<Value> {
        None
    }

    /// Whether [`Self::decorate`] does anything; objects are copied for it on every read.
    fn decorates(&self) -> bool {
        false
    }

    /// Writes into an object that is about to be deleted what must happen before it goes.
    fn prepare_for_delete(&self, _object: &mut Value, _now: Time) {}

    /// Fills in what is not stored but shown.
    fn decorate(&self, _object: &mut Value) {}

    /// Whether `metadata.generation` is kept.
    fn tracks_generation(&self, resource: &Resource) -> bool {
        kinds::tracks_generation(resource)
    }

    /// Whether the change counts in `metadata.generation`.
    fn bumps_generation(&self, new: &Value, old: &Value) -> bool {
        new.get("spec") != old.get("spec")
    }

    /// What happens to dependents when the caller does not say.
    fn default_propagation(&self, resource: &Resource) -> Propagation {
        kinds::default_propagation(resource)
    }

    /// Whether a PUT without resource version is accepted.
    fn allow_unconditional_update(&self, resource: &Resource) -> bool {
        kinds::allow_unconditional_update(resource)
    }

    /// Whether a PUT of a missing object creates it.
    fn allow_create_on_update(&self, resource: &Resource) -> bool {
        kinds::allow_create_on_update(resource)
    }

    /// The grace period of a deletion, in seconds, for kinds that end gracefully. May be 0.
    fn grace_period_seconds(&self, _object: &Value, _requested: Option<i64>) -> Option<i64> {
        None
    }

    /// Whether a completed deletion answers with the object instead of a `Status`.
    fn returns_deleted_object(&self) -> bool {
        false
    }

    /// How long objects live without being written; `None` for ever. Such objects hold no claims.
    fn time_to_live(&self) -> Option<Duration> {
        None
    }

    /// The prefixes of what goes from the store together with an object.
    fn leaves(&self, _server: &ApiServer, _object: &Value) -> Vec<String> {
        Vec::new()
    }

    /// Whether objects of this kind ever hold claims.
    fn has_claims(&self) -> bool {
        false
    }

    /// What an object holds for itself.
    fn claims(&self, _object: &Value) -> Vec<Claim> {
        Vec::new()
    }
}

/// Removes `status` from a new object of a kind with a `status` sub-resource.
pub fn reset_status(resource: &Resource, object: &mut Value) {
    if resource.subresource("status").is_some()
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
}

/// Takes `status` from the stored object for kinds with a `status` sub-resource.
pub fn keep_status(resource: &Resource, new: &mut Value, old: &Value) {
    if resource.subresource("status").is_some() {
        copy_field(new, old, "status");
    }
}

/// Takes everything but `status` and `metadata` from the stored object.
pub fn keep_all_but_status(new: &mut Value, old: &Value) {
    let Some(map) = new.as_object_mut() else { return };
    let is_kept = |key: &str| key == "status" || key == "metadata";
    map.retain(|key, _| is_kept(key) || old.get(key).is_some());
    for (key, value) in old.as_object().into_iter().flatten() {
        if !is_kept(key) && map.get(key) != Some(value) {
            map.insert(key.clone(), value.clone());
        }
    }
}

/// Makes a top-level field of `new` what it is in `old`, absent included.
pub fn copy_field(new: &mut Value, old: &Value, field: &str) {
    let Some(map) = new.as_object_mut() else { return };
    match old.get(field) {
        Some(value) if map.get(field) == Some(value) => {}
        Some(value) => drop(map.insert(field.to_owned(), value.clone())),
        None => drop(map.remove(field)),
    }
}

/// Sets `metadata.generation` of a changed object.
pub(crate) fn count_generation(
    strategy: &dyn Strategy,
    resource: &Resource,
    new: &mut Value,
    old: &Value,
) {
    let kept = old.generation();
    if strategy.tracks_generation(resource) && strategy.bumps_generation(new, old) {
        new.set(&["metadata", "generation"], json!(kept + 1));
    } else if kept > 0 {
        new.set(&["metadata", "generation"], json!(kept));
    } else {
        new.remove(&["metadata", "generation"]);
    }
}
