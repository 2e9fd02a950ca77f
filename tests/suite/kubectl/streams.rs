//! What stays open: `attach`, `port-forward`, `proxy`, with every way of streaming that kubectl has had.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::harness::kubectl::{Kubectl, Lines};
use crate::harness::served::Served;

/// Ends by itself, and with it what is attached to it.
const TICKER: &str =
    r#"{"logs": [{"everySeconds": 0.1, "line": "tick"}], "exit": {"afterSeconds": 4}}"#;
const WEB: &str = r#"{"http": {"/": {"body": "hello\n"}}}"#;

/// The port at the end of the line that says what is listened on.
fn port(lines: &mut Lines, wanted: &str) -> u16 {
    let said = lines.until(wanted);
    let address = said.last().unwrap().split_once("127.0.0.1:").unwrap().1;
    address.split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn fetch(port: u16, path: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

fn check(version: &str) {
    let cluster = Served::start();
    let Some(kubectl) = Kubectl::find(version, &cluster.kubeconfig()) else { return };
    cluster.image("ticker:1", TICKER);
    cluster.image("web:1", WEB);

    kubectl.ok("run ticker --image=ticker:1 --restart=Never");
    kubectl.ok("wait --for=condition=Ready pod/ticker --timeout=60s");
    let attached = kubectl.stream("attach ticker").rest();
    assert!(attached.iter().any(|line| line == "tick"), "kubectl.{version} {attached:?}");
    let run = kubectl.stream("run once --image=ticker:1 --restart=Never --rm -i").rest();
    assert!(run.iter().any(|line| line == "tick"), "kubectl.{version} {run:?}");
    let deleted = run.iter().any(|line| line.contains("pod \"once\" deleted"));
    assert!(deleted, "kubectl.{version} {run:?}");

    kubectl.ok("create deployment web --image=web:1 --port=80");
    kubectl.ok("rollout status deployment/web --timeout=60s");
    kubectl.ok("expose deployment web --port=8000 --target-port=80");
    for target in ["deployment/web :80", "service/web :8000"] {
        let mut forward = kubectl.stream(&format!("port-forward {target}"));
        let port = port(&mut forward, "Forwarding from 127.0.0.1:");
        // Several connections share one session.
        for _ in 0..3 {
            let answer = fetch(port, "/");
            assert!(answer.ends_with("hello\n"), "kubectl.{version} {target}: {answer}");
        }
    }
    let mut proxy = kubectl.stream("proxy --port=0");
    let port = port(&mut proxy, "Starting to serve on 127.0.0.1:");
    let read = fetch(port, "/api/v1/namespaces/default/services/web");
    assert!(read.contains("\"kind\":\"Service\""), "kubectl.{version} {read}");
    let page = fetch(port, "/api/v1/namespaces/default/services/web:8000/proxy/");
    assert!(page.contains("hello"), "kubectl.{version} {page}");
    let refused = fetch(port, "/api/v1/namespaces/default/pods/web/exec?command=echo");
    assert!(refused.starts_with("HTTP/1.1 403"), "kubectl.{version} {refused}");
}

#[test]
fn kubectl_1_20_streams() {
    check("1.20");
}

#[test]
fn kubectl_1_27_streams() {
    check("1.27");
}

#[test]
fn kubectl_1_28_streams() {
    check("1.28");
}

#[test]
fn kubectl_1_29_streams() {
    check("1.29");
}

#[test]
fn kubectl_1_30_streams() {
    check("1.30");
}

#[test]
fn kubectl_1_31_streams() {
    check("1.31");
}

#[test]
fn kubectl_1_32_streams() {
    check("1.32");
}

#[test]
fn kubectl_1_33_streams() {
    check("1.33");
}
