//! Constraints, classes, selectors and protection.

use admission::Options;
use admission::project_request_limit::ProjectLimit;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use crate::cluster::{Cluster, NS, names, pod};

#[test]
fn who_creates_a_pod_decides_how_it_runs() {
    let cluster = Cluster::new(1);
    let by_admin = cluster.create(&api::PODS, pod("a", &json!({})));
    assert_eq!(by_admin.annotation("openshift.io/scc"), Some("anyuid"));
    let by_bob = cluster.user("bob").create(&api::PODS, NS, pod("b", &json!({}))).unwrap();
    assert_eq!(by_bob.annotation("openshift.io/scc"), Some("restricted"));
    let namespace = cluster.get(&api::NAMESPACES, NS);
    // Six namespaces came before.
    assert_eq!(namespace.annotation("openshift.io/sa.scc.uid-range"), Some("1000060000/10000"));
    let container = &by_bob["spec"]["containers"][0];
    assert_eq!(container["securityContext"]["runAsUser"], 1_000_060_000);
    let mut host = pod("h", &json!({}));
    host["spec"]["hostNetwork"] = json!(true);
    let refusal = cluster.user("bob").create(&api::PODS, NS, host).unwrap_err();
    assert_eq!(refusal.code, 403);
    assert_eq!(
        refusal.message,
        "pods \"h\" is forbidden: unable to validate against any security context constraint: \
         [provider restricted: .spec.securityContext.hostNetwork: Invalid value: true: Host network is not allowed to be used \
         spec.containers[0].securityContext.hostNetwork: Invalid value: true: Host network is not allowed to be used]"
    );
}

#[test]
fn containers_that_join_a_pod_are_held_to_the_constraints() {
    let cluster = Cluster::new(8);
    let bob = cluster.user("bob");
    let made = bob.create(&api::PODS, NS, pod("b", &json!({}))).unwrap();
    let joining = |name: &str, privileged: bool| {
        let mut pod = (*made).clone();
        pod["spec"]["ephemeralContainers"] = json!([{"name": name, "image": "x",
            "securityContext": {"privileged": privileged}}]);
        pod
    };
    let refused = bob.update_sub(&api::PODS, "ephemeralcontainers", joining("a", true));
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, 403);
    let text = "spec.ephemeralContainers[0].securityContext.privileged: Invalid value: true: \
                Privileged containers are not allowed";
    assert!(refused.message.contains(text), "{}", refused.message);
    let joined = bob.update_sub(&api::PODS, "ephemeralcontainers", joining("a", false)).unwrap();
    let container = &joined["spec"]["ephemeralContainers"][0];
    let own = &made["spec"]["containers"][0]["securityContext"]["runAsUser"];
    assert_eq!(&container["securityContext"]["runAsUser"], own);
    assert_eq!(joined["spec"]["containers"], made["spec"]["containers"]);
}

#[test]
fn labels_of_a_pod_may_change_whoever_made_it() {
    let cluster = Cluster::new(2);
    cluster.create(&api::PODS, pod("a", &json!({})));
    let bob = cluster.user("bob");
    let patch = json!({"metadata": {"labels": {"x": "y"}}});
    bob.patch(&api::PODS, NS, "a", apiserver::PatchKind::Merge, patch).unwrap();
}

#[test]
fn blocks_of_deleted_namespaces_are_used_again() {
    let mut cluster = Cluster::new(3);
    let range = |namespace: &Value| {
        namespace.annotation("openshift.io/sa.scc.uid-range").map(str::to_owned)
    };
    let first = range(&cluster.get(&api::NAMESPACES, NS));
    let second = cluster.create(&api::NAMESPACES, json!({"metadata": {"name": "two"}}));
    assert_ne!(range(&second), first);
    cluster.delete(&api::NAMESPACES, NS);
    cluster.run(60);
    let third = cluster.create(&api::NAMESPACES, json!({"metadata": {"name": "three"}}));
    assert_eq!(range(&third), first);
}

#[test]
fn priority_classes_become_numbers() {
    let cluster = Cluster::new(4);
    let with = |name: &str, class: &str| {
        let mut pod = pod(name, &json!({}));
        pod["spec"]["priorityClassName"] = json!(class);
        pod
    };
    assert_eq!(cluster.create(&api::PODS, pod("a", &json!({})))["spec"]["priority"], 0);
    cluster.create(&api::PRIORITY_CLASSES, json!({"metadata": {"name": "high"}, "value": 1000}));
    assert_eq!(cluster.create(&api::PODS, with("b", "high"))["spec"]["priority"], 1000);
    assert_eq!(
        cluster.refused(&api::PODS, with("c", "none")),
        "pods \"c\" is forbidden: no PriorityClass with name none was found"
    );
    assert_eq!(
        cluster.refused(&api::PODS, with("d", "system-cluster-critical")),
        "pods \"d\" is forbidden: pods with system-cluster-critical priorityClass is not permitted in dev namespace"
    );
    let default =
        |name: &str| json!({"metadata": {"name": name}, "value": 7, "globalDefault": true});
    cluster.create(&api::PRIORITY_CLASSES, default("usual"));
    assert_eq!(cluster.create(&api::PODS, pod("e", &json!({})))["spec"]["priority"], 7);
    assert!(
        cluster.refused(&api::PRIORITY_CLASSES, default("other")).ends_with(
            "PriorityClass usual is already marked as default. Only one default can exist"
        )
    );
}

