//! Table tests of the endpoints planner.

use super::*;

fn service() -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "dev", "labels": {"team": "a"}},
        "spec": {"selector": {"app": "web"}, "clusterIP": "172.30.0.9",
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]},
    })
}

fn pod(name: &str, ip: &str, ready: bool) -> Arc<Value> {
    Arc::new(json!({
        "metadata": {"name": name, "namespace": "dev", "uid": name, "resourceVersion": "7"},
        "spec": {"nodeName": "n", "restartPolicy": "Always",
            "containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"podIP": ip, "phase": "Running",
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
    }))
}

fn subsets(service: &Value, pods: &[Arc<Value>]) -> Value {
    match plan(&Observed { service, pods, current: None }) {
        Some(Action::Create(endpoints)) => endpoints["subsets"].clone(),
        other => panic!("{other:?}"),
    }
}

fn ips(subset: &Value, list: &str) -> Vec<String> {
    subset.list_at(&[list]).iter().map(|a| a.str_at(&["ip"]).to_owned()).collect()
}

#[test]
fn ready_pods_are_addresses_and_others_not_ready_addresses() {
    let pods =
        [pod("b", "10.0.0.2", true), pod("a", "10.0.0.1", true), pod("c", "10.0.0.3", false)];
    let subsets = subsets(&service(), &pods);
    assert_eq!(subsets.as_array().unwrap().len(), 1);
    assert_eq!(ips(&subsets[0], "addresses"), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(ips(&subsets[0], "notReadyAddresses"), ["10.0.0.3"]);
    assert_eq!(subsets[0]["ports"], json!([{"name": "http", "port": 8080, "protocol": "TCP"}]));
    assert_eq!(
        subsets[0]["addresses"][0],
        json!({"ip": "10.0.0.1", "nodeName": "n", "targetRef": {"kind": "Pod", "namespace": "dev",
            "name": "a", "uid": "a", "resourceVersion": "7"}})
    );
}

#[test]
fn ended_pods_are_left_out_by_restart_policy() {
    for (policy, phase, listed) in [
        ("Never", "Failed", false),
        ("Never", "Succeeded", false),
        ("Never", "Running", true),
        ("OnFailure", "Succeeded", false),
        ("OnFailure", "Failed", true),
        ("Always", "Failed", true),
    ] {
        let mut ended = (*pod("a", "10.0.0.1", false)).clone();
        ended.set(&["spec", "restartPolicy"], json!(policy));
        ended.set(&["status", "phase"], json!(phase));
        let told = subsets(&service(), &[Arc::new(ended)]);
        assert_eq!(!told.is_null(), listed, "{policy} {phase}");
    }
}

#[test]
fn terminating_pods_stay_only_when_unready_ones_are_tolerated() {
    let mut leaving = (*pod("a", "10.0.0.1", false)).clone();
    leaving.set(&["metadata", "deletionTimestamp"], json!("2018-10-11T12:00:00Z"));
    let leaving = [Arc::new(leaving)];
    assert!(subsets(&service(), &leaving).is_null());
    let mut tolerant = service();
    tolerant.set_annotation(TOLERATE_UNREADY, "true");
    assert_eq!(ips(&subsets(&tolerant, &leaving)[0], "addresses"), ["10.0.0.1"]);
}

#[test]
fn a_headless_service_may_have_no_ports() {
    let mut headless = service();
    headless.set(&["spec", "clusterIP"], json!("None"));
    headless.remove(&["spec", "ports"]);
    let told = subsets(&headless, &[pod("a", "10.0.0.1", true)]);
    assert_eq!(ips(&told[0], "addresses"), ["10.0.0.1"]);
    assert_eq!(told[0].get("ports"), None);
}

#[test]
fn pods_without_the_named_port_are_not_reached() {
    let mut other = service();
    other.set(&["spec", "ports"], json!([{"port": 80, "targetPort": "admin"}]));
    assert!(subsets(&other, &[pod("a", "10.0.0.1", true)]).is_null());
    other.set(&["spec", "ports"], json!([{"port": 80}]));
    let told = subsets(&other, &[pod("a", "10.0.0.1", true)]);
    assert_eq!(told[0]["ports"][0]["port"], 80);
}

#[test]
fn nothing_is_written_when_only_resource_versions_differ() {
    let pods = [pod("a", "10.0.0.1", true)];
    let service = service();
    let Some(Action::Create(mut current)) =
        plan(&Observed { service: &service, pods: &pods, current: None })
    else {
        panic!("endpoints are created")
    };
    current["subsets"][0]["addresses"][0]["targetRef"]["resourceVersion"] = json!("3");
    assert_eq!(plan(&Observed { service: &service, pods: &pods, current: Some(&current) }), None);
    let none = Observed { service: &service, pods: &[], current: Some(&current) };
    assert!(matches!(plan(&none), Some(Action::Update(e)) if e.get("subsets").is_none()));
}

#[test]
fn ports_with_the_same_addresses_share_a_subset() {
    let entry = |ip: &str, port: i64, ready: bool| Entry {
        address: json!({"ip": ip}),
        port: Some(json!({"port": port})),
        ready,
    };
    let packed = |entries: &[(&str, i64, bool)]| {
        json!(pack(entries.iter().map(|(ip, port, ready)| entry(ip, *port, *ready)).collect()))
    };
    assert_eq!(packed(&[]), json!([]));
    assert_eq!(
        packed(&[("1.2.3.4", 111, true), ("1.2.3.4", 222, true), ("5.6.7.8", 111, true)]),
        json!([
            {"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 222}]},
            {"addresses": [{"ip": "1.2.3.4"}, {"ip": "5.6.7.8"}], "ports": [{"port": 111}]},
        ])
    );
    assert_eq!(
        packed(&[("1.2.3.4", 111, false), ("1.2.3.4", 222, true)]),
        json!([
            {"notReadyAddresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 111}]},
            {"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 222}]},
        ])
    );
    assert_eq!(
        packed(&[("1.2.3.4", 111, false), ("1.2.3.4", 111, true)]),
        json!([{"notReadyAddresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 111}]}])
    );
}
