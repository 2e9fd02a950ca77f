//! Images between this engine and registries, as `docker tag`, `push`, `pull` and `rmi` move them.
//!
//! Invariant: an image keeps its id; only names come and go.
//! Invariant: a name that was given here is taken away again when the cluster is cleaned up.

use bollard::query_parameters::{
    PushImageOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use futures_util::TryStreamExt as _;

use super::{DockerEngine, error, image};
use crate::config::Credentials;
use crate::runtime::Error;

impl DockerEngine {
    /// Gives the image `from` (a name or an id) the name `repository:tag` too.
    ///
    /// # Errors
    /// When there is no such image, or the engine does not answer.
    pub async fn tag_image(&self, from: &str, repository: &str, tag: &str) -> Result<(), Error> {
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        let tagged = self.shared.docker.tag_image(from, Some(options)).await;
        tagged.map_err(error::from_engine)?;
        self.shared.names.lock().insert(format!("{repository}:{tag}"));
        Ok(())
    }

    /// Sends `repository:tag` to the registry that its name begins with.
    ///
    /// # Errors
    /// What the registry or the engine says against it.
    pub async fn push_image(
        &self,
        repository: &str,
        tag: &str,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let shown = image::shown(credentials);
        let stream = self.shared.docker.push_image(repository, Some(options), Some(shown));
        stream.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(error::from_engine)
    }

    /// Fetches `reference` from the registry that its name begins with.
    ///
    /// # Errors
    /// What the registry or the engine says against it.
    pub async fn pull_image(
        &self,
        reference: &str,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        let pulled = image::pull(&self.shared, reference, std::slice::from_ref(credentials)).await;
        pulled?;
        self.shared.names.lock().insert(reference.to_owned());
        Ok(())
    }

    /// Takes the name `reference` away, and the image with its last name.
    ///
    /// # Errors
    /// When the engine does not answer; an image that is gone already is no error.
    pub async fn remove_image(&self, reference: &str) -> Result<(), Error> {
        let options = RemoveImageOptionsBuilder::default().build();
        match self.shared.docker.remove_image(reference, Some(options), None).await {
            Err(failure) if !error::is_missing(&failure) => Err(error::from_engine(failure)),
            _ => {
                self.shared.names.lock().remove(reference);
                Ok(())
            }
        }
    }
}
