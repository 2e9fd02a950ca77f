//! How a webhook is reached: its address, and a small blocking HTTP/1.1 client over TCP and TLS.
//!
//! Invariant: an answer that is longer than [`MAX_ANSWER`] or takes longer than the timeout is an
//! error; nothing here panics on what a server sends.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use apimachinery::{ObjectExt as _, Value};
use apiserver::ApiServer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::request::find;

const MAX_ANSWER: u64 = 3 << 20;

/// Where a webhook listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether to speak TLS.
    pub tls: bool,
    /// Host and port to connect to.
    pub address: String,
    /// The name in `Host` and in the server's certificate.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// The certificates to trust, PEM.
    pub ca: Vec<u8>,
}

/// Carries a question to a webhook and its answer back.
pub trait Caller: Send + Sync + Debug {
    /// Posts JSON; gives the body of a successful answer.
    ///
    /// # Errors
    /// Why there is none.
    fn post(&self, to: &Endpoint, body: &[u8], timeout: Duration) -> Result<Vec<u8>, String>;
}

/// The address in a webhook's `clientConfig`. A service is reached at its first ready endpoint.
pub(super) fn endpoint(server: &ApiServer, webhook: &Value) -> Result<Endpoint, String> {
    let config = webhook.get("clientConfig").unwrap_or(&Value::Null);
    let ca = STANDARD.decode(config.str_at(&["caBundle"])).unwrap_or_default();
    let url = config.str_at(&["url"]);
    if !url.is_empty() {
        return from_url(url, ca);
    }
    let service = config.get("service").unwrap_or(&Value::Null);
    let (ns, name) = (service.str_at(&["namespace"]), service.str_at(&["name"]));
    let port = service.int_at(&["port"]).unwrap_or(443);
    let address = ready_address(server, ns, name, port)?;
    let path = match service.str_at(&["path"]) {
        "" => "/".to_owned(),
        path => path.to_owned(),
    };
    Ok(Endpoint { tls: true, address, host: format!("{name}.{ns}.svc"), path, ca })
}

fn from_url(url: &str, ca: Vec<u8>) -> Result<Endpoint, String> {
    let (tls, rest) = match url.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        _ => return Err(format!("unsupported URL {url:?}")),
    };
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, if tls { "443" } else { "80" }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    Ok(Endpoint { tls, address, host: host.to_owned(), path: path.to_owned(), ca })
}

fn ready_address(server: &ApiServer, ns: &str, name: &str, port: i64) -> Result<String, String> {
    let service = find(server, &api::SERVICES, ns, name)
        .ok_or_else(|| format!("service {name:?} not found"))?;
    let ports = service.list_at(&["spec", "ports"]);
    let wanted = ports.iter().find(|entry| entry.int_at(&["port"]) == Some(port));
    let wanted =
        wanted.ok_or_else(|| format!("no service port {port} found for service {name:?}"))?;
    let endpoints = find(server, &api::ENDPOINTS, ns, name);
    let subsets = endpoints.as_ref().map(|e| e.list_at(&["subsets"])).unwrap_or_default();
    let mut ready = subsets.iter().filter_map(|subset| {
        let ip = subset.list_at(&["addresses"]).first()?.str_at(&["ip"]);
        let named = |entry: &&Value| entry.str_at(&["name"]) == wanted.str_at(&["name"]);
        let port = subset.list_at(&["ports"]).iter().find(named)?.int_at(&["port"])?;
        Some(format!("{ip}:{port}"))
    });
    ready.next().ok_or_else(|| format!("no endpoints available for service {name:?}"))
}

/// Calls over the network. For real worlds only: a simulated one has no network.
#[derive(Debug, Clone, Copy, Default)]
pub struct HttpCaller;

impl Caller for HttpCaller {
    fn post(&self, to: &Endpoint, body: &[u8], timeout: Duration) -> Result<Vec<u8>, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut addresses = to.address.to_socket_addrs().map_err(text)?;
        let address = addresses.next().ok_or_else(|| format!("no such host {:?}", to.host))?;
        let stream = TcpStream::connect_timeout(&address, timeout).map_err(text)?;
        stream.set_read_timeout(Some(timeout)).map_err(text)?;
        stream.set_write_timeout(Some(timeout)).map_err(text)?;
        if !to.tls {
            return exchange(stream, to, body);
        }
        let name = ServerName::try_from(to.host.clone()).map_err(|error| error.to_string())?;
        let connection =
            ClientConnection::new(tls_config(&to.ca)?, name).map_err(|error| error.to_string())?;
        exchange(StreamOwned::new(connection, stream), to, body)
    }
}

/// Trusts the certificates of the webhook's configuration.
fn tls_config(ca: &[u8]) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn exchange<S: Read + Write>(mut stream: S, to: &Endpoint, body: &[u8]) -> Result<Vec<u8>, String> {
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nAccept: \
         application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        to.path,
        to.host,
        body.len()
    );
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    sent.and_then(|()| stream.flush()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    // A server that closes without saying so in TLS has still sent its answer.
    match stream.take(MAX_ANSWER).read_to_end(&mut answer) {
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            return Err(error.to_string());
        }
        _ => {}
    }
    parse(&answer)
}

/// The body of a complete answer.
fn parse(answer: &[u8]) -> Result<Vec<u8>, String> {
    let malformed = || "malformed HTTP response".to_owned();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(malformed)?;
    let (head, body) = (String::from_utf8_lossy(&answer[..end]), &answer[end + 4..]);
    let code =
        head.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()).ok_or_else(malformed)?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    };
    let body = if header("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked")) {
        unchunk(body).ok_or_else(malformed)?
    } else if let Some(length) = header("content-length").and_then(|it| it.parse::<usize>().ok()) {
        body.get(..length).ok_or_else(|| "unexpected EOF".to_owned())?.to_vec()
    } else {
        body.to_vec()
    };
    if (200..300).contains(&code) {
        return Ok(body);
    }
    let text: String = String::from_utf8_lossy(&body).chars().take(200).collect();
    Err(format!("the server answered {code}: {}", text.trim()))
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = rest.get(line + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size.checked_add(2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_endpoints() {
        let parts = |url: &str| {
            from_url(url, Vec::new())
                .map(|e| format!("{} {} {} {}", e.tls, e.address, e.host, e.path))
        };
        assert_eq!(parts("https://h:8443/a?b").unwrap(), "true h:8443 h /a?b");
        assert_eq!(parts("http://h").unwrap(), "false h:80 h /");
        assert_eq!(parts("https://[::1]:9/x").unwrap(), "true [::1]:9 ::1 /x");
        assert!(parts("ftp://h").is_err());
    }

    #[test]
    fn answers_are_read_whole() {
        let read = |text: &str| parse(text.as_bytes()).map(|body| String::from_utf8(body).unwrap());
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), Ok("hi".into()));
        assert_eq!(
            read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi"),
            Err("unexpected EOF".into())
        );
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        assert_eq!(read(chunked), Ok("hi".into()));
        assert_eq!(
            read(&chunked.replace("2\r\n", "fffffffffffffffe\r\n")),
            Err("malformed HTTP response".into())
        );
        assert_eq!(read("HTTP/1.1 500 No\r\n\r\nbad"), Err("the server answered 500: bad".into()));
        assert!(read("").is_err());
    }
}
