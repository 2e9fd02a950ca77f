//! Image streams: histories, names, pull specs, validation and triggers.
//!
//! Upstream's internal streams hold their tags in maps by name, the served ones in lists.

use std::sync::Arc;

use apimachinery::field::Path;
use apimachinery::image_reference::{
    ImageReference, parse_image_stream_image, parse_image_stream_tag,
};
use apimachinery::{Map, Value, json};
use images::AllowedRegistries;
use images::history::{self, TagEvent};
use images::import::tags::prioritize;
use images::source::{Keyring, Login};
use images::{annotation_trigger, import_controller, metadata, stream, trigger};

use crate::documents::{bare, same_document, without};
use crate::errors::{agree, agree_on};
use crate::harness::{Outcome, Row, Suites, same};

const API: &str = "openshift-images/image-api.json";
const IMPORTER: &str = "openshift-images/image-importer.json";
const VALIDATION: &str = "openshift-images/image-validation.json";

pub(crate) fn register(suites: &mut Suites) {
    histories(suites);
    resolution(suites);
    names(suites);
    references(suites);
    validation(suites);
    imports(suites);
    tags(suites);
    annotations(suites);
    suites.add(
        "openshift-images/image-trigger-dc.json",
        "UpdateDeploymentConfigImages",
        trigger_images,
    );
}

/// An internal stream as it is served.
fn served(internal: &Value) -> Value {
    let list = |tags: &Value, key: &str| -> Vec<Value> {
        let named = |(name, tag): (&apimachinery::Text, &Value)| {
            let mut tag = tag.clone();
            tag[key] = json!(name);
            tag
        };
        tags.as_object().into_iter().flatten().map(named).collect()
    };
    let mut stream = internal.clone();
    if internal["spec"]["tags"].is_object() {
        stream["spec"]["tags"] = json!(list(&internal["spec"]["tags"], "name"));
    }
    if internal["status"]["tags"].is_object() {
        stream["status"]["tags"] = json!(list(&internal["status"]["tags"], "tag"));
    }
    stream
}

fn event(document: &Value) -> Value {
    bare(&without(document, &["created"]))
}

fn event_of(event: &TagEvent) -> Value {
    let mut document = Map::new();
    document.insert("dockerImageReference".to_owned(), json!(event.docker_image_reference));
    document.insert("image".to_owned(), json!(event.image));
    if event.generation != 0 {
        document.insert("generation".to_owned(), json!(event.generation));
    }
    bare(&Value::Object(document))
}

fn tag_or_latest<'a>(row: &'a Row<'_>) -> &'a str {
    Some(row.text("tag")).filter(|tag| !tag.is_empty()).unwrap_or("latest")
}

fn histories(suites: &mut Suites) {
    suites.add(API, "AddTagEventToImageStream", |row| {
        let mut stream = served(row.arg("stream"));
        let changed =
            history::add_event(&mut stream, row.text("tag"), &TagEvent::read(row.arg("next")));
        same(&json!(changed), row.result(0))
    });
    suites.add(API, "TestAddTagEventToImageStream.L735", |row| {
        let mut stream = served(&json!({"status": {"tags": row.arg("tags")}}));
        let next =
            json!({"dockerImageReference": row.arg("nextRef"), "image": row.arg("nextImage")});
        let changed = history::add_event(&mut stream, "latest", &TagEvent::read(&next));
        let tidy = |stream: &Value| event(&without(&stream["status"]["tags"], &["generation"]));
        let want = served(&json!({"status": {"tags": row.arg("expectedTags")}}));
        same(&json!(changed), row.arg("expectedUpdate"))
            .and(|| same_document(&tidy(&stream), &tidy(&want)))
    });
    suites.add(API, "LatestTaggedImage", |row| {
        let got = history::latest(&served(row.arg("stream")), tag_or_latest(row));
        same(&got.as_ref().map_or(Value::Null, event_of), &event(row.result(0)))
    });
    suites.add(API, "TestLatestTaggedImage.L416", |row| {
        let stream = served(&json!({"status": {"tags": row.arg("tags")}}));
        let got =
            history::latest(&stream, tag_or_latest(row)).map(|event| event.docker_image_reference);
        same(&got.unwrap_or_default().as_str(), &row.text("expected"))
    });
    suites.add(API, "UpdateTrackingTags", |row| {
        let mut stream = served(row.arg("stream"));
        let next = TagEvent::read(row.arg("updatedImage"));
        let changed = history::update_tracking_tags(&mut stream, row.text("updatedTag"), &next);
        same(&changed, &(row.result(0) != 0))
    });
}

