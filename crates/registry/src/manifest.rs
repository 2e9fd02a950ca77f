//! What a manifest names: a config and layers, or further manifests.
//!
//! Mirrors: `docker/distribution/manifest/{schema2,manifestlist,ocischema}`.

use apimachinery::ObjectExt as _;
use apimachinery::Value;

use crate::digest::Digest;

const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Media types of layers whose bytes are somewhere else.
const FOREIGN: [&str; 2] = [
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
];

/// A manifest that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its media type.
    pub media_type: String,
    /// The config of an image.
    pub config: Option<Digest>,
    /// The layers of an image, base first.
    pub layers: Vec<Digest>,
    /// The manifests of a list or index.
    pub manifests: Vec<Digest>,
}

/// Why bytes are no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No JSON.
    #[error("the manifest is no JSON: {0}")]
    Json(String),
    /// A media type that is not served.
    #[error("unsupported manifest media type {0:?}")]
    MediaType(String),
    /// The media type of the request and of the manifest differ.
    #[error("the media type in the manifest is {manifest:?}, not {request:?}")]
    Mismatch {
        /// In the document.
        manifest: String,
        /// In the header.
        request: String,
    },
    /// A descriptor without a digest.
    #[error("{0} has no valid digest")]
    Descriptor(&'static str),
}

impl Manifest {
    /// Reads the bytes of a manifest that came as `content_type`.
    ///
    /// # Errors
    /// When they are no manifest of a type that is served.
    pub fn parse(bytes: &[u8], content_type: &str) -> Result<Self, Error> {
        let document: Value =
            serde_json::from_slice(bytes).map_err(|error| Error::Json(error.to_string()))?;
        let stated = document.str_at(&["mediaType"]);
        let request = content_type.split(';').next().unwrap_or_default().trim();
        let request = if matches!(request, "" | "application/json") { stated } else { request };
        if !stated.is_empty() && stated != request {
            let (manifest, request) = (stated.to_owned(), request.to_owned());
            return Err(Error::Mismatch { manifest, request });
        }
        let media_type = request.to_owned();
        match request {
            DOCKER_IMAGE | OCI_IMAGE => {
                let config = digest(document.get("config"), "the config")?;
                let layers = document.list_at(&["layers"]).iter();
                let layers = layers.filter(|layer| !is_foreign(layer));
                let layers = layers.map(|layer| digest(Some(layer), "a layer"));
                let layers = layers.collect::<Result<_, _>>()?;
                Ok(Self { media_type, config: Some(config), layers, manifests: Vec::new() })
            }
            DOCKER_LIST | OCI_INDEX => {
                let manifests = document.list_at(&["manifests"]).iter();
                let manifests = manifests.map(|entry| digest(Some(entry), "a manifest"));
                let manifests = manifests.collect::<Result<_, _>>()?;
                Ok(Self { media_type, config: None, layers: Vec::new(), manifests })
            }
            other => Err(Error::MediaType(other.to_owned())),
        }
    }

    /// The blobs that must be there before the manifest is.
    pub fn blobs(&self) -> impl Iterator<Item = &Digest> {
        self.config.iter().chain(&self.layers)
    }
}

fn digest(descriptor: Option<&Value>, what: &'static str) -> Result<Digest, Error> {
    let text = descriptor.map_or("", |descriptor| descriptor.str_at(&["digest"]));
    text.parse().map_err(|_| Error::Descriptor(what))
}

/// Whether a layer is fetched from its own address and never pushed.
fn is_foreign(layer: &Value) -> bool {
    let media_type = layer.str_at(&["mediaType"]);
    FOREIGN.iter().any(|foreign| media_type.starts_with(foreign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use apimachinery::json;

    fn parse(document: &Value, content_type: &str) -> Result<Manifest, Error> {
        Manifest::parse(document.to_string().as_bytes(), content_type)
    }

    #[test]
    fn an_image_names_its_config_and_layers() {
        let (config, layer) = (Digest::of(b"c"), Digest::of(b"l"));
        let document = json!({
            "schemaVersion": 2, "config": {"digest": config.to_string()},
            "layers": [
                {"digest": layer.to_string()},
                {"digest": "?", "mediaType": FOREIGN[0]},
            ],
        });
        let manifest = parse(&document, OCI_IMAGE).unwrap();
        assert_eq!(manifest.blobs().collect::<Vec<_>>(), [&config, &layer]);
    }

    #[test]
    fn an_index_names_manifests() {
        let child = Digest::of(b"m");
        let document =
            json!({"mediaType": DOCKER_LIST, "manifests": [{"digest": child.to_string()}]});
        assert_eq!(parse(&document, "").unwrap().manifests, [child]);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        assert!(matches!(Manifest::parse(b"{", DOCKER_IMAGE), Err(Error::Json(_))));
        let error = parse(&json!({}), "application/vnd.docker.distribution.manifest.v1+prettyjws");
        assert!(matches!(error, Err(Error::MediaType(_))));
        let error = parse(&json!({"mediaType": OCI_IMAGE}), DOCKER_IMAGE).unwrap_err();
        assert!(matches!(error, Error::Mismatch { .. }));
        let error = parse(&json!({"config": {"digest": "x"}}), DOCKER_IMAGE).unwrap_err();
        assert_eq!(error, Error::Descriptor("the config"));
    }
}
