//! `projectrequests`: anyone may ask for a project and becomes its admin.
//!
//! Mirrors: `openshift/origin:pkg/project/apiserver/registry/projectrequest/delegated`.

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use super::{DESCRIPTION, DISPLAY_NAME, project_of, refuse};
use crate::call::{Call, DeleteOptions, ListOptions, ObjectList, Written};
use crate::handler::{HandlerContext, RestHandler};
use crate::server::ApiServer;
use crate::stored::Stored;
use crate::user::User;
use crate::{key, schema};

const REQUESTER: &str = "openshift.io/requester";
const FORBIDDEN_NAMES: &[&str] = &["openshift", "kubernetes", "kube"];
const FORBIDDEN_PREFIXES: &[&str] = &["openshift-", "kubernetes-", "kube-"];
const RBAC: &str = "rbac.authorization.k8s.io";

/// Serves `projectrequests`.
#[derive(Debug)]
pub(crate) struct ProjectRequests;

impl RestHandler for ProjectRequests {
    /// Answers whether the caller may request a project.
    fn list(&self, cx: &HandlerContext<'_>, _: &ListOptions) -> Result<ObjectList, Status> {
        let success =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
        Ok(ObjectList {
            items: Vec::new(),
            resource_version: cx.server.store().revision().to_string(),
            continue_token: None,
            remaining: None,
            instead: Some(Stored::new(success)),
        })
    }

    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        cx.admit(&mut body)?;
        let name = body.name();
        refuse(cx.call, name, &schema::validate_create(&api::PROJECT_REQUESTS, &body))?;
        check_name(name)?;
        if cx.server.store().get(&key::object(&api::NAMESPACES, "", name)).is_some() {
            return Err(Status::already_exists("project.openshift.io", "project", name));
        }
        let system = User::system_admin();
        let annotations = json!({
            DESCRIPTION: body.str_at(&["description"]),
            DISPLAY_NAME: body.str_at(&["displayName"]),
            REQUESTER: cx.call.user.name,
        });
        let namespace = json!({"metadata": {"name": name, "annotations": annotations}});
        let call = Call {
            options: cx.call.options.clone(),
            ..Call::new(&system, &api::NAMESPACES).named(name)
        };
        let written = cx.server.create(&call, namespace)?;
        if !call.options.dry_run {
            bind_roles(cx.server, &system, name, &cx.call.user.name)?;
        }
        Ok(Written { object: Stored::new(project_of(&written.object.value())), ..written })
    }
}

fn check_name(name: &str) -> Result<(), Status> {
    let text = if FORBIDDEN_NAMES.contains(&name) {
        format!("cannot request a project with the name {name:?}")
    } else if let Some(prefix) = FORBIDDEN_PREFIXES.iter().find(|p| name.starts_with(**p)) {
        format!("cannot request a project starting with {prefix:?}")
    } else {
        return Ok(());
    };
    Err(Status::forbidden("project.openshift.io", "project", name, &text))
}

/// Creates the role bindings of the default template; takes the project back when one fails. A
/// default binding that is there already was made by the controller that gives it to every namespace.
fn bind_roles(server: &ApiServer, system: &User, project: &str, admin: &str) -> Result<(), Status> {
    let call = Call::new(system, &api::ROLE_BINDINGS).within(project);
    for binding in role_bindings(project, admin) {
        let is_default = binding.name().starts_with("system:");
        if let Err(status) = server.create(&call, binding) {
            if is_default && status.is_already_exists() {
                continue;
            }
            let namespace = Call::new(system, &api::NAMESPACES).named(project);
            server.delete(&namespace, DeleteOptions::default())?;
            return Err(Status::internal(&status.message));
        }
    }
    Ok(())
}

fn role_bindings(project: &str, admin: &str) -> [Value; 4] {
    let bind = |name: &str, role: &str, subject: Value| {
        json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [subject],
        })
    };
    let named = |kind: &str, name: &str| json!({"kind": kind, "apiGroup": RBAC, "name": name});
    let account =
        |name: &str| json!({"kind": "ServiceAccount", "name": name, "namespace": project});
    let members = format!("system:serviceaccounts:{project}");
    [
        bind("system:image-pullers", "system:image-puller", named("Group", &members)),
        bind("system:image-builders", "system:image-builder", account("builder")),
        bind("system:deployers", "system:deployer", account("deployer")),
        bind("admin", "admin", named("User", admin)),
    ]
}
