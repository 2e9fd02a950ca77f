//! Re-shaping an object between the versions of its resource.

use apimachinery::{ObjectExt as _, Value};
use serde_json::json;

use crate::Resource;

/// Turns an object of `from` into one of `to`, two versions of the same resource.
pub fn convert(object: &mut Value, from: &Resource, to: &Resource) {
    if from.api_version() == to.api_version() {
        return;
    }
    object.set(&["apiVersion"], json!(to.api_version()));
}
