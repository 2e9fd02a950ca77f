//! `openshift.io/ImagePolicy`: names of image streams in pod specs become pull specs, and images that
//! must not run are refused.
//!
//! A name without host and namespace means a stream of the object's namespace when that stream has
//! `lookupPolicy.local`, or when the object carries the annotation
//! `alpha.image.policy.openshift.io/resolve-names: "*"`.
//!
//! Mirrors: `openshift/origin:pkg/image/apiserver/admission/imagepolicy` with the default policy of 3.11.

use std::sync::Arc;

use api::{IMAGE_STREAMS, IMAGES};
use apimachinery::field::{Error, Path};
use apimachinery::image_reference::ImageReference;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, ApiServer, Operation};

use crate::pod::LISTS;
use crate::request::find;

const RESOLVE_NAMES: &str = "alpha.image.policy.openshift.io/resolve-names";
const IGNORE_RULES: &str = "alpha.image.policy.openshift.io/ignore-rules";
const DENY: &str = "images.openshift.io/deny-execution";
const DENY_RULE: &str = "execution-denied";

/// The kinds whose images are looked up: group and plural as called.
const KINDS: [(&str, &str); 9] = [
    ("", "pods"),
    ("", "replicationcontrollers"),
    ("batch", "jobs"),
    ("build.openshift.io", "builds"),
    ("extensions", "replicasets"),
    ("extensions", "deployments"),
    ("extensions", "daemonsets"),
    ("apps", "deployments"),
    ("apps", "statefulsets"),
];

/// Admission of pods and what makes them: `openshift.io/ImagePolicy`.
#[derive(Debug)]
pub struct ImagePolicy;

impl Admission for ImagePolicy {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let resource = request.call.resource;
        let covered = KINDS.contains(&(resource.group, resource.plural));
        if request.operation == Operation::Delete
            || !request.call.subresource.is_empty()
            || !covered
        {
            return Ok(());
        }
        let spec: &[&str] =
            if resource.plural == "pods" { &["spec"] } else { &["spec", "template", "spec"] };
        let any = names_anything(request.object);
        let fixed = request.operation == Operation::Update
            && matches!(resource.plural, "jobs" | "builds" | "statefulsets");
        let denies = matches!(resource.plural, "pods" | "builds") && !self.ignores(request);
        let mut errors = Vec::new();
        for list in LISTS {
            let path: Vec<&str> = spec.iter().copied().chain([list]).collect();
            let images: Vec<String> = images_at(request.object, &path);
            let old = request.old.map(|old| images_at(old, &path)).unwrap_or_default();
            for (index, image) in images.iter().enumerate() {
                if image.is_empty() || old.get(index) == Some(image) {
                    continue;
                }
                let found = resolve(request.server, request.call.namespace, image, any);
                if let Some(spec) = found.as_ref().filter(|_| !fixed) {
                    set_image(request.object, &path, index, spec);
                }
                if denies && denied(request.server, found.as_deref().unwrap_or(image)) {
                    let at = path[1..].iter().fold(Path::new(path[0]), |at, part| at.child(part));
                    let at = at.index(index).child("image");
                    errors.push(Error::forbidden(&at, "this image is prohibited by policy"));
                }
            }
        }
        if errors.is_empty() {
            return Ok(());
        }
        Err(Status::invalid(resource.group, resource.kind, request.object.name(), &errors))
    }
}

impl ImagePolicy {
    /// Whether the namespace sets the rule aside.
    fn ignores(&self, request: &AdmissionRequest<'_>) -> bool {
        crate::request::namespace(request).is_some_and(|namespace| {
            let rules = namespace.annotation(IGNORE_RULES).unwrap_or_default();
            rules.split(',').any(|rule| rule.trim() == DENY_RULE)
        })
    }
}

/// Whether the object or its template has every name looked up.
fn names_anything(object: &Value) -> bool {
    let template = object.at(&["spec", "template"]);
    let all = |object: &Value| object.annotation(RESOLVE_NAMES) == Some("*");
    all(object) || template.is_some_and(all)
}

fn images_at(object: &Value, path: &[&str]) -> Vec<String> {
    object.list_at(path).iter().map(|c| c.str_at(&["image"]).to_owned()).collect()
}

