//! The server over real sockets: protocols, credentials, limits, streams and its end.

mod abuse;
mod client;
mod legacy;

use std::time::Duration;

use apimachinery::Status;
use apimachinery::{Value, json};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use world::World;

use self::client::{Client, Protocol};
use super::certs::Authority;
use super::{Config, Server};
use crate::{ApiServer, HandlerContext, LogOptions, LogStream, RestHandler, Stored, User};

const PODS: &str = "/api/v1/namespaces/default/pods";

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// A resource whose handler has a bug.
#[derive(Debug)]
struct Panics;

impl RestHandler for Panics {
    fn get(&self, _cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        panic!("a bug")
    }
}

/// Says what it was asked for, then one more line, then nothing for as long as it is followed.
#[derive(Debug)]
struct Talks;

impl RestHandler for Talks {
    fn log(&self, cx: &HandlerContext<'_>, options: &LogOptions) -> Result<LogStream, Status> {
        let first = format!("{} {:?} {}\n", cx.call.name, options.tail_lines, options.container);
        let lines = stream::iter([Bytes::from(first), Bytes::from_static(b"more\n")]);
        if options.follow {
            Ok(Box::pin(lines.chain(stream::pending())))
        } else {
            Ok(Box::pin(lines))
        }
    }
}

/// A server with one namespace, an authority that clients trust, and a token for its admin.
fn start() -> (Server, Authority) {
    let api = ApiServer::builder(World::real())
        .handler(&api::COMPONENT_STATUSES, "", Box::new(Panics))
        .handler(&api::PODS, "log", Box::new(Talks))
        .build();
    let namespace = json!({"kind": "Namespace", "metadata": {"name": "default"}});
    crate::Client::new(api.clone(), User::system_admin())
        .create(&api::NAMESPACES, "", namespace)
        .unwrap();
    let mut config = Config::local().unwrap();
    config.tokens = vec![("secret".to_owned(), User::system_admin())];
    let authority = Authority::load(config.authority.identity().clone()).unwrap();
    (Server::start(api, config).unwrap(), authority)
}

async fn admin(server: &Server, authority: &Authority, protocol: Protocol) -> Client {
    let mut client = Client::open(server.addr(), authority, None, protocol).await;
    client.token = "secret".to_owned();
    client
}

fn pod(name: &str) -> String {
    let containers = json!([{"name": "c", "image": "i:1"}]);
    json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "labels": {"app": name}},
           "spec": {"containers": containers}})
    .to_string()
}

fn config_map(name: &str) -> String {
    json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}}).to_string()
}

#[tokio::test]
async fn only_the_recognised_see_objects() {
    let (server, authority) = start();
    let mut nobody = Client::open(server.addr(), &authority, None, Protocol::Http1).await;
    for path in ["/healthz", "/readyz", "/livez", "/version", "/apis"] {
        assert_eq!(nobody.get(path).await.0, 200, "{path}");
    }
    let mut checks = nobody.stream("/healthz?verbose").await;
    for said in ["[+]ping ok", "[+]etcd ok", "healthz check passed"] {
        assert_eq!(checks.line().await.as_deref(), Some(said));
    }
    let (code, body) = nobody.get(PODS).await;
    let text = r#"pods is forbidden: User "system:anonymous" cannot list pods in the namespace "default": no RBAC policy matched"#;
    assert_eq!((code, &body["message"]), (403, &json!(text)));
    nobody.token = "guess".to_owned();
    let (code, body) = nobody.get("/version").await;
    assert_eq!((code, &body["message"]), (401, &json!("Unauthorized")));

    let certificate = authority.client("ann", &["system:masters"]).unwrap();
    let mut ann =
        Client::open(server.addr(), &authority, Some(&certificate), Protocol::Http2).await;
    assert_eq!(ann.get(PODS).await.0, 200);
    let foreign = Authority::generate().unwrap().client("ann", &["system:masters"]).unwrap();
    let mut eve = Client::open(server.addr(), &authority, Some(&foreign), Protocol::Http1).await;
    assert_eq!(eve.get(PODS).await.0, 401);
}

