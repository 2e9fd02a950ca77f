//! The status of an autoscaler as a sync goes along.

use apimachinery::quantity::{Format, Quantity};
use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use super::replicas::Proposal;

/// A status in the making, in the form of `autoscaling/v2`.
#[derive(Debug)]
pub(super) struct Draft {
    status: Value,
    now: Time,
}

impl Draft {
    pub(super) fn of(hpa: &Value, now: Time) -> Self {
        let mut status = hpa.at(&["status"]).filter(|status| status.is_object()).cloned();
        let status = status.take().unwrap_or_else(|| Value::Object(Map::new()));
        let mut draft = Self { status, now };
        if hpa.generation() > 0 {
            draft.status["observedGeneration"] = json!(hpa.generation());
        }
        for field in ["currentReplicas", "desiredReplicas"] {
            if draft.status.get(field).is_none() {
                draft.status[field] = json!(0);
            }
        }
        draft
    }

    /// Sets a condition; its transition time only when the status changes.
    pub(super) fn condition(&mut self, kind: &str, status: bool, reason: &str, message: &str) {
        let status = if status { "True" } else { "False" };
        let mut conditions = self.status.list_at(&["conditions"]).to_vec();
        let old = conditions.iter().position(|c| c.str_at(&["type"]) == kind);
        let since = old.map(|index| &conditions[index]);
        let since = since.filter(|c| c.str_at(&["status"]) == status);
        let since = since.map(|c| c.str_at(&["lastTransitionTime"]).to_owned());
        let condition = json!({
            "type": kind,
            "status": status,
            "lastTransitionTime": since.unwrap_or_else(|| self.now.rfc3339()),
            "reason": reason,
            "message": message,
        });
        match old {
            Some(index) => conditions[index] = condition,
            None => conditions.push(condition),
        }
        self.status["conditions"] = Value::from(conditions);
    }

    /// What there is now; stays when the sync fails later.
    pub(super) fn current(&mut self, replicas: i64) {
        self.status["currentReplicas"] = json!(replicas);
    }

    pub(super) fn scaled(&mut self, desired: i64, metrics: Vec<Value>, rescaled: bool) {
        self.status["desiredReplicas"] = json!(desired);
        if metrics.is_empty() {
            self.status.remove(&["currentMetrics"]);
        } else {
            self.status["currentMetrics"] = Value::from(metrics);
        }
        if rescaled {
            self.status["lastScaleTime"] = json!(self.now.rfc3339());
        }
    }

    pub(super) fn finish(self) -> Value {
        self.status
    }
}

/// What a metric of the spec says now.
pub(super) fn metric(spec: &Value, proposal: &Proposal) -> Value {
    let name = spec.str_at(&["resource", "name"]);
    let average = if name == "memory" {
        Quantity::new(proposal.average / 1000, Format::DecimalSi)
    } else {
        Quantity::from_millis(proposal.average)
    };
    let mut current = json!({"averageValue": average.canonical()});
    if let Some(utilization) = proposal.utilization {
        current["averageUtilization"] = json!(utilization);
    }
    json!({"type": "Resource", "resource": {"name": name, "current": current}})
}
