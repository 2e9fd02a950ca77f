//! Rows of upstream's tables and of a recorded cluster.

use apimachinery::json;

use super::*;

fn range(limits: &Value) -> Value {
    json!({"spec": {"limits": limits}})
}

/// The range `lr` of the recording.
fn recorded() -> Value {
    range(&json!([
        {"type": "Container", "default": {"cpu": "200m", "memory": "64Mi"},
         "defaultRequest": {"cpu": "100m", "memory": "32Mi"}, "min": {"cpu": "10m", "memory": "4Mi"},
         "max": {"cpu": "1", "memory": "256Mi"}, "maxLimitRequestRatio": {"cpu": "4"}},
        {"type": "Pod", "max": {"cpu": "1", "memory": "256Mi"}},
    ]))
}

fn pod(resources: &Value) -> Value {
    json!({"spec": {"containers": [{"name": "c", "resources": resources}]}})
}

#[test]
fn defaults_are_filled_in_and_told() {
    let mut bare = pod(&json!({}));
    fill_in(&mut bare, &recorded());
    assert_eq!(
        bare.annotation(ANNOTATION),
        Some(
            "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c"
        )
    );
    assert_eq!(
        bare["spec"]["containers"][0]["resources"],
        json!({"limits": {"cpu": "200m", "memory": "64Mi"}, "requests": {"cpu": "100m", "memory": "32Mi"}})
    );
    assert!(check_pod(&bare, &recorded()).is_empty());
    let full = bare.clone();
    fill_in(&mut bare, &recorded());
    assert_eq!(bare, full);
}

#[test]
fn bounds_read_as_recorded() {
    let both = json!({"cpu": "2", "memory": "512Mi"});
    let big = check_pod(&pod(&json!({"limits": both, "requests": both})), &recorded());
    assert_eq!(
        aggregate(&big),
        "[maximum cpu usage per Container is 1, but limit is 2., \
         maximum memory usage per Container is 256Mi, but limit is 512Mi., \
         maximum cpu usage per Pod is 1, but limit is 2., \
         maximum memory usage per Pod is 256Mi, but limit is 536870912.]"
    );
    let wide = json!({"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "20m", "memory": "32Mi"}});
    assert_eq!(
        aggregate(&check_pod(&pod(&wide), &recorded())),
        "cpu max limit to request ratio per Container is 4, but provided ratio is 25.000000."
    );
}

/// Rows of upstream's `TestPodLimitFunc`.
#[test]
fn single_bounds() {
    let check = |limit: Value, resources: Value| {
        check_pod(&pod(&resources), &range(&json!([limit]))).join("|")
    };
    let one = |kind: &str, field: &str, amount: &str| json!({"type": kind, field: {"cpu": amount}});
    for (limit, resources, expected) in [
        (
            one("Container", "min", "50m"),
            json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "200m"}}),
            "",
        ),
        (
            one("Container", "min", "50m"),
            json!({"requests": {"cpu": "40m"}}),
            "minimum cpu usage per Container is 50m, but request is 40m.",
        ),
        (
            one("Container", "min", "50m"),
            json!({}),
            "minimum cpu usage per Container is 50m.  No request is specified.",
        ),
        (
            one("Container", "min", "9G"),
            json!({"requests": {"cpu": "9G"}, "limits": {"cpu": "1"}}),
            "minimum cpu usage per Container is 9G, but limit is 1.",
        ),
        (
            one("Container", "max", "1"),
            json!({}),
            "maximum cpu usage per Container is 1.  No limit is specified.",
        ),
        (
            one("Container", "max", "1"),
            json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            "maximum cpu usage per Container is 1, but request is 2.",
        ),
        (
            one("Container", "maxLimitRequestRatio", "1500m"),
            json!({"limits": {"cpu": "750m"}, "requests": {"cpu": "500m"}}),
            "",
        ),
        (
            one("Container", "maxLimitRequestRatio", "1"),
            json!({"limits": {"cpu": "2"}}),
            "cpu max limit to request ratio per Container is 1, but no request is specified or request is 0.",
        ),
        (
            one("Container", "maxLimitRequestRatio", "1"),
            json!({"requests": {"cpu": "1"}}),
            "cpu max limit to request ratio per Container is 1, but no limit is specified or limit is 0.",
        ),
        (
            one("Pod", "min", "100m"),
            json!({"requests": {"cpu": "75m"}}),
            "minimum cpu usage per Pod is 100m, but request is 75m.",
        ),
    ] {
        assert_eq!(check(limit.clone(), resources), expected, "{limit}");
    }
}

#[test]
fn a_pod_adds_up_what_all_containers_ask_for() {
    let container = |resources: Value| json!({"resources": {"limits": resources}});
    let pod = json!({"spec": {
        "containers": [container(json!({"cpu": "1", "memory": "1Gi"})), container(json!({"cpu": "500m"}))],
        "initContainers": [container(json!({"cpu": "2"}))]}});
    let total = pod_total(&pod, "limits");
    assert_eq!(total["cpu"].to_string(), "2");
    assert!(!total.contains_key("memory"));
}

/// Rows of upstream's `TestPersistentVolumeClaimLimitFunc`.
#[test]
fn claims_are_bounded() {
    let limits = json!([{"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}, "min": {"storage": "1Gi"}}]);
    let check = |size: &str| {
        let claim = json!({"spec": {"resources": {"requests": {"storage": size}}}});
        check_claim(&claim, &range(&limits)).join("|")
    };
    assert_eq!(
        check("100Gi"),
        "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 100Gi."
    );
    assert_eq!(
        check("1Mi"),
        "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi."
    );
    assert_eq!(check("1Gi"), "");
}
