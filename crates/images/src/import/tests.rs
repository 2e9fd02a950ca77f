//! Imports into a server, from the scripted catalogue.

use apiserver::Client;
use base64::Engine as _;
use cri::sim::{Behaviour, SimImages};
use world::{Time, World};

use super::apply::CHECKED;
use super::*;
use crate::import_controller::plan;
use crate::source::keyring::Login;
use crate::source::sim::Catalogue;
use crate::source::{self, Fetched, Wanted};

const NS: &str = "p";

struct Fixture {
    client: Client,
    images: SimImages,
    world: World,
}

fn fixture() -> Fixture {
    let (world, images) = (World::simulated(1), SimImages::new());
    let builder = ApiServer::builder(world.clone());
    let server = crate::register_with(
        builder,
        Arc::new(Catalogue(images.clone())),
        AllowedRegistries::default(),
    )
    .build();
    apiserver::bootstrap(&server).unwrap();
    let client = Client::new(server, User::system_admin());
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}});
    client.create(&api::NAMESPACES, "", namespace).unwrap();
    Fixture { client, images, world }
}

fn behaviour(code: i64) -> Behaviour {
    Behaviour { stop_code: Some(code), ..Behaviour::default() }
}

fn import_of(images: &[(&str, &str)], import: bool) -> Value {
    let images: Vec<Value> = images
        .iter()
        .map(
            |(from, to)| json!({"from": {"kind": "DockerImage", "name": from}, "to": {"name": to}}),
        )
        .collect();
    json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamImport",
        "metadata": {"name": "app"}, "spec": {"import": import, "images": images},
    })
}

impl Fixture {
    fn import(&self, body: Value) -> Result<Arc<Value>, Status> {
        self.client.create(&api::IMAGE_STREAM_IMPORTS, NS, body)
    }

    fn stream(&self) -> Arc<Value> {
        self.client.get(&api::IMAGE_STREAMS, NS, "app").unwrap()
    }

    fn later(&self) {
        self.world.advance_to(Time::parse_rfc3339("2030-01-01T00:00:00Z").unwrap());
    }
}

#[test]
fn an_import_makes_stream_image_tag_and_history_at_once() {
    let f = fixture();
    let digest = f.images.add("r.example/a/app:v1", behaviour(1));
    let done = f.import(import_of(&[("r.example/a/app:v1", "latest")], true)).unwrap();
    assert_eq!(done["status"]["images"][0]["status"]["status"], "Success");
    assert_eq!(done["status"]["images"][0]["image"]["metadata"]["name"], digest.as_str());
    assert_eq!(done["status"]["images"][0]["tag"], "v1", "the tag outside");
    assert_eq!(
        done["status"]["images"][0]["image"]["kind"],
        Value::Null,
        "it is a part of another"
    );
    let stream = f.stream();
    assert_eq!(done["status"]["import"], *stream);
    let tag = &stream["spec"]["tags"][0];
    assert_eq!(tag["from"], json!({"kind": "DockerImage", "name": "r.example/a/app:v1"}));
    assert_eq!((&tag["generation"], &stream["metadata"]["generation"]), (&json!(1), &json!(1)));
    let event = &stream["status"]["tags"][0]["items"][0];
    assert_eq!(event["dockerImageReference"], format!("r.example/a/app@{digest}"));
    assert_eq!((&event["image"], &event["generation"]), (&json!(digest), &json!(1)));
    assert!(stream.annotation(CHECKED).is_some());
    assert_eq!(plan(&stream), None);
}

#[test]
fn the_same_digest_again_changes_nothing_and_a_new_one_is_prepended() {
    let f = fixture();
    let old = f.images.add("r.example/a/app:v1", behaviour(1));
    let body = import_of(&[("r.example/a/app:v1", "latest")], true);
    f.import(body.clone()).unwrap();
    let first = f.stream();
    f.later();
    f.import(body.clone()).unwrap();
    assert_eq!(f.stream(), first);
    let new = f.images.add("r.example/a/app:v1", behaviour(2));
    f.import(body).unwrap();
    let stream = f.stream();
    let items = stream["status"]["tags"][0]["items"].as_array().unwrap();
    let names: Vec<_> = items.iter().map(|item| item.str_at(&["image"])).collect();
    assert_eq!(names, [new, old]);
    assert_eq!(stream.generation(), 2);
    assert_eq!(plan(&stream), None);
}

