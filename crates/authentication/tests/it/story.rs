//! The story of a user: logs in, asks for a project, is refused another's, is granted `view`, `edit` and
//! `admin` one after another, and can do exactly what each allows.

use apimachinery::{Value, json};

use crate::cluster::{Cluster, Person, role_binding};

const PROJECTS: &str = "/apis/project.openshift.io/v1/projects";
const REQUESTS: &str = "/apis/project.openshift.io/v1/projectrequests";
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/alice-proj/rolebindings";
const CONFIGS: &str = "/apis/apps.openshift.io/v1/namespaces/alice-proj/deploymentconfigs";
const MAPS: &str = "/api/v1/namespaces/alice-proj/configmaps";

/// One thing that somebody might do in `alice-proj`.
#[derive(Clone, Copy)]
struct Act {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    body: fn() -> Value,
}

const fn act(name: &'static str, method: &'static str, path: &'static str) -> Act {
    Act { name, method, path, body: || Value::Null }
}

const fn with(act: Act, body: fn() -> Value) -> Act {
    Act { body, ..act }
}

fn acts() -> Vec<Act> {
    let map = || json!({"metadata": {"name": "mine"}, "data": {"a": "b"}});
    let patch = || json!({"metadata": {"labels": {"by": "bob"}}});
    let applied = || json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {}});
    let endpoints = || json!({"metadata": {"name": "put"}});
    let role = || json!({"metadata": {"name": "r"}, "rules": []});
    vec![
        act("see project", "GET", "/apis/project.openshift.io/v1/projects/alice-proj"),
        act("list pods", "GET", "/api/v1/namespaces/alice-proj/pods"),
        act("watch pods", "GET", "/api/v1/namespaces/alice-proj/pods?watch=true&timeoutSeconds=1"),
        act("read log", "GET", "/api/v1/namespaces/alice-proj/pods/x/log"),
        act("list dcs", "GET", CONFIGS),
        act("list configmaps", "GET", MAPS),
        with(act("create configmap", "POST", MAPS), map),
        with(
            act("patch configmap", "PATCH", "/api/v1/namespaces/alice-proj/configmaps/mine"),
            patch,
        ),
        with(
            act(
                "apply configmap",
                "APPLY",
                "/api/v1/namespaces/alice-proj/configmaps/applied?fieldManager=m",
            ),
            applied,
        ),
        with(act("put endpoints", "PUT", "/api/v1/namespaces/alice-proj/endpoints/put"), endpoints),
        act("delete configmap", "DELETE", "/api/v1/namespaces/alice-proj/configmaps/mine"),
        act("list secrets", "GET", "/api/v1/namespaces/alice-proj/secrets"),
        act("see scale", "GET", "/api/v1/namespaces/alice-proj/replicationcontrollers/x/scale"),
        act("list bindings", "GET", BINDINGS),
        with(act("grant view", "POST", BINDINGS), || role_binding("more", "view", "eve")),
        with(act("grant cluster-admin", "POST", BINDINGS), || {
            role_binding("all", "cluster-admin", "bob")
        }),
        with(
            act(
                "create role",
                "POST",
                "/apis/rbac.authorization.k8s.io/v1/namespaces/alice-proj/roles",
            ),
            role,
        ),
        act("read quota", "GET", "/api/v1/namespaces/alice-proj/resourcequotas"),
        with(
            act("create quota", "POST", "/api/v1/namespaces/alice-proj/resourcequotas"),
            || json!({"metadata": {"name": "q"}, "spec": {}}),
        ),
        act("list nodes", "GET", "/api/v1/nodes"),
        act("all pods", "GET", "/api/v1/pods"),
        act("other project", "GET", "/api/v1/namespaces/default/pods"),
    ]
}

