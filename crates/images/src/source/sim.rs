//! The images of a simulated engine, as a place to import from.
//!
//! Invariant: what pulls can be imported, and under the digest by which it is pulled.
//!
//! Deviation: a repository of the catalogue has the tags that were added to it; an image nobody
//! described has the one it is asked for, as simulated pulls do.

use apimachinery::ObjectExt as _;
use apimachinery::json;
use cri::sim::SimImages;

use crate::source::{Error, Fetched, Source, Wanted};

/// The simulated catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue(pub SimImages);

impl Catalogue {
    /// The reference as a manifest would name it, and its digest.
    fn find(&self, wanted: &Wanted<'_>) -> Result<String, Error> {
        let reference = wanted.reference.exact();
        let behaviour = self.0.behaviour(&reference);
        if behaviour.missing {
            return Err(Error::NotFound);
        }
        if let Some(why) = &behaviour.pull_error {
            return Err(Error::Failed(why.clone()));
        }
        let Some(asked) = &behaviour.pull_credentials else { return Ok(reference) };
        let target = wanted.reference.docker_client_defaults();
        let path = format!("/{}", target.repository_name());
        match wanted.keyring.login("https", &target.registry, &path) {
            Some(shown) if shown.username == asked.username && shown.password == asked.password => {
                Ok(reference)
            }
            Some(_) => Err(Error::Unauthorized { no_basic: false, incorrect: true }),
            None => Err(Error::Unauthorized { no_basic: true, incorrect: false }),
        }
    }
}

impl Source for Catalogue {
    fn image(&self, wanted: &Wanted<'_>) -> Result<Fetched, Error> {
        let reference = self.find(wanted)?;
        let digest = self.0.digest(&reference);
        let behaviour = self.0.behaviour(&reference);
        let mut metadata = json!({
            "kind": "DockerImage", "apiVersion": "1.0", "Id": digest, "Architecture": "amd64",
            "ContainerConfig": {}, "Config": {},
        });
        if let Some(user) = behaviour.user {
            metadata.set(&["Config", "User"], json!(user));
        }
        Ok(Fetched { digest, metadata: Some(metadata), ..Fetched::default() })
    }

    fn tags(&self, wanted: &Wanted<'_>) -> Result<Vec<String>, Error> {
        let repository = wanted.reference.as_repository().exact();
        let tags = self.0.tags(&repository);
        if tags.is_empty() { Err(Error::NotFound) } else { Ok(tags) }
    }

    fn is_remote(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::image_reference::ImageReference;
    use cri::sim::Behaviour;

    use super::*;
    use crate::source::{Keyring, Platform};

    fn ask<T>(reference: &str, ask: impl Fn(&Catalogue, &Wanted<'_>) -> T) -> T {
        let images = SimImages::new();
        images.add("r.example/a/app:1", Behaviour::default());
        images.add("r.example/a/app:2", Behaviour { missing: true, ..Behaviour::default() });
        let reference = ImageReference::parse(reference).unwrap();
        let (keyring, platform) = (Keyring::default(), Platform::default());
        let wanted = Wanted {
            reference: &reference,
            insecure: false,
            keyring: &keyring,
            platform: &platform,
        };
        ask(&Catalogue(images), &wanted)
    }

    #[test]
    fn what_pulls_is_imported_under_the_digest_it_is_pulled_by() {
        let images = SimImages::new();
        let digest = images.add("r.example/a/app:1", Behaviour::default());
        let fetched =
            ask("r.example/a/app:1", |catalogue, wanted| catalogue.image(wanted)).unwrap();
        assert_eq!(fetched.digest, digest);
        let missing = ask("r.example/a/app:2", |catalogue, wanted| catalogue.image(wanted));
        assert_eq!(missing, Err(Error::NotFound));
    }

    #[test]
    fn a_repository_lists_the_tags_it_was_given() {
        let tags = |reference: &str| ask(reference, |catalogue, wanted| catalogue.tags(wanted));
        assert_eq!(tags("r.example/a/app"), Ok(vec!["1".to_owned(), "2".to_owned()]));
        assert_eq!(tags("r.example/a/other"), Err(Error::NotFound));
    }
}
