//! `PodTolerationRestriction` and `DefaultTolerationSeconds`: taints that pods put up with.
//!
//! Mirrors: `kubernetes/plugin/pkg/admission/podtolerationrestriction`,
//! `kubernetes/plugin/pkg/admission/defaulttolerationseconds`.

use api::views::pod::qos_class;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, Operation};

use crate::request::{creates, namespace, refuse, writes};

const DEFAULT_TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/defaultTolerations";
const WHITELIST: &str = "scheduler.alpha.kubernetes.io/tolerationsWhitelist";
const PATH: [&str; 2] = ["spec", "tolerations"];

/// Adds the namespace's tolerations, and that of memory pressure to pods that ask for resources:
/// `PodTolerationRestriction`.
#[derive(Debug)]
pub struct PodTolerationRestriction;

impl Admission for PodTolerationRestriction {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !writes(request, &api::PODS) {
            return Ok(());
        }
        let Some(namespace) = namespace(request) else { return Ok(()) };
        let list = |annotation: &str| -> Option<Vec<Value>> {
            serde_json::from_str(namespace.annotation(annotation)?).ok()
        };
        let own = request.object.list_at(&PATH);
        let defaults = list(DEFAULT_TOLERATIONS).filter(|_| request.operation == Operation::Create);
        let defaults = defaults.unwrap_or_default();
        if conflict(&defaults, own) {
            return Err(refuse(request, "namespace tolerations and pod tolerations conflict"));
        }
        let mut merged = merge(&defaults, own);
        if qos_class(request.object) != "BestEffort" {
            let pressure = json!({"key": "node.kubernetes.io/memory-pressure", "operator": "Exists",
                "effect": "NoSchedule"});
            merged = merge(&merged, &[pressure]);
        }
        if let Some(allowed) = list(WHITELIST).filter(|allowed| !allowed.is_empty())
            && !merged.iter().all(|toleration| allowed.contains(toleration))
        {
            let text = "pod tolerations (possibly merged with namespace default tolerations) \
                        conflict with its namespace whitelist";
            return Err(refuse(request, text));
        }
        if !merged.is_empty() {
            request.object.set(&PATH, json!(merged));
        }
        Ok(())
    }
}

fn id(toleration: &Value) -> (&str, &str) {
    (toleration.str_at(&["key"]), toleration.str_at(&["effect"]))
}

/// Those of `second`, then those of `first` that speak of other taints.
fn merge(first: &[Value], second: &[Value]) -> Vec<Value> {
    let fresh = |toleration: &&Value| !second.iter().any(|known| id(known) == id(toleration));
    second.iter().chain(first.iter().filter(fresh)).cloned().collect()
}

/// Whether both speak of the same taint and say something different.
fn conflict(one: &[Value], other: &[Value]) -> bool {
    let differs = |a: &Value| other.iter().any(|b| id(a) == id(b) && a != b);
    one.iter().any(differs)
}

/// Lets pods stay on a node in trouble for a while: `DefaultTolerationSeconds`.
#[derive(Debug, Clone, Copy)]
pub struct DefaultTolerationSeconds {
    /// How long on a node that is not ready.
    pub not_ready: i64,
    /// How long on a node that is not reachable.
    pub unreachable: i64,
}

impl Admission for DefaultTolerationSeconds {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !creates(request, &api::PODS) {
            return Ok(());
        }
        let mut tolerations = request.object.list_at(&PATH).to_vec();
        for (key, seconds) in [
            ("node.kubernetes.io/not-ready", self.not_ready),
            ("node.kubernetes.io/unreachable", self.unreachable),
        ] {
            let tolerated = tolerations.iter().any(|toleration| {
                matches!(toleration.str_at(&["key"]), "" if toleration.str_at(&["operator"]) == "Exists")
                    || (toleration.str_at(&["key"]) == key
                        && matches!(toleration.str_at(&["effect"]), "" | "NoExecute"))
            });
            if !tolerated {
                tolerations.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute",
                    "tolerationSeconds": seconds}));
            }
        }
        request.object.set(&PATH, json!(tolerations));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_taint_is_tolerated_once() {
        let one =
            |seconds: i64| json!({"key": "a", "effect": "NoExecute", "tolerationSeconds": seconds});
        let list = vec![one(1), json!({"key": "b"})];
        assert!(conflict(&list, &[one(2)]) && !conflict(&list, &[one(1)]));
        let merged = merge(&list, &[one(2), json!({"key": "c"})]);
        assert_eq!(merged, [one(2), json!({"key": "c"}), json!({"key": "b"})]);
    }
}
