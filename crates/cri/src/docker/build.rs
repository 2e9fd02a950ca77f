//! Building an image from a directory with a Dockerfile, by the engine's classic builder.
//!
//! Invariant: the image carries the cluster's labels, so that cleaning up finds it.

use std::path::Path;

use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt as _;

use super::{DockerEngine, error};
use crate::runtime::Error;

impl DockerEngine {
    /// Builds the image `tag` from the Dockerfile in `directory`; gives its id.
    ///
    /// # Errors
    /// When the directory cannot be read, or what the engine says about the build.
    pub async fn build_directory(&self, tag: &str, directory: &Path) -> Result<String, Error> {
        let failed = |error: std::io::Error| Error::Engine(error.to_string());
        let mut archive = tar::Builder::new(Vec::new());
        archive.follow_symlinks(false);
        archive.append_dir_all(".", directory).map_err(failed)?;
        let context = archive.into_inner().map_err(failed)?;
        let labels = self.shared.labels();
        #[expect(clippy::disallowed_types, reason = "the type that bollard takes")]
        let labels: std::collections::HashMap<&str, &str> =
            labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let options = BuildImageOptionsBuilder::new().t(tag).rm(true).labels(&labels).build();
        let body = bollard::body_full(context.into());
        let mut progress = self.shared.docker.build_image(options, None, Some(body));
        while let Some(step) = progress.next().await {
            let step = step.map_err(error::from_engine)?;
            if let Some(detail) = step.error_detail {
                return Err(Error::Engine(detail.message.unwrap_or_default()));
            }
        }
        let id = self.image_id(tag).await?;
        id.ok_or_else(|| Error::Engine(format!("the build made no image {tag:?}")))
    }
}
