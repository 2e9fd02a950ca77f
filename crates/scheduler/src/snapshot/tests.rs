//! The snapshot's sums after any order of changes.

use api::views::pod::HostPort;
use apimachinery::json;

use super::*;

fn pod(name: &str, cpu: &str, port: i64) -> PodInfo {
    PodInfo::new(Arc::new(json!({
        "metadata": {"name": name, "namespace": "ns", "labels": {"app": "web"}},
        "spec": {"containers": [{
            "resources": {"requests": {"cpu": cpu}},
            "ports": [{"hostPort": port}],
        }]},
    })))
}

fn node(name: &str) -> Arc<Value> {
    Arc::new(json!({"metadata": {"name": name}, "status": {"allocatable": {"cpu": "4"}}}))
}

/// How many pods each node runs, by the groups.
fn counts(snapshot: &Snapshot) -> BTreeMap<&str, u32> {
    let groups = snapshot.groups.iter().flat_map(|(_, group)| &group.nodes);
    groups.map(|(node, count)| (&**node, *count)).collect()
}

#[test]
fn sums_follow_pods_from_node_to_node_and_away() {
    let mut snapshot = Snapshot::default();
    let (a, b) = (Key::new("ns", "a"), Key::new("ns", "b"));
    snapshot.place(&a, &pod("a", "100m", 80), "n1");
    assert!(snapshot.is_empty(), "the node is not there yet");
    snapshot.set_node(&node("n1"));
    snapshot.set_node(&node("n2"));
    snapshot.place(&b, &pod("b", "250m", 81), "n1");
    assert_eq!(snapshot.node("n1").unwrap().requested.milli_cpu, 350);
    assert_eq!(counts(&snapshot), BTreeMap::from([("n1", 2)]));

    snapshot.place(&b, &pod("b", "250m", 81), "n2");
    assert_eq!(snapshot.node("n1").unwrap().requested.milli_cpu, 100);
    assert_eq!(snapshot.node("n2").unwrap().requested.milli_cpu, 250);
    assert_eq!(counts(&snapshot), BTreeMap::from([("n1", 1), ("n2", 1)]));

    assert!(snapshot.displace(&a) && snapshot.displace(&b) && !snapshot.displace(&a));
    for info in snapshot.nodes() {
        assert_eq!((info.requested.clone(), info.non_zero), Default::default());
        let port = HostPort { host_ip: "0.0.0.0".into(), protocol: "TCP".into(), port: 80 };
        assert!(!info.is_port_taken(&port));
    }
    assert!(counts(&snapshot).is_empty());
    snapshot.remove_node("n1");
    assert_eq!(snapshot.len(), 1);
}
