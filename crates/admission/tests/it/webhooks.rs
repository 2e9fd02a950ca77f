//! Webhooks, answered by a stand-in and, once, by a server on the loopback address.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use admission::Options;
use admission::webhook::{Caller, Endpoint, HttpCaller};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cluster::Cluster;

/// Labels what it is asked about, and refuses what is named `bad`.
#[derive(Debug)]
struct StandIn;

fn decide(question: &Value) -> Value {
    let asked = &question["request"];
    let allowed = asked.str_at(&["name"]) != "bad";
    let patch = json!([{"op": "add", "path": "/metadata/labels", "value": {"seen": "yes"}}]);
    json!({"apiVersion": question["apiVersion"], "kind": "AdmissionReview", "response": {
        "uid": asked["uid"], "allowed": allowed, "status": {"code": 403, "message": "not this one"},
        "patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string())}})
}

impl Caller for StandIn {
    fn post(&self, to: &Endpoint, body: &[u8], _: Duration) -> Result<Vec<u8>, String> {
        if to.host == "down" {
            return Err("connection refused".to_owned());
        }
        Ok(decide(&serde_json::from_slice(body).unwrap()).to_string().into_bytes())
    }
}

fn configuration(url: &str, policy: &str) -> Value {
    json!({"metadata": {"name": "w"}, "webhooks": [{
        "name": "w.example.com",
        "clientConfig": {"url": url},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"],
            "resources": ["configmaps"]}],
        "failurePolicy": policy, "sideEffects": "None", "admissionReviewVersions": ["v1"],
    }]})
}

fn cluster(caller: Arc<dyn Caller>, url: &str, policy: &str) -> Cluster {
    let options = Options { webhooks: Some(caller), ..Options::default() };
    let cluster = Cluster::with(1, &options);
    let resource = &api::MUTATING_WEBHOOK_CONFIGURATIONS;
    cluster.create(resource, configuration(url, policy));
    cluster
}

fn map(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

#[test]
fn webhooks_change_and_refuse() {
    let cluster = cluster(Arc::new(StandIn), "https://up/x", "Fail");
    let seen = cluster.create(&api::CONFIG_MAPS, map("good"));
    assert_eq!(seen.label("seen"), "yes");
    assert_eq!(
        cluster.refused(&api::CONFIG_MAPS, map("bad")),
        "admission webhook \"w.example.com\" denied the request: not this one"
    );
    // Nobody asked it about secrets.
    let secret = cluster.create(&api::SECRETS, map("bad"));
    assert_eq!(secret.label("seen"), "");
}

#[test]
fn the_policy_says_what_a_failure_means() {
    let strict = cluster(Arc::new(StandIn), "https://down/x", "Fail");
    assert_eq!(
        strict.refused(&api::CONFIG_MAPS, map("a")),
        "Internal error occurred: failed calling webhook \"w.example.com\": connection refused"
    );
    let lenient = cluster(Arc::new(StandIn), "https://down/x", "Ignore");
    lenient.create(&api::CONFIG_MAPS, map("a"));
}

/// Answers one request and gives its text.
fn serve(mut stream: impl Read + Write) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    let body = loop {
        let count = stream.read(&mut bytes).unwrap();
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        let Some((_, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Ok(body) = serde_json::from_str::<Value>(body) {
            break body;
        }
    };
    let answer = decide(&body).to_string();
    let length = answer.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}").unwrap();
    stream.flush().unwrap();
    text
}

#[test]
fn webhooks_are_called_over_tls() {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let config = Arc::new(config);
        // The second client does not trust the certificate and breaks off.
        for trusted in [true, false] {
            let (stream, _) = listener.accept().unwrap();
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            if trusted {
                serve(stream);
            } else {
                assert!(stream.read(&mut [0; 1]).is_err());
            }
        }
    });
    let url = format!("https://localhost:{port}/hook");
    let cluster = cluster(Arc::new(HttpCaller), &url, "Fail");
    let trust = |ca: String| {
        let mut configuration = configuration(&url, "Fail");
        configuration["webhooks"][0]["clientConfig"]["caBundle"] = json!(STANDARD.encode(ca));
        cluster.patch(&api::MUTATING_WEBHOOK_CONFIGURATIONS, "w", configuration);
    };
    trust(certified.cert.pem());
    assert_eq!(cluster.create(&api::CONFIG_MAPS, map("a")).label("seen"), "yes");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    trust(other.cert.pem());
    let refusal = cluster.refused(&api::CONFIG_MAPS, map("b"));
    assert!(refusal.contains("invalid peer certificate"), "{refusal}");
    server.join().unwrap();
}

#[test]
fn webhooks_are_called_over_http() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        serve(stream)
    });
    // The API takes https only; what is called is up to the configuration as stored.
    let caller: Arc<dyn Caller> = Arc::new(Redirect(url));
    let cluster = cluster(caller, "https://up/x", "Fail");
    assert_eq!(cluster.create(&api::CONFIG_MAPS, map("a")).label("seen"), "yes");
    assert!(server.join().unwrap().starts_with("POST /hook HTTP/1.1\r\n"));
}

/// Calls a plain HTTP server instead of the one that is named.
#[derive(Debug)]
struct Redirect(String);

impl Caller for Redirect {
    fn post(&self, _: &Endpoint, body: &[u8], timeout: Duration) -> Result<Vec<u8>, String> {
        let (address, path) = self.0.trim_start_matches("http://").split_once('/').unwrap();
        let to = Endpoint {
            tls: false,
            address: address.to_owned(),
            host: "localhost".to_owned(),
            path: format!("/{path}"),
            ca: Vec::new(),
        };
        HttpCaller.post(&to, body, timeout)
    }
}
