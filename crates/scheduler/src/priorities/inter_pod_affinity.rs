//! `InterPodAffinityPriority`: pods are drawn to where they had better be.
//!
//! Mirrors: `interpod_affinity.go`.

use crate::priorities::resource_allocation::whole;
use crate::priorities::{Item, MAX, Priority, Source};

#[derive(Debug)]
pub(super) struct InterPodAffinity;

impl Priority for InterPodAffinity {
    fn name(&self) -> &str {
        "InterPodAffinityPriority"
    }

    fn source(&self) -> Source {
        Source::Pull
    }

    #[expect(clippy::cast_precision_loss, reason = "upstream divides as floats")]
    fn reduce(&self, items: &mut [Item]) {
        let max = items.iter().map(|item| item.value).max().unwrap_or(0).max(0);
        let min = items.iter().map(|item| item.value).min().unwrap_or(0).min(0);
        for item in items {
            item.value = if max == min {
                0
            } else {
                whole(MAX as f64 * ((item.value - min) as f64 / (max - min) as f64))
            };
        }
    }
}
