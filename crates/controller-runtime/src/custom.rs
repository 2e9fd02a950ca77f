//! Following custom resources: kinds that come to be while controllers run.
//!
//! Invariant: a resource is told once, however often its definition changes or comes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::{CUSTOM_RESOURCE_DEFINITIONS, Resource};
use apimachinery::{ObjectExt as _, Value};
use apiserver::custom_resource;

use crate::cache::Caches;

/// Which custom resources a controller knows of. The controller must watch the definitions, see
/// [`Watching::reading`](crate::Watching::reading).
#[derive(Debug, Default)]
pub struct CustomResources {
    told: BTreeSet<(&'static str, &'static str)>,
    all: Vec<&'static Resource>,
}

impl CustomResources {
    /// The resources that have come to be since the last call.
    pub fn news(&mut self, caches: &Caches) -> Vec<&'static Resource> {
        let definitions = caches.iter(&CUSTOM_RESOURCE_DEFINITIONS, "");
        let resources = definitions.filter_map(|(_, definition)| custom_resource(&definition));
        let told = &mut self.told;
        let new: Vec<_> = resources.filter(|r| told.insert((r.storage.0, r.plural))).collect();
        self.all.extend(&new);
        new
    }

    /// All that were told so far.
    #[must_use]
    pub fn all(&self) -> &[&'static Resource] {
        &self.all
    }
}

/// The custom resource called `<plural>.<group>`, if it is defined.
#[must_use]
pub fn custom_named(caches: &Caches, group: &str, plural: &str) -> Option<&'static Resource> {
    let name = format!("{plural}.{group}");
    custom_resource(&caches.get(&CUSTOM_RESOURCE_DEFINITIONS, "", &name)?)
}

/// The custom resource whose objects are of this kind, if it is defined.
#[must_use]
pub fn custom_of_kind(caches: &Caches, group: &str, kind: &str) -> Option<&'static Resource> {
    let of = |definition: &Arc<Value>| {
        definition.str_at(&["spec", "group"]) == group
            && definition.str_at(&["spec", "names", "kind"]) == kind
    };
    let mut definitions = caches.iter(&CUSTOM_RESOURCE_DEFINITIONS, "");
    let (_, found) = definitions.find(|(_, definition)| of(definition))?;
    custom_resource(&found)
}
