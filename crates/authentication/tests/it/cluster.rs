//! A cluster for tests: its API with OpenShift's roles over HTTPS, and people who log in.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;

use apimachinery::{Value, json};
use apiserver::http::certs::Authority;
use apiserver::http::{Config, Server};
use apiserver::{ApiServer, Client, User};
use authentication::{Bearers, MappingMethod, OAuth, Provider, Tokens};
use world::World;

use crate::http::{Answer, Remote};

const CLIENT: &str = "openshift-challenging-client";
/// Of any password.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub(crate) struct Cluster {
    pub(crate) admin: Client,
    pub(crate) remote: Remote,
    pub(crate) url: String,
    /// Serves as long as it lives.
    _server: Server,
}

impl Cluster {
    /// Anyone may log in.
    pub(crate) fn start() -> Self {
        Self::with(Provider::AnyPassword, MappingMethod::Claim, World::real())
    }

    pub(crate) fn with(provider: Provider, method: MappingMethod, world: World) -> Self {
        let builder = authorization::register(ApiServer::builder(world));
        let server = authentication::register(builder, bearers()).build();
        apiserver::bootstrap(&server).unwrap();
        authorization::bootstrap(&server).unwrap();
        let mut config = Config::local().unwrap();
        config.tokens = vec![("admin".to_owned(), User::system_admin())];
        config.authenticator = Some(Arc::new(Tokens::new(server.clone(), bearers())));
        config.site = Some(Arc::new(OAuth::new(server.clone(), provider, method)));
        let authority = Authority::load(config.authority.identity().clone()).unwrap();
        let running = Server::start(server.clone(), config).unwrap();
        let remote = Remote::new(running.addr(), authority.certificate());
        let url = format!("https://{}", running.addr());
        let admin = Client::new(server, User::system_admin());
        Self { admin, remote, url, _server: running }
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.remote.send("GET", path, headers, "").await
    }

    /// The path by which `oc login` asks for a code.
    pub(crate) fn authorize_path(&self, scope: &str) -> String {
        let redirect = escape(&format!("{}/oauth/token/implicit", self.url));
        let scope =
            if scope.is_empty() { String::new() } else { format!("&scope={}", escape(scope)) };
        format!(
            "/oauth/authorize?client_id={CLIENT}&code_challenge={CHALLENGE}\
             &code_challenge_method=S256&redirect_uri={redirect}&response_type=code{scope}"
        )
    }

    /// Logs in as `oc` does and gives the token.
    pub(crate) async fn log_in(&self, user: &str, scope: &str) -> Person<'_> {
        let basic = basic(user, "secret");
        let headers = [("x-csrf-token", "1"), ("authorization", basic.as_str())];
        let answer = self.get(&self.authorize_path(scope), &headers).await;
        assert_eq!(answer.code, 302, "{}", answer.text);
        let answer = self.redeem(&code_of(&answer), VERIFIER).await;
        assert_eq!(answer.code, 200, "{}", answer.text);
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        Person { cluster: self, bearer: format!("Bearer {token}"), token }
    }

    /// Trades a code for a token.
    pub(crate) async fn redeem(&self, code: &str, verifier: &str) -> Answer {
        let redirect = escape(&format!("{}/oauth/token/implicit", self.url));
        let body = format!(
            "grant_type=authorization_code&code={code}&code_verifier={verifier}&redirect_uri={redirect}"
        );
        let basic = basic(CLIENT, "");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let headers = [form, ("authorization", basic.as_str())];
        self.remote.send("POST", "/oauth/token", &headers, &body).await
    }

    pub(crate) fn admin(&self) -> Person<'_> {
        self.person("admin")
    }

    pub(crate) fn person(&self, token: &str) -> Person<'_> {
        Person { cluster: self, token: token.to_owned(), bearer: format!("Bearer {token}") }
    }
}

/// Knows a service account's token and one that was named.
fn bearers() -> Bearers {
    Bearers::new(&[account]).named(&[("carl-token".to_owned(), "carl".to_owned())])
}

/// Stands for the tokens of service accounts.
fn account(_: &ApiServer, token: &str) -> Option<User> {
    (token == "account").then(|| User::system("system:serviceaccount:p:default"))
}

/// Someone with a token.
pub(crate) struct Person<'a> {
    cluster: &'a Cluster,
    pub(crate) token: String,
    bearer: String,
}

impl Person<'_> {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let media = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        self.send_as(method, path, media, body).await
    }

    pub(crate) async fn send_as(
        &self,
        method: &str,
        path: &str,
        media: &str,
        body: &Value,
    ) -> Answer {
        let headers = [("authorization", self.bearer.as_str()), ("content-type", media)];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.cluster.remote.send(method, path, &headers, &text).await
    }

    /// The names in a list.
    pub(crate) async fn names(&self, path: &str) -> Vec<String> {
        let answer = self.get(path).await;
        assert_eq!(answer.code, 200, "{}", answer.text);
        let list = answer.json();
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let text = format!("{user}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('%', "%25")
        .replace(':', "%3A")
        .replace('/', "%2F")
        .replace('&', "%26")
        .replace(' ', "+")
}

/// The value of a parameter of the address that an answer sends to.
pub(crate) fn location_param(answer: &Answer, name: &str) -> String {
    let location = answer.header("location");
    let (_, params) = location.split_once(['?', '#']).unwrap_or_default();
    let mut pairs = params.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
}

pub(crate) fn code_of(answer: &Answer) -> String {
    location_param(answer, "code")
}

pub(crate) fn role_binding(name: &str, role: &str, user: &str) -> Value {
    let group = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    })
}
