//! A cluster for tests: an API server with its bootstrap policy, two projects of two users.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use api::{Resource, Verb};
use apimachinery::Status;
use apimachinery::{Value, json};
use apiserver::{ApiServer, Call, Client, User};
use controller_runtime::{Driver, Step};
use world::World;

pub(crate) const RBAC: &str = "rbac.authorization.k8s.io";

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) server: ApiServer,
    pub(crate) admin: Client,
    driver: Driver,
}

impl Cluster {
    /// `alice` has the project `alice-proj`, `bob` has `bob-proj`.
    pub(crate) fn new() -> Self {
        let cluster = Self::empty();
        for name in ["alice", "bob"] {
            let client = cluster.client(name);
            let request = json!({"metadata": {"name": format!("{name}-proj")}});
            client.create(&api::PROJECT_REQUESTS, "", request).unwrap();
        }
        cluster
    }

    pub(crate) fn empty() -> Self {
        let world = World::simulated(1);
        let server = authorization::register(ApiServer::builder(world.clone())).build();
        apiserver::bootstrap(&server).unwrap();
        authorization::bootstrap(&server).unwrap();
        let mut driver = Driver::new(world, server.clone());
        for controller in authorization::controllers() {
            driver.add(controller);
        }
        let admin = Client::new(server.clone(), User::system_admin());
        Self { server, admin, driver }
    }

    /// Lets the controllers work until there is nothing to do.
    pub(crate) fn settle(&mut self) {
        let mut steps = 0..10_000;
        let rests = steps.any(|_| matches!(self.driver.step(), Step::Idle { .. }));
        assert!(rests, "the controllers never rest");
    }

    pub(crate) fn client(&self, name: &str) -> Client {
        Client::new(self.server.clone(), user(name))
    }

    /// Binds a cluster role to a user in a namespace, or everywhere.
    pub(crate) fn bind(&self, namespace: &str, role: &str, name: &str) {
        let resource =
            if namespace.is_empty() { &api::CLUSTER_ROLE_BINDINGS } else { &api::ROLE_BINDINGS };
        let binding = binding(&format!("{role}-{name}"), role, name);
        self.admin.create(resource, namespace, binding).unwrap();
    }

    /// Asks as the edge does.
    pub(crate) fn ask(
        &self,
        user: &User,
        verb: Verb,
        resource: &'static Resource,
        at: (&str, &str, &str),
    ) -> Result<(), Status> {
        let (namespace, name, subresource) = at;
        let call = Call::new(user, resource).within(namespace).named(name);
        self.server.authorize(&call.subresource(subresource), verb)
    }
}

/// Someone who has logged in.
pub(crate) fn user(name: &str) -> User {
    User::with_groups(name, &["system:authenticated:oauth", "system:authenticated"])
}

pub(crate) fn binding(name: &str, role: &str, user: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
    })
}
