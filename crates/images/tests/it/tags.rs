//! Streams and tags through an API server: what a write keeps, and what is refused.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{
    Admission, AdmissionRequest, ApiServer, Builder, Client, DeleteOptions, PatchKind, User,
};
use cri::sim::{Behaviour, SimImages};
use images::AllowedRegistries;
use images::source::sim::Catalogue;
use parking_lot::Mutex;
use world::World;

const NS: &str = "p";
const TAGS: &api::Resource = &api::IMAGE_STREAM_TAGS;

fn client_with(allowed: AllowedRegistries) -> Client {
    client_of(allowed, |builder| builder)
}

fn client_of(allowed: AllowedRegistries, change: impl FnOnce(Builder) -> Builder) -> Client {
    let images = SimImages::new();
    images.add("r.example/a/app:v1", Behaviour::default());
    let source = Arc::new(Catalogue(images));
    let builder = change(ApiServer::builder(World::simulated(1)));
    let server = images::register_with(builder, source, allowed).build();
    apiserver::bootstrap(&server).unwrap();
    let client = Client::new(server, User::system_admin());
    client.create(&api::NAMESPACES, "", json!({"metadata": {"name": NS}})).unwrap();
    client
}

fn client() -> Client {
    client_with(AllowedRegistries::default())
}

fn stream(client: &Client, tags: &Value) -> Arc<Value> {
    let stream = json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStream",
        "metadata": {"name": "app", "labels": {"team": "a"}}, "spec": {"tags": tags},
    });
    client.create(&api::IMAGE_STREAMS, NS, stream).unwrap()
}

/// A tag that is a mere reference: it needs no import.
fn reference(name: &str, from: &str) -> Value {
    json!({"name": name, "reference": true, "from": {"kind": "DockerImage", "name": from},
        "annotations": {"description": "old"}})
}

fn istag(name: &str, tag: &Value) -> Value {
    json!({"apiVersion": "image.openshift.io/v1", "kind": "ImageStreamTag",
        "metadata": {"name": name, "namespace": NS}, "tag": tag})
}

fn spec(client: &Client) -> Value {
    client.get(&api::IMAGE_STREAMS, NS, "app").unwrap()["spec"]["tags"].clone()
}

fn message(outcome: Result<Arc<Value>, Status>) -> String {
    outcome.unwrap_err().message
}

#[test]
fn a_put_takes_its_annotations_for_those_of_the_tag() {
    let client = client();
    stream(&client, &json!([reference("v1", "r.example/a/app:v1")]));
    let mut wanted = istag("app:v1", &reference("ignored", "r.example/a/app:v1"));
    wanted.set_annotation("description", "new");
    client.update(TAGS, wanted.clone()).unwrap();
    let tag = spec(&client)[0].clone();
    assert_eq!(tag["annotations"], json!({"description": "new"}));
    assert_eq!((&tag["name"], &tag["reference"]), (&json!("v1"), &json!(true)));
    wanted.remove(&["tag"]);
    wanted.remove(&["metadata", "annotations"]);
    client.update(TAGS, wanted).unwrap();
    let tag = spec(&client)[0].clone();
    assert_eq!(tag["from"]["name"], "r.example/a/app:v1", "the reference is kept");
    assert_eq!(tag["annotations"], Value::Null, "annotations left out are erased");
}

/// Writes the stream a moment before the request that it sees does.
#[derive(Debug)]
struct Faster(Arc<Mutex<Option<Client>>>);

impl Admission for Faster {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let Some(client) = self.0.lock().take() else { return Ok(()) };
        let mut stream = (*client.get(&api::IMAGE_STREAMS, NS, request.object.name())?).clone();
        let version = stream.resource_version().to_owned();
        stream.set_annotation("after", &version);
        client.update(&api::IMAGE_STREAMS, stream).map(drop)
    }
}

