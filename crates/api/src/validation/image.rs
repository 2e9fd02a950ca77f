//! Images, image streams and their tags.
//!
//! Mirrors: `pkg/image/apis/image/validation` of OpenShift 3.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::image_reference::ImageReference;
use apimachinery::validation::object_meta;
use apimachinery::{ObjectExt as _, Value};

use super::checks;

const NAME_PATTERN: &str = "must match \"[a-z0-9]+(?:[._-][a-z0-9]+)*\"";
const MAX_REPOSITORY: usize = 255;

pub(super) fn create(kind: &str, object: &Value, errors: &mut ErrorList) {
    match kind {
        "Image" => image(object, None, errors),
        "ImageStream" => image_stream(object, errors),
        "ImageStreamTag" => {
            if let Some(tag) = object.get("tag").filter(|value| !value.is_null()) {
                tag_reference(tag, &Path::new("tag"), errors);
            }
        }
        "ImageStreamMapping" => image_stream_mapping(object, errors),
        "ImageStreamImport" => image_stream_import(object, errors),
        _ => {}
    }
}

fn image(image: &Value, parent: Option<&Path>, errors: &mut ErrorList) {
    let path = parent.map_or_else(|| Path::new(""), Clone::clone);
    let reference = image.str_at(&["dockerImageReference"]);
    let path = path.child("dockerImageReference");
    if reference.is_empty() {
        errors.push(Error::required(&path, ""));
    } else if let Err(error) = ImageReference::parse(reference) {
        errors.push(Error::invalid(&path, reference, &error.to_string()));
    }
}

