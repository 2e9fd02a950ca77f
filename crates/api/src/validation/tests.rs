//! What is refused, by kind. Rows follow upstream's validation tests.

mod kinds;

use apimachinery::ObjectExt as _;
use apimachinery::json;

use super::*;
use crate::{
    CONFIG_MAPS, DEPLOYMENT_CONFIGS, DEPLOYMENTS, IMAGE_STREAMS, NAMESPACES, PODS,
    REPLICATION_CONTROLLERS, SECRETS, SERVICES, defaults,
};

/// The errors of `object` after defaulting, one per line.
fn created(resource: &Resource, mut object: Value) -> Vec<String> {
    if object.name().is_empty() {
        object.set(&["metadata", "name"], json!("abc"));
    }
    if resource.namespaced() {
        object.set(&["metadata", "namespace"], json!("ns"));
    }
    defaults::apply(resource, &mut object);
    create(resource, &object).iter().map(ToString::to_string).collect()
}

fn pod_with(change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({"spec": {"containers": [{"name": "ctr", "image": "image"}]}});
    change(&mut pod["spec"]);
    pod
}

#[test]
fn pods_are_checked_field_by_field() {
    let check = |change: fn(&mut Value), expected: &[&str]| {
        assert_eq!(created(&PODS, pod_with(change)), expected);
    };
    check(|_| {}, &[]);
    check(|spec| spec["containers"] = json!([]), &["spec.containers: Required value"]);
    check(
        |spec| spec["containers"] = json!([{"image": " x"}, {"name": "a", "image": "i"}]),
        &[
            "spec.containers[0].name: Required value",
            "spec.containers[0].image: Invalid value: \" x\": must not have leading or trailing \
             whitespace",
        ],
    );
    check(
        |spec| spec["containers"][0]["ports"] = json!([{"containerPort": 65536, "hostPort": -1}]),
        &[
            "spec.containers[0].ports[0].containerPort: Invalid value: 65536: must be between 1 \
             and 65535, inclusive",
            "spec.containers[0].ports[0].hostPort: Invalid value: -1: must be between 1 and \
             65535, inclusive",
        ],
    );
    check(
        |spec| spec["restartPolicy"] = json!("UnknowPolicy"),
        &["spec.restartPolicy: Unsupported value: \"UnknowPolicy\": supported values: \
           \"Always\", \"OnFailure\", \"Never\""],
    );
    check(
        |spec| spec["containers"][0]["livenessProbe"] = json!({}),
        &["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
    );
    check(
        |spec| spec["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/a"}]),
        &["spec.containers[0].volumeMounts[0].name: Not found: \"v\""],
    );
    check(
        |spec| {
            spec["containers"][0]["resources"] =
                json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2", "x": 1}});
        },
        &[
            "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or \
             equal to cpu limit",
            "spec.containers[0].resources.requests[x]: Invalid value: \"x\": must be a standard \
             resource type or fully qualified",
            "spec.containers[0].resources.requests[x]: Invalid value: \"x\": must be a standard \
             resource for containers",
        ],
    );
    check(
        |spec| spec["volumes"] = json!([{"name": "v", "nfs": {"path": "tmp"}}]),
        &[
            "spec.volumes[0].nfs.server: Required value",
            "spec.volumes[0].nfs.path: Invalid value: \"tmp\": must be an absolute path",
        ],
    );
}

