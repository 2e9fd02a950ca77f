//! The controller of `PodDisruptionBudget`s: how many pods may be evicted now.
//!
//! Invariant: a pod whose eviction was granted counts as not healthy until it is gone, or until two
//! minutes have passed and it is still there.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/disruption`.
//! Deviation: a budget follows its controllers' scale at once, not at the next change of a pod; an
//! empty selector selects every pod of the namespace, as `policy/v1` has it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::views::pod::is_ready;
use api::{
    DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, Resource,
    STATEFUL_SETS,
};
use apimachinery::int_or_string;
use apimachinery::selector::LabelSelector;
use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching, same_key,
};
use world::Time;

const COMPONENT: &str = "controllermanager";

/// How long a granted eviction is believed in.
const DELETION_TIMEOUT: Duration = Duration::from_secs(2 * 60);

/// Kinds whose scale says how many pods there should be.
const SCALED: [&Resource; 4] =
    [&REPLICATION_CONTROLLERS, &REPLICA_SETS, &DEPLOYMENTS, &STATEFUL_SETS];

/// Keeps the status of each `PodDisruptionBudget`.
#[derive(Debug, Default)]
pub struct Disruption;

/// What a decision is made from.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The budget.
    pub budget: &'a Value,
    /// The pods that it selects.
    pub pods: &'a [Arc<Value>],
    /// How many pods the controllers of `pods` want together, or the name of a pod without one.
    pub scale: Result<i64, String>,
    /// The present.
    pub now: Time,
}

/// What becomes of a budget.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// The status to be.
    pub status: Value,
    /// Warnings and notes about the budget: type, reason and message.
    pub notes: Vec<(EventType, &'static str, String)>,
    /// Names of pods whose eviction was granted and that are still there.
    pub overdue: Vec<String>,
    /// When to look again.
    pub recheck: Option<Duration>,
}

impl Controller for Disruption {
    fn name(&self) -> &'static str {
        "disruption"
    }

    fn watches(&self) -> Vec<Watching> {
        let scaled = SCALED.map(|resource| Watching::new(resource, budgets_of_scaled));
        let own = [
            Watching::new(&POD_DISRUPTION_BUDGETS, same_key),
            Watching::new(&PODS, budgets_of_pod),
        ];
        own.into_iter().chain(scaled).collect()
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(budget) = cx.caches.get_key(&POD_DISRUPTION_BUDGETS, key) else {
            return Ok(Requeue::Done);
        };
        let pods = selected(cx.caches, &budget);
        let scale = scale(cx.caches, &pods);
        let plan = plan(&Observed { budget: &budget, pods: &pods, scale, now: cx.world.now() });
        for (kind, reason, message) in &plan.notes {
            cx.recorder.event(COMPONENT, &budget, *kind, reason, message);
        }
        for pod in pods.iter().filter(|pod| plan.overdue.iter().any(|name| name == pod.name())) {
            let message = format!("Pod was expected by PDB {key} to be deleted but it wasn't");
            cx.recorder.event(COMPONENT, pod, EventType::Warning, "NotDeleted", &message);
        }
        if budget.at(&["status"]) != Some(&plan.status) {
            let mut updated = (*budget).clone();
            updated.set(&["status"], plan.status);
            cx.client.update_status(&POD_DISRUPTION_BUDGETS, updated)?;
        }
        Ok(plan.recheck.map_or(Requeue::Done, Requeue::After))
    }
}

fn selector(budget: &Value) -> LabelSelector {
    match budget.at(&["spec", "selector"]) {
        Some(selector) if selector.is_object() => {
            LabelSelector::from_json(selector).unwrap_or_else(|_| LabelSelector::nothing())
        }
        _ => LabelSelector::nothing(),
    }
}

fn selected(caches: &Caches, budget: &Value) -> Vec<Arc<Value>> {
    caches.selected(&PODS, budget.namespace(), &selector(budget))
}

/// The budgets that select the pod now or did before.
fn budgets_of_pod(caches: &Caches, change: &Change) -> Vec<Key> {
    if let (Some(old), Some(new)) = (&change.old, &change.new)
        && facts(old) == facts(new)
    {
        return Vec::new();
    }
    let sides = [&change.old, &change.new].into_iter().flatten();
    let keys: BTreeSet<Key> = sides.flat_map(|pod| budgets_selecting(caches, pod)).collect();
    keys.into_iter().collect()
}

/// The budgets over the pods of a controller whose scale has changed.
fn budgets_of_scaled(caches: &Caches, change: &Change) -> Vec<Key> {
    let replicas = |object: &Option<Arc<Value>>| {
        object.as_ref().and_then(|object| object.int_at(&["spec", "replicas"]))
    };
    if replicas(&change.old) == replicas(&change.new) {
        return Vec::new();
    }
    let owner = change.object();
    let labels = owner.at(&["spec", "template", "metadata", "labels"]).cloned();
    let labels = labels.unwrap_or_default();
    budgets_selecting(
        caches,
        &json!({"metadata": {"namespace": owner.namespace(), "labels": labels}}),
    )
}

fn budgets_selecting(caches: &Caches, pod: &Value) -> Vec<Key> {
    let asked = caches.may_select(&POD_DISRUPTION_BUDGETS, pod).into_iter();
    let selecting = asked.filter(|budget| selector(budget).matches_object(pod));
    selecting.map(|budget| Key::of(&budget)).collect()
}

/// Everything about a pod that a budget depends on.
fn facts(pod: &Value) -> impl PartialEq + use<'_> {
    (pod.uid(), pod.labels(), is_ready(pod), pod.deletion_timestamp(), pod.owner_references())
}

