//! What an Image says about its bytes: layers, size and configuration, read from its manifest and
//! configuration.
//!
//! Invariant: the base layer comes first, whatever the manifest's order.
//!
//! Mirrors: `openshift/origin pkg/image/util/helpers.go` (`ImageWithMetadata`).

use std::collections::BTreeSet;

use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};
use world::Time;

/// Annotation that tells in which order the layers stand.
const LAYERS_ORDER: &str = "image.openshift.io/dockerLayersOrder";
const SCHEMA_1_LAYER: &str = "application/vnd.docker.container.image.rootfs.diff+x-gtar";
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+json";
const SCHEMA_2: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Docker's names of what an image records, with those that an Image gives them.
const RECORDED: [(&str, &str); 8] = [
    ("parent", "Parent"),
    ("comment", "Comment"),
    ("created", "Created"),
    ("container", "Container"),
    ("docker_version", "DockerVersion"),
    ("author", "Author"),
    ("architecture", "Architecture"),
    ("config", "Config"),
];

/// Fills `dockerImageMetadata`, `dockerImageLayers` and the media type from manifest and
/// configuration; an image without a manifest that can be read keeps what it has.
pub fn fill(image: &mut Value) {
    if image.str_at(&["dockerImageMetadataVersion"]).is_empty() {
        image.set(&["dockerImageMetadataVersion"], json!("1.0"));
    }
    if !image["dockerImageLayers"].is_array() {
        image.set(&["dockerImageLayers"], json!([]));
    }
    let Ok(manifest) = serde_json::from_str::<Value>(image.str_at(&["dockerImageManifest"])) else {
        return;
    };
    match manifest.int_at(&["schemaVersion"]) {
        Some(1) => fill_schema_1(image, &manifest),
        Some(2) if manifest["layers"].is_array() => fill_schema_2(image, &manifest),
        _ => {}
    }
}

fn fill_schema_2(image: &mut Value, manifest: &Value) {
    let layers = manifest.list_at(&["layers"]).iter().map(|layer| {
        json!({
            "name": layer["digest"], "size": layer.int_at(&["size"]).unwrap_or(0),
            "mediaType": layer["mediaType"],
        })
    });
    let layers: Vec<Value> = layers.collect();
    let text = image.str_at(&["dockerImageConfig"]).to_owned();
    let config: Value = serde_json::from_str(&text).unwrap_or_default();
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let id = manifest.str_at(&["config", "digest"]);
    let metadata = describe(&config, id, length.saturating_add(unique_size(&layers)));
    let media_type = match manifest.str_at(&["mediaType"]) {
        "" => SCHEMA_2,
        given => given,
    };
    write(image, metadata, &layers, media_type);
}

fn fill_schema_1(image: &mut Value, manifest: &Value) {
    let history: Vec<Value> = manifest
        .list_at(&["history"])
        .iter()
        .filter_map(|entry| serde_json::from_str(entry.str_at(&["v1Compatibility"])).ok())
        .collect();
    let layers = manifest.list_at(&["fsLayers"]).iter().enumerate().rev().map(|(index, layer)| {
        let size = history.get(index).and_then(|entry| entry.int_at(&["Size"])).unwrap_or(0);
        json!({"name": layer["blobSum"], "size": size, "mediaType": SCHEMA_1_LAYER})
    });
    let layers: Vec<Value> = layers.collect();
    let top = history.first().cloned().unwrap_or_default();
    let metadata = describe(&top, top.str_at(&["id"]), unique_size(&layers));
    write(image, metadata, &layers, SCHEMA_1);
}

fn write(image: &mut Value, metadata: Value, layers: &[Value], media_type: &str) {
    image.set(&["dockerImageMetadata"], metadata);
    image.set(&["dockerImageLayers"], json!(layers));
    if image.str_at(&["dockerImageManifestMediaType"]).is_empty() {
        image.set(&["dockerImageManifestMediaType"], json!(media_type));
    }
    image.set_annotation(LAYERS_ORDER, "ascending");
}

/// A layer that stands twice in an image is stored once.
fn unique_size(layers: &[Value]) -> i64 {
    let mut seen = BTreeSet::new();
    let fresh = layers.iter().filter(|layer| seen.insert(layer.str_at(&["name"])));
    fresh.filter_map(|layer| layer.int_at(&["size"])).fold(0, i64::saturating_add)
}