/// Does everything and gives what was let through.
async fn able(person: &Person<'_>) -> Vec<&'static str> {
    let mut able = Vec::new();
    for act in acts() {
        let answer = match act.method {
            "APPLY" => {
                let media = "application/apply-patch+yaml";
                person.send_as("PATCH", act.path, media, &(act.body)()).await
            }
            method => person.send(method, act.path, &(act.body)()).await,
        };
        // What is let through may still not be there.
        if answer.code == 403 {
            assert_eq!(answer.json()["reason"], "Forbidden", "{}", act.name);
        } else {
            assert!([200, 201, 404].contains(&answer.code), "{} {}", act.name, answer.text);
            able.push(act.name);
        }
    }
    able
}

#[tokio::test]
async fn a_user_can_do_exactly_what_was_granted() {
    let cluster = Cluster::start();
    let (alice, bob) = (cluster.log_in("alice", "").await, cluster.log_in("bob", "").await);
    for (person, name) in [(&alice, "alice-proj"), (&bob, "bob-proj")] {
        let project = person.post(REQUESTS, &json!({"metadata": {"name": name}})).await;
        assert_eq!((project.code, &project.json()["kind"]), (201, &json!("Project")));
    }
    assert_eq!(
        bob.get("/apis/project.openshift.io/v1/projects/alice-proj").await.brief(),
        "403 projects.project.openshift.io \"alice-proj\" is forbidden: User \"bob\" cannot get \
         projects.project.openshift.io in the namespace \"alice-proj\": no RBAC policy matched"
    );
    let nothing: [&str; 0] = [];
    assert_eq!(able(&bob).await, nothing);
    assert_eq!(bob.names(PROJECTS).await, ["bob-proj"]);

    let grant = async |role: &str| {
        assert_eq!(
            alice.post(BINDINGS, &role_binding(&format!("bob-{role}"), role, "bob")).await.code,
            201
        );
    };
    let reading = [
        "see project",
        "list pods",
        "watch pods",
        "read log",
        "list dcs",
        "list configmaps",
        "see scale",
        "read quota",
    ];
    grant("view").await;
    assert_eq!(able(&bob).await, reading);
    assert_eq!(bob.names(PROJECTS).await, ["alice-proj", "bob-proj"]);

    grant("edit").await;
    let editing = [
        "see project",
        "list pods",
        "watch pods",
        "read log",
        "list dcs",
        "list configmaps",
        "create configmap",
        "patch configmap",
        "apply configmap",
        "put endpoints",
        "delete configmap",
        "list secrets",
        "see scale",
        "read quota",
    ];
    assert_eq!(able(&bob).await, editing);

    grant("admin").await;
    let admin = able(&bob).await;
    let more: Vec<&str> = admin.iter().copied().filter(|name| !editing.contains(name)).collect();
    assert_eq!(more, ["list bindings", "grant view", "create role"]);

    for role in ["view", "edit", "admin"] {
        assert_eq!(
            alice.send("DELETE", &format!("{BINDINGS}/bob-{role}"), &Value::Null).await.code,
            200
        );
    }
    assert_eq!(able(&bob).await, nothing);
    assert_eq!(bob.names(PROJECTS).await, ["bob-proj"]);
}

#[tokio::test]
async fn a_project_is_for_those_who_may_ask() {
    let cluster = Cluster::start();
    let bob = cluster.log_in("bob", "").await;
    let request =
        async |name: &str| bob.post(REQUESTS, &json!({"metadata": {"name": name}})).await.brief();
    assert_eq!(
        request("default").await,
        "409 project.project.openshift.io \"default\" already exists"
    );
    assert_eq!(
        request("openshift-x").await,
        "403 project.project.openshift.io \"openshift-x\" is forbidden: cannot request a project \
         starting with \"openshift-\""
    );
    let options = apiserver::DeleteOptions::default();
    cluster.admin.delete(&api::CLUSTER_ROLE_BINDINGS, "", "self-provisioners", options).unwrap();
    // `oc new-project` asks first.
    let refused = "403 You may not request a new project via this API.";
    assert_eq!(bob.get(REQUESTS).await.brief(), refused);
    assert_eq!(
        request("another").await,
        "403 projectrequests.project.openshift.io is forbidden: User \"bob\" cannot create \
         projectrequests.project.openshift.io at the cluster scope: no RBAC policy matched"
    );
}

/// Whoever may change an object but not create one creates none by PUT or apply; whoever may read one
/// by name may list and watch it by that name.
#[tokio::test]
async fn rights_to_single_objects_are_kept_to_them() {
    let cluster = Cluster::start();
    let (admin, bob) = (cluster.admin(), cluster.log_in("bob", "").await);
    admin.post(REQUESTS, &json!({"metadata": {"name": "alice-proj"}})).await;
    let role = json!({"metadata": {"name": "one"}, "rules": [
        {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["configmaps"],
         "resourceNames": ["mine"]},
        {"verbs": ["get", "update", "patch"], "apiGroups": [""], "resources": ["configmaps", "endpoints"]},
    ]});
    let roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/alice-proj/roles";
    assert_eq!(admin.post(roles, &role).await.code, 201);
    let mut binding = role_binding("one", "one", "bob");
    binding["roleRef"]["kind"] = json!("Role");
    assert_eq!(admin.post(BINDINGS, &binding).await.code, 201);
    for name in ["mine", "other"] {
        assert_eq!(admin.post(MAPS, &json!({"metadata": {"name": name}})).await.code, 201);
    }
    assert_eq!(bob.names(&format!("{MAPS}?fieldSelector=metadata.name%3Dmine")).await, ["mine"]);
    let watch = format!("{MAPS}?fieldSelector=metadata.name%3Dmine&watch=1&timeoutSeconds=1");
    assert_eq!(bob.get(&watch).await.code, 200);
    assert_eq!(
        bob.get(&format!("{MAPS}?fieldSelector=metadata.name%3Dother")).await.brief(),
        "403 configmaps \"other\" is forbidden: User \"bob\" cannot list configmaps in the namespace \
         \"alice-proj\": no RBAC policy matched"
    );
    assert_eq!(bob.get(MAPS).await.code, 403);
    // An apply by someone who may patch only.
    let apply = async |name: &str| {
        let path = format!("{MAPS}/{name}?fieldManager=m");
        let config = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"},
        });
        bob.send_as("PATCH", &path, "application/apply-patch+yaml", &config).await.brief()
    };
    assert_eq!(apply("mine").await, "200 mine");
    assert_eq!(
        apply("new").await,
        "403 configmaps \"new\" is forbidden: User \"bob\" cannot create configmaps in the namespace \
         \"alice-proj\": no RBAC policy matched"
    );
    let put = "/api/v1/namespaces/alice-proj/endpoints/new";
    assert_eq!(
        bob.send("PUT", put, &json!({"metadata": {"name": "new"}})).await.brief(),
        "403 endpoints \"new\" is forbidden: User \"bob\" cannot create endpoints in the namespace \
         \"alice-proj\": no RBAC policy matched"
    );
}
