//! Bounds of images and image streams (`openshift.io/Image`, `openshift.io/ImageStream`).
//!
//! Mirrors: `openshift/origin:pkg/image/apiserver/admission/limitrange`,
//! `openshift/origin:pkg/image/apiserver/admission/imagepolicy` (`limitVerifier`).

use std::collections::BTreeSet;

use apimachinery::quantity::{Format, Quantity};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, Operation};

use super::{amounts, limits_of};
use crate::request::{all, refuse, same};

const IMAGE: &str = "openshift.io/Image";
const STREAM: &str = "openshift.io/ImageStream";

/// Admission of pushes and image streams: `openshift.io/ImageLimitRange`.
#[derive(Debug)]
pub struct ImageLimitRange;

impl Admission for ImageLimitRange {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let resource = request.call.resource;
        let is_stream = same(resource, &api::IMAGE_STREAMS);
        let is_push = same(resource, &api::IMAGE_STREAM_MAPPINGS);
        if request.operation == Operation::Delete || !(is_stream || is_push) {
            return Ok(());
        }
        let ranges = all(request.server, &api::LIMIT_RANGES, request.call.namespace);
        let used = if is_push { push_usage(request.object) } else { stream_usage(request.object) };
        let before = request.old.filter(|_| is_stream).map(stream_usage).unwrap_or_default();
        let kind = if is_push { IMAGE } else { STREAM };
        for range in &ranges {
            for limit in limits_of(range, kind) {
                for (name, most) in amounts(limit.get("max")) {
                    let of = |list: &[(&str, i64)]| {
                        list.iter().find(|(of, _)| *of == name).map_or(0, |(_, amount)| *amount)
                    };
                    let amount = of(&used);
                    // What was too much before may stay, but not grow.
                    if amount > most.value() && amount > of(&before) {
                        let amount = Quantity::new(amount, Format::BinarySi);
                        let text = format!(
                            "requested usage of {name} exceeds the maximum limit per {kind} \
                             ({amount} > {most})"
                        );
                        return Err(refuse(request, &text));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The size of a pushed image: its layers, each counted once.
fn push_usage(mapping: &Value) -> Vec<(&'static str, i64)> {
    let image = mapping.get("image").unwrap_or(&Value::Null);
    let stated = image.int_at(&["dockerImageMetadata", "Size"]).unwrap_or(0);
    let mut seen = BTreeSet::new();
    let layers = image.list_at(&["dockerImageLayers"]).iter();
    let fresh = layers.filter(|layer| seen.insert(layer.str_at(&["name"]).to_owned()));
    let sum: i64 = fresh.filter_map(|layer| layer.int_at(&["size"])).sum();
    vec![("storage", if stated > 0 { stated } else { sum })]
}

/// The tags in a stream's spec, and the images in its spec and status.
fn stream_usage(stream: &Value) -> Vec<(&'static str, i64)> {
    let tags = stream.list_at(&["spec", "tags"]);
    let mut images: BTreeSet<&str> = BTreeSet::new();
    for tag in stream.list_at(&["status", "tags"]) {
        images.extend(tag.list_at(&["items"]).iter().map(|item| item.str_at(&["image"])));
    }
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    vec![
        ("openshift.io/image-tags", count(tags.len())),
        ("openshift.io/images", count(images.len())),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn usage_counts_layers_tags_and_images_once() {
        let layer = |name: &str, size: i64| json!({"name": name, "size": size});
        let layers = json!([layer("a", 5), layer("a", 5), layer("b", 2)]);
        assert_eq!(push_usage(&json!({"image": {"dockerImageLayers": layers}})), [("storage", 7)]);
        let items = json!([{"image": "sha256:1"}, {"image": "sha256:2"}]);
        let stream = json!({"spec": {"tags": [{"name": "a"}]},
            "status": {"tags": [{"items": items}, {"items": [{"image": "sha256:1"}]}]}});
        assert_eq!(
            stream_usage(&stream),
            [("openshift.io/image-tags", 1), ("openshift.io/images", 2)]
        );
    }
}
