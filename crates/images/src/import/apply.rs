//! The second half of an import: what its results do to the stream.
//!
//! Worked example: tag `v1` is imported twice. The first time its spec tag and its history are made,
//! both of the stream's next generation. The second time the digest is the same and the spec tag no
//! younger than its history, so nothing changes and nothing is written.
//!
//! Invariant: pure. A failure never touches the history.
//!
//! Mirrors: `openshift/origin pkg/image/apiserver/registry/imagestreamimport/rest.go`.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};

use super::fetch::{Answer, Answers};
use crate::history::{self, TagEvent, spec_tag, status_tag};

/// Annotation with the time of the last import; its absence asks for one.
pub const CHECKED: &str = "openshift.io/image.dockerRepositoryCheck";

/// Applies every answer to `stream`; gives whether anything changed.
pub fn apply(stream: &mut Value, answers: &Answers, now: &str) -> bool {
    let before = stream.clone();
    let next_generation = stream.generation() + 1;
    for answer in answers.repository.iter().flatten().flatten() {
        match &answer.image {
            Ok(image) => succeeded(stream, answer, image, next_generation, now),
            Err(status) => failed(stream, &answer.tag, status, next_generation, now),
        }
    }
    for answer in answers.images.iter().filter(|answer| !answer.tag.is_empty()) {
        match &answer.image {
            Ok(image) => succeeded(stream, answer, image, next_generation, now),
            Err(status) => {
                failed(stream, &answer.tag, status, next_generation, now);
                set_spec(stream, answer, false);
            }
        }
    }
    let unchecked = stream.annotation(CHECKED).unwrap_or_default().is_empty();
    let changed = unchecked || *stream != before;
    if changed {
        stream.set_annotation(CHECKED, now);
    }
    changed
}

/// Points the tag to the image.
fn succeeded(stream: &mut Value, answer: &Answer, image: &Value, generation: i64, now: &str) {
    let event = TagEvent {
        created: now.to_owned(),
        docker_image_reference: image.str_at(&["dockerImageReference"]).to_owned(),
        image: image.name().to_owned(),
        generation,
    };
    if differs(stream, &answer.tag, &event) {
        set_spec(stream, answer, true);
        history::add_event(stream, &answer.tag, &event);
        history::update_tracking_tags(stream, &answer.tag, &event);
    }
    if let Some(tag) = history::spec_tag_mut(stream, &answer.tag) {
        tag["importPolicy"] = answer.import_policy.clone();
    }
    if let Some(entry) = history::status_tag_mut(stream, &answer.tag) {
        entry.remove(&["conditions"]);
    }
}

/// Whether the tag does not say all of this yet.
fn differs(stream: &Value, tag: &str, event: &TagEvent) -> bool {
    let Some(spec) = spec_tag(stream, tag) else { return true };
    let Some(head) = history::latest(stream, tag) else { return true };
    let younger = spec.int_at(&["generation"]).is_none_or(|wanted| wanted > head.generation);
    // A tag that pointed into the cluster points outside from now on.
    let elsewhere = spec.str_at(&["from", "kind"]) != "DockerImage";
    younger
        || elsewhere
        || head.image != event.image
        || head.docker_image_reference != event.docker_image_reference
}

/// Makes the spec tag point to where the image comes from; `again` also when there is one.
fn set_spec(stream: &mut Value, answer: &Answer, again: bool) {
    let old = spec_tag(stream, &answer.tag).cloned();
    if old.is_some() && !again {
        return;
    }
    let mut tag = old.unwrap_or_else(|| json!({"annotations": null}));
    tag["name"] = json!(answer.tag);
    tag["from"] = json!({"kind": "DockerImage", "name": answer.from});
    tag["importPolicy"] = answer.import_policy.clone();
    tag["generation"] = json!(0);
    tag.remove(&["reference"]);
    if tag.str_at(&["referencePolicy", "type"]).is_empty() {
        let given = answer.reference_policy.str_at(&["type"]);
        let policy = if given.is_empty() { "Source" } else { given };
        tag["referencePolicy"] = json!({"type": policy});
    }
    history::put_spec_tag(stream, tag);
}

/// Records the refusal of an import that would have been too much on the tags that it would have made.
pub fn refused(stream: &mut Value, wanted: &Value, status: &Status, now: &str) {
    let generation = stream.generation() + 1;
    for entry in wanted.list_at(&["status", "tags"]) {
        let tag = entry.str_at(&["tag"]);
        if status_tag(stream, tag).is_none() {
            failed(stream, tag, status, generation, now);
        }
    }
}

/// Records why the tag could not be imported.
fn failed(stream: &mut Value, tag: &str, status: &Status, generation: i64, now: &str) {
    let message = match status.message.as_str() {
        "" => "unknown error prevented import",
        message => message,
    };
    let reason = status.reason.as_str();
    let wanted = spec_tag(stream, tag).and_then(|tag| tag.int_at(&["generation"]));
    let conditions = status_tag(stream, tag).map_or(&[][..], |e| e.list_at(&["conditions"]));
    let known = conditions.iter().any(|condition| {
        condition.str_at(&["type"]) == "ImportSuccess"
            && condition.str_at(&["status"]) == "False"
            && condition.str_at(&["reason"]) == reason
            && condition.str_at(&["message"]) == message
            && condition.int_at(&["generation"]) >= wanted
    });
    if known {
        return;
    }
    if let Some(spec) = history::spec_tag_mut(stream, tag) {
        spec["generation"] = json!(0);
    }
    let condition = json!({
        "type": "ImportSuccess", "status": "False", "lastTransitionTime": now, "reason": reason,
        "message": message, "generation": generation,
    });
    let entry = history::status_entry(stream, tag);
    entry["conditions"] = json!([condition]);
    if entry.list_at(&["items"]).is_empty() {
        entry["items"] = Value::Null;
    }
}
