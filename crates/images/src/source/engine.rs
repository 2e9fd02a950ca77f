//! The local Docker engine, as a place to import from: what `docker build` made needs no network.
//!
//! Invariant: an image that came from a registry is not answered for, so that its registry is asked
//! whether the tag has moved; see [`crate::source::NearThenFar`].

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use cri::docker::DockerEngine;
use tokio::runtime::Handle;

use crate::source::{Error, Fetched, Source, Wanted};

/// Images of the local engine, named by the engine's ids.
#[derive(Debug, Clone)]
pub struct LocalEngine {
    /// The engine.
    pub engine: DockerEngine,
    /// The runtime that talks to it.
    pub handle: Handle,
    /// Whether images that came from a registry are answered for too: the last resort without
    /// network.
    pub pulled_too: bool,
}

impl Source for LocalEngine {
    fn image(&self, wanted: &Wanted<'_>) -> Result<Fetched, Error> {
        let reference = wanted.reference.exact();
        let found = self.handle.block_on(self.engine.inspect_image(&reference));
        let found = found.map_err(|error| Error::Failed(error.to_string()))?;
        let found = found.ok_or(Error::NotFound)?;
        if !found.list_at(&["RepoDigests"]).is_empty() && !self.pulled_too {
            return Err(Error::NotFound);
        }
        Ok(Fetched {
            digest: found.str_at(&["Id"]).to_owned(),
            metadata: Some(metadata(&found)),
            ..Fetched::default()
        })
    }

    fn tags(&self, _: &Wanted<'_>) -> Result<Vec<String>, Error> {
        Err(Error::NotFound)
    }

    fn is_remote(&self) -> bool {
        true
    }
}

/// `dockerImageMetadata` out of what the engine says of an image.
fn metadata(found: &Value) -> Value {
    let mut metadata = json!({
        "kind": "DockerImage", "apiVersion": "1.0", "Id": found["Id"], "ContainerConfig": {},
    });
    for field in ["Created", "Author", "Architecture", "Size", "Config", "DockerVersion"] {
        let told = found.get(field).filter(|value| !value.is_null() && **value != json!(""));
        if let Some(value) = told {
            metadata[field] = value.clone();
        }
    }
    if let Some(config) = metadata.get_mut("Config").and_then(Value::as_object_mut) {
        config.retain(|_, value| !value.is_null() && *value != json!(""));
    }
    metadata
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_become_an_images() {
        let found = json!({
            "Id": "sha256:a", "Size": 12, "Author": "", "Os": "linux",
            "Config": {"Labels": {"a": "b"}, "User": "", "Cmd": null},
        });
        let expected = json!({
            "kind": "DockerImage", "apiVersion": "1.0", "Id": "sha256:a", "ContainerConfig": {},
            "Size": 12, "Config": {"Labels": {"a": "b"}},
        });
        assert_eq!(metadata(&found), expected);
    }
}
