//! Image streams: what their tags point to, where their images come from, how tags are copied between
//! projects, and what happens when one moves.
//!
//! An image stream is a history of digests per tag. A push (or the simulated push of a rehearsal)
//! POSTs an `ImageStreamMapping`; an import POSTs an `ImageStreamImport`, which asks a [`source`] what a
//! tag outside stands for now; a promotion PUTs an `ImageStreamTag` that copies the event of another
//! project's stream. The trigger controllers then write the new digest into whatever follows the tag,
//! and rollouts begin.
//!
//! Reading order: [`history`] (the events of a tag), [`stream`] (what storing a stream does to it),
//! [`allowed_registries`] and [`limits`] (what a stream may not have), [`strategy`] (all that, plugged
//! into the API server), [`image`] with [`metadata`], [`tag`], [`mapping`] and [`layers`] (the virtual
//! resources), [`source`] (where images come from), [`import`] and [`import_controller`], [`trigger`] and [`annotation_trigger`] (the controllers).
//!
//! Invariant: a tag copied from another stream is a one-time copy; only `oc tag` moves it again.
//!
//! Deviation: signatures of images are stored and looked at by nobody.

pub mod allowed_registries;
pub mod annotation_trigger;
pub mod history;
pub mod image;
pub mod import;
pub mod import_controller;
pub mod layers;
mod limits;
pub mod mapping;
pub mod metadata;
pub mod prune;
pub mod source;
pub mod strategy;
pub mod stream;
pub mod tag;
pub mod trigger;

use std::sync::Arc;

use apiserver::Builder;
use controller_runtime::Controller;

pub use crate::allowed_registries::AllowedRegistries;
pub use crate::import_controller::Wake;
use crate::import_controller::{ImportController, ScheduledImportController};
use crate::source::Source;
pub use crate::trigger::ImageTriggerController;

/// Plugs the storage rules and virtual resources into an API server under construction; nothing can be
/// imported.
#[must_use]
pub fn register(builder: Builder) -> Builder {
    register_with(builder, Arc::new(source::Nowhere), AllowedRegistries::default())
}

/// The same, with images imported from `source`, as far as they come from allowed registries.
#[must_use]
pub fn register_with(
    builder: Builder,
    source: Arc<dyn Source>,
    allowed: AllowedRegistries,
) -> Builder {
    let allowed = allowed.with_own(stream::REGISTRY);
    let imports = import::ImageStreamImports::new(source, allowed.clone());
    let tags = tag::ImageStreamTags::new(allowed.clone());
    builder
        .strategy(&api::IMAGES, Box::new(image::ImageStrategy))
        .strategy(&api::IMAGE_STREAMS, Box::new(strategy::ImageStreamStrategy::new(allowed)))
        .handler(&api::IMAGE_STREAMS, "layers", Box::new(layers::ImageStreamLayers))
        .handler(&api::IMAGE_STREAMS, "secrets", Box::new(layers::ImageStreamSecrets))
        .handler(&api::IMAGE_STREAM_TAGS, "", Box::new(tags))
        .handler(&api::IMAGE_STREAM_IMAGES, "", Box::new(image::ImageStreamImages))
        .handler(&api::IMAGE_STREAM_IMPORTS, "", Box::new(imports))
        .handler(&api::IMAGE_STREAM_MAPPINGS, "", Box::new(mapping::ImageStreamMappings))
}

/// The controllers of this crate, for a source that answers at once.
#[must_use]
pub fn controllers() -> Vec<Box<dyn Controller>> {
    controllers_with(None)
}

/// The same; with `wake`, imports run on threads of their own and wake the loop when they end.
#[must_use]
pub fn controllers_with(wake: Option<&Wake>) -> Vec<Box<dyn Controller>> {
    let mut all = annotation_trigger::controllers();
    all.push(Box::new(ImageTriggerController));
    all.push(Box::new(ImportController::new(wake.cloned())));
    all.push(Box::new(ScheduledImportController::new(wake.cloned())));
    all
}
