//! The requests of `oc login` 3.11, in its order, with the answers of a 3.11 master.

use apimachinery::json;

use crate::cluster::{Cluster, VERIFIER, basic, code_of, escape};

#[tokio::test]
async fn oc_login_with_a_password() {
    let cluster = Cluster::start();
    let url = &cluster.url;
    // Whether anyone is there, over TLS.
    assert!(cluster.remote.send("HEAD", "/", &[], "").await.code < 500);
    // Where to log in.
    let csrf = ("x-csrf-token", "1");
    let found = cluster.get("/.well-known/oauth-authorization-server", &[csrf]).await;
    assert_eq!((found.code, found.header("content-type")), (200, "application/json"));
    let expect = format!(
        r#"{{
  "issuer": "{url}",
  "authorization_endpoint": "{url}/oauth/authorize",
  "token_endpoint": "{url}/oauth/token",
  "scopes_supported": [
    "user:check-access",
    "user:full",
    "user:info",
    "user:list-projects",
    "user:list-scoped-projects"
  ],
  "response_types_supported": [
    "code",
    "token"
  ],
  "grant_types_supported": [
    "authorization_code",
    "implicit"
  ],
  "code_challenge_methods_supported": [
    "plain",
    "S256"
  ]
}}"#
    );
    assert_eq!(found.text, expect);
    // A challenge, then the password.
    let path = cluster.authorize_path("");
    let challenged = cluster.get(&path, &[csrf]).await;
    assert_eq!((challenged.code, challenged.text.as_str()), (401, ""));
    assert_eq!(challenged.header("www-authenticate"), "Basic realm=\"openshift\"");
    let shown = basic("alice", "x");
    let answer = cluster.get(&path, &[csrf, ("authorization", &shown)]).await;
    let code = code_of(&answer);
    let to = format!("{url}/oauth/token/implicit?code={code}&scope=&state=");
    assert_eq!((answer.code, answer.header("location")), (302, to.as_str()));
    assert_eq!(code.len(), 43);
    // The code for a token.
    let answer = cluster.redeem(&code, VERIFIER).await;
    assert_eq!((answer.code, answer.header("content-type")), (200, "application/json"));
    let body = answer.json();
    let token = body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(token.len(), 43);
    let expect = json!({
        "access_token": token, "expires_in": 86400, "scope": "user:full", "token_type": "Bearer",
    });
    assert_eq!(body, expect);
    // Who am I, what is mine, may I ask for more?
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let me = cluster.get("/apis/user.openshift.io/v1/users/~", &headers).await.json();
    assert_eq!(me["metadata"]["name"], "alice");
    assert_eq!(me["identities"], json!(["anypassword:alice"]));
    assert_eq!(me["groups"], json!(["system:authenticated", "system:authenticated:oauth"]));
    let mine = cluster.get("/apis/project.openshift.io/v1/projects", &headers).await;
    assert_eq!((mine.code, &mine.json()["items"]), (200, &json!([])));
    let may = cluster.get("/apis/project.openshift.io/v1/projectrequests", &headers).await;
    assert_eq!((may.code, &may.json()["status"]), (200, &json!("Success")));
    // oc logout
    let path = format!("/apis/oauth.openshift.io/v1/oauthaccesstokens/{token}");
    assert_eq!(cluster.remote.send("DELETE", &path, &headers, "").await.code, 200);
    let gone = cluster.get("/apis/user.openshift.io/v1/users/~", &headers).await;
    assert_eq!(gone.brief(), "401 Unauthorized");
}

#[tokio::test]
async fn older_clients_ask_for_the_token_itself() {
    let cluster = Cluster::start();
    let path = "/oauth/authorize?client_id=openshift-challenging-client&response_type=token";
    let shown = basic("bob", "x");
    let headers = [("x-csrf-token", "1"), ("authorization", shown.as_str())];
    let answer = cluster.get(path, &headers).await;
    let token = crate::cluster::location_param(&answer, "access_token");
    let to = format!(
        "{}/oauth/token/implicit#access_token={token}&expires_in=86400&scope=user%3Afull&token_type=Bearer",
        cluster.url
    );
    assert_eq!((answer.code, answer.header("location")), (302, to.as_str()));
    let stored = cluster.admin.get(&api::OAUTH_ACCESS_TOKENS, "", &token).unwrap();
    let fields = ["clientName", "expiresIn", "redirectURI", "scopes", "userName"];
    assert_eq!(
        fields.map(|field| stored[field].clone()),
        [
            json!("openshift-challenging-client"),
            json!(86400),
            json!(format!("{}/oauth/token/implicit", cluster.url)),
            json!(["user:full"]),
            json!("bob"),
        ]
    );
}