#[test]
fn environment_needs_one_source_per_variable() {
    let check = |variable: Value, expected: &str| {
        let pod = pod_with(|spec| spec["containers"][0]["env"] = json!([variable]));
        let prefix = "spec.containers[0].env[0].";
        assert_eq!(created(&PODS, pod), [format!("{prefix}{expected}")]);
    };
    check(json!({}), "name: Required value");
    check(
        json!({"name": "a", "valueFrom": {}}),
        "valueFrom: Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, \
         `configMapKeyRef` or `secretKeyRef`",
    );
    check(
        json!({"name": "a", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
        "valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
    );
    check(
        json!({"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}),
        "valueFrom.fieldRef.fieldPath: Unsupported value: \"status.phase\": supported values: \
         \"metadata.name\", \"metadata.namespace\", \"metadata.uid\", \"spec.nodeName\", \
         \"spec.serviceAccountName\", \"status.hostIP\", \"status.podIP\"",
    );
}

/// The errors of replacing `old`, defaulted, by what `change` makes of it.
fn updated(resource: &Resource, old: Value, change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut old = old;
    old.set(&["metadata", "name"], json!("abc"));
    old.set(&["metadata", "namespace"], json!("ns"));
    defaults::apply(resource, &mut old);
    let mut new = old.clone();
    change(&mut new);
    update(resource, &new, &old).iter().map(ToString::to_string).collect()
}

#[test]
fn of_a_pod_only_images_deadline_and_more_tolerations_change() {
    let old = || pod_with(|spec| spec["activeDeadlineSeconds"] = json!(5));
    let none: [&str; 0] = [];
    let check = |change: fn(&mut Value)| updated(&PODS, old(), change);
    assert_eq!(check(|pod| pod["spec"]["containers"][0]["image"] = json!("other:1")), none);
    assert_eq!(check(|pod| pod["spec"]["tolerations"] = json!([{"operator": "Exists"}])), none);
    assert_eq!(
        check(|pod| pod["spec"]["activeDeadlineSeconds"] = json!(6)),
        ["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous \
          value"]
    );
    assert_eq!(check(|pod| pod["spec"]["hostNetwork"] = json!(false)), none);
    let errors = check(|pod| pod["spec"]["hostname"] = json!("x"));
    assert!(errors[0].starts_with("spec: Forbidden: pod updates may not change fields other than"));
    assert_eq!(
        check(|pod| pod["spec"]["initContainers"] = json!([{"name": "i", "image": "x",
            "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}])),
        ["spec.initContainers: Forbidden: pod updates may not add or remove containers"]
    );
}

fn deployment_with(change: impl FnOnce(&mut Value)) -> Value {
    let labels = json!({"app": "web"});
    let mut deployment = json!({"kind": "Deployment", "spec": {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "a", "image": "web:1"}]},
        },
    }});
    change(&mut deployment["spec"]);
    deployment
}

#[test]
fn deployments_select_their_own_pods_and_can_move() {
    let check = |change: fn(&mut Value), expected: &[&str]| {
        assert_eq!(created(&DEPLOYMENTS, deployment_with(change)), expected);
    };
    check(|_| {}, &[]);
    check(
        |spec| spec["selector"]["matchLabels"]["app"] = json!("other"),
        &["spec.template.metadata.labels: Invalid value: map[string]string{\"app\":\"web\"}: \
           `selector` does not match template `labels`"],
    );
    check(
        |spec| spec["selector"] = json!({}),
        &["spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), \
           MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: empty selector is not valid for \
           deployment."],
    );
    check(
        |spec| {
            spec["strategy"] = json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}});
        },
        &["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:0, \
           IntVal:0, StrVal:\"\"}: may not be 0 when `maxSurge` is 0"],
    );
    check(
        |spec| spec["strategy"] = json!({"type": "Recreate", "rollingUpdate": {}}),
        &["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is \
           'Recreate'"],
    );
    check(
        |spec| spec["template"]["spec"]["restartPolicy"] = json!("OnFailure"),
        &["spec.template.spec.restartPolicy: Unsupported value: \"OnFailure\": supported values: \
           \"Always\""],
    );
    let errors = updated(&DEPLOYMENTS, deployment_with(|_| {}), |deployment| {
        deployment["spec"]["selector"] = json!({"matchLabels": {"app": "new"}});
    });
    assert!(errors[1].ends_with(": field is immutable"), "{errors:?}");
}

#[test]
fn replication_controllers_need_a_selector_and_a_template() {
    assert_eq!(
        created(&REPLICATION_CONTROLLERS, json!({"spec": {"replicas": -1}})),
        [
            "spec.selector: Required value",
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            "spec.template: Required value",
        ]
    );
}

#[test]
fn services_are_checked() {
    let check = |spec: Value, expected: &[&str]| {
        assert_eq!(created(&SERVICES, json!({"spec": spec})), expected);
    };
    check(json!({"ports": [{"port": 80}]}), &[]);
    check(json!({}), &["spec.ports: Required value"]);
    check(json!({"clusterIP": "None"}), &[]);
    check(
        json!({"ports": [{"port": 80}, {"port": 81, "name": "b"}]}),
        &["spec.ports[0].name: Required value"],
    );
    check(
        json!({"ports": [{"port": 80, "nodePort": 30000}]}),
        &["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    );
    check(
        json!({"type": "ExternalName", "clusterIP": "1.2.3.4"}),
        &[
            "spec.clusterIP: Forbidden: must be empty for ExternalName services",
            "spec.externalName: Required value",
        ],
    );
}

#[test]
fn keys_and_names_follow_their_rules() {
    let errors = created(&CONFIG_MAPS, json!({"data": {"a/b": "x"}}));
    assert!(errors[0].starts_with("data[a/b]: Invalid value: \"a/b\": a valid config key must"));
    assert_eq!(
        created(&SECRETS, json!({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}})),
        ["data[tls.key]: Required value"]
    );
    let errors = created(&NAMESPACES, json!({"metadata": {"name": "a.b"}}));
    assert!(errors[0].starts_with("metadata.name: Invalid value: \"a.b\": a DNS-1123 label"));
    assert_eq!(
        created(
            &IMAGE_STREAMS,
            json!({"metadata": {"name": "A"}, "spec": {"tags": [
            {"name": "t", "from": {"kind": "Pod", "name": "x"}}]}})
        ),
        [
            "metadata.name: Invalid value: \"A\": must match \"[a-z0-9]+(?:[._-][a-z0-9]+)*\"",
            "spec.tags[t].from.kind: Required value: valid values are 'DockerImage', \
             'ImageStreamImage', 'ImageStreamTag'",
        ]
    );
}

fn config_with(change: impl FnOnce(&mut Value)) -> Value {
    let mut config = json!({"spec": {
        "replicas": 1,
        "selector": {"a": "b"},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "container1", "image": "web:1"}]},
        },
    }});
    change(&mut config["spec"]);
    config
}

