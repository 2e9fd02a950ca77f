//! The history of an image stream's tags: `status.tags[].items`, newest first.
//!
//! Worked example: a push of digest `b` over `a` gives `items: [b, a]`; pushing `b` again changes
//! nothing; an alias `stable -> latest` of the same stream receives the same event.
//!
//! Invariant: `status.tags` stays sorted by tag name; items are never reordered.
//!
//! Mirrors: `openshift/origin pkg/image/apis/image/helper.go` (`AddTagEventToImageStream`).

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

/// What a tag points to: an entry of `items`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagEvent {
    /// RFC 3339.
    pub created: String,
    /// Pull spec.
    pub docker_image_reference: String,
    /// Name of the Image, empty for a mere reference.
    pub image: String,
    /// Generation of the stream that the event belongs to.
    pub generation: i64,
}

impl TagEvent {
    /// Reads an entry of `items`.
    #[must_use]
    pub fn read(item: &Value) -> Self {
        Self {
            created: item.str_at(&["created"]).to_owned(),
            docker_image_reference: item.str_at(&["dockerImageReference"]).to_owned(),
            image: item.str_at(&["image"]).to_owned(),
            generation: item.int_at(&["generation"]).unwrap_or(0),
        }
    }

    fn write(&self) -> Value {
        json!({
            "created": self.created,
            "dockerImageReference": self.docker_image_reference,
            "image": self.image,
            "generation": self.generation,
        })
    }
}

/// The status entry of `tag`.
#[must_use]
pub fn status_tag<'a>(stream: &'a Value, tag: &str) -> Option<&'a Value> {
    stream.list_at(&["status", "tags"]).iter().find(|entry| entry.str_at(&["tag"]) == tag)
}

/// The spec entry of `tag`.
#[must_use]
pub fn spec_tag<'a>(stream: &'a Value, tag: &str) -> Option<&'a Value> {
    stream.list_at(&["spec", "tags"]).iter().find(|entry| entry.str_at(&["name"]) == tag)
}

/// What `tag` points to now.
#[must_use]
pub fn latest(stream: &Value, tag: &str) -> Option<TagEvent> {
    status_tag(stream, tag)?.list_at(&["items"]).first().map(TagEvent::read)
}

/// Puts `event` at the head of `tag`'s history; gives whether anything changed.
///
/// Compared with the present head: same reference, image and generation is no change; same
/// reference and image updates the generation; same reference or same image alone is replaced in
/// place; anything else is a new entry. Conditions of the tag are cleared by any change.
pub fn add_event(stream: &mut Value, tag: &str, event: &TagEvent) -> bool {
    let entry = status_entry(stream, tag);
    let Some(items) = entry.get_mut("items").and_then(Value::as_array_mut) else { return false };
    let head = items.first().map(TagEvent::read);
    match head {
        Some(head) if head.docker_image_reference == event.docker_image_reference => {
            if head.image == event.image && head.generation == event.generation {
                return false;
            }
            items[0]["generation"] = json!(event.generation);
            if head.image != event.image {
                items[0]["image"] = json!(event.image);
            }
        }
        Some(head) if head.image == event.image => {
            items[0]["dockerImageReference"] = json!(event.docker_image_reference);
            items[0]["generation"] = json!(event.generation);
        }
        _ => items.insert(0, event.write()),
    }
    if let Some(entry) = entry.as_object_mut() {
        entry.remove("conditions");
    }
    true
}

/// The spec entry of `tag`, to be changed.
pub fn spec_tag_mut<'a>(stream: &'a mut Value, tag: &str) -> Option<&'a mut Value> {
    entry_mut(stream, ["spec", "tags"], "name", tag)
}

/// The status entry of `tag`, to be changed.
pub fn status_tag_mut<'a>(stream: &'a mut Value, tag: &str) -> Option<&'a mut Value> {
    entry_mut(stream, ["status", "tags"], "tag", tag)
}

fn entry_mut<'a>(
    stream: &'a mut Value,
    [part, list]: [&str; 2],
    key: &str,
    tag: &str,
) -> Option<&'a mut Value> {
    let tags = stream.get_mut(part)?.get_mut(list)?.as_array_mut()?;
    tags.iter_mut().find(|entry| entry.str_at(&[key]) == tag)
}

/// Puts a spec tag in place of the one of its name, or at its sorted place.
pub fn put_spec_tag(stream: &mut Value, tag: Value) {
    if stream.at(&["spec", "tags"]).is_none_or(|tags| !tags.is_array()) {
        stream.set(&["spec", "tags"], json!([]));
    }
    let tags = stream.get_mut("spec").and_then(|spec| spec.get_mut("tags"));
    let Some(tags) = tags.and_then(Value::as_array_mut) else { return };
    match tags.iter_mut().find(|entry| entry.str_at(&["name"]) == tag.str_at(&["name"])) {
        Some(entry) => *entry = tag,
        None => tags.push(tag),
    }
    tags.sort_by(|a, b| a.str_at(&["name"]).cmp(b.str_at(&["name"])));
}

