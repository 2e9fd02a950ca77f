//! Access reviews: clients ask who may do what.
//!
//! The reviews of `authorization.k8s.io` stand in [`kubernetes`], those of `authorization.openshift.io`
//! in [`openshift`].
//!
//! Invariant: a review answers what the authoriser would answer to the request itself.

pub mod kubernetes;
pub mod openshift;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use apiserver::user::NO_MATCH;
use apiserver::{Builder, User};

use self::kubernetes::{AccessReviews, SelfRulesReviews};
use self::openshift::{LegacyAccessReviews, RulesReviews, WhoReviews};
use crate::rbac::Rbac;
use crate::rule::Access;
use crate::scope;

/// Serves all reviews.
pub(crate) fn register(builder: Builder, rbac: &Rbac) -> Builder {
    let own = || rbac.clone();
    builder
        .handler(&api::SELF_SUBJECT_ACCESS_REVIEWS, "", Box::new(AccessReviews::OfCaller(own())))
        .handler(&api::SUBJECT_ACCESS_REVIEWS, "", Box::new(AccessReviews::OfAnyone(own())))
        .handler(&api::LOCAL_SUBJECT_ACCESS_REVIEWS, "", Box::new(AccessReviews::Local(own())))
        .handler(&api::SELF_SUBJECT_RULES_REVIEWS, "", Box::new(SelfRulesReviews(own())))
        .handler(&api::OPENSHIFT_SUBJECT_ACCESS_REVIEWS, "", Box::new(LegacyAccessReviews(own())))
        .handler(
            &api::OPENSHIFT_LOCAL_SUBJECT_ACCESS_REVIEWS,
            "",
            Box::new(LegacyAccessReviews(own())),
        )
        .handler(&api::RESOURCE_ACCESS_REVIEWS, "", Box::new(WhoReviews(own())))
        .handler(&api::LOCAL_RESOURCE_ACCESS_REVIEWS, "", Box::new(WhoReviews(own())))
        .handler(
            &api::OPENSHIFT_SELF_SUBJECT_RULES_REVIEWS,
            "",
            Box::new(RulesReviews::OfCaller(own())),
        )
        .handler(&api::SUBJECT_RULES_REVIEWS, "", Box::new(RulesReviews::OfAnyone(own())))
}

/// Whether `user` may do this, and why or why not.
fn decide(rbac: &Rbac, user: &User, access: &Access<'_>) -> (bool, String) {
    let reason = rbac.read(|policy| {
        if scope::permit(policy, user, access) { policy.reason(user, access) } else { None }
    });
    match reason {
        Some(reason) => (true, reason),
        None => (false, rbac.why_not(user, access)),
    }
}

fn texts(value: &Value, path: &[&str]) -> Vec<String> {
    let list = value.list_at(path).iter();
    list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
