//! What the other kinds wait for: stateful sets, daemon sets, jobs, cron jobs, claims, autoscalers,
//! disruption budgets.
//!
//! Invariant: one function a kind, of the facts and the object alone.

use api::cron::Schedule;
use api::views::pod::{condition, is_ready, is_terminating};
use api::views::workload::{observed_generation, ready_replicas, replicas};
use api::{JOBS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES};
use apimachinery::{ObjectExt as _, Value};
use controllers::stateful_set::pod as member;

use crate::facts::{Facts, are, count, duration, title};
use crate::finding::Finding;
use crate::{pod, replicas as sets};

/// How a `StatefulSet` stands.
#[must_use]
pub fn stateful_set(facts: &Facts, set: &Value) -> Finding {
    let object = title(set);
    if let Some(finding) = sets::deleted(set) {
        return finding;
    }
    let (wanted, ready) = (replicas(set), ready_replicas(set));
    let mut pods: Vec<&Value> = facts.owned(&PODS, set).map(|pod| &**pod).collect();
    pods.sort_by_key(|pod| member::ordinal(pod));
    let parallel = set.str_at(&["spec", "podManagementPolicy"]) == "Parallel";
    let bad = pods.iter().filter(|pod| is_terminating(pod) || !is_ready(pod));
    let there = i64::try_from(pods.len()).unwrap_or(i64::MAX);
    if there != wanted || ready < wanted {
        let says =
            format!("{ready} of {} {} ready, {there} there", count(wanted, "pod"), are(wanted));
        let mut finding = Finding::waiting(object, says);
        if !parallel {
            finding = finding.rule(
                "OrderedReady: a pod is made when every pod with a lower number is ready, and goes \
                 when every pod with a higher number is gone",
            );
        }
        if there < wanted
            && bad.clone().next().is_none()
            && let Some(event) = facts.told(set, &["FailedCreate"])
        {
            let text = event.str_at(&["message"]);
            let refused =
                Finding::held(title(set), format!("a pod or its claim is refused: {text}"));
            return sets::refused(refused, text);
        }
        return finding.because(pod::unsettled(facts, bad.copied()));
    }
    let status = |field: &str| set.str_at(&["status", field]);
    if status("updateRevision") != status("currentRevision") {
        return updating(facts, set, &pods);
    }
    Finding::settled(object, format!("all {wanted} pods are ready"))
}

fn updating(facts: &Facts, set: &Value, pods: &[&Value]) -> Finding {
    let update = set.str_at(&["status", "updateRevision"]);
    let old: Vec<&Value> =
        pods.iter().filter(|pod| member::revision(pod) != update).copied().collect();
    let names: Vec<&str> = old.iter().map(|pod| pod.name()).collect();
    let says = format!("of the old template: {}", names.join(", "));
    if set.str_at(&["spec", "updateStrategy", "type"]) == "OnDelete" {
        return Finding::held(title(set), says)
            .rule("OnDelete: a pod gets the new template when someone deletes it")
            .help(format!("kubectl -n {} delete pod {}", set.namespace(), names.join(" ")));
    }
    let partition =
        set.int_at(&["spec", "updateStrategy", "rollingUpdate", "partition"]).unwrap_or(0);
    if partition > 0 && old.iter().all(|pod| member::ordinal(pod) < partition) {
        return Finding::held(title(set), says)
            .rule(format!(
                "Pods with a number below the partition ({partition}) keep the old template"
            ))
            .help("Lower spec.updateStrategy.rollingUpdate.partition");
    }
    Finding::waiting(title(set), says)
        .rule("RollingUpdate: pods are replaced one by one from the highest number, each when those before it are ready")
        .because(pod::unsettled(facts, pods.iter().copied()))
}

