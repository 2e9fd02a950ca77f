//! Bounds of pushed images (`openshift.io/Image`). Those of streams hold where streams are stored.
//!
//! Mirrors: `openshift/origin:pkg/image/apiserver/admission/limitrange`.

use std::collections::BTreeSet;

use apimachinery::quantity::{Format, Quantity};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest};

use super::{amounts, limits_of};
use crate::request::{all, creates, refuse};

const IMAGE: &str = "openshift.io/Image";

/// Admission of pushes: `openshift.io/ImageLimitRange`.
#[derive(Debug)]
pub struct ImageLimitRange;

impl Admission for ImageLimitRange {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !creates(request, &api::IMAGE_STREAM_MAPPINGS) {
            return Ok(());
        }
        let used = push_usage(request.object);
        for range in all(request.server, &api::LIMIT_RANGES, request.call.namespace) {
            for limit in limits_of(&range, IMAGE) {
                let most = amounts(limit.get("max"));
                let Some(most) = most.get("storage").filter(|most| used > most.value()) else {
                    continue;
                };
                let used = Quantity::new(used, Format::BinarySi);
                let text = format!(
                    "requested usage of storage exceeds the maximum limit per {IMAGE} ({used} > {most})"
                );
                return Err(refuse(request, &text));
            }
        }
        Ok(())
    }
}

/// The size of a pushed image: its layers, each counted once.
fn push_usage(mapping: &Value) -> i64 {
    let image = mapping.get("image").unwrap_or(&Value::Null);
    let stated = image.int_at(&["dockerImageMetadata", "Size"]).unwrap_or(0);
    let mut seen = BTreeSet::new();
    let layers = image.list_at(&["dockerImageLayers"]).iter();
    let fresh = layers.filter(|layer| seen.insert(layer.str_at(&["name"]).to_owned()));
    let sum = fresh.filter_map(|layer| layer.int_at(&["size"])).fold(0, i64::saturating_add);
    if stated > 0 { stated } else { sum }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn a_layer_is_counted_once() {
        let layer = |name: &str, size: i64| json!({"name": name, "size": size});
        let layers = json!([layer("a", 5), layer("a", 5), layer("b", 2)]);
        assert_eq!(push_usage(&json!({"image": {"dockerImageLayers": layers}})), 7);
    }
}
