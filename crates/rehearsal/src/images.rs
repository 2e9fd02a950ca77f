//! Where the images of a rehearsal come from, and how they go from registry to registry.
//!
//! A run has an *integration environment*, as a team's build server is one: images are made there,
//! pulled to there and pushed from there. Real runs do that with a Docker engine and real
//! registries. Simulated ones keep a table for every cluster of the images that its registry has; a
//! push adds the image to the table and tells the API of it, with the digest that it had.
//!
//! Invariant: an image keeps its digest wherever it goes.

use std::collections::BTreeMap;

use cri::sim::{Behaviour, SimImages};

use crate::load::Plan;
use crate::place::TagName;

/// A tag in the registry of one of the clusters.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Number of the cluster.
    pub cluster: usize,
    /// Project, stream and tag.
    pub tag: TagName<'a>,
}

/// How an image got to where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// The registry can show the image of this digest; the API has still to be told.
    Digest(String),
    /// A registry took it and has told the API.
    Mapped,
}

/// Makes and moves images.
pub trait ImageSource {
    /// Makes the image `reference` of `plan` and brings it to where `to` is.
    ///
    /// # Errors
    /// A sentence on why there is no such image.
    fn publish(&mut self, plan: &Plan, reference: &str, to: &Target<'_>) -> Result<Pushed, String>;

    /// Fetches the image that `from` points to, of this digest.
    ///
    /// # Errors
    /// A sentence on why the registry does not give it.
    fn pull(&mut self, from: &Target<'_>, digest: &str) -> Result<(), String>;

    /// Sends the image `from`, which was pulled or pushed before and has this digest, to `to`.
    ///
    /// # Errors
    /// A sentence on why the registry does not take it.
    fn push(&mut self, from: &Target<'_>, digest: &str, to: &Target<'_>) -> Result<Pushed, String>;

    /// Lets go of what was pulled or pushed by this name.
    ///
    /// # Errors
    /// A sentence on why that was not possible.
    fn remove(&mut self, image: &Target<'_>) -> Result<(), String>;
}

/// The registries of simulated clusters.
#[derive(Debug, Clone)]
pub struct SimRegistries {
    registries: Vec<SimImages>,
    /// The integration environment: every image that was ever made or pulled there, by digest.
    known: BTreeMap<String, (String, Behaviour)>,
}

impl SimRegistries {
    /// One for each cluster.
    #[must_use]
    pub fn new(registries: Vec<SimImages>) -> Self {
        Self { registries, known: BTreeMap::new() }
    }

    fn of(&self, target: &Target<'_>) -> Result<&SimImages, String> {
        let registry = self.registries.get(target.cluster);
        registry.ok_or_else(|| "there is no such registry".to_owned())
    }
}

impl ImageSource for SimRegistries {
    fn publish(&mut self, plan: &Plan, reference: &str, to: &Target<'_>) -> Result<Pushed, String> {
        let image = plan.spec.images.get(reference);
        let behaviour = image.map(|image| image.simulate.clone()).unwrap_or_default();
        let digest = self.of(to)?.add(reference, behaviour.clone());
        self.known.insert(digest.clone(), (reference.to_owned(), behaviour));
        Ok(Pushed::Digest(digest))
    }

    fn pull(&mut self, from: &Target<'_>, digest: &str) -> Result<(), String> {
        let by_digest = format!("{}/{}@{digest}", from.tag.project, from.tag.stream);
        if self.of(from)?.contains(&by_digest) {
            return Ok(());
        }
        Err(unknown_manifest(&from.tag))
    }

    fn push(
        &mut self,
        _from: &Target<'_>,
        digest: &str,
        to: &Target<'_>,
    ) -> Result<Pushed, String> {
        let known = self.known.get(digest).cloned();
        let (reference, behaviour) =
            known.ok_or_else(|| format!("no image {digest} was ever made here"))?;
        self.of(to)?.add(&reference, behaviour);
        Ok(Pushed::Digest(digest.to_owned()))
    }

    fn remove(&mut self, _image: &Target<'_>) -> Result<(), String> {
        Ok(())
    }
}

/// The images of a single simulated cluster: what its registry has is what the engine has.
impl ImageSource for SimImages {
    fn publish(&mut self, plan: &Plan, reference: &str, to: &Target<'_>) -> Result<Pushed, String> {
        SimRegistries::new(vec![self.clone()]).publish(plan, reference, to)
    }

    fn pull(&mut self, from: &Target<'_>, digest: &str) -> Result<(), String> {
        SimRegistries::new(vec![self.clone()]).pull(from, digest)
    }

    fn push(
        &mut self,
        _from: &Target<'_>,
        digest: &str,
        _to: &Target<'_>,
    ) -> Result<Pushed, String> {
        Ok(Pushed::Digest(digest.to_owned()))
    }

    fn remove(&mut self, _image: &Target<'_>) -> Result<(), String> {
        Ok(())
    }
}

/// What engines say of a tag that a registry does not have.
#[must_use]
pub fn unknown_manifest(tag: &TagName<'_>) -> String {
    format!("manifest for {tag} not found: manifest unknown: manifest unknown")
}
