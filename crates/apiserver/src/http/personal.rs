//! OpenShift's access reviews that name nobody: everyone may ask about themselves.
//!
//! Invariant: only the bodies of these reviews are read before the caller is known to be allowed to
//! send them.
//!
//! Mirrors: `openshift/origin:pkg/authorization/authorizer/personal_subject_access_review.go`.

use api::{Resource, Verb};
use apimachinery::ObjectExt as _;
use apimachinery::Value;
use hyper::header;

use super::content::{self, Format};
use super::route::Asked;
use crate::{Call, legacy};

/// Whether the body of this request says what right it needs.
pub(crate) fn early(resource: &'static Resource, verb: Verb) -> bool {
    let reviews =
        [&api::OPENSHIFT_SUBJECT_ACCESS_REVIEWS, &api::OPENSHIFT_LOCAL_SUBJECT_ACCESS_REVIEWS];
    let resource = legacy::shape(resource);
    let is =
        |review: &&Resource| (review.group, review.plural) == (resource.group, resource.plural);
    verb == Verb::Create && reviews.iter().any(is)
}

/// Whether a review names neither a user nor groups. One that cannot be read is refused later.
pub(crate) fn is_of_caller(asked: &Asked, bytes: &[u8]) -> bool {
    let review = Format::of(asked.header(header::CONTENT_TYPE))
        .and_then(|format| content::object(format, bytes, "SubjectAccessReview"));
    let of_nobody = |review: Value| {
        review.str_at(&["user"]).is_empty() && review.list_at(&["groups"]).is_empty()
    };
    review.is_ok_and(of_nobody)
}

/// The request whose right is needed instead.
pub(crate) fn asked_as<'a>(call: &Call<'a>) -> Call<'a> {
    Call { resource: &api::SELF_SUBJECT_ACCESS_REVIEWS, ..call.clone() }
}
