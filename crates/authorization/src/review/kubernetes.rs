//! The reviews of `authorization.k8s.io`: may I, may they, what may I.
//!
//! Mirrors: `kubernetes/pkg/registry/authorization`, `kubernetes/pkg/apis/authorization/validation`.

use std::collections::BTreeMap;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::{HandlerContext, RestHandler, Stored, User, Written};

use super::{decide, texts};
use crate::rbac::Rbac;
use crate::rule::{Access, ResourceTarget, Rule};

const GROUP: &str = "authorization.k8s.io";

/// Serves the access reviews.
#[derive(Debug)]
pub enum AccessReviews {
    /// `selfsubjectaccessreviews`
    OfCaller(Rbac),
    /// `subjectaccessreviews`
    OfAnyone(Rbac),
    /// `localsubjectaccessreviews`
    Local(Rbac),
}

impl RestHandler for AccessReviews {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let (Self::OfCaller(rbac) | Self::OfAnyone(rbac) | Self::Local(rbac)) = self;
        let mut errors = check_attributes(&body);
        let user = if matches!(self, Self::OfCaller(_)) {
            cx.call.user.clone()
        } else {
            let user = subject(&body);
            if user.name.is_empty() && user.groups.is_empty() {
                let text = "at least one of user or group must be specified";
                errors.push(Error::invalid(&Path::new("spec").child("user"), json!(""), text));
            }
            user
        };
        if !errors.is_empty() {
            return Err(Status::invalid(GROUP, cx.call.resource.kind, "", &errors));
        }
        if matches!(self, Self::Local(_)) {
            check_namespace(cx.call.namespace, &body)?;
        }
        let (allowed, reason) = decide(rbac, &user, &access(&body));
        let mut status = json!({"allowed": allowed});
        if !reason.is_empty() {
            status["reason"] = json!(reason);
        }
        body.set(&["status"], status);
        Ok(Written::created(Stored::new(body)))
    }
}

/// In the words of version `v1` or `v1beta1`.
fn subject(review: &Value) -> User {
    let mut groups = texts(review, &["spec", "groups"]);
    groups.extend(texts(review, &["spec", "group"]));
    User {
        name: review.str_at(&["spec", "user"]).to_owned(),
        uid: review.str_at(&["spec", "uid"]).to_owned(),
        groups,
        extra: extra(review),
    }
}

fn extra(review: &Value) -> BTreeMap<String, Vec<String>> {
    let extra = review.map_at(&["spec", "extra"]).into_iter().flatten();
    extra.map(|(key, _)| (key.to_string(), texts(review, &["spec", "extra", key]))).collect()
}

fn access(review: &Value) -> Access<'_> {
    let text = |field: &str| review.str_at(&["spec", "resourceAttributes", field]);
    if review.at(&["spec", "resourceAttributes"]).is_some_and(|value| !value.is_null()) {
        let target = ResourceTarget {
            group: text("group"),
            resource: text("resource"),
            subresource: text("subresource"),
            namespace: text("namespace"),
            name: text("name"),
        };
        return Access::resource(text("verb"), target);
    }
    let text = |field: &str| review.str_at(&["spec", "nonResourceAttributes", field]);
    Access::path(text("verb"), text("path"))
}

fn check_attributes(review: &Value) -> ErrorList {
    let path = Path::new("spec");
    let at = |field: &str| {
        let value = review.at(&["spec", field]).filter(|value| !value.is_null());
        value.map(|value| (path.child(field), value.clone()))
    };
    match (at("resourceAttributes"), at("nonResourceAttributes")) {
        (Some(_), Some((path, value))) => {
            let text = "cannot be specified in combination with resourceAttributes";
            let (path_text, verb) = (value.str_at(&["path"]), value.str_at(&["verb"]));
            let shown =
                format!("authorization.NonResourceAttributes{{Path:{path_text:?}, Verb:{verb:?}}}");
            vec![Error::invalid(&path, value, text).shown_as(&shown)]
        }
        (None, None) => {
            let text =
                "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            vec![Error::invalid(&path.child("resourceAttributes"), Value::Null, text)]
        }
        _ => ErrorList::new(),
    }
}

fn check_namespace(namespace: &str, review: &Value) -> Result<(), Status> {
    let own = review.str_at(&["spec", "resourceAttributes", "namespace"]);
    if own == namespace {
        return Ok(());
    }
    Err(Status::bad_request(format!(
        "spec.resourceAttributes.namespace must match namespace: {namespace}"
    )))
}

/// Serves `selfsubjectrulesreviews`.
#[derive(Debug)]
pub struct SelfRulesReviews(pub Rbac);

impl RestHandler for SelfRulesReviews {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let namespace = body.str_at(&["spec", "namespace"]);
        if namespace.is_empty() {
            return Err(Status::bad_request("no namespace on request"));
        }
        let rules = self.0.read(|policy| policy.rules_for(cx.call.user, namespace));
        body.set(&["status"], rules_status(&rules));
        Ok(Written::created(Stored::new(body)))
    }
}

fn rules_status(rules: &[Rule]) -> Value {
    let (mut of_resources, mut of_urls) = (Vec::new(), Vec::new());
    for rule in rules {
        if !rule.resources.is_empty() {
            of_resources.push(Rule { urls: Vec::new(), ..rule.clone() }.to_value());
        }
        if !rule.urls.is_empty() {
            let (verbs, urls) = (rule.verbs.clone(), rule.urls.clone());
            of_urls.push(Rule { verbs, urls, ..Rule::default() }.to_value());
        }
    }
    json!({"resourceRules": of_resources, "nonResourceRules": of_urls, "incomplete": false})
}
