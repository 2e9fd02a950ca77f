//! A plain HTTPS client: one kept-alive HTTP/1.1 connection, one request at a time.
//!
//! Invariant: bodies are received to their last byte and not looked into.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

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
        let stream = TcpStream::connect(self.server).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.server.ip().into());
        let stream = self.tls.connect(name, stream).await.context("cannot set up TLS")?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        drop(world::edge::spawn(connection));
        Ok(Connection { sender, host: self.server.to_string() })
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
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if !token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, body))
    }
}
