//! `tokenreviews`: another server asks whose token it was shown.
//!
//! Mirrors: `kubernetes/pkg/registry/authentication/tokenreview/storage.go`.

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::{HandlerContext, RestHandler, Stored, User, Written};

use crate::bearer::Bearers;

/// Serves `tokenreviews`.
#[derive(Debug)]
pub struct TokenReviews(pub(crate) Bearers);

impl RestHandler for TokenReviews {
    fn create(&self, cx: &HandlerContext<'_>, mut review: Value) -> Result<Written, Status> {
        let token = review.str_at(&["spec", "token"]);
        if token.is_empty() {
            let text = "token is required for TokenReview in authentication";
            return Err(Status::bad_request(text));
        }
        let status = match self.0.user(cx.server, token) {
            Some(user) => json!({"authenticated": true, "user": info(&user)}),
            None => json!({"user": {}}),
        };
        review.set(&["status"], status);
        Ok(Written::created(Stored::new(review)))
    }
}

/// A user as reviews show them (`UserInfo`).
fn info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = json!(user.uid);
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}
