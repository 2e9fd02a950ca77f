//! Amounts of compute resources, as integers.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/scheduler/cache/node_info.go` (`Resource`).

use std::collections::BTreeMap;

use apimachinery::quantity::Quantity;
use apimachinery::{ObjectExt as _, Value};

/// CPU that a container without a request counts for in priorities, in thousandths.
pub const DEFAULT_MILLI_CPU: i64 = 100;
/// Memory that a container without a request counts for in priorities, in bytes.
pub const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

/// Amounts of every resource that pods request and nodes have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resources {
    /// CPU in thousandths.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Local storage in bytes.
    pub ephemeral_storage: i64,
    /// Number of pods; of nodes only.
    pub pods: i64,
    /// Huge pages and extended resources by name.
    pub scalar: BTreeMap<String, i64>,
}

/// CPU and memory, with defaults for what containers do not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NonZero {
    /// CPU in thousandths.
    pub milli_cpu: i64,
    /// Memory in bytes.
    pub memory: i64,
}

fn amount(value: &Value) -> Quantity {
    Quantity::from_json(value).unwrap_or_default()
}

fn is_scalar(name: &str) -> bool {
    name.contains('/') || name.starts_with("hugepages-") || name.starts_with("attachable-volumes-")
}

impl Resources {
    /// Reads a list such as `status.allocatable` or `resources.requests`.
    #[must_use]
    pub fn of(list: Option<&Value>) -> Self {
        let mut resources = Self::default();
        for (name, value) in list.and_then(Value::as_object).into_iter().flatten() {
            let quantity = amount(value);
            match name.as_str() {
                "cpu" => resources.milli_cpu = quantity.milli_value(),
                "memory" => resources.memory = quantity.value(),
                "ephemeral-storage" => resources.ephemeral_storage = quantity.value(),
                "pods" => resources.pods = quantity.value(),
                name if is_scalar(name) => {
                    resources.scalar.insert(name.to_owned(), quantity.value());
                }
                _ => {}
            }
        }
        resources
    }

    fn combine(&mut self, other: &Self, with: fn(i64, i64) -> i64) {
        self.milli_cpu = with(self.milli_cpu, other.milli_cpu);
        self.memory = with(self.memory, other.memory);
        self.ephemeral_storage = with(self.ephemeral_storage, other.ephemeral_storage);
        for (name, amount) in &other.scalar {
            let have = self.scalar.entry(name.clone()).or_insert(0);
            *have = with(*have, *amount);
        }
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, i64::saturating_add);
    }

    /// Takes `other` away.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, i64::saturating_sub);
        self.scalar.retain(|_, amount| *amount != 0);
    }

    /// Raises every amount to at least that of `other`.
    pub fn raise_to(&mut self, other: &Self) {
        self.combine(other, i64::max);
    }

    /// Whether nothing is asked for. A named extended resource counts even at 0.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.milli_cpu == 0
            && self.memory == 0
            && self.ephemeral_storage == 0
            && self.scalar.is_empty()
    }
}

impl NonZero {
    /// What one container counts for: what it requests, or a default for what it does not name.
    #[must_use]
    pub fn of_container(container: &Value) -> Self {
        let request = |name: &str| container.at(&["resources", "requests", name]).map(amount);
        Self {
            milli_cpu: request("cpu").map_or(DEFAULT_MILLI_CPU, |q| q.milli_value()),
            memory: request("memory").map_or(DEFAULT_MEMORY, |q| q.value()),
        }
    }

    /// Adds `other`.
    pub fn add(&mut self, other: Self) {
        self.milli_cpu = self.milli_cpu.saturating_add(other.milli_cpu);
        self.memory = self.memory.saturating_add(other.memory);
    }

    /// Takes `other` away.
    pub fn subtract(&mut self, other: Self) {
        self.milli_cpu = self.milli_cpu.saturating_sub(other.milli_cpu);
        self.memory = self.memory.saturating_sub(other.memory);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_read_in_the_units_of_the_formulas() {
        let list = json!({"cpu": "1500m", "memory": "1Ki", "pods": "110",
            "ephemeral-storage": "5", "example.com/foo": "4", "hugepages-2Mi": "2Mi", "storage": "7"});
        let resources = Resources::of(Some(&list));
        assert_eq!((resources.milli_cpu, resources.memory, resources.pods), (1500, 1024, 110));
        assert_eq!(
            resources.scalar.keys().collect::<Vec<_>>(),
            ["example.com/foo", "hugepages-2Mi"]
        );
    }

    #[test]
    fn only_what_is_not_named_has_a_default() {
        for (requests, expected) in [
            (json!({}), (DEFAULT_MILLI_CPU, DEFAULT_MEMORY)),
            (json!({"cpu": "200m"}), (200, DEFAULT_MEMORY)),
            (json!({"memory": "400Mi"}), (DEFAULT_MILLI_CPU, 400 * 1024 * 1024)),
            (json!({"cpu": "0", "memory": "0"}), (0, 0)),
        ] {
            let got = NonZero::of_container(&json!({"resources": {"requests": requests}}));
            assert_eq!((got.milli_cpu, got.memory), expected, "{requests}");
        }
    }
}