/// The status entry of `tag`, made at its sorted place when missing, with a list of items.
pub(crate) fn status_entry<'a>(stream: &'a mut Value, tag: &str) -> &'a mut Value {
    if stream.at(&["status", "tags"]).is_none_or(|tags| !tags.is_array()) {
        stream.set(&["status", "tags"], json!([]));
    }
    let tags = stream["status"]["tags"].as_array_mut().expect("made a list above");
    let place = tags.binary_search_by(|entry| entry.str_at(&["tag"]).cmp(tag));
    let index = place.unwrap_or_else(|index| {
        tags.insert(index, json!({"tag": tag, "items": []}));
        index
    });
    let entry = &mut tags[index];
    if !entry["items"].is_array() {
        entry["items"] = json!([]);
    }
    entry
}

/// Gives the event of `tag` to every spec tag of the same stream that tracks it (`from.kind`
/// `ImageStreamTag`, no other namespace, `<tag>` or `<stream>:<tag>`); one level only.
pub fn update_tracking_tags(stream: &mut Value, tag: &str, event: &TagEvent) -> bool {
    let (namespace, name) = (stream.namespace().to_owned(), stream.name().to_owned());
    let tracks = |spec: &&Value| {
        let from = |field: &str| spec.str_at(&["from", field]);
        let target = from("name");
        from("kind") == "ImageStreamTag"
            && (from("namespace").is_empty() || from("namespace") == namespace)
            && (target == tag || target == format!("{name}:{tag}"))
    };
    let tags = stream.list_at(&["spec", "tags"]).iter().filter(tracks);
    let names: Vec<String> = tags.map(|spec| spec.str_at(&["name"]).to_owned()).collect();
    let mut changed = false;
    for alias in names.iter().filter(|alias| *alias != tag) {
        changed |= add_event(stream, alias, event);
    }
    changed
}

/// Removes the whole history of `tag`; gives whether there was one.
pub fn remove_status_tag(stream: &mut Value, tag: &str) -> bool {
    remove_entry(stream, &["status", "tags"], "tag", tag)
}

/// Removes the spec entry of `tag`; gives whether there was one.
pub fn remove_spec_tag(stream: &mut Value, tag: &str) -> bool {
    remove_entry(stream, &["spec", "tags"], "name", tag)
}

fn remove_entry(stream: &mut Value, path: &[&str; 2], key: &str, tag: &str) -> bool {
    let list = stream.get_mut(path[0]).and_then(|part| part.get_mut(path[1]));
    let Some(list) = list.and_then(Value::as_array_mut) else { return false };
    let before = list.len();
    list.retain(|entry| entry.str_at(&[key]) != tag);
    list.len() != before
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(image: &str, generation: i64) -> TagEvent {
        TagEvent {
            created: "2018-10-11T12:00:00Z".to_owned(),
            docker_image_reference: format!("r/p/s@{image}"),
            image: image.to_owned(),
            generation,
        }
    }

    fn images(stream: &Value, tag: &str) -> Vec<String> {
        let items = status_tag(stream, tag).map_or(&[][..], |entry| entry.list_at(&["items"]));
        items.iter().map(|item| item.str_at(&["image"]).to_owned()).collect()
    }

    #[test]
    fn a_new_image_is_prepended_and_the_same_one_is_not() {
        let mut stream = json!({"metadata": {"name": "s", "namespace": "p"}});
        assert!(add_event(&mut stream, "latest", &event("a", 1)));
        assert!(add_event(&mut stream, "latest", &event("b", 1)));
        assert!(!add_event(&mut stream, "latest", &event("b", 1)));
        assert_eq!(images(&stream, "latest"), ["b", "a"]);
        assert!(add_event(&mut stream, "latest", &event("b", 2)));
        assert_eq!(images(&stream, "latest"), ["b", "a"]);
        assert_eq!(latest(&stream, "latest").map(|event| event.generation), Some(2));
    }

    #[test]
    fn tags_stay_sorted() {
        let mut stream = json!({});
        for tag in ["b", "a", "c"] {
            add_event(&mut stream, tag, &event("x", 1));
        }
        let tags = stream.list_at(&["status", "tags"]);
        let names: Vec<&str> = tags.iter().map(|entry| entry.str_at(&["tag"])).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn an_alias_of_the_same_stream_follows() {
        let mut stream = json!({
            "metadata": {"name": "s", "namespace": "p"},
            "spec": {"tags": [
                {"name": "stable", "from": {"kind": "ImageStreamTag", "name": "latest"}},
                {"name": "copy", "from": {"kind": "ImageStreamTag", "name": "s:latest", "namespace": "q"}},
            ]},
        });
        assert!(update_tracking_tags(&mut stream, "latest", &event("a", 1)));
        assert_eq!(images(&stream, "stable"), ["a"]);
        assert!(images(&stream, "copy").is_empty());
    }

    #[test]
    fn removing_a_tag_removes_its_history() {
        let mut stream = json!({});
        add_event(&mut stream, "latest", &event("a", 1));
        assert!(remove_status_tag(&mut stream, "latest"));
        assert!(!remove_status_tag(&mut stream, "latest"));
        assert!(!remove_spec_tag(&mut stream, "latest"));
    }
}
