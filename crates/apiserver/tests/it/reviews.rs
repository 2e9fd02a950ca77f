//! Access reviews, and what cannot be kept.

use apiserver::{ApiServer, Attributes, Authorizer, Client, User};
use serde_json::json;
use world::World;

use crate::cluster;

/// Lets everyone read and nobody write.
#[derive(Debug)]
struct ReadOnly;

impl Authorizer for ReadOnly {
    fn allows(&self, attributes: &Attributes<'_>) -> bool {
        matches!(attributes.verb.as_str(), "get" | "list" | "watch")
    }
}

#[test]
fn reviews_ask_the_authorizer() {
    let server = ApiServer::builder(World::simulated(1)).authorizer(Box::new(ReadOnly)).build();
    let client = Client::new(server, User::with_groups("alice", &["developers"]));
    let may = |verb: &str| {
        let body = json!({"spec": {"resourceAttributes": {"verb": verb, "resource": "pods"}}});
        let review = client.create(&api::SELF_SUBJECT_ACCESS_REVIEWS, "", body).unwrap();
        review["status"]["allowed"].as_bool().unwrap()
    };
    assert!(may("list") && !may("create") && !may("fly"));
    let who = client.create(&api::SELF_SUBJECT_REVIEWS, "", json!({})).unwrap();
    assert_eq!(who["status"]["userInfo"], json!({"username": "alice", "groups": ["developers"]}));
}

#[test]
fn actions_are_not_kept_as_objects() {
    let client = cluster();
    let review = json!({"metadata": {"name": "x"}, "spec": {"token": "t"}});
    let refused = client.create(&api::TOKEN_REVIEWS, "", review).unwrap_err();
    assert_eq!(refused.code, 405);
}
