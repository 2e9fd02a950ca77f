//! Rows as clients see them.

use super::*;
use crate::{
    DEPLOYMENT_CONFIGS, DEPLOYMENTS, ENDPOINTS, EVENTS, IMAGE_STREAMS, NODES, PODS, ROUTES,
    SERVICES, resources,
};

fn row(resource: &Resource, object: &Value) -> String {
    let now = Time::parse_rfc3339("2018-10-11T12:05:00Z").unwrap();
    let cells = cells(resource, object, now);
    let texts: Vec<String> = cells
        .iter()
        .map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned))
        .collect();
    texts.join("|")
}

#[test]
fn every_row_has_a_cell_for_every_column() {
    for resource in resources() {
        let object = json!({"kind": resource.kind});
        let row = cells(resource, &object, world::SIMULATION_EPOCH);
        assert_eq!(row.len(), columns(resource).len(), "{}", resource.plural);
    }
}

fn pod(status: &Value) -> Value {
    json!({
        "metadata": {"name": "p", "creationTimestamp": "2018-10-11T12:00:00Z"},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]},
        "status": status,
    })
}

/// Mirrors: `TestPrintPod` of `pkg/printers/internalversion`.
#[test]
fn the_status_of_a_pod_says_what_holds_it_up() {
    let check = |status: Value, expected: &str| {
        let row = row(&PODS, &pod(&status));
        let cells: Vec<&str> = row.split('|').collect();
        assert_eq!(cells[1..4].join(" "), expected);
    };
    let running = json!({"ready": true, "restartCount": 3, "state": {"running": {}}});
    let waiting =
        |reason: &str| json!({"restartCount": 3, "state": {"waiting": {"reason": reason}}});
    let ended = |end: Value| json!({"restartCount": 0, "state": {"terminated": end}});
    check(json!({"phase": "Pending"}), "0/2 Pending 0");
    check(json!({"phase": "Running", "containerStatuses": [running, running]}), "2/2 Running 6");
    check(
        json!({"phase": "Running", "containerStatuses": [running, waiting("CrashLoopBackOff")]}),
        "1/2 CrashLoopBackOff 6",
    );
    check(
        json!({"phase": "Running", "containerStatuses": [
            ended(json!({"reason": "Completed"})), running]}),
        "1/2 Running 3",
    );
    check(
        json!({"phase": "Failed", "containerStatuses": [ended(json!({"exitCode": 7}))]}),
        "0/2 ExitCode:7 0",
    );
    check(json!({"phase": "Failed", "reason": "Evicted"}), "0/2 Evicted 0");
    check(
        json!({"phase": "Pending", "initContainerStatuses": [
            {"state": {"waiting": {"reason": "PodInitializing"}}}]}),
        "0/2 Init:0/1 0",
    );
    check(
        json!({"phase": "Pending", "initContainerStatuses": [waiting("ImagePullBackOff")]}),
        "0/2 Init:ImagePullBackOff 3",
    );
    check(
        json!({"phase": "Pending", "initContainerStatuses": [ended(json!({"signal": 9,
            "exitCode": 137}))]}),
        "0/2 Init:Signal:9 0",
    );
}

#[test]
fn a_pod_being_deleted_is_terminating() {
    let mut pod = pod(&json!({"phase": "Succeeded"}));
    assert_eq!(row(&PODS, &pod), "p|0/2|Succeeded|0|5m|<none>|<none>|<none>");
    assert_eq!(conditions(&PODS, &pod)[0]["reason"], "Succeeded");
    pod.set(&["metadata", "deletionTimestamp"], json!("2018-10-11T12:00:30Z"));
    assert_eq!(row(&PODS, &pod), "p|0/2|Terminating|0|5m|<none>|<none>|<none>");
}

