//! Clients that mean no good, or have a bug: what they get, and that others are served on.

use std::time::Duration;

use apimachinery::{Value, json};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::respond;
use super::super::server::builder;
use super::client::Protocol;
use super::{PODS, admin, pod, start};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

#[tokio::test]
async fn a_body_of_any_size_beyond_the_limit_is_answered() {
    let (server, authority) = start();
    let large = vec![b'x'; 40 * 1024 * 1024];
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = admin(&server, &authority, protocol).await;
        let (code, status) = client.send("POST", PODS, JSON, &large).await;
        assert_eq!(code, 413, "{protocol:?}");
        assert_eq!(status["reason"], "RequestEntityTooLarge");
        assert_eq!(status["message"], "Request entity too large: limit is 3145728");
        assert_eq!(client.get("/healthz").await.0, 200, "the connection goes on");
    }
}

#[tokio::test]
async fn broken_bodies_are_refused() {
    let (server, authority) = start();
    let mut client = admin(&server, &authority, Protocol::Http2).await;
    let deep = |open: &str, close: &str| {
        [open.repeat(100_000), "1".to_owned(), close.repeat(100_000)].concat().into_bytes()
    };
    let named = |rest: &str| format!("{{\"metadata\":{{\"name\":\"a\"}},{rest}}}").into_bytes();
    let table: Vec<(&str, Vec<u8>)> = vec![
        (JSON, deep("[", "]")),
        (JSON, named(&format!("\"spec\":{}", String::from_utf8(deep("[", "]")).unwrap()))),
        (JSON, b"\xff\xfe{\"kind\":\"Pod\"}".to_vec()),
        (JSON, b"{\"kind\":\"Pod\xc3\x28\"}".to_vec()),
        ("application/yaml", deep("[", "]")),
        ("application/yaml", deep("- ", "")),
        ("application/yaml", b"a: &a [*a, *a]\nb: \xff".to_vec()),
        (PROTOBUF, b"k8s\0".to_vec()),
        (PROTOBUF, b"k8s\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
        (PROTOBUF, [b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12", &[0xff; 40][..]].concat()),
        (PROTOBUF, b"not protobuf at all".to_vec()),
    ];
    for (media, body) in table {
        let (code, status) = client.send("POST", PODS, media, &body).await;
        let start = &body[..body.len().min(60)];
        assert_eq!(code, 400, "{media} {} {status}", start.escape_ascii());
        assert_eq!(status["kind"], "Status");
    }
    // What no type has is skipped, however deep it is.
    let (code, _) = client.send("POST", PODS, JSON, deep("{\"a\":", "}")).await;
    assert!([400, 422].contains(&code), "{code}");
    assert_eq!(client.get("/healthz").await.0, 200);
}

#[tokio::test]
async fn half_a_surrogate_pair_is_replaced() {
    let (server, authority) = start();
    let mut client = admin(&server, &authority, Protocol::Http1).await;
    let body = r#"{"metadata":{"name":"a"},"data":{"a":"x\ud800y"}}"#;
    let path = "/api/v1/namespaces/default/configmaps";
    let (code, made) = client.send("POST", path, JSON, body).await;
    assert_eq!((code, &made["data"]["a"]), (201, &json!("x\u{fffd}y")));
}

#[tokio::test]
async fn hostile_parameters_are_refused_soon() {
    let (server, authority) = start();
    let mut client = admin(&server, &authority, Protocol::Http2).await;
    assert_eq!(client.send("POST", PODS, JSON, pod("a")).await.0, 201);
    let many = |word: &str| word.repeat(60_000 / word.len());
    for (parameter, value, expected) in [
        ("labelSelector", many("("), 400),
        ("labelSelector", many("!"), 400),
        ("labelSelector", format!("a%20in%20({}x)", many("b,")), 200),
        ("labelSelector", format!("{}a", many("a,")), 200),
        ("fieldSelector", many("metadata.name=a,"), 200),
        ("fieldSelector", many("%5C"), 400),
        ("continue", many("A"), 400),
        ("limit", many("9"), 400),
        ("resourceVersion", many("9"), 500),
        ("nosuch", many("a=b&"), 200),
    ] {
        let (code, status) = client.get(&format!("{PODS}?{parameter}={value}")).await;
        assert_eq!(code, expected, "{parameter}={value:.30}… {status}");
    }
}

#[tokio::test]
async fn patches_do_not_explode() {
    let (server, authority) = start();
    let mut client = admin(&server, &authority, Protocol::Http2).await;
    assert_eq!(client.send("POST", PODS, JSON, pod("a")).await.0, 201);
    let path = format!("{PODS}/a");
    let media = "application/json-patch+json";
    let mut bomb = vec![json!({"op": "add", "path": "/x", "value": "y".repeat(1000)})];
    bomb.extend((0..40).map(|_| json!({"op": "copy", "from": "", "path": "/x"})));
    let doubling: Vec<Value> = (0..40)
        .map(|n| json!({"op": "copy", "from": "/metadata", "path": format!("/metadata/x{n}")}))
        .collect();
    let many = vec![json!({"op": "test", "path": "/kind", "value": "Pod"}); 10_001];
    for (patch, expected) in [(doubling, 413), (many, 413)] {
        let (code, status) = client.send("PATCH", &path, media, json!(patch).to_string()).await;
        assert_eq!(code, expected, "{status}");
    }
    let (code, _) = client.send("PATCH", &path, media, json!(bomb).to_string()).await;
    assert!((400..=500).contains(&code));
    assert_eq!(client.get(&path).await.0, 200);
}

/// A head that never ends: the connection is closed when its time is up.
#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let (near, mut far) = tokio::io::duplex(1024);
    let builder = builder(false, Duration::from_millis(20));
    let service = service_fn(|_| async {
        Ok::<_, std::convert::Infallible>(respond::plain(hyper::StatusCode::OK, "ok"))
    });
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(near), service);
    let client = async {
        far.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        let mut answer = Vec::new();
        far.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let (_, answer) = tokio::join!(serving, client);
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}