fn resolution(suites: &mut Suites) {
    suites.add(API, "ResolveLatestTaggedImage", |row| {
        let got = stream::resolve_pull_spec(&served(row.arg("stream")), tag_or_latest(row));
        let want = row.result(0).as_str().filter(|_| row.result(1) == true);
        same(&got.as_deref(), &want)
    });
    suites.add(API, "TestResolveLatestTaggedImage.L566", |row| {
        let stream = served(&json!({
            "spec": {"tags": row.arg("refs")},
            "status": {"tags": row.arg("tags"), "dockerImageRepository": row.arg("statusRef")},
        }));
        let got = stream::resolve_pull_spec(&stream, tag_or_latest(row));
        same(&got.unwrap_or_default().as_str(), &row.text("expected"))
    });
    suites.add(API, "ResolveImageID", |row| {
        match (stream::find_image(&served(row.arg("stream")), row.text("imageID")), row.result(1)) {
            (Ok(got), Value::Null) => same(&event_of(&got), &event(row.result(0))),
            (Err(got), want) => same(&Some(got.message.as_str()), &want["error"].as_str()),
            (got, want) => Outcome::Fail(format!("got {got:?}, want {want}")),
        }
    });
    suites.add(API, "TestResolveImageID.L1059", |row| {
        let stream = served(&json!({"status": {"tags": row.arg("tags")}}));
        match stream::find_image(&stream, row.text("imageID")) {
            Ok(got) => same(&event_of(&got), &event(row.arg("expEvent"))),
            Err(got) => same(&got.message.contains(row.text("expErr")), &true)
                .and(|| same(&row.text("expErr").is_empty(), &false)),
        }
    });
    suites.add(API, "TestPrioritizeTags.L1180", |row| {
        let words = |field: &str| -> Vec<String> {
            json::from_value(row.arg(field).clone()).expect("a list of texts")
        };
        let mut tags = words("tags");
        prioritize(&mut tags);
        same(&tags, &words("expected"))
    });
}

fn names(suites: &mut Suites) {
    suites.add(API, "ParseImageStreamTagName", |row| {
        parts(parse_image_stream_tag(row.text("istag")).map_err(|error| error.to_string()), row)
    });
    suites.add(API, "ParseImageStreamImageName", |row| {
        parts(parse_image_stream_image(row.text("input")).map_err(|error| error.to_string()), row)
    });
    suites.add(API, "TestParseImageStreamImageName.L49", |row| {
        match parse_image_stream_image(row.text("input")) {
            Ok(got) => same(&got, &(row.text("expectedRepo"), row.text("expectedId"))),
            Err(_) => same(&(row.arg("expectError") == true), &true),
        }
    });
    suites.add(API, "TestParseImageStreamTagName.L105", |row| {
        match parse_image_stream_tag(row.text("id")) {
            Ok(got) => same(&got, &(row.text("expectedName"), row.text("expectedTag"))),
            Err(_) => same(&(row.arg("expectError") == true), &true),
        }
    });
}

fn parts(got: Result<(&str, &str), String>, row: &Row<'_>) -> Outcome {
    match (got, row.result(2)["error"].as_str()) {
        (Ok((first, second)), None) => {
            same(&json!([first, second]), &json!([row.result(0), row.result(1)]))
        }
        (Err(got), Some(want)) => same(&got.as_str(), &want),
        (got, want) => Outcome::Fail(format!("got {got:?}, want error {want:?}")),
    }
}

