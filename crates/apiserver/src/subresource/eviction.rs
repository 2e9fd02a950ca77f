//! `pods/eviction`: a polite deletion, granted when no disruption budget is against it.
//!
//! Invariant: a granted eviction is written down in the budget before the pod is deleted, so that
//! several at once cannot use the same allowance.
//!
//! Mirrors: `kubernetes/pkg/registry/core/pod/storage/eviction.go`.

use apimachinery::selector::LabelSelector;
use apimachinery::status::Reason;
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use crate::call::{DeleteOptions, Written};
use crate::client::Client;
use crate::error;
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;
use crate::user::User;

/// Evictions that a budget's controller has not yet confirmed may not be more than this.
const MAX_DISRUPTED_PODS: usize = 2000;

const ATTEMPTS: usize = 20;

const REFUSAL: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

#[derive(Debug)]
pub(super) struct PodEviction;

impl RestHandler for PodEviction {
    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        let mut options =
            DeleteOptions::from_value(body.get("deleteOptions").unwrap_or(&Value::Null));
        options.dry_run |= cx.call.options.dry_run;
        let call = cx.redirect(&api::PODS, "");
        let pod = &cx.server.current(&call)?.value.value();
        // One that has ended does no good any more.
        if !api::views::pod::is_terminal(pod) {
            ask_budget(cx, pod, options.dry_run)?;
        }
        cx.server.delete(&call, options)?;
        Ok(Written::created(Stored::new(error::success(201))))
    }
}

/// Takes one disruption off the budget over `pod`, when there is one.
fn ask_budget(cx: &HandlerContext<'_>, pod: &Value, dry_run: bool) -> Result<(), Status> {
    let client = Client::new(cx.server.clone(), User::system_admin());
    let budgets = client.list(&api::POD_DISRUPTION_BUDGETS, pod.namespace())?;
    let selects = |budget: &Value| {
        let selector = budget.at(&["spec", "selector"]).filter(|selector| selector.is_object());
        let selector = selector.map(LabelSelector::from_json).and_then(Result::ok);
        selector.is_some_and(|selector| selector.matches_object(pod))
    };
    let over: Vec<_> = budgets.iter().filter(|budget| selects(budget)).collect();
    let budget = match over.as_slice() {
        [] => return Ok(()),
        [budget] => budget,
        _ => {
            let text = "This pod has more than one PodDisruptionBudget, which the eviction \
                        subresource does not support.";
            return Err(Status { code: 500, ..Status::new(Reason::Unknown, text) });
        }
    };
    let mut failure = None;
    for _ in 0..ATTEMPTS {
        let current =
            client.get(&api::POD_DISRUPTION_BUDGETS, budget.namespace(), budget.name())?;
        let granted = grant(&current, pod.name(), &cx.server.world().now().rfc3339())?;
        if dry_run {
            return Ok(());
        }
        match client.update_status(&api::POD_DISRUPTION_BUDGETS, granted) {
            Ok(_) => return Ok(()),
            Err(status) if status.is_conflict() => failure = Some(status),
            Err(status) => return Err(status),
        }
    }
    failure.map_or(Ok(()), Err)
}

/// The budget with one disruption less, or why there is none to give.
fn grant(budget: &Value, pod: &str, now: &str) -> Result<Value, Status> {
    let count = |field: &str| budget.int_at(&["status", field]).unwrap_or(0);
    let name = budget.name();
    if count("observedGeneration") < budget.generation() {
        let cause = format!("The disruption budget {name} is still being processed by the server.");
        return Err(too_many(&cause));
    }
    let allowed = count("disruptionsAllowed");
    let forbidden = |text: &str| Status::forbidden("policy", "poddisruptionbudgets", name, text);
    if allowed < 0 {
        return Err(forbidden("pdb disruptions allowed is negative"));
    }
    let disrupted = budget.map_at(&["status", "disruptedPods"]);
    if disrupted.is_some_and(|pods| pods.len() > MAX_DISRUPTED_PODS) {
        let text = "DisruptedPods map too big - too many evictions not confirmed by PDB controller";
        return Err(forbidden(text));
    }
    if allowed == 0 {
        let (desired, current) = (count("desiredHealthy"), count("currentHealthy"));
        return Err(too_many(&format!(
            "The disruption budget {name} needs {desired} healthy pods and has {current} currently"
        )));
    }
    let mut granted = budget.clone();
    granted.set(&["status", "disruptionsAllowed"], json!(allowed - 1));
    granted.set(&["status", "disruptedPods", pod], json!(now));
    Ok(granted)
}

fn too_many(cause: &str) -> Status {
    let mut status = Status::new(Reason::TooManyRequests, REFUSAL);
    status.details = json!({"causes": [{"reason": "DisruptionBudget", "message": cause}]});
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(status: &Value) -> Value {
        json!({"metadata": {"name": "web", "namespace": "dev", "generation": 2}, "status": status})
    }

    #[test]
    fn an_eviction_is_granted_once_per_allowed_disruption() {
        let status = json!({"observedGeneration": 2, "disruptionsAllowed": 1});
        let granted = grant(&budget(&status), "a", "2018-10-11T12:00:00Z").unwrap();
        assert_eq!(granted["status"]["disruptionsAllowed"], 0);
        assert_eq!(granted["status"]["disruptedPods"]["a"], "2018-10-11T12:00:00Z");
        let refused = grant(&granted, "b", "2018-10-11T12:00:00Z").unwrap_err();
        assert_eq!((refused.code, refused.message.as_str()), (429, REFUSAL));
    }

    #[test]
    fn a_refusal_says_what_the_budget_needs() {
        let cause = |status: Value| {
            let refused = grant(&budget(&status), "a", "").unwrap_err();
            refused.details["causes"][0]["message"].as_str().unwrap_or_default().to_owned()
        };
        let status = json!({"observedGeneration": 2, "disruptionsAllowed": 0, "desiredHealthy": 3,
            "currentHealthy": 2});
        assert_eq!(
            cause(status),
            "The disruption budget web needs 3 healthy pods and has 2 currently"
        );
        assert_eq!(
            cause(json!({"observedGeneration": 1, "disruptionsAllowed": 5})),
            "The disruption budget web is still being processed by the server."
        );
    }
}
