//! Tokens that may be used for less than their user may.

use apimachinery::json;

use crate::cluster::{Cluster, role_binding};

const ME: &str = "/apis/user.openshift.io/v1/users/~";
const PROJECTS: &str = "/apis/project.openshift.io/v1/projects";

#[tokio::test]
async fn scopes_narrow_what_a_token_is_good_for() {
    let cluster = Cluster::start();
    let full = cluster.log_in("ann", "user:full").await;
    let request = json!({"metadata": {"name": "own"}});
    full.post("/apis/project.openshift.io/v1/projectrequests", &request).await;
    assert_eq!(full.names(PROJECTS).await, ["own"]);

    let info = cluster.log_in("ann", "user:info").await;
    assert_eq!(info.get(ME).await.brief(), "200 ann");
    assert_eq!(
        info.get("/api/v1/namespaces/own/pods").await.brief(),
        "403 pods is forbidden: User \"ann\" cannot list pods in the namespace \"own\": scopes \
         [user:info] prevent this action"
    );
    assert_eq!(
        info.get("/metrics").await.brief(),
        "403 forbidden: User \"ann\" cannot get path \"/metrics\": scopes [user:info] prevent this action"
    );
    let lists = cluster.log_in("ann", "user:list-projects").await;
    assert_eq!(lists.names(PROJECTS).await, ["own"]);
    assert_eq!(lists.get(ME).await.code, 403);
    let scoped = cluster.log_in("ann", "user:list-scoped-projects").await;
    assert_eq!(scoped.names(PROJECTS).await, [""; 0]);
    let scoped = cluster.log_in("ann", "user:list-scoped-projects role:view:own").await;
    assert_eq!(scoped.names(PROJECTS).await, ["own"]);
    assert_eq!(scoped.get("/api/v1/namespaces/own/pods").await.code, 200);
    let maps = "/api/v1/namespaces/own/configmaps";
    assert_eq!(scoped.post(maps, &json!({"metadata": {"name": "a"}})).await.code, 403);
    assert_eq!(full.post(maps, &json!({"metadata": {"name": "a"}})).await.code, 201);
    // Secrets lead further: a scope must ask for them.
    let secrets = "/api/v1/namespaces/own/secrets";
    assert_eq!(cluster.log_in("ann", "role:admin:own").await.get(secrets).await.code, 403);
    assert_eq!(cluster.log_in("ann", "role:admin:own:!").await.get(secrets).await.code, 200);
    // And a scope gives nothing that its user has not.
    let admin = cluster.log_in("bob", "role:cluster-admin:*:!").await;
    assert_eq!(admin.get(secrets).await.code, 403);
    // What may I? asked by a narrow token is answered for that token.
    let review = json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
        "spec": {"resourceAttributes": {"namespace": "own", "verb": "list", "resource": "pods"}},
    });
    let reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let check = cluster.log_in("ann", "user:check-access").await;
    let status = check.post(reviews, &review).await.json()["status"].clone();
    let reason = "scopes [user:check-access] prevent this action";
    assert_eq!(status, json!({"allowed": false, "reason": reason}));
}

#[tokio::test]
async fn clients_are_held_to_their_scopes_and_consent() {
    let cluster = Cluster::start();
    let client = json!({
        "metadata": {"name": "narrow"}, "respondWithChallenges": true, "grantMethod": "prompt",
        "redirectURIs": ["https://narrow"], "scopeRestrictions": [{"literals": ["user:info"]}],
    });
    cluster.admin.create(&api::OAUTH_CLIENTS, "", client).unwrap();
    let ask = async |scope: &str| {
        let shown = crate::cluster::basic("ann", "x");
        let headers = [("x-csrf-token", "1"), ("authorization", shown.as_str())];
        let path = format!("/oauth/authorize?client_id=narrow&response_type=token&scope={scope}");
        let answer = cluster.get(&path, &headers).await;
        let of = |name| crate::cluster::location_param(&answer, name);
        format!("{}{}", of("error"), of("scope"))
    };
    assert_eq!(ask("user%3Afull").await, "access_denied");
    assert_eq!(ask("user%3Ainfo").await, "user%3Ainfo", "sent to be asked");
    let uid = cluster.admin.get(&api::USERS, "", "ann").unwrap()["metadata"]["uid"].clone();
    let consent = json!({
        "metadata": {"name": "ann:narrow"}, "clientName": "narrow", "userName": "ann", "userUID": uid,
        "scopes": ["user:info"],
    });
    cluster.admin.create(&api::OAUTH_CLIENT_AUTHORIZATIONS, "", consent).unwrap();
    assert_eq!(ask("user%3Ainfo").await, "user%3Ainfo");
}

#[tokio::test]
async fn nobody_grants_more_than_they_have() {
    let cluster = Cluster::start();
    let ann = cluster.log_in("ann", "").await;
    let request = json!({"metadata": {"name": "own"}});
    ann.post("/apis/project.openshift.io/v1/projectrequests", &request).await;
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/own/rolebindings";
    let told = ann.post(path, &role_binding("x", "cluster-admin", "ann")).await.brief();
    let uid = cluster.admin.get(&api::USERS, "", "ann").unwrap()["metadata"]["uid"].clone();
    let expect = format!(
        "403 rolebindings.rbac.authorization.k8s.io \"x\" is forbidden: attempt to grant extra \
         privileges: [{{[*] [*] [*] [] []}} {{[*] [] [] [] [*]}}] user=&{{ann {} \
         [system:authenticated:oauth system:authenticated] \
         map[scopes.authorization.openshift.io:[user:full]]}} ownerrules=[",
        uid.as_str().unwrap()
    );
    assert!(told.starts_with(&expect), "{told}");
}
