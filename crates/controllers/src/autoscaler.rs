//! The controller of `HorizontalPodAutoscaler`s: as many pods as their load asks for.
//!
//! Every 30 seconds the load of the target's pods is compared with the metrics of the spec
//! ([`replicas`]), the wish is bounded ([`bounds`]), and when it differs from what is there and the
//! last change is long enough ago, it is written through the target's `scale`.
//!
//! Invariant: an autoscaler whose figures do not change writes nothing.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/podautoscaler` of 1.11.
//! Deviation: there are no custom or external metrics; such a metric fails as it does in a cluster
//! without an adapter.

pub mod bounds;
mod observe;
pub mod replicas;
mod status;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api::HORIZONTAL_POD_AUTOSCALERS;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, EventType, Key, Requeue, Watching,
};
use cri::PodMetrics;
use world::Time;

use self::bounds::{Backoff, Windows};
use self::observe::{Scaled, scaled};
use self::replicas::Proposal;
use self::status::Draft;

const COMPONENT: &str = "horizontal-pod-autoscaler";

const PERIOD: Duration = Duration::from_secs(30);

/// Scales what each `HorizontalPodAutoscaler` names.
pub struct Autoscaler {
    metrics: Arc<dyn PodMetrics>,
    windows: Windows,
    /// When each autoscaler is looked at next; a change of its spec does not hasten it.
    due: BTreeMap<Key, Time>,
}

impl fmt::Debug for Autoscaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Autoscaler").field("windows", &self.windows).finish_non_exhaustive()
    }
}

impl Autoscaler {
    /// A controller that reads the load of pods from `metrics`.
    #[must_use]
    pub fn new(metrics: Arc<dyn PodMetrics>) -> Self {
        Self { metrics, windows: Windows::default(), due: BTreeMap::new() }
    }
}

/// One sync: what the status becomes and what is told meanwhile.
struct Sync<'a, 'b> {
    cx: &'a mut Context<'b>,
    hpa: &'a Value,
    draft: Draft,
    now: Time,
}

/// A wish for a number of replicas.
struct Wish {
    replicas: i64,
    reason: String,
    rescale: bool,
    metrics: Vec<Value>,
}

impl Controller for Autoscaler {
    fn name(&self) -> &'static str {
        COMPONENT
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(&HORIZONTAL_POD_AUTOSCALERS, changed_spec),
            Watching::reading(&api::PODS),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(hpa) = cx.caches.get_key(&HORIZONTAL_POD_AUTOSCALERS, key) else {
            self.due.remove(key);
            return Ok(Requeue::Done);
        };
        let now = cx.world.now();
        let due = self.due.entry(key.clone()).or_insert(now + PERIOD);
        if *due > now {
            return Ok(Requeue::After(due.since(now)));
        }
        *due = now + PERIOD;
        let mut sync = Sync { cx, hpa: &hpa, draft: Draft::of(&hpa, now), now };
        // A failure has been told of and stands in the conditions; it is tried again in time.
        drop(sync.run(&*self.metrics, self.windows));
        let Sync { cx, draft, .. } = sync;
        let status = draft.finish();
        if hpa.at(&["status"]) != Some(&status) {
            let mut updated = (*hpa).clone();
            updated.set(&["status"], status);
            cx.client.update_status(&HORIZONTAL_POD_AUTOSCALERS, updated)?;
        }
        Ok(Requeue::After(PERIOD))
    }
}

/// Creations and changes of the spec; the status is written from here.
fn changed_spec(_: &Caches, change: &Change) -> Vec<Key> {
    let spec = |object: &Option<Arc<Value>>| {
        object.as_ref().map(|object| (object.uid().to_owned(), object["spec"].clone()))
    };
    if spec(&change.old) == spec(&change.new) { Vec::new() } else { vec![change.key()] }
}

impl Sync<'_, '_> {
    fn warn(&mut self, reason: &str, message: &str) {
        self.cx.recorder.event(COMPONENT, self.hpa, EventType::Warning, reason, message);
    }

