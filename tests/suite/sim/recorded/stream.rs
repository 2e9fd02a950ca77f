//! `oc tag`, `oc import-image`, `oc describe is` and the pushes of a recording.
//!
//! Invariant: as in [`oc`](super::oc).

use std::collections::BTreeSet;

use apimachinery::image_reference::ImageReference;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::DeleteOptions;

use super::oc::{Oc, Printed, refused};

/// The registry that stood in for the integrated one when the recordings were made, and ours.
pub(super) const REGISTRIES: [&str; 2] = ["127.0.0.1:35000", "docker-registry.default.svc:5000"];

impl Oc<'_> {
    /// Something posted without `oc`, as the registry does when an image has been pushed.
    pub(super) fn post(&self, line: &str, body: &str) -> Value {
        assert!(line.ends_with("/imagestreammappings"), "{line}");
        let body = body.replace(REGISTRIES[0], REGISTRIES[1]);
        let mapping: Value = serde_json::from_str(&body).unwrap();
        let project = mapping.namespace().to_owned();
        let posted = self.client.create(&api::IMAGE_STREAM_MAPPINGS, &project, mapping);
        posted.map_or_else(|status| status.to_value(), |answer| Value::clone(&answer))
    }

    pub(super) fn create_stream(&self, name: &str) -> Printed {
        let stream = json!({"kind": "ImageStream", "apiVersion": "image.openshift.io/v1",
            "metadata": {"name": name}});
        let made = self.client.create(&api::IMAGE_STREAMS, &self.project, stream);
        let line = format!("imagestream.image.openshift.io/{name} created");
        made.map(|_| line).map_err(|status| refused(&status))
    }

    pub(super) fn tag(&self, words: &[&str]) -> Printed {
        let (flags, places): (Vec<&str>, Vec<&str>) =
            words.iter().partition(|word| word.starts_with("--"));
        let [source, dest] = places[..] else { panic!("{words:?}") };
        let has = |flag: &str| flags.contains(&flag);
        let (to_project, to) = split(dest);
        let to_project = to_project.unwrap_or(&self.project);
        let (mut from, shown) = self.tag_source(source, &flags)?;
        if from["kind"] != "DockerImage"
            && to_project != self.project
            && from["namespace"].is_null()
        {
            from["namespace"] = json!(self.project);
        }
        let mut import = json!({});
        if has("--insecure") {
            import["insecure"] = json!(true);
        }
        if has("--scheduled") {
            import["scheduled"] = json!(true);
        }
        // What comes from outside is to be imported again.
        let generation = (from["kind"] == "DockerImage").then_some(0);
        let tag = json!({"kind": "ImageStreamTag", "apiVersion": "image.openshift.io/v1",
            "metadata": {"name": to, "namespace": to_project},
            "tag": {"name": "", "annotations": null, "from": from, "generation": generation,
                "reference": has("--reference"), "importPolicy": import,
                "referencePolicy": {"type": "Source"}}});
        self.client.update(&api::IMAGE_STREAM_TAGS, tag).map_err(|status| refused(&status))?;
        let place =
            if to_project == self.project { to.to_owned() } else { format!("{to_project}/{to}") };
        let how = if has("--alias") { "set up to track" } else { "set to" };
        Ok(format!("Tag {place} {how} {shown}."))
    }

    /// The `from` of a tag and how it is shown. A tag of a stream is looked up, unless it is to be an
    /// alias.
    fn tag_source(&self, source: &str, flags: &[&str]) -> Result<(Value, String), String> {
        let reference = ImageReference::parse(source).unwrap();
        if flags.contains(&"--source=docker") || !reference.registry.is_empty() {
            return Ok((json!({"kind": "DockerImage", "name": source}), source.to_owned()));
        }
        let (project, place) = split(source);
        let named = |kind: &str, name: &str| {
            let mut from = json!({"kind": kind, "name": name});
            if let Some(project) = project {
                from["namespace"] = json!(project);
            }
            let shown =
                project.map_or_else(|| name.to_owned(), |project| format!("{project}/{name}"));
            (from, shown)
        };
        if flags.contains(&"--alias") {
            return Ok(named("ImageStreamTag", place));
        }
        let (stream, tag) = place.split_once(':').unwrap();
        let from_project = project.unwrap_or(&self.project);
        let found = self.client.get(&api::IMAGE_STREAMS, from_project, stream);
        let found = found.map_err(|status| refused(&status))?;
        let Some(image) = newest(&found, tag) else {
            return Err(format!(
                "{source:?} is not currently pointing to an image, cannot use it as the source of a \
                 tag"
            ));
        };
        Ok(named("ImageStreamImage", &format!("{stream}@{image}")))
    }

    pub(super) fn untag(&self, dest: &str) -> Printed {
        self.drop_tag(dest)?;
        Ok(format!("Deleted tag {}/{dest}.", self.project))
    }

    pub(super) fn delete_tag(&self, name: &str) -> Printed {
        self.drop_tag(name)?;
        Ok(format!("imagestreamtag.image.openshift.io {name:?} deleted"))
    }

    fn drop_tag(&self, name: &str) -> Result<(), String> {
        let (resource, options) = (&api::IMAGE_STREAM_TAGS, DeleteOptions::default());
        let deleted = self.client.delete(resource, &self.project, name, options);
        deleted.map(drop).map_err(|status| refused(&status))
    }

    /// `oc import-image <name> --from=<from> --confirm`. What is in the images is not described.
    pub(super) fn import_image(&self, name: &str, from: &str, insecure: bool) -> Printed {
        let (stream, tag) = name.split_once(':').unwrap_or((name, "latest"));
        let policy = if insecure { json!({"insecure": true}) } else { json!({}) };
        let import = json!({"kind": "ImageStreamImport", "apiVersion": "image.openshift.io/v1",
            "metadata": {"name": stream},
            "spec": {"import": true, "images": [{
                "from": {"kind": "DockerImage", "name": from}, "to": {"name": tag},
                "importPolicy": policy, "referencePolicy": {"type": "Source"}}]}});
        let made = self.client.create(&api::IMAGE_STREAM_IMPORTS, &self.project, import);
        let made = made.map_err(|status| refused(&status))?;
        let mut wrong = String::new();
        for image in made.list_at(&["status", "images"]) {
            if image.str_at(&["status", "status"]) == "Failure" {
                let message = image.str_at(&["status", "message"]);
                let tag = image.str_at(&["tag"]);
                wrong.push_str(&format!("\nerror: tag {tag} failed: {message}"));
            }
        }
        let how = if wrong.is_empty() { "imported" } else { "imported with errors" };
        let described = self.describe_stream(stream)?;
        Ok(format!("imagestream.image.openshift.io/{stream} {how}\n\n{described}{wrong}"))
    }

    pub(super) fn describe_stream(&self, name: &str) -> Printed {
        let stream = self.client.get(&api::IMAGE_STREAMS, &self.project, name);
        let stream = stream.map_err(|status| refused(&status))?;
        let annotations = stream.map_at(&["metadata", "annotations"]).into_iter().flatten();
        let annotations: Vec<String> =
            annotations.map(|(key, value)| format!("{key}={}", value.as_str().unwrap())).collect();
        let annotations =
            if annotations.is_empty() { "<none>".to_owned() } else { annotations.join("\n\t\t\t") };
        let statuses = stream.list_at(&["status", "tags"]);
        let specs = stream.list_at(&["spec", "tags"]);
        let items = statuses.iter().flat_map(|tag| tag.list_at(&["items"]));
        let images: BTreeSet<&str> = items.map(|item| item.str_at(&["image"])).collect();
        let mut tags: BTreeSet<&str> = statuses.iter().map(|tag| tag.str_at(&["tag"])).collect();
        tags.extend(specs.iter().map(|tag| tag.str_at(&["name"])));
        let mut text = format!(
            "Name:\t\t\t{name}\nNamespace:\t\t{}\nCreated:\t\t1 second ago\nLabels:\t\t\t<none>\n\
             Annotations:\t\t{annotations}\nDocker Pull Spec:\t{}\nImage Lookup:\t\tlocal={}\n\
             Unique Images:\t\t{}\nTags:\t\t\t{}",
            self.project,
            stream.str_at(&["status", "dockerImageRepository"]),
            stream.bool_at(&["spec", "lookupPolicy", "local"]),
            images.len(),
            tags.len(),
        );
        for tag in tags {
            let spec = specs.iter().find(|spec| spec["name"] == tag);
            let status = statuses.iter().find(|status| status["tag"] == tag);
            text.push_str(&format!("\n\n{tag}"));
            describe_tag(&mut text, spec, status.unwrap_or(&Value::Null));
        }
        Ok(text)
    }
}

