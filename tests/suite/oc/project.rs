//! `oc whoami`, `new-project`, `projects`, `project`, `status`, `get all`, `delete project`.

use apimachinery::{Value, json};

use super::{path, shop};

const PROJECTS: &str = "/apis/project.openshift.io/v1/projects";

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[test]
fn a_project_is_requested_seen_by_its_owner_and_deleted() {
    let (_cluster, admin, alice) = shop();
    let bob = admin.by("bob");
    // oc new-project asks first whether it may.
    let may = bob.get("/apis/project.openshift.io/v1/projectrequests").ok();
    assert_eq!((&may["kind"], &may["status"]), (&json!("Status"), &json!("Success")));
    let again = json!({"kind": "ProjectRequest", "apiVersion": "project.openshift.io/v1",
        "metadata": {"name": "shop"}});
    let taken = bob.post("/apis/project.openshift.io/v1/projectrequests", &again);
    assert_eq!(taken.refusal(), "409 project.project.openshift.io \"shop\" already exists");
    // oc projects, oc project
    assert_eq!(names(&alice.get(PROJECTS).ok()), ["shop"]);
    assert!(names(&bob.get(PROJECTS).ok()).is_empty());
    let project = alice.get(&format!("{PROJECTS}/shop")).ok();
    let notes = &project["metadata"]["annotations"];
    assert_eq!(notes["openshift.io/display-name"], "Shop");
    assert_eq!(notes["openshift.io/requester"], "alice");
    assert_eq!(project["status"]["phase"], "Active");
    assert_eq!(
        bob.get(&format!("{PROJECTS}/shop")).refusal(),
        "403 projects.project.openshift.io \"shop\" is forbidden: User \"bob\" cannot get projects.project.openshift.io in the namespace \"shop\": no RBAC policy matched"
    );
    // oc delete project asks again until it is not found.
    let gone = format!("{PROJECTS}/shop");
    alice.delete(&gone).ok();
    admin.wait_deleted("/api/v1/namespaces", "shop");
    assert_eq!(alice.get(&gone).code, 403);
    assert_eq!(admin.get(&gone).refusal(), "404 namespaces \"shop\" not found");
}

#[test]
fn whoami_says_who_asks() {
    let (_cluster, _, alice) = shop();
    let me = alice.get("/apis/user.openshift.io/v1/users/~").ok();
    assert_eq!(me["metadata"]["name"], "alice");
    let groups = json!(["system:authenticated", "system:authenticated:oauth"]);
    assert_eq!(me["groups"], groups);
}

/// Everything `oc status` and `oc get all` list of a project.
#[test]
fn status_and_get_all_find_every_list() {
    let (_cluster, admin, alice) = shop();
    // oc status asks by the legacy review.
    let review = json!({"kind": "SubjectAccessReview", "apiVersion": "authorization.openshift.io/v1",
        "verb": "list", "resource": "pods", "namespace": "shop", "resourceName": "",
        "resourceAPIGroup": "", "resourceAPIVersion": "", "path": "", "isNonResourceURL": false,
        "user": "", "groups": null, "scopes": null, "content": null});
    let reviews = "/apis/authorization.openshift.io/v1/subjectaccessreviews";
    assert_eq!(alice.post(reviews, &review).ok()["allowed"], json!(true));
    let mut old = review.clone();
    old["apiVersion"] = json!("v1");
    assert_eq!(alice.post("/oapi/v1/subjectaccessreviews", &old).ok()["allowed"], json!(true));
    let of_bob = json!({"kind": "SubjectAccessReview", "verb": "list", "resource": "pods",
        "namespace": "shop", "user": "bob"});
    assert_eq!(alice.post(reviews, &of_bob).code, 403);
    let lists = [
        ("", "services", "Service"),
        ("", "serviceaccounts", "ServiceAccount"),
        ("", "secrets", "Secret"),
        ("", "persistentvolumeclaims", "PersistentVolumeClaim"),
        ("", "replicationcontrollers", "ReplicationController"),
        ("", "pods", "Pod"),
        ("apps", "statefulsets", "StatefulSet"),
        ("apps", "deployments", "Deployment"),
        ("apps", "replicasets", "ReplicaSet"),
        ("apps", "daemonsets", "DaemonSet"),
        ("batch", "jobs", "Job"),
        ("route", "routes", "Route"),
        ("build", "buildconfigs", "BuildConfig"),
        ("build", "builds", "Build"),
        ("image", "imagestreams", "ImageStream"),
        ("apps.openshift.io", "deploymentconfigs", "DeploymentConfig"),
    ];
    for (group, resource, kind) in lists {
        let list = alice.get(&path(group, resource)).ok();
        assert_eq!(list["kind"], format!("{kind}List"), "{resource}");
        let stranger = admin.by("bob").get(&path(group, resource));
        assert_eq!(stranger.code, 403, "{resource}: {}", stranger.text);
    }
    let scalers = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers";
    assert_eq!(alice.get(scalers).ok()["kind"], "HorizontalPodAutoscalerList");
}
