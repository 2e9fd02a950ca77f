//! From a request and its answer to what an [`Auditor`] is told.
//!
//! Invariant: reading costs nothing here unless it was refused.

use apimachinery::Status;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Uri};
use serde::Deserialize;
use world::Time;

use super::body::Body;
use super::path::{ResourcePath, Target};
use super::query::Query;
use super::respond::Answer;
use super::route::Asked;
use crate::User;
use crate::audit::{Auditor, Reference, Request};

/// What is known of a request while it is being answered.
#[derive(Debug)]
pub(crate) struct Draft {
    method: Method,
    uri: Uri,
    user_agent: Option<HeaderValue>,
    received: Time,
    user: Option<User>,
    impersonated: Option<User>,
}

impl Draft {
    pub(crate) fn begin(asked: &Asked, now: Time) -> Self {
        Self {
            method: asked.method.clone(),
            uri: asked.parts.uri.clone(),
            user_agent: asked.parts.headers.get(header::USER_AGENT).cloned(),
            received: now,
            user: None,
            impersonated: None,
        }
    }

    /// Who asks.
    pub(crate) fn by(&mut self, user: &User) {
        self.user = Some(user.clone());
    }

    /// Whom they act as.
    pub(crate) fn acting_as(&mut self, user: &User) {
        self.impersonated = Some(user.clone());
    }

    /// Tells `auditor`, when there is something to tell.
    pub(crate) fn finish(
        self,
        auditor: &dyn Auditor,
        answered: &Result<Answer, Status>,
        now: Time,
    ) {
        let code = match answered {
            Ok(answer) => answer.status().as_u16(),
            Err(status) => status.code,
        };
        let Target::Resource(path) = Target::parse(self.uri.path()) else { return };
        if !(self.changes(&path) || code == 401 || code == 403) {
            return;
        }
        let object = reference(&path, answered.as_ref().ok());
        let failure = answered.as_ref().err();
        let failure = failure.map(|status| (status.reason.as_str(), status.message.as_str()));
        auditor.record(&Request {
            received: self.received,
            answered: now,
            user: self.user.as_ref(),
            impersonated: self.impersonated.as_ref(),
            verb: self.verb(&path),
            uri: self.uri.path_and_query().map_or("", |uri| uri.as_str()),
            user_agent: self.user_agent.as_ref().and_then(|v| v.to_str().ok()).unwrap_or_default(),
            object: &object,
            code,
            failure,
        });
    }

    /// Whether the request may have changed something. Conversations with containers may, whatever
    /// method they begin with; questions about rights do not.
    fn changes(&self, path: &ResourcePath) -> bool {
        let asks = path.plural.ends_with("reviews") || path.plural == "processedtemplates";
        let talks = ["exec", "attach", "portforward", "proxy"].contains(&&*path.subresource);
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&self.method);
        talks || !(reads || asks)
    }

    fn verb(&self, path: &ResourcePath) -> &'static str {
        let named = !path.name.is_empty();
        match (&self.method, named) {
            (&Method::POST, _) => "create",
            (&Method::PUT, _) => "update",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, true) => "delete",
            (&Method::DELETE, false) => "deletecollection",
            _ if path.watch => "watch",
            (_, true) => "get",
            _ if Query::parse(self.uri.query().unwrap_or_default()).flag("watch") => "watch",
            _ => "list",
        }
    }
}

/// What of an object answered matters.
#[derive(Debug, Default, Deserialize)]
struct Answered {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    uid: String,
    resource_version: String,
}

fn reference(path: &ResourcePath, answer: Option<&Answer>) -> Reference {
    let bytes = match answer.map(Answer::body) {
        Some(Body::Full(bytes)) => &bytes[..],
        _ => &[],
    };
    let object: Answered = serde_json::from_slice(bytes).unwrap_or_default();
    let Metadata { name, uid, resource_version } = match object.kind.as_str() {
        "Status" => Metadata::default(),
        _ => object.metadata,
    };
    Reference {
        group: path.group.clone(),
        version: path.version.clone(),
        resource: path.plural.clone(),
        namespace: path.namespace.clone(),
        name: if path.name.is_empty() { name } else { path.name.clone() },
        subresource: path.subresource.clone(),
        uid,
        resource_version,
    }
}