/// `dockerImageMetadata` out of an image's configuration.
fn describe(config: &Value, id: &str, size: i64) -> Value {
    let mut metadata = json!({"kind": "DockerImage", "apiVersion": "1.0", "Id": id});
    for (docker, ours) in RECORDED {
        let value = config.get(docker).map(tidy).filter(|value| !is_zero(value));
        if let Some(value) = value {
            metadata[ours] = if ours == "Created" { in_seconds(value) } else { value };
        }
    }
    metadata["ContainerConfig"] = config.get("container_config").map_or_else(|| json!({}), tidy);
    if size != 0 {
        metadata["Size"] = json!(size);
    }
    metadata
}

/// A moment as the API writes it: without the fraction of a second that Docker writes.
fn in_seconds(moment: Value) -> Value {
    let parsed = moment.as_str().and_then(Time::parse_rfc3339);
    parsed.map_or(moment, |time| json!(time.rfc3339()))
}

/// A configuration without the fields that say nothing.
fn tidy(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let told = map.iter().filter(|(_, value)| !is_zero(value));
            Value::Object(told.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// The labels of an image's configuration.
#[must_use]
pub fn labels(image: &Value) -> Option<&Map> {
    image.map_at(&["dockerImageMetadata", "Config", "Labels"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(digest: &str, size: i64) -> Value {
        json!({"digest": digest, "size": size, "mediaType": "layer"})
    }

    #[test]
    fn a_pushed_image_tells_its_layers_its_size_and_its_labels() {
        let config = json!({
            "architecture": "amd64", "created": "2018-10-11T12:00:00.063076332Z", "author": "",
            "config": {"Env": ["A=b"], "Labels": {"version": "1"}, "Hostname": "", "Tty": false},
        });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": SCHEMA_2, "config": {"digest": "sha256:c"},
            "layers": [layer("sha256:a", 10), layer("sha256:b", 5), layer("sha256:a", 10)],
        });
        let mut image = json!({
            "metadata": {"name": "sha256:m"},
            "dockerImageManifest": manifest.to_string(), "dockerImageConfig": config.to_string(),
        });
        fill(&mut image);
        let size = 15 + i64::try_from(config.to_string().len()).unwrap();
        assert_eq!(
            image["dockerImageMetadata"],
            json!({
                "kind": "DockerImage", "apiVersion": "1.0", "Id": "sha256:c", "Size": size,
                "Architecture": "amd64", "Created": "2018-10-11T12:00:00Z", "ContainerConfig": {},
                "Config": {"Env": ["A=b"], "Labels": {"version": "1"}},
            })
        );
        assert_eq!(image["dockerImageLayers"].as_array().map(|list| list.len()), Some(3));
        assert_eq!(image.annotation(LAYERS_ORDER), Some("ascending"));
        assert_eq!(labels(&image).map(|labels| labels["version"].clone()), Some(json!("1")));
    }

    #[test]
    fn what_is_no_manifest_changes_nothing_that_was_said() {
        for manifest in ["", "x", "[]", "{\"schemaVersion\": 2}", "{\"schemaVersion\": 9}"] {
            let mut image = json!({
                "dockerImageManifest": manifest, "dockerImageMetadata": {"Id": "kept"},
            });
            fill(&mut image);
            assert_eq!(image["dockerImageMetadata"]["Id"], "kept", "{manifest}");
            assert_eq!(image["dockerImageLayers"], json!([]));
        }
    }

    #[test]
    fn the_oldest_manifests_list_the_newest_layer_first() {
        let history = |text: Value| json!({"v1Compatibility": text.to_string()});
        let manifest = json!({
            "schemaVersion": 1, "fsLayers": [{"blobSum": "top"}, {"blobSum": "base"}],
            "history": [history(json!({"id": "i", "Size": 3})), history(json!({"Size": 4}))],
        });
        let mut image = json!({"dockerImageManifest": manifest.to_string()});
        fill(&mut image);
        assert_eq!(image["dockerImageLayers"][0]["name"], "base");
        assert_eq!(image["dockerImageMetadata"]["Size"], 7);
        assert_eq!(image["dockerImageMetadata"]["Id"], "i");
    }
}
