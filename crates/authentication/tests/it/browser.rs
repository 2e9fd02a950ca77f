//! A browser on its way to a token.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use apimachinery::{Value, json};

use crate::cluster::{Cluster, location_param};

/// What a browser would send back of the cookies that it was given.
fn cookies(answer: &crate::http::Answer) -> String {
    let all = answer.headers.get_all("set-cookie").iter();
    let pairs: Vec<&str> =
        all.filter_map(|value| value.to_str().unwrap().split(';').next()).collect();
    pairs.join("; ")
}

fn path_of<'a>(cluster: &Cluster, location: &'a str) -> &'a str {
    location.strip_prefix(cluster.url.as_str()).unwrap_or(location)
}

#[tokio::test]
async fn a_browser_is_led_to_its_token() {
    let cluster = Cluster::start();
    let answer = cluster.get("/oauth/token/request", &[]).await;
    let authorize = path_of(&cluster, answer.header("location")).to_owned();
    assert!(authorize.starts_with("/oauth/authorize?client_id=openshift-browser-client"));
    let answer = cluster.get(&authorize, &[]).await;
    assert_eq!(answer.code, 302);
    let form = answer.header("location").to_owned();
    assert!(form.starts_with("/login?then=%2Foauth%2Fauthorize%3Fclient_id"), "{form}");
    let answer = cluster.get(&form, &[]).await;
    assert_eq!((answer.code, answer.header("x-frame-options")), (200, "DENY"));
    let csrf = cookies(&answer);
    let word = csrf.strip_prefix("csrf=").unwrap();
    assert!(answer.text.contains(word));
    let media = ("content-type", "application/x-www-form-urlencoded");
    let then = location_param(&cluster.get(&authorize, &[]).await, "then");
    let log_in = async |word: &str, user: &str, password: &str| {
        let body = format!("then={then}&csrf={word}&username={user}&password={password}");
        cluster.remote.send("POST", "/login", &[media, ("cookie", &csrf)], &body).await
    };
    for (word, user, password, reason) in [
        ("guess", "ann", "x", "token_expired"),
        (word, "", "x", "user_required"),
        (word, "ann", "", "access_denied"),
    ] {
        assert_eq!(location_param(&log_in(word, user, password).await, "reason"), reason);
    }
    let answer = log_in(word, "ann", "x").await;
    assert_eq!((answer.code, answer.header("location")), (302, authorize.as_str()));
    let session = cookies(&answer);
    let answer = cluster.get(&authorize, &[("cookie", &session)]).await;
    assert_eq!(cookies(&answer), "ssn=", "a session is for one token");
    let display = path_of(&cluster, answer.header("location")).to_owned();
    let page = cluster.get(&display, &[]).await;
    assert_eq!((page.code, page.header("content-type")), (200, "text/html; charset=UTF-8"));
    let (_, rest) = page.text.split_once("<code>").unwrap();
    let token = rest.split('<').next().unwrap();
    let bearer = format!("Bearer {token}");
    let me = cluster.get("/apis/user.openshift.io/v1/users/~", &[("authorization", &bearer)]).await;
    assert_eq!(me.brief(), "200 ann");
    // The page shows it once.
    assert_eq!(cluster.get(&display, &[]).await.code, 400);
}

