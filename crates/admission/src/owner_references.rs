//! `OwnerReferencesPermissionEnforcement`: nobody has others delete for them, or keeps others from
//! deleting, without the right to.
//!
//! Mirrors: `kubernetes/plugin/pkg/admission/gc`.

use api::{Resource, Verb};
use apimachinery::{Gvk, ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, Attributes, Operation};

use crate::request::{all, refuse};

/// Admission of everything: `OwnerReferencesPermissionEnforcement`.
#[derive(Debug)]
pub struct OwnerReferencesPermissionEnforcement;

impl Admission for OwnerReferencesPermissionEnforcement {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if request.operation == Operation::Delete || request.call.subresource == "status" {
            return Ok(());
        }
        let new = request.object.owner_references();
        let old = request.old.map(|old| old.owner_references()).unwrap_or_default();
        if new == old {
            return Ok(());
        }
        self.check_delete(request)?;
        for owner in newly_blocking(new, old) {
            self.check_finalizers(request, owner)?;
        }
        Ok(())
    }
}

impl OwnerReferencesPermissionEnforcement {
    fn check_delete(&self, request: &AdmissionRequest<'_>) -> Result<(), Status> {
        let call = request.call;
        // Nobody can name what is only being created.
        let name = if request.operation == Operation::Create { "" } else { request.object.name() };
        let attributes = Attributes {
            user: call.user,
            verb: Verb::Delete,
            resource: call.resource,
            subresource: "",
            namespace: call.namespace,
            name,
        };
        if request.server.allows(&attributes) {
            return Ok(());
        }
        let text = "cannot set an ownerRef on a resource you can't delete: , <nil>";
        Err(refuse(request, text))
    }

    fn check_finalizers(
        &self,
        request: &AdmissionRequest<'_>,
        owner: &Value,
    ) -> Result<(), Status> {
        let (api_version, kind) = (owner.api_version(), owner.kind());
        let gvk = Gvk::from_api_version(api_version, kind);
        let Some(resource) = api::find_kind(&gvk.group, &gvk.version, kind) else {
            if is_custom(request, &gvk) {
                return Ok(());
            }
            let text = format!(
                "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for \
                 APIVersion {api_version} Kind {kind}: no matches for kind {kind:?} in version \
                 {api_version:?}"
            );
            return Err(refuse(request, &text));
        };
        if request.server.allows(&finalizers_of(request, resource, owner)) {
            return Ok(());
        }
        let text = "cannot set blockOwnerDeletion if an ownerReference refers to a resource you \
                    can't set finalizers on: , <nil>";
        Err(refuse(request, text))
    }
}

fn finalizers_of<'a>(
    request: &'a AdmissionRequest<'_>,
    resource: &'static Resource,
    owner: &'a Value,
) -> Attributes<'a> {
    Attributes {
        user: request.call.user,
        verb: Verb::Update,
        resource,
        subresource: "finalizers",
        namespace: if resource.namespaced() { request.call.namespace } else { "" },
        name: owner.str_at(&["name"]),
    }
}

/// Whether a custom resource definition knows the kind.
fn is_custom(request: &AdmissionRequest<'_>, gvk: &Gvk) -> bool {
    let definitions = all(request.server, &api::CUSTOM_RESOURCE_DEFINITIONS, "");
    definitions.iter().any(|definition| {
        definition.str_at(&["spec", "group"]) == gvk.group
            && definition.str_at(&["spec", "names", "kind"]) == gvk.kind
    })
}

/// References that block their owner's deletion and did not before.
fn newly_blocking<'a>(new: &'a [Value], old: &'a [Value]) -> impl Iterator<Item = &'a Value> {
    let blocks = |owner: &Value| owner.bool_at(&["blockOwnerDeletion"]);
    let blocked =
        move |owner: &Value| old.iter().any(|o| blocks(o) && o.uid_of() == owner.uid_of());
    new.iter().filter(move |owner| blocks(owner) && !blocked(owner))
}

trait OwnerUid {
    fn uid_of(&self) -> &str;
}

impl OwnerUid for Value {
    fn uid_of(&self) -> &str {
        self.str_at(&["uid"])
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn only_new_blocks_are_looked_at() {
        let owner = |uid: &str, block: bool| json!({"uid": uid, "blockOwnerDeletion": block});
        let count = |new: &[Value], old: &[Value]| newly_blocking(new, old).count();
        assert_eq!(count(&[owner("a", true)], &[]), 1);
        assert_eq!(count(&[owner("a", true)], &[owner("a", false)]), 1);
        assert_eq!(count(&[owner("a", true)], &[owner("a", true)]), 0);
        assert_eq!(count(&[owner("a", false)], &[]), 0);
    }
}