fn set_image(object: &mut Value, path: &[&str], index: usize, image: &str) {
    let pointer: String = path.iter().flat_map(|part| ["/", part]).collect();
    let list = object.pointer_mut(&pointer).and_then(Value::as_array_mut);
    if let Some(container) = list.and_then(|list| list.get_mut(index)) {
        container.set(&["image"], json!(image));
    }
}

/// The pull spec that a local name stands for; `None` for names that are none.
fn resolve(server: &ApiServer, ns: &str, image: &str, any: bool) -> Option<String> {
    let reference = ImageReference::parse(image).ok()?;
    let local = reference.registry.is_empty() && reference.namespace.is_empty();
    if !reference.id.is_empty() || !(local || any) {
        return None;
    }
    let name = reference.name.rsplit('/').next().unwrap_or_default();
    let stream = find(server, &IMAGE_STREAMS, ns, name)?;
    if !any && !stream.bool_at(&["spec", "lookupPolicy", "local"]) {
        return None;
    }
    let tag = if reference.tag.is_empty() { "latest" } else { &reference.tag };
    pull_spec(&stream, tag)
}

fn pull_spec(stream: &Value, tag: &str) -> Option<String> {
    let repository = stream.str_at(&["status", "dockerImageRepository"]);
    let named = |list: &'static str, key: &str| {
        let path: &[&str] = if list == "spec" { &["spec", "tags"] } else { &["status", "tags"] };
        stream.list_at(path).iter().find(|entry| entry.str_at(&[key]) == tag).cloned()
    };
    let latest = named("status", "tag").and_then(|tag| tag.list_at(&["items"]).first().cloned());
    let Some(latest) = latest else {
        return (!repository.is_empty()).then(|| format!("{repository}:{tag}"));
    };
    let image = latest.str_at(&["image"]);
    let through_registry = named("spec", "name")
        .is_some_and(|tag| tag.str_at(&["referencePolicy", "type"]) == "Local");
    if through_registry && !repository.is_empty() && !image.is_empty() {
        return Some(format!("{repository}@{image}"));
    }
    let mut reference = ImageReference::parse(latest.str_at(&["dockerImageReference"])).ok()?;
    if !image.is_empty() {
        reference.tag.clear();
        image.clone_into(&mut reference.id);
    }
    Some(reference.exact())
}

/// Whether the image that a pull spec names, by digest or as a tag of the integrated registry, must not
/// run.
fn denied(server: &ApiServer, image: &str) -> bool {
    let Ok(reference) = ImageReference::parse(image) else { return false };
    let id = if reference.id.is_empty() {
        integrated(server, &reference).unwrap_or_default()
    } else {
        reference.id
    };
    let image: Option<Arc<Value>> =
        if id.is_empty() { None } else { find(server, &IMAGES, "", &id) };
    image.is_some_and(|image| image.annotation(DENY) == Some("true"))
}

/// The image that a tag of the integrated registry points to.
fn integrated(server: &ApiServer, reference: &ImageReference) -> Option<String> {
    let stream = find(server, &IMAGE_STREAMS, &reference.namespace, &reference.name)?;
    let own = stream.str_at(&["status", "dockerImageRepository"]);
    let host = own.split('/').next().unwrap_or_default();
    if host.is_empty() || reference.registry != host {
        return None;
    }
    let tag = if reference.tag.is_empty() { "latest" } else { &reference.tag };
    let mut tags = stream.list_at(&["status", "tags"]).iter();
    let entry = tags.find(|entry| entry.str_at(&["tag"]) == tag)?;
    Some(entry.list_at(&["items"]).first()?.str_at(&["image"]).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_becomes_a_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let mut stream = json!({
            "status": {"dockerImageRepository": "172.30.1.1:5000/p/mysql", "tags": [{"tag": "latest",
                "items": [{"dockerImageReference": "docker.io/library/mysql:5.7", "image": digest}]}]},
        });
        let by_source = format!("docker.io/library/mysql@{digest}");
        assert_eq!(pull_spec(&stream, "latest"), Some(by_source));
        let missing = "172.30.1.1:5000/p/mysql:5.7".to_owned();
        assert_eq!(pull_spec(&stream, "5.7"), Some(missing));
        let local = json!([{"name": "latest", "referencePolicy": {"type": "Local"}}]);
        stream.set(&["spec", "tags"], local);
        let by_registry = format!("172.30.1.1:5000/p/mysql@{digest}");
        assert_eq!(pull_spec(&stream, "latest"), Some(by_registry));
    }
}
