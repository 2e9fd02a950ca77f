//! Which rollouts nobody needs any more, as `oc adm prune deployments` decides it.
//!
//! Only those that are old enough, over and without replicas are looked at; of each `DeploymentConfig`
//! the newest complete and the newest failed ones stay. Those whose `DeploymentConfig` is gone stay
//! too, unless they are asked for.
//!
//! Invariant: pure.
//!
//! Mirrors: `oc/pkg/cli/admin/prune/deployments/{prune,resolvers,data}.go`.

use std::collections::BTreeMap;
use std::time::Duration;

use apimachinery::{ObjectExt as _, Value};
use world::Time;

use crate::keys;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// That many complete rollouts of each `DeploymentConfig`.
    pub complete: usize,
    /// That many failed ones.
    pub failed: usize,
    /// Whatever is younger.
    pub younger_than: Duration,
    /// Whether those without a `DeploymentConfig` go.
    pub orphans: bool,
}

/// Namespaces and names of the `ReplicationController`s of `rollouts` that go at `now`, oldest first
/// for each `DeploymentConfig`.
#[must_use]
pub fn plan(configs: &[Value], rollouts: &[Value], keep: Keep, now: Time) -> Vec<(String, String)> {
    let idle = |rc: &Value| {
        rc.int_at(&["spec", "replicas"]).unwrap_or(0) == 0
            && rc.int_at(&["status", "replicas"]).unwrap_or(0) == 0
    };
    let old = |rc: &Value| {
        let created = Time::parse_rfc3339(rc.creation_timestamp());
        created.is_some_and(|created| created + keep.younger_than < now)
    };
    // By namespace, DeploymentConfig and phase.
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&Value>> = BTreeMap::new();
    for rc in rollouts.iter().filter(|rc| idle(rc) && old(rc)) {
        let Some(config) = rc.annotation(keys::CONFIG_NAME) else { continue };
        let phase = rc.annotation(keys::PHASE).unwrap_or_default();
        groups.entry((rc.namespace(), config, phase)).or_default().push(rc);
    }
    let mut gone = Vec::new();
    for ((namespace, config, phase), mut group) in groups {
        let known = configs.iter().any(|dc| dc.namespace() == namespace && dc.name() == config);
        let stay = match phase {
            "Complete" | "Failed" if !known => {
                if keep.orphans {
                    0
                } else {
                    usize::MAX
                }
            }
            "Complete" => keep.complete,
            "Failed" => keep.failed,
            _ => usize::MAX,
        };
        group.sort_by_key(|rc| (rc.creation_timestamp(), version(rc)));
        let go = group.len().saturating_sub(stay);
        gone.extend(group[..go].iter().map(|rc| (namespace.to_owned(), rc.name().to_owned())));
    }
    gone
}

fn version(rc: &Value) -> i64 {
    rc.annotation(keys::LATEST_VERSION).and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    const OLD: &str = "2026-01-01T00:00:00Z";
    const YOUNG: &str = "2026-01-02T11:30:00Z";

    fn rollout(config: &str, number: i64, phase: &str, replicas: i64, created: &str) -> Value {
        let mut annotations = json!({});
        annotations[keys::CONFIG_NAME] = json!(config);
        annotations[keys::PHASE] = json!(phase);
        annotations[keys::LATEST_VERSION] = json!(number.to_string());
        json!({
            "metadata": {"name": format!("{config}-{number}"), "namespace": "dev",
                "creationTimestamp": created, "annotations": annotations},
            "spec": {"replicas": replicas},
        })
    }

    fn gone(rollouts: &[Value], orphans: bool) -> Vec<String> {
        let configs = [json!({"metadata": {"name": "web", "namespace": "dev"}})];
        let younger_than = Duration::from_secs(3600);
        let keep = Keep { complete: 2, failed: 1, younger_than, orphans };
        let now = Time::parse_rfc3339("2026-01-02T12:00:00Z").unwrap();
        plan(&configs, rollouts, keep, now).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn the_newest_of_each_outcome_stay() {
        let mut all: Vec<Value> = (9..=12).map(|n| rollout("web", n, "Complete", 0, OLD)).collect();
        all.extend((1..=3).map(|n| rollout("web", n, "Failed", 0, OLD)));
        assert_eq!(gone(&all, false), ["web-9", "web-10", "web-1", "web-2"]);
    }

    #[test]
    fn what_serves_is_young_or_under_way_stays() {
        let all = [
            rollout("web", 1, "Complete", 3, OLD),
            rollout("web", 2, "Complete", 0, YOUNG),
            rollout("web", 3, "Running", 0, OLD),
            rollout("web", 4, "Complete", 0, OLD),
            rollout("web", 5, "Complete", 0, OLD),
        ];
        assert_eq!(gone(&all, false), [""; 0]);
    }

    #[test]
    fn orphans_go_when_they_are_asked_for() {
        let all = [
            rollout("gone", 1, "Complete", 0, OLD),
            rollout("gone", 2, "Failed", 0, OLD),
            rollout("gone", 3, "Running", 0, OLD),
            json!({"metadata": {"name": "plain", "namespace": "dev", "creationTimestamp": OLD}}),
        ];
        assert_eq!(gone(&all, false), [""; 0]);
        assert_eq!(gone(&all, true), ["gone-1", "gone-2"]);
    }
}