#[tokio::test]
async fn objects_are_written_and_read_over_both_protocols() {
    let (server, authority) = start();
    for (protocol, name) in [(Protocol::Http1, "a"), (Protocol::Http2, "b")] {
        let mut client = admin(&server, &authority, protocol).await;
        let (code, created) = client.send("POST", PODS, "application/json", &pod(name)).await;
        assert_eq!((code, &created["metadata"]["name"]), (201, &json!(name)));
        let (code, again) = client.send("POST", PODS, "application/json", &pod(name)).await;
        assert_eq!((code, &again["reason"]), (409, &json!("AlreadyExists")));
        let patch = r#"{"metadata":{"labels":{"tier":"x"}}}"#;
        let path = format!("{PODS}/{name}");
        let (code, patched) =
            client.send("PATCH", &path, "application/merge-patch+json", patch).await;
        assert_eq!((code, &patched["metadata"]["labels"]["tier"]), (200, &json!("x")));
        let (_, list) = client.get(&format!("{PODS}?labelSelector=app%3D{name}")).await;
        assert_eq!(list["kind"], "PodList");
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        let (code, _) =
            client.send("DELETE", &format!("{path}?gracePeriodSeconds=0"), "", "").await;
        assert_eq!(code, 200);
        assert_eq!(client.get(&path).await.0, 404);
    }
}

#[tokio::test]
async fn tables_have_a_cell_per_column() {
    let (server, authority) = start();
    let mut client = admin(&server, &authority, Protocol::Http1).await;
    client.send("POST", PODS, "application/json", &pod("a")).await;
    client.accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json".to_owned();
    let (_, table) = client.get(PODS).await;
    assert_eq!(table["apiVersion"], "meta.k8s.io/v1");
    let columns = table["columnDefinitions"].as_array().unwrap();
    let row = &table["rows"][0];
    assert_eq!(row["cells"].as_array().unwrap().len(), columns.len());
    assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(row["object"]["metadata"]["name"], "a");
    let (_, bare) = client.get(&format!("{PODS}?includeObject=None")).await;
    assert_eq!(bare["rows"][0].get("object"), None);
    let (code, scale) = client.get("/api/v1/namespaces/default/pods/a/nosuch").await;
    assert_eq!((code, &scale["reason"]), (404, &json!("NotFound")));
}

