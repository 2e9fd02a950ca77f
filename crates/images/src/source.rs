//! Where images come from when they are imported: the seam, and a way to ask several places in turn.
//!
//! Invariant: a source only reads; what becomes of an answer is decided by [`crate::import`].

pub mod engine;
pub mod http;
pub mod keyring;
pub mod registry;
pub mod sim;

use std::fmt::Debug;
use std::sync::Arc;

use apimachinery::image_reference::ImageReference;
use apimachinery::{Reason, Status, Value};

pub use crate::source::keyring::{Keyring, Login};

/// For which machine one image of a list is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Platform {
    /// `amd64`, `arm64` …; empty for any.
    pub architecture: String,
    /// `linux` …; empty for any.
    pub os: String,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The image or, for its tags, the repository.
    pub reference: &'a ImageReference,
    /// Whether plain HTTP and certificates that nobody vouches for will do.
    pub insecure: bool,
    /// What may be shown to the registry.
    pub keyring: &'a Keyring,
    /// Which image of a list.
    pub platform: &'a Platform,
}

/// An image that was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fetched {
    /// The digest by which it is pulled, and its name from now on.
    pub digest: String,
    /// The manifest's bytes; empty when the place keeps none.
    pub manifest: String,
    /// The manifest's media type.
    pub media_type: String,
    /// The configuration's bytes.
    pub config: String,
    /// `dockerImageMetadata` where there is no manifest to read it from.
    pub metadata: Option<Value>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such image or repository.
    #[error("not found")]
    NotFound,
    /// The registry wants to know who asks, or does not let this one.
    #[error("unauthorized")]
    Unauthorized {
        /// Whether it asked for a name and password and none was filed.
        no_basic: bool,
        /// Whether it said that name or password are wrong.
        incorrect: bool,
    },
    /// The registry speaks plain HTTP, which was not permitted.
    #[error("plain HTTP is not permitted")]
    HttpOnly,
    /// The host does not speak the protocol.
    #[error("{0} does not speak the v2 protocol")]
    NotV2(String),
    /// Anything else, in the words of upstream's client.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// What the result of an import says about `image`.
    #[must_use]
    pub fn status(&self, image: &str) -> Status {
        match self {
            Self::NotFound => Status::not_found("image.openshift.io", "dockerimage", image),
            Self::Unauthorized { incorrect: true, .. } => {
                let text = format!("incorrect username or password for image {image:?}");
                Status::new(Reason::Unauthorized, text)
            }
            Self::Unauthorized { no_basic, .. } => {
                let mut text = format!("you may not have access to the Docker image {image:?}");
                if *no_basic {
                    text.push_str(" and did not have credentials to the repository");
                }
                Status::new(Reason::Unauthorized, text)
            }
            Self::HttpOnly => Status::bad_request(
                "this repository is HTTP only and requires the insecure flag to import",
            ),
            Self::NotV2(host) => {
                let text = format!("registry {host:?} does not support the v2 Registry API");
                Status::new(Reason::Forbidden, text)
            }
            Self::Failed(text) => Status::internal(text),
        }
    }
}

/// A place that images can be imported from.
pub trait Source: Send + Sync + Debug {
    /// The image that the reference stands for now.
    ///
    /// # Errors
    /// Why there is none.
    fn image(&self, wanted: &Wanted<'_>) -> Result<Fetched, Error>;

    /// The tags of a repository, in no order.
    ///
    /// # Errors
    /// Why there are none.
    fn tags(&self, wanted: &Wanted<'_>) -> Result<Vec<String>, Error>;

    /// Whether answers take time that passes for others too: then nobody may wait for them in the
    /// loop.
    fn is_remote(&self) -> bool;
}

/// No place at all: every image is missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Source for Nowhere {
    fn image(&self, _: &Wanted<'_>) -> Result<Fetched, Error> {
        Err(Error::NotFound)
    }

    fn tags(&self, _: &Wanted<'_>) -> Result<Vec<String>, Error> {
        Err(Error::NotFound)
    }

    fn is_remote(&self) -> bool {
        false
    }
}

/// A near place that is asked first, and a far one for what it does not give.
#[derive(Debug, Clone)]
pub struct NearThenFar {
    /// Asked first.
    pub near: Arc<dyn Source>,
    /// Asked then. Its refusals are what is told, unless it just has nothing.
    pub far: Arc<dyn Source>,
    /// Whether the far one is only asked when the near one cannot say, e.g. for want of a network.
    pub last_resort: bool,
}

impl NearThenFar {
    fn ask<T>(&self, ask: impl Fn(&dyn Source) -> Result<T, Error>) -> Result<T, Error> {
        let near = match ask(&*self.near) {
            Err(refusal) => refusal,
            found => return found,
        };
        if self.last_resort && !matches!(near, Error::Failed(_)) {
            return Err(near);
        }
        ask(&*self.far).map_err(|far| if far == Error::NotFound { near } else { far })
    }
}

impl Source for NearThenFar {
    fn image(&self, wanted: &Wanted<'_>) -> Result<Fetched, Error> {
        self.ask(|place| place.image(wanted))
    }

    fn tags(&self, wanted: &Wanted<'_>) -> Result<Vec<String>, Error> {
        self.ask(|place| place.tags(wanted))
    }

    fn is_remote(&self) -> bool {
        self.near.is_remote() || self.far.is_remote()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the same answer to everybody.
    #[derive(Debug)]
    struct Always(Result<Vec<String>, Error>);

    impl Source for Always {
        fn image(&self, _: &Wanted<'_>) -> Result<Fetched, Error> {
            Err(Error::NotFound)
        }

        fn tags(&self, _: &Wanted<'_>) -> Result<Vec<String>, Error> {
            self.0.clone()
        }

        fn is_remote(&self) -> bool {
            false
        }
    }

    fn ask(near: Error, far: Result<Vec<String>, Error>, last_resort: bool) -> String {
        let reference = ImageReference::parse("a/b").unwrap();
        let (keyring, platform) = (Keyring::default(), Platform::default());
        let wanted = Wanted {
            reference: &reference,
            insecure: false,
            keyring: &keyring,
            platform: &platform,
        };
        let (near, far) = (Arc::new(Always(Err(near))), Arc::new(Always(far)));
        match (NearThenFar { near, far, last_resort }).tags(&wanted) {
            Ok(tags) => tags.join(","),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_last_resort_is_for_want_of_an_answer_only() {
        let found = || Ok(vec!["1".to_owned()]);
        let unreachable = || Error::Failed("unreachable".to_owned());
        assert_eq!(ask(Error::NotFound, found(), false), "1");
        assert_eq!(ask(Error::NotFound, found(), true), "not found");
        assert_eq!(ask(Error::HttpOnly, found(), true), "plain HTTP is not permitted");
        assert_eq!(ask(unreachable(), found(), true), "1");
        assert_eq!(ask(unreachable(), Err(Error::NotFound), true), "unreachable");
        assert_eq!(ask(Error::NotFound, Err(unreachable()), false), "unreachable");
    }
}
