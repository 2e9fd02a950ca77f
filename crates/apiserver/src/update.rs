//! Changing objects: optimistic, checked against what is stored, not written when nothing changes.
//!
//! Mirrors: `k8s.io/apiserver/pkg/registry/generic/registry/store.go` (`Update`),
//! `k8s.io/apiserver/pkg/registry/rest/update.go`.
//!
//! Invariant: an update with a resource version changes exactly that version or fails.

use apimachinery::validation::object_meta::carry_over_object_meta;
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use store::{Compare, KeyValue, Op, OpResponse, Txn};

use crate::admission::Operation;
use crate::call::{Call, Written};
use crate::create::{claim_value, warned};
use crate::read::{EPHEMERAL, check_storage};
use crate::schema::Body;
use crate::server::ApiServer;
use crate::stored::Stored;
use crate::strategy::{Strategy, count_generation};
use crate::{error, key, schema};

/// Attempts of an update that names no resource version.
const UNCONDITIONAL_ATTEMPTS: usize = 100;

/// Computes the wanted object, in the storage version, from the stored one.
pub type Change<'a> = dyn FnMut(&Value) -> Result<Value, Status> + 'a;

impl ApiServer {
    /// Replaces an object, its status, or whatever the sub-resource's handler does.
    ///
    /// # Errors
    /// 400, 403, 404, 409 or 422 as Kubernetes gives them.
    pub fn update(&self, call: &Call<'_>, body: impl Into<Body>) -> Result<Written, Status> {
        if let Some(handler) = self.handler(call) {
            let decoded = schema::decode_for_handler(call, body.into())?;
            let outcome = handler.update(&self.handler_context(call), decoded.object);
            return warned(self.answered(outcome), decoded.warnings);
        }
        check_storage(call)?;
        let decoded = self.decode(call.resource, body.into(), call.options.field_validation)?;
        warned(self.answered(self.update_decoded(call, decoded.object)), decoded.warnings)
    }

    /// Gives `old`, which is what a caller in process has read, another status: what an update of the
    /// status with the whole object does, without looking again at what is stored already.
    ///
    /// # Errors
    /// As [`Self::update`]; 409 when `old` is not what is stored.
    pub fn replace_status(
        &self,
        call: &Call<'_>,
        old: &Value,
        status: Value,
    ) -> Result<Written, Status> {
        let of = schema::status_type(call.resource);
        let (Some(of), None) = (of, self.handler(call)) else {
            let mut wanted = old.clone();
            wanted.set(&["status"], status);
            return self.update(call, wanted);
        };
        let status = schema::decode_part(call.resource, of, status)?;
        let mut status = Some(status);
        let outcome = self.rewrite(call, 1, &mut |stored| {
            if stored.resource_version() != old.resource_version() {
                return Err(error::modified(call.resource, call.name));
            }
            let mut wanted = stored.clone();
            if let Some(status) = status.take() {
                wanted.set(&["status"], status);
            }
            Ok(wanted)
        });
        self.answered(outcome)
    }

    fn update_decoded(&self, call: &Call<'_>, wanted: Value) -> Result<Written, Status> {
        check_names(call, &wanted)?;
        if let Some(created) = self.create_instead(call, &wanted)? {
            return Ok(created);
        }
        if wanted.resource_version().is_empty() {
            self.rewrite(call, UNCONDITIONAL_ATTEMPTS, &mut |_| Ok(wanted.clone()))
        } else {
            let mut wanted = Some(wanted);
            let missing = || error::modified(call.resource, call.name);
            self.rewrite(call, 1, &mut |_| wanted.take().ok_or_else(missing))
        }
    }

    /// Reads, changes and writes an object until nobody else writes in between, for handlers.
    ///
    /// `change` turns the stored object, in the storage version, into the wanted one; the result goes
    /// through the same rules as an update by the caller.
    ///
    /// # Errors
    /// 404 when it does not exist, what `change` answers, or what an update answers.
    pub fn modify(&self, call: &Call<'_>, change: &mut Change<'_>) -> Result<Written, Status> {
        self.rewrite(call, UNCONDITIONAL_ATTEMPTS, change)
    }

    /// Changes an object until no one else's write comes in between, at most `attempts` times.
    pub(crate) fn rewrite(
        &self,
        call: &Call<'_>,
        attempts: usize,
        change: &mut Change<'_>,
    ) -> Result<Written, Status> {
        self.rewrite_as_given(call, attempts, &mut |old| {
            let mut wanted = change(old)?;
            self.track(call, Some(old), &mut wanted);
            Ok(wanted)
        })
    }