/// Whether the name can be part of a repository: words joined by single dots, dashes, underscores.
pub(super) fn is_stream_name(name: &str) -> bool {
    name.split(['.', '_', '-']).all(|word| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

fn repository_name(object: &Value, errors: &mut ErrorList) {
    let name_path = Path::new("metadata").child("name");
    let (namespace, name) = (object.namespace(), object.name());
    let segment = apimachinery::validation::path_segment_name(name).is_empty();
    if !name.is_empty() && segment && !is_stream_name(name) {
        errors.push(Error::invalid(&name_path, name, NAME_PATTERN));
    }
    if namespace.len() + 1 + name.len() > MAX_REPOSITORY {
        let text = format!("'namespace/name' cannot be longer than {MAX_REPOSITORY} characters");
        errors.push(Error::invalid(&name_path, name, &text));
    }
}

fn image_stream_import(object: &Value, errors: &mut ErrorList) {
    repository_name(object, errors);
    let spec = Path::new("spec");
    let images = object.list_at(&["spec", "images"]);
    let repository = object.at(&["spec", "repository"]).filter(|value| value.is_object());
    if let Some(repository) = repository {
        let path = spec.child("repository").child("from");
        imported_from(repository, &path, errors, |reference| {
            let whole = reference.tag.is_empty() && reference.id.is_empty();
            (!whole).then_some("you must specify an image repository, not a tag or ID")
        });
    } else if images.is_empty() {
        let text = "you must specify at least one image or a repository import";
        errors.push(Error::invalid(&spec, "", text));
    }
    for (index, image) in images.iter().enumerate() {
        let path = spec.child("images").index(index);
        let scheduled = image.bool_at(&["importPolicy", "scheduled"]);
        imported_from(image, &path.child("from"), errors, |reference| {
            let pinned = scheduled && !reference.id.is_empty();
            pinned.then_some("only tags can be scheduled for import")
        });
        let to = image.get("to").filter(|value| value.is_object());
        if to.is_some_and(|to| to.str_at(&["name"]).is_empty()) {
            let text = "the name of the target tag must be specified";
            errors.push(Error::required(&path.child("to").child("name"), text));
        }
    }
}

/// Checks where an import comes from; `refuse` says what else is wrong with a reference.
fn imported_from(
    spec: &Value,
    path: &Path,
    errors: &mut ErrorList,
    refuse: impl Fn(&ImageReference) -> Option<&'static str>,
) {
    let (kind, name) = (spec.str_at(&["from", "kind"]), spec.str_at(&["from", "name"]));
    if kind != "DockerImage" {
        errors.push(Error::invalid(&path.child("kind"), kind, "only DockerImage is supported"));
        return;
    }
    let path = path.child("name");
    if name.is_empty() {
        errors.push(Error::required(&path, ""));
        return;
    }
    match ImageReference::parse(name) {
        Err(error) => errors.push(Error::invalid(&path, name, &error.to_string())),
        Ok(reference) => {
            if let Some(text) = refuse(&reference) {
                errors.push(Error::invalid(&path, name, text));
            }
        }
    }
}

fn image_stream(object: &Value, errors: &mut ErrorList) {
    repository_name(object, errors);
    let path = Path::new("spec");
    let repository = object.str_at(&["spec", "dockerImageRepository"]);
    if !repository.is_empty() {
        let path = path.child("dockerImageRepository");
        match ImageReference::parse(repository) {
            Err(error) => errors.push(Error::invalid(&path, repository, &error.to_string())),
            Ok(reference) => {
                for (part, text) in [
                    (reference.tag.as_str(), "the repository name may not contain a tag"),
                    (reference.id.as_str(), "the repository name may not contain an ID"),
                ] {
                    if !part.is_empty() {
                        errors.push(Error::invalid(&path, repository, text));
                    }
                }
            }
        }
    }
    for tag in object.list_at(&["spec", "tags"]) {
        tag_reference(tag, &path.child("tags").key(tag.str_at(&["name"])), errors);
    }
    for tag in object.list_at(&["status", "tags"]) {
        let path = Path::new("status").child("tags").key(tag.str_at(&["tag"])).child("items");
        for (index, item) in tag.list_at(&["items"]).iter().enumerate() {
            checks::required(item, &path.index(index), "dockerImageReference", errors);
        }
    }
}

fn tag_reference(tag: &Value, path: &Path, errors: &mut ErrorList) {
    if let Some(from) = tag.get("from").filter(|value| !value.is_null()) {
        let from_path = path.child("from");
        checks::required(from, &from_path, "name", errors);
        tag_source(tag, from, path, &from_path, errors);
    }
    let policy = tag.str_at(&["referencePolicy", "type"]);
    if policy != "Source" && policy != "Local" {
        let path = path.child("referencePolicy").child("type");
        errors.push(Error::invalid(&path, policy, "valid values are \"Source\", \"Local\""));
    }
}

fn tag_source(tag: &Value, from: &Value, path: &Path, from_path: &Path, errors: &mut ErrorList) {
    let name = from.str_at(&["name"]);
    let scheduled = tag.bool_at(&["importPolicy", "scheduled"]);
    match from.str_at(&["kind"]) {
        "DockerImage" => match ImageReference::parse(name) {
            Ok(reference) if scheduled && !reference.id.is_empty() => {
                let text = "only tags can be scheduled for import";
                errors.push(Error::invalid(&from_path.child("name"), name, text));
            }
            Err(error) if !name.is_empty() => {
                let text = error.to_string();
                errors.push(Error::invalid(&from_path.child("name"), name, &text));
            }
            _ => {}
        },
        "ImageStreamTag" | "ImageStreamImage" => {
            if scheduled {
                let path = path.child("importPolicy").child("scheduled");
                let text = "only tags pointing to Docker repositories may be scheduled for \
                            background import";
                errors.push(Error::invalid(&path, scheduled, text));
            }
        }
        _ => {
            let text = "valid values are 'DockerImage', 'ImageStreamImage', 'ImageStreamTag'";
            errors.push(Error::required(&from_path.child("kind"), text));
        }
    }
}

fn image_stream_mapping(object: &Value, errors: &mut ErrorList) {
    if object.name().is_empty() && object.str_at(&["dockerImageRepository"]).is_empty() {
        errors.push(Error::required(&Path::new("name"), ""));
        errors.push(Error::required(&Path::new("dockerImageRepository"), ""));
    }
    checks::required(object, &Path::new(""), "tag", errors);
    let null = Value::Null;
    let (posted, path) = (object.get("image").unwrap_or(&null), Path::new("image"));
    let metadata = posted.get("metadata").unwrap_or(&null);
    let rule = object_meta::name_is_path_segment;
    errors.extend(object_meta::validate_object_meta(
        metadata,
        false,
        rule,
        &path.child("metadata"),
    ));
    image(posted, Some(&path), errors);
}