#[tokio::test]
async fn bad_requests_are_refused_and_the_connection_goes_on() {
    let (server, authority) = start();
    let mut client = admin(&server, &authority, Protocol::Http1).await;
    let huge = "x".repeat(super::body::MAX_REQUEST + 1);
    let table = [
        ("POST", PODS, "application/json", "{bad", 400),
        ("POST", PODS, "text/plain", "x", 415),
        ("POST", PODS, "application/yaml", "a: [", 400),
        ("PATCH", "/api/v1/namespaces/default/pods/a", "application/json", "{}", 415),
        ("PUT", PODS, "application/json", "{}", 405),
        ("GET", "/api/v1/nosuch", "", "", 404),
        ("GET", "/apis/nosuch.io/v1/x", "", "", 404),
        ("GET", "/nosuch", "", "", 404),
        ("GET", "/api/v1/pods?limit=abc", "", "", 400),
        ("GET", "/api/v1/pods?watch=1&resourceVersion=abc", "", "", 500),
        ("GET", "/api/v1/namespaces/default/nodes", "", "", 404),
        ("GET", "/api/v1/componentstatuses/x", "", "", 500),
        ("DELETE", "/api/v1/namespaces/default/pods/a", "application/json", "[1]", 400),
    ];
    for (method, path, media, body, expected) in table {
        let (code, answer) = client.send(method, path, media, body).await;
        assert_eq!(code, expected, "{method} {path} {answer}");
    }
    let (code, _) = client.send("POST", PODS, "application/json", &huge).await;
    assert_eq!(code, 413);
    assert_eq!(client.send("POST", "/api/v1/nosuch", "application/json", "{}").await.0, 404);
    assert_eq!(client.get("/healthz").await.0, 200);
    let mut client = admin(&server, &authority, Protocol::Http2).await;
    assert_eq!(client.get("/api/v1/componentstatuses/x").await.0, 500);
    assert_eq!(client.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn a_watch_shows_what_is_and_what_comes() {
    let (server, authority) = start();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut writer = admin(&server, &authority, protocol).await;
        let mut reader = admin(&server, &authority, protocol).await;
        writer.send("POST", CONFIG_MAPS, "application/json", &config_map("a")).await;
        let mut watch = reader.stream(&format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=60")).await;
        assert_eq!(watch.event().await["type"], "ADDED");
        writer.send("POST", CONFIG_MAPS, "application/json", &config_map("b")).await;
        let event = watch.event().await;
        assert_eq!(
            (&event["type"], &event["object"]["metadata"]["name"]),
            (&json!("ADDED"), &json!("b"))
        );
        for name in ["a", "b"] {
            let path = format!("{CONFIG_MAPS}/{name}");
            writer.send("DELETE", &path, "", "").await;
            assert_eq!(watch.event().await["type"], "DELETED");
        }
    }
}

#[tokio::test]
async fn watches_end_in_time_with_a_bookmark() {
    let (server, authority) = start();
    let mut client = admin(&server, &authority, Protocol::Http1).await;
    let query = "watch=true&timeoutSeconds=1&allowWatchBookmarks=true&sendInitialEvents=true\
                 &resourceVersionMatch=NotOlderThan";
    let mut watch = client.stream(&format!("{PODS}?{query}")).await;
    let first = watch.event().await;
    assert_eq!(first["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    let last = watch.event().await;
    assert_eq!((&last["type"], &last["object"]["kind"]), (&json!("BOOKMARK"), &json!("Pod")));
    assert_eq!(watch.event().await, Value::Null);
}

#[tokio::test]
async fn logs_are_text_that_flows_until_nobody_follows() {
    let (server, authority) = start();
    let path = format!("{PODS}/a/log?container=c&tailLines=5");
    let mut client = admin(&server, &authority, Protocol::Http2).await;
    let mut log = client.stream(&path).await;
    assert_eq!(log.media, "text/plain");
    assert_eq!(log.line().await.unwrap(), "a Some(5) c");
    assert_eq!(log.line().await.unwrap(), "more");
    assert_eq!(log.line().await, None);
    let mut log = client.stream(&format!("{path}&follow=true")).await;
    assert_eq!(log.line().await.unwrap(), "a Some(5) c");
    assert_eq!(log.line().await.unwrap(), "more");
    server.shutdown().await;
    assert_eq!(log.line().await, None);
}

#[tokio::test]
async fn openapi_documents_are_named_by_their_hash() {
    let (server, authority) = start();
    let mut client = admin(&server, &authority, Protocol::Http1).await;
    let (_, index) = client.get("/openapi/v3").await;
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
    let (code, document) = client.get(&url).await;
    assert_eq!((code, &document["openapi"]), (200, &json!("3.0.0")));
    let stale = format!("{}?hash=0", url.split('?').next().unwrap());
    assert_eq!(client.get(&stale).await.0, 301);
    let (code, swagger) = client.get("/openapi/v2").await;
    assert_eq!((code, &swagger["swagger"]), (200, &json!("2.0")));
}

#[tokio::test]
async fn shutdown_ends_watches_and_listening() {
    let (server, authority) = start();
    let address = server.addr();
    let mut client = admin(&server, &authority, Protocol::Http2).await;
    let mut watch = client.stream("/api/v1/namespaces?watch=true").await;
    assert_eq!(watch.event().await["type"], "ADDED");
    let ended = world::edge::timeout(Duration::from_secs(4), server.shutdown()).await;
    assert!(ended.is_some(), "connections did not end");
    assert_eq!(watch.event().await, Value::Null);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn plain_http_is_told_so() {
    let (server, _) = start();
    let answer = client::plain(server.addr(), "GET / HTTP/1.1\r\n\r\n").await;
    assert!(answer.contains("Client sent an HTTP request to an HTTPS server."), "{answer}");
}
