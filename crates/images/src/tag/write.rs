//! Writing one tag of a stream: `oc tag` PUTs them, older clients POST them.
//!
//! A POST stores the spec tag as it is given. A PUT takes the annotations of the object for those of
//! the spec tag, leaves alone what the caller does not say of the tag, and changes nothing else.
//!
//! Mirrors: `openshift/origin pkg/image/apiserver/registry/imagestreamtag/{rest,strategy}.go`.

use std::sync::Arc;

use apimachinery::field::{self, ErrorList, Path};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Call, DeleteOptions, Deleted, HandlerContext, Stored, Written};

use super::{conflict, document, is_empty, split, without_image};
use crate::allowed_registries::AllowedRegistries;
use crate::history::{latest, put_spec_tag, remove_spec_tag, remove_status_tag, spec_tag};
use crate::image::{read_image, tag_exists, tag_not_found};
use crate::strategy::{importer, read_stream};

/// How often a tag is written again when its stream changes under it.
pub(super) const ATTEMPTS: usize = 10;

/// Takes a new spec tag; a stream that is not there is made.
pub(super) fn create(
    cx: &HandlerContext<'_>,
    mut body: Value,
    allowed: &AllowedRegistries,
) -> Result<Written, Status> {
    let full_name = body.name().to_owned();
    let (name, tag) = split(&full_name)?;
    place(cx, &mut body);
    if let Some(given) = body.get_mut("tag").filter(|given| given.is_object())
        && given.str_at(&["name"]).is_empty()
    {
        given.set(&["name"], json!(tag));
    }
    refuse(&body, &check_new(&body, allowed))?;
    let mut last = conflict(&full_name, "the image stream kept changing");
    for _ in 0..ATTEMPTS {
        let found = existing(cx, name)?;
        if found.as_ref().is_some_and(|stream| spec_tag(stream, tag).is_some()) {
            return Err(tag_exists(&full_name));
        }
        let mut stream = found.as_deref().cloned().unwrap_or_else(|| empty_stream(cx, name));
        if let Some(given) = body.get("tag").filter(|given| given.is_object()) {
            let mut given = given.clone();
            given.set(&["name"], json!(tag));
            put_spec_tag(&mut stream, given);
        }
        match store(cx, name, found.is_some(), stream) {
            Err(status) if status.is_conflict() || status.is_already_exists() => last = status,
            outcome => return answer(cx, tag, &outcome?, 201),
        }
    }
    Err(last)
}

/// Takes a changed spec tag, or a new one; a stream that is not there is made.
///
/// Without a version the tag is written whatever else happens to its stream.
pub(super) fn update(
    cx: &HandlerContext<'_>,
    mut body: Value,
    allowed: &AllowedRegistries,
) -> Result<Written, Status> {
    place(cx, &mut body);
    let attempts = if body.resource_version().is_empty() { ATTEMPTS } else { 1 };
    let mut last = conflict(cx.call.name, "the image stream kept changing");
    for _ in 0..attempts {
        match update_once(cx, body.clone(), allowed) {
            Err(status) if status.is_conflict() || status.is_already_exists() => last = status,
            outcome => return outcome,
        }
    }
    Err(last)
}

fn update_once(
    cx: &HandlerContext<'_>,
    mut body: Value,
    allowed: &AllowedRegistries,
) -> Result<Written, Status> {
    let full_name = cx.call.name;
    let (name, tag) = split(full_name)?;
    let found = existing(cx, name)?;
    let mut stream = found.as_deref().cloned().unwrap_or_else(|| empty_stream(cx, name));
    check_version(full_name, &body, found.as_deref())?;
    if found.is_some() {
        check_change(&mut body, &stream, tag, allowed)?;
    } else {
        refuse(&body, &check_new(&body, allowed))?;
    }
    let known = spec_tag(&stream, tag).cloned();
    let exists = known.is_some();
    let given = body.get("tag").filter(|given| given.is_object()).cloned();
    let Some(mut reference) = given.or(known) else {
        let place = format!("{}/{name}", cx.call.namespace);
        return Err(Status::bad_request(format!(
            "imagestreamtag {tag} is not a spec tag in imagestream {place}, cannot be updated"
        )));
    };
    reference.set(&["name"], json!(tag));
    let annotations = body.at(&["metadata", "annotations"]).cloned().unwrap_or(Value::Null);
    reference.set(&["annotations"], annotations);
    put_spec_tag(&mut stream, reference);
    let stored = store(cx, name, found.is_some(), stream)?;
    answer(cx, tag, &stored, if exists { 200 } else { 201 })
}

/// Removes a tag with its history.
pub(super) fn delete(
    cx: &HandlerContext<'_>,
    (name, tag): (&str, &str),
    options: &DeleteOptions,
) -> Result<Deleted, Status> {
    let stream = read_stream(cx.server, cx.call.user, cx.call.namespace, name)?;
    if options.uid.as_deref().is_some_and(|uid| uid != stream.uid()) {
        return Err(conflict(cx.call.name, "the UID precondition was not met"));
    }
    let mut changed = (*stream).clone();
    let had_status = remove_status_tag(&mut changed, tag);
    if !remove_spec_tag(&mut changed, tag) && !had_status {
        return Err(tag_not_found(cx.call.name));
    }
    // Clients do not write the history, importers do.
    let user = importer();
    let call = Call { user: &user, ..stream_call(cx, name) };
    cx.server.update(&call, changed)?;
    Ok(Deleted::Status(json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
    })))
}

