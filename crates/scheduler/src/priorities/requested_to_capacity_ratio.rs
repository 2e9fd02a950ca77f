//! `RequestedToCapacityRatioPriority`: a score for every degree of use, by a shape of straight lines.
//!
//! Mirrors: `requested_to_capacity_ratio.go`.

use crate::pod::PodInfo;
use crate::priorities::resource_allocation::mean;
use crate::priorities::{MAX, Priority};
use crate::snapshot::NodeInfo;

/// Points of use in percent and score, joined by straight lines and level beyond the ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape(Vec<(i64, i64)>);

impl Shape {
    /// The shape through `points`.
    ///
    /// # Errors
    /// When there is none, they are not in order, or out of bounds.
    pub fn new(points: Vec<(i64, i64)>) -> Result<Self, String> {
        if points.is_empty() {
            return Err("at least one point must be specified".to_owned());
        }
        for (index, pair) in points.windows(2).enumerate() {
            if pair[0].0 >= pair[1].0 {
                return Err(format!(
                    "utilization values must be sorted. Utilization[{index}]=={} >= \
                     Utilization[{}]=={}",
                    pair[0].0,
                    index + 1,
                    pair[1].0
                ));
            }
        }
        for (index, (utilization, score)) in points.iter().enumerate() {
            if !(0..=100).contains(utilization) {
                let side = if *utilization < 0 { "less than 0" } else { "greater than 100" };
                return Err(format!(
                    "utilization values must not be {side}. Utilization[{index}]=={utilization}"
                ));
            }
            if !(0..=MAX).contains(score) {
                let side = if *score < 0 { "less than 0" } else { "greater than 10" };
                return Err(format!("score values must not be {side}. Score[{index}]=={score}"));
            }
        }
        Ok(Self(points))
    }

    /// The score at a degree of use.
    #[must_use]
    pub fn at(&self, utilization: i64) -> i64 {
        let mut before: Option<(i64, i64)> = None;
        for &(x, y) in &self.0 {
            if utilization <= x {
                return before.map_or(y, |(x0, y0)| y0 + (y - y0) * (utilization - x0) / (x - x0));
            }
            before = Some((x, y));
        }
        before.map_or(0, |(_, y)| y)
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self(vec![(0, MAX), (100, 0)])
    }
}

/// A score for every degree of use.
#[derive(Debug)]
pub struct RequestedToCapacityRatio {
    /// The name that the policy gives it.
    pub name: String,
    /// The scores.
    pub shape: Shape,
}

impl Default for RequestedToCapacityRatio {
    fn default() -> Self {
        let name = "RequestedToCapacityRatioPriority".to_owned();
        Self { name, shape: Shape::default() }
    }
}

impl Priority for RequestedToCapacityRatio {
    fn name(&self) -> &str {
        &self.name
    }

    fn raw(&self, pod: &PodInfo, node: &NodeInfo) -> i64 {
        mean(pod, node, |requested, capacity| {
            if capacity == 0 || requested > capacity {
                self.shape.at(100)
            } else {
                self.shape.at(100 - (capacity - requested) * 100 / capacity)
            }
        })
    }
}
