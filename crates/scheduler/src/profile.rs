//! Which predicates and priorities count, and how much.

use std::sync::Arc;

use crate::predicates::{self, Predicate};
use crate::priorities::{self, Priority};

/// What the scheduler goes by.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Asked in this order.
    pub predicates: Vec<Arc<dyn Predicate>>,
    /// Each with its weight; none at all means that every node scores 1.
    pub priorities: Vec<(Arc<dyn Priority>, i64)>,
    /// Asks every predicate about every node, also after one has failed.
    pub always_check_all_predicates: bool,
}

impl Profile {
    /// A profile of named predicates and weighted priorities; `None` when a name is not known.
    ///
    /// `CheckNodeCondition` is always asked. The order is that of [`predicates::ORDER`], whatever
    /// the order of the names.
    #[must_use]
    pub fn of(predicate_names: &[&str], weighted: &[(&str, i64)]) -> Option<Self> {
        let mandatory = ["CheckNodeCondition"];
        let names = mandatory.into_iter().chain(predicate_names.iter().copied());
        let mut predicates = names.map(predicates::named).collect::<Option<Vec<_>>>()?;
        let place = |predicate: &Arc<dyn Predicate>| {
            let mut order = predicates::ORDER.iter();
            order.position(|name| *name == predicate.name()).unwrap_or(usize::MAX)
        };
        predicates.sort_by_key(place);
        predicates.dedup_by_key(|predicate| predicate.name());
        let priority = |(name, weight): &(&str, i64)| Some((priorities::named(name)?, *weight));
        let priorities = weighted.iter().map(priority).collect::<Option<Vec<_>>>()?;
        Some(Self { predicates, priorities, always_check_all_predicates: false })
    }
}

impl Default for Profile {
    fn default() -> Self {
        let predicates = ["GeneralPredicates", "PodToleratesNodeTaints"];
        let priorities = [
            ("SelectorSpreadPriority", 1),
            ("LeastRequestedPriority", 1),
            ("BalancedResourceAllocation", 1),
        ];
        Self::of(&predicates, &priorities).expect("the default names are registered")
    }
}
