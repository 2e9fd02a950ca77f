//! Image streams: what their tags point to, how tags are copied between projects, and what happens
//! when one moves.
//!
//! An image stream is a history of digests per tag. A push (or the simulated push of a rehearsal)
//! POSTs an `ImageStreamMapping`; a promotion PUTs an `ImageStreamTag` that copies the event of
//! another project's stream; the image trigger controller then writes the new digest into the
//! `DeploymentConfig`s that follow the tag, and their rollouts begin.
//!
//! Reading order: [`history`] (the events of a tag), [`stream`] (what storing a stream does to it),
//! [`strategy`] (that, plugged into the API server), [`tag`], [`image`] and [`mapping`] (the virtual
//! resources), [`trigger`] (the controller).
//!
//! Invariant: a tag copied from another stream is a one-time copy; only `oc tag` moves it again.
//!
//! Deviation: images are not imported from outside and there is no integrated registry yet; a
//! spec tag that points to a Docker image is kept and resolves to nothing unless `reference` is set.

pub mod history;
pub mod image;
pub mod mapping;
pub mod strategy;
pub mod stream;
pub mod tag;
pub mod trigger;

use apiserver::Builder;
use controller_runtime::Controller;

pub use crate::trigger::ImageTriggerController;

/// Plugs the storage rules and virtual resources into an API server under construction.
#[must_use]
pub fn register(builder: Builder) -> Builder {
    builder
        .strategy(&api::IMAGE_STREAMS, Box::new(strategy::ImageStreamStrategy))
        .handler(&api::IMAGE_STREAM_TAGS, "", Box::new(tag::ImageStreamTags))
        .handler(&api::IMAGE_STREAM_IMAGES, "", Box::new(image::ImageStreamImages))
        .handler(&api::IMAGE_STREAM_MAPPINGS, "", Box::new(mapping::ImageStreamMappings))
}

/// The controllers of this crate.
#[must_use]
pub fn controllers() -> Vec<Box<dyn Controller>> {
    vec![Box::new(ImageTriggerController)]
}
