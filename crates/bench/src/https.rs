//! A plain HTTPS client: kept-alive HTTP/1.1 connections with one request at a time, and HTTP/2
//! connections with many watches.
//!
//! Invariant: bodies are received to their last byte and not looked into.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const MERGE_PATCH: &str = "application/merge-patch+json";

/// Where to connect to and whom to trust.
#[derive(Clone)]
pub(crate) struct Address {
    server: SocketAddr,
    tls: TlsConnector,
}

impl Address {
    /// `server`, whose certificate the `authority` (PEM) has signed.
    pub(crate) fn new(server: SocketAddr, authority: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { server, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// Opens a connection on the tokio runtime of the caller.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let stream = self.open(&self.tls).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        drop(world::edge::spawn(connection));
        Ok(Connection { sender, host: self.server.to_string() })
    }

    /// Opens an HTTP/2 connection on the tokio runtime of the caller.
    pub(crate) async fn connect_h2(&self) -> Result<Multiplexed> {
        let mut config = ClientConfig::clone(self.tls.config());
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = self.open(&TlsConnector::from(Arc::new(config))).await?;
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        drop(world::edge::spawn(connection));
        Ok(Multiplexed { sender, host: self.server.to_string() })
    }

    async fn open(&self, tls: &TlsConnector) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.server).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.server.ip().into());
        tls.connect(name, stream).await.context("cannot set up TLS")
    }
}

/// An open connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// Sends a request, as the bearer of `token` unless that is empty; gives status and body.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        token: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.call(request, token, body).await
    }

    /// Reads `path` in the form that `accept` names; the body comes as it was received, in pieces.
    pub(crate) async fn fetch(
        &mut self,
        path: &str,
        token: &str,
        accept: &'static str,
        gzip: bool,
    ) -> Result<(StatusCode, Vec<Bytes>)> {
        let mut request = Request::get(path).header(ACCEPT, HeaderValue::from_static(accept));
        if gzip {
            request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let response = self.request(request, token, Bytes::new()).await?;
        let (status, mut body) = (response.status(), response.into_body());
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.extend(frame?.into_data().ok());
        }
        Ok((status, pieces))
    }

    /// Sends a merge patch.
    pub(crate) async fn patch(
        &mut self,
        path: &str,
        token: &str,
        patch: Bytes,
    ) -> Result<StatusCode> {
        let request =
            Request::patch(path).header(CONTENT_TYPE, HeaderValue::from_static(MERGE_PATCH));
        Ok(self.call(request, token, patch).await?.0)
    }

    async fn call(
        &mut self,
        request: http::request::Builder,
        token: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        let response = self.request(request, token, body).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    async fn request(
        &mut self,
        request: http::request::Builder,
        token: &str,
        body: Bytes,
    ) -> Result<http::Response<Incoming>> {
        let mut request = request.header(HOST, &self.host);
        if !token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        self.sender.ready().await?;
        Ok(self.sender.send_request(request.body(Full::new(body))?).await?)
    }
}

/// An open HTTP/2 connection.
pub(crate) struct Multiplexed {
    sender: http2::SendRequest<Full<Bytes>>,
    host: String,
}

impl Multiplexed {
    /// Opens a watch, whose head has been received when this returns.
    pub(crate) async fn watch(&mut self, path: &str, token: &str) -> Result<Watch> {
        let request = Request::get(format!("https://{}{path}", self.host))
            .header(AUTHORIZATION, format!("Bearer {token}"));
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(Bytes::new()))?).await?;
        ensure!(response.status() == StatusCode::OK, "a watch was answered {}", response.status());
        Ok(Watch(response.into_body()))
    }
}

/// A running watch.
pub(crate) struct Watch(Incoming);

impl Watch {
    /// Waits for bytes; says how many lines end in them. `None` at the end.
    pub(crate) async fn lines(&mut self) -> Option<usize> {
        let frame = self.0.frame().await?.ok()?;
        Some(frame.data_ref().map_or(0, |data| data.iter().filter(|byte| **byte == b'\n').count()))
    }
}