/// How a `DaemonSet` stands.
#[must_use]
pub fn daemon_set(facts: &Facts, set: &Value) -> Finding {
    let object = title(set);
    if let Some(finding) = sets::deleted(set) {
        return finding;
    }
    let refused = || {
        let text = facts.told(set, &["FailedCreate"])?.str_at(&["message"]);
        let finding = Finding::held(title(set), format!("a pod is refused: {text}"));
        Some(sets::refused(finding, text))
    };
    if observed_generation(set) < set.generation() {
        // A controller whose pods are refused does not come to the status.
        let unseen = || Finding::waiting(object, "its last change has not been looked at yet");
        return refused().unwrap_or_else(unseen);
    }
    let number = |field: &str| set.int_at(&["status", field]).unwrap_or(0);
    let (wanted, there) = (number("desiredNumberScheduled"), number("currentNumberScheduled"));
    let (ready, updated) = (number("numberReady"), number("updatedNumberScheduled"));
    let pods: Vec<&Value> = facts.owned(&PODS, set).map(|pod| &**pod).collect();
    if wanted == 0 {
        return Finding::held(object, "no node is to run its pod")
            .rule("A daemon set runs on the nodes whose labels its nodeSelector names and whose taints it tolerates")
            .help("See what nodes have: kubectl get nodes --show-labels");
    }
    if there < wanted
        && let Some(refused) = refused()
    {
        return refused;
    }
    if there < wanted || ready < wanted {
        let says = format!("{ready} of {wanted} nodes have its pod ready, {there} have one");
        let mut finding = Finding::waiting(object, says);
        if updated < wanted {
            let most = set.at(&["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"]);
            let most = most.map_or_else(|| "1".to_owned(), ToString::to_string);
            finding = finding.rule(format!(
                "An old pod goes only while at most {most} may be unavailable (maxUnavailable)"
            ));
        }
        return finding.because(pod::unsettled(facts, pods));
    }
    if updated < wanted {
        let says = format!("{updated} of {wanted} nodes have the new template");
        if set.str_at(&["spec", "updateStrategy", "type"]) == "OnDelete" {
            return Finding::held(object, says)
                .rule("OnDelete: a pod gets the new template when someone deletes it");
        }
        return Finding::waiting(object, says).because(pod::unsettled(facts, pods));
    }
    Finding::settled(object, format!("all {wanted} nodes have its pod, ready"))
}

/// What a job's failures come to.
fn retries(job: &Value) -> String {
    let limit = job.int_at(&["spec", "backoffLimit"]).unwrap_or(6);
    if job.str_at(&["spec", "template", "spec", "restartPolicy"]) == "OnFailure" {
        let times = count(limit, "time");
        return format!(
            "With restartPolicy OnFailure a job fails when its containers have been started again \
             {times} (backoffLimit)"
        );
    }
    format!(
        "Each failed pod uses up two retries (backoffLimit {limit}); the first to fail when none is \
         left fails the job"
    )
}

/// How a Job stands.
#[must_use]
pub fn job(facts: &Facts, job: &Value) -> Finding {
    let object = title(job);
    if let Some(finding) = sets::deleted(job) {
        return finding;
    }
    let ended = |kind: &str| condition(job, kind).filter(|it| it.str_at(&["status"]) == "True");
    let number = |field: &str| job.int_at(&["status", field]).unwrap_or(0);
    let (succeeded, failures) = (number("succeeded"), number("failed"));
    let pods = facts.owned(&PODS, job).map(|pod| &**pod);
    if ended("Complete").is_some() {
        return Finding::settled(
            object,
            format!("complete: {} ended well", count(succeeded, "pod")),
        );
    }
    if let Some(end) = ended("Failed") {
        let text = |field: &str| end.str_at(&[field]);
        let says = format!("{}: {}", text("reason"), text("message"));
        let rule = match (text("reason"), job.int_at(&["spec", "activeDeadlineSeconds"])) {
            ("DeadlineExceeded", Some(seconds)) => {
                format!("A job may run for {seconds} s (activeDeadlineSeconds)")
            }
            _ => retries(job),
        };
        return Finding::failed(object, says)
            .rule(rule)
            .help("A job that has failed is not tried again: delete it, mend it and make it anew")
            .because(pod::unsettled(facts, pods));
    }
    if job.bool_at(&["spec", "suspend"]) {
        return Finding::held(object, "it is suspended")
            .rule("While spec.suspend is true a job has no pods")
            .help(format!(
                "kubectl -n {} patch job {} -p '{{\"spec\":{{\"suspend\":false}}}}'",
                job.namespace(),
                job.name()
            ));
    }
    let active = number("active");
    if active == 0
        && let Some(event) = facts.told(job, &["FailedCreate"])
    {
        let text = event.str_at(&["message"]);
        return sets::refused(Finding::held(object, format!("a pod is refused: {text}")), text);
    }
    let wanted = job.int_at(&["spec", "completions"]).unwrap_or(1);
    let says = format!(
        "{succeeded} of {} ended well, {active} {} running, {failures} failed",
        count(wanted, "pod"),
        are(active)
    );
    let mut finding = Finding::waiting(object, says);
    if failures > 0 {
        finding = finding.rule(retries(job));
        if active == 0 {
            finding = finding.rule(
                "After a failed pod the next one waits 10 s, then 20 s, 40 s and so on, at most \
                 6 min",
            );
        }
    }
    finding.because(pod::unsettled(facts, pods))
}