    fn run(&mut self, metrics: &dyn PodMetrics, windows: Windows) -> Result<(), String> {
        let target = match scaled(self.cx, self.hpa) {
            Ok(target) => target,
            Err(why) => {
                self.warn("FailedGetScale", &why);
                let text = format!(
                    "the HPA controller was unable to get the target's current scale: {why}"
                );
                self.draft.condition("AbleToScale", false, "FailedGetScale", &text);
                return Err(why);
            }
        };
        let text = "the HPA controller was able to get the target's current scale";
        self.draft.condition("AbleToScale", true, "SucceededGetScale", text);
        self.draft.current(target.current);
        let mut wish = self.wish(&target, metrics, windows)?;
        if wish.rescale {
            self.rescale(&target, &wish)?;
        } else {
            wish.replicas = target.current;
        }
        self.draft.scaled(wish.replicas, wish.metrics, wish.rescale);
        Ok(())
    }

    /// How many replicas there should be.
    fn wish(
        &mut self,
        target: &Scaled,
        metrics: &dyn PodMetrics,
        windows: Windows,
    ) -> Result<Wish, String> {
        let spec = &self.hpa["spec"];
        let most = spec.int_at(&["maxReplicas"]).unwrap_or(0);
        let least = spec.int_at(&["minReplicas"]);
        let wish = |replicas, reason: &str| Wish {
            replicas,
            reason: reason.to_owned(),
            rescale: true,
            metrics: Vec::new(),
        };
        if target.wanted == 0 {
            let text = "scaling is disabled since the replica count of the target is zero";
            self.draft.condition("ScalingActive", false, "ScalingDisabled", text);
            return Ok(Wish { rescale: false, ..wish(0, "") });
        }
        if target.current > most {
            return Ok(wish(most, "Current number of replicas above Spec.MaxReplicas"));
        }
        if let Some(least) = least.filter(|least| target.current < *least) {
            return Ok(wish(least, "Current number of replicas below Spec.MinReplicas"));
        }
        if target.current == 0 {
            return Ok(wish(1, "Current number of replicas must be greater than 0"));
        }
        let computed = self.compute(target, metrics);
        let (proposal, name, statuses) = computed.inspect_err(|why| {
            self.cx.recorder.event(
                COMPONENT,
                self.hpa,
                EventType::Warning,
                "FailedComputeMetricsReplicas",
                why,
            );
        })?;
        let reason = match proposal.cmp(&target.current) {
            std::cmp::Ordering::Greater => format!("{name} above target"),
            std::cmp::Ordering::Less => "All metrics below target".to_owned(),
            std::cmp::Ordering::Equal => String::new(),
        };
        let bounded = bounds::bound(target.current, proposal, least.unwrap_or(0), most);
        let limited = bounded.replicas != proposal;
        self.draft.condition("ScalingLimited", limited, bounded.condition, bounded.reason);
        let rescale = self.may_rescale(target.current, bounded.replicas, windows);
        Ok(Wish { replicas: bounded.replicas, reason, rescale, metrics: statuses })
    }

    /// Whether the windows since the last change allow this one; told as a condition.
    fn may_rescale(&mut self, current: i64, desired: i64, windows: Windows) -> bool {
        let last = self.hpa.str_at(&["status", "lastScaleTime"]);
        let backoff = Backoff::since(Time::parse_rfc3339(last), self.now, windows);
        let (able, reason, text) = backoff.condition();
        self.draft.condition("AbleToScale", able, reason, text);
        backoff.allows(current, desired)
    }

    fn rescale(&mut self, target: &Scaled, wish: &Wish) -> Result<(), String> {
        let Wish { replicas, reason, .. } = wish;
        let result = self.cx.client.update_scale(
            target.resource,
            self.hpa.namespace(),
            &target.name,
            *replicas,
        );
        if let Err(status) = result {
            let text = format!("New size: {replicas}; reason: {reason}; error: {status}");
            self.warn("FailedRescale", &text);
            let text =
                format!("the HPA controller was unable to update the target scale: {status}");
            self.draft.condition("AbleToScale", false, "FailedUpdateScale", &text);
            return Err(text);
        }
        let text = format!("the HPA controller was able to update the target scale to {replicas}");
        self.draft.condition("AbleToScale", true, "SucceededRescale", &text);
        let text = format!("New size: {replicas}; reason: {reason}");
        self.cx.recorder.event(COMPONENT, self.hpa, EventType::Normal, "SuccessfulRescale", &text);
        Ok(())
    }

