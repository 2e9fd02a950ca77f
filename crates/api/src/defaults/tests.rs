//! What the server fills in, by kind.

use apimachinery::json;

use super::*;

fn applied(resource: &Resource, mut object: Value) -> Value {
    apply(resource, &mut object);
    let once = object.clone();
    apply(resource, &mut object);
    assert_eq!(object, once, "applying twice changes nothing");
    object
}

#[test]
fn a_pod_gets_policies_probes_and_requests() {
    let pod = applied(
        &crate::PODS,
        json!({"spec": {"containers": [{
            "name": "a",
            "image": "web:1",
            "resources": {"limits": {"cpu": "1000m"}},
            "ports": [{"containerPort": 80}],
            "readinessProbe": {"httpGet": {"port": 80}},
        }], "volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "x"}}]}}),
    );
    let expected = json!({
        "name": "a",
        "image": "web:1",
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
            "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
        },
    });
    assert_eq!(pod["spec"]["containers"][0], expected);
    assert_eq!(pod["spec"]["volumes"][0], json!({"name": "v", "emptyDir": {}}));
    assert_eq!(pod["spec"]["volumes"][1]["secret"]["defaultMode"], 420);
    assert_eq!(pod["spec"]["restartPolicy"], "Always");
}

#[test]
fn a_template_gets_no_requests_from_limits() {
    let rc = applied(
        &crate::REPLICATION_CONTROLLERS,
        json!({"spec": {"template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"resources": {"limits": {"cpu": 1}}}]},
        }}}),
    );
    assert_eq!(
        rc["spec"]["template"]["spec"]["containers"][0]["resources"],
        json!({"limits": {"cpu": "1"}})
    );
    assert_eq!(rc["spec"]["selector"], json!({"a": "b"}));
    assert_eq!(rc["metadata"]["labels"], json!({"a": "b"}));
    assert_eq!(rc["spec"]["replicas"], 1);
}

#[test]
fn deployments_default_by_the_version_they_are_sent_in() {
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}});
    let deployment = json!({"spec": {"template": template}});
    let new = applied(&crate::DEPLOYMENTS, deployment.clone());
    let percent = json!({"maxSurge": "25%", "maxUnavailable": "25%"});
    assert_eq!(new["spec"]["strategy"], json!({"type": "RollingUpdate", "rollingUpdate": percent}));
    assert_eq!(new["spec"].get("selector"), None);
    let extensions = crate::find("extensions", "v1beta1", "deployments").unwrap();
    let old = applied(extensions, deployment);
    assert_eq!(
        old["spec"]["strategy"]["rollingUpdate"],
        json!({"maxSurge": 1, "maxUnavailable": 1})
    );
    assert_eq!(old["spec"]["selector"], json!({"matchLabels": {"a": "b"}}));
    assert_eq!(old["spec"]["progressDeadlineSeconds"], 600);
}

#[test]
fn services_send_to_the_port_they_listen_on() {
    let service = applied(
        &crate::SERVICES,
        json!({"spec": {"ports": [{"port": 80}, {"port": 81, "targetPort": "web"}]}}),
    );
    assert_eq!(
        service["spec"],
        json!({
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ports": [
                {"port": 80, "targetPort": 80, "protocol": "TCP"},
                {"port": 81, "targetPort": "web", "protocol": "TCP"},
            ],
        })
    );
}

