//! Rows of images, image streams and their tags.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use super::text;
use super::{Printer, named, string, wide};

pub(super) fn printer(kind: &str) -> Option<&'static Printer> {
    Some(match kind {
        "Image" => &IMAGE,
        "ImageStream" => &IMAGE_STREAM,
        "ImageStreamTag" => &IMAGE_STREAM_TAG,
        "ImageStreamImage" => &IMAGE_STREAM_IMAGE,
        _ => return None,
    })
}

static IMAGE: Printer = Printer {
    columns: &[named("NAME"), string("DOCKER REF")],
    cells: |image, _| vec![json!(image.name()), json!(image.str_at(&["dockerImageReference"]))],
};

static IMAGE_STREAM: Printer = Printer {
    columns: &[named("NAME"), string("DOCKER REPO"), string("TAGS"), string("UPDATED")],
    cells: image_stream,
};

fn image_stream(stream: &Value, now: Time) -> Vec<Value> {
    const SHOWN: usize = 3;
    let repository = [
        stream.str_at(&["status", "publicDockerImageRepository"]),
        stream.str_at(&["spec", "dockerImageRepository"]),
        stream.str_at(&["status", "dockerImageRepository"]),
    ];
    let repository = repository.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let mut tags: Vec<(&str, &str)> = stream
        .list_at(&["status", "tags"])
        .iter()
        .filter_map(|tag| {
            let newest = tag.list_at(&["items"]).first()?;
            Some((newest.str_at(&["created"]), tag.str_at(&["tag"])))
        })
        .collect();
    tags.sort_by(|a, b| b.0.cmp(a.0).then(a.1.cmp(b.1)));
    let updated = tags.first().map_or_else(String::new, |(created, _)| text::ago(created, now));
    let names: Vec<&str> = tags.iter().take(SHOWN).map(|(_, name)| *name).collect();
    let mut list = names.join(",");
    if tags.len() > SHOWN {
        list.push_str(&format!(" + {} more...", tags.len() - SHOWN));
    }
    vec![json!(stream.name()), json!(repository), json!(list), json!(updated)]
}

static IMAGE_STREAM_TAG: Printer = Printer {
    columns: &[named("NAME"), string("DOCKER REF"), string("UPDATED"), wide("IMAGENAME")],
    cells: |tag, now| {
        vec![
            json!(tag.name()),
            json!(tag.str_at(&["image", "dockerImageReference"])),
            json!(text::ago(tag.creation_timestamp(), now)),
            json!(tag.str_at(&["image", "metadata", "name"])),
        ]
    },
};

static IMAGE_STREAM_IMAGE: Printer = Printer {
    columns: &[named("NAME"), string("UPDATED"), wide("DOCKER REF"), wide("IMAGENAME")],
    cells: |image, now| {
        vec![
            json!(image.name()),
            json!(text::ago(image.creation_timestamp(), now)),
            json!(image.str_at(&["image", "dockerImageReference"])),
            json!(image.str_at(&["image", "metadata", "name"])),
        ]
    },
};
