//! Environments from references, services and plain values.

use apimachinery::json;

use super::*;

struct Objects;

impl Source for Objects {
    fn config_map(&self, name: &str) -> Option<Arc<Value>> {
        let map = json!({"kind": "ConfigMap", "data": {"colour": "red", "a b": "x", "HOST": "h"}});
        (name == "settings").then(|| Arc::new(map))
    }

    fn secret(&self, name: &str) -> Option<Arc<Value>> {
        (name == "key").then(|| Arc::new(json!({"kind": "Secret", "data": {"token": "c2VjcmV0"}})))
    }

    fn services(&self) -> Vec<Arc<Value>> {
        let web = json!({
            "metadata": {"name": "my-web"},
            "spec": {"clusterIP": "172.30.0.7", "ports": [
                {"name": "http", "port": 80, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"},
            ]},
        });
        let headless = json!({"metadata": {"name": "none"}, "spec": {"clusterIP": "None", "ports": [{"port": 1}]}});
        vec![Arc::new(web), Arc::new(headless)]
    }
}

fn check(container: &Value) -> Result<Environment, Error> {
    let pod = json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"app": "web"}},
        "spec": {"nodeName": "n1", "serviceAccountName": "default"},
    });
    environment(
        &pod,
        container,
        Place { pod_ip: "10.128.0.2", host_ip: "10.0.0.1", allocatable: (4000, 1 << 34) },
        &Objects,
    )
}

fn value(container: &Value, name: &str) -> Option<String> {
    check(container).unwrap().values.remove(name)
}

#[test]
fn services_are_told() {
    let values = check(&json!({})).unwrap().values;
    let lines: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    MY_WEB_PORT=tcp://172.30.0.7:80
    MY_WEB_PORT_53_UDP=udp://172.30.0.7:53
    MY_WEB_PORT_53_UDP_ADDR=172.30.0.7
    MY_WEB_PORT_53_UDP_PORT=53
    MY_WEB_PORT_53_UDP_PROTO=udp
    MY_WEB_PORT_80_TCP=tcp://172.30.0.7:80
    MY_WEB_PORT_80_TCP_ADDR=172.30.0.7
    MY_WEB_PORT_80_TCP_PORT=80
    MY_WEB_PORT_80_TCP_PROTO=tcp
    MY_WEB_SERVICE_HOST=172.30.0.7
    MY_WEB_SERVICE_PORT=80
    MY_WEB_SERVICE_PORT_DNS=53
    MY_WEB_SERVICE_PORT_HTTP=80
    ");
}

#[test]
fn later_wins_and_references_see_what_came_before() {
    let container = json!({
        "envFrom": [{"prefix": "S_", "configMapRef": {"name": "settings"}}],
        "env": [
            {"name": "A", "value": "$(S_colour)-$(MY_WEB_SERVICE_HOST)-$(B)"},
            {"name": "B", "value": "b"},
            {"name": "S_HOST", "value": "mine"},
            {"name": "T", "valueFrom": {"secretKeyRef": {"name": "key", "key": "token"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {"name": "ALL", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Gi"}}},
            {"name": "ASKED", "valueFrom": {"resourceFieldRef": {"resource": "requests.memory"}}},
        ],
        "resources": {"limits": {"cpu": "1500m"}},
    });
    for (name, expected) in [
        ("A", "red-172.30.0.7-$(B)"),
        ("S_HOST", "mine"),
        ("T", "secret"),
        ("IP", "10.128.0.2"),
        ("APP", "web"),
        ("CPU", "2"),
        ("ALL", "16"),
        ("ASKED", "0"),
    ] {
        assert_eq!(value(&container, name).as_deref(), Some(expected), "{name}");
    }
    let warnings = check(&container).unwrap().warnings;
    let text = "Keys [S_a b] from the EnvFrom configMap ns/settings were skipped since they are \
                considered invalid environment variable names.";
    assert_eq!(warnings, [text]);
}

#[test]
fn what_is_missing_is_an_error_unless_optional() {
    let key = |kind: &str, name: &str, key: &str, optional: bool| {
        let reference = json!({"name": name, "key": key, "optional": optional});
        json!({"env": [{"name": "X", "valueFrom": {kind: reference}}]})
    };
    for (kind, name, of, message) in [
        ("configMapKeyRef", "no", "k", "configmaps \"no\" not found"),
        ("secretKeyRef", "no", "k", "secrets \"no\" not found"),
        ("configMapKeyRef", "settings", "k", "Couldn't find key k in ConfigMap ns/settings"),
        ("secretKeyRef", "key", "k", "Couldn't find key k in Secret ns/key"),
    ] {
        assert_eq!(check(&key(kind, name, of, false)).unwrap_err().to_string(), message);
        assert_eq!(value(&key(kind, name, of, true), "X"), None);
    }
    let from = json!({"envFrom": [{"secretRef": {"name": "no"}}]});
    assert_eq!(check(&from).unwrap_err().to_string(), "secrets \"no\" not found");
}