#[test]
fn string_data_of_secrets_is_folded_into_data() {
    let secret = applied(
        &crate::SECRETS,
        json!({"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"b": "new"}}),
    );
    assert_eq!(secret, json!({"type": "Opaque", "data": {"a": "eA==", "b": "bmV3"}}));
}

fn config(spec: &Value) -> Value {
    applied(&crate::DEPLOYMENT_CONFIGS, json!({"metadata": {"namespace": "ns"}, "spec": spec}))
}

#[test]
fn an_empty_deployment_config_rolls_on_config_change() {
    let config = config(&json!({"strategy": {}, "triggers": null}));
    assert_eq!(config["spec"]["triggers"], json!([{"type": "ConfigChange"}]));
    assert_eq!(
        config["spec"]["strategy"],
        json!({
            "type": "Rolling",
            "activeDeadlineSeconds": 21600,
            "resources": {},
            "rollingParams": {
                "updatePeriodSeconds": 1, "intervalSeconds": 1, "timeoutSeconds": 600,
                "maxUnavailable": "25%", "maxSurge": "25%",
            },
        })
    );
    assert_eq!(config["spec"]["replicas"], 0);
}

/// Mirrors: `TestDefaults` of `pkg/apps/apis/apps/v1`.
#[test]
fn one_rolling_limit_decides_the_other() {
    for (params, unavailable, surge) in [
        (json!({"maxUnavailable": 3}), json!(3), json!(0)),
        (json!({"maxUnavailable": "0%"}), json!("0%"), json!("25%")),
        (json!({"maxSurge": 2}), json!(0), json!(2)),
        (json!({"maxSurge": 0}), json!("25%"), json!(0)),
        (json!({"maxSurge": 0, "maxUnavailable": 0}), json!(0), json!(0)),
    ] {
        let config = config(&json!({"strategy": {"type": "Rolling", "rollingParams": params}}));
        let params = &config["spec"]["strategy"]["rollingParams"];
        assert_eq!((&params["maxUnavailable"], &params["maxSurge"]), (&unavailable, &surge));
    }
}

#[test]
fn image_triggers_name_a_tag_in_their_own_namespace() {
    let config = config(&json!({
        "triggers": [{"type": "ImageChange", "imageChangeParams": {
            "containerNames": ["a"], "from": {"kind": "ImageStream", "name": "web"}}}],
        "template": {"spec": {"containers": [{"name": "only"}]}},
        "strategy": {"recreateParams": {"pre": {"tagImages": [{"to": {}}]}}},
    }));
    assert_eq!(
        config["spec"]["triggers"][0]["imageChangeParams"]["from"],
        json!({"kind": "ImageStreamTag", "name": "web:latest", "namespace": "ns"})
    );
    let pre = &config["spec"]["strategy"]["recreateParams"]["pre"];
    assert_eq!(pre["tagImages"][0]["containerName"], "only");
}

#[test]
fn an_image_stream_says_what_upstream_always_says() {
    let stream = applied(&crate::IMAGE_STREAMS, json!({"spec": {"tags": [{"name": "latest"}]}}));
    assert_eq!(
        stream["spec"],
        json!({
            "lookupPolicy": {"local": false},
            "tags": [{
                "name": "latest", "annotations": null, "generation": null, "importPolicy": {},
                "referencePolicy": {"type": "Source"},
            }],
        })
    );
}

#[test]
fn a_stateful_set_that_names_its_strategy_gets_no_partition() {
    let set = crate::resources::find("apps", "v1", "statefulsets").expect("is served");
    for (given, expected) in [
        (json!({}), json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})),
        (json!({"type": "RollingUpdate"}), json!({"type": "RollingUpdate"})),
        (json!({"type": "OnDelete"}), json!({"type": "OnDelete"})),
    ] {
        let set = applied(set, json!({"spec": {"updateStrategy": given}}));
        assert_eq!(set["spec"]["updateStrategy"], expected);
    }
}

#[test]
fn fields_of_features_that_are_off_are_dropped() {
    let pod = applied(
        &crate::PODS,
        json!({"spec": {
            "shareProcessNamespace": true,
            "securityContext": {"runAsGroup": 1, "runAsUser": 2},
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
            "containers": [{"name": "a", "securityContext": {"runAsGroup": 1}}],
        }}),
    );
    assert!(pod["spec"].get("shareProcessNamespace").is_none());
    assert_eq!(pod["spec"]["securityContext"], json!({"runAsUser": 2}));
    assert_eq!(pod["spec"]["volumes"][0]["emptyDir"], json!({}));
    assert_eq!(pod["spec"]["containers"][0]["securityContext"], json!({}));
}

#[test]
fn amounts_are_rounded_up_to_thousandths() {
    let node = applied(
        &crate::NODES,
        json!({"status": {"capacity": {"cpu": "3.000023m", "memory": "1Gi", "pods": "110"}}}),
    );
    assert_eq!(node["status"]["capacity"], json!({"cpu": "4m", "memory": "1Gi", "pods": "110"}));
}
