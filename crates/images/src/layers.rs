//! What a registry asks of a stream: its blobs (`imagestreams/layers`) and the credentials of its
//! namespace (`imagestreams/secrets`).
//!
//! Mirrors: `openshift/origin pkg/image/apiserver/registry/{imagestream/etcd,imagesecret}`.

use std::collections::BTreeSet;

use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Call, HandlerContext, ListOptions, RestHandler, Stored, User};

use crate::history::TagEvent;
use crate::source::keyring::is_for_imports;
use crate::strategy::read_stream;

/// Serves `imagestreams/layers`.
#[derive(Debug, Default)]
pub struct ImageStreamLayers;

impl RestHandler for ImageStreamLayers {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let stream = read_stream(cx.server, cx.call.user, cx.call.namespace, cx.call.name)?;
        let user = User::system_admin();
        let image = |name: &str| {
            let call = Call::new(&user, &api::IMAGES).named(name);
            cx.server.get(&call).ok().map(Stored::into_value)
        };
        let mut layers = layers(&stream, &image);
        layers["metadata"] = stream["metadata"].clone();
        layers.remove(&["metadata", "managedFields"]);
        Ok(Stored::new(layers))
    }
}

/// Every blob and image of `stream`'s histories.
fn layers(stream: &Value, image: &dyn Fn(&str) -> Option<Value>) -> Value {
    let tags = stream.list_at(&["status", "tags"]).iter();
    let items = tags.flat_map(|entry| entry.list_at(&["items"])).map(TagEvent::read);
    let names: BTreeSet<String> = items.map(|event| event.image).collect();
    let (mut blobs, mut images) = (Map::new(), Map::new());
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        let Some(image) = image(&name) else {
            images.insert(name, json!({"imageMissing": true, "layers": null}));
            continue;
        };
        let mut own = Vec::new();
        for layer in image.list_at(&["dockerImageLayers"]) {
            let blob = json!({"size": layer["size"], "mediaType": layer["mediaType"]});
            own.push(layer["name"].clone());
            blobs.insert(layer.str_at(&["name"]).to_owned(), blob);
        }
        let mut entry = json!({"layers": own});
        let config = image.str_at(&["dockerImageMetadata", "Id"]);
        if !config.is_empty() && !entry.list_at(&["layers"]).is_empty() {
            entry["config"] = json!(config);
            let media = "application/vnd.docker.container.image.v1+json";
            let length = config_size(&image);
            blobs.insert(config.to_owned(), json!({"size": length, "mediaType": media}));
        }
        let media = image.str_at(&["dockerImageManifestMediaType"]);
        blobs.insert(name.clone(), json!({"size": null, "mediaType": media}));
        images.insert(name, entry);
    }
    json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamLayers", "blobs": blobs,
        "images": images,
    })
}

/// What of an image's size is not in its layers.
fn config_size(image: &Value) -> i64 {
    let mut seen = BTreeSet::new();
    let layers = image.list_at(&["dockerImageLayers"]).iter();
    let fresh = layers.filter(|layer| seen.insert(layer.str_at(&["name"])));
    let sum = fresh.filter_map(|layer| layer.int_at(&["size"])).fold(0, i64::saturating_add);
    let whole = image.int_at(&["dockerImageMetadata", "Size"]).unwrap_or(sum);
    whole.saturating_sub(sum)
}

/// Serves `imagestreams/secrets`; the stream's name is not looked at.
#[derive(Debug, Default)]
pub struct ImageStreamSecrets;

impl RestHandler for ImageStreamSecrets {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let user = User::system_admin();
        let call = Call::new(&user, &api::SECRETS).within(cx.call.namespace);
        let secrets = cx.server.list(&call, &ListOptions::default())?;
        let fitting = secrets.items.iter().filter(|secret| is_for_imports(&secret.value()));
        let items: Vec<Value> = fitting
            .map(|secret| {
                let mut secret = (*secret.value()).clone();
                for field in ["kind", "apiVersion"] {
                    secret.remove(&[field]);
                }
                secret
            })
            .collect();
        Ok(Stored::new(json!({
            "apiVersion": "v1", "kind": "SecretList",
            "metadata": {"resourceVersion": secrets.resource_version}, "items": items,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_of_the_whole_history_are_listed_once() {
        let stream = json!({"status": {"tags": [
            {"tag": "a", "items": [{"image": "sha256:1"}, {"image": "sha256:2"}]},
            {"tag": "b", "items": [{"image": "sha256:1"}, {"image": ""}]},
        ]}});
        let image = |name: &str| {
            (name == "sha256:1").then(|| {
                json!({
                    "dockerImageLayers": [{"name": "l", "size": 3, "mediaType": "m"}],
                    "dockerImageMetadata": {"Id": "c", "Size": 5},
                })
            })
        };
        let layers = layers(&stream, &image);
        assert_eq!(layers["images"]["sha256:1"], json!({"layers": ["l"], "config": "c"}));
        assert_eq!(layers["images"]["sha256:2"], json!({"imageMissing": true, "layers": null}));
        assert_eq!(layers["blobs"]["l"], json!({"size": 3, "mediaType": "m"}));
        assert_eq!(layers["blobs"]["c"]["size"], 2);
        assert_eq!(layers["blobs"].as_object().map(Map::len), Some(3));
    }
}
