//! Pods before and after, with the texts of a recorded cluster.

use super::*;

fn namespace_of(block: &str) -> Value {
    json!({"metadata": {"annotations": {
        "openshift.io/sa.scc.uid-range": format!("{block}/10000"),
        "openshift.io/sa.scc.supplemental-groups": format!("{block}/10000"),
        "openshift.io/sa.scc.mcs": "s0:c21,c10",
    }}})
}

fn assign(constraint: &str, pod: &mut Value) -> String {
    let all = bootstrap::constraints();
    let constraint = all.iter().find(|it| it.name() == constraint).unwrap();
    let errors = Provider::new(constraint, &namespace_of("1000690000")).unwrap().assign(pod);
    errors.iter().map(field::Error::to_string).collect::<Vec<_>>().join(" ")
}

fn pod(container: &Value) -> Value {
    json!({"spec": {"containers": [container]}})
}

#[test]
fn restricted_fills_in_what_was_recorded() {
    let mut plain = pod(&json!({"name": "c"}));
    assert_eq!(assign("restricted", &mut plain), "");
    assert_eq!(
        plain["spec"],
        json!({
            "containers": [{"name": "c", "securityContext": {
                "capabilities": {"drop": ["KILL", "MKNOD", "SETGID", "SETUID"]},
                "runAsUser": 1_000_690_000}}],
            "securityContext": {"fsGroup": 1_000_690_000, "seLinuxOptions": {"level": "s0:c21,c10"}},
        })
    );
}

#[test]
fn anyuid_and_privileged_leave_the_user_open() {
    let mut plain = pod(&json!({"name": "c"}));
    assert_eq!(assign("anyuid", &mut plain), "");
    assert_eq!(
        plain["spec"],
        json!({
            "containers": [{"name": "c", "securityContext": {"capabilities": {"drop": ["MKNOD"]}}}],
            "securityContext": {"seLinuxOptions": {"level": "s0:c21,c10"}},
        })
    );
    let bare = pod(&json!({"name": "c", "securityContext": {"privileged": true}}));
    let mut same = bare.clone();
    assert_eq!(assign("privileged", &mut same), "");
    assert_eq!(same, bare);
}

#[test]
fn refusals_read_as_recorded() {
    let mut privileged = pod(&json!({"securityContext": {"privileged": true}}));
    assert_eq!(
        assign("restricted", &mut privileged),
        "spec.containers[0].securityContext.privileged: Invalid value: true: Privileged containers are not allowed"
    );
    let mut root = pod(&json!({"securityContext": {"runAsUser": 0}}));
    assert_eq!(
        assign("restricted", &mut root),
        "spec.containers[0].securityContext.securityContext.runAsUser: Invalid value: 0: must be in the ranges: [1000690000, 1000699999]"
    );
    let mut host = json!({"spec": {"hostNetwork": true,
        "volumes": [{"name": "h", "hostPath": {"path": "/"}}],
        "containers": [{"ports": [{"containerPort": 8080, "hostPort": 8080}]}]}});
    assert_eq!(
        assign("restricted", &mut host),
        "provider restricted: .spec.securityContext.hostNetwork: Invalid value: true: Host network is not allowed to be used \
         spec.volumes[0]: Invalid value: \"hostPath\": hostPath volumes are not allowed to be used \
         spec.containers[0].securityContext.hostNetwork: Invalid value: true: Host network is not allowed to be used \
         spec.containers[0].securityContext.containers[0].hostPort: Invalid value: 8080: Host ports are not allowed to be used"
    );
}

#[test]
fn groups_levels_and_capabilities_are_checked() {
    let mut pod = json!({"spec": {
        "securityContext": {"fsGroup": 0, "seLinuxOptions": {"level": "s0:c10,c21"}},
        "containers": [{"securityContext": {"capabilities": {"add": ["NET_ADMIN", "KILL"]}}}]}});
    assert_eq!(
        assign("restricted", &mut pod),
        "fsGroup: Invalid value: []int64{0}: 0 is not an allowed group \
         capabilities.add: Invalid value: \"KILL\": capability may not be added \
         capabilities.add: Invalid value: \"NET_ADMIN\": capability may not be added \
         capabilities.drop: Invalid value: [\"MKNOD\",\"SETGID\",\"SETUID\"]: KILL is required to be dropped but was not found"
    );
    let mut root = json!({"spec": {"containers": [{"securityContext": {"runAsUser": 0}}]}});
    assert_eq!(
        assign("nonroot", &mut root),
        "spec.containers[0].securityContext.securityContext.runAsUser: Invalid value: 0: running with the root UID is forbidden"
    );
}

#[test]
fn profiles_are_for_the_privileged() {
    let annotations = json!({"seccomp.security.alpha.kubernetes.io/pod": "localhost/p"});
    let mut pod = pod(&json!({"name": "c"}));
    pod["metadata"] = json!({"annotations": annotations});
    assert_eq!(assign("privileged", &mut pod.clone()), "");
    assert_eq!(
        assign("anyuid", &mut pod),
        "pod.metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: Forbidden: seccomp may not be set"
    );
}

#[test]
fn without_annotations_there_is_no_provider() {
    let all = bootstrap::constraints();
    let made = |scc: &Value| Provider::new(scc, &json!({})).is_some();
    let usable: Vec<&str> = all.iter().filter(|scc| made(scc)).map(|scc| scc.name()).collect();
    assert_eq!(usable, ["privileged"]);
}
