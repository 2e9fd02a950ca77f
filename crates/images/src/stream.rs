//! What storing an image stream does to it: generations, the status that clients may not write, and
//! the events that changed spec tags give rise to.
//!
//! Invariant: pure; other streams are looked up through [`Streams`].
//!
//! Mirrors: `openshift/origin pkg/image/apiserver/registry/imagestream/strategy.go`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apimachinery::field::{self, Path};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};

use crate::history::{TagEvent, add_event, latest, spec_tag, status_tag, update_tracking_tags};

/// Host and port under which the integrated registry is known inside the cluster.
pub const REGISTRY: &str = "docker-registry.default.svc:5000";

const GROUP: &str = "image.openshift.io";

/// Looks up other image streams while one is being stored.
pub trait Streams {
    /// The stream `namespace`/`name`; `None` when it does not exist.
    fn stream(&self, namespace: &str, name: &str) -> Option<Arc<Value>>;

    /// Whether the caller may pull from the stream, which copying a tag out of it asks for.
    fn may_pull(&self, namespace: &str, name: &str) -> bool;
}

/// `<registry>/<namespace>/<name>` of a stream.
#[must_use]
pub fn repository(namespace: &str, name: &str) -> String {
    format!("{REGISTRY}/{namespace}/{name}")
}

/// Prepares a new stream: generation 1 everywhere, no status but what its spec tags resolve to.
///
/// # Errors
/// The spec tags that refer to something that is not there.
pub fn prepare_for_create(
    stream: &mut Value,
    streams: &dyn Streams,
    now: &str,
) -> Result<(), field::ErrorList> {
    stream.set(&["metadata", "generation"], json!(1));
    let repository = repository(stream.namespace(), stream.name());
    stream.set(&["status"], json!({"dockerImageRepository": repository}));
    set_spec_generations(stream, None, 1);
    apply_changed_tags(stream, None, streams, now)
}

/// Prepares a changed stream: `status` (the one of `old`, unless an import brings its own) is kept,
/// then extended by changed spec tags.
///
/// # Errors
/// The spec tags that refer to something that is not there.
pub fn prepare_for_update(
    stream: &mut Value,
    old: &Value,
    status: Option<Value>,
    streams: &dyn Streams,
    now: &str,
) -> Result<(), field::ErrorList> {
    stream.set(&["status"], status.unwrap_or_else(|| json!({})));
    keep_spec_generations(stream, old);
    let mut generation = old.generation();
    if stream.get("spec") != old.get("spec") {
        generation += 1;
    }
    stream.set(&["metadata", "generation"], json!(generation));
    let changed = changed_tags(stream, Some(old));
    set_spec_generations(stream, Some(&changed), generation);
    apply_tags(stream, &changed, streams, now)
}

/// Gives the newest event of a tag that came without one the generation of its spec tag or stream.
pub fn settle_status(stream: &mut Value) {
    let own = stream.generation();
    let generations: BTreeMap<String, i64> = stream
        .list_at(&["spec", "tags"])
        .iter()
        .filter_map(|tag| Some((tag.str_at(&["name"]).to_owned(), tag.int_at(&["generation"])?)))
        .collect();
    let tags = stream.get_mut("status").and_then(|status| status.get_mut("tags"));
    for entry in tags.and_then(Value::as_array_mut).into_iter().flatten() {
        let generation = generations.get(entry.str_at(&["tag"])).copied().unwrap_or(own);
        let items = entry.get_mut("items").and_then(Value::as_array_mut);
        if let Some(head) = items.and_then(|items| items.first_mut())
            && head.int_at(&["generation"]).unwrap_or(0) == 0
        {
            head["generation"] = json!(generation);
        }
    }
}

/// A client may only ask for generation 0 ("resolve again"); any other value is the stored one.
fn keep_spec_generations(stream: &mut Value, old: &Value) {
    for tag in spec_tags_mut(stream) {
        let asked = tag.int_at(&["generation"]);
        if asked == Some(0) {
            continue;
        }
        let stored = spec_tag(old, tag.str_at(&["name"])).and_then(|t| t.int_at(&["generation"]));
        tag["generation"] = stored.map_or(Value::Null, |generation| json!(generation));
    }
}

/// Sets the generation of the tags named in `only` (all when `None`) and of those without one.
fn set_spec_generations(stream: &mut Value, only: Option<&[String]>, generation: i64) {
    for tag in spec_tags_mut(stream) {
        let named = only.is_none_or(|names| names.iter().any(|n| n == tag.str_at(&["name"])));
        if named || tag.int_at(&["generation"]).unwrap_or(0) == 0 {
            tag["generation"] = json!(generation);
        }
    }
}

