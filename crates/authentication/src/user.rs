//! Users: the objects, and `~`, which is whoever asks.
//!
//! Mirrors: `openshift/origin:pkg/user/apiserver/registry/user`.
//!
//! Invariant: `~` is answered for every caller that may ask, whether or not there is an object.

use std::collections::BTreeSet;

use apimachinery::ObjectExt as _;
use apimachinery::field::ErrorList;
use apimachinery::{Value, json};
use apiserver::{ApiServer, Strategy, StrategyContext, User};

use crate::token::stored;
use crate::validation;

/// The name of whoever asks.
const MYSELF: &str = "~";

/// The strategy of users.
#[derive(Debug)]
pub struct Users;

impl Strategy for Users {
    fn made_up(&self, server: &ApiServer, user: &User, name: &str) -> Option<Value> {
        (name == MYSELF).then(|| myself(server, user))
    }

    fn validate_create(&self, _cx: &StrategyContext<'_>, user: &Value) -> ErrorList {
        validation::user(user)
    }

    fn validate_update(&self, _cx: &StrategyContext<'_>, new: &Value, _old: &Value) -> ErrorList {
        validation::user(new)
    }
}

/// The stored user with the groups of the request, or one that is made up from it.
fn myself(server: &ApiServer, user: &User) -> Value {
    let groups: BTreeSet<&String> = user.groups.iter().collect();
    let mut object = match stored(server, &api::USERS, &user.name) {
        Some(stored) => (*stored.value()).clone(),
        None => json!({
            "kind": "User",
            "apiVersion": "user.openshift.io/v1",
            "metadata": {"name": user.name, "creationTimestamp": null},
            "identities": null,
        }),
    };
    object["groups"] = json!(groups);
    if !user.uid.is_empty() {
        object.set(&["metadata", "uid"], json!(user.uid));
    }
    object
}
