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

/// A near place that is asked first, and a far one for what it does not have.
#[derive(Debug, Clone)]
pub struct NearThenFar {
    /// Asked first.
    pub near: Arc<dyn Source>,
    /// Asked for what the near one does not give. Its refusals are what is told, unless it just has
    /// nothing.
    pub far: Arc<dyn Source>,
}

impl NearThenFar {
    fn ask<T>(&self, ask: impl Fn(&dyn Source) -> Result<T, Error>) -> Result<T, Error> {
        let near = match ask(&*self.near) {
            Err(refusal) => refusal,
            found => return found,
        };
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
