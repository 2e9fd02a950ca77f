//! Which predicates and priorities count, and how much.

use std::sync::Arc;

use crate::extender::Extender;
use crate::neighbours::Neighbours;
use crate::pod::PodInfo;
use crate::predicates::{self, Predicate, Scope};
use crate::priorities::{self, Priority, Source};
use crate::snapshot::Snapshot;

/// What the scheduler goes by.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Asked in this order.
    pub predicates: Vec<Arc<dyn Predicate>>,
    /// Each with its weight; there is one at least.
    pub priorities: Vec<(Arc<dyn Priority>, i64)>,
    /// Programs that have a say, in order.
    pub extenders: Vec<Arc<Extender>>,
    /// Asks every predicate about every node, also after one has failed.
    pub always_check_all_predicates: bool,
    /// How much another pod's required affinity draws a pod that it means.
    pub hard_pod_affinity_weight: i64,
}

impl Profile {
    /// A profile of these parts.
    ///
    /// `CheckNodeCondition` is always asked. The order is that of [`predicates::ORDER`], whatever
    /// the order given. Without a priority every node scores 1.
    #[must_use]
    pub fn new(
        mut predicates: Vec<Arc<dyn Predicate>>,
        mut priorities: Vec<(Arc<dyn Priority>, i64)>,
    ) -> Self {
        predicates.extend(predicates::named("CheckNodeCondition"));
        let place = |predicate: &Arc<dyn Predicate>| {
            let mut order = predicates::ORDER.iter();
            order.position(|name| *name == predicate.rule()).unwrap_or(usize::MAX)
        };
        predicates.sort_by_key(place);
        predicates.dedup_by(|a, b| a.name() == b.name());
        if priorities.is_empty() {
            priorities.extend(priorities::named("EqualPriority").map(|priority| (priority, 1)));
        }
        Self {
            predicates,
            priorities,
            extenders: Vec::new(),
            always_check_all_predicates: false,
            hard_pod_affinity_weight: 1,
        }
    }

    /// A profile of named predicates and weighted priorities; `None` when a name is not known.
    #[must_use]
    pub fn of(predicate_names: &[&str], weighted: &[(&str, i64)]) -> Option<Self> {
        let names = predicate_names.iter().copied();
        let predicates = names.map(predicates::named).collect::<Option<Vec<_>>>()?;
        let priority = |(name, weight): &(&str, i64)| Some((priorities::named(name)?, *weight));
        let priorities = weighted.iter().map(priority).collect::<Option<Vec<_>>>()?;
        Some(Self::new(predicates, priorities))
    }

    /// What the pods of `snapshot` mean for `pod`, if any rule asks.
    #[must_use]
    pub fn neighbours(&self, snapshot: &Snapshot, pod: &PodInfo) -> Neighbours {
        if self.asks_neighbours() {
            Neighbours::of(snapshot, pod, self.hard_pod_affinity_weight)
        } else {
            Neighbours::default()
        }
    }

    /// Whether any rule looks at other pods by place.
    #[must_use]
    pub fn asks_neighbours(&self) -> bool {
        self.predicates.iter().any(|predicate| predicate.scope() == Scope::Neighbours)
            || self.priorities.iter().any(|(priority, _)| priority.source() == Source::Pull)
    }
}

impl Default for Profile {
    /// What OpenShift's installer writes: the built-in rules, regions and zones.
    fn default() -> Self {
        crate::policy::openshift()
    }
}
