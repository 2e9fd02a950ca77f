//! Creating objects: decode, admit, name, validate, store.
//!
//! Mirrors: `k8s.io/apiserver/pkg/registry/rest/create.go`.

use api::{Resource, Verb};
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use store::{Compare, Op, OpResponse, Txn};

use crate::admission::Operation;
use crate::call::{Call, Written};
use crate::schema::Body;
use crate::server::ApiServer;
use crate::stored::Stored;
use crate::strategy::{Claim, Strategy};
use crate::{error, key, schema};

/// Longest base of a generated name; five letters follow.
const MAX_GENERATED_BASE: usize = 58;
const SUFFIX_LETTERS: usize = 5;
/// Names made up before the client is told to try again.
const NAME_ATTEMPTS: usize = 8;
/// Attempts at claims that others take at the same moment.
const CLAIM_ATTEMPTS: usize = 8;

impl ApiServer {
    /// Creates an object, or hands the body to the sub-resource's handler.
    ///
    /// # Errors
    /// 400, 403, 404 (namespace), 409 or 422 as Kubernetes gives them.
    pub fn create(&self, call: &Call<'_>, body: impl Into<Body>) -> Result<Written, Status> {
        if let Some(handler) = self.handler(call) {
            let decoded = schema::decode_for_handler(call, body.into())?;
            let outcome = handler.create(&self.handler_context(call), decoded.object);
            return warned(self.answered(outcome), decoded.warnings);
        }
        // What can be created but not read is an action, not an object to keep.
        if !call.subresource.is_empty() || !call.resource.supports(Verb::Get) {
            return Err(Status::method_not_allowed());
        }
        let decoded = self.decode(call.resource, body.into(), call.options.field_validation)?;
        warned(self.answered(self.create_decoded(call, decoded.object)), decoded.warnings)
    }

    fn create_decoded(&self, call: &Call<'_>, mut object: Value) -> Result<Written, Status> {
        check_place(call, &mut object)?;
        if !object.resource_version().is_empty() {
            return Err(error::plain("resourceVersion should not be set on objects to be created"));
        }
        self.track(call, None, &mut object);
        self.admit(call, Operation::Create, &mut object, None)?;
        let stored = self.create_admitted(call, object)?;
        Ok(Written::created(self.present(call.resource, &stored)))
    }

    /// Stores an admitted object. Objects with claims may lose a race for one and start over.
    pub(crate) fn create_admitted(&self, call: &Call<'_>, object: Value) -> Result<Stored, Status> {
        let strategy = self.strategy(call.resource);
        if !strategy.has_claims() {
            return self.create_once(call, strategy, object)?.ok_or_else(lost_claims);
        }
        for _ in 0..CLAIM_ATTEMPTS {
            if let Some(stored) = self.create_once(call, strategy, object.clone())? {
                return Ok(stored);
            }
        }
        Err(lost_claims())
    }

    /// `None` when a claim was taken in the meantime.
    fn create_once(
        &self,
        call: &Call<'_>,
        strategy: &dyn Strategy,
        mut object: Value,
    ) -> Result<Option<Stored>, Status> {
        let generated = self.shape_new(call, strategy, &mut object)?;
        let name = object.name().to_owned();
        let cx = self.strategy_context(call, &name);
        let mut errors = schema::validate_create(call.resource, &object);
        errors.extend(self.check_custom(call.resource, &object, None));
        errors.extend(strategy.validate_create(&cx, &object));
        if !errors.is_empty() {
            return Err(Status::invalid(call.resource.group, call.resource.kind, &name, &errors));
        }
        let key = key::object(call.resource, call.namespace, &name);
        let taken = || {
            if generated {
                error::generated_name_taken(call.resource)
            } else {
                error::already_exists(call.resource, &name)
            }
        };
        let claims = strategy.claims(&object);
        let value = Stored::new(object);
        if call.options.dry_run {
            return if self.store().get(&key).is_some() { Err(taken()) } else { Ok(Some(value)) };
        }
        if claims.is_empty() {
            return self.put_at(strategy, &key, 0, value).map(Some).ok_or_else(taken);
        }
        self.create_with_claims(&key, value, &claims).ok_or_else(taken)
    }