fn reference(document: &Value, [registry, namespace, name, tag, id]: [&str; 5]) -> ImageReference {
    let text = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
    ImageReference {
        registry: text(registry),
        namespace: text(namespace),
        name: text(name),
        tag: text(tag),
        id: text(id),
    }
}

fn references(suites: &mut Suites) {
    const PARTS: [&str; 5] = ["Registry", "Namespace", "Name", "Tag", "ID"];
    const LOWER: [&str; 5] = ["registry", "namespace", "name", "tag", "id"];
    type Change = fn(&ImageReference) -> ImageReference;
    for (test, change) in [
        ("TestDockerImageReferenceAsRepository.L148", ImageReference::as_repository as Change),
        ("TestDockerImageReferenceDaemonMinimal.L222", ImageReference::daemon_minimal),
    ] {
        suites.add(API, test, move |row| {
            same(&change(&reference(row.input, PARTS)).exact().as_str(), &row.text("Expected"))
        });
    }
    suites.add(API, "TestDockerImageReferenceString.L345", |row| {
        let reference = reference(row.input, PARTS);
        same(&reference.to_string().as_str(), &row.text("Expected"))
    });
    suites.add(API, "TestDockerImageReferenceEquality.L1144", |row| {
        let [a, b] = ["a", "b"].map(|side| reference(row.arg(side), LOWER));
        same(&(a == b), &(row.arg("isEqual") == true))
    });
    suites.add(API, "ParseDockerImageReference", |row| {
        let got = ImageReference::parse(row.text("spec")).map_err(|error| error.to_string());
        same(&got, &Ok(reference(row.result(0), LOWER)))
    });
}

fn validation(suites: &mut Suites) {
    for (name, arg, resource) in [
        ("ValidateImage", "image", &api::IMAGES),
        ("ValidateImageStream", "stream", &api::IMAGE_STREAMS),
        ("ValidateImageStreamMapping", "mapping", &api::IMAGE_STREAM_MAPPINGS),
        ("ValidateImageStreamImport", "isi", &api::IMAGE_STREAM_IMPORTS),
    ] {
        suites.add(VALIDATION, name, move |row| {
            agree(&api::validation::create(resource, row.arg(arg)), row.result(0))
        });
    }
    suites.add(VALIDATION, "ValidateImageStreamWithWhitelister", |row| {
        let Some(allowed) = allowed(row) else { return Outcome::Skip };
        let mut got = api::validation::create(&api::IMAGE_STREAMS, row.arg("stream"));
        got.extend(allowed.check_stream(row.arg("stream"), None));
        agree(&got, row.result(0))
    });
    suites.add(VALIDATION, "ValidateImageStreamUpdateWithWhitelister", |row| {
        let (new, old) = (row.arg("newStream"), row.arg("oldStream"));
        let Some(allowed) = allowed(row) else { return Outcome::Skip };
        let mut got = api::validation::update(&api::IMAGE_STREAMS, new, old);
        got.extend(allowed.check_stream(new, Some(old)));
        agree(&got, row.result(0))
    });
    suites.add(VALIDATION, "ValidateImageStreamTagUpdateWithWhitelister", |row| {
        let (new, old) = (row.arg("newIST"), row.arg("oldIST"));
        let Some(allowed) = allowed(row) else { return Outcome::Skip };
        let got = allowed.check_tag(new, old.get("tag").filter(|tag| tag.is_object()));
        agree_on(&got, row.result(0), |text| text.contains("Forbidden"))
    });
    suites.add(VALIDATION, "ValidateRegistryAllowedForImport", |row| {
        let Some(allowed) = allowed(row) else { return Outcome::Skip };
        let got =
            allowed.check_host(&Path::new(""), row.text("registryHost"), row.text("registryPort"));
        agree(&Vec::from_iter(got), row.result(0))
    });
    suites.add(VALIDATION, "ValidateImageStreamTagUpdate", |row| {
        let (new, old) = (row.arg("newIST"), row.arg("oldIST"));
        let mut got = api::validation::update(&api::IMAGE_STREAM_TAGS, new, old);
        got.extend(images::tag::check_metadata(new, old));
        agree_on(&got, row.result(0), |text| !text.starts_with("metadata.resourceVersion: "))
    });
}