/// How a `CronJob` stands.
#[must_use]
pub fn cron_job(facts: &Facts, cron: &Value) -> Finding {
    let object = title(cron);
    let (text, zone) = (cron.str_at(&["spec", "schedule"]), cron.str_at(&["spec", "timeZone"]));
    let schedule = match Schedule::parse(text, zone) {
        Ok(schedule) => schedule,
        Err(error) => {
            return Finding::failed(
                object,
                format!("its schedule {text:?} cannot be read: {error}"),
            );
        }
    };
    if cron.bool_at(&["spec", "suspend"]) {
        return Finding::held(object, "it is suspended")
            .rule("While spec.suspend is true a cron job starts no jobs");
    }
    let next = schedule.next(facts.now).map(|next| {
        format!("{} (in {})", next.rfc3339(), duration(next.since(facts.now).as_secs()))
    });
    let next = next.unwrap_or_else(|| "never".to_owned());
    let active: Vec<&Value> = cron
        .list_at(&["status", "active"])
        .iter()
        .filter_map(|held| facts.find(&JOBS, held.str_at(&["name"])).map(|job| &**job))
        .collect();
    if active.is_empty() {
        let last = cron.str_at(&["status", "lastScheduleTime"]);
        let last =
            facts.ago(last).map(|ago| format!("; the last was {ago} ago")).unwrap_or_default();
        return Finding::settled(object, format!("its next job is due at {next}{last}"));
    }
    let policy = match cron.str_at(&["spec", "concurrencyPolicy"]) {
        "Forbid" => "Forbid: while a job runs, times that come up are left out",
        "Replace" => "Replace: when the next time comes, a job that still runs is deleted",
        _ => "Allow: jobs may run beside each other",
    };
    let says = format!(
        "{} {} running; the next is due at {next}",
        count(i64::try_from(active.len()).unwrap_or(0), "job"),
        are(i64::try_from(active.len()).unwrap_or(0))
    );
    let below: Vec<Finding> = active.iter().map(|of| job(facts, of)).collect();
    Finding::waiting(object, says).rule(policy).because(below)
}

/// How a `PersistentVolumeClaim` stands.
#[must_use]
pub fn claim(facts: &Facts, claim: &Value) -> Finding {
    let object = title(claim);
    if claim.deletion_timestamp().is_some() {
        return Finding::waiting(object, "it is being deleted, and some pod still uses it")
            .rule("A claim goes when no pod uses it any more (kubernetes.io/pvc-protection)");
    }
    let volume = claim.str_at(&["spec", "volumeName"]);
    match claim.str_at(&["status", "phase"]) {
        "Bound" => return Finding::settled(object, format!("it is bound to {volume}")),
        "Lost" => return Finding::failed(object, format!("its volume {volume} is gone")),
        _ => {}
    }
    let class = controllers::persistent_volume::matching::class_of(claim);
    let size = claim.str_at(&["spec", "resources", "requests", "storage"]);
    let found = facts.all(&PERSISTENT_VOLUMES).iter().filter_map(|volume| {
        let mismatch = controllers::persistent_volume::matching::mismatch(volume, claim);
        // Of those that others have only one that would do is worth a word.
        let taken = volume.at(&["spec", "claimRef"]).is_some();
        let why = if taken { mismatch.is_none().then_some("it is taken") } else { mismatch };
        Some(format!("{}: {}", volume.name(), why?))
    });
    let volumes: Vec<String> = found.take(3).collect();
    let told = facts
        .told(
            claim,
            &[
                "ProvisioningFailed",
                "FailedBinding",
                "WaitForFirstConsumer",
                "ExternalProvisioning",
            ],
        )
        .map(|event| event.str_at(&["message"]))
        .unwrap_or_default();
    let of = facts.find(&STORAGE_CLASSES, class);
    if of.is_some_and(|it| it.str_at(&["volumeBindingMode"]) == "WaitForFirstConsumer")
        && claim.annotation("volume.kubernetes.io/selected-node").is_none()
    {
        return Finding::waiting(object, "it waits for a pod that uses it")
            .rule(format!("Storage class {class:?} chooses volumes where the first pod is placed (WaitForFirstConsumer)"));
    }
    let says = if told.is_empty() {
        format!("no volume of {size} is bound to it")
    } else {
        told.to_owned()
    };
    let finding = Finding::held(object, says)
        .rule("A claim gets a free volume of its class and access mode that is large enough, or one that its storage class makes");
    let finding = if class.is_empty() || of.is_some() {
        finding.help("Make a PersistentVolume that fits, or a storage class that makes volumes")
    } else {
        finding.help(format!("There is no storage class {class:?}: make it, or name another"))
    };
    volumes
        .into_iter()
        .fold(finding, |finding, text| finding.rule(format!("Not this volume: {text}")))
}