#[test]
fn kubernetes_rows() {
    let deployment = json!({
        "metadata": {"name": "dep", "creationTimestamp": "2018-10-11T12:04:25Z"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "dep"}},
            "template": {"spec": {"containers": [{"name": "hello", "image": "hello:v1"}]}},
        },
        "status": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
    });
    assert_eq!(row(&DEPLOYMENTS, &deployment), "dep|1|1|1|1|35s|hello|hello:v1|app=dep");
    let service = json!({"metadata": {"name": "s"}, "spec": {"type": "NodePort",
        "clusterIP": "172.30.0.1", "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"},
        {"port": 443, "protocol": "TCP"}]}});
    let expected = "s|NodePort|172.30.0.1|<none>|80:30080/TCP,443/TCP|<unknown>|<none>";
    assert_eq!(row(&SERVICES, &service), expected);
    let address = |n: i64| json!({"ip": format!("10.0.0.{n}")});
    let endpoints = json!({"metadata": {"name": "e"}, "subsets": [{"ports": [{"port": 80}],
        "addresses": [address(1), address(2), address(3), address(4)]}]});
    let expected = "e|10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...|<unknown>";
    assert_eq!(row(&ENDPOINTS, &endpoints), expected);
    let node = json!({"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/infra": "",
        "node-role.kubernetes.io/compute": "true"}}, "spec": {"unschedulable": true},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    assert!(row(&NODES, &node).starts_with("n|Ready,SchedulingDisabled|compute,infra|"));
    let event = json!({"metadata": {"name": "x.1"}, "lastTimestamp": "2018-10-11T12:04:00Z",
        "firstTimestamp": "2018-10-11T11:04:00Z", "count": 2, "type": "Normal",
        "involvedObject": {"kind": "Pod", "fieldPath": "spec.containers{a}"},
        "reason": "Pulled", "source": {"component": "kubelet", "host": "n"}, "message": "m\n"});
    let expected = "1m|1h|2|x.1|Pod|spec.containers{a}|Normal|Pulled|kubelet, n|m";
    assert_eq!(row(&EVENTS, &event), expected);
}

#[test]
fn openshift_rows() {
    let config = json!({"metadata": {"name": "hello"}, "spec": {"replicas": 2,
        "template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}},
        "triggers": [{"type": "ImageChange", "imageChangeParams": {"automatic": true,
            "containerNames": ["b"], "from": {"name": "web:v1"}}}, {"type": "ConfigChange"}]},
        "status": {"latestVersion": 3, "updatedReplicas": 1}});
    assert_eq!(row(&DEPLOYMENT_CONFIGS, &config), "hello|3|2|1|config,image(b:web:v1)");
    let tag = |name: &str, created: &str| json!({"tag": name, "items": [{"created": created}]});
    let stream = json!({"metadata": {"name": "web"}, "status": {
        "dockerImageRepository": "r:5000/ns/web",
        "tags": [tag("a", "2018-10-11T11:00:00Z"), tag("b", "2018-10-11T12:04:23Z"),
            tag("c", "2018-10-11T10:00:00Z"), tag("d", "2018-10-10T10:00:00Z")]}});
    let expected = "web|r:5000/ns/web|b,a,c + 1 more...|37 seconds ago";
    assert_eq!(row(&IMAGE_STREAMS, &stream), expected);
    let route = json!({"metadata": {"name": "r"}, "spec": {"host": "h.example.com",
        "to": {"name": "a", "weight": 90}, "alternateBackends": [{"name": "b", "weight": 10}],
        "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"},
        "wildcardPolicy": "None"}});
    let expected = "r|h.example.com||a(90%),b(10%)|<all>|edge/Redirect|None";
    assert_eq!(row(&ROUTES, &route), expected);
}

#[test]
fn slices_of_endpoints_are_shown_as_they_are_where_they_come_from() {
    let slices = crate::find("discovery.k8s.io", "v1", "endpointslices").expect("is served");
    let endpoint = |address: &str| json!({"addresses": [address]});
    let slice = json!({
        "metadata": {"name": "web-x", "creationTimestamp": "2018-10-11T12:00:00Z"},
        "addressType": "IPv4", "ports": [{"name": "http", "port": 80}],
        "endpoints": [endpoint("10.0.0.1"), endpoint("10.0.0.2"), endpoint("10.0.0.3"), endpoint("10.0.0.4")]});
    assert_eq!(row(slices, &slice), "web-x|IPv4|80|10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...|5m");
    let empty = json!({"metadata": {"name": "e"}, "addressType": "IPv4"});
    assert_eq!(row(slices, &empty), "e|IPv4|<unset>|<unset>|<unknown>");
}
