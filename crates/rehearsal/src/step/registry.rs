//! `publish`, `pull`, `push`, `copy`, `remove`: images made, and moved from registry to registry.
//!
//! Invariant: the digest that the API is told is the one the runtime will report for containers of
//! the image.

use apimachinery::json;
use images::history::latest;
use images::stream::repository;

use crate::images::{Pushed, Target, unknown_manifest};
use crate::load::Plan;
use crate::place::TagName;
use crate::runner::{Error, Stage};
use crate::spec::{Publish, Push, Remove, Tag};

pub(super) fn publish(step: &Publish, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let to = target(plan, &step.to)?;
    let pushed = stage.run.images.publish(plan, &step.image, &to);
    let pushed = pushed.map_err(|reason| failed(&step.image, reason))?;
    map(&to, &pushed, stage)
}

pub(super) fn pull(image: &str, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let from = target(plan, image)?;
    let stream =
        stage.client(from.cluster).find(&api::IMAGE_STREAMS, from.tag.project, from.tag.stream)?;
    let event = stream.as_deref().and_then(|stream| latest(stream, from.tag.tag));
    let event = event.filter(|event| !event.image.is_empty());
    let event = event.ok_or_else(|| failed(image, unknown_manifest(&from.tag)))?;
    let pulled = stage.run.images.pull(&from, &event.image);
    pulled.map_err(|reason| failed(image, reason))?;
    stage.local.insert(image.to_owned(), event.image);
    Ok(())
}

pub(super) fn push(step: &Push, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let (from, to) = (target(plan, &step.image)?, target(plan, &step.to)?);
    let known = stage.local.get(&step.image).cloned();
    let digest = known.ok_or_else(|| {
        failed(&step.to, format!("the integration environment has no image {}", step.image))
    })?;
    let pushed = stage.run.images.push(&from, &digest, &to);
    let pushed = pushed.map_err(|reason| failed(&step.to, reason))?;
    map(&to, &pushed, stage)?;
    stage.local.insert(step.to.clone(), digest);
    Ok(())
}

pub(super) fn copy(step: &Tag, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let kept = stage.local.clone();
    pull(&step.from, plan, stage)?;
    let through = Push { image: step.from.clone(), to: step.to.clone() };
    let pushed = push(&through, plan, stage);
    for name in [&step.from, &step.to] {
        if !kept.contains_key(name) && stage.local.contains_key(name) {
            remove_one(name, plan, stage)?;
        }
    }
    pushed
}

pub(super) fn remove(step: &Remove, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    step.images.iter().try_for_each(|image| remove_one(image, plan, stage))
}

fn remove_one(image: &str, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let named = target(plan, image)?;
    stage.run.images.remove(&named).map_err(|reason| failed(image, reason))?;
    stage.local.remove(image);
    Ok(())
}

/// Tells the API of an image that no registry has told it of.
fn map(to: &Target<'_>, pushed: &Pushed, stage: &Stage<'_, '_>) -> Result<(), Error> {
    let Pushed::Digest(digest) = pushed else { return Ok(()) };
    let TagName { project, stream, tag, .. } = to.tag;
    let mapping = json!({
        "apiVersion": "image.openshift.io/v1",
        "kind": "ImageStreamMapping",
        "metadata": {"name": stream, "namespace": project},
        "tag": tag,
        "image": {
            "metadata": {
                "name": digest,
                "annotations": {"openshift.io/image.managed": "true"},
            },
            "dockerImageReference": format!("{}@{digest}", repository(project, stream)),
        },
    });
    stage.client(to.cluster).create(&api::IMAGE_STREAM_MAPPINGS, project, mapping)?;
    Ok(())
}

fn target<'a>(plan: &Plan, text: &'a str) -> Result<Target<'a>, Error> {
    let tag = TagName::parse(text);
    let tag = tag.ok_or_else(|| Error::NotHeld(format!("{text:?} is not a tag")))?;
    let cluster = plan.spec.cluster_of(tag.cluster, tag.project).map_err(Error::NotHeld)?;
    Ok(Target { cluster, tag })
}

fn failed(reference: &str, reason: String) -> Error {
    Error::Image { reference: reference.to_owned(), reason }
}