/// The list of allowed registries of a row; `None` where upstream has added references of its own.
fn allowed(row: &Row<'_>) -> Option<AllowedRegistries> {
    let given = row.arg("whitelister");
    if given.is_null() {
        return Some(AllowedRegistries::default());
    }
    if !given["pullSpecs"].is_null() {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let patterns = given["whitelist"].as_array().into_iter().flatten();
    let patterns: Vec<String> =
        patterns.map(|one| format!("{}:{}", text(&one["host"]), text(&one["port"]))).collect();
    let list = patterns.iter().map(|pattern| (pattern.as_str(), false));
    let allowed = AllowedRegistries::only(list).ok()?;
    let own = text(&given["registryHostRetriever"]["registryURL"]);
    Some(if own.is_empty() { allowed } else { allowed.with_own(&own) })
}

fn imports(suites: &mut Suites) {
    suites.add("openshift-images/image-controller.json", "TestHandleImageStream.L396", |row| {
        let got = import_controller::plan(row.arg("stream")).map(|import| import["spec"].clone());
        // Upstream's internal types write every policy out, empty or not.
        same_document(&bare(&got.unwrap_or_default()), &bare(row.arg("expected")))
    });
    suites.add(IMPORTER, "Test_basicCredentialsFromKeyring.L104", |row| {
        let args = row.arg("args");
        let servers = args["keyring"]["creds"].as_object().into_iter().flatten();
        let entries = servers.map(|(server, found)| {
            let config = &found[0]["AuthConfig"];
            let text = |field: &str| config[field].as_str().unwrap_or_default().to_owned();
            (server.to_string(), Login { username: text("username"), password: text("password") })
        });
        let keyring = Keyring::new(entries);
        let part = |field: &str| args["target"][field].as_str().unwrap_or_default();
        let got = keyring.login(part("Scheme"), part("Host"), part("Path"));
        let got = got.map_or(("", ""), |login| (&*login.username, &*login.password));
        same(&got, &(row.text("user"), row.text("password")))
    });
    suites.add(IMPORTER, "TestImport.L351", |row| {
        let wanted = row.arg("image");
        let mut got = wanted.clone();
        got["dockerImageLayers"] = json!([]);
        metadata::fill(&mut got);
        let layers = |image: &Value, size: &str| -> Vec<(Value, i64)> {
            let layers = image["dockerImageLayers"].as_array().into_iter().flatten();
            layers.map(|l| (l["name"].clone(), l[size].as_i64().unwrap_or(0))).collect()
        };
        let names = |layers: Vec<(Value, i64)>| -> Vec<Value> {
            layers.into_iter().map(|(name, _)| name).collect()
        };
        // Sizes of the oldest manifests come from the registry, layer by layer.
        same(&names(layers(&got, "size")), &names(layers(wanted, "layerSize")))
    });
}

/// Looks up one stream, whatever it is called.
struct Other<'a>(&'a Value);

impl stream::Streams for Other<'_> {
    fn stream(&self, _: &str, _: &str) -> Option<Arc<Value>> {
        self.0.is_object().then(|| Arc::new(self.0.clone()))
    }

    fn may_pull(&self, _: &str, _: &str) -> bool {
        true
    }
}

