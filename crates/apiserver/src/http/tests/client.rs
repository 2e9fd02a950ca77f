//! A small HTTPS client over one connection.

use std::net::SocketAddr;
use std::sync::Arc;

use apimachinery::Value;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::http::certs::{Authority, Identity};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

pub(super) struct Client {
    sender: Sender,
    pub(super) token: String,
    pub(super) accept: String,
}

impl Client {
    pub(super) async fn open(
        address: SocketAddr,
        authority: &Authority,
        identity: Option<&Identity>,
        protocol: Protocol,
    ) -> Self {
        let connector = connector(authority, identity, protocol);
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let io = TokioIo::new(connector.connect(name, stream).await.unwrap());
        let sender = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                world::edge::spawn(connection);
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) =
                    http2::handshake(TokioExecutor::new(), io).await.unwrap();
                world::edge::spawn(connection);
                Sender::Http2(sender)
            }
        };
        Self { sender, token: String::new(), accept: "application/json".to_owned() }
    }

    pub(super) async fn get(&mut self, path: &str) -> (u16, Value) {
        self.send("GET", path, "", "").await
    }

    /// The code and the body, null when it is not JSON.
    pub(super) async fn send(
        &mut self,
        method: &str,
        path: &str,
        media: &str,
        body: impl AsRef<[u8]>,
    ) -> (u16, Value) {
        let response = self.call(method, path, media, body).await;
        let code = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(super) async fn stream(&mut self, path: &str) -> Lines {
        let response = self.call("GET", path, "", "").await;
        assert_eq!(response.status(), 200);
        let media = response.headers()["content-type"].to_str().unwrap().to_owned();
        Lines { media, body: response.into_body(), buffer: Vec::new() }
    }

    async fn call(
        &mut self,
        method: &str,
        path: &str,
        media: &str,
        body: impl AsRef<[u8]>,
    ) -> hyper::Response<Incoming> {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://localhost{path}"))
            .header("accept", &self.accept);
        let request = match self.token.as_str() {
            "" => request,
            token => request.header("authorization", format!("Bearer {token}")),
        };
        let request = match media {
            "" => request,
            media => request.header("content-type", media),
        };
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_ref()))).unwrap();
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request).await.unwrap()
            }
            Sender::Http2(sender) => sender.send_request(request).await.unwrap(),
        }
    }
}

/// A body read line by line.
pub(super) struct Lines {
    pub(super) media: String,
    body: Incoming,
    buffer: Vec<u8>,
}

impl Lines {
    /// The next line as JSON; null at the end.
    pub(super) async fn event(&mut self) -> Value {
        self.line().await.map_or(Value::Null, |line| serde_json::from_str(&line).unwrap())
    }

    /// The next line; `None` at the end.
    pub(super) async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(String::from_utf8(line).unwrap().trim_end().to_owned());
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    self.buffer.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
                _ => return None,
            }
        }
    }
}

/// Sends text without TLS and reads to the end.
pub(super) async fn plain(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn connector(
    authority: &Authority,
    identity: Option<&Identity>,
    protocol: Protocol,
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.certificate().as_bytes()).unwrap();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain =
                vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let protocol = if protocol == Protocol::Http2 { "h2" } else { "http/1.1" };
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    TlsConnector::from(Arc::new(config))
}
