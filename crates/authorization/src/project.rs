//! Who sees which project: those who may `get` its namespace.
//!
//! Whoever may read all namespaces sees all projects; to everyone else lists and watches show their
//! own, and a project comes into view or goes when a binding does.
//!
//! Mirrors: `openshift/origin:pkg/project/auth`, `pkg/project/apiserver/registry/project/proxy`.
//!
//! Invariant: what a watch shows is what a list at the same moment would show.

mod visible;

use apimachinery::Value;
use apimachinery::{ObjectExt as _, Status};
use apiserver::{
    Builder, DeleteOptions, Deleted, HandlerContext, ListOptions, ObjectList, RestHandler, Stored,
    User, Watch, Written,
};

use self::visible::VisibleProjects;
use crate::rbac::Rbac;
use crate::rule::{Access, ResourceTarget};
use crate::scope;

/// Puts the filters around the handlers that are there.
pub(crate) fn register(builder: Builder, rbac: &Rbac) -> Builder {
    let own = || rbac.clone();
    builder.wrap(&api::PROJECTS, "", |inner| Box::new(Projects { inner, rbac: own() })).wrap(
        &api::PROJECT_REQUESTS,
        "",
        |inner| Box::new(ProjectRequests { inner, rbac: own() }),
    )
}

/// Whether `user` sees the project; with no name, whether they see all.
fn sees(rbac: &Rbac, user: &User, project: &str) -> bool {
    let target = ResourceTarget {
        resource: "namespaces",
        namespace: project,
        name: project,
        ..ResourceTarget::default()
    };
    let access = Access::resource("get", target);
    if scope::lists_all_projects(user) {
        return rbac.read(|policy| policy.allows(user, &access));
    }
    rbac.permits(user, &access)
}

/// Serves `projects`: as the handler behind it, but what is out of sight is left out.
#[derive(Debug)]
struct Projects {
    inner: Box<dyn RestHandler>,
    rbac: Rbac,
}

impl RestHandler for Projects {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        self.inner.get(cx)
    }

    /// To those who do not see all, a list is one page: pages would tell how much they do not see.
    fn list(&self, cx: &HandlerContext<'_>, options: &ListOptions) -> Result<ObjectList, Status> {
        let user = cx.call.user;
        if sees(&self.rbac, user, "") {
            return self.inner.list(cx, options);
        }
        let mut list = self.inner.list(cx, &ListOptions { limit: 0, ..options.clone() })?;
        list.items.retain(|project| sees(&self.rbac, user, project.value().name()));
        Ok(list)
    }

    fn watch(&self, cx: &HandlerContext<'_>, options: &ListOptions) -> Result<Watch, Status> {
        let all = self.inner.watch(cx, options)?;
        if sees(&self.rbac, cx.call.user, "") {
            return Ok(all);
        }
        let selected = ListOptions {
            label_selector: options.label_selector.clone(),
            field_selector: options.field_selector.clone(),
            ..ListOptions::default()
        };
        let known =
            if shows_present(options) { Vec::new() } else { self.list(cx, &selected)?.items };
        Ok(Watch::new(VisibleProjects::new(cx, &self.rbac, all, selected, known)))
    }

    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        self.inner.create(cx, body)
    }

    fn update(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        self.inner.update(cx, body)
    }

    fn delete(&self, cx: &HandlerContext<'_>, options: &DeleteOptions) -> Result<Deleted, Status> {
        self.inner.delete(cx, options)
    }
}

/// Whether a watch begins with what is there.
fn shows_present(options: &ListOptions) -> bool {
    let from_now = matches!(options.resource_version.as_str(), "" | "0");
    options.send_initial_events.unwrap_or(from_now)
}

/// Serves `projectrequests`: a list tells whether the caller may ask for a project.
#[derive(Debug)]
struct ProjectRequests {
    inner: Box<dyn RestHandler>,
    rbac: Rbac,
}

impl RestHandler for ProjectRequests {
    fn list(&self, cx: &HandlerContext<'_>, options: &ListOptions) -> Result<ObjectList, Status> {
        let (group, resource) = ("project.openshift.io", "projectrequests");
        let target = ResourceTarget { group, resource, ..ResourceTarget::default() };
        if self.rbac.permits(cx.call.user, &Access::resource("create", target)) {
            return self.inner.list(cx, options);
        }
        let text = "You may not request a new project via this API.";
        let refusal = Status::forbidden(group, "projectrequest", "", text);
        Err(Status { message: text.to_owned(), ..refusal })
    }

    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        self.inner.create(cx, body)
    }
}