#[test]
fn a_put_without_a_version_is_written_beside_what_others_write() {
    let first = Arc::new(Mutex::new(None));
    let admission = Box::new(Faster(Arc::clone(&first)));
    let client = client_of(AllowedRegistries::default(), |builder| builder.admission(admission));
    stream(&client, &json!([reference("v1", "r.example/a/app:v1")]));
    let meet = || *first.lock() = Some(client.clone());
    let mut wanted = istag("app:v2", &reference("v2", "r.example/a/app:v2"));
    meet();
    let written = client.update(TAGS, wanted.clone()).unwrap();
    let stored = client.get(&api::IMAGE_STREAMS, NS, "app").unwrap();
    assert!(stored.annotation("after").is_some(), "the other one was first");
    assert_eq!(spec(&client)[1]["from"]["name"], "r.example/a/app:v2");
    wanted.set(&["metadata", "resourceVersion"], json!(written.resource_version()));
    wanted.set_annotation("description", "new");
    meet();
    assert!(client.update(TAGS, wanted).unwrap_err().is_conflict());
}

#[test]
fn a_patch_of_a_tag_changes_its_annotations_and_no_labels() {
    let client = client();
    stream(&client, &json!([reference("v1", "r.example/a/app:v1")]));
    let patch = |patch: Value| client.patch(TAGS, NS, "app:v1", PatchKind::Merge, patch);
    patch(json!({"metadata": {"annotations": {"tags": "b"}}})).unwrap();
    let kept = json!({"description": "old", "tags": "b"});
    assert_eq!(spec(&client)[0]["annotations"], kept);
    assert_eq!(
        message(patch(json!({"metadata": {"labels": {"team": "b"}}}))),
        "ImageStreamTag.image.openshift.io \"app:v1\" is invalid: metadata: Invalid value: \"\": \
         may not update fields other than metadata.annotations"
    );
    assert_eq!(spec(&client)[0]["annotations"], kept);
}

#[test]
fn a_put_names_the_version_of_the_stream_or_none() {
    let client = client();
    let tag = reference("v1", "r.example/a/app:v1");
    let mut wanted = istag("app:v1", &tag);
    wanted.set(&["metadata", "resourceVersion"], json!("1"));
    let text = "imagestreamtags.image.openshift.io \"app:v1\" not found";
    assert_eq!(message(client.update(TAGS, wanted.clone())), text);
    let current = stream(&client, &json!([tag])).resource_version().to_owned();
    let refused = client.update(TAGS, wanted.clone()).unwrap_err();
    assert_eq!(refused.code, 409);
    let text = format!("another caller has updated the resource version to {current}");
    assert!(refused.message.ends_with(&text), "{refused}");
    wanted.set(&["metadata", "resourceVersion"], json!(current));
    client.update(TAGS, wanted).unwrap();
}

#[test]
fn a_post_stores_the_tag_as_it_is_given() {
    let client = client();
    let mut given = istag("app:v1", &reference("", "r.example/a/app:v1"));
    let text = "ImageStreamTag.image.openshift.io \"app:v1\" is invalid: tag.annotations: Invalid \
                value: \"<map>\": tag annotations must not be provided or must be equal to the \
                object meta annotations";
    assert_eq!(message(client.create(TAGS, NS, given.clone())), text);
    given.set_annotation("description", "old");
    client.create(TAGS, NS, given.clone()).unwrap();
    assert_eq!(spec(&client)[0]["annotations"], json!({"description": "old"}));
    assert_eq!(
        message(client.create(TAGS, NS, given)),
        "imagestreamtags.image.openshift.io \"app:v1\" already exists"
    );
    let mut bare = istag("app:none", &Value::Null);
    bare.set_annotation("description", "lost");
    client.create(TAGS, NS, bare).unwrap();
    assert_eq!(spec(&client).as_array().map(|list| list.len()), Some(1), "no spec tag was given");
}

