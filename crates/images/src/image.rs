//! Images (by digest) as seen through their streams: `imagestreamimages`.
//!
//! Invariant: an image is only visible through a stream whose history names it.

use std::collections::BTreeSet;

use apimachinery::status::qualified;
use apimachinery::{ObjectExt as _, Reason, Status, Value};
use apiserver::{ApiServer, Call, HandlerContext, RestHandler, Stored, User};
use serde_json::json;

use crate::history::TagEvent;
use crate::strategy::read_stream;

const GROUP: &str = "image.openshift.io";

/// Serves `imagestreamimages`.
#[derive(Debug, Default)]
pub struct ImageStreamImages;

impl RestHandler for ImageStreamImages {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let call = cx.call;
        let Some((name, id)) = call.name.split_once('@').filter(|(_, id)| !id.contains('@')) else {
            let text = "ImageStreamImages must be retrieved with <name>@<id>";
            return Err(Status::bad_request(text));
        };
        let stream = read_stream(cx.server, call.user, call.namespace, name)?;
        let digest = unique_match(&stream, id, call.name)?;
        let mut image = read_image(cx.server, call.user, &digest)?;
        strip_manifest(&mut image);
        Ok(Stored::new(json!({
            "apiVersion": "image.openshift.io/v1",
            "kind": "ImageStreamImage",
            "metadata": {
                "name": format!("{name}@{digest}"),
                "namespace": call.namespace,
                "uid": stream.uid(),
                "resourceVersion": stream.resource_version(),
                "creationTimestamp": image.creation_timestamp(),
                "annotations": stream.at(&["metadata", "annotations"]).cloned().unwrap_or(Value::Null),
            },
            "image": image,
        })))
    }
}

/// The one image of `stream`'s histories that `id` names in full or by its beginning.
fn unique_match(stream: &Value, id: &str, asked: &str) -> Result<String, Status> {
    let tags = stream.list_at(&["status", "tags"]);
    let items = tags.iter().flat_map(|entry| entry.list_at(&["items"])).map(TagEvent::read);
    let bare = id.strip_prefix("sha256:").unwrap_or(id);
    let matches: BTreeSet<String> = items
        .map(|event| event.image)
        .filter(|image| image.strip_prefix("sha256:").unwrap_or(image).starts_with(bare))
        .filter(|image| !image.is_empty())
        .collect();
    let mut names = matches.into_iter();
    match (names.next(), names.next()) {
        (None, _) => Err(Status::not_found(GROUP, "imagestreamimages", asked)),
        (Some(only), None) => Ok(only),
        (Some(first), Some(second)) => {
            let rest: Vec<String> = names.collect();
            let all = [vec![first, second], rest].concat().join(", ");
            let text = format!("multiple images match the prefix {id:?}: {all}");
            Err(Status::new(Reason::Conflict, text))
        }
    }
}

/// The Image object named `digest`.
pub(crate) fn read_image(server: &ApiServer, user: &User, digest: &str) -> Result<Value, Status> {
    let call = Call::new(user, &api::IMAGES).named(digest);
    server.get(&call).map(Stored::into_value)
}

/// Removes what is large and of no use through a stream: manifest and config.
pub(crate) fn strip_manifest(image: &mut Value) {
    for field in ["dockerImageManifest", "dockerImageConfig"] {
        image.remove(&[field]);
    }
}

/// 404 of an image stream tag.
pub(crate) fn tag_not_found(name: &str) -> Status {
    Status::not_found(GROUP, "imagestreamtags", name)
}

/// 409 of an image stream tag that is there already.
pub(crate) fn tag_exists(name: &str) -> Status {
    let mut status = Status::already_exists(GROUP, "imagestreamtags", name);
    let what = qualified("imagestreamtags", GROUP);
    status.message = format!("{what} {name:?} already exists");
    status
}