fn describe_tag(text: &mut String, spec: Option<&Value>, status: &Value) {
    match spec {
        None => text.push_str("\n  no spec tag"),
        Some(spec) => {
            let from = &spec["from"];
            let project = from["namespace"].as_str();
            let place = project.map(|project| format!("{project}/")).unwrap_or_default();
            text.push_str(&format!("\n  tagged from {place}{}", from.str_at(&["name"])));
            if spec.bool_at(&["importPolicy", "insecure"]) {
                text.push_str("\n    will use insecure HTTPS or HTTP connections");
            }
        }
    }
    for condition in status.list_at(&["conditions"]) {
        let of = |field| condition.str_at(&[field]);
        let why = format!("Import failed ({}): {}", of("reason"), of("message"));
        text.push_str(&format!("\n\n  ! error: {why}\n      1 second ago"));
    }
    for (number, item) in status.list_at(&["items"]).iter().enumerate() {
        let mark = if number == 0 { "\n  *" } else { "   " };
        let place = item.str_at(&["dockerImageReference"]);
        text.push_str(&format!("\n{mark} {place}\n      1 second ago"));
    }
}

/// The project and the rest of `[<project>/]<rest>`.
fn split(place: &str) -> (Option<&str>, &str) {
    place.split_once('/').map_or((None, place), |(project, rest)| (Some(project), rest))
}

/// The image that `tag` of `stream` points to.
fn newest<'a>(stream: &'a Value, tag: &str) -> Option<&'a str> {
    let tags = stream.list_at(&["status", "tags"]);
    let found = tags.iter().find(|status| status["tag"] == tag)?;
    found.list_at(&["items"]).first().map(|item| item.str_at(&["image"]))
}
