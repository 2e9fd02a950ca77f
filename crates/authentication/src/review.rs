//! `tokenreviews`: another server asks whose token it was shown.
//!
//! Mirrors: `kubernetes/pkg/registry/authentication/tokenreview/storage.go`.

use std::sync::Arc;

use apimachinery::{ObjectExt as _, Status};
use apiserver::{HandlerContext, RestHandler, Stored, User, Written};
use serde_json::{Value, json};

use crate::Recognise;
use crate::group::Groups;
use crate::token;

/// Serves `tokenreviews`.
#[derive(Debug)]
pub struct TokenReviews {
    pub(crate) groups: Arc<Groups>,
    pub(crate) others: Vec<Recognise>,
}

impl RestHandler for TokenReviews {
    fn create(&self, cx: &HandlerContext<'_>, mut review: Value) -> Result<Written, Status> {
        let token = review.str_at(&["spec", "token"]);
        if token.is_empty() {
            let text = "token is required for TokenReview in authentication";
            return Err(Status::bad_request(text));
        }
        let user = token::user_of(cx.server, &self.groups, token)
            .or_else(|| self.others.iter().find_map(|other| other(cx.server, token)));
        let status = match user {
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