/// How many pods the controllers of `pods` want; the name of the first pod without a controller that
/// can say.
fn scale(caches: &Caches, pods: &[Arc<Value>]) -> Result<i64, String> {
    let mut seen = BTreeSet::new();
    let mut total = 0;
    for pod in pods {
        let (uid, replicas) = controller_of(caches, pod).ok_or_else(|| pod.name().to_owned())?;
        if seen.insert(uid) {
            total += replicas;
        }
    }
    Ok(total)
}

/// Uid and wanted replicas of what controls the pod; of the deployment where there is one.
fn controller_of(caches: &Caches, object: &Value) -> Option<(String, i64)> {
    let owner = object.controller_ref()?;
    let resource = SCALED.into_iter().find(|resource| {
        let group = owner.api_version().split_once('/').map_or("", |(group, _)| group);
        resource.kind == owner.kind() && (resource.group == group || group == "extensions")
    })?;
    let found = caches.get(resource, object.namespace(), owner.str_at(&["name"]))?;
    if found.uid() != owner.str_at(&["uid"]) {
        return None;
    }
    let above = (resource.kind == REPLICA_SETS.kind).then(|| controller_of(caches, &found));
    let own = || (found.uid().to_owned(), found.int_at(&["spec", "replicas"]).unwrap_or(1));
    Some(above.flatten().unwrap_or_else(own))
}

/// The status that the observed pods give.
#[must_use]
pub fn plan(observed: &Observed<'_>) -> Plan {
    let Observed { budget, pods, now, .. } = observed;
    let mut notes = Vec::new();
    if pods.is_empty() {
        notes.push((EventType::Normal, "NoPods", "No matching pods found".to_owned()));
    }
    let granted = Granted::read(budget, pods, *now);
    let healthy = pods.iter().filter(|pod| {
        is_ready(pod)
            && pod.deletion_timestamp().is_none()
            && !granted.alive.contains_key(pod.name())
    });
    let healthy = i64::try_from(healthy.count()).unwrap_or(i64::MAX);
    let mut status = match expected(observed) {
        Ok((expected, desired)) => {
            let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
            json!({"currentHealthy": healthy, "desiredHealthy": desired, "expectedPods": expected,
                "disruptionsAllowed": allowed, "observedGeneration": budget.generation()})
        }
        Err(why) => {
            if let Err(pod) = &observed.scale {
                let message = format!("found no controllers for pod \"{pod}\"");
                notes.push((EventType::Warning, "NoControllers", message));
            }
            let message = format!("Failed to calculate the number of expected pods: {why}");
            notes.push((EventType::Warning, "CalculateExpectedPodCountFailed", message));
            let mut status = budget.at(&["status"]).cloned().unwrap_or_else(|| json!({}));
            for field in ["currentHealthy", "desiredHealthy", "expectedPods"] {
                let before = status.int_at(&[field]).unwrap_or(0);
                status.set(&[field], json!(before));
            }
            status.set(&["disruptionsAllowed"], json!(0));
            status
        }
    };
    if granted.alive.is_empty() {
        status.remove(&["disruptedPods"]);
    } else {
        status.set(&["disruptedPods"], Value::Object(granted.alive));
    }
    Plan { status, notes, overdue: granted.overdue, recheck: granted.recheck }
}

/// How many pods there should be, and how many of them healthy.
///
/// # Errors
/// The text of why that cannot be said.
fn expected(observed: &Observed<'_>) -> Result<(i64, i64), String> {
    let spec = &observed.budget["spec"];
    let scale = || {
        let scale = observed.scale.clone();
        scale.map_err(|pod| format!("found no controllers for pod \"{pod}\""))
    };
    let share = |value: &Value, scale: i64| {
        int_or_string::resolve(value, scale, true).map_err(|error| error.to_string())
    };
    let given = |field: &str| spec.get(field).filter(|value| !value.is_null());
    if let Some(most) = given("maxUnavailable") {
        let scale = scale()?;
        return Ok((scale, (scale - share(most, scale)?).max(0)));
    }
    match given("minAvailable") {
        Some(least) if least.is_number() => {
            let pods = i64::try_from(observed.pods.len()).unwrap_or(i64::MAX);
            Ok((pods, least.as_i64().unwrap_or(0)))
        }
        Some(least) => {
            let scale = scale()?;
            Ok((scale, share(least, scale)?))
        }
        None => Ok((0, 0)),
    }
}

/// The evictions that were granted.
#[derive(Debug, Default)]
struct Granted {
    /// Those that may still come true.
    alive: Map,
    overdue: Vec<String>,
    recheck: Option<Duration>,
}

impl Granted {
    fn read(budget: &Value, pods: &[Arc<Value>], now: Time) -> Self {
        let mut granted = Self::default();
        for (name, at) in budget.map_at(&["status", "disruptedPods"]).into_iter().flatten() {
            let stays =
                |pod: &&Arc<Value>| pod.name() == name && pod.deletion_timestamp().is_none();
            if !pods.iter().any(|pod| stays(&pod)) {
                continue;
            }
            let since = at.as_str().and_then(Time::parse_rfc3339).unwrap_or_default();
            let until = since + DELETION_TIMEOUT;
            if until < now {
                granted.overdue.push(name.to_string());
                continue;
            }
            // A second later it has surely passed.
            let wait = until.since(now) + Duration::from_secs(1);
            granted.recheck = Some(granted.recheck.map_or(wait, |other| other.min(wait)));
            granted.alive.insert(name.clone(), at.clone());
        }
        granted
    }
}

#[cfg(test)]
mod tests;
