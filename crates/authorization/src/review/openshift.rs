//! The reviews of `authorization.openshift.io`: may they, who may, what may they.
//!
//! Mirrors: `openshift/origin:pkg/authorization/apiserver/registry`.

use apimachinery::field::{Error, Path};
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::{HandlerContext, RestHandler, Stored, User, Written};

use super::{decide, texts};
use crate::rbac::Rbac;
use crate::rule::{self, Access, ResourceTarget, Rule};

const GROUP: &str = "authorization.openshift.io";
const API_VERSION: &str = "authorization.openshift.io/v1";

/// Serves `subjectaccessreviews` and `localsubjectaccessreviews`.
#[derive(Debug)]
pub struct LegacyAccessReviews(pub Rbac);

impl RestHandler for LegacyAccessReviews {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let mut user = named_user(&body, &[]);
        let personal = user.name.is_empty() && user.groups.is_empty();
        let asked = if personal { SELF_REVIEW } else { ("localsubjectaccessreviews", GROUP) };
        place(&self.0, cx, &mut body, "localsubjectaccessreviews", asked)?;
        if personal {
            user = cx.call.user.clone();
        }
        let (allowed, reason) = decide(&self.0, &user, &access(&body));
        Ok(answer(json!({
            "kind": "SubjectAccessReviewResponse",
            "apiVersion": API_VERSION,
            "namespace": body.str_at(&["namespace"]),
            "allowed": allowed,
            "reason": reason,
        })))
    }
}

/// Serves `resourceaccessreviews` and `localresourceaccessreviews`.
#[derive(Debug)]
pub struct WhoReviews(pub Rbac);

impl RestHandler for WhoReviews {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let local = "localresourceaccessreviews";
        place(&self.0, cx, &mut body, local, (local, GROUP))?;
        let who = self.0.read(|policy| policy.subjects_who(&access(&body)));
        Ok(answer(json!({
            "kind": "ResourceAccessReviewResponse",
            "apiVersion": API_VERSION,
            "namespace": body.str_at(&["namespace"]),
            "users": who.users,
            "groups": who.groups,
            "evalutionError": "",
        })))
    }
}

/// Serves `selfsubjectrulesreviews` and `subjectrulesreviews`.
#[derive(Debug)]
pub enum RulesReviews {
    /// `selfsubjectrulesreviews`
    OfCaller(Rbac),
    /// `subjectrulesreviews`
    OfAnyone(Rbac),
}

impl RestHandler for RulesReviews {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let (Self::OfCaller(rbac) | Self::OfAnyone(rbac)) = self;
        let user = match self {
            Self::OfCaller(_) => cx.call.user.clone(),
            Self::OfAnyone(_) => named_user(&body, &["spec"]),
        };
        let rules = rbac.read(|policy| policy.rules_for(&user, cx.call.namespace));
        let rules: Vec<Value> =
            effective(&rules).iter().map(|rule| api::rule_to_openshift(&rule.to_value())).collect();
        body.set(&["status"], json!({"rules": rules}));
        Ok(answer(body))
    }
}

/// Rules with one resource each, in the order of their texts. Verbs that several rules give are
/// repeated before they are sorted out, which shows in the order.
fn effective(rules: &[Rule]) -> Vec<Rule> {
    let parts = rules.iter().flat_map(Rule::parts).collect();
    let mut rules = rule::compact(parts);
    rules.sort_by_cached_key(|rule| {
        let [verbs, groups, resources, names, urls] =
            [&rule.verbs, &rule.groups, &rule.resources, &rule.names, &rule.urls]
                .map(|list| list.join(" "));
        format!(
            "Verbs:[{verbs}],APIGroups:[{groups}],Resources:[{resources}],ResourceNames:[{names}],NonResourceURLs:[{urls}]"
        )
    });
    rules
}

/// The resource and group by which one asks about oneself.
const SELF_REVIEW: (&str, &str) = ("selfsubjectaccessreviews", "authorization.k8s.io");

/// Puts a review into the namespace of the request. One that names a namespace of its own is for
/// those who may ask there.
fn place(
    rbac: &Rbac,
    cx: &HandlerContext<'_>,
    review: &mut Value,
    local: &str,
    (resource, group): (&str, &str),
) -> Result<(), Status> {
    let own = review.str_at(&["namespace"]);
    if !cx.call.namespace.is_empty() {
        if !own.is_empty() && own != cx.call.namespace {
            let text = format!("namespace must be: {}", cx.call.namespace);
            let errors = [Error::invalid(&Path::new("namespace"), json!(own), &text)];
            return Err(Status::invalid(GROUP, cx.call.resource.kind, "", &errors));
        }
        review.set(&["namespace"], json!(cx.call.namespace));
        return Ok(());
    }
    let target = ResourceTarget { group, resource, namespace: own, ..ResourceTarget::default() };
    let user = cx.call.user;
    if own.is_empty() || rbac.permits(user, &Access::resource("create", target)) {
        return Ok(());
    }
    let text = format!(
        "User {:?} cannot create {resource}.{group} in the namespace {own:?}: {}",
        user.name,
        super::NO_MATCH
    );
    Err(Status::forbidden(GROUP, local, "", &text))
}

fn named_user(review: &Value, at: &[&str]) -> User {
    let path = |field| [at, &[field]].concat();
    let name = review.str_at(&path("user")).to_owned();
    User { name, groups: texts(review, &path("groups")), ..User::default() }
}

fn access(review: &Value) -> Access<'_> {
    let verb = review.str_at(&["verb"]);
    if review.bool_at(&["isNonResourceURL"]) {
        return Access::path(verb, review.str_at(&["path"]));
    }
    let resource = review.str_at(&["resource"]);
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let target = ResourceTarget {
        group: review.str_at(&["resourceAPIGroup"]),
        resource,
        subresource,
        namespace: review.str_at(&["namespace"]),
        name: review.str_at(&["resourceName"]),
    };
    Access::resource(verb, target)
}

fn answer(value: Value) -> Written {
    Written::created(Stored::new(value))
}
