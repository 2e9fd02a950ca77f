//! `imagestreammappings`: what a push to a registry tells the cluster.
//!
//! Invariant: spec tags are not touched; a pushed tag has status only.
//!
//! Mirrors: `openshift/origin pkg/image/apiserver/registry/imagestreammapping/rest.go`.

use apimachinery::field::{self, Path};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Call, HandlerContext, RestHandler, Stored, Written};

use crate::history::{TagEvent, add_event, update_tracking_tags};
use crate::metadata;
use crate::strategy::read_stream;
use crate::stream::repository;

const MANAGED: &str = "openshift.io/image.managed";

/// How often a mapping is tried again when the stream changes under it.
const ATTEMPTS: usize = 5;

/// Serves `imagestreammappings`.
#[derive(Debug, Default)]
pub struct ImageStreamMappings;

impl RestHandler for ImageStreamMappings {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let name = body.name().to_owned();
        let own = format!("{}@{}", repository(cx.call.namespace, &name), body["image"].name());
        if body.str_at(&["image", "dockerImageReference"]).is_empty() {
            body.set(&["image", "dockerImageReference"], json!(own));
        }
        let errors = validate(&body);
        if !errors.is_empty() {
            let group = "image.openshift.io";
            return Err(Status::invalid(group, "ImageStreamMapping", &name, &errors));
        }
        read_stream(cx.server, cx.call.user, cx.call.namespace, &name)?;
        // The bounds of images are held against what its manifest says, not against what is claimed.
        if body["image"].is_object() {
            metadata::fill(&mut body["image"]);
        }
        cx.admit(&mut body)?;
        let reference = store_image(cx, &body, &own)?;
        point_tag(cx, &name, &body, &reference)?;
        let success = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
        });
        Ok(Written::created(Stored::new(success)))
    }
}

fn validate(body: &Value) -> field::ErrorList {
    let mut errors = field::ErrorList::new();
    let image = Path::new("image");
    for (text, path) in [
        (body.name(), Path::new("metadata").child("name")),
        (body.str_at(&["tag"]), Path::new("tag")),
        (body["image"].name(), image.child("metadata").child("name")),
    ] {
        if text.is_empty() {
            errors.push(field::Error::required(&path, ""));
        }
    }
    errors
}

/// Creates the Image when it is new; gives the pull spec to record for this stream.
fn store_image(cx: &HandlerContext<'_>, body: &Value, own: &str) -> Result<String, Status> {
    let mut image = body["image"].clone();
    image.set(&["apiVersion"], json!("image.openshift.io/v1"));
    image.set(&["kind"], json!("Image"));
    let managed = image.annotation(MANAGED) == Some("true");
    let reference = image.str_at(&["dockerImageReference"]).to_owned();
    let call = Call::new(cx.call.user, &api::IMAGES);
    match cx.server.create(&call, image) {
        Ok(_) => Ok(reference),
        Err(status) if status.is_already_exists() && managed => Ok(own.to_owned()),
        Err(status) if status.is_already_exists() => Ok(reference),
        Err(status) => Err(status),
    }
}

fn point_tag(
    cx: &HandlerContext<'_>,
    name: &str,
    body: &Value,
    reference: &str,
) -> Result<(), Status> {
    let tag = body.str_at(&["tag"]);
    let call = Call::new(cx.call.user, &api::IMAGE_STREAMS)
        .within(cx.call.namespace)
        .named(name)
        .subresource("status");
    let mut last = Status::internal("the image stream kept changing");
    for _ in 0..ATTEMPTS {
        let stream = read_stream(cx.server, cx.call.user, cx.call.namespace, name)?;
        let mut stream = (*stream).clone();
        let event = TagEvent {
            created: cx.server.world().now().rfc3339(),
            docker_image_reference: reference.to_owned(),
            image: body["image"].name().to_owned(),
            generation: stream.generation(),
        };
        let changed = add_event(&mut stream, tag, &event);
        if !changed && !update_tracking_tags(&mut stream, tag, &event) {
            return Ok(());
        }
        update_tracking_tags(&mut stream, tag, &event);
        match cx.server.update(&call, stream) {
            Ok(_) => return Ok(()),
            Err(status) if status.is_conflict() => last = status,
            Err(status) => return Err(status),
        }
    }
    Err(last)
}