#[tokio::test]
async fn a_challenge_is_for_those_who_mean_it() {
    let cluster = Cluster::start();
    let path = cluster.authorize_path("");
    let text = "A non-empty X-CSRF-Token header is required to receive basic-auth challenges";
    let answer = cluster.get(&path, &[]).await;
    assert_eq!((answer.code, answer.text), (401, format!("{text}\n")));
    let warning = cluster.get(&path, &[]).await.header("warning").to_owned();
    assert_eq!(warning, format!("199 Origin \"{text}\""));
    for (user, password) in [("alice", ""), ("", "x"), (" ", "x"), ("a:b", "x"), ("~", "x")] {
        let shown = basic(user, password);
        // A name with a colon is read as a name and a password that begins with it.
        if user == "a:b" {
            continue;
        }
        let headers = [("x-csrf-token", "1"), ("authorization", shown.as_str())];
        let answer = cluster.get(&path, &headers).await;
        assert_eq!(answer.code, 401, "{user:?} {password:?}");
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"openshift\"");
    }
}

#[tokio::test]
async fn the_clients_of_a_new_cluster() {
    let cluster = Cluster::start();
    let clients = cluster.admin.list(&api::OAUTH_CLIENTS, "").unwrap();
    let told: Vec<String> = clients
        .iter()
        .map(|client| {
            let challenge = client["respondWithChallenges"].as_bool().unwrap_or_default();
            let secret = client["secret"].as_str().unwrap_or_default().len();
            format!(
                "{} {secret} {challenge} {}",
                client["metadata"]["name"], client["redirectURIs"][0]
            )
        })
        .collect();
    let url = &cluster.url;
    assert_eq!(
        told,
        [
            format!("\"openshift-browser-client\" 43 false \"{url}/oauth/token/display\""),
            format!("\"openshift-challenging-client\" 0 true \"{url}/oauth/token/implicit\""),
            format!("\"openshift-web-console\" 0 false \"{url}/console/\""),
        ]
    );
}

#[tokio::test]
async fn mistakes_are_told_to_whom_they_concern() {
    let cluster = Cluster::start();
    let client = "client_id=openshift-challenging-client";
    let redirect = escape(&format!("{}/oauth/token/implicit", cluster.url));
    for (query, expect) in [
        ("client_id=nosuch&response_type=code".to_owned(), "400 unauthorized_client"),
        (format!("{client}&response_type=code&redirect_uri=https://evil/"), "400 invalid_request"),
        (
            format!("{client}&response_type=dog&state=s&redirect_uri={redirect}"),
            "302 unsupported_response_type",
        ),
        (
            format!("{client}&response_type=code&code_challenge=short&redirect_uri={redirect}"),
            "302 invalid_request",
        ),
        (format!("{client}&response_type=code&scope=user%3Adogs"), "302 invalid_scope"),
        (format!("{client}&response_type=code&scope=role%3Aview"), "302 invalid_scope"),
    ] {
        let shown = basic("ann", "x");
        let headers = [("x-csrf-token", "1"), ("authorization", shown.as_str())];
        let answer = cluster.get(&format!("/oauth/authorize?{query}"), &headers).await;
        let told = match answer.code {
            302 => crate::cluster::location_param(&answer, "error"),
            _ => answer.json()["error"].as_str().unwrap_or_default().to_owned(),
        };
        assert_eq!(format!("{} {told}", answer.code), expect, "{query}");
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_for_whoever_asked() {
    let cluster = Cluster::start();
    let code = async || {
        let shown = basic("ann", "x");
        let headers = [("x-csrf-token", "1"), ("authorization", shown.as_str())];
        code_of(&cluster.get(&cluster.authorize_path(""), &headers).await)
    };
    let error = async |code: &str, verifier: &str| {
        let answer = cluster.redeem(code, verifier).await;
        format!("{} {}", answer.code, answer.json()["error"].as_str().unwrap_or_default())
    };
    let first = code().await;
    assert_eq!(error(&first, &VERIFIER.replace('d', "e")).await, "400 invalid_grant");
    assert_eq!(error(&first, "short").await, "400 invalid_request");
    assert_eq!(error(&first, VERIFIER).await, "200 ");
    assert_eq!(error(&first, VERIFIER).await, "400 unauthorized_client");
    assert_eq!(error("", VERIFIER).await, "400 invalid_grant");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let post = async |body: String| {
        let answer = cluster.remote.send("POST", "/oauth/token", &[form], &body).await;
        format!("{} {}", answer.code, answer.json()["error"].as_str().unwrap_or_default())
    };
    let second = code().await;
    let grant = format!("grant_type=authorization_code&code={second}&code_verifier={VERIFIER}");
    let browser = format!("{grant}&client_id=openshift-browser-client");
    assert_eq!(post(browser).await, "400 unauthorized_client");
    assert_eq!(post(format!("{grant}&client_id=openshift-web-console")).await, "400 invalid_grant");
    assert_eq!(post(grant).await, "400 invalid_request");
    let password =
        "grant_type=password&username=a&password=b&client_id=openshift-challenging-client";
    assert_eq!(post(password.to_owned()).await, "400 access_denied");
    assert_eq!(post("grant_type=dog".to_owned()).await, "400 unsupported_grant_type");
}