fn spec_tags_mut(stream: &mut Value) -> impl Iterator<Item = &mut Value> {
    let tags = stream.get_mut("spec").and_then(|spec| spec.get_mut("tags"));
    tags.and_then(Value::as_array_mut).into_iter().flatten()
}

/// Whether spec tag `next` refers to something else than `old` did, in a stream of `namespace`.
///
/// Mirrors: `tagRefChanged` of upstream's strategy.
#[must_use]
pub fn refers_elsewhere(old: &Value, next: &Value, namespace: &str) -> bool {
    let target = |tag: &Value| {
        let from = |field: &str| tag.str_at(&["from", field]).to_owned();
        let own = Some(from("namespace")).filter(|own| !own.is_empty());
        (from("name"), own.unwrap_or_else(|| namespace.to_owned()), tag.bool_at(&["reference"]))
    };
    !next.str_at(&["from", "name"]).is_empty() && target(old) != target(next)
}

/// Names of the spec tags that are new or differ in what they point to.
fn changed_tags(stream: &Value, old: Option<&Value>) -> Vec<String> {
    let changed = |tag: &&Value| {
        let before = old.and_then(|old| spec_tag(old, tag.str_at(&["name"])));
        let again = tag.int_at(&["generation"]) == Some(0);
        again || before.is_none_or(|before| refers_elsewhere(before, tag, stream.namespace()))
    };
    let tags = stream.list_at(&["spec", "tags"]).iter().filter(changed);
    tags.map(|tag| tag.str_at(&["name"]).to_owned()).collect()
}

fn apply_changed_tags(
    stream: &mut Value,
    old: Option<&Value>,
    streams: &dyn Streams,
    now: &str,
) -> Result<(), field::ErrorList> {
    let changed = changed_tags(stream, old);
    apply_tags(stream, &changed, streams, now)
}

