//! Images made out of nothing, as bytes and as directories that `skopeo` reads.

use std::path::Path;

use apimachinery::json;
use registry::digest::Digest;

use super::up::{Answer, Up};

pub(super) const IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// A config, one layer and the manifest that names them.
pub(super) struct Image {
    pub(super) config: Vec<u8>,
    pub(super) layer: Vec<u8>,
    pub(super) manifest: Vec<u8>,
}

impl Image {
    /// An image with the label `version`.
    pub(super) fn new(version: &str) -> Self {
        Self::with_layer(version, format!("the bytes of {version}").into_bytes())
    }

    pub(super) fn with_layer(version: &str, layer: Vec<u8>) -> Self {
        let config = json!({
            "architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
            "config": {"Labels": {"version": version}, "User": "1001", "Cmd": ["/run"],
                "ExposedPorts": {"8080/tcp": {}}},
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(&layer).to_string()]},
        });
        let config = config.to_string().into_bytes();
        let described = |media_type: &str, bytes: &[u8]| {
            let digest = Digest::of(bytes).to_string();
            json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": IMAGE,
            "config": described(CONFIG, &config), "layers": [described(LAYER, &layer)],
        });
        Self { config, layer, manifest: manifest.to_string().into_bytes() }
    }

    pub(super) fn digest(&self) -> String {
        Digest::of(&self.manifest).to_string()
    }

    /// Writes it as a directory for `skopeo copy dir:…`.
    pub(super) fn write(&self, directory: &Path) {
        std::fs::create_dir_all(directory).unwrap();
        std::fs::write(directory.join("version"), "Directory Transport Version: 1.1\n").unwrap();
        std::fs::write(directory.join("manifest.json"), &self.manifest).unwrap();
        for bytes in [&self.config, &self.layer] {
            std::fs::write(directory.join(Digest::of(bytes).hex()), bytes).unwrap();
        }
    }

    /// Pushes it as clients do; gives the answer to the manifest, or to what failed before.
    pub(super) fn push(&self, up: &Up, token: &str, repository: &str, tag: &str) -> Answer {
        for bytes in [&self.config, &self.layer] {
            let begun = up.send(token, "POST", &format!("/v2/{repository}/blobs/uploads/"), b"");
            if begun.code != 202 {
                return begun;
            }
            let path = format!("{}?digest={}", begun.header("location"), Digest::of(bytes));
            let stored = up.send(token, "PUT", &path, bytes);
            if stored.code != 201 {
                return stored;
            }
        }
        let path = format!("/v2/{repository}/manifests/{tag}");
        up.send_as(token, "PUT", &path, IMAGE, &self.manifest)
    }
}
