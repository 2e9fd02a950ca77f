//! `ProjectRequestLimit`: how many projects a user may have at once.
//!
//! Mirrors: `openshift/origin:pkg/project/apiserver/admission/requestlimit`.

use std::collections::BTreeMap;

use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest};

use crate::request::{all, creates, find, refuse};

const REQUESTER: &str = "openshift.io/requester";

/// A limit for the users with certain labels.
#[derive(Debug, Clone, Default)]
pub struct ProjectLimit {
    /// Labels that the `User` must have; none for everybody.
    pub selector: BTreeMap<String, String>,
    /// How many projects; `None` for as many as they like.
    pub max_projects: Option<usize>,
}

/// Admission of project requests: `ProjectRequestLimit`. The first limit that fits a user counts;
/// without limits everyone may have as many as they like.
#[derive(Debug, Clone, Default)]
pub struct ProjectRequestLimit {
    /// The limits, in the order they are looked at.
    pub limits: Vec<ProjectLimit>,
}

impl Admission for ProjectRequestLimit {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if self.limits.is_empty() || !creates(request, &api::PROJECT_REQUESTS) {
            return Ok(());
        }
        let name = &request.call.user.name;
        let user = find(request.server, &api::USERS, "", name);
        let has =
            |key: &str, value: &str| user.as_ref().is_some_and(|user| user.label(key) == value);
        let fits =
            |limit: &&ProjectLimit| limit.selector.iter().all(|(key, value)| has(key, value));
        let Some(most) = self.limits.iter().find(fits).and_then(|limit| limit.max_projects) else {
            return Ok(());
        };
        let mine = |namespace: &Value| {
            namespace.annotation(REQUESTER) == Some(name)
                && namespace.deletion_timestamp().is_none()
        };
        let projects = all(request.server, &api::NAMESPACES, "");
        if projects.iter().filter(|namespace| mine(namespace)).count() < most {
            return Ok(());
        }
        Err(refuse(request, &format!("user {name} cannot create more than {most} project(s).")))
    }
}