#[test]
fn a_failure_is_told_once_and_keeps_the_history() {
    let f = fixture();
    f.images.add("r.example/a/app:v1", behaviour(1));
    let body = import_of(&[("r.example/a/app:v1", "latest")], true);
    f.import(body.clone()).unwrap();
    f.images.add("r.example/a/app:v1", Behaviour { missing: true, ..Behaviour::default() });
    let done = f.import(body.clone()).unwrap();
    let message = "dockerimage.image.openshift.io \"r.example/a/app:v1\" not found";
    assert_eq!(done["status"]["images"][0]["status"]["message"], message);
    assert_eq!(done["status"]["images"][0]["status"]["code"], 404);
    let stream = f.stream();
    let entry = &stream["status"]["tags"][0];
    assert_eq!(entry["items"].as_array().map(|list| list.len()), Some(1));
    let condition = &entry["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["status"]),
        (&json!("ImportSuccess"), &json!("False"))
    );
    assert_eq!(
        (&condition["reason"], &condition["message"]),
        (&json!("NotFound"), &json!(message))
    );
    assert_eq!(condition["generation"], stream["spec"]["tags"][0]["generation"]);
    assert_eq!(plan(&stream), None, "a failed import waits for a new generation");
    f.later();
    f.import(body.clone()).unwrap();
    assert_eq!(f.stream(), stream);
    f.images.add("r.example/a/app:v1", behaviour(1));
    f.import(body).unwrap();
    assert!(f.stream()["status"]["tags"][0].get("conditions").is_none());
}

#[test]
fn a_dry_run_writes_nothing() {
    let f = fixture();
    f.images.add("r.example/a/app:v1", behaviour(1));
    let done = f.import(import_of(&[("r.example/a/app:v1", "latest")], false)).unwrap();
    assert!(done["status"].get("import").is_none());
    assert!(f.client.list(&api::IMAGE_STREAMS, NS).unwrap().is_empty());
    assert!(f.client.list(&api::IMAGES, "").unwrap().is_empty());
}

#[test]
fn an_import_for_another_state_of_the_stream_is_refused() {
    let f = fixture();
    let mut body = import_of(&[("r.example/a/app:v1", "latest")], true);
    body["metadata"]["resourceVersion"] = json!("1");
    assert_eq!(f.import(body.clone()).unwrap_err().code, 404);
    f.import(import_of(&[("r.example/a/app:v1", "latest")], true)).unwrap();
    let refused = f.import(body.clone()).unwrap_err();
    assert_eq!(refused.code, 409);
    assert!(refused.message.contains("the image stream was updated from \"1\" to"));
    body["metadata"]["resourceVersion"] = json!("");
    body["metadata"]["uid"] = json!("other");
    assert_eq!(f.import(body).unwrap_err().code, 404);
}

#[test]
fn what_is_wrong_with_an_import_is_told_in_upstreams_words() {
    let f = fixture();
    let check = |spec: Value| {
        let mut body = import_of(&[], true);
        body["spec"] = spec;
        f.import(body).unwrap_err().message
    };
    assert!(
        check(json!({})).contains("you must specify at least one image or a repository import")
    );
    let from = |kind: &str, name: &str| json!({"kind": kind, "name": name});
    let one = |from: Value, to: &str| json!({"images": [{"from": from, "to": {"name": to}}]});
    assert!(
        check(one(from("ImageStreamTag", "a:b"), "b")).contains("only DockerImage is supported")
    );
    assert!(
        check(one(from("DockerImage", "a"), ""))
            .contains("the name of the target tag must be specified")
    );
    let repository = json!({"repository": {"from": from("DockerImage", "a/b:c")}});
    assert!(check(repository).contains("you must specify an image repository, not a tag or ID"));
}

#[test]
fn credentials_come_from_the_secrets_of_the_namespace() {
    let f = fixture();
    let login = cri::sim::Login { username: "joe".to_owned(), password: "s3cret".to_owned() };
    let guarded = Behaviour { pull_credentials: Some(login), ..Behaviour::default() };
    f.images.add("r.example/a/app:v1", guarded);
    let body = import_of(&[("r.example/a/app:v1", "latest")], false);
    let message = |done: &Value| {
        done.str_at(&[]).to_owned() + done["status"]["images"][0]["status"].str_at(&["message"])
    };
    let refused = f.import(body.clone()).unwrap();
    let text = "you may not have access to the Docker image \"r.example/a/app:v1\" and did not have \
                credentials to the repository";
    assert_eq!(message(&refused), text);
    let config = json!({"r.example": {"username": "joe", "password": "s3cret"}}).to_string();
    let packed = base64::engine::general_purpose::STANDARD.encode(config);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull"},
        "type": "kubernetes.io/dockercfg", "data": {".dockercfg": packed},
    });
    f.client.create(&api::SECRETS, NS, secret).unwrap();
    let done = f.import(body).unwrap();
    assert_eq!(done["status"]["images"][0]["status"]["status"], "Success");
    let secrets = f.client.subresource_get(&api::IMAGE_STREAMS, NS, "any", "secrets").unwrap();
    assert_eq!(secrets["items"][0]["metadata"]["name"], "pull");
}

