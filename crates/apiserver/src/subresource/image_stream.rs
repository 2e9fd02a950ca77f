//! `imagestreams/secrets` (what may be used to pull) and `imagestreams/layers` (what images are made
//! of).
//!
//! Mirrors: `openshift/origin/pkg/image/registry/imagestream/etcd`, `…/imagesecret`.

use apimachinery::{Map, Value, json};
use apimachinery::{ObjectExt as _, Status};

use crate::call::{Call, ListOptions};
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;

/// The annotation by which a secret keeps out of imports.
const EXCLUDED: &str = "openshift.io/image.excludeSecret";

#[derive(Debug)]
pub(super) struct Secrets;

impl RestHandler for Secrets {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        cx.server.get(&cx.redirect(&api::IMAGE_STREAMS, ""))?;
        let call = Call::new(cx.call.user, &api::SECRETS).within(cx.call.namespace);
        let all = cx.server.list(&call, &ListOptions::default())?;
        let usable = |secret: &Value| {
            let kind = secret.str_at(&["type"]);
            let docker = ["kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson"];
            docker.contains(&kind) && secret.annotation(EXCLUDED) != Some("true")
        };
        let items: Vec<Value> =
            all.items.into_iter().map(Stored::into_value).filter(usable).collect();
        Ok(Stored::new(json!({
            "kind": "SecretList", "apiVersion": "v1",
            "metadata": {"resourceVersion": all.resource_version}, "items": items,
        })))
    }
}

#[derive(Debug)]
pub(super) struct Layers;

impl RestHandler for Layers {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let stream = cx.server.get(&cx.redirect(&api::IMAGE_STREAMS, ""))?.value();
        let (mut blobs, mut images) = (Map::new(), Map::new());
        let tags = stream.list_at(&["status", "tags"]).iter();
        for event in tags.flat_map(|tag| tag.list_at(&["items"])) {
            let name = event.str_at(&["image"]);
            if name.is_empty() || images.contains_key(name) {
                continue;
            }
            let call = Call::new(cx.call.user, &api::IMAGES).named(name);
            if let Ok(image) = cx.server.get(&call) {
                images.insert(name.to_owned(), image_layers(&image.value(), &mut blobs));
            }
        }
        Ok(Stored::new(json!({
            "kind": "ImageStreamLayers", "apiVersion": "image.openshift.io/v1",
            "metadata": stream.get("metadata"), "blobs": blobs, "images": images,
        })))
    }
}

/// The layers of one image; all of them are entered among the blobs.
fn image_layers(image: &Value, blobs: &mut Map) -> Value {
    let mut names = Vec::new();
    for layer in image.list_at(&["dockerImageLayers"]) {
        let name = layer.str_at(&["name"]);
        let blob = json!({"size": layer.int_at(&["size"]), "mediaType": layer.get("mediaType")});
        blobs.insert(name.to_owned(), blob);
        names.push(json!(name));
    }
    json!({ "layers": names, "manifest": null })
}