/// Mirrors: `TestValidateDeploymentConfigMissingFields` of `pkg/apps/apis/apps/validation`.
#[test]
fn deployment_configs_are_checked() {
    let check = |change: fn(&mut Value), expected: &[&str]| {
        assert_eq!(created(&DEPLOYMENT_CONFIGS, config_with(change)), expected);
    };
    check(|_| {}, &[]);
    check(
        |spec| spec["replicas"] = json!(-1),
        &["spec.replicas: Invalid value: -1: replicas cannot be negative"],
    );
    check(
        |spec| {
            spec["triggers"] = json!([{"type": "ImageChange", "imageChangeParams": {
            "from": {"name": "web"}}}]);
        },
        &[
            "spec.triggers[0].imageChangeParams.from.name: Invalid value: \"web\": must be in \
             the form of <name>:<tag>",
            "spec.triggers[0].imageChangeParams.containerNames: Required value",
        ],
    );
    check(
        |spec| spec["strategy"] = json!({"type": "Other"}),
        &["spec.strategy.type: Invalid value: \"Other\": unsupported strategy type, use \
           \"Custom\" instead and specify your own strategy"],
    );
    check(
        |spec| {
            spec["strategy"] = json!({"type": "Rolling", "rollingParams": {
            "intervalSeconds": -20, "maxUnavailable": 0, "maxSurge": 0}});
        },
        &[
            "spec.strategy.rollingParams.intervalSeconds: Invalid value: -20: must be >0",
            "spec.strategy.rollingParams.maxUnavailable: Invalid value: intstr.IntOrString{\
             Type:0, IntVal:0, StrVal:\"\"}: cannot be 0 when maxSurge is 0 as well",
        ],
    );
    check(
        |spec| {
            spec["strategy"] = json!({"type": "Recreate", "recreateParams": {
            "pre": {"failurePolicy": "Retry"},
            "mid": {"failurePolicy": "Retry", "execNewPod": {"containerName": "c"}},
            "post": {"failurePolicy": "Abort", "tagImages": [{"containerName": "no", "to": {}}]}}});
        },
        &[
            "spec.strategy.recreateParams.pre: Invalid value: \"<empty>\": One of execNewPod or \
             tagImages must be specified",
            "spec.strategy.recreateParams.mid.execNewPod.command: Required value",
            "spec.strategy.recreateParams.post.tagImages[0].containerName: Invalid value: \
             \"no\": no container \"no\" found",
            "spec.strategy.recreateParams.post.tagImages[0].to.kind: Invalid value: \"\": Must \
             be 'ImageStreamTag'",
            "spec.strategy.recreateParams.post.tagImages[0].to.name: Required value: a \
             destination tag name is required",
        ],
    );
    check(
        |spec| spec["minReadySeconds"] = json!(600),
        &["spec.minReadySeconds: Invalid value: 600: must be less than the deployment timeout \
           (600s)"],
    );
}

#[test]
fn an_image_may_be_left_to_a_trigger() {
    let config = |containers: Value| {
        config_with(|spec| {
            spec["template"]["spec"]["containers"][0]["image"] = json!("");
            spec["triggers"] = json!([{"type": "ImageChange", "imageChangeParams": {
                "from": {"name": "web:v1"}, "containerNames": containers}}]);
        })
    };
    let none: [&str; 0] = [];
    assert_eq!(created(&DEPLOYMENT_CONFIGS, config(json!(["container1"]))), none);
    assert_eq!(
        created(&DEPLOYMENT_CONFIGS, config(json!(["other"]))),
        ["spec.template.spec.containers[0].image: Required value"]
    );
}