#[test]
fn what_is_wrong_with_a_tag_is_said_of_the_tag() {
    let client = client();
    stream(&client, &json!([]));
    let put = |tag: Value| message(client.update(TAGS, istag("app:v1", &tag)));
    let start = "ImageStreamTag.image.openshift.io \"app:v1\" is invalid: ";
    assert_eq!(
        put(json!({"from": {"kind": "Pod", "name": "x"}})),
        format!(
            "{start}tag.from.kind: Required value: valid values are 'DockerImage', \
             'ImageStreamImage', 'ImageStreamTag'"
        )
    );
    assert_eq!(
        put(Value::Null),
        "imagestreamtag v1 is not a spec tag in imagestream p/app, cannot be updated"
    );
    let crowded = json!({"from": {"kind": "ImageStreamTag", "name": "a:b:c"}});
    let text = "spec.tags[v1].from.name: Invalid value: \"a:b:c\": must be of the form <tag>, \
                <repo>:<tag>, <id>, or <repo>@<id>";
    assert!(put(crowded).ends_with(text));
}

#[test]
fn a_tag_goes_with_its_history_in_one_write() {
    let client = client();
    let tags = json!([reference("v1", "r.example/a/app:v1"), reference("v2", "r.example/a/b")]);
    let before = stream(&client, &tags);
    assert_eq!(before["status"]["tags"].as_array().map(|list| list.len()), Some(2));
    client.delete(TAGS, NS, "app:v1", DeleteOptions::default()).unwrap();
    let after = client.get(&api::IMAGE_STREAMS, NS, "app").unwrap();
    assert_eq!(after["spec"]["tags"][0]["name"], "v2");
    assert_eq!(after["status"]["tags"][0]["tag"], "v2");
    let version = |stream: &Value| stream.resource_version().parse::<u64>().unwrap();
    assert_eq!(version(&after), version(&before) + 1);
    let gone = client.delete(TAGS, NS, "app:v1", DeleteOptions::default());
    assert_eq!(gone.unwrap_err().code, 404);
}

#[test]
fn tags_and_streams_point_to_allowed_registries_only() {
    let client = client_with(AllowedRegistries::only([("r.example", false)]).unwrap());
    let why = "registry \"quay.io\" not allowed by whitelist: \"docker-registry.default.svc:5000\", \
               \"r.example:443\"";
    let tag = |from: &str| istag("app:v1", &reference("v1", from));
    let mut given = tag("quay.io/a/b");
    given.remove(&["tag", "annotations"]);
    assert_eq!(
        message(client.create(TAGS, NS, given)),
        format!(
            "ImageStreamTag.image.openshift.io \"app:v1\" is invalid: tag.from.name: Forbidden: {why}"
        )
    );
    let outside = json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": {"name": "app"},
        "spec": {"tags": [{"name": "v1", "from": {"kind": "DockerImage", "name": "quay.io/a/b"}}]},
    });
    assert_eq!(
        message(client.create(&api::IMAGE_STREAMS, NS, outside)),
        format!(
            "ImageStream.image.openshift.io \"app\" is invalid: spec.tags[v1].from.name: Forbidden: \
             {why}"
        )
    );
    stream(&client, &json!([reference("v1", "r.example/a/app:v1")]));
    assert!(message(client.update(TAGS, tag("quay.io/a/b"))).ends_with(why));
    client.update(TAGS, tag("r.example/a/other")).unwrap();
    // A copy of the registry's own images is always allowed.
    client.update(TAGS, tag("docker-registry.default.svc:5000/q/app")).unwrap();
}

#[test]
fn a_stream_may_have_as_many_tags_and_images_as_its_project_allows() {
    let client = client();
    let max = json!({"openshift.io/image-tags": "2"});
    let range = json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "few"},
        "spec": {"limits": [{"type": "openshift.io/ImageStream", "max": max}]},
    });
    client.create(&api::LIMIT_RANGES, NS, range).unwrap();
    stream(&client, &json!([reference("v1", "r.example/a"), reference("v2", "r.example/a")]));
    let third = client.update(TAGS, istag("app:v3", &reference("v3", "r.example/a")));
    let refused = third.unwrap_err();
    assert_eq!(refused.code, 422);
    assert_eq!(
        refused.message,
        "ImageStream.image.openshift.io \"app\" is invalid: []: Internal error: \
         ImageStream.image.openshift.io \"app\" is forbidden: requested usage of \
         openshift.io/image-tags exceeds the maximum limit per openshift.io/ImageStream (3 > 2)"
    );
}
