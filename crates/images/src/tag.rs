//! `imagestreamtags`: one tag of a stream as an object of its own. `oc tag` PUTs them.
//!
//! Invariant: a write of a tag is a write of its stream; there is no other storage.
//!
//! Mirrors: `openshift/origin pkg/image/apiserver/registry/imagestreamtag/rest.go`.

mod write;

use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{
    Call, DeleteOptions, Deleted, HandlerContext, ListOptions, ObjectList, RestHandler, Stored,
    Written,
};

pub use self::write::check_metadata;
use crate::allowed_registries::AllowedRegistries;
use crate::history::{TagEvent, latest, spec_tag, status_tag};
use crate::image::{read_image, strip_manifest, tag_not_found};
use crate::strategy::read_stream;
use crate::stream::resolve_pull_spec;

/// Serves `imagestreamtags`.
#[derive(Debug)]
pub struct ImageStreamTags {
    allowed: AllowedRegistries,
}

impl ImageStreamTags {
    /// Tags may point to allowed registries.
    #[must_use]
    pub fn new(allowed: AllowedRegistries) -> Self {
        Self { allowed }
    }
}

impl RestHandler for ImageStreamTags {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let (name, tag) = split(cx.call.name)?;
        let stream = read_stream(cx.server, cx.call.user, cx.call.namespace, name)?;
        let event = latest(&stream, tag).filter(|event| !event.image.is_empty());
        let event = event.ok_or_else(|| tag_not_found(cx.call.name))?;
        let image = read_image(cx.server, cx.call.user, &event.image)?;
        Ok(Stored::new(document(&stream, tag, Some(&event), image)))
    }

    fn list(&self, cx: &HandlerContext<'_>, options: &ListOptions) -> Result<ObjectList, Status> {
        let call = Call::new(cx.call.user, &api::IMAGE_STREAMS).within(cx.call.namespace);
        let streams = ListOptions {
            label_selector: options.label_selector.clone(),
            resource_version: options.resource_version.clone(),
            ..ListOptions::default()
        };
        let streams = cx.server.list(&call, &streams)?;
        let mut items = Vec::new();
        for stream in &streams.items {
            for entry in stream.value().list_at(&["status", "tags"]) {
                let tag = entry.str_at(&["tag"]);
                let event = entry.list_at(&["items"]).first().map(TagEvent::read);
                let Some(event) = event.filter(|event| !event.image.is_empty()) else { continue };
                let image = json!({"metadata": {"name": event.image}});
                items.push(Stored::new(document(&stream.value(), tag, Some(&event), image)));
            }
        }
        Ok(ObjectList { items, continue_token: None, remaining: None, ..streams })
    }

    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        write::create(cx, body, &self.allowed)
    }

    fn update(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        write::update(cx, body, &self.allowed)
    }

    /// A tag that was never imported can be patched as well.
    fn to_patch(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let (name, tag) = split(cx.call.name)?;
        let stream = read_stream(cx.server, cx.call.user, cx.call.namespace, name)?;
        Ok(Stored::new(without_image(&stream, tag)))
    }

    fn delete(&self, cx: &HandlerContext<'_>, options: &DeleteOptions) -> Result<Deleted, Status> {
        let (name, tag) = split(cx.call.name)?;
        let mut last = conflict(cx.call.name, "the image stream kept changing");
        for _ in 0..write::ATTEMPTS {
            match write::delete(cx, (name, tag), options) {
                Err(status) if status.is_conflict() && options.uid.is_none() => last = status,
                outcome => return outcome,
            }
        }
        Err(last)
    }
}

fn split(name: &str) -> Result<(&str, &str), Status> {
    let parts = name
        .split_once(':')
        .filter(|(name, tag)| !name.is_empty() && !tag.is_empty() && !tag.contains(':'));
    parts.ok_or_else(|| Status::bad_request("ImageStreamTags must be retrieved with <name>:<tag>"))
}

/// The 409 of a write that meets another.
fn conflict(name: &str, text: &str) -> Status {
    Status::conflict("image.openshift.io", "imagestreamtags", name, text)
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_none_or(Map::is_empty)
}

/// The `ImageStreamTag` object of `tag` with no more of its image than the name.
fn without_image(stream: &Value, tag: &str) -> Value {
    let event = latest(stream, tag).filter(|event| !event.image.is_empty());
    let name = event.as_ref().map_or("", |event| event.image.as_str());
    document(stream, tag, event.as_ref(), json!({"metadata": {"name": name}}))
}

/// The `ImageStreamTag` object of `tag`.
fn document(stream: &Value, tag: &str, event: Option<&TagEvent>, mut image: Value) -> Value {
    let spec = spec_tag(stream, tag);
    let annotations = spec.and_then(|spec| spec.get("annotations")).filter(|map| !is_empty(map));
    strip_manifest(&mut image);
    if let Some(reference) = resolve_pull_spec(stream, tag).filter(|_| !image.name().is_empty()) {
        image.set(&["dockerImageReference"], json!(reference));
    }
    for (key, value) in annotations.and_then(Value::as_object).into_iter().flatten() {
        image.set(&["metadata", "annotations", key], value.clone());
    }
    let created = event.map_or_else(|| stream.creation_timestamp(), |event| event.created.as_str());
    let mut object = json!({
        "apiVersion": "image.openshift.io/v1",
        "kind": "ImageStreamTag",
        "metadata": {
            "name": format!("{}:{tag}", stream.name()),
            "namespace": stream.namespace(),
            "uid": stream.uid(),
            "resourceVersion": stream.resource_version(),
            "creationTimestamp": created,
        },
        "tag": spec.cloned().unwrap_or(Value::Null),
        "generation": event.map_or(0, |event| event.generation),
        "lookupPolicy": {"local": stream.bool_at(&["spec", "lookupPolicy", "local"])},
        "image": image,
    });
    if let Some(annotations) = annotations {
        object.set(&["metadata", "annotations"], annotations.clone());
    }
    if let Some(labels) = stream.at(&["metadata", "labels"]) {
        object.set(&["metadata", "labels"], labels.clone());
    }
    if let Some(conditions) = status_tag(stream, tag).and_then(|entry| entry.get("conditions")) {
        object.set(&["conditions"], conditions.clone());
    }
    object
}
