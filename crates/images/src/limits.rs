//! How many images and tags a stream may have: limits of the type `openshift.io/ImageStream`.
//!
//! Invariant: a stream is counted as it is about to be stored, its tags resolved.
//!
//! Mirrors: `openshift/origin pkg/image/apiserver/admission/limitrange` (`LimitVerifier`).

use std::collections::BTreeSet;

use apimachinery::quantity::{Format, Quantity};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Call, ListOptions, StrategyContext, User};

const STREAM: &str = "openshift.io/ImageStream";

/// Counts `stream` against the limits of its namespace.
///
/// # Errors
/// The text of a refusal.
pub(crate) fn check(cx: &StrategyContext<'_>, stream: &Value) -> Result<(), String> {
    let user = User::system_admin();
    let call = Call::new(&user, &api::LIMIT_RANGES).within(cx.namespace);
    let ranges = cx.server.list(&call, &ListOptions::default()).map_err(|status| status.message)?;
    let errors: Vec<String> =
        ranges.items.iter().flat_map(|range| exceeded(stream, &range.value())).collect();
    let text = match errors.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    Err(Status::forbidden("image.openshift.io", "ImageStream", stream.name(), &text).message)
}

/// What of `stream` is more than `range` allows.
fn exceeded(stream: &Value, range: &Value) -> Vec<String> {
    let limits = range.list_at(&["spec", "limits"]).iter();
    let of_streams = limits.filter(|limit| limit.str_at(&["type"]) == STREAM);
    let maxima = of_streams.filter_map(|limit| limit.map_at(&["max"])).flatten();
    let mut errors = Vec::new();
    for (name, most) in maxima {
        let (Some(used), Ok(most)) = (usage(stream, name), Quantity::from_json(most)) else {
            continue;
        };
        if used > most.value() {
            let used = Quantity::new(used, Format::DecimalSi);
            errors.push(format!(
                "requested usage of {name} exceeds the maximum limit per {STREAM} ({used} > {most})"
            ));
        }
    }
    errors
}

/// The tags of a stream's spec, or the different images of its histories.
fn usage(stream: &Value, resource: &str) -> Option<i64> {
    let count = match resource {
        "openshift.io/image-tags" => stream.list_at(&["spec", "tags"]).len(),
        "openshift.io/images" => {
            let tags = stream.list_at(&["status", "tags"]).iter();
            let items = tags.flat_map(|tag| tag.list_at(&["items"]));
            items.map(|item| item.str_at(&["image"])).collect::<BTreeSet<_>>().len()
        }
        _ => return None,
    };
    i64::try_from(count).ok()
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn a_stream_may_have_as_much_as_the_limit() {
        let items = json!([{"image": "sha256:1"}, {"image": "sha256:2"}]);
        let stream = json!({
            "spec": {"tags": [{"name": "a"}, {"name": "b"}]},
            "status": {"tags": [{"items": items}, {"items": [{"image": "sha256:1"}]}]},
        });
        let check = |kind: &str, images: &str, tags: &str| {
            let max = json!({"openshift.io/images": images, "openshift.io/image-tags": tags});
            exceeded(&stream, &json!({"spec": {"limits": [{"type": kind, "max": max}]}}))
        };
        assert!(check(STREAM, "2", "2").is_empty());
        assert!(check("openshift.io/Image", "1", "1").is_empty());
        let text = |what: &str| {
            format!(
                "requested usage of openshift.io/{what} exceeds the maximum limit per \
                 openshift.io/ImageStream (2 > 1)"
            )
        };
        assert_eq!(check(STREAM, "1", "1"), [text("image-tags"), text("images")]);
    }
}