#[test]
fn a_repository_is_imported_newest_first_and_the_rest_is_named() {
    let f = fixture();
    for minor in 0..60 {
        f.images.add(&format!("r.example/a/app:1.{minor}"), behaviour(minor));
    }
    let mut body = import_of(&[], true);
    body["spec"] = json!({
        "import": true,
        "repository": {"from": {"kind": "DockerImage", "name": "r.example/a/app"}},
    });
    let done = f.import(body).unwrap();
    let repository = &done["status"]["repository"];
    assert_eq!(repository["status"]["status"], "Success");
    assert_eq!(repository["images"][0]["tag"], "1.59");
    assert_eq!(repository["images"].as_array().map(|list| list.len()), Some(50));
    assert_eq!(repository["additionalTags"].as_array().map(|list| list.len()), Some(10));
    let stream = f.stream();
    assert_eq!(stream["spec"]["tags"].as_array().map(|list| list.len()), Some(50));
    assert_eq!(plan(&stream), None);
}

#[test]
fn a_stream_that_points_outside_asks_to_be_imported() {
    let f = fixture();
    let tag = |name: &str, reference: bool| {
        json!({"name": name, "reference": reference,
            "from": {"kind": "DockerImage", "name": "r.example/a/app:v1"}})
    };
    let stream = json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": {"name": "app"},
        "spec": {"tags": [tag("latest", false), tag("mere", true)]},
    });
    f.client.create(&api::IMAGE_STREAMS, NS, stream).unwrap();
    let import = plan(&f.stream()).unwrap();
    assert_eq!(import["spec"]["images"].as_array().map(|list| list.len()), Some(1));
    f.import(import).unwrap();
    assert_eq!(plan(&f.stream()), None);
    let mut changed = (*f.stream()).clone();
    changed["spec"]["tags"][0]["generation"] = json!(0);
    f.client.update(&api::IMAGE_STREAMS, changed).unwrap();
    assert!(plan(&f.stream()).is_some(), "generation 0 asks again");
}

/// A public image in a registry that wants nobody's wrong password.
#[derive(Debug)]
struct Touchy;

impl Source for Touchy {
    fn image(&self, wanted: &Wanted<'_>) -> Result<Fetched, source::Error> {
        if *wanted.keyring != Keyring::default() {
            return Err(source::Error::Unauthorized { no_basic: false, incorrect: true });
        }
        if wanted.reference.name == "private" {
            return Err(source::Error::Unauthorized { no_basic: true, incorrect: false });
        }
        Ok(Fetched { digest: "sha256:1".to_owned(), ..Fetched::default() })
    }

    fn tags(&self, _: &Wanted<'_>) -> Result<Vec<String>, source::Error> {
        Err(source::Error::NotFound)
    }

    fn is_remote(&self) -> bool {
        false
    }
}

#[test]
fn a_wrong_password_does_not_hide_a_public_image() {
    let login = Login { username: "joe".to_owned(), password: "old".to_owned() };
    let keyring = Keyring::new([("r.example".to_owned(), login)]);
    let platform = Preferences(None);
    let asking = Asking { source: &Touchy, keyring: &keyring, platform: &platform };
    let import = import_of(&[("r.example/a/public", "a"), ("r.example/a/private", "b")], false);
    let answers = asking.all(&import).images;
    assert_eq!(answers[0].image.as_ref().unwrap().name(), "sha256:1");
    let refusal = answers[1].image.as_ref().unwrap_err();
    let text = "incorrect username or password for image \"r.example/a/private\"";
    assert_eq!(refusal.message, text, "the first refusal is told");
}

#[test]
fn an_import_over_the_limit_is_noted_on_the_tags_it_would_have_made() {
    let f = fixture();
    f.images.add("r.example/a/app:v1", behaviour(1));
    f.images.add("r.example/a/app:v2", behaviour(2));
    f.import(import_of(&[("r.example/a/app:v1", "v1")], true)).unwrap();
    let range = json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "few"},
        "spec": {"limits": [
            {"type": "openshift.io/ImageStream", "max": {"openshift.io/images": "1"}}]},
    });
    f.client.create(&api::LIMIT_RANGES, NS, range).unwrap();
    let refused = f.import(import_of(&[("r.example/a/app:v2", "v2")], true)).unwrap_err();
    let text = "requested usage of openshift.io/images exceeds the maximum limit per \
                openshift.io/ImageStream (2 > 1)";
    assert!(refused.message.ends_with(text), "{}", refused.message);
    let stream = f.stream();
    let entry = &stream["status"]["tags"][1];
    assert_eq!((&entry["tag"], &entry["items"]), (&json!("v2"), &Value::Null));
    let condition = &entry["conditions"][0];
    assert_eq!((&condition["status"], &condition["reason"]), (&json!("False"), &json!("Invalid")));
    assert_eq!(condition["message"], refused.message);
    assert_eq!(stream["spec"]["tags"].as_array().map(|list| list.len()), Some(1));
}