    /// `None` when the name is taken, `Some(None)` when a claim is.
    fn create_with_claims(
        &self,
        key: &str,
        value: Stored,
        claims: &[Claim],
    ) -> Option<Option<Stored>> {
        let holder = claim_value(key);
        let mut txn = Txn::new().when(Compare::absent(key)).then(Op::put(key, value));
        for claim in claims {
            let claimed = key::claim(claim.range, &claim.item);
            txn =
                txn.when(Compare::absent(claimed.as_str())).then(Op::put(claimed, holder.clone()));
        }
        let response = self.store().txn(txn).ok()?;
        if !response.succeeded {
            return if self.store().get(key).is_some() { None } else { Some(None) };
        }
        Some(response.responses.into_iter().find_map(|response| match response {
            OpResponse::Put { kv, .. } if &*kv.key == key => Some(kv.value.clone()),
            _ => None,
        }))
    }

    /// Gives a new object its identity; says whether its name was generated.
    fn shape_new(
        &self,
        call: &Call<'_>,
        strategy: &dyn Strategy,
        object: &mut Value,
    ) -> Result<bool, Status> {
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            object.remove(&["metadata", field]);
        }
        let base = object.str_at(&["metadata", "generateName"]);
        let generated = object.name().is_empty() && !base.is_empty();
        if generated {
            let cut = base.char_indices().nth(MAX_GENERATED_BASE).map_or(base.len(), |(at, _)| at);
            let name = self.generate_name(call, &base[..cut]);
            object.set(&["metadata", "name"], json!(name));
        }
        let name = object.name().to_owned();
        let cx = self.strategy_context(call, &name);
        object.set(&["metadata", "creationTimestamp"], json!(cx.now.rfc3339()));
        object.set(&["metadata", "uid"], json!(self.world().uid()));
        strategy.prepare_for_create(&cx, object)?;
        if strategy.tracks_generation(call.resource) {
            object.set(&["metadata", "generation"], json!(1));
        } else {
            object.remove(&["metadata", "generation"]);
        }
        Ok(generated)
    }

    /// A name that is free at present.
    ///
    /// Deviation: Kubernetes 1.11 tries one name only and lets the client try again; later versions
    /// try several, as here.
    fn generate_name(&self, call: &Call<'_>, base: &str) -> String {
        let mut name = String::new();
        for _ in 0..NAME_ATTEMPTS {
            name = format!("{base}{}", self.world().name_suffix(SUFFIX_LETTERS));
            if self.store().get(&key::object(call.resource, call.namespace, &name)).is_none() {
                break;
            }
        }
        name
    }
}

/// An outcome, good or bad, with the warnings its body gave.
pub(crate) fn warned(
    outcome: Result<Written, Status>,
    warnings: Vec<String>,
) -> Result<Written, Status> {
    if warnings.is_empty() {
        return outcome;
    }
    match outcome {
        Ok(written) => Ok(written.with_warnings(warnings)),
        Err(status) => Err(status.with_warnings(warnings)),
    }
}

/// What stands behind a claim's key: who holds it.
pub(crate) fn claim_value(holder: &str) -> Stored {
    Stored::new(json!({"holder": holder}))
}

fn lost_claims() -> Status {
    Status::internal("could not allocate what the object needs: others kept taking it")
}

/// Puts the object into the namespace of the request, or refuses when it names another.
fn check_place(call: &Call<'_>, object: &mut Value) -> Result<(), Status> {
    let resource: &Resource = call.resource;
    if !resource.namespaced() {
        object.remove(&["metadata", "namespace"]);
        return Ok(());
    }
    if object.namespace().is_empty() {
        object.set(&["metadata", "namespace"], json!(call.namespace));
    } else if object.namespace() != call.namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}
