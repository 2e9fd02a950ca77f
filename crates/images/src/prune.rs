//! Which images nobody needs any more, as `oc adm prune images` decides it.
//!
//! An image goes when it is old enough and nothing holds it: no pod that runs (or is young), no
//! template of whatever makes pods, no build, and none of the newest revisions of any tag. The history
//! of streams forgets it first.
//!
//! Invariant: pure; what was not shown to [`plan`] is not judged, so callers show every namespace.
//!
//! Mirrors: `oc/pkg/cli/admin/prune/imageprune/prune.go`.
//!
//! Deviation: stateful sets, jobs and cron jobs hold their images too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::Resource;
use apimachinery::image_reference::ImageReference;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

/// What holds images by the templates of its pods, besides the pods themselves.
pub static HOLDERS: [&Resource; 11] = [
    &api::PODS,
    &api::REPLICATION_CONTROLLERS,
    &api::DEPLOYMENT_CONFIGS,
    &api::REPLICA_SETS,
    &api::DEPLOYMENTS,
    &api::DAEMON_SETS,
    &api::STATEFUL_SETS,
    &api::JOBS,
    &api::CRON_JOBS,
    &api::BUILDS,
    &api::BUILD_CONFIGS,
];

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// That many newest revisions of every tag.
    pub tag_revisions: usize,
    /// Whatever is younger.
    pub younger_than: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self { tag_revisions: 3, younger_than: Duration::from_secs(3600) }
    }
}

/// What there is, in all namespaces.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// `Image` objects.
    pub images: Vec<Arc<Value>>,
    /// Image streams.
    pub streams: Vec<Arc<Value>>,
    /// Objects of [`HOLDERS`].
    pub holders: Vec<Arc<Value>>,
}

/// What is to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Names of images, sorted.
    pub images: Vec<String>,
    /// Revisions of tags, by namespace and name of the stream.
    pub streams: BTreeMap<(String, String), Vec<Revision>>,
}

/// A revision of a tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision {
    /// The tag.
    pub tag: String,
    /// The image that it pointed to.
    pub image: String,
}

/// Decides what goes at `now`.
#[must_use]
pub fn plan(observed: &Observed, keep: Keep, now: Time) -> Plan {
    let young = |object: &Value| {
        let created = Time::parse_rfc3339(object.creation_timestamp());
        created.is_none_or(|created| created + keep.younger_than > now)
    };
    let mut held: BTreeSet<String> = BTreeSet::new();
    for stream in &observed.streams {
        let kept = if young(stream) { usize::MAX } else { keep.tag_revisions };
        for tag in stream.list_at(&["status", "tags"]) {
            let revisions = tag.list_at(&["items"]).iter().take(kept);
            held.extend(revisions.map(|item| item.str_at(&["image"]).to_owned()));
        }
    }
    for holder in &observed.holders {
        let ended = matches!(holder.str_at(&["status", "phase"]), "Succeeded" | "Failed");
        if holder.kind() != "Pod" || !ended || young(holder) {
            held.extend(images_of(holder, &observed.streams));
        }
    }
    let goes = |image: &&Arc<Value>| !young(image) && !held.contains(image.name());
    let mut images: Vec<String> =
        observed.images.iter().filter(goes).map(|image| image.name().to_owned()).collect();
    images.sort_unstable();
    let mut streams = BTreeMap::new();
    for stream in &observed.streams {
        let revisions = revisions(stream);
        let gone: Vec<Revision> =
            revisions.filter(|one| images.binary_search(&one.image).is_ok()).collect();
        if !gone.is_empty() {
            streams.insert((stream.namespace().to_owned(), stream.name().to_owned()), gone);
        }
    }
    Plan { images, streams }
}

fn revisions(stream: &Value) -> impl Iterator<Item = Revision> {
    stream.list_at(&["status", "tags"]).iter().flat_map(|tag| {
        let name = tag.str_at(&["tag"]);
        let revision = |item: &Value| Revision {
            tag: name.to_owned(),
            image: item.str_at(&["image"]).to_owned(),
        };
        tag.list_at(&["items"]).iter().map(revision)
    })
}

/// `stream` without the revisions `gone`, and without tags that have none left.
#[must_use]
pub fn without(stream: &Value, gone: &[Revision]) -> Value {
    let mut stream = stream.clone();
    let tags = stream.pointer_mut("/status/tags").and_then(Value::as_array_mut);
    let Some(tags) = tags else { return stream };
    for tag in &mut *tags {
        let name = tag.str_at(&["tag"]).to_owned();
        let Some(items) = tag.get_mut("items").and_then(Value::as_array_mut) else { continue };
        items.retain(|item| {
            let image = item.str_at(&["image"]);
            !gone.iter().any(|one| one.tag == name && one.image == image)
        });
    }
    tags.retain(|tag| !tag.list_at(&["items"]).is_empty());
    stream
}

/// The names of the images that an object holds.
fn images_of(object: &Value, streams: &[Arc<Value>]) -> BTreeSet<String> {
    let mut specs = Vec::new();
    match object.kind() {
        "Build" | "BuildConfig" => return named_anywhere(object),
        "Pod" => specs.extend(object.get("spec")),
        "CronJob" => specs.extend(object.at(&["spec", "jobTemplate", "spec", "template", "spec"])),
        _ => specs.extend(object.at(&["spec", "template", "spec"])),
    }
    let mut held = BTreeSet::new();
    for spec in specs {
        let containers = spec.list_at(&["containers"]).iter();
        for container in containers.chain(spec.list_at(&["initContainers"])) {
            held.extend(image_named(container.str_at(&["image"]), streams));
        }
    }
    held
}

/// The image that a pull spec means: by its digest, or by the tag of the stream that it names.
fn image_named(spec: &str, streams: &[Arc<Value>]) -> Option<String> {
    if let Some((_, digest)) = spec.split_once('@') {
        return Some(digest.to_owned());
    }
    let reference = ImageReference::parse(spec).ok()?;
    let mut found = streams.iter().filter(|stream| {
        stream.name() == reference.name && stream.namespace() == reference.namespace
    });
    let tag = if reference.tag.is_empty() { "latest" } else { &reference.tag };
    let event = crate::history::latest(found.next()?, tag)?;
    Some(event.image)
}

/// Every digest that stands anywhere in a document: builds name images in many places.
fn named_anywhere(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) => {
            text.split_once('@').map(|(_, digest)| digest.to_owned()).into_iter().collect()
        }
        Value::Array(items) => items.iter().flat_map(named_anywhere).collect(),
        Value::Object(fields) => fields.values().flat_map(named_anywhere).collect(),
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests;
