//! `imagestreamtags`: one tag of a stream as an object of its own. `oc tag` PUTs them.
//!
//! Invariant: a write of a tag is a write of its stream; there is no other storage.
//!
//! Mirrors: `openshift/origin pkg/image/apiserver/registry/imagestreamtag/rest.go`.

use apimachinery::field::{self, Path};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{
    Call, DeleteOptions, Deleted, HandlerContext, ListOptions, ObjectList, RestHandler, Stored,
    Written,
};
use serde_json::{Map, json};

use crate::history::{
    TagEvent, latest, put_spec_tag, remove_spec_tag, remove_status_tag, spec_tag, status_tag,
};
use crate::image::{read_image, strip_manifest, tag_exists, tag_not_found};
use crate::strategy::read_stream;
use crate::stream::resolve_pull_spec;

/// Serves `imagestreamtags`.
#[derive(Debug, Default)]
pub struct ImageStreamTags;

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
            for entry in stream.value.list_at(&["status", "tags"]) {
                let tag = entry.str_at(&["tag"]);
                let event = entry.list_at(&["items"]).first().map(TagEvent::read);
                let Some(event) = event.filter(|event| !event.image.is_empty()) else { continue };
                let image = json!({"metadata": {"name": event.image}});
                items.push(Stored::new(document(&stream.value, tag, Some(&event), image)));
            }
        }
        Ok(ObjectList { items, continue_token: None, remaining: None, ..streams })
    }

    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        let name = body.name().to_owned();
        split(&name)?;
        write(cx, &name, &body, Existing::Refuse)
    }

    fn update(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        write(cx, cx.call.name, &body, Existing::Replace)
    }

    fn delete(&self, cx: &HandlerContext<'_>, options: &DeleteOptions) -> Result<Deleted, Status> {
        let (name, tag) = split(cx.call.name)?;
        let stream = read_stream(cx.server, cx.call.user, cx.call.namespace, name)?;
        if options.uid.as_deref().is_some_and(|uid| uid != stream.uid()) {
            let text = "the UID in the precondition does not match the UID in record";
            return Err(Status::conflict(
                "image.openshift.io",
                "imagestreamtags",
                cx.call.name,
                text,
            ));
        }
        let mut changed = (*stream).clone();
        let had_status = remove_status_tag(&mut changed, tag);
        let had_spec = remove_spec_tag(&mut changed, tag);
        if !had_status && !had_spec {
            return Err(tag_not_found(cx.call.name));
        }
        let call = stream_call(cx, name);
        if had_spec {
            let mut spec_only = (*stream).clone();
            remove_spec_tag(&mut spec_only, tag);
            let written = cx.server.update(&call, spec_only)?;
            changed.set(
                &["metadata", "resourceVersion"],
                json!(written.object.value.resource_version()),
            );
            changed.set(&["spec"], written.object.value["spec"].clone());
        }
        if had_status {
            cx.server.update(&call.subresource("status"), changed)?;
        }
        Ok(Deleted::Status(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        })))
    }
}

/// What a write does when the spec tag is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    Refuse,
    Replace,
}

fn stream_call<'a>(cx: &HandlerContext<'a>, name: &'a str) -> Call<'a> {
    let mut call =
        Call::new(cx.call.user, &api::IMAGE_STREAMS).within(cx.call.namespace).named(name);
    call.options = cx.call.options.clone();
    call
}

fn split(name: &str) -> Result<(&str, &str), Status> {
    let parts = name
        .split_once(':')
        .filter(|(name, tag)| !name.is_empty() && !tag.is_empty() && !tag.contains(':'));
    parts.ok_or_else(|| Status::bad_request("ImageStreamTags must be retrieved with <name>:<tag>"))
}

fn write(
    cx: &HandlerContext<'_>,
    full_name: &str,
    body: &Value,
    existing: Existing,
) -> Result<Written, Status> {
    let (name, tag) = split(full_name)?;
    check_annotations(body)?;
    let found = match read_stream(cx.server, cx.call.user, cx.call.namespace, name) {
        Ok(stream) => Some(stream),
        Err(status) if status.is_not_found() => None,
        Err(status) => return Err(status),
    };
    let mut stream = match &found {
        Some(stream) => (**stream).clone(),
        None => json!({
            "apiVersion": "image.openshift.io/v1",
            "kind": "ImageStream",
            "metadata": {"name": name, "namespace": cx.call.namespace},
        }),
    };
    let wanted_version = body.resource_version();
    if !wanted_version.is_empty() && wanted_version != stream.resource_version() {
        let current = stream.resource_version();
        let text = format!("another caller has updated the resource version to {current}");
        return Err(Status::conflict("image.openshift.io", "imagestreamtags", full_name, &text));
    }
    let known = spec_tag(&stream, tag).is_some();
    if known && existing == Existing::Refuse {
        return Err(tag_exists(full_name));
    }
    set_spec_tag(&mut stream, tag, body, cx.call.namespace)?;
    let call = stream_call(cx, name);
    let written = match found {
        Some(_) => cx.server.update(&call, stream)?,
        None => cx.server.create(&call.named(""), stream)?,
    };
    let stream = &written.object.value;
    let event = latest(stream, tag);
    let image = match event.as_ref().filter(|event| !event.image.is_empty()) {
        Some(event) => read_image(cx.server, cx.call.user, &event.image)?,
        None => json!({"metadata": {"name": ""}}),
    };
    let object = Stored::new(document(stream, tag, event.as_ref(), image));
    let code = if known { 200 } else { 201 };
    Ok(Written { object, warnings: written.warnings, code })
}

fn check_annotations(body: &Value) -> Result<(), Status> {
    let of_tag = body.at(&["tag", "annotations"]).filter(|map| !is_empty(map));
    let of_object = body.at(&["metadata", "annotations"]);
    if of_tag.is_none() || of_tag == of_object {
        return Ok(());
    }
    let path = Path::new("tag").child("annotations");
    let text =
        "tag annotations must not be provided or must be equal to the object meta annotations";
    let error = field::Error::invalid(&path, of_tag.cloned().unwrap_or_default(), text);
    Err(Status::invalid("image.openshift.io", "ImageStreamTag", body.name(), &[error]))
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_none_or(Map::is_empty)
}

/// Puts the body's tag reference into the stream's spec, under `tag`, at its sorted place.
fn set_spec_tag(
    stream: &mut Value,
    tag: &str,
    body: &Value,
    namespace: &str,
) -> Result<(), Status> {
    let asked = body.get("tag").filter(|value| value.is_object()).cloned();
    let stored = spec_tag(stream, tag).cloned();
    let Some(mut reference) = asked.or(stored) else {
        let name = stream.name();
        return Err(Status::bad_request(format!(
            "imagestreamtag {tag} is not a spec tag in imagestream {namespace}/{name}, cannot be updated"
        )));
    };
    reference.set(&["name"], json!(tag));
    let annotations = body.at(&["metadata", "annotations"]).cloned().unwrap_or(Value::Null);
    reference.set(&["annotations"], annotations);
    put_spec_tag(stream, reference);
    Ok(())
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