fn tags(suites: &mut Suites) {
    const FILE: &str = "openshift-images/image-registry-is.json";
    suites.add(FILE, "TestTagRefChanged.L1348", |row| {
        let got = stream::refers_elsewhere(row.arg("old"), row.arg("next"), "streamnamespace");
        same(&got, &(row.arg("expected") == true))
    });
    suites.add(FILE, "tagRefChanged", |row| {
        let namespace = row.text("streamNamespace");
        let got = stream::refers_elsewhere(row.arg("old"), row.arg("next"), namespace);
        same(&got, &(row.result(0) == true))
    });
    suites.add(FILE, "TestTagsChanged.L1104", |row| {
        let of = |spec: &Value, status: &Value| {
            served(&json!({
                "metadata": {"name": "stream"},
                "spec": {"tags": spec}, "status": {"tags": status},
            }))
        };
        let history = row.arg("existingTagHistory");
        let mut got = of(row.arg("tags"), history);
        let old = of(row.arg("previous"), history);
        let status = Some(got["status"].clone());
        let (others, now) = (Other(row.arg("otherStream")), "2018-10-11T12:00:00Z");
        if let Err(errors) = stream::prepare_for_update(&mut got, &old, status, &others, now) {
            return Outcome::Fail(format!("refused: {errors:?}"));
        }
        let tidy = |stream: &Value| event(&without(&stream["status"]["tags"], &["generation"]));
        same_document(&tidy(&got), &tidy(&of(&Value::Null, row.arg("expectedTagHistory"))))
    });
}

fn annotations(suites: &mut Suites) {
    fn resolver(tags: &Value) -> impl Fn(&str, &str, &str) -> Option<String> + '_ {
        move |namespace: &str, name: &str, tag: &str| {
            let known = tags.as_array().into_iter().flatten().find(|known| {
                known["Namespace"] == namespace && known["Name"] == format!("{name}:{tag}")
            })?;
            known["Ref"].as_str().map(str::to_owned)
        }
    }
    const FILE: &str = "openshift-images/image-trigger-annotations.json";
    suites.add(FILE, "UpdateObjectFromImages", |row| {
        let got = annotation_trigger::plan(row.arg("obj"), &resolver(row.arg("tagRetriever")));
        match (got, row.result(1)["error"].as_str()) {
            (Ok(got), None) => same_document(&bare(&got.unwrap_or_default()), &bare(row.result(0))),
            (Err(got), Some(want)) => same(&got.to_string().as_str(), &want),
            (got, want) => Outcome::Fail(format!("got {got:?}, want {want:?}")),
        }
    });
    suites.add(FILE, "TestAnnotationsReactor.L283", |row| {
        let got = annotation_trigger::plan(row.arg("obj"), &resolver(row.arg("tags")));
        let fails = row.arg("expectedErr") == true;
        match got {
            Ok(got) if !fails => {
                same_document(&bare(&got.unwrap_or_default()), &bare(row.arg("expected")))
            }
            Err(_) if fails => Outcome::Pass,
            got => Outcome::Fail(format!("got {got:?}, want an error: {fails}")),
        }
    });
}

fn trigger_images(row: &Row<'_>) -> Outcome {
    // Upstream's test leaves out the type, which every stored trigger has.
    let typed = |dc: &Value| {
        let mut dc = dc.clone();
        for trigger in dc["spec"]["triggers"].as_array_mut().into_iter().flatten() {
            trigger["type"] = json!("ImageChange");
        }
        bare(&dc)
    };
    let resolve = |namespace: &str, name: &str, tag: &str| {
        let tags = row.arg("tagRetriever").as_array().into_iter().flatten();
        let mut wanted = tags.filter(|known| {
            known["Namespace"] == namespace && known["Name"] == format!("{name}:{tag}")
        });
        wanted.next().and_then(|known| known["Ref"].as_str()).map(str::to_owned)
    };
    let got = trigger::plan(&typed(row.arg("dc")), &resolve);
    match (got, row.result(0).is_object()) {
        (Some(got), true) => same_document(&bare(&got), &typed(row.result(0))),
        (None, false) => Outcome::Pass,
        (got, want) => Outcome::Fail(format!("changed {}, want {want}", got.is_some())),
    }
}