fn apply_tags(
    stream: &mut Value,
    changed: &[String],
    streams: &dyn Streams,
    now: &str,
) -> Result<(), field::ErrorList> {
    let mut errors = field::ErrorList::new();
    for name in changed {
        let Some(tag) = spec_tag(stream, name).cloned() else { continue };
        match event_for(stream, &tag, streams, now) {
            Ok(Some(event)) => {
                add_event(stream, name, &event);
                share_generation(stream, &tag, event.generation);
                update_tracking_tags(stream, name, &event);
            }
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// An alias and the tag that it names share one event, also when it is made anew for the alias: the
/// named tag gets its generation.
fn share_generation(stream: &mut Value, alias: &Value, generation: i64) {
    let from = |field: &str| alias.str_at(&["from", field]);
    let namespace = Some(from("namespace")).filter(|namespace| !namespace.is_empty());
    let name = from("name");
    let (source, tag) = name.split_once(':').unwrap_or_else(|| (stream.name(), name));
    let own = namespace.is_none_or(|namespace| namespace == stream.namespace());
    if from("kind") != "ImageStreamTag" || !own || source != stream.name() {
        return;
    }
    let tag = tag.to_owned();
    let entry = crate::history::status_tag_mut(stream, &tag);
    let items = entry.and_then(|entry| entry.get_mut("items")).and_then(Value::as_array_mut);
    if let Some(newest) = items.and_then(|items| items.first_mut()) {
        newest["generation"] = json!(generation);
    }
}

/// The event that spec tag `tag` of `stream` stands for; `None` when it resolves to nothing now.
fn event_for(
    stream: &Value,
    tag: &Value,
    streams: &dyn Streams,
    now: &str,
) -> Result<Option<TagEvent>, field::Error> {
    let from = |field: &str| tag.str_at(&["from", field]);
    let generation = stream.generation();
    match from("kind") {
        "DockerImage" if tag.bool_at(&["reference"]) => Ok(Some(TagEvent {
            created: now.to_owned(),
            docker_image_reference: from("name").to_owned(),
            image: String::new(),
            generation,
        })),
        "ImageStreamTag" => {
            let (source, id) = source_stream(stream, tag, ':', streams)?;
            let source = source.as_deref().unwrap_or(stream);
            let event = latest(source, &id);
            Ok(event.map(|event| adopt(stream, source, tag, event, generation)))
        }
        "ImageStreamImage" => {
            let (source, id) = source_stream(stream, tag, '@', streams)?;
            let source = source.as_deref().unwrap_or(stream);
            let mut event = find_image(source, &id).map_err(|status| {
                let missing = format!("imagestreamimage {id:?} not found");
                let why = if status.is_not_found() { missing } else { status.message };
                unresolved(tag, &why)
            })?;
            event.created = now.to_owned();
            Ok(Some(adopt(stream, source, tag, event, generation)))
        }
        _ => Ok(None),
    }
}

/// The stream that `tag` refers to (`None` for its own) and the tag or image id within it.
fn source_stream(
    stream: &Value,
    tag: &Value,
    separator: char,
    streams: &dyn Streams,
) -> Result<(Option<Arc<Value>>, String), field::Error> {
    let name = tag.str_at(&["from", "name"]);
    let namespace = Some(tag.str_at(&["from", "namespace"]))
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or_else(|| stream.namespace());
    let (source, id) = name.split_once(separator).unwrap_or_else(|| (stream.name(), name));
    if id.contains(separator) {
        let text = "must be of the form <tag>, <repo>:<tag>, <id>, or <repo>@<id>";
        return Err(field::Error::invalid(&from_name_path(tag), name, text));
    }
    if source == stream.name() && namespace == stream.namespace() {
        return Ok((None, id.to_owned()));
    }
    if namespace != stream.namespace() && !streams.may_pull(namespace, source) {
        let text = format!("{namespace}/{source}: \"no RBAC policy matched\" \"\"");
        return Err(field::Error::forbidden(&from_path(tag), &text));
    }
    let found = streams.stream(namespace, source);
    let found = found.ok_or_else(|| field::Error::not_found(&from_name_path(tag), name))?;
    Ok((Some(found), id.to_owned()))
}

fn from_path(tag: &Value) -> Path {
    Path::new("spec").child("tags").key(tag.str_at(&["name"])).child("from")
}

fn from_name_path(tag: &Value) -> Path {
    from_path(tag).child("name")
}

fn unresolved(tag: &Value, why: &str) -> field::Error {
    let text = format!("error generating tag event: {why}");
    field::Error::invalid(&from_name_path(tag), tag.str_at(&["from", "name"]), &text)
}

/// The event of the one image in `stream`'s histories whose name is `id` or begins with it.
///
/// # Errors
/// 404 when there is none, 409 when several begin so, even if one is named in full.
///
/// Mirrors: `openshift/origin pkg/image/apis/image/helper.go` (`ResolveImageID`).
pub fn find_image(stream: &Value, id: &str) -> Result<TagEvent, Status> {
    let begins = |image: &str| {
        let hex = image.strip_prefix("sha256:");
        !image.is_empty() && (image.starts_with(id) || hex.is_some_and(|hex| hex.starts_with(id)))
    };
    let tags = stream.list_at(&["status", "tags"]);
    let items = tags.iter().flat_map(|entry| entry.list_at(&["items"])).map(TagEvent::read);
    let matches: Vec<TagEvent> =
        items.filter(|event| !id.is_empty() && begins(&event.image)).collect();
    let names: BTreeSet<&str> = matches.iter().map(|event| event.image.as_str()).collect();
    if names.len() > 1 {
        let names: Vec<&str> = names.into_iter().collect();
        let text = format!("multiple images match the prefix {id:?}: {}", names.join(", "));
        return Err(Status::conflict(GROUP, "imagestreamimage", id, &text));
    }
    let last = matches.into_iter().next_back();
    last.ok_or_else(|| Status::not_found(GROUP, "imagestreamimage", id))
}

/// Makes an event of `source` one of `stream`: its generation, and its own repository when the image
/// lives in the integrated registry under `source`.
fn adopt(
    stream: &Value,
    source: &Value,
    tag: &Value,
    event: TagEvent,
    generation: i64,
) -> TagEvent {
    let own = repository(source.namespace(), source.name());
    let mut reference = event.docker_image_reference.clone();
    if !tag.bool_at(&["reference"])
        && let Some(rest) = reference.strip_prefix(&own)
        && rest.starts_with(['@', ':'])
    {
        reference = format!("{}{rest}", repository(stream.namespace(), stream.name()));
    }
    TagEvent { docker_image_reference: reference, generation, ..event }
}

/// The pull spec that `tag` stands for in triggers; `None` while it points to nothing.
///
/// Mirrors: `openshift/origin pkg/image/apis/image/helper.go` (`ResolveLatestTaggedImage`).
#[must_use]
pub fn resolve_pull_spec(stream: &Value, tag: &str) -> Option<String> {
    let event = latest(stream, tag)?;
    let local = spec_tag(stream, tag)
        .is_some_and(|spec| spec.str_at(&["referencePolicy", "type"]) == "Local");
    let repository = stream.str_at(&["status", "dockerImageRepository"]);
    if local && !repository.is_empty() && !event.image.is_empty() {
        return Some(format!("{repository}@{}", event.image));
    }
    Some(event.docker_image_reference)
}

/// Whether `tag` has a spec entry or a history.
#[must_use]
pub fn has_tag(stream: &Value, tag: &str) -> bool {
    spec_tag(stream, tag).is_some() || status_tag(stream, tag).is_some()
}

#[cfg(test)]
mod tests;
