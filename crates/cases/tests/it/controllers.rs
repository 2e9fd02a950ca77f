//! The controllers' rules.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apimachinery::selector::LabelSelector;
use apimachinery::{Value, json};
use controllers::autoscaler::bounds::{Growth, bound_growth};
use controllers::deployment::rules;
use controllers::{claim, endpoints, pod, pod_control, pod_gc, replica};
use world::Time;

use crate::harness::{Outcome, Row, Suites, same};

const UTILS: &str = "controllers/controller-utils.json";
const POD_GC: &str = "controllers/podgc.json";
const REPLICA_SET: &str = "controllers/replicaset-controller.json";
const AUTOSCALER: &str = "apimachinery/hpa-controller.json";
const ENDPOINTS: &str = "apimachinery/endpoint-controller.json";

/// Upstream's tests let an autoscaler grow to eight times the size.
const TEST_GROWTH: Growth = Growth { factor: 8, least: 4 };

pub(crate) fn register(suites: &mut Suites) {
    for (name, active) in
        [("TestActivePodFiltering.L324", true), ("TestActivePodFiltering.L334", true)]
    {
        suites.add(UTILS, name, move |row| same(&api::views::pod::is_active(row.input), &active));
    }
    suites.add(UTILS, "TestClaimPods.L164", claims);
    let before = RefCell::default();
    suites.add(UTILS, "TestSortingActivePods.L398", move |row| place_in_order(&before, row));
    suites.add(POD_GC, "TestGCTerminated.L114", ended_pods);
    suites.add(POD_GC, "TestGCUnscheduledTerminating.L258", unscheduled_pods);
    suites.add(REPLICA_SET, "calculateStatus", |row| {
        status(row.arg("rs"), row.arg("filteredPods"), row.arg("manageReplicasErr"), row.result(0))
    });
    suites.add(REPLICA_SET, "TestCalculateStatus.L141", |row| {
        let want = row.arg("expectedReplicaSetStatus");
        status(row.arg("replicaset"), row.arg("filteredPods"), &Value::Null, want)
    });
    suites.add(REPLICA_SET, "TestCalculateStatusConditions.L236", |row| {
        let (owner, pods) = (row.arg("replicaset"), list(row.arg("filteredPods")));
        let got = status_value(owner, &pods, row.arg("manageReplicasErr"));
        let want = list(row.arg("expectedReplicaSetConditions"));
        same(&without_times(&list(&got["conditions"])), &without_times(&want))
    });
    suites.add(REPLICA_SET, "TestGetPodsToDelete.L1572", |row| {
        let diff = usize::try_from(row.arg("diff").as_u64().expect("a number")).expect("small");
        let got: Vec<Value> = replica::to_delete(&list(row.arg("pods")), diff)
            .iter()
            .map(|pod| (**pod).clone())
            .collect();
        same(&got, &plain(row.arg("expectedPodsToDelete")))
    });
    suites.add(REPLICA_SET, "TestSlowStartBatch.L1424", slow_start);
    suites.add(AUTOSCALER, "calculateScaleUpLimit", |row| {
        same(&json!(TEST_GROWTH.limit(number(row.arg("currentReplicas")))), row.result(0))
    });
    suites.add(AUTOSCALER, "TestConvertDesiredReplicasWithRules.L2019", |row| {
        let [current, desired, least, most] =
            ["currentReplicas", "desiredReplicas", "hpaMinReplicas", "hpaMaxReplicas"]
                .map(|field| number(row.arg(field)));
        let got = bound_growth(current, desired, least, most, TEST_GROWTH);
        let want =
            (number(row.arg("expectedConvertedDesiredReplicas")), row.text("expectedCondition"));
        same(&(got.replicas, got.condition), &want)
    });
    suites.add(ENDPOINTS, "TestShouldPodBeInEndpoints.L949", |row| {
        same(&json!(endpoints::may_become_ready(row.arg("pod"))), row.arg("expected"))
    });
    deployment_rules(suites);
    deployment_steps(suites);
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

fn list(value: &Value) -> Vec<Arc<Value>> {
    value.as_array().into_iter().flatten().cloned().map(Arc::new).collect()
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn names(objects: &Value) -> BTreeSet<String> {
    objects.as_array().into_iter().flatten().map(name).collect()
}

fn claims(row: &Row<'_>) -> Outcome {
    let manager = &row.arg("manager")["BaseControllerRefManager"];
    let text: Vec<String> = manager["Selector"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|wanted| {
            format!(
                "{}={}",
                wanted["key"].as_str().unwrap_or_default(),
                wanted["strValues"][0].as_str().unwrap_or_default()
            )
        })
        .collect();
    let selector = LabelSelector::parse(&text.join(",")).expect("a selector");
    let got = claim::claim(&manager["Controller"], &selector, list(row.arg("pods")).into_iter());
    let owned: BTreeSet<String> = got.owned.iter().map(|pod| name(pod)).collect();
    same(&owned, &names(row.arg("claimed")))
}

/// The rows are pods in the order wanted: none comes before one of the rows before it.
fn place_in_order(before: &RefCell<Vec<Value>>, row: &Row<'_>) -> Outcome {
    let mut before = before.borrow_mut();
    let orders: Vec<Ordering> =
        before.iter().map(|other| pod::deletion_order(other, row.input)).collect();
    before.push(row.input.clone());
    same(&orders.contains(&Ordering::Greater), &false)
}

fn ended_pods(row: &Row<'_>) -> Outcome {
    let threshold = usize::try_from(number(row.arg("threshold"))).unwrap_or(0);
    let over = |pod: &&Value| matches!(pod["phase"].as_str(), Some("Failed" | "Succeeded"));
    let pods = row.arg("pods").as_array().expect("pods").iter().filter(over);
    let ended: Vec<String> =
        pods.map(|pod| pod["name"].as_str().unwrap_or_default().to_owned()).collect();
    let got: BTreeSet<String> =
        ended.iter().take(pod_gc::surplus(ended.len(), threshold)).cloned().collect();
    same(&got, &keys(row.arg("deletedPodNames")))
}

fn keys(map: &Value) -> BTreeSet<String> {
    map.as_object().into_iter().flatten().map(|(key, _)| key.to_string()).collect()
}

/// The recording lacks the times of deletion: upstream gives one to every pod, but not to the one
/// without a node that stays.
fn unscheduled_pods(row: &Row<'_>) -> Outcome {
    let want = keys(row.arg("deletedPodNames"));
    let lost = |pod: &&Value| {
        let stays = pod["nodeName"] == "" && want.is_empty();
        let deleted = if stays { Value::Null } else { json!("2018-10-11T12:00:00Z") };
        pod_gc::is_unscheduled_terminating(&json!({
            "metadata": {"deletionTimestamp": deleted},
            "spec": {"nodeName": pod["nodeName"]},
        }))
    };
    let pods = row.arg("pods").as_array().expect("pods").iter().filter(lost);
    let got: BTreeSet<String> =
        pods.map(|pod| pod["name"].as_str().unwrap_or_default().to_owned()).collect();
    same(&got, &want)
}

fn status_value(owner: &Value, pods: &[Arc<Value>], error: &Value) -> Value {
    let wanted = number(&owner["spec"]["replicas"]);
    let short = i64::try_from(pods.len()).expect("few") < wanted;
    let reason = if short { "FailedCreate" } else { "FailedDelete" };
    let failure = error["error"].as_str().map(|text| (reason, text));
    replica::status_of(owner, pods, failure, Time::from_unix_seconds(2_000_000_000))
}

fn without_times(conditions: &[Arc<Value>]) -> Vec<Value> {
    let plain = |condition: &Arc<Value>| {
        let mut condition = (**condition).clone();
        condition.as_object_mut().expect("a condition").remove("lastTransitionTime");
        condition
    };
    conditions.iter().map(plain).collect()
}

fn status(owner: &Value, pods: &Value, error: &Value, want: &Value) -> Outcome {
    let mut got = status_value(owner, &list(pods), error);
    let mut want = want.clone();
    // The generation that was seen is added by the caller upstream.
    for status in [&mut got, &mut want] {
        let status = status.as_object_mut().expect("a status");
        status.remove("observedGeneration");
        let conditions = status.remove("conditions").unwrap_or_default();
        let conditions = without_times(&list(&conditions));
        status.insert("conditions".to_owned(), json!(conditions));
    }
    same(&got, &want)
}

fn slow_start(row: &Row<'_>) -> Outcome {
    let [count, limit] = ["count", "callLimit"]
        .map(|field| usize::try_from(number(row.arg(field))).expect("not negative"));
    let mut calls = 0_i64;
    let (successes, failure) = pod_control::slow_start(count, || {
        calls += 1;
        if usize::try_from(calls).expect("few") > limit { Err("fake error") } else { Ok(()) }
    });
    let got = json!([calls, successes, failure]);
    same(
        &got,
        &json!([
            row.arg("expectedCallCnt"),
            row.arg("expectedSuccesses"),
            row.arg("expectedErr")["error"]
        ]),
    )
}

const RULES: &str = "controllers/deployment-util.json";

#[expect(clippy::too_many_lines, reason = "a flat table of functions")]
fn deployment_rules(suites: &mut Suites) {
    suites.add(RULES, "DeploymentComplete", |row| {
        let got = rules::is_complete(row.arg("deployment"), row.arg("newStatus"));
        same(&json!(got), row.result(0))
    });
    suites.add(RULES, "TestDeploymentComplete.L965", |row| {
        let d = row.arg("d");
        same(&json!(rules::is_complete(d, &d["status"])), row.arg("expected"))
    });
    suites.add(RULES, "DeploymentProgressing", |row| {
        let got = rules::is_progressing(&row.arg("deployment")["status"], row.arg("newStatus"));
        same(&json!(got), row.result(0))
    });
    suites.add(RULES, "TestDeploymentProgressing.L1060", |row| {
        let got = rules::is_progressing(&row.arg("d")["status"], row.arg("newStatus"));
        same(&json!(got), row.arg("expected"))
    });
    suites.add(RULES, "TestDeploymentTimedOut.L1133", |row| {
        let now = Time::parse_rfc3339("2016-01-01T00:01:20Z").expect("a time");
        same(&json!(rules::is_timed_out(row.arg("d"), now)), row.arg("expected"))
    });
    suites.add(RULES, "EqualIgnoreHash", |row| {
        let got = rules::same_template(row.arg("template1"), row.arg("template2"));
        same(&json!(got), row.result(0))
    });
    suites.add(RULES, "TestEqualIgnoreHash.L403", |row| {
        let got = rules::same_template(row.arg("former"), row.arg("latter"));
        same(&json!(got), row.arg("expected"))
    });
    suites.add(RULES, "FindNewReplicaSet", |row| {
        let got = rules::new_set(row.arg("deployment"), &plain(row.arg("rsList")));
        same(&got, &row.result(0).as_object().map(|_| name(row.result(0))))
    });
    suites.add(RULES, "TestFindNewReplicaSet.L472", |row| {
        let got = rules::new_set(row.arg("deployment"), &plain(row.arg("rsList")));
        let want = row.arg("expected");
        same(&got, &want.as_object().map(|_| name(want)))
    });
    suites.add(RULES, "FindOldReplicaSets", |row| {
        let (all, active) = rules::old_sets(row.arg("deployment"), &plain(row.arg("rsList")));
        let got = (active.into_iter().collect(), all.into_iter().collect());
        same::<(BTreeSet<String>, BTreeSet<String>)>(
            &got,
            &(names(row.result(0)), names(row.result(1))),
        )
    });
    suites.add(RULES, "TestFindOldReplicaSets.L540", |row| {
        let (all, active) = rules::old_sets(row.arg("deployment"), &plain(row.arg("rsList")));
        let got = (active.into_iter().collect(), all.into_iter().collect());
        let want = (names(row.arg("expectedRequire")), names(row.arg("expected")));
        same::<(BTreeSet<String>, BTreeSet<String>)>(&got, &want)
    });
    suites.add(RULES, "MaxUnavailable", |row| {
        same(&json!(rules::max_unavailable(row.arg("deployment"))), row.result(0))
    });
    suites.add(RULES, "TestMaxUnavailable.L1211", |row| {
        same(&json!(rules::max_unavailable(row.arg("deployment"))), row.arg("expected"))
    });
    suites.add(RULES, "NewRSNewReplicas", |row| {
        let mut sets = plain(row.arg("allRSs"));
        sets.retain(|set| name(set) != name(row.arg("newRS")));
        let mut new = row.arg("newRS").clone();
        new["spec"]["template"] = row.arg("deployment")["spec"]["template"].clone();
        sets.push(new);
        same(&json!(rules::new_size(row.arg("deployment"), &sets)), row.result(0))
    });
    suites.add(RULES, "ResolveFenceposts", |row| {
        let desired = number(row.arg("desired"));
        let got = match rules::fenceposts(row.arg("maxSurge"), row.arg("maxUnavailable"), desired) {
            Ok((surge, unavailable)) => json!([surge, unavailable, null]),
            Err(error) => json!([0, 0, {"error": error.to_string()}]),
        };
        same(&got, &json!(row.out))
    });
    suites.add(RULES, "TestResolveFenceposts.L661", |row| {
        let desired = number(row.arg("desired"));
        let got = rules::fenceposts(row.arg("maxSurge"), row.arg("maxUnavailable"), desired).ok();
        let want = (number(row.arg("expectSurge")), number(row.arg("expectUnavailable")));
        same(&got, &(row.arg("expectError") == false).then_some(want))
    });
}

fn plain(sets: &Value) -> Vec<Value> {
    sets.as_array().map(|sets| sets.to_vec()).unwrap_or_default()
}

const STEPS: &str = "controllers/deployment-controller.json";

/// A deployment of `replicas` and sets of its new and its old template.
fn rolled(replicas: &Value, surge: &Value, unavailable: &Value) -> Value {
    let bound = |value: &Value| if value.is_null() { json!(0) } else { value.clone() };
    json!({
        "metadata": {"name": "foo", "namespace": "default", "uid": "d"},
        "spec": {"replicas": replicas, "template": {"spec": {"of": "new"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate":
                {"maxSurge": bound(surge), "maxUnavailable": bound(unavailable)}}},
    })
}

fn set(of: &str, replicas: &Value, available: i64) -> Value {
    json!({"metadata": {"name": of, "uid": of}, "spec": {"replicas": replicas,
        "template": {"spec": {"of": of}}}, "status": {"availableReplicas": available}})
}

fn stepped(got: &rules::Sizes, of: &str, expected: bool, size: &Value) -> Outcome {
    // A row that expects no scaling says nothing of the size.
    if !expected {
        return same(&got.1, &false);
    }
    same(&(got.1, json!(got.0[of])), &(true, size.clone()))
}

fn deployment_steps(suites: &mut Suites) {
    suites.add(STEPS, "TestDeploymentController_reconcileNewReplicaSet.L80", |row| {
        let d = rolled(row.arg("deploymentReplicas"), row.arg("maxSurge"), &json!(0));
        let sets = [set("old", row.arg("oldReplicas"), 0), set("new", row.arg("newReplicas"), 0)];
        let got = rules::scale_up_new(&d, &sets);
        stepped(&got, "new", row.arg("scaleExpected") == true, row.arg("expectedNewReplicas"))
    });
    suites.add(STEPS, "TestDeploymentController_reconcileOldReplicaSets.L180", |row| {
        let d = rolled(row.arg("deploymentReplicas"), &json!(0), row.arg("maxUnavailable"));
        let sets = [
            set("old", row.arg("oldReplicas"), number(row.arg("readyPodsFromOldRS"))),
            set("new", row.arg("newReplicas"), number(row.arg("readyPodsFromNewRS"))),
        ];
        let got = rules::scale_down_old(&d, &sets);
        stepped(&got, "old", row.arg("scaleExpected") == true, row.arg("expectedOldReplicas"))
    });
    suites.add(STEPS, "TestDeploymentController_cleanupUnhealthyReplicas.L254", |row| {
        let d = rolled(&json!(10), &json!(2), &json!(2));
        let sets = [set("old", row.arg("oldReplicas"), number(row.arg("readyPods")))];
        let got = rules::drop_unhealthy(&d, &sets, number(row.arg("maxCleanupCount")));
        let dropped = number(row.arg("oldReplicas")) - got.0["old"];
        same(&json!(dropped), row.arg("cleanupCountExpected"))
    });
    suites.add(
        STEPS,
        "TestDeploymentController_scaleDownOldReplicaSetsForRollingUpdate.L328",
        |row| {
            let d = rolled(row.arg("deploymentReplicas"), &json!(0), row.arg("maxUnavailable"));
            let sets = [set("old", row.arg("oldReplicas"), number(row.arg("readyPods")))];
            let got = rules::drop_available(&d, &sets);
            stepped(&got, "old", row.arg("scaleExpected") == true, row.arg("expectedOldReplicas"))
        },
    );
    suites.add(STEPS, "TestDeploymentController_cleanupDeployment.L398", |row| {
        let mut d = rolled(&json!(1), &json!(0), &json!(1));
        d["spec"]["revisionHistoryLimit"] = row.arg("revisionHistoryLimit").clone();
        let got = rules::pruned(&d, &plain(row.arg("oldRSs"))).len();
        same(&json!(got), row.arg("expectedDeletions"))
    });
    suites.add(STEPS, "TestOldPodsRunning.L219", |row| {
        let d = rolled(&json!(1), &json!(0), &json!(1));
        let new = row.arg("newRS")["metadata"]["uid"].as_str().unwrap_or("-");
        let old = row.arg("oldRSs")[0]["metadata"]["uid"].as_str().unwrap_or_default();
        let pods = row.arg("podMap").as_object().into_iter().flatten().flat_map(|(uid, pods)| {
            // Upstream takes every pod but those of the new replica set for one of an old one.
            let owner = if uid == new { new } else { old };
            let owned = |pod: &Value| {
                let mut pod = pod.clone();
                pod["metadata"]["ownerReferences"] = json!([{"uid": owner, "controller": true}]);
                Arc::new(pod)
            };
            plain(&pods["items"]).iter().map(owned).collect::<Vec<_>>()
        });
        let got = rules::old_pods_run(&d, &plain(row.arg("oldRSs")), pods.collect());
        same(&json!(got), row.arg("hasOldPodsRunning"))
    });
    suites.add(STEPS, "TestScale.L269", scale);
}

fn scale(row: &Row<'_>) -> Outcome {
    let mut deployment = row.arg("deployment").clone();
    let old = row.arg("oldDeployment");
    let before = number(&old["spec"]["replicas"]);
    let surge = rules::fenceposts(
        &old["spec"]["strategy"]["rollingUpdate"]["maxSurge"],
        &old["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"],
        before,
    )
    .map_or(0, |(surge, _)| surge);
    deployment["spec"]["template"] = json!({"spec": {"of": "new"}});
    let annotated = |set: &Value, of: &str| {
        let mut set = set.clone();
        let given = &row.arg("desiredReplicasAnnotations")[name(&set)];
        let desired = given.as_i64().unwrap_or(before);
        set["metadata"]["annotations"] = json!({
            rules::DESIRED_REPLICAS: desired.to_string(),
            rules::MAX_REPLICAS: (desired + surge).to_string(),
        });
        set["spec"]["template"] = json!({"spec": {"of": of}});
        set
    };
    let mut sets: Vec<Value> =
        plain(row.arg("oldRSs")).iter().map(|set| annotated(set, "old")).collect();
    if row.arg("newRS").is_object() {
        sets.push(annotated(row.arg("newRS"), "new"));
    }
    let (got, _) = rules::scale(&deployment, &sets);
    let wanted = plain(row.arg("expectedOld")).into_iter().chain([row.arg("expectedNew").clone()]);
    let wanted: BTreeMap<String, i64> = wanted
        .filter(Value::is_object)
        .map(|set| (name(&set), number(&set["spec"]["replicas"])))
        .collect();
    same(&got, &wanted)
}
