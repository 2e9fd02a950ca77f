//! `apply`: what `kubectl apply -f` does with the manifests of a stage.
//!
//! Invariant: fields are checked strictly; a refusal points into the manifest.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Call, Client, FieldValidation, PatchKind};

use crate::load::{Manifest, Plan};
use crate::runner::{Error, Stage};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

pub(super) fn run(number: usize, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let wanted = &plan.spec.stages[number];
    let cluster = super::cluster_of(plan, &wanted.cluster, &wanted.project)?;
    let client = stage.client(cluster);
    for manifest in plan.manifests.get(number).into_iter().flatten() {
        apply(&client, &wanted.project, manifest).map_err(|status| {
            let diagnostic = Box::new(diagnose(manifest, &status));
            Error::Manifest { diagnostic, reason: status.reason.as_str().to_owned() }
        })?;
    }
    Ok(())
}

fn apply(client: &Client, project: &str, manifest: &Manifest) -> Result<(), Status> {
    let mut object = manifest.object.clone();
    let own = if manifest.resource.namespaced() { project } else { "" };
    let namespace = match object.namespace() {
        "" => own.to_owned(),
        named => named.to_owned(),
    };
    if manifest.resource.namespaced() {
        object.set(&["metadata", "namespace"], json!(namespace));
    }
    let applied = serde_json::to_string(&object).unwrap_or_default();
    object.set_annotation(LAST_APPLIED, &format!("{applied}\n"));
    let name = object.name().to_owned();
    let mut call = Call::new(client.user(), manifest.resource).within(&namespace);
    call.options.field_validation = FieldValidation::Strict;
    call.options.field_manager = "kubectl-client-side-apply".to_owned();
    let server = client.server();
    match client.find(manifest.resource, &namespace, &name)? {
        None => server.create(&call, object).map(|_| ()),
        Some(stored) => {
            let patch = three_way_patch(&stored, &object);
            server.patch(&call.named(&name), PatchKind::Strategic, patch).map(|_| ())
        }
    }
}

/// The new manifest as a patch, with null for map entries that were applied last time and are not
/// any more.
fn three_way_patch(stored: &Value, object: &Value) -> Value {
    let last = stored.annotation(LAST_APPLIED);
    let last = last.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    let mut patch = object.clone();
    add_removals(&mut patch, &last);
    patch
}

fn add_removals(patch: &mut Value, last: &Value) {
    let (Some(patch), Some(last)) = (patch.as_object_mut(), last.as_object()) else { return };
    for (key, before) in last {
        match patch.get_mut(key) {
            Some(now) => add_removals(now, before),
            None => drop(patch.insert(key.clone(), Value::Null)),
        }
    }
}

/// Points a refusal at the field it names.
fn diagnose(manifest: &Manifest, status: &Status) -> crate::Diagnostic {
    let causes = status.details.list_at(&["causes"]);
    let from_cause = causes.first().map(|cause| cause.str_at(&["field"]).to_owned());
    let path =
        from_cause.filter(|field| !field.is_empty()).or_else(|| named_field(&status.message));
    manifest.diagnose(&path.unwrap_or_default(), status.message.clone())
}

/// The path in `unknown field "spec.x"`, `duplicate field "spec.x"` and `Go struct field
/// Spec.spec.x of type int32`.
fn named_field(message: &str) -> Option<String> {
    if let Some((_, rest)) = message.split_once(" field \"") {
        return rest.split_once('"').map(|(path, _)| path.to_owned());
    }
    let (_, rest) = message.split_once("Go struct field ")?;
    let (field, _) = rest.split_once(' ')?;
    field.split_once('.').map(|(_, path)| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_from_the_manifest_is_removed() {
        let mut stored = json!({"metadata": {}});
        stored.set_annotation(LAST_APPLIED, r#"{"data":{"a":"1","b":"2"},"x":{"y":1}}"#);
        let patch = three_way_patch(&stored, &json!({"data": {"a": "3"}}));
        assert_eq!(patch, json!({"data": {"a": "3", "b": null}, "x": null}));
    }

    #[test]
    fn the_field_of_a_decoding_error_is_found() {
        let message = "strict decoding error: unknown field \"spec.replica\"";
        assert_eq!(named_field(message).as_deref(), Some("spec.replica"));
        let message =
            "json: cannot unmarshal string into Go struct field S.spec.replicas of type int32";
        assert_eq!(named_field(message).as_deref(), Some("spec.replicas"));
        assert_eq!(named_field("something else"), None);
    }
}
