//! Reviews: may someone do something, and who am I.
//!
//! Mirrors: `kubernetes/pkg/registry/authorization`, `kubernetes/pkg/registry/authentication`.

use api::{Resource, Verb};
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use crate::call::Written;
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;
use crate::user::{Attributes, User};

/// Serves the access reviews of `authorization.k8s.io`.
#[derive(Debug)]
pub(crate) enum AccessReviews {
    /// `selfsubjectaccessreviews`
    OfCaller,
    /// `subjectaccessreviews` and `localsubjectaccessreviews`
    OfAnyone,
}

impl RestHandler for AccessReviews {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let subject = match self {
            Self::OfCaller => cx.call.user.clone(),
            Self::OfAnyone => subject(&body),
        };
        let allowed = allowed(cx, &subject, &body);
        body.set(&["status"], json!({"allowed": allowed}));
        Ok(Written::created(Stored::new(body)))
    }
}

fn subject(review: &Value) -> User {
    let groups = review.list_at(&["spec", "groups"]).iter().filter_map(Value::as_str);
    User {
        name: review.str_at(&["spec", "user"]).to_owned(),
        uid: review.str_at(&["spec", "uid"]).to_owned(),
        groups: groups.map(str::to_owned).collect(),
        ..User::default()
    }
}

/// What is not a verb on a served resource is for masters only.
fn allowed(cx: &HandlerContext<'_>, user: &User, review: &Value) -> bool {
    let text = |field: &str| review.str_at(&["spec", "resourceAttributes", field]);
    let Some((verb, resource)) = verb(text("verb")).zip(resource(text("group"), text("resource")))
    else {
        return user.groups.iter().any(|group| group == "system:masters");
    };
    let (subresource, namespace, name) = (text("subresource"), text("namespace"), text("name"));
    let attributes = Attributes { user, verb, resource, subresource, namespace, name };
    cx.server.allows(&attributes)
}

fn verb(word: &str) -> Option<Verb> {
    let all = api::resource::FULL.iter().copied();
    all.into_iter().find(|verb| verb.as_str() == word)
}

fn resource(group: &str, plural: &str) -> Option<&'static Resource> {
    let mut all = api::resources().iter().copied();
    all.find(|resource| resource.group == group && resource.plural == plural)
}

/// Serves `selfsubjectreviews`.
#[derive(Debug)]
pub(crate) struct SelfSubjectReviews;

impl RestHandler for SelfSubjectReviews {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let user = cx.call.user;
        let mut info = json!({"username": user.name, "groups": user.groups});
        if !user.uid.is_empty() {
            info["uid"] = json!(user.uid);
        }
        if !user.extra.is_empty() {
            info["extra"] = json!(user.extra);
        }
        body.set(&["status"], json!({"userInfo": info}));
        Ok(Written::created(Stored::new(body)))
    }
}