#[test]
fn annotations_of_pods_that_mean_something_are_checked() {
    let check = |key: &str, value: &str, expected: &[&str]| {
        let mut pod = pod_with(|_| {});
        pod["metadata"] = json!({"annotations": {key: value}});
        assert_eq!(created(&PODS, pod), expected, "{key}");
    };
    check(
        "kubernetes.io/config.mirror",
        "",
        &["metadata.annotations[kubernetes.io/config.mirror]: Invalid value: \"\": must set \
         spec.nodeName if mirror pod annotation is set"],
    );
    check("seccomp.security.alpha.kubernetes.io/pod", "localhost/a", &[]);
    check(
        "seccomp.security.alpha.kubernetes.io/pod",
        "a",
        &[
            "metadata.annotations.seccomp.security.alpha.kubernetes.io/pod: Invalid value: \"a\": must \
         be a valid seccomp profile",
        ],
    );
    check("container.apparmor.security.beta.kubernetes.io/ctr", "runtime/default", &[]);
    check(
        "container.apparmor.security.beta.kubernetes.io/other",
        "a",
        &[
            "metadata.annotations[container.apparmor.security.beta.kubernetes.io/other]: Invalid value: \
         \"other\": container not found",
            "metadata.annotations[container.apparmor.security.beta.kubernetes.io/other]: Invalid value: \
         \"a\": invalid AppArmor profile name: \"a\"",
        ],
    );
}

#[test]
fn paths_of_some_refusals_leave_out_the_index() {
    let container = |change: fn(&mut Value), expected: &str| {
        let pod = pod_with(|spec| {
            spec["volumes"] = json!([{"name": "v"}]);
            change(&mut spec["containers"][0]);
        });
        assert_eq!(created(&PODS, pod), [expected]);
    };
    container(
        |ctr| ctr["volumeMounts"] = json!([{"name": "v", "mountPath": "/a", "subPath": "../b"}]),
        "spec.containers[0].volumeMounts.subPath: Invalid value: \"../b\": must not contain '..'",
    );
    container(
        |ctr| ctr["envFrom"] = json!([{}]),
        "spec.containers[0].envFrom: Invalid value: \"\": must specify one of: `configMapRef` or \
         `secretRef`",
    );
    container(
        |ctr| ctr["resources"] = json!({"limits": {"hugepages-2Mi": "2Mi"}}),
        "spec.containers[0].resources: Forbidden: HugePages require cpu or memory",
    );
}

#[test]
fn a_bound_claim_may_only_grow() {
    let claims = &crate::PERSISTENT_VOLUME_CLAIMS;
    let claim = |size: &str, class: &str| {
        let mut claim = json!({
            "metadata": {"name": "data", "namespace": "ns"},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class,
                     "resources": {"requests": {"storage": size}}},
            "status": {"phase": "Bound"},
        });
        defaults::apply(claims, &mut claim);
        claim
    };
    let check = |new: Value, expected: &[&str]| {
        let errors = update(claims, &new, &claim("2Gi", "a"));
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    };
    check(claim("3Gi", "a"), &[]);
    let smaller =
        "spec.resources.requests.storage: Forbidden: field can not be less than previous value";
    check(claim("1Gi", "a"), &[smaller]);
    check(claim("2Gi", "b"), &["spec: Forbidden: field is immutable after creation"]);
}

#[test]
fn quotas_count_in_whole_numbers() {
    let quotas = &crate::RESOURCE_QUOTAS;
    let check = |spec: Value, expected: &[&str]| {
        assert_eq!(created(quotas, json!({"spec": spec})), expected);
    };
    check(json!({"hard": {"cpu": "100m", "pods": 2}}), &[]);
    check(
        json!({"hard": {"pods": "500m"}}),
        &["spec.hard[pods]: Invalid value: \"500m\": must be an integer"],
    );
    check(
        json!({"hard": {"storage": 1}}),
        &["spec.hard[storage]: Invalid value: \"storage\": must be a standard resource for quota"],
    );
}

