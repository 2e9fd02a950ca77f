//! Projects and project requests: views of namespaces.
//!
//! Nothing of a project is stored but its namespace; a request makes one together with the role
//! bindings that every project starts with.
//!
//! Mirrors: `openshift/origin:pkg/project/apiserver/registry`.

mod request;

pub(crate) use self::request::ProjectRequests;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{Map, Value, json};
use apimachinery::{ObjectExt as _, Status};

use crate::call::{Call, DeleteOptions, Deleted, ListOptions, ObjectList, Written};
use crate::handler::{HandlerContext, RestHandler};
use crate::schema;
use crate::stored::Stored;
use crate::update::check_names;
use crate::watch::Watch;

pub(crate) const DISPLAY_NAME: &str = "openshift.io/display-name";
pub(crate) const DESCRIPTION: &str = "openshift.io/description";

/// The namespace as a project.
pub(crate) fn project_of(namespace: &Value) -> Value {
    let mut spec = json!({});
    if let Some(finalizers) = namespace.at(&["spec", "finalizers"]) {
        spec["finalizers"] = finalizers.clone();
    }
    json!({
        "kind": "Project",
        "apiVersion": "project.openshift.io/v1",
        "metadata": namespace.get("metadata").cloned().unwrap_or_default(),
        "spec": spec,
        "status": namespace.get("status").cloned().unwrap_or_else(|| json!({})),
    })
}

/// Serves `projects`.
#[derive(Debug)]
pub(crate) struct Projects;

impl RestHandler for Projects {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let namespace = cx.server.get(&cx.redirect(&api::NAMESPACES, ""))?;
        Ok(Stored::new(project_of(&namespace.value())))
    }

    fn list(&self, cx: &HandlerContext<'_>, options: &ListOptions) -> Result<ObjectList, Status> {
        let mut list = cx.server.list(&cx.redirect(&api::NAMESPACES, ""), options)?;
        for item in &mut list.items {
            *item = Stored::new(project_of(&item.value()));
        }
        Ok(list)
    }

    fn watch(&self, cx: &HandlerContext<'_>, options: &ListOptions) -> Result<Watch, Status> {
        cx.server.watch_mapped(&api::NAMESPACES, options, project_of)
    }

    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        refuse(cx.call, body.name(), &schema::validate_create(&api::PROJECTS, &body))?;
        let namespace = json!({
            "metadata": body.get("metadata").cloned().unwrap_or_default(),
            "spec": body.get("spec").cloned().unwrap_or_default(),
        });
        let written = cx.server.create(&cx.redirect(&api::NAMESPACES, ""), namespace)?;
        Ok(Written { object: Stored::new(project_of(&written.object.value())), ..written })
    }

    fn update(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        check_names(cx.call, &body)?;
        let target = cx.redirect(&api::NAMESPACES, "");
        let old = cx.server.get(&target)?;
        refuse(cx.call, body.name(), &frozen(&body, &old.value()))?;
        let mut namespace = (*old.value()).clone();
        let annotations = body.at(&["metadata", "annotations"]).cloned();
        namespace.set(&["metadata", "annotations"], annotations.unwrap_or_else(|| json!({})));
        let version = body.resource_version();
        if !version.is_empty() {
            namespace.set(&["metadata", "resourceVersion"], json!(version));
        }
        let written = cx.server.update(&target, namespace)?;
        Ok(Written { object: Stored::new(project_of(&written.object.value())), ..written })
    }

    fn delete(&self, cx: &HandlerContext<'_>, options: &DeleteOptions) -> Result<Deleted, Status> {
        cx.server.delete(&cx.redirect(&api::NAMESPACES, ""), options.clone())?;
        let success =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
        Ok(Deleted::Status(success))
    }
}

fn refuse(call: &Call<'_>, name: &str, errors: &[Error]) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(call.resource.group, call.resource.kind, name, errors))
}

/// Through a project only the two annotations of people may change.
fn frozen(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    for field in ["annotations", "labels"] {
        let path = Path::new("metadata").child(field);
        let empty = Map::new();
        let new = new.map_at(&["metadata", field]).unwrap_or(&empty);
        let old = old.map_at(&["metadata", field]).unwrap_or(&empty);
        let free =
            |key: &str| field == "annotations" && (key == DISPLAY_NAME || key == DESCRIPTION);
        let changed = new.iter().filter(|(key, value)| old.get(key) != Some(*value));
        let removed = old.iter().filter(|(key, _)| !new.contains_key(key));
        for (key, value) in changed.chain(removed).filter(|(key, _)| !free(key)) {
            let text = "field is immutable, try updating the namespace";
            errors.push(Error::invalid(&path.key(key), value.clone(), text));
        }
    }
    errors
}