    /// The same, with the managers of fields that `change` gives.
    pub(crate) fn rewrite_as_given(
        &self,
        call: &Call<'_>,
        attempts: usize,
        change: &mut Change<'_>,
    ) -> Result<Written, Status> {
        let strategy = self.strategy(call.resource);
        let key = key::object(call.resource, call.namespace, call.name);
        for _ in 0..attempts {
            let Some(current) = self.store().get(&key) else {
                return Err(error::not_found(call.resource, call.name));
            };
            // Held, so that it is read once however often it is looked at.
            let old = current.value.value();
            let mut wanted = change(&old)?;
            self.check_version(call, strategy, &mut wanted, &old)?;
            if let Some(stored) = self.write_once(call, strategy, wanted, (&current, &old))? {
                return Ok(Written::ok(self.present(call.resource, &stored)));
            }
        }
        Err(error::modified(call.resource, call.name))
    }

    /// Creates what a PUT names and does not find, where the kind allows it.
    fn create_instead(&self, call: &Call<'_>, wanted: &Value) -> Result<Option<Written>, Status> {
        let allowed = call.subresource.is_empty()
            && self.strategy(call.resource).allow_create_on_update(call.resource);
        let key = || key::object(call.resource, call.namespace, call.name);
        if !allowed || self.store().get(&key()).is_some() {
            return Ok(None);
        }
        self.check_may_create(call)?;
        let mut object = wanted.clone();
        object.remove(&["metadata", "resourceVersion"]);
        if call.resource.namespaced() {
            object.set(&["metadata", "namespace"], json!(call.namespace));
        }
        self.track(call, None, &mut object);
        self.admit(call, Operation::Create, &mut object, None)?;
        match self.create_admitted(call, object) {
            Ok(stored) => Ok(Some(Written::created(self.present(call.resource, &stored)))),
            // Created by someone else in between: then it can be updated.
            Err(status) if status.is_already_exists() => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// Compares uid and resource version with the stored ones; fills in what the kind lets out.
    fn check_version(
        &self,
        call: &Call<'_>,
        strategy: &dyn Strategy,
        wanted: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        if !wanted.uid().is_empty() && wanted.uid() != old.uid() {
            let uids = (wanted.uid(), old.uid());
            return Err(error::uid_differs(call.resource, call.namespace, call.name, uids));
        }
        let version = wanted.resource_version();
        if version.is_empty() || version == "0" {
            if !strategy.allow_unconditional_update(call.resource) {
                return Err(error::resource_version_required(call.resource, call.name));
            }
            wanted.set(&["metadata", "resourceVersion"], json!(old.resource_version()));
        } else if version != old.resource_version() {
            return Err(error::modified(call.resource, call.name));
        }
        Ok(())
    }

    /// `None` when someone else wrote in between.
    fn write_once(
        &self,
        call: &Call<'_>,
        strategy: &dyn Strategy,
        mut wanted: Value,
        (current, old): (&KeyValue<Stored>, &Value),
    ) -> Result<Option<Stored>, Status> {
        self.admit(call, Operation::Update, &mut wanted, Some(old))?;
        self.shape_changed(call, strategy, &mut wanted, old)?;
        if wanted == *old {
            return Ok(Some(current.value.clone()));
        }
        let cx = self.strategy_context(call, call.name);
        let mut errors = match call.subresource {
            EPHEMERAL => api::validation::update_ephemeral_containers(&wanted, old),
            _ => schema::validate_update(call.resource, &wanted, old),
        };
        errors.extend(self.check_custom(call.resource, &wanted, Some(old)));
        errors.extend(strategy.validate_update(&cx, &wanted, old));
        if !errors.is_empty() {
            return Err(Status::invalid(
                call.resource.group,
                call.resource.kind,
                call.name,
                &errors,
            ));
        }
        let ends = old.int_at(&["metadata", "deletionGracePeriodSeconds"]) == Some(0)
            && wanted.list_at(&["metadata", "finalizers"]).is_empty();
        let value = Stored::revised(wanted, &current.value);
        if call.options.dry_run {
            return Ok(Some(value));
        }
        if ends {
            return Ok(self.remove(strategy, current).map(|_| value));
        }
        Ok(self.replace(strategy, current, value))
    }

    fn shape_changed(
        &self,
        call: &Call<'_>,
        strategy: &dyn Strategy,
        wanted: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        if let (Some(new), Some(old)) = (wanted.get_mut("metadata"), old.get("metadata")) {
            carry_over_object_meta(new, old);
        }
        wanted.remove(&["metadata", "selfLink"]);
        if call.resource.namespaced() && wanted.namespace().is_empty() {
            wanted.set(&["metadata", "namespace"], json!(call.namespace));
        }
        wanted.set(&["metadata", "resourceVersion"], json!(old.resource_version()));
        let cx = self.strategy_context(call, call.name);
        if call.subresource == EPHEMERAL {
            keep_all_but_ephemeral(wanted, old);
            return Ok(());
        }
        if call.subresource == "status" {
            strategy.prepare_for_status_update(&cx, wanted, old)?;
            if old.generation() > 0 {
                wanted.set(&["metadata", "generation"], json!(old.generation()));
            }
            return Ok(());
        }
        strategy.prepare_for_update(&cx, wanted, old)?;
        count_generation(strategy, call.resource, wanted, old);
        Ok(())
    }

    /// Writes a new version together with the claims it takes and gives back; `None` when the object
    /// or a claim was written in between.
    pub(crate) fn replace(
        &self,
        strategy: &dyn Strategy,
        current: &KeyValue<Stored>,
        value: Stored,
    ) -> Option<Stored> {
        let key = &*current.key;
        if !strategy.has_claims() {
            return self.put_at(strategy, key, current.mod_revision, value);
        }
        let before = strategy.claims(&current.value.value());
        let after = strategy.claims(&value.value());
        let mut txn = Txn::new()
            .when(Compare::mod_revision(key).equal(current.mod_revision))
            .then(Op::put(key, value));
        for claim in after.iter().filter(|claim| !before.contains(claim)) {
            let claimed = key::claim(claim.range, &claim.item);
            txn = txn
                .when(Compare::absent(claimed.as_str()))
                .then(Op::put(claimed, claim_value(key)));
        }
        for claim in before.iter().filter(|claim| !after.contains(claim)) {
            txn = txn.then(Op::delete(key::claim(claim.range, &claim.item)));
        }
        let response = self.store().txn(txn).ok().filter(|response| response.succeeded)?;
        response.responses.into_iter().find_map(|response| match response {
            OpResponse::Put { kv, .. } if &*kv.key == key => Some(kv.value.clone()),
            _ => None,
        })
    }

    /// Removes this version of an object and its claims; `None` when it was written in between.
    pub(crate) fn remove(
        &self,
        strategy: &dyn Strategy,
        current: &KeyValue<Stored>,
    ) -> Option<Stored> {
        let key = &*current.key;
        let mut txn = Txn::new()
            .when(Compare::mod_revision(key).equal(current.mod_revision))
            .then(Op::delete(key));
        let last = current.value.value();
        for claim in strategy.claims(&last) {
            txn = txn.then(Op::delete(key::claim(claim.range, &claim.item)));
        }
        for prefix in strategy.leaves(self, &last) {
            txn = txn.then(Op::delete_prefix(prefix));
        }
        let succeeded = self.store().txn(txn).is_ok_and(|response| response.succeeded);
        succeeded.then(|| current.value.clone())
    }
}

/// Takes everything but the ephemeral containers, and who wrote them, from the stored pod.
fn keep_all_but_ephemeral(new: &mut Value, old: &Value) {
    let sent = std::mem::replace(new, old.clone());
    for path in [["spec", "ephemeralContainers"], ["metadata", "managedFields"]] {
        match sent.at(&path) {
            Some(value) => new.set(&path, value.clone()),
            None => drop(new.remove(&path)),
        }
    }
}

/// The body must not name another object than the URL.
pub(crate) fn check_names(call: &Call<'_>, object: &Value) -> Result<(), Status> {
    let name = object.name();
    if name.is_empty() {
        return Err(Status::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            call.name
        )));
    }
    if name != call.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.name
        )));
    }
    let namespace = object.namespace();
    if call.resource.namespaced() && !namespace.is_empty() && namespace != call.namespace {
        return Err(Status::bad_request(format!(
            "the namespace of the object ({namespace}) does not match the namespace on the request \
             ({})",
            call.namespace
        )));
    }
    Ok(())
}
