//! Users, groups, mappings and reviews as the API shows them.

use apimachinery::{Value, json};
use apiserver::DeleteOptions;

use crate::cluster::{Cluster, basic, role_binding};

const USERS: &str = "/apis/user.openshift.io/v1";
const ME: &str = "/apis/user.openshift.io/v1/users/~";
const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

#[tokio::test]
async fn everyone_has_a_self() {
    let cluster = Cluster::start();
    let me = cluster.admin().get(ME).await.json();
    assert_eq!(
        me,
        json!({
            "kind": "User", "apiVersion": "user.openshift.io/v1",
            "metadata": {"name": "system:admin", "creationTimestamp": null},
            "identities": null,
            "groups": ["system:authenticated", "system:cluster-admins", "system:masters"],
        })
    );
    let anonymous = cluster.get(ME, &[]).await;
    assert_eq!(
        anonymous.brief(),
        "403 users.user.openshift.io \"~\" is forbidden: User \"system:anonymous\" cannot get \
         users.user.openshift.io at the cluster scope: no RBAC policy matched"
    );
    let ann = cluster.log_in("ann", "").await;
    let uid = &ann.get(ME).await.json()["metadata"]["uid"];
    assert_eq!(*uid, cluster.admin.get(&api::USERS, "", "ann").unwrap()["metadata"]["uid"]);
    for version in ["v1", "v1beta1", "v1alpha1"] {
        let group_version = format!("authentication.k8s.io/{version}");
        let review = json!({"kind": "SelfSubjectReview", "apiVersion": group_version});
        let path = format!("/apis/{group_version}/selfsubjectreviews");
        let review = ann.post(&path, &review).await.json();
        assert_eq!(review["apiVersion"], json!(group_version));
        assert_eq!(
            review["status"]["userInfo"],
            json!({
                "username": "ann", "uid": uid,
                "groups": ["system:authenticated:oauth", "system:authenticated"],
                "extra": {"scopes.authorization.openshift.io": ["user:full"]},
            })
        );
    }
}

#[tokio::test]
async fn groups_count_from_the_next_request_on() {
    let cluster = Cluster::start();
    let (admin, ann) = (cluster.admin(), cluster.log_in("ann", "").await);
    admin
        .post(
            "/apis/project.openshift.io/v1/projectrequests",
            &json!({"metadata": {"name": "team"}}),
        )
        .await;
    let mut binding = role_binding("devs", "edit", "devs");
    binding["subjects"][0]["kind"] = json!("Group");
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/team/rolebindings";
    assert_eq!(admin.post(path, &binding).await.code, 201);
    let pods = "/api/v1/namespaces/team/pods";
    assert_eq!(ann.get(pods).await.code, 403);
    // oc adm groups new devs ann bob
    let group = json!({"metadata": {"name": "devs"}, "users": ["ann", "bob"]});
    let made = admin.post(&format!("{USERS}/groups"), &group).await;
    assert_eq!(made.brief(), "201 devs");
    assert_eq!(
        admin.post(&format!("{USERS}/groups"), &group).await.brief(),
        "409 groups.user.openshift.io \"devs\" already exists"
    );
    assert_eq!(ann.get(pods).await.code, 200);
    let groups = ann.get(ME).await.json()["groups"].clone();
    assert_eq!(groups, json!(["devs", "system:authenticated", "system:authenticated:oauth"]));
    // oc adm groups remove-users devs ann
    let mut group = made.json();
    group["users"] = json!(["bob"]);
    let path = format!("{USERS}/groups/devs");
    assert_eq!(admin.send("PUT", &path, &group).await.code, 200);
    assert_eq!(ann.get(pods).await.code, 403);
}

#[tokio::test]
async fn reviews_know_every_kind_of_token() {
    let cluster = Cluster::start();
    let (admin, ann) = (cluster.admin(), cluster.log_in("ann", "user:info").await);
    let ask = async |token: &str| {
        let review = json!({"kind": "TokenReview", "spec": {"token": token}});
        admin.post(REVIEWS, &review).await.json()["status"].clone()
    };
    let uid = cluster.admin.get(&api::USERS, "", "ann").unwrap()["metadata"]["uid"].clone();
    assert_eq!(
        ask(&ann.token).await,
        json!({"authenticated": true, "user": {
            "username": "ann", "uid": uid,
            "groups": ["system:authenticated:oauth", "system:authenticated"],
            "extra": {"scopes.authorization.openshift.io": ["user:info"]},
        }})
    );
    assert_eq!(ask("account").await["user"]["username"], "system:serviceaccount:p:default");
    assert_eq!(ask("nobody").await, json!({"user": {}}));
    let refused = admin.post(REVIEWS, &json!({"kind": "TokenReview", "spec": {}})).await;
    assert_eq!(refused.brief(), "400 token is required for TokenReview in authentication");
    assert_eq!(ann.post(REVIEWS, &json!({"spec": {"token": "x"}})).await.code, 403);
}

