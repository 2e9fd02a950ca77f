//! Projects and project requests.

use std::sync::Arc;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status};
use apiserver::{
    Admission, AdmissionRequest, ApiServer, Client, DeleteOptions, ListOptions, PatchKind, User,
    WatchEvent,
};
use parking_lot::Mutex;
use world::World;

use crate::cluster;

fn request(client: &Client, name: &str) -> Result<Arc<apimachinery::Value>, Status> {
    let body = json!({"metadata": {"name": name}, "displayName": "D", "description": "what"});
    client.create(&api::PROJECT_REQUESTS, "", body)
}

#[test]
fn a_request_makes_a_namespace_with_role_bindings() {
    let client = Client::new(cluster().server().clone(), User::system("alice"));
    let project = request(&client, "development").unwrap();
    assert_eq!((project.kind(), project.api_version()), ("Project", "project.openshift.io/v1"));
    assert_eq!(
        project["metadata"]["annotations"],
        json!({
            "openshift.io/description": "what",
            "openshift.io/display-name": "D",
            "openshift.io/requester": "alice",
        })
    );
    assert_eq!(project["status"]["phase"], "Active");
    let bindings = client.list(&api::ROLE_BINDINGS, "development").unwrap();
    let names: Vec<&str> = bindings.iter().map(|binding| binding.name()).collect();
    assert_eq!(
        names,
        ["admin", "system:deployers", "system:image-builders", "system:image-pullers"]
    );
    assert_eq!(bindings[0]["subjects"][0]["name"], "alice");
}

/// Makes a default role binding a moment before the request that it sees does.
#[derive(Debug)]
struct Faster(Arc<Mutex<Option<Client>>>);

impl Admission for Faster {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let binding = request.object.name() == "system:image-builders";
        let Some(client) = binding.then(|| self.0.lock().take()).flatten() else { return Ok(()) };
        let object = (*request.object).clone();
        client.create(&api::ROLE_BINDINGS, "development", object).map(drop)
    }
}

#[test]
fn a_default_role_binding_that_is_there_already_is_no_failure() {
    let first = Arc::new(Mutex::new(None));
    let admission = Box::new(Faster(Arc::clone(&first)));
    let server = ApiServer::builder(World::simulated(1)).admission(admission).build();
    *first.lock() = Some(Client::new(server.clone(), User::system_admin()));
    let client = Client::new(server, User::system("alice"));
    request(&client, "development").unwrap();
    assert!(first.lock().is_none(), "the other was first");
    assert_eq!(client.list(&api::ROLE_BINDINGS, "development").unwrap().len(), 4);
}

#[test]
fn some_names_cannot_be_requested() {
    let client = cluster();
    let refusal = |name: &str| request(&client, name).unwrap_err().message;
    assert_eq!(
        refusal("openshift"),
        "project.project.openshift.io \"openshift\" is forbidden: cannot request a project with the \
         name \"openshift\""
    );
    assert!(refusal("kube-x").ends_with("cannot request a project starting with \"kube-\""));
    assert_eq!(refusal("test"), "project.project.openshift.io \"test\" already exists");
}

#[test]
fn projects_are_their_namespaces() {
    let client = cluster();
    let mut watch = client
        .watch(
            &api::PROJECTS,
            "",
            &ListOptions {
                field_selector: "metadata.name=test".to_owned(),
                ..ListOptions::default()
            },
        )
        .unwrap();
    let Some(WatchEvent::Added(seen)) = watch.try_next() else { panic!("not seen") };
    assert_eq!(seen.value().kind(), "Project");
    let project = client.get(&api::PROJECTS, "", "test").unwrap();
    let namespace = client.get(&api::NAMESPACES, "", "test").unwrap();
    assert_eq!(project.uid(), namespace.uid());
    assert_eq!(client.list(&api::PROJECTS, "").unwrap().len(), 7);

    let patch = json!({"metadata": {"annotations": {"openshift.io/display-name": "T"}}});
    client.patch(&api::PROJECTS, "", "test", PatchKind::Merge, patch).unwrap();
    let namespace = client.get(&api::NAMESPACES, "", "test").unwrap();
    assert_eq!(namespace.annotation("openshift.io/display-name"), Some("T"));
    let patch = json!({"metadata": {"labels": {"a": "b"}}});
    let frozen = client.patch(&api::PROJECTS, "", "test", PatchKind::Merge, patch).unwrap_err();
    assert!(frozen.message.ends_with("field is immutable, try updating the namespace"));

    client.delete(&api::PROJECTS, "", "test", DeleteOptions::default()).unwrap();
    let project = client.get(&api::PROJECTS, "", "test").unwrap();
    assert_eq!(project["status"]["phase"], "Terminating");
}

/// Refuses what anyone but the system requests.
#[derive(Debug)]
struct NoMore;

impl Admission for NoMore {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if request.call.resource.plural == "projectrequests" {
            return Err(Status::forbidden("", "projectrequests", request.object.name(), "enough"));
        }
        Ok(())
    }
}

#[test]
fn requests_go_through_admission() {
    let builder = ApiServer::builder(World::simulated(1)).admission(Box::new(NoMore));
    let client = Client::new(builder.build(), User::system("alice"));
    let refusal = request(&client, "development").unwrap_err();
    assert_eq!(refusal.message, "projectrequests \"development\" is forbidden: enough");
}
