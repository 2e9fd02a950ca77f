//! `oc tag` in all its forms: kinds of sources, `--scheduled`, `--reference`, `--alias`,
//! `--reference-policy=local`, `-d`, from another project.

use apimachinery::{Value, json};

use super::{path, shop};
use crate::harness::raw::{Answer, Raw};

/// What `oc tag` PUTs for `web:<tag>`.
fn tag(alice: &Raw, tag: &str, from: &Value, options: &Value) -> Answer {
    let mut reference = json!({"name": "", "annotations": null, "from": from, "generation": null,
        "importPolicy": {}, "referencePolicy": {"type": "Source"}});
    for (key, value) in options.as_object().into_iter().flatten() {
        reference[key] = value.clone();
    }
    let body = json!({"kind": "ImageStreamTag", "apiVersion": "image.openshift.io/v1",
        "metadata": {"name": format!("web:{tag}"), "namespace": "shop"}, "tag": reference});
    alice.put(&path("image", &format!("imagestreamtags/web:{tag}")), &body)
}

fn outside(name: &str) -> Value {
    json!({"kind": "DockerImage", "name": name})
}

/// The newest entry of the history of `web:<tag>`, once there is one.
fn newest(alice: &Raw, tag: &str) -> Value {
    let of = |stream: &Value| {
        let tags = stream["status"]["tags"].as_array()?;
        let status = tags.iter().find(|status| status["tag"] == tag)?;
        status["items"].as_array()?.first().cloned()
    };
    let stream = alice.wait(&path("image", "imagestreams"), "web", |stream| of(stream).is_some());
    of(&stream).unwrap()
}

#[test]
fn images_outside_are_imported_unless_they_are_only_referred_to() {
    let (cluster, _, alice) = shop();
    let digest = cluster.image("r.example/a/web:1", "{}");
    let again = json!({"generation": 0});
    // oc tag --source=docker r.example/a/web:1 web:v1: the stream comes with its first tag.
    let made = tag(&alice, "v1", &outside("r.example/a/web:1"), &again);
    assert_eq!(made.code, 201);
    assert_eq!(made.json()["tag"]["generation"], 1);
    assert_eq!(newest(&alice, "v1")["image"], digest);
    // --scheduled
    let scheduled = json!({"generation": 0, "importPolicy": {"scheduled": true}});
    let changed = tag(&alice, "v1", &outside("r.example/a/web:1"), &scheduled).ok();
    assert_eq!(changed["tag"]["importPolicy"], json!({"scheduled": true}));
    // --reference: nothing is imported, the pull spec is the history.
    let refers = json!({"generation": 0, "reference": true});
    tag(&alice, "ref", &outside("r.example/a/web:1"), &refers).ok();
    let item = newest(&alice, "ref");
    assert_eq!(item["dockerImageReference"], "r.example/a/web:1");
    assert_eq!(item["image"], "");
    // --reference-policy=local: pulled through the integrated registry.
    let local = json!({"generation": 0, "referencePolicy": {"type": "Local"}});
    tag(&alice, "local", &outside("r.example/a/web:1"), &local).ok();
    assert_eq!(newest(&alice, "local")["image"], digest);
    let shown = alice.get(&path("image", "imagestreamtags/web:local")).ok();
    assert_eq!(
        shown["image"]["dockerImageReference"],
        format!("docker-registry.default.svc:5000/shop/web@{digest}")
    );
    let policy = json!({"generation": 0, "referencePolicy": {"type": "Near"}});
    assert_eq!(
        tag(&alice, "near", &outside("r.example/a/web:1"), &policy).refusal(),
        "422 ImageStreamTag.image.openshift.io \"web:near\" is invalid: tag.referencePolicy.type: \
         Invalid value: \"Near\": valid values are \"Source\", \"Local\""
    );
}

#[test]
fn tags_are_copied_followed_and_deleted() {
    let (cluster, _, alice) = shop();
    let [one, two] = ["1", "2"].map(|version| {
        cluster
            .image(&format!("r.example/a/web:{version}"), &format!("{{\"logs\": [\"{version}\"]}}"))
    });
    tag(&alice, "v1", &outside("r.example/a/web:1"), &json!({"generation": 0})).ok();
    assert_eq!(newest(&alice, "v1")["image"], one);
    // oc tag web:v1 web:copy, which oc resolves to the image that is there now.
    let image = json!({"kind": "ImageStreamImage", "name": format!("web@{one}")});
    assert_eq!(tag(&alice, "copy", &image, &json!({})).code, 201);
    // oc tag --alias web:v1 web:alias
    let alias = json!({"kind": "ImageStreamTag", "name": "web:v1"});
    tag(&alice, "alias", &alias, &json!({})).ok();
    assert_eq!(newest(&alice, "alias")["image"], one);
    // The tag moves: the alias goes with it, the copy stays.
    tag(&alice, "v1", &outside("r.example/a/web:2"), &json!({"generation": 0})).ok();
    alice.wait(&path("image", "imagestreams"), "web", |stream| {
        let tags = stream["status"]["tags"].as_array().cloned().unwrap_or_default();
        let alias = tags.iter().find(|status| status["tag"] == "alias");
        alias.is_some_and(|alias| alias["items"][0]["image"] == two)
    });
    assert_eq!(newest(&alice, "copy")["image"], one);
    // oc tag -d, twice
    let copy = path("image", "imagestreamtags/web:copy");
    assert_eq!(alice.delete(&copy).ok()["status"], "Success");
    let gone = "404 imagestreamtags.image.openshift.io \"web:copy\" not found";
    assert_eq!(alice.delete(&copy).refusal(), gone);
    assert_eq!(alice.get(&copy).refusal(), gone);
    // An image that no history has, and a stream of a project that alice may not read.
    let absent = json!({"kind": "ImageStreamImage", "name": "web@sha256:0000"});
    assert_eq!(tag(&alice, "absent", &absent, &json!({})).code, 422);
    let foreign = json!({"kind": "ImageStreamTag", "name": "app:v1", "namespace": "default"});
    let refused = tag(&alice, "foreign", &foreign, &json!({}));
    let why = "spec.tags[foreign].from: Forbidden: default/app: \"no RBAC policy matched\" \"\"";
    assert!(refused.code == 422 && refused.refusal().ends_with(why), "{}", refused.refusal());
}
