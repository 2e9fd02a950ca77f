//! Whether a node still reports, and what its status says when it does not.

use std::time::Duration;

use api::views::pod::condition;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

/// The times of the node lifecycle controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a node may be silent: `node-monitor-grace-period`.
    pub grace: Duration,
    /// The same for one that has never reported.
    pub startup_grace: Duration,
    /// How long a node may be not ready before its pods are evicted: `pod-eviction-timeout`.
    pub eviction_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(40),
            startup_grace: Duration::from_secs(60),
            eviction_timeout: Duration::from_secs(5 * 60),
        }
    }
}

/// What the heartbeats of a node say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// The last came in time.
    Alive {
        /// How long until the next is overdue.
        overdue_in: Duration,
    },
    /// None came in time.
    Silent {
        /// When the last one came.
        since: Time,
    },
}

/// What the node's last heartbeat says at `now`.
#[must_use]
pub fn health(node: &Value, now: Time, limits: Limits) -> Health {
    let ready = condition(node, "Ready");
    let beat = ready.and_then(|ready| Time::parse_rfc3339(ready.str_at(&["lastHeartbeatTime"])));
    let created = || Time::parse_rfc3339(node.creation_timestamp()).unwrap_or(now);
    let never = beat.is_none();
    let since = beat.unwrap_or_else(created);
    let deadline = since + if never { limits.startup_grace } else { limits.grace };
    if now > deadline {
        return Health::Silent { since };
    }
    // It is overdue when more than the grace period has passed.
    Health::Alive { overdue_in: deadline.since(now) + Duration::from_secs(1) }
}

/// Since when the node says itself that it is not ready.
pub(super) fn not_ready_since(node: &Value) -> Option<Time> {
    Time::parse_rfc3339(condition(node, "Ready")?.str_at(&["lastTransitionTime"]))
}

/// The conditions of a node of which nothing is known any more.
#[must_use]
pub fn unknown_status(node: &Value, now: Time) -> Value {
    let mut conditions = node.list_at(&["status", "conditions"]).to_vec();
    for kind in ["Ready", "OutOfDisk", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        match conditions.iter_mut().find(|c| c.str_at(&["type"]) == kind) {
            Some(condition) if condition.str_at(&["status"]) != "Unknown" => {
                condition.set(&["status"], json!("Unknown"));
                condition.set(&["reason"], json!("NodeStatusUnknown"));
                condition.set(&["message"], json!("Kubelet stopped posting node status."));
                condition.set(&["lastTransitionTime"], json!(now.rfc3339()));
            }
            Some(_) => {}
            None => conditions.push(json!({
                "type": kind,
                "status": "Unknown",
                "reason": "NodeStatusNeverUpdated",
                "message": "Kubelet never posted node status.",
                "lastHeartbeatTime": node.creation_timestamp(),
                "lastTransitionTime": now.rfc3339(),
            })),
        }
    }
    Value::from(conditions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(beat: Option<Time>) -> Value {
        let mut node = json!({"metadata": {"name": "n", "creationTimestamp": at(0).rfc3339()}});
        if let Some(beat) = beat {
            node["status"]["conditions"] = json!([{"type": "Ready", "status": "True",
                "lastHeartbeatTime": beat.rfc3339(), "lastTransitionTime": at(0).rfc3339()}]);
        }
        node
    }

    fn at(seconds: i64) -> Time {
        Time::from_unix_seconds(1_000_000 + seconds)
    }

    #[test]
    fn a_node_is_silent_after_the_grace_period() {
        let seconds = Duration::from_secs;
        // (last heartbeat, now) -> health
        for (beat, now, want) in [
            (None, 60, Health::Alive { overdue_in: seconds(1) }),
            (None, 61, Health::Silent { since: at(0) }),
            (Some(100), 110, Health::Alive { overdue_in: seconds(31) }),
            (Some(100), 140, Health::Alive { overdue_in: seconds(1) }),
            (Some(100), 141, Health::Silent { since: at(100) }),
        ] {
            assert_eq!(health(&node(beat.map(at)), at(now), Limits::default()), want, "{now}");
        }
    }

    #[test]
    fn a_silent_nodes_conditions_become_unknown_once() {
        let mut node = node(Some(at(100)));
        let conditions = unknown_status(&node, at(141));
        let texts: Vec<_> = conditions
            .as_array()
            .unwrap()
            .iter()
            .map(|c| {
                let text = |field: &str| c.str_at(&[field]).to_owned();
                (text("type"), text("reason"), text("message"))
            })
            .collect();
        assert_eq!(
            texts[0],
            (
                "Ready".to_owned(),
                "NodeStatusUnknown".to_owned(),
                "Kubelet stopped posting node status.".to_owned()
            )
        );
        assert_eq!(
            texts[1],
            (
                "OutOfDisk".to_owned(),
                "NodeStatusNeverUpdated".to_owned(),
                "Kubelet never posted node status.".to_owned()
            )
        );
        assert_eq!(conditions[0]["lastHeartbeatTime"], at(100).rfc3339());
        assert_eq!(conditions[0]["lastTransitionTime"], at(141).rfc3339());
        node["status"]["conditions"] = conditions.clone();
        assert_eq!(unknown_status(&node, at(200)), conditions);
    }
}
