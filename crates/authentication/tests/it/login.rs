//! Providers, the objects of a first login, and tokens that end.

use std::time::Duration;

use apimachinery::json;
use apiserver::DeleteOptions;
use authentication::htpasswd::Htpasswd;
use authentication::{MappingMethod, Provider};
use world::World;

use crate::cluster::{Cluster, basic};

const ME: &str = "/apis/user.openshift.io/v1/users/~";

/// Whether a login leads to a code; else what is answered.
async fn outcome(cluster: &Cluster, user: &str, password: &str) -> String {
    let shown = basic(user, password);
    let headers = [("x-csrf-token", "1"), ("authorization", shown.as_str())];
    let answer = cluster.get(&cluster.authorize_path(""), &headers).await;
    format!("{} {}", answer.code, answer.text).trim().to_owned()
}

#[tokio::test]
async fn the_first_login_makes_user_and_identity() {
    let cluster = Cluster::start();
    let alice = cluster.log_in("alice", "").await;
    let again = cluster.log_in("alice", "").await;
    assert_ne!(alice.token, again.token);
    let user = cluster.admin.get(&api::USERS, "", "alice").unwrap();
    let identity = cluster.admin.get(&api::IDENTITIES, "", "anypassword:alice").unwrap();
    let uid = &user["metadata"]["uid"];
    assert_eq!(user["identities"], json!(["anypassword:alice"]));
    assert_eq!(
        ["providerName", "providerUserName", "user"].map(|field| identity[field].clone()),
        [json!("anypassword"), json!("alice"), json!({"name": "alice", "uid": uid})]
    );
    // A user who is gone cannot come back before the identity is gone, too.
    cluster.admin.delete(&api::USERS, "", "alice", DeleteOptions::default()).unwrap();
    assert_eq!(alice.get(ME).await.brief(), "401 Unauthorized");
    let text = "500 Error: users.user.openshift.io \"alice\" not found";
    assert_eq!(outcome(&cluster, "alice", "x").await, text);
    let options = DeleteOptions::default;
    cluster.admin.delete(&api::IDENTITIES, "", "anypassword:alice", options()).unwrap();
    assert_eq!(outcome(&cluster, "alice", "x").await, "302");
    assert_eq!(again.get(ME).await.code, 401, "another user of the same name");
}

#[tokio::test]
async fn a_user_is_claimed_once() {
    let cluster = Cluster::start();
    let user = |name: &str, identities: &[&str]| {
        let user = json!({"metadata": {"name": name}, "identities": identities});
        cluster.admin.create(&api::USERS, "", user).unwrap();
    };
    user("free", &[]);
    user("taken", &["ldap:taken"]);
    assert_eq!(outcome(&cluster, "free", "x").await, "302");
    let text = "500 Error: user \"taken\" cannot be claimed by identity \"anypassword:taken\" because \
                it is already mapped to [ldap:taken]";
    assert_eq!(outcome(&cluster, "taken", "x").await, text);
}

#[tokio::test]
async fn lookup_and_add_find_users_otherwise() {
    let cluster = Cluster::with(Provider::AnyPassword, MappingMethod::Lookup, World::real());
    let text = "500 Error: lookup of user for \"anypassword:ann\" failed: \
                identities.user.openshift.io \"anypassword:ann\" not found";
    assert_eq!(outcome(&cluster, "ann", "x").await, text);
    let admin = &cluster.admin;
    admin.create(&api::USERS, "", json!({"metadata": {"name": "boss"}})).unwrap();
    let identity = json!({
        "metadata": {"name": "anypassword:ann"}, "providerName": "anypassword",
        "providerUserName": "ann",
    });
    admin.create(&api::IDENTITIES, "", identity).unwrap();
    let mapping = json!({"identity": {"name": "anypassword:ann"}, "user": {"name": "boss"}});
    admin.create(&api::USER_IDENTITY_MAPPINGS, "", mapping).unwrap();
    let ann = cluster.log_in("ann", "").await;
    assert_eq!(ann.get(ME).await.brief(), "200 boss");

    let cluster = Cluster::with(Provider::AnyPassword, MappingMethod::Add, World::real());
    let taken = json!({"metadata": {"name": "taken"}, "identities": ["ldap:taken"]});
    cluster.admin.create(&api::USERS, "", taken).unwrap();
    let taken = cluster.log_in("taken", "").await;
    let me = taken.get(ME).await.json();
    assert_eq!(me["identities"], json!(["ldap:taken", "anypassword:taken"]));
}

#[tokio::test]
async fn a_file_of_users_is_asked() {
    let users = Htpasswd::parse("sue:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n").unwrap();
    let provider = Provider::Htpasswd(users);
    let cluster = Cluster::with(provider, MappingMethod::Claim, World::real());
    assert_eq!(outcome(&cluster, "sue", "secret").await, "302");
    assert_eq!(outcome(&cluster, "sue", "wrong").await, "401");
    assert_eq!(outcome(&cluster, "eve", "secret").await, "401");
    assert!(cluster.admin.get(&api::IDENTITIES, "", "htpasswd:sue").is_ok());
    assert!(cluster.admin.find(&api::USERS, "", "eve").unwrap().is_none());
}

#[tokio::test]
async fn tokens_and_codes_end_on_the_clock_of_the_world() {
    let world = World::simulated(1);
    let cluster = Cluster::with(Provider::AnyPassword, MappingMethod::Claim, world.clone());
    let ann = cluster.log_in("ann", "").await;
    world.advance_to(world.now() + Duration::from_secs(86_399));
    assert_eq!(ann.get(ME).await.code, 200);
    world.advance_to(world.now() + Duration::from_secs(1));
    assert_eq!(ann.get(ME).await.brief(), "401 Unauthorized");

    let shown = basic("ann", "x");
    let headers = [("x-csrf-token", "1"), ("authorization", shown.as_str())];
    let answer = cluster.get(&cluster.authorize_path(""), &headers).await;
    let code = crate::cluster::code_of(&answer);
    world.advance_to(world.now() + Duration::from_secs(300));
    let answer = cluster.redeem(&code, crate::cluster::VERIFIER).await;
    assert_eq!((answer.code, &answer.json()["error"]), (400, &json!("invalid_grant")));

    // A client may give its tokens another life.
    let lasting = json!({
        "metadata": {"name": "lasting"}, "respondWithChallenges": true, "grantMethod": "auto",
        "redirectURIs": ["https://lasting"], "accessTokenMaxAgeSeconds": 0,
    });
    cluster.admin.create(&api::OAUTH_CLIENTS, "", lasting).unwrap();
    let path = "/oauth/authorize?client_id=lasting&response_type=token";
    let token = crate::cluster::location_param(&cluster.get(path, &headers).await, "access_token");
    world.advance_to(world.now() + Duration::from_secs(10 * 86_400));
    let bearer = format!("Bearer {token}");
    assert_eq!(cluster.get(ME, &[("authorization", &bearer)]).await.code, 200);
}