#[test]
fn scopes_of_quotas_are_known_and_fit_what_is_limited() {
    let check = |hard: &str, scopes: Value, expected: &[&str]| {
        let quota = json!({"spec": {"hard": {hard: 1}, "scopes": scopes}});
        assert_eq!(created(&crate::RESOURCE_QUOTAS, quota), expected);
    };
    check("pods", json!(["BestEffort", "Terminating"]), &[]);
    check("cpu", json!(["NotBestEffort"]), &[]);
    check("count/secrets", json!(["BestEffort"]), &[]);
    check("pods", json!(["Foo"]), &["spec.scopes: Invalid value: [\"Foo\"]: unsupported scope"]);
    let unfit = "unsupported scope applied to resource";
    let refused = format!("spec.scopes: Invalid value: [\"BestEffort\"]: {unfit}");
    check("cpu", json!(["BestEffort"]), &[&refused]);
    let refused = format!("spec.scopes: Invalid value: [\"Terminating\"]: {unfit}");
    check("services", json!(["Terminating"]), &[&refused]);
}

#[test]
fn limits_are_about_what_is_known() {
    let check = |limit: Value, expected: &[&str]| {
        assert_eq!(created(&crate::LIMIT_RANGES, json!({"spec": {"limits": [limit]}})), expected);
    };
    check(json!({"type": "openshift.io/Image", "max": {"storage": "1Gi"}}), &[]);
    check(
        json!({"type": "Foo"}),
        &["spec.limits[0].type: Invalid value: \"Foo\": must be a standard limit type or fully \
           qualified"],
    );
    check(
        json!({"type": "PersistentVolumeClaim"}),
        &["spec.limits[0].limits: Required value: either minimum or maximum storage value is \
           required, but neither was provided"],
    );
}

#[test]
fn priority_classes_stay_below_the_systems() {
    let classes = &crate::PRIORITY_CLASSES;
    let check = |name: &str, value: i64, expected: &[&str]| {
        let class = json!({"metadata": {"name": name}, "value": value});
        assert_eq!(created(classes, class), expected);
    };
    check("high", 1_000_000_000, &[]);
    check("system-node-critical", 2_000_001_000, &[]);
    check(
        "higher",
        1_000_000_001,
        &["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
    );
    check(
        "system-mine",
        5,
        &["metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for \
           system use only. error: system-mine is not a known system priority class"],
    );
    let class = |value: i64| json!({"metadata": {"name": "high"}, "value": value});
    let errors = update(classes, &class(6), &class(5));
    assert_eq!(errors[0].to_string(), "Value: Forbidden: may not be changed in an update.");
}

#[test]
fn of_two_sources_of_a_volume_the_second_is_too_much() {
    let pod = pod_with(|spec| {
        let volume = json!({"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}});
        spec["volumes"] = json!([volume]);
    });
    assert_eq!(
        created(&PODS, pod),
        ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"]
    );
}

#[test]
fn blocks_of_network_policies_are_networks() {
    let policies =
        crate::resources::find("networking.k8s.io", "v1", "networkpolicies").expect("is served");
    let check = |block: Value, expected: &[&str]| {
        let policy = json!({"spec": {"ingress": [{"from": [{"ipBlock": block}]}]}});
        assert_eq!(created(policies, policy), expected);
    };
    check(json!({"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}), &[]);
    check(
        json!({"cidr": "10.0.0.0"}),
        &["spec.ingress[0].from[0].ipBlock.cidr: Invalid value: \"10.0.0.0\": not a valid CIDR"],
    );
    check(
        json!({"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}),
        &["spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: 11.0.0.0: not within CIDR \
         range"],
    );
}

#[test]
fn a_scheduled_job_brings_no_selector() {
    let jobs = crate::resources::find("batch", "v1beta1", "cronjobs").expect("is served");
    let template =
        json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "i"}]}});
    let job = json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {
        "manualSelector": true, "template": template}}}});
    assert_eq!(
        created(jobs, job),
        [
            "spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: \"nil\", \
         \"false\"",
        ]
    );
}

#[test]
fn the_image_of_a_mapping_has_a_name_and_no_namespace() {
    let mapping = json!({
        "metadata": {"name": "web"},
        "tag": "latest",
        "image": {"metadata": {"namespace": "ns"}, "dockerImageReference": "a/b"},
    });
    assert_eq!(
        created(&crate::IMAGE_STREAM_MAPPINGS, mapping),
        [
            "image.metadata.name: Required value: name or generateName is required",
            "image.metadata.namespace: Forbidden: not allowed on this type",
        ]
    );
}

#[test]
fn a_storage_class_keeps_its_binding_mode() {
    let classes =
        crate::resources::find("storage.k8s.io", "v1", "storageclasses").expect("is served");
    let class = |mode: &str| json!({"metadata": {"name": "a"}, "provisioner": "p", "reclaimPolicy": "Delete", "volumeBindingMode": mode});
    let errors = update(classes, &class("Immediate"), &class("WaitForFirstConsumer"));
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["volumeBindingMode: Invalid value: \"Immediate\": field is immutable"]);
}