#[tokio::test]
async fn named_tokens_are_of_users_like_others() {
    let cluster = Cluster::start();
    let (admin, carl) = (cluster.admin(), cluster.person("carl-token"));
    let virtual_groups = json!(["system:authenticated", "system:authenticated:oauth"]);
    assert_eq!(carl.get(ME).await.json()["groups"], virtual_groups);
    let group = json!({"metadata": {"name": "devs"}, "users": ["carl"]});
    admin.post(&format!("{USERS}/groups"), &group).await;
    let user = json!({"metadata": {"name": "carl"}});
    let user = admin.post(&format!("{USERS}/users"), &user).await.json();
    let groups = json!(["devs", "system:authenticated", "system:authenticated:oauth"]);
    let me = carl.get(ME).await.json();
    assert_eq!((&me["groups"], &me["metadata"]["uid"]), (&groups, &user["metadata"]["uid"]));
    let info = json!({"username": "carl", "uid": user["metadata"]["uid"],
        "groups": ["devs", "system:authenticated:oauth", "system:authenticated"]});
    let review = json!({"kind": "TokenReview", "spec": {"token": "carl-token"}});
    let reviewed = admin.post(REVIEWS, &review).await.json();
    assert_eq!(reviewed["status"], json!({"authenticated": true, "user": info}));
    let review = json!({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1"});
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    assert_eq!(carl.post(path, &review).await.json()["status"]["userInfo"], info);
}

#[tokio::test]
async fn mappings_join_and_part_users_and_identities() {
    let cluster = Cluster::start();
    let (admin, path) = (cluster.admin(), format!("{USERS}/useridentitymappings"));
    for name in ["ann", "bob"] {
        cluster.log_in(name, "").await;
    }
    let named = format!("{path}/anypassword:ann");
    let found = admin.get(&named).await.json();
    assert_eq!(
        (&found["user"]["name"], &found["identity"]["name"]),
        (&json!("ann"), &json!("anypassword:ann"))
    );
    let mapping = |identity: &str, user: &str| json!({"metadata": {"name": identity}, "identity": {"name": identity}, "user": {"name": user}});
    let create = async |identity: &str, user: &str| {
        admin.post(&path, &mapping(identity, user)).await.brief()
    };
    assert_eq!(
        create("anypassword:ann", "bob").await,
        "409 useridentitymapping.user.openshift.io \"anypassword:ann\" already exists"
    );
    assert_eq!(
        create("x:ann", "bob").await,
        "422 UserIdentityMapping.user.openshift.io \"x:ann\" is invalid: identity.name: Invalid value: \
         \"x:ann\": referenced identity does not exist"
    );
    // To another user, and back by a new mapping.
    let moved = admin.send("PUT", &named, &mapping("anypassword:ann", "bob")).await;
    assert_eq!((moved.code, &moved.json()["user"]["name"]), (200, &json!("bob")));
    let identities =
        |name: &str| cluster.admin.get(&api::USERS, "", name).unwrap()["identities"].clone();
    assert_eq!(identities("ann"), json!([]));
    assert_eq!(identities("bob"), json!(["anypassword:ann", "anypassword:bob"]));
    assert_eq!(admin.send("DELETE", &named, &Value::Null).await.code, 200);
    assert_eq!(
        admin.get(&named).await.brief(),
        "404 useridentitymapping.user.openshift.io \"anypassword:ann\" not found"
    );
    assert_eq!(identities("bob"), json!(["anypassword:bob"]));
    assert_eq!(
        create("anypassword:ann", "eve").await,
        "422 UserIdentityMapping.user.openshift.io \"anypassword:ann\" is invalid: user.name: Invalid \
         value: \"eve\": referenced user does not exist"
    );
    assert_eq!(create("anypassword:ann", "ann").await, "201 anypassword:ann");
    assert_eq!(identities("ann"), json!(["anypassword:ann"]));
}

#[tokio::test]
async fn names_of_users_are_checked() {
    let cluster = Cluster::start();
    let create = async |kind: &str, body: Value| {
        cluster.admin().post(&format!("{USERS}/{kind}"), &body).await.brief()
    };
    assert_eq!(
        create("users", json!({"metadata": {"name": "a:b"}})).await,
        "422 User.user.openshift.io \"a:b\" is invalid: metadata.name: Invalid value: \"a:b\": may not \
         contain \":\""
    );
    assert_eq!(
        create("users", json!({"metadata": {"name": "ann@example.org"}})).await,
        "201 ann@example.org"
    );
}

#[tokio::test]
async fn nobody_without_credentials_is_recognised() {
    let cluster = Cluster::start();
    let get = async |path: &str, headers: &[(&str, &str)]| cluster.get(path, headers).await.brief();
    assert_eq!(get("/version", &[]).await, "200 ");
    assert_eq!(
        get("/metrics", &[]).await,
        "403 forbidden: User \"system:anonymous\" cannot get path \"/metrics\": no RBAC policy matched"
    );
    assert_eq!(
        get("/api/v1/namespaces/default/pods", &[]).await,
        "403 pods is forbidden: User \"system:anonymous\" cannot list pods in the namespace \"default\": \
         no RBAC policy matched"
    );
    assert_eq!(get("/version", &[("authorization", "Bearer wrong")]).await, "401 Unauthorized");
    let shown = basic("ann", "x");
    assert_eq!(get("/version", &[("authorization", &shown)]).await, "200 ");
    let acting = [("impersonate-user", "system:admin")];
    assert_eq!(
        get("/version", &acting).await,
        "403 users \"system:admin\" is forbidden: User \"system:anonymous\" cannot impersonate users at the \
         cluster scope: no RBAC policy matched"
    );
    let ann = cluster.log_in("ann", "").await;
    assert_eq!(
        ann.get("/apis/nosuch.io/v1/things/x").await.brief(),
        "403 things.nosuch.io \"x\" is forbidden: User \"ann\" cannot get things.nosuch.io at the cluster \
         scope: no RBAC policy matched"
    );
    assert_eq!(cluster.admin().get("/apis/nosuch.io/v1/things/x").await.code, 404);
    cluster.admin.delete(&api::USERS, "", "ann", DeleteOptions::default()).unwrap();
    assert_eq!(ann.get("/version").await.brief(), "401 Unauthorized");
}
