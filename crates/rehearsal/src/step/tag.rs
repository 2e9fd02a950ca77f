//! `tag`: promotion by tag, as `oc tag` does it.
//!
//! The source tag is resolved first; what is tagged is the image it points to now.
//!
//! Invariant: the request is the PUT that `oc tag` sends.

use apimachinery::ObjectExt as _;
use apimachinery::json;
use images::history::latest;

use crate::load::Plan;
use crate::place::TagName;
use crate::runner::{Error, Stage};
use crate::spec::Tag;

pub(super) fn run(step: &Tag, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let (Some(from), Some(to)) = (TagName::parse(&step.from), TagName::parse(&step.to)) else {
        return Err(Error::NotHeld(format!("{:?} or {:?} is not a tag", step.from, step.to)));
    };
    let client = stage.client(super::cluster_of(plan, from.cluster, from.project)?);
    let stream = client.get(&api::IMAGE_STREAMS, from.project, from.stream)?;
    let event = latest(&stream, from.tag).filter(|event| !event.image.is_empty());
    let event = event.ok_or_else(|| {
        Error::NotHeld(format!(
            "{:?} is not currently pointing to an image, cannot use it as the source of a tag",
            format!("{}/{}:{}", from.project, from.stream, from.tag)
        ))
    })?;
    let mut source = json!({
        "kind": "ImageStreamImage",
        "name": format!("{}@{}", from.stream, event.image),
    });
    if from.project != to.project {
        source.set(&["namespace"], json!(from.project));
    }
    let tag = json!({
        "apiVersion": "image.openshift.io/v1",
        "kind": "ImageStreamTag",
        "metadata": {"name": format!("{}:{}", to.stream, to.tag), "namespace": to.project},
        "tag": {
            "name": to.tag,
            "from": source,
            "importPolicy": {},
            "referencePolicy": {"type": "Source"},
        },
    });
    client.update(&api::IMAGE_STREAM_TAGS, tag)?;
    Ok(())
}