fn existing(cx: &HandlerContext<'_>, name: &str) -> Result<Option<Arc<Value>>, Status> {
    match read_stream(cx.server, cx.call.user, cx.call.namespace, name) {
        Ok(stream) => Ok(Some(stream)),
        Err(status) if status.is_not_found() => Ok(None),
        Err(status) => Err(status),
    }
}

/// A body may leave its namespace to the URL.
fn place(cx: &HandlerContext<'_>, body: &mut Value) {
    if body.namespace().is_empty() {
        body.set(&["metadata", "namespace"], json!(cx.call.namespace));
    }
}

fn empty_stream(cx: &HandlerContext<'_>, name: &str) -> Value {
    json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStream",
        "metadata": {"name": name, "namespace": cx.call.namespace},
    })
}

fn stream_call<'a>(cx: &HandlerContext<'a>, name: &'a str) -> Call<'a> {
    let mut call =
        Call::new(cx.call.user, &api::IMAGE_STREAMS).within(cx.call.namespace).named(name);
    call.options = cx.call.options.clone();
    call
}

/// A version may be left out, but not be another than the stream's.
fn check_version(full_name: &str, body: &Value, stream: Option<&Value>) -> Result<(), Status> {
    let wanted = body.resource_version();
    match stream {
        _ if wanted.is_empty() => Ok(()),
        None => Err(tag_not_found(full_name)),
        Some(stream) if stream.resource_version() == wanted => Ok(()),
        Some(stream) => {
            let current = stream.resource_version();
            let text = format!("another caller has updated the resource version to {current}");
            Err(conflict(full_name, &text))
        }
    }
}

fn refuse(body: &Value, errors: &ErrorList) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("image.openshift.io", "ImageStreamTag", body.name(), errors))
}

/// What is wrong with a tag of a new stream, or a new tag.
fn check_new(body: &Value, allowed: &AllowedRegistries) -> ErrorList {
    let mut errors = api::validation::create(&api::IMAGE_STREAM_TAGS, body);
    errors.extend(allowed.check_tag(body, None));
    let of_tag = body.at(&["tag", "annotations"]).filter(|map| !is_empty(map));
    if of_tag.is_some() && of_tag != body.at(&["metadata", "annotations"]) {
        let path = Path::new("tag").child("annotations");
        let text =
            "tag annotations must not be provided or must be equal to the object meta annotations";
        errors.push(field::Error::invalid(&path, "<map>", text));
    }
    errors
}

/// Refuses what changes more than annotations and the reference. What the caller leaves out is filled
/// in, and what is shown of the image is not compared.
fn check_change(
    body: &mut Value,
    stream: &Value,
    tag: &str,
    allowed: &AllowedRegistries,
) -> Result<(), Status> {
    let old = without_image(stream, tag);
    let labels = old.at(&["metadata", "labels"]).filter(|labels| !is_empty(labels));
    if let Some(labels) = labels
        && body.at(&["metadata", "labels"]).is_none_or(is_empty)
    {
        body.set(&["metadata", "labels"], labels.clone());
    }
    for field in ["uid", "creationTimestamp", "namespace"] {
        if body.str_at(&["metadata", field]).is_empty() {
            body.set(&["metadata", field], old["metadata"][field].clone());
        }
    }
    let mut errors = api::validation::update(&api::IMAGE_STREAM_TAGS, body, &old);
    errors.extend(allowed.check_tag(body, old.get("tag").filter(|tag| tag.is_object())));
    errors.extend(check_metadata(body, &old));
    refuse(body, &errors)
}

/// What is wrong with the metadata of a tag that is to follow `old`: only annotations may change.
#[must_use]
pub fn check_metadata(new: &Value, old: &Value) -> Option<field::Error> {
    let meta = |object: &Value| {
        let mut meta = object.get("metadata").cloned().unwrap_or_default();
        for field in ["annotations", "resourceVersion", "selfLink", "managedFields"] {
            meta.remove(&[field]);
        }
        meta
    };
    let text = "may not update fields other than metadata.annotations";
    let error = || field::Error::invalid(&Path::new("metadata"), "", text);
    (meta(new) != meta(old)).then(error)
}

fn store(
    cx: &HandlerContext<'_>,
    name: &str,
    exists: bool,
    stream: Value,
) -> Result<Written, Status> {
    let call = stream_call(cx, name);
    if exists { cx.server.update(&call, stream) } else { cx.server.create(&call.named(""), stream) }
}

/// The tag of the stream that was written.
fn answer(
    cx: &HandlerContext<'_>,
    tag: &str,
    written: &Written,
    code: u16,
) -> Result<Written, Status> {
    let stream = &written.object.value();
    let event = latest(stream, tag).filter(|event| !event.image.is_empty());
    let image = match &event {
        Some(event) => match read_image(cx.server, cx.call.user, &event.image) {
            Err(status) if status.is_not_found() => json!({"metadata": {"name": ""}}),
            image => image?,
        },
        None => json!({"metadata": {"name": ""}}),
    };
    let object = Stored::new(document(stream, tag, event.as_ref(), image));
    Ok(Written { object, warnings: written.warnings.clone(), code })
}