#[tokio::test]
async fn programs_that_come_by_are_told_where_the_token_is() {
    let cluster = Cluster::start();
    let page = cluster.get("/oauth/token/implicit", &[]).await;
    assert_eq!((page.code, page.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(page.text.contains("access_token"));
    assert_eq!(cluster.remote.send("DELETE", "/oauth/token", &[], "").await.code, 405);
}

/// The service account `ci/jenkins`, which people may be sent back to; gives its uid.
fn make_account(cluster: &Cluster) -> Value {
    let admin = &cluster.admin;
    admin.create(&api::NAMESPACES, "", json!({"metadata": {"name": "ci"}})).unwrap();
    let account = json!({"metadata": {"name": "jenkins", "annotations": {
        "serviceaccounts.openshift.io/oauth-redirecturi.a": "https://jenkins/login",
    }}});
    let account = admin.create(&api::SERVICE_ACCOUNTS, "ci", account).unwrap();
    account["metadata"]["uid"].clone()
}

/// A token of the account, which it shows as its secret.
fn make_token(cluster: &Cluster, uid: &Value) {
    let secret = json!({
        "metadata": {"name": "jenkins-token-1", "annotations": {
            "kubernetes.io/service-account.name": "jenkins",
            "kubernetes.io/service-account.uid": uid,
        }},
        "type": "kubernetes.io/service-account-token",
        "data": {"token": "c2VjcmV0"},
    });
    cluster.admin.create(&api::SECRETS, "ci", secret).unwrap();
}

/// A service account is a client, which people have to trust first.
#[tokio::test]
async fn a_service_account_asks_for_consent() {
    let cluster = Cluster::start();
    let account = make_account(&cluster);
    let authorize = "/oauth/authorize?client_id=system%3Aserviceaccount%3Aci%3Ajenkins&response_type=code\
                     &redirect_uri=https%3A%2F%2Fjenkins%2Flogin&scope=user%3Ainfo+role%3Aview%3Aci&state=s1";
    assert_eq!(cluster.get(authorize, &[]).await.code, 400, "without a token it is no client");
    make_token(&cluster, &account);
    let basic = crate::cluster::basic("ann", "x");
    let csrf = cookies(&cluster.get("/login", &[]).await);
    let word = csrf.strip_prefix("csrf=").unwrap();
    let media = ("content-type", "application/x-www-form-urlencoded");
    let body = format!("then=%2F&csrf={word}&username=ann&password=x");
    let answer = cluster.remote.send("POST", "/login", &[media, ("cookie", &csrf)], &body).await;
    let both = format!("{csrf}; {}", cookies(&answer));
    let approve = cluster.get(authorize, &[("cookie", &both)]).await.header("location").to_owned();
    assert!(
        approve.starts_with("/oauth/authorize/approve?client_id=system%3Aserviceaccount"),
        "{approve}"
    );
    let (_, query) = approve.split_once('?').unwrap();
    let form = cluster.get(&approve, &[("cookie", &both)]).await;
    let text = "what the role view allows in the project ci, without secrets and roles";
    assert!(form.text.contains(text), "{}", form.text);
    assert_eq!(
        cluster.get(&approve, &[]).await.header("location").split('?').next(),
        Some("/login")
    );
    let decide = async |fields: &str, cookie: &str| {
        let body = format!("{query}&{fields}");
        cluster
            .remote
            .send("POST", "/oauth/authorize/approve", &[media, ("cookie", cookie)], &body)
            .await
    };
    assert_eq!(decide("csrf=guess&approve=yes", &both).await.code, 400);
    let denied = decide(&format!("csrf={word}&deny=yes"), &both).await;
    let denied = cluster.get(denied.header("location"), &[("cookie", &both)]).await;
    assert!(denied.header("location").starts_with("https://jenkins/login?error=access_denied"));
    let allowed = decide(&format!("csrf={word}&approve=yes"), &both).await;
    assert_eq!(allowed.header("location"), authorize);
    let answer = cluster.get(authorize, &[("cookie", &both)]).await;
    let code = location_param(&answer, "code");
    assert_eq!(answer.header("location").split('?').next(), Some("https://jenkins/login"));
    assert_eq!(location_param(&answer, "state"), "s1");
    let consent = cluster
        .admin
        .get(&api::OAUTH_CLIENT_AUTHORIZATIONS, "", "ann:system:serviceaccount:ci:jenkins")
        .unwrap();
    assert_eq!(consent["scopes"], json!(["user:info", "role:view:ci"]));
    // The account shows its token for the code.
    let redeem = async |secret: &str| {
        let body = format!(
            "grant_type=authorization_code&code={code}&client_secret={secret}\
             &client_id=system%3Aserviceaccount%3Aci%3Ajenkins&redirect_uri=https%3A%2F%2Fjenkins%2Flogin"
        );
        cluster.remote.send("POST", "/oauth/token", &[media], &body).await
    };
    assert_eq!(redeem("wrong").await.json()["error"], "unauthorized_client");
    let token = redeem("secret").await.json();
    assert_eq!(token["scope"], "user:info role:view:ci");
    // What was allowed once is not asked again.
    let again = cluster.get(authorize, &[("authorization", &basic)]).await;
    assert!(again.header("location").starts_with("https://jenkins/login?code="));
    let more = authorize.replace("role%3Aview", "role%3Aedit");
    let again = cluster.get(&more, &[("authorization", &basic)]).await;
    assert!(again.header("location").starts_with("/oauth/authorize/approve"));
    let other = authorize.replace("%3Aci&state", "%3Aother&state");
    let refused = cluster.get(&other, &[("authorization", &basic)]).await;
    assert_eq!(location_param(&refused, "error"), "access_denied");
}
