//! What is refused of autoscalers, policies, definitions, nodes, events, attachments and statuses.

use super::*;
use crate::find;

fn resource(group: &str, version: &str, plural: &str) -> &'static Resource {
    find(group, version, plural).expect("served")
}

#[test]
fn a_metric_has_one_source_and_a_positive_target() {
    let check = |metric: Value, expected: &[&str]| {
        let scaler = json!({"spec": {"maxReplicas": 3, "metrics": [metric],
            "scaleTargetRef": {"kind": "Deployment", "name": "web"}}});
        let v2 = resource("autoscaling", "v2", "horizontalpodautoscalers");
        assert_eq!(created(v2, scaler), expected);
    };
    let pods = |target: Value| json!({"type": "Pods", "pods": {"metric": {"name": "hits"}, "target": target}});
    check(pods(json!({"type": "AverageValue", "averageValue": "5"})), &[]);
    check(
        pods(json!({"type": "AverageValue", "averageValue": "0"})),
        &["spec.metrics[0].pods.targetAverageValue: Required value: must specify a positive \
           target value"],
    );
    check(
        json!({"type": "Object", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": 5}}}),
        &["spec.metrics[0].object: Required value: must populate information for the given \
             metric source"],
    );
}

#[test]
fn metrics_of_an_autoscaler_of_the_first_version_stand_in_its_annotation() {
    let metrics =
        json!([{"type": "External", "external": {"metricName": "a/b", "targetValue": "1"}}]);
    let scaler = json!({
        "metadata": {"annotations": {"autoscaling.alpha.kubernetes.io/metrics": metrics.to_string()}},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}});
    let v1 = resource("autoscaling", "v1", "horizontalpodautoscalers");
    assert_eq!(
        created(v1, scaler),
        ["spec.metrics[0].external.metricName: Invalid value: \"a/b\": may not contain '/'"]
    );
}

#[test]
fn a_security_policy_does_not_contradict_itself() {
    let policy = json!({"spec": {
        "seLinux": {"rule": "RunAsAny"}, "runAsUser": {"rule": "MustRunAs", "ranges": [{"min": 5, "max": 2}]},
        "fsGroup": {"rule": "RunAsAny"}, "supplementalGroups": {"rule": "Never"},
        "volumes": ["secret", "floppy"], "allowedCapabilities": ["A"],
        "requiredDropCapabilities": ["A"], "allowedUnsafeSysctls": ["net.core.somaxconn"],
        "forbiddenSysctls": ["net.*"], "allowedHostPaths": [{"pathPrefix": "/a/../b"}]}});
    let errors = created(resource("policy", "v1beta1", "podsecuritypolicies"), policy);
    let fields: Vec<&str> = errors.iter().filter_map(|text| text.split(": ").next()).collect();
    assert_eq!(
        fields,
        [
            "spec.runAsUser.ranges[0].min",
            "spec.supplementalGroups.rule",
            "spec.volumes",
            "allowedCapabilities",
            "spec.allowedHostPaths[0]",
            "spec.allowedUnsafeSysctls[0]",
        ]
    );
}

#[test]
fn a_definition_names_its_resource_once_and_stores_one_version() {
    let definition = |name: &str, versions: Value| {
        json!({"metadata": {"name": name}, "spec": {"group": "example.com", "scope": "Cluster",
            "names": {"plural": "toys", "singular": "toy", "kind": "Toy", "listKind": "ToyList"},
            "versions": versions}, "status": {"storedVersions": ["v1"]}})
    };
    let kind = resource("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    let v1 = || json!([{"name": "v1", "served": true, "storage": true}]);
    assert!(create(kind, &definition("toys.example.com", v1())).is_empty());
    let both = json!([{"name": "v1", "storage": true}, {"name": "v1", "storage": true}]);
    let errors = create(kind, &definition("toy.example.com", both));
    let details: Vec<&str> = errors.iter().map(|error| error.detail.as_str()).collect();
    assert_eq!(
        details,
        [
            "must be spec.names.plural+\".\"+spec.group",
            "must contain unique version names",
            "must have exactly one version marked as storage version",
        ]
    );
}

#[test]
fn a_node_keeps_its_network() {
    let node = |range: &str| json!({"metadata": {"name": "n"}, "spec": {"podCIDR": range}});
    let kind = resource("", "v1", "nodes");
    let texts = |new: &Value, old: &Value| -> Vec<String> {
        update(kind, new, old).iter().map(ToString::to_string).collect()
    };
    assert!(texts(&node("10.0.0.0/24"), &node("")).is_empty());
    let moved = texts(&node("10.1.0.0/24"), &node("10.0.0.0/24"));
    assert!(
        moved[0].starts_with("spec.podCIDR: Forbidden: node updates may not change"),
        "{moved:?}"
    );
    assert_eq!(
        created(kind, json!({"spec": {"podCIDR": "10.0.0.0/33"}})),
        ["spec.podCIDR: Invalid value: \"10.0.0.0/33\": not a valid CIDR"]
    );
}

#[test]
fn an_event_with_a_time_says_who_reports_what() {
    let event = json!({"metadata": {"name": "e", "namespace": "ns"}, "eventTime": "2020-01-01T00:00:00.000000Z",
        "regarding": {"kind": "Pod", "namespace": "ns"}, "reportingController": "example.com/a",
        "reason": "Because"});
    let errors = create(resource("events.k8s.io", "v1", "events"), &event);
    let fields: Vec<String> = errors.iter().map(|error| error.field.to_string()).collect();
    assert_eq!(fields, ["reportingInstance", "action"]);
}

#[test]
fn an_attachment_is_for_good() {
    let attachment = |node: &str| {
        json!({"metadata": {"name": "a"}, "spec": {"attacher": "x", "nodeName": node,
            "source": {"persistentVolumeName": "pv"}}})
    };
    let kind = resource("storage.k8s.io", "v1", "volumeattachments");
    assert!(create(kind, &attachment("n")).is_empty());
    let errors = update(kind, &attachment("m"), &attachment("n"));
    assert_eq!(errors[0].field.to_string(), "spec");
}

#[test]
fn a_status_counts_no_more_parts_than_the_whole() {
    let set = |status: Value| {
        let pod = json!({"containers": [{"name": "a", "image": "a"}]});
        let mut set = json!({"metadata": {"name": "a", "namespace": "ns"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}}, "status": status});
        defaults::apply(resource("apps", "v1", "replicasets"), &mut set);
        set
    };
    let check = |status: Value, expected: &[&str]| {
        let old = set(json!({"replicas": 0}));
        let errors = update(resource("apps", "v1", "replicasets"), &set(status), &old);
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    };
    check(json!({"replicas": 3, "readyReplicas": 3, "availableReplicas": 1}), &[]);
    check(
        json!({"replicas": 1, "readyReplicas": 2}),
        &["status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"],
    );
    check(
        json!({"replicas": 1, "availableReplicas": 1}),
        &["status.availableReplicas: Invalid value: 1: cannot be greater than readyReplicas"],
    );
}

#[test]
fn who_reaches_a_balancer_is_a_list_of_networks() {
    let service = |kind: &str, ranges: Value| json!({"spec": {"type": kind, "ports": [{"port": 80}], "loadBalancerSourceRanges": ranges}});
    assert_eq!(created(&SERVICES, service("LoadBalancer", json!(["10.0.0.0/8"]))), [""; 0]);
    assert_eq!(
        created(&SERVICES, service("NodePort", json!(["10.0.0.0"]))),
        [
            "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is \
             'LoadBalancer'",
            "spec.LoadBalancerSourceRanges: Invalid value: \"[10.0.0.0]\": must be a list of IP \
             ranges. For example, 10.240.0.0/24,10.250.0.0/24 ",
        ]
    );
}

#[test]
fn a_schedule_is_read_when_it_is_written() {
    let check = |spec: Value, expected: &[&str]| {
        let mut cron_job = json!({"spec": {"jobTemplate": {"spec": {"template": {"spec":
            {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}}});
        for (key, value) in spec.as_object().unwrap() {
            cron_job["spec"][key] = value.clone();
        }
        assert_eq!(created(resource("batch", "v1", "cronjobs"), cron_job), expected);
    };
    for fine in ["*/5 0-3 * jan,feb ?", "@hourly", "@every 1h30m", "TZ=Europe/Paris 0 6 * * *"] {
        check(json!({"schedule": fine}), &[]);
    }
    for (schedule, problem) in [
        ("60 * * * *", "End of range (60) above maximum (59): 60"),
        ("* * * *", "Expected exactly 5 fields, found 4: * * * *"),
        ("@fortnightly", "Unrecognized descriptor: @fortnightly"),
        ("5-2 * * * *", "Beginning of range (5) beyond end of range (2): 5-2"),
    ] {
        let text = format!("spec.schedule: Invalid value: {schedule:?}: {problem}");
        check(json!({"schedule": schedule}), &[&text]);
    }
    check(json!({"schedule": "0 6 * * *", "timeZone": "Europe/Paris"}), &[]);
    check(
        json!({"schedule": "0 6 * * *", "timeZone": "Europe/Atlantis"}),
        &["spec.timeZone: Invalid value: \"Europe/Atlantis\": unknown time zone Europe/Atlantis"],
    );
    check(
        json!({"schedule": "TZ=UTC 0 6 * * *", "timeZone": "Europe/Paris"}),
        &["spec.timeZone: Invalid value: \"Europe/Paris\": cannot use both timeZone field and TZ \
           or CRON_TZ in schedule"],
    );
}

#[test]
fn numbered_jobs_say_how_many_numbers_there_are() {
    let errors = |spec: Value| {
        let mut job = json!({"metadata": {"name": "sum", "labels": {"a": "b"}}, "spec": {
            "selector": {"matchLabels": {"a": "b"}}, "template": {
                "metadata": {"labels": {"a": "b"}}, "spec": {"restartPolicy": "OnFailure",
                    "containers": [{"name": "c", "image": "i"}]}}}});
        for (key, value) in spec.as_object().unwrap() {
            job["spec"][key] = value.clone();
        }
        created(resource("batch", "v1", "jobs"), job)
    };
    let none: [&str; 0] = [];
    assert_eq!(errors(json!({"completionMode": "Indexed", "completions": 3})), none);
    assert_eq!(
        errors(json!({"completionMode": "Indexed", "parallelism": 100_001})),
        [
            "spec.completions: Required value: when completion mode is Indexed",
            "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when \
             completion mode is Indexed"
        ]
    );
    assert_eq!(
        errors(json!({"completionMode": "Numbered"})),
        ["spec.completionMode: Unsupported value: \"Numbered\": supported values: \"Indexed\", \
          \"NonIndexed\""]
    );
    let policy = json!({"rules": [{"action": "Ignore", "onPodConditions": []}]});
    assert_eq!(
        errors(json!({"podFailurePolicy": policy})),
        ["spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is \
          supported when podFailurePolicy is specified"]
    );
}
