//! The rules of definitions and of the objects they define.
//!
//! Mirrors: `k8s.io/apiextensions-apiserver/pkg/registry/{customresourcedefinition,customresource}`.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Reason, Status};
use apimachinery::{Value, json};
use world::Time;

use super::rules;
use crate::key;
use crate::server::ApiServer;
use crate::strategy::{Strategy, StrategyContext, keep_status, reset_status};

/// The finalizer of a definition whose objects must go first.
pub const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Of custom resources: everything but status and metadata counts as a change.
#[derive(Debug)]
pub(crate) struct CustomStrategy;

impl Strategy for CustomStrategy {
    fn prepare_for_create(
        &self,
        cx: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        let definition = cx.server.definition(cx.resource);
        if definition.is_some_and(|of| of.0.deletion_timestamp().is_some()) {
            let text = "create not allowed while custom resource definition is terminating";
            return Err(Status::new(Reason::MethodNotAllowed, text));
        }
        reset_status(cx.resource, object);
        Ok(())
    }

    fn tracks_generation(&self, _resource: &api::Resource) -> bool {
        true
    }

    fn bumps_generation(&self, new: &Value, old: &Value) -> bool {
        let body = |object: &Value| {
            let mut object = object.clone();
            object.remove(&["metadata"]);
            object.remove(&["apiVersion"]);
            object
        };
        body(new) != body(old)
    }

    fn allow_unconditional_update(&self, _resource: &api::Resource) -> bool {
        false
    }
}

/// Of definitions.
#[derive(Debug)]
pub(crate) struct DefinitionStrategy;

impl Strategy for DefinitionStrategy {
    fn prepare_for_create(
        &self,
        cx: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        per_version(object, cx.resource.version == "v1beta1");
        if let Some(map) = object.as_object_mut() {
            map.remove("status");
        }
        accept(cx, object);
        Ok(())
    }

    fn prepare_for_update(
        &self,
        cx: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        keep_status(cx.resource, new, old);
        per_version(new, cx.resource.version == "v1beta1");
        if new.get("spec") != old.get("spec") {
            accept(cx, new);
        }
        Ok(())
    }

    fn validate_create(&self, _cx: &StrategyContext<'_>, object: &Value) -> ErrorList {
        let mut errors = check(object);
        errors.extend(rules::check_definition(object));
        errors
    }

    fn validate_update(&self, _cx: &StrategyContext<'_>, new: &Value, old: &Value) -> ErrorList {
        let mut errors = check(new);
        // What was accepted once is not refused because of another change.
        if new.at(&["spec", "versions"]) != old.at(&["spec", "versions"]) {
            errors.extend(rules::check_definition(new));
        }
        errors
    }

    /// A controller empties it first.
    fn prepare_for_delete(&self, object: &mut Value, now: Time) {
        let mut finalizers = object.list_at(&["metadata", "finalizers"]).to_vec();
        if !finalizers.iter().any(|finalizer| finalizer == CLEANUP) {
            finalizers.push(json!(CLEANUP));
        }
        object.set(&["metadata", "finalizers"], Value::from(finalizers));
        let mut conditions = object.list_at(&["status", "conditions"]).to_vec();
        conditions.retain(|condition| condition.str_at(&["type"]) != "Terminating");
        conditions.push(json!({
            "type": "Terminating", "status": "True", "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will \
                        begin soon",
            "lastTransitionTime": now.rfc3339(),
        }));
        object.set(&["status", "conditions"], Value::from(conditions));
    }

    /// What came in between goes with it.
    fn leaves(&self, _server: &ApiServer, object: &Value) -> Vec<String> {
        let group = object.str_at(&["spec", "group"]);
        let plural = object.str_at(&["spec", "names", "plural"]);
        if !group.contains('.') || plural.is_empty() || is_built_in(group, plural) {
            return Vec::new();
        }
        vec![format!("/registry/{group}/{plural}/")]
    }
}

pub(super) fn is_built_in(group: &str, plural: &str) -> bool {
    let same = |resource: &&&api::Resource| resource.storage.0 == group || resource.group == group;
    api::resources().iter().filter(same).any(|resource| resource.plural == plural)
}

