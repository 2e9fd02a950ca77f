//! The images of a simulated engine.
//!
//! Invariant: a digest names one behaviour for ever; a tag moves.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::Text;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::behaviour::Behaviour;
use crate::digest::sha256;
use crate::runtime::Image;

/// How many references are remembered.
const REMEMBERED: usize = 4096;

/// Image references and what they do; a shared handle.
#[derive(Debug, Clone, Default)]
pub struct SimImages {
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    /// `repository:tag` → digest.
    tags: BTreeMap<String, String>,
    behaviours: BTreeMap<String, Arc<Behaviour>>,
    /// What every image does that is not known.
    unknown: Arc<Behaviour>,
    /// What was asked for since the last change.
    resolved: FxHashMap<String, Arc<Resolved>>,
}

/// What a reference stands for.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) repository: String,
    /// As the engine tells it; the tag is empty when the reference is by digest.
    pub(super) image: Image,
    pub(super) behaviour: Arc<Behaviour>,
}

/// A reference taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    repository: &'a str,
    tag: &'a str,
    digest: &'a str,
}

impl SimImages {
    /// No image known; every reference gives the default behaviour.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `reference` (with `:latest` when it has no tag) behave so, and gives the digest, which
    /// stays valid when the tag moves on.
    pub fn add(&self, reference: &str, behaviour: Behaviour) -> String {
        let parts = Parts::of(reference);
        let digest = digest_of(parts.repository, &behaviour);
        let mut table = self.table.lock();
        table.tags.insert(parts.tagged(), digest.clone());
        table.behaviours.insert(digest.clone(), Arc::new(behaviour));
        table.resolved.clear();
        digest
    }

    /// The digest that `reference` stands for.
    #[must_use]
    pub fn digest(&self, reference: &str) -> String {
        self.resolve(reference).image.id.to_string()
    }

    /// The tags that were added to `repository`, sorted.
    #[must_use]
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let table = self.table.lock();
        let places = table.tags.keys().map(|tagged| Parts::of(tagged));
        let own = places.filter(|parts| parts.repository == repository);
        own.map(|parts| parts.tag.to_owned()).collect()
    }

    /// Whether `reference` has been added under its tag or digest.
    #[must_use]
    pub fn contains(&self, reference: &str) -> bool {
        let parts = Parts::of(reference);
        let table = self.table.lock();
        table.behaviours.contains_key(parts.digest) || table.tags.contains_key(&parts.tagged())
    }

    /// What `reference` does; an unknown one does what the default does.
    #[must_use]
    pub fn behaviour(&self, reference: &str) -> Behaviour {
        (*self.resolve(reference).behaviour).clone()
    }

    pub(super) fn resolve(&self, reference: &str) -> Arc<Resolved> {
        let mut table = self.table.lock();
        if let Some(known) = table.resolved.get(reference) {
            return Arc::clone(known);
        }
        let found = Arc::new(table.look_up(reference));
        if table.resolved.len() == REMEMBERED {
            table.resolved.clear();
        }
        table.resolved.insert(reference.to_owned(), Arc::clone(&found));
        found
    }
}

impl Table {
    fn look_up(&self, reference: &str) -> Resolved {
        let parts = Parts::of(reference);
        let known = if parts.digest.is_empty() {
            self.tags.get(&parts.tagged()).cloned()
        } else {
            Some(parts.digest.to_owned())
        };
        let digest = known.unwrap_or_else(|| digest_of(parts.repository, &Behaviour::default()));
        let behaviour = Arc::clone(self.behaviours.get(&digest).unwrap_or(&self.unknown));
        let tag = if parts.digest.is_empty() { parts.tagged() } else { String::new() };
        let image = Image {
            repo_digest: format!("{}@{digest}", parts.repository).into(),
            id: digest.into(),
            tag: tag.into(),
            user: behaviour.user.as_deref().map_or_else(Text::new, Text::from),
        };
        Resolved { repository: parts.repository.to_owned(), image, behaviour }
    }
}

impl<'a> Parts<'a> {
    fn of(reference: &'a str) -> Self {
        let (name, digest) = reference.split_once('@').unwrap_or((reference, ""));
        let slash = name.rfind('/').map_or(0, |at| at + 1);
        match name[slash..].find(':') {
            Some(colon) => {
                Self { repository: &name[..slash + colon], tag: &name[slash + colon + 1..], digest }
            }
            None => Self { repository: name, tag: "latest", digest },
        }
    }

    fn tagged(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

fn digest_of(repository: &str, behaviour: &Behaviour) -> String {
    let document = apimachinery::json!([repository, behaviour]);
    sha256(document.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_come_apart() {
        let cases = [
            ("hello", ("hello", "latest", "")),
            ("hello:1", ("hello", "1", "")),
            ("localhost:5000/a/b", ("localhost:5000/a/b", "latest", "")),
            ("localhost:5000/a/b:2", ("localhost:5000/a/b", "2", "")),
            ("a/b@sha256:0", ("a/b", "latest", "sha256:0")),
        ];
        for (reference, (repository, tag, digest)) in cases {
            assert_eq!(Parts::of(reference), Parts { repository, tag, digest }, "{reference}");
        }
    }

    #[test]
    fn a_digest_outlives_its_tag() {
        let images = SimImages::new();
        let one = images.add("hello", Behaviour { stop_code: Some(1), ..Behaviour::default() });
        let two =
            images.add("hello:latest", Behaviour { stop_code: Some(2), ..Behaviour::default() });
        assert_ne!(one, two);
        assert_eq!(images.digest("hello"), two);
        assert_eq!(images.behaviour(&format!("registry/x/hello@{one}")).stop_code, Some(1));
        assert!(images.contains("hello") && !images.contains("hello:1"));
        assert_eq!(images.behaviour("hello").stop_code, Some(2), "what was asked before has moved");
    }
}
