//! The pod of a hook, the tags it writes and the words about it.

use super::*;

fn rc() -> Value {
    json!({
        "metadata": {"name": "web-2", "namespace": "p", "uid": "u"},
        "spec": {"template": {"spec": {
            "containers": [{
                "name": "web", "image": "web:2", "imagePullPolicy": "Always", "workingDir": "/srv",
                "args": ["serve"], "envFrom": [{"configMapRef": {"name": "x"}}],
                "env": [{"name": "A", "value": "container"}, {"name": "B", "value": "container"}],
                "volumeMounts": [
                    {"name": "data", "mountPath": "/data", "readOnly": true, "mountPropagation": "None"},
                    {"name": "other", "mountPath": "/other"}],
            }],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "other", "emptyDir": {}}],
            "nodeSelector": {"zone": "1"}, "serviceAccountName": "web",
        }}},
    })
}

fn exec(policy: &str, container: &str) -> Value {
    json!({"failurePolicy": policy, "execNewPod": {
        "containerName": container, "command": ["/bin/sh", "-c", "migrate"], "volumes": ["data"],
        "env": [{"name": "B", "value": "hook"}, {"name": "C", "value": "hook"}]}})
}

fn pod(policy: &str) -> Value {
    let strategy = json!({"labels": {"team": "a"}, "activeDeadlineSeconds": 100});
    let elapsed = Duration::from_secs(7);
    make_pod(&exec(policy, "web"), &rc(), &strategy, "hook-pre", elapsed).unwrap()
}

#[test]
fn the_pod_takes_after_the_container_that_the_hook_names() {
    let pod = pod("Abort");
    assert_eq!(pod.name(), "web-2-hook-pre");
    assert_eq!(pod.label(keys::DEPLOYER_POD_FOR), "web-2");
    assert_eq!(pod.label("openshift.io/deployer-pod.type"), "hook-pre");
    assert_eq!(pod.label("team"), "a");
    assert_eq!(pod["metadata"]["annotations"], json!({keys::DEPLOYMENT_NAME: "web-2"}));
    assert_eq!(
        pod["spec"],
        json!({
            "containers": [{
                "name": "lifecycle", "image": "web:2", "imagePullPolicy": "Always",
                "workingDir": "/srv", "command": ["/bin/sh", "-c", "migrate"],
                "env": [
                    {"name": "B", "value": "hook"}, {"name": "C", "value": "hook"},
                    {"name": "A", "value": "container"},
                    {"name": "OPENSHIFT_DEPLOYMENT_NAME", "value": "web-2"},
                    {"name": "OPENSHIFT_DEPLOYMENT_NAMESPACE", "value": "p"}],
                "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": true}],
            }],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "nodeSelector": {"zone": "1"},
            "activeDeadlineSeconds": 93, "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 10,
        })
    );
}

#[test]
fn only_a_hook_that_is_retried_is_started_again() {
    for (policy, expected) in [("Abort", "Never"), ("Ignore", "Never"), ("Retry", "OnFailure")] {
        assert_eq!(pod(policy)["spec"]["restartPolicy"], expected);
    }
}

#[test]
fn a_container_that_is_not_there_is_an_error() {
    let made = make_pod(&exec("Abort", "gone"), &rc(), &json!({}), "hook-mid", Duration::ZERO);
    assert_eq!(made.unwrap_err(), "no container named 'gone' found in rc template");
    let hook = json!({"tagImages": [
        {"containerName": "web", "to": {"kind": "ImageStreamTag", "name": "web:deployed"}},
        {"containerName": "gone", "to": {"kind": "ImageStreamTag", "name": "web:deployed"}}]});
    let tagging = Tagging {
        image: "web:2".to_owned(),
        namespace: String::new(),
        name: "web:deployed".to_owned(),
    };
    let missing = r#"unable to find image for container "gone", container could not be found"#;
    assert_eq!(taggings(&hook, &rc()), [Ok(tagging), Err(missing.to_owned())]);
}

#[test]
fn the_words_are_those_of_the_deployer() {
    assert_eq!(
        started(Moment::Pre, &exec("Abort", "web"), &rc()),
        r#"Running pre-hook ("/bin/sh -c migrate") for rc p/web-2"#
    );
    let hook = json!({"tagImages": [{"containerName": "web", "to": {"name": "web:deployed"}}]});
    assert_eq!(
        started(Moment::Post, &hook, &rc()),
        r#"Running post-hook (TagImages) image "web:2" as "web:deployed" for rc p/web-2"#
    );
    assert_eq!(completed(Moment::Mid, &rc()), "The mid-hook for rc p/web-2 completed successfully");
    for policy in [FailurePolicy::Abort, FailurePolicy::Retry] {
        let (event, error) = failed(Moment::Pre, policy, &rc(), "");
        assert_eq!(event, "The pre-hook failed: , aborting rollout of p/web-2");
        assert_eq!(error.unwrap_err(), "the pre hook failed: , aborting rollout of p/web-2");
    }
    let (event, error) = failed(Moment::Post, FailurePolicy::Ignore, &rc(), "DeadlineExceeded");
    assert_eq!(
        event,
        "The post-hook failed: DeadlineExceeded (ignore), rollout of p/web-2 will continue"
    );
    assert_eq!(error, Ok(()));
}