/// Moves what `v1beta1` says once for all versions to each of them.
fn per_version(object: &mut Value, old: bool) {
    if old && object.at(&["spec", "preserveUnknownFields"]).is_none() {
        object.set(&["spec", "preserveUnknownFields"], json!(true));
    }
    let schema = object.remove(&["spec", "validation"]);
    let subresources = object.remove(&["spec", "subresources"]);
    let columns = object.remove(&["spec", "additionalPrinterColumns"]);
    drop(object.remove(&["spec", "version"]));
    let versions = object.pointer_mut("/spec/versions").and_then(Value::as_array_mut);
    for version in versions.into_iter().flatten() {
        let shared = [
            ("schema", &schema),
            ("subresources", &subresources),
            ("additionalPrinterColumns", &columns),
        ];
        for (field, value) in shared {
            if let (None, Some(value)) = (version.get(field), value) {
                version.set(&[field], value.clone());
            }
        }
        let columns = version.get_mut("additionalPrinterColumns").and_then(Value::as_array_mut);
        for column in columns.into_iter().flatten() {
            if let Some(path) = column.remove(&["JSONPath"]) {
                column.set(&["jsonPath"], path);
            }
        }
    }
}

/// Accepts the names, unless another definition of the group has them, and begins to serve.
fn accept(cx: &StrategyContext<'_>, object: &mut Value) {
    let names = object.at(&["spec", "names"]).cloned().unwrap_or_default();
    let group = object.str_at(&["spec", "group"]).to_owned();
    let taken = cx.server.definitions().into_iter().find_map(|other| {
        let theirs = other.0.at(&["status", "acceptedNames"])?;
        let same = other.group() == group && other.0.name() != object.name();
        let clash = ["plural", "singular", "kind", "listKind"]
            .into_iter()
            .find(|field| theirs.get(*field).is_some() && theirs.get(*field) == names.get(*field));
        clash.filter(|_| same).map(|field| names.str_at(&[field]).to_owned())
    });
    let now = cx.now.rfc3339();
    let condition = |kind: &str, good: bool, reason: &str, message: &str| {
        json!({"type": kind, "status": if good { "True" } else { "False" }, "reason": reason,
            "message": message, "lastTransitionTime": now})
    };
    let stored = object.list_at(&["spec", "versions"]).iter();
    let stored = stored.filter(|version| version.bool_at(&["storage"]));
    let stored: Vec<Value> = stored.filter_map(|version| version.get("name").cloned()).collect();
    let mut versions = object.list_at(&["status", "storedVersions"]).to_vec();
    versions.extend(
        stored.into_iter().filter(|version| !versions.contains(version)).collect::<Vec<_>>(),
    );
    let conditions = match &taken {
        None => [
            condition("NamesAccepted", true, "NoConflicts", "no conflicts found"),
            condition(
                "Established",
                true,
                "InitialNamesAccepted",
                "the initial names have been accepted",
            ),
        ],
        Some(name) => [
            condition(
                "NamesAccepted",
                false,
                "NamesConflict",
                &format!("{name:?} is already in use"),
            ),
            condition("Established", false, "NotAccepted", "not all names are accepted"),
        ],
    };
    let accepted = if taken.is_none() { names } else { json!({"plural": "", "kind": ""}) };
    object.set(
        &["status"],
        json!({
            "conditions": conditions, "acceptedNames": accepted, "storedVersions": versions,
        }),
    );
}

/// What later versions ask beyond the rules of 1.11.
fn check(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = Path::new("spec");
    let versions = object.list_at(&["spec", "versions"]);
    if !object.bool_at(&["spec", "preserveUnknownFields"]) {
        for (index, version) in versions.iter().enumerate() {
            if version.at(&["schema", "openAPIV3Schema"]).is_none() {
                let path = spec.child("versions").index(index).child("schema");
                let path = path.child("openAPIV3Schema");
                errors.push(Error::required(&path, "schemas are required"));
            }
        }
    }
    errors
}

/// The prefixes of all custom resources in a namespace.
pub(crate) fn in_namespace(server: &ApiServer, namespace: &str) -> Vec<String> {
    let mut prefixes: Vec<String> = server
        .definitions()
        .iter()
        .filter(|definition| !is_built_in(definition.group(), definition.plural()))
        .filter_map(|definition| {
            let version = definition.versions().next()?.str_at(&["name"]).to_owned();
            let resource = definition.resource(&version)?;
            resource.namespaced().then(|| key::collection(resource, namespace))
        })
        .collect();
    prefixes.dedup();
    prefixes
}