#[test]
fn pods_go_where_their_project_may() {
    let cluster = Cluster::new(5);
    let annotations = json!({"openshift.io/node-selector": "region=infra"});
    cluster.patch(&api::NAMESPACES, NS, json!({"metadata": {"annotations": annotations}}));
    let placed = cluster.create(&api::PODS, pod("a", &json!({})));
    assert_eq!(placed["spec"]["nodeSelector"], json!({"region": "infra"}));
    let mut other = pod("b", &json!({}));
    other["spec"]["nodeSelector"] = json!({"region": "primary"});
    assert_eq!(
        cluster.refused(&api::PODS, other),
        "pods \"b\" is forbidden: pod node label selector conflicts with its project node label selector"
    );
}

#[test]
fn pods_that_ask_for_resources_put_up_with_memory_pressure() {
    let cluster = Cluster::new(6);
    let asks = cluster.create(&api::PODS, pod("a", &json!({"requests": {"cpu": "1m"}})));
    let pressure = json!([{"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"}]);
    assert_eq!(asks["spec"]["tolerations"], pressure);
    let plain = cluster.create(&api::PODS, pod("b", &json!({})));
    assert!(plain["spec"].get("tolerations").is_none());
}

#[test]
fn claims_in_use_are_kept() {
    let mut cluster = Cluster::new(7);
    let claim = json!({"metadata": {"name": "c"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}}}});
    let stored = cluster.create(&api::PERSISTENT_VOLUME_CLAIMS, claim);
    assert_eq!(stored["metadata"]["finalizers"], json!(["kubernetes.io/pvc-protection"]));
    let mut user = pod("a", &json!({}));
    user["spec"]["volumes"] = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]);
    user["spec"]["nodeName"] = json!("n");
    cluster.create(&api::PODS, user);
    cluster.delete(&api::PERSISTENT_VOLUME_CLAIMS, "c");
    cluster.settle();
    assert!(cluster.get(&api::PERSISTENT_VOLUME_CLAIMS, "c").deletion_timestamp().is_some());
    let now = apiserver::DeleteOptions::now("");
    cluster.client.delete(&api::PODS, NS, "a", now).unwrap();
    cluster.settle();
    assert!(cluster.list(&api::PERSISTENT_VOLUME_CLAIMS).is_empty());
}

#[test]
fn streams_with_local_lookup_are_resolved() {
    let cluster = Cluster::new(8);
    let digest = format!("sha256:{}", "b".repeat(64));
    let stream = json!({"metadata": {"name": "mysql"}, "spec": {"lookupPolicy": {"local": true}}});
    let mut stream = (*cluster.create(&api::IMAGE_STREAMS, stream)).clone();
    stream["status"] = json!({"dockerImageRepository": "", "tags": [{"tag": "latest", "items": [{
        "created": "2018-10-11T12:00:00Z", "generation": 1, "image": digest,
        "dockerImageReference": format!("docker.io/library/mysql@{digest}")}]}]});
    cluster.client.update_status(&api::IMAGE_STREAMS, stream).unwrap();
    let mut local = pod("a", &json!({}));
    local["spec"]["containers"][0]["image"] = json!("mysql");
    let stored = cluster.create(&api::PODS, local);
    let image = stored["spec"]["containers"][0]["image"].as_str().unwrap();
    assert_eq!(image, format!("docker.io/library/mysql@{digest}"));
}

#[test]
fn owners_must_be_known_to_block() {
    let cluster = Cluster::new(9);
    let owner = json!({"apiVersion": "platform.stackrox.io/v1alpha1", "kind": "Central", "name": "c",
        "uid": "1", "blockOwnerDeletion": true});
    let map = json!({"metadata": {"name": "central", "ownerReferences": [owner]}});
    assert_eq!(
        cluster.refused(&api::CONFIG_MAPS, map),
        "configmaps \"central\" is forbidden: cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion platform.stackrox.io/v1alpha1 Kind Central: no matches for kind \"Central\" in version \"platform.stackrox.io/v1alpha1\""
    );
}

#[test]
fn users_may_have_so_many_projects() {
    let limit = ProjectLimit { max_projects: Some(1), ..ProjectLimit::default() };
    let options = Options { project_limits: vec![limit], ..Options::default() };
    let cluster = Cluster::with(10, &options);
    let bob = cluster.user("bob");
    let ask =
        |name: &str| bob.create(&api::PROJECT_REQUESTS, "", json!({"metadata": {"name": name}}));
    ask("first").unwrap();
    assert_eq!(
        ask("second").unwrap_err().message,
        "projectrequests.project.openshift.io \"second\" is forbidden: user bob cannot create more than 1 project(s)."
    );
    let all = cluster.client.list(&api::NAMESPACES, "").unwrap();
    assert!(!names(&all).contains(&"second"));
}