/// How a `HorizontalPodAutoscaler` stands.
#[must_use]
pub fn autoscaler(_: &Facts, hpa: &Value) -> Finding {
    let object = title(hpa);
    let target = format!(
        "{}/{}",
        hpa.str_at(&["spec", "scaleTargetRef", "kind"]).to_lowercase(),
        hpa.str_at(&["spec", "scaleTargetRef", "name"])
    );
    let number = |path: &[&str]| hpa.int_at(path).unwrap_or(0);
    let (now, wanted) =
        (number(&["status", "currentReplicas"]), number(&["status", "desiredReplicas"]));
    let bad = |kind: &str| condition(hpa, kind).filter(|it| it.str_at(&["status"]) == "False");
    for (kind, rule) in [
        ("AbleToScale", "An autoscaler must be able to read and set its target's size"),
        (
            "ScalingActive",
            "An autoscaler needs figures of its target's pods, which must request what is measured",
        ),
    ] {
        if let Some(told) = bad(kind) {
            let says = format!("{}: {}", told.str_at(&["reason"]), told.str_at(&["message"]));
            return Finding::held(object, says).rule(rule);
        }
    }
    let limited = condition(hpa, "ScalingLimited").filter(|it| it.str_at(&["status"]) == "True");
    let says = format!("{target} has {}, {wanted} wanted", count(now, "pod"));
    let rule = format!(
        "Between {} and {} pods (minReplicas, maxReplicas)",
        hpa.int_at(&["spec", "minReplicas"]).unwrap_or(1),
        number(&["spec", "maxReplicas"])
    );
    match limited {
        Some(told) => {
            Finding::waiting(object, format!("{says}: {}", told.str_at(&["message"]))).rule(rule)
        }
        None if condition(hpa, "ScalingActive").is_none() => {
            Finding::waiting(object, "it has not been looked at yet")
        }
        None => Finding::settled(object, says).rule(rule),
    }
}

/// How a `PodDisruptionBudget` stands.
#[must_use]
pub fn budget(facts: &Facts, budget: &Value) -> Finding {
    let number = |field: &str| budget.int_at(&["status", field]).unwrap_or(0);
    let (allowed, healthy) = (number("disruptionsAllowed"), number("currentHealthy"));
    let (needed, expected) = (number("desiredHealthy"), number("expectedPods"));
    let says = format!(
        "{healthy} of {} {} healthy, at least {needed} must stay: {} may be evicted",
        count(expected, "pod"),
        are(healthy),
        allowed
    );
    if allowed > 0 {
        return Finding::settled(title(budget), says);
    }
    let selector = budget.at(&["spec", "selector"]).cloned().unwrap_or_default();
    let selector = apimachinery::selector::LabelSelector::from_json(&selector).ok();
    let own = facts
        .all(&PODS)
        .iter()
        .filter(|pod| selector.as_ref().is_some_and(|selector| selector.matches_object(pod)));
    Finding::waiting(title(budget), says)
        .rule("An eviction (kubectl drain) is refused while it would leave fewer healthy pods than the budget wants")
        .help("Let more pods become ready, add replicas, or make the budget anew with less: kubectl replace --force")
        .because(pod::unsettled(facts, own.map(|pod| &**pod)))
}