    /// The most that any metric asks for, the name of that metric, and what all of them say.
    fn compute(
        &mut self,
        target: &Scaled,
        metrics: &dyn PodMetrics,
    ) -> Result<(i64, String, Vec<Value>), String> {
        if target.selector.is_empty() {
            self.warn("SelectorRequired", "selector is required");
            let text = "the HPA target's scale is missing a selector";
            self.draft.condition("ScalingActive", false, "InvalidSelector", text);
            return Err("selector is required".to_owned());
        }
        let selector = LabelSelector::parse(&target.selector).map_err(|error| {
            let text = format!(
                "couldn't convert selector into a corresponding internal selector object: {error}"
            );
            self.draft.condition("ScalingActive", false, "InvalidSelector", &text);
            text
        })?;
        let mut best: Option<(i64, String)> = None;
        let mut statuses = Vec::new();
        for metric in self.hpa.list_at(&["spec", "metrics"]) {
            let measured = self.measure(metric, target, &selector, metrics);
            let (proposal, name) = match measured {
                Ok(measured) => measured,
                Err(failure) => {
                    self.warn(failure.reason, &failure.why);
                    let text =
                        format!("the HPA was unable to compute the replica count: {}", failure.why);
                    self.draft.condition("ScalingActive", false, failure.reason, &text);
                    return Err(failure.told());
                }
            };
            statuses.push(status::metric(metric, &proposal));
            if best.as_ref().is_none_or(|(most, _)| proposal.replicas > *most) {
                best = Some((proposal.replicas, name));
            }
        }
        let (replicas, name) = best.unwrap_or_default();
        let text =
            format!("the HPA was able to successfully calculate a replica count from {name}");
        self.draft.condition("ScalingActive", true, "ValidMetricFound", &text);
        Ok((replicas, name, statuses))
    }

    fn measure(
        &self,
        metric: &Value,
        target: &Scaled,
        selector: &LabelSelector,
        metrics: &dyn PodMetrics,
    ) -> Result<(Proposal, String), Failure> {
        if metric.str_at(&["type"]) != "Resource" {
            return Err(Failure::without_adapter(metric));
        }
        let resource = metric.str_at(&["resource", "name"]);
        let failed = |why: String| Failure {
            reason: "FailedGetResourceMetric",
            prefix: format!("failed to get {resource} utilization"),
            why,
        };
        let pods = self.cx.caches.selected(&api::PODS, self.hpa.namespace(), selector);
        let samples = observe::samples(&pods, resource, metrics);
        let goal = &metric["resource"]["target"];
        if let Some(average) = goal.get("averageValue").filter(|value| !value.is_null()) {
            let average = apimachinery::quantity::Quantity::from_json(average)
                .map_err(|error| failed(error.to_string()))?;
            let proposal =
                replicas::by_value(&samples, resource, target.current, average.milli_value());
            return Ok((proposal.map_err(failed)?, format!("{resource} resource")));
        }
        let Some(percent) = goal.int_at(&["averageUtilization"]) else {
            let why = "invalid resource metric source: neither a utilization target nor a value \
                       target was set";
            return Err(failed(why.to_owned()));
        };
        let proposal = replicas::by_utilization(&samples, resource, target.current, percent);
        let name = format!("{resource} resource utilization (percentage of request)");
        Ok((proposal.map_err(failed)?, name))
    }
}

/// Why a metric gave no number.
struct Failure {
    reason: &'static str,
    prefix: String,
    why: String,
}

impl Failure {
    /// What a cluster without an adapter for custom metrics says.
    fn without_adapter(metric: &Value) -> Self {
        let (reason, prefix, api) = match metric.str_at(&["type"]) {
            "Pods" => ("FailedGetPodsMetric", "failed to get pods metric value", "custom"),
            "Object" => ("FailedGetObjectMetric", "failed to get object metric value", "custom"),
            "External" => {
                ("FailedGetExternalMetric", "failed to get external metric value", "external")
            }
            other => {
                let why = format!("unknown metric source type \"{other}\"");
                return Self { reason: "InvalidMetricSourceType", prefix: why.clone(), why };
            }
        };
        let why = format!(
            "unable to get metric: unable to fetch metrics from {api} metrics API: no {api} \
             metrics API ({api}.metrics.k8s.io) registered"
        );
        Self { reason, prefix: prefix.to_owned(), why }
    }

    fn told(&self) -> String {
        if self.prefix == self.why {
            return self.why.clone();
        }
        format!("{}: {}", self.prefix, self.why)
    }
}
