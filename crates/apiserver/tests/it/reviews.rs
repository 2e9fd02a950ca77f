//! Access reviews, the state of the control plane, and what cannot be kept.

use apimachinery::ObjectExt as _;
use apimachinery::json;
use apiserver::{ApiServer, Attributes, Authorizer, Client, User};
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

#[test]
fn the_control_plane_says_that_it_is_well() {
    let client = cluster();
    let list = client.list(&api::COMPONENT_STATUSES, "").unwrap();
    let said = list.iter().map(|item| {
        let condition = &item["conditions"][0];
        let words = [condition["type"].as_str(), condition["message"].as_str()];
        format!("{} {}", item.name(), words.map(Option::unwrap).join(" "))
    });
    let said: Vec<String> = said.collect();
    assert_eq!(
        said,
        [
            "scheduler Healthy ok",
            "controller-manager Healthy ok",
            "etcd-0 Healthy {\"health\": \"true\"}"
        ]
    );
    let etcd = client.get(&api::COMPONENT_STATUSES, "", "etcd-0").unwrap();
    assert_eq!(etcd["conditions"][0]["status"], "True");
    let missing = client.get(&api::COMPONENT_STATUSES, "", "etcd-1").unwrap_err();
    assert_eq!((missing.code, missing.message.as_str()), (500, "Component not found: etcd-1"));
}
