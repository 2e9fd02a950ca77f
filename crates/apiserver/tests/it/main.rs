//! The API server as controllers call it, in process.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod apply;
mod concurrency;
mod custom;
mod deletion;
mod events;
mod kubectl;
mod lists;
mod objects;
mod projects;
mod reviews;
mod services;
mod streams;
mod subresources;
mod watches;

use std::sync::Arc;

use apimachinery::{Value, json};
use apiserver::{ApiServer, Client, User};
use world::World;

/// A client of a fresh cluster with the namespace `test`.
pub(crate) fn cluster() -> Client {
    let server = ApiServer::builder(World::simulated(1)).build();
    apiserver::bootstrap(&server).unwrap();
    let client = Client::new(server, User::system_admin());
    client.create(&api::NAMESPACES, "", json!({"metadata": {"name": "test"}})).unwrap();
    client
}

pub(crate) fn pod(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {
            "containers": [{"name": "c", "image": "hello:v1"}],
            "terminationGracePeriodSeconds": 30,
        },
    })
}

pub(crate) fn configmap(name: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"a": "b"}})
}

pub(crate) fn create_pod(client: &Client, name: &str) -> Arc<Value> {
    client.create(&api::PODS, "test", pod(name)).unwrap()
}

pub(crate) fn bind(client: &Client, name: &str) {
    let binding = json!({"metadata": {"name": name}, "target": {"kind": "Node", "name": "n1"}});
    client.subresource_create(&api::PODS, "test", name, "binding", binding).unwrap();
}
