//! Hashes and numbers of revisions.

use super::*;

/// The template of a stateful set that a 3.11 master named `web-564b6c66`.
fn recorded(image: &str) -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"template": {
        "metadata": {"creationTimestamp": null, "labels": {"app": "web"}},
        "spec": {
            "containers": [{
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "name": "c",
                "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                "readinessProbe": {
                    "failureThreshold": 3,
                    "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
                    "periodSeconds": 2, "successThreshold": 1, "timeoutSeconds": 1,
                },
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }],
            "dnsPolicy": "ClusterFirst", "restartPolicy": "Always",
            "schedulerName": "default-scheduler", "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        },
    }}})
}

#[test]
fn names_and_hashes_are_those_of_a_recorded_master() {
    for (image, hash_label, revision_name) in
        [("hello:v1", "12062722", "web-564b6c66"), ("hello:v2", "2842141839", "web-6d86585d7f")]
    {
        let hash = hash(&data(&recorded(image)), Some(0));
        assert_eq!((hash.as_str(), name("web", &hash).as_str()), (hash_label, revision_name));
    }
}

#[test]
fn html_is_escaped_as_go_does() {
    assert_eq!(go_json(&json!({"a": "<b> & c"})), r#"{"a":"\u003cb\u003e \u0026 c"}"#);
}

#[test]
fn the_current_template_has_the_highest_number() {
    let revision = |name: &str, number: i64, data: &str| {
        Arc::new(json!({"metadata": {"name": name}, "revision": number, "data": data}))
    };
    let (one, two) = (revision("a", 1, "x"), revision("b", 2, "y"));
    let both = [Arc::clone(&one), Arc::clone(&two)];
    assert_eq!(choose(&[], &json!("x")), Choice::Create(1));
    assert_eq!(choose(&both, &json!("y")), Choice::Keep(two));
    assert_eq!(choose(&both, &json!("x")), Choice::Renumber(one, 3));
    assert_eq!(choose(&both, &json!("z")), Choice::Create(3));
}

#[test]
fn only_idle_revisions_beyond_the_limit_go_oldest_first() {
    let revisions: Vec<Arc<Value>> = (1..=5)
        .map(|n| Arc::new(json!({"metadata": {"name": format!("r{n}")}, "revision": n})))
        .collect();
    let live = BTreeSet::from(["r1", "r5"]);
    for (limit, gone) in [(0, vec!["r2", "r3", "r4"]), (2, vec!["r2"]), (10, vec![])] {
        assert_eq!(surplus(&revisions, &live, limit), gone, "limit {limit}");
    }
}
