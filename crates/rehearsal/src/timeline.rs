//! What happened, as people read it: one line per moment that matters to a promotion.
//!
//! Entries are derived from the API's writes alone (an object before and after), so a timeline says
//! what any client could have seen, and the same seed gives the same bytes.
//!
//! Invariant: pure; [`moments`] looks at one write and nothing else.

use apimachinery::{ObjectExt as _, Value};
use serde::Serialize;
use world::Time;

use crate::place::joined;

/// One line of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Seconds since the rehearsal began, with three decimals.
    pub at: String,
    /// The cluster, when there are several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster: String,
    /// Project, empty for the cluster.
    pub project: String,
    /// `<resource>/<name>`.
    pub object: String,
    /// What happened.
    pub text: String,
}

impl Entry {
    pub(crate) fn new(start: Time, now: Time, project: &str, object: &str, text: String) -> Self {
        let at = format!("{:.3}", now.since(start).as_secs_f64());
        let (project, object) = (project.to_owned(), object.to_owned());
        Self { at, cluster: String::new(), project, object, text }
    }

    pub(crate) fn in_cluster(mut self, cluster: &str) -> Self {
        cluster.clone_into(&mut self.cluster);
        self
    }

    /// `cluster/project`, or the one of them that there is.
    #[must_use]
    pub fn place(&self) -> String {
        joined(&self.cluster, &self.project)
    }
}

/// The object and text of every moment in one write.
#[must_use]
pub fn moments(old: Option<&Value>, new: Option<&Value>) -> Vec<(String, String)> {
    let Some(object) = new.or(old) else { return Vec::new() };
    let name = object.name();
    match object.kind() {
        "Namespace" => named(&format!("project/{name}"), existence(old, new)),
        "ImageStream" => image_stream(name, old, new),
        "DeploymentConfig" => named(&format!("dc/{name}"), deployment_config(old, new)),
        "ReplicationController" => named(&format!("rc/{name}"), replication_controller(old, new)),
        _ => Vec::new(),
    }
}

fn named(object: &str, texts: Vec<String>) -> Vec<(String, String)> {
    texts.into_iter().map(|text| (object.to_owned(), text)).collect()
}

fn existence(old: Option<&Value>, new: Option<&Value>) -> Vec<String> {
    match (old, new) {
        (None, Some(_)) => vec!["created".to_owned()],
        (Some(_), None) => vec!["deleted".to_owned()],
        _ => Vec::new(),
    }
}

fn image_stream(name: &str, old: Option<&Value>, new: Option<&Value>) -> Vec<(String, String)> {
    let Some(new) = new else { return Vec::new() };
    let image = |stream: &Value, tag: &str| -> String {
        let tags = stream.list_at(&["status", "tags"]);
        let found = tags.iter().find(|entry| entry.str_at(&["tag"]) == tag);
        let items = found.map_or(&[][..], |entry| entry.list_at(&["items"]));
        items.first().map(|item| item.str_at(&["image"]).to_owned()).unwrap_or_default()
    };
    let mut moments = Vec::new();
    for entry in new.list_at(&["status", "tags"]) {
        let tag = entry.str_at(&["tag"]);
        let now = image(new, tag);
        let before = old.map(|old| image(old, tag)).unwrap_or_default();
        if now != before {
            moments.push((format!("istag/{name}:{tag}"), format!("points to {}", short(&now))));
        }
    }
    moments
}

fn deployment_config(old: Option<&Value>, new: Option<&Value>) -> Vec<String> {
    let Some(new) = new else { return existence(old, None) };
    let mut texts = if old.is_none() { vec!["created".to_owned()] } else { Vec::new() };
    let version = |dc: &Value| dc.int_at(&["status", "latestVersion"]).unwrap_or(0);
    let before = old.map_or(0, version);
    if version(new) != before {
        let why = new.str_at(&["status", "details", "message"]);
        texts.push(format!("rollout #{} begins ({why})", version(new)));
    }
    texts
}

fn replication_controller(old: Option<&Value>, new: Option<&Value>) -> Vec<String> {
    const PHASE: &str = "openshift.io/deployment.phase";
    let Some(new) = new else { return existence(old, None) };
    let mut texts = Vec::new();
    let number = |path: &[&str], object: Option<&Value>| {
        object.and_then(|object| object.int_at(path)).unwrap_or(0)
    };
    let phase_before = old.and_then(|old| old.annotation(PHASE)).unwrap_or_default();
    let phase = new.annotation(PHASE).unwrap_or_default();
    let (was, is) = (number(&["spec", "replicas"], old), number(&["spec", "replicas"], Some(new)));
    if was != is {
        texts.push(format!("scaled {was} -> {is}"));
    }
    let ready = &["status", "readyReplicas"];
    let (was, is_ready) = (number(ready, old), number(ready, Some(new)));
    if was != is_ready {
        texts.push(format!("{is_ready} of {is} ready"));
    }
    if phase != phase_before {
        texts.push(phase.to_owned());
    }
    texts
}

/// The first twelve digits of a digest, with its algorithm.
#[must_use]
pub fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn a_scaled_controller_says_from_and_to() {
        let old = json!({"kind": "ReplicationController", "metadata": {"name": "a-1"}, "spec": {"replicas": 1}});
        let mut new = old.clone();
        new.set(&["spec", "replicas"], json!(2));
        new.set_annotation("openshift.io/deployment.phase", "Running");
        let texts: Vec<String> =
            moments(Some(&old), Some(&new)).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["scaled 1 -> 2", "Running"]);
    }

    #[test]
    fn a_moved_tag_says_where_it_points() {
        let stream = |image: &str| {
            json!({"kind": "ImageStream", "metadata": {"name": "hello"},
                   "status": {"tags": [{"tag": "latest", "items": [{"image": image}]}]}})
        };
        let (a, b) = (stream("sha256:0123456789abcdef"), stream("sha256:fedcba9876543210"));
        assert_eq!(
            moments(Some(&a), Some(&b)),
            [("istag/hello:latest".to_owned(), "points to sha256:fedcba987654".to_owned())]
        );
        assert!(moments(Some(&a), Some(&a)).is_empty());
    }
}
