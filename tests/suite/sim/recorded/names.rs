//! What two runs call differently: digests, the registry, replica sets, ages and moments.
//!
//! Invariant: a name stands for what it was given for, so that two things never get one name in one
//! run and two in the other.

use std::collections::BTreeMap;

use apimachinery::{ObjectExt as _, Value};
use regex::Regex;

use super::story::Seen;
use super::stream::REGISTRIES;

/// The names of one run.
#[derive(Debug)]
pub(super) struct Names {
    plain: BTreeMap<String, String>,
    passing: Vec<(Regex, &'static str)>,
}

impl Names {
    /// A digest is called by the place it was imported from, a replica set by its number.
    pub(super) fn of(writes: &[Seen]) -> Self {
        let mut plain = BTreeMap::new();
        let mut sets = BTreeMap::new();
        for new in writes.iter().filter_map(|write| write.new.as_ref()) {
            match new.kind() {
                "ImageStream" => imported(&mut plain, new),
                "ReplicaSet" if !plain.contains_key(new.name()) => {
                    let owner = new.controller_ref().map_or("", |owner| owner.str_at(&["name"]));
                    let number: &mut u32 = sets.entry(owner.to_owned()).or_default();
                    *number += 1;
                    plain.insert(new.name().to_owned(), format!("{owner}-<set {number}>"));
                    let hash = new.label("pod-template-hash");
                    plain.insert(hash.to_owned(), format!("<hash {number}>"));
                }
                _ => {}
            }
        }
        drop(plain.remove(""));
        plain.extend(REGISTRIES.map(|registry| (registry.to_owned(), "<registry>".to_owned())));
        let passing = [
            (
                r"(\d+ (second|minute|hour)s?|Less than a second|About an? (minute|hour)) ago",
                "<ago>",
            ),
            (r"\([^()]* old\)", "(<age> old)"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<moment>"),
        ];
        let passing = passing.map(|(text, shown)| (Regex::new(text).unwrap(), shown));
        Self { plain, passing: passing.into() }
    }

    /// `text` with what differs from run to run taken out; without empty lines.
    pub(super) fn plain(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, called) in &self.plain {
            text = text.replace(name, called);
        }
        for (found, shown) in &self.passing {
            text = found.replace_all(&text, *shown).into_owned();
        }
        let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The same of every text in `object`, without what an object has for itself.
    pub(super) fn plain_object(&self, object: &Value) -> Value {
        match object {
            Value::Object(fields) => {
                let own = ["uid", "resourceVersion", "selfLink", "clusterIP"];
                // Items are always shown, stored or not.
                let bare = |key: &str, value: &Value| key == "items" && value.is_null();
                let kept = fields
                    .iter()
                    .filter(|(key, value)| !own.contains(&key.as_str()) && !bare(key, value));
                kept.map(|(key, value)| (self.plain(key), self.plain_object(value))).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.plain_object(item)).collect(),
            Value::String(text) => self.plain(text).into(),
            other => other.clone(),
        }
    }
}

/// The digests of the tags of `stream` that came from outside.
fn imported(plain: &mut BTreeMap<String, String>, stream: &Value) {
    for tag in stream.list_at(&["spec", "tags"]) {
        let statuses = stream.list_at(&["status", "tags"]);
        let status = statuses.iter().find(|status| status["tag"] == tag["name"]);
        let newest = status.and_then(|status| status.list_at(&["items"]).first());
        if let Some(newest) = newest.filter(|_| tag["from"]["kind"] == "DockerImage") {
            let digest = newest.str_at(&["image"]).to_owned();
            plain.entry(digest).or_insert_with(|| format!("<{}>", tag.str_at(&["from", "name"])));
        }
    }
}
