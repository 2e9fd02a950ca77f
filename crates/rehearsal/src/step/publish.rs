//! `publish`: what a push to the integrated registry does to the cluster.
//!
//! Invariant: the digest recorded is the one the runtime will report for containers of the image.

use images::stream::repository;
use serde_json::json;

use crate::load::{Plan, TagName};
use crate::runner::{Error, Stage};
use crate::spec::Publish;

pub(super) fn run(step: &Publish, plan: &Plan, stage: &mut Stage<'_, '_>) -> Result<(), Error> {
    let Some(to) = TagName::parse(&step.to) else {
        return Err(Error::NotHeld(format!("{:?} is not a tag", step.to)));
    };
    let reference = step.image.clone();
    let digest = stage
        .run
        .images
        .publish(plan, &step.image)
        .map_err(|reason| Error::Image { reference, reason })?;
    let mapping = json!({
        "apiVersion": "image.openshift.io/v1",
        "kind": "ImageStreamMapping",
        "metadata": {"name": to.stream, "namespace": to.project},
        "tag": to.tag,
        "image": {
            "metadata": {
                "name": digest,
                "annotations": {"openshift.io/image.managed": "true"},
            },
            "dockerImageReference": format!("{}@{digest}", repository(to.project, to.stream)),
        },
    });
    stage.client().create(&api::IMAGE_STREAM_MAPPINGS, to.project, mapping)?;
    Ok(())
}
