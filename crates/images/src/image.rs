//! Images by digest: how they are stored, and as seen through their streams (`imagestreamimages`).
//!
//! Invariant: what an Image says of its bytes comes from its manifest and never changes.
//! Invariant: through a stream an image is only visible when the stream's history names it.
//!
//! Mirrors: `openshift/origin pkg/image/apiserver/registry/{image,imagestreamimage}`.

use apimachinery::json;
use apimachinery::status::qualified;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{
    ApiServer, Call, HandlerContext, Propagation, RestHandler, Stored, Strategy, StrategyContext,
    User,
};

use crate::metadata;
use crate::strategy::read_stream;
use crate::stream::find_image;

const GROUP: &str = "image.openshift.io";

/// Annotation of an image whose manifest the registry keeps.
pub(crate) const MANIFEST_STORED: &str = "image.openshift.io/manifestBlobStored";

/// The storage rules of `images`.
#[derive(Debug, Default)]
pub struct ImageStrategy;

impl Strategy for ImageStrategy {
    fn prepare_for_create(&self, _: &StrategyContext<'_>, image: &mut Value) -> Result<(), Status> {
        metadata::fill(image);
        drop_kept_manifest(image);
        Ok(())
    }

    fn prepare_for_update(
        &self,
        _: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        for field in ["dockerImageMetadata", "dockerImageMetadataVersion", "dockerImageLayers"] {
            apiserver::strategy::copy_field(new, old, field);
        }
        // Bytes may be added or left out, but not replaced by others.
        let digest = |text: &str| cri::digest::sha256(text.as_bytes());
        let manifest = new.str_at(&["dockerImageManifest"]);
        let same = manifest == old.str_at(&["dockerImageManifest"]);
        if !same && digest(manifest) != old.name() {
            apiserver::strategy::copy_field(new, old, "dockerImageManifest");
        }
        let config = new.str_at(&["dockerImageConfig"]);
        let named = old.str_at(&["dockerImageMetadata", "Id"]);
        if config != old.str_at(&["dockerImageConfig"]) && digest(config) != named {
            apiserver::strategy::copy_field(new, old, "dockerImageConfig");
        }
        if old.list_at(&["dockerImageLayers"]).is_empty() {
            metadata::fill(new);
        }
        drop_kept_manifest(new);
        Ok(())
    }

    fn default_propagation(&self, _: &api::Resource) -> Propagation {
        Propagation::Unsupported
    }
}

fn drop_kept_manifest(image: &mut Value) {
    if image.annotation(MANIFEST_STORED) == Some("true") {
        strip_manifest(image);
    }
}

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
        let digest = find_image(&stream, id)?.image;
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

/// The Image object named `digest`.
pub(crate) fn read_image(server: &ApiServer, user: &User, digest: &str) -> Result<Value, Status> {
    let call = Call::new(user, &api::IMAGES).named(digest);
    server.get(&call).map(Stored::into_value)
}

/// Removes what is large and of no use through a stream, manifest and config, and what only an object
/// of its own has.
pub(crate) fn strip_manifest(image: &mut Value) {
    for field in ["apiVersion", "kind", "dockerImageManifest", "dockerImageConfig"] {
        image.remove(&[field]);
    }
}

/// Removes what only an object of its own has.
pub(crate) fn strip_kind(image: &mut Value) {
    for field in ["apiVersion", "kind"] {
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
