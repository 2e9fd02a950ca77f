//! Patches: read, patch, decode and write until nobody writes in between.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/handlers/patch.go`.

use apimachinery::Value;
use apimachinery::{ObjectExt as _, Status, patch};

use crate::call::{Call, PatchKind, Written};
use crate::create::warned;
use crate::read::check_storage;
use crate::server::ApiServer;
use crate::update::check_names;
use crate::{legacy, schema};

/// Attempts of a patch that carries no resource version.
const ATTEMPTS: usize = 6;

impl ApiServer {
    /// Patches an object, its status, or what the sub-resource's handler shows.
    ///
    /// # Errors
    /// 404 when it does not exist; what is wrong with the patch or with the patched object.
    #[expect(clippy::needless_pass_by_value, reason = "bodies are handed over like in every write")]
    pub fn patch(&self, call: &Call<'_>, kind: PatchKind, patch: Value) -> Result<Written, Status> {
        if kind == PatchKind::Apply {
            return self.answered(self.apply(call, &patch));
        }
        if let Some(handler) = self.handler(call) {
            return self.answered(handler.patch(&self.handler_context(call), kind, &patch));
        }
        check_storage(call)?;
        let resource = call.resource;
        let mut warnings = Vec::new();
        let outcome = self.rewrite(call, ATTEMPTS, &mut |old| {
            let current = schema::served(resource, old);
            let api_version = legacy::shape(resource).api_version();
            let patched = apply(kind, &current, &patch, &api_version, resource.kind)?;
            check_names(call, &patched)?;
            let decoded = self.decode(resource, patched.into(), call.options.field_validation)?;
            warnings = decoded.warnings;
            Ok(decoded.object)
        });
        warned(self.answered(outcome), warnings)
    }
}

/// Repeats `write` while it conflicts, unless the patch names the version it is for.
pub(crate) fn through(
    patch: &Value,
    mut write: impl FnMut(&Value) -> Result<Written, Status>,
) -> Result<Written, Status> {
    let attempts = if patch.resource_version().is_empty() { ATTEMPTS } else { 1 };
    let mut outcome = write(patch);
    for _ in 1..attempts {
        if !matches!(&outcome, Err(status) if status.is_conflict()) {
            break;
        }
        outcome = write(patch);
    }
    outcome
}

/// Applies one patch to a document of the given kind.
pub(crate) fn apply(
    kind: PatchKind,
    object: &Value,
    patch: &Value,
    api_version: &str,
    of: &str,
) -> Result<Value, Status> {
    match kind {
        PatchKind::Json => patch::json_patch(object, patch),
        PatchKind::Merge | PatchKind::Apply => patch::merge_patch(object, patch),
        PatchKind::Strategic => schema::strategic_merge(api_version, of, object, patch),
    }
}
