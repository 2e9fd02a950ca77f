//! A small blocking HTTP/1.1 client over TCP and TLS, for registries. For real worlds only.
//!
//! Invariant: an answer longer than asked for or slower than the timeout is an error; nothing here
//! panics on what a server sends.

use std::fmt;
use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use cri::AnyCertificate;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const TIMEOUT: Duration = Duration::from_secs(15);
const MAX_HEAD: u64 = 64 << 10;
const MAX_REDIRECTS: usize = 5;

/// Where a host keeps the certificates that it trusts.
const TRUSTED: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server speaks plain HTTP where TLS was expected.
    #[error("Get {0}: http: server gave HTTP response to HTTPS client")]
    PlainServer(String),
    /// The address, the connection or the answer was no good.
    #[error("Get {url}: {why}")]
    Failed {
        /// What was asked for.
        url: String,
        /// In the words of upstream's client.
        why: String,
    },
}

/// An address: scheme, host with port where one is given, path with query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: String,
    /// Host, and port if one is named.
    pub authority: String,
    /// Path and query, with its leading slash.
    pub path: String,
}

impl Url {
    /// Reads an absolute address, or a path on the host of `base`.
    #[must_use]
    pub fn parse(text: &str, base: Option<&Self>) -> Option<Self> {
        if let (true, Some(base)) = (text.starts_with('/'), base) {
            return Some(Self { path: text.to_owned(), ..base.clone() });
        }
        let (scheme, rest) = text.split_once("://")?;
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let clean = |text: &str| !text.bytes().any(|byte| byte <= b' ' || byte == 0x7f);
        let known = matches!(scheme, "http" | "https");
        (known && !authority.is_empty() && clean(text)).then(|| Self {
            scheme: scheme.to_owned(),
            authority: authority.to_owned(),
            path,
        })
    }

    fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => &self.authority,
        }
    }

    fn address(&self) -> String {
        let port = if self.scheme == "https" { 443 } else { 80 };
        match self.authority.rsplit_once(':') {
            Some((_, port)) if !port.ends_with(']') => self.authority.clone(),
            _ => format!("{}:{port}", self.authority),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// An answer whose body has not been read yet.
pub struct Answer {
    /// The status code.
    pub code: u16,
    headers: Vec<(String, String)>,
    body: Box<dyn Read + Send>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("code", &self.code).field("headers", &self.headers).finish()
    }
}

impl Answer {
    /// The first header of a name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// Every header of a name.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The whole body, at most `limit` bytes.
    ///
    /// # Errors
    /// When it is longer or breaks off.
    pub fn bytes(self, limit: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        self.body
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| words(&error))?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
            return Err("http: response body too large".to_owned());
        }
        Ok(bytes)
    }

    /// The body, piece by piece.
    #[must_use]
    pub fn into_body(self) -> Box<dyn Read + Send> {
        self.body
    }
}

/// Fetches `url`, following redirections; credentials stay with the host they are for.
///
/// # Errors
/// Why there is no answer.
pub fn get(url: &Url, headers: &[(&str, String)], insecure: bool) -> Result<Answer, Error> {
    let mut url = url.clone();
    let mut headers = headers.to_vec();
    for _ in 0..MAX_REDIRECTS {
        let answer = get_once(&url, &headers, insecure)?;
        if !matches!(answer.code, 301 | 302 | 303 | 307 | 308) {
            return Ok(answer);
        }
        let next = answer.header("location").and_then(|text| Url::parse(text, Some(&url)));
        let Some(next) =
            next.filter(|next| insecure || next.scheme == "https" || url.scheme == "http")
        else {
            return Err(failed(&url, "redirect to an address that is not allowed"));
        };
        if next.authority != url.authority {
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        }
        url = next;
    }
    Err(failed(&url, &format!("stopped after {MAX_REDIRECTS} redirects")))
}

fn failed(url: &Url, why: &str) -> Error {
    Error::Failed { url: url.to_string(), why: why.to_owned() }
}

fn get_once(url: &Url, headers: &[(&str, String)], insecure: bool) -> Result<Answer, Error> {
    let stream = connect(url).map_err(|why| failed(url, &why))?;
    if url.scheme == "http" {
        return exchange(stream, url, headers).map_err(|why| failed(url, &why));
    }
    let fail = |why: String| failed(url, &why);
    let host = url.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|error| fail(error.to_string()))?;
    let config = tls_config(insecure).map_err(fail)?;
    let connection =
        ClientConnection::new(config, name).map_err(|error| fail(error.to_string()))?;
    exchange(StreamOwned::new(connection, stream), url, headers).map_err(|why| {
        let plain = why.contains("InvalidContentType") || why.contains("InvalidMessage");
        if plain { Error::PlainServer(url.to_string()) } else { fail(why) }
    })
}

fn connect(url: &Url) -> Result<TcpStream, String> {
    let addresses = url.address().to_socket_addrs();
    let addresses = addresses
        .map_err(|_| format!("dial tcp: lookup {}: no such host", url.host()))?
        .collect::<Vec<_>>();
    let mut last = format!("dial tcp: lookup {}: no such host", url.host());
    for address in addresses {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                let timed = stream
                    .set_read_timeout(Some(TIMEOUT))
                    .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)));
                return timed.map(|()| stream).map_err(|error| words(&error));
            }
            Err(error) => last = format!("dial tcp {address}: {}", dial_words(&error)),
        }
    }
    Err(last)
}

fn dial_words(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "i/o timeout".to_owned(),
        ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        _ => error.to_string(),
    }
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "i/o timeout".to_owned(),
        ErrorKind::UnexpectedEof => "unexpected EOF".to_owned(),
        ErrorKind::ConnectionReset => "read: connection reset by peer".to_owned(),
        _ => error.to_string(),
    }
}

/// Trusts what the host trusts or, where that was allowed, everybody.
fn tls_config(insecure: bool) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    if insecure {
        let anyone = Arc::new(AnyCertificate(provider));
        let builder = builder.dangerous().with_custom_certificate_verifier(anyone);
        return Ok(Arc::new(builder.with_no_client_auth()));
    }
    let mut roots = RootCertStore::empty();
    if let Some(pem) = TRUSTED.iter().find_map(|path| std::fs::read(path).ok()) {
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
    }
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn exchange<S: Read + Write + Send + 'static>(
    mut stream: S,
    url: &Url,
    headers: &[(&str, String)],
) -> Result<Answer, String> {
    let mut head = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: rehearse\r\nConnection: close\r\n",
        url.path, url.authority
    );
    for (name, value) in headers {
        if !value.bytes().any(|byte| byte < b' ') {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str("\r\n");
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.flush());
    sent.map_err(|error| words(&error))?;
    receive(BufReader::new(stream))
}

fn receive<S: Read + Send + 'static>(mut reader: BufReader<S>) -> Result<Answer, String> {
    let mut lines = Vec::new();
    let mut head = (&mut reader).take(MAX_HEAD);
    loop {
        let mut line = String::new();
        head.read_line(&mut line).map_err(|error| words(&error))?;
        match line.trim_end() {
            "" if line.is_empty() => return Err("malformed HTTP response".to_owned()),
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let code = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let code = code.ok_or_else(|| "malformed HTTP response".to_owned())?;
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers: Vec<_> =
        headers.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect();
    let find = |name: &str| {
        headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let chunked = find("transfer-encoding").is_some_and(|it| it.eq_ignore_ascii_case("chunked"));
    let length = find("content-length").and_then(|it| it.parse::<u64>().ok());
    let body: Box<dyn Read + Send> = match (chunked, length) {
        (true, _) => Box::new(Chunks { reader, left: 0, ended: false }),
        (false, Some(length)) => Box::new(Exactly { reader, left: length }),
        (false, None) => Box::new(reader),
    };
    Ok(Answer { code, headers, body })
}

/// A body of a known length; the end of the stream before it is an error.
struct Exactly<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let count = self.reader.read(&mut buffer[..room])?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= u64::try_from(count).unwrap_or(self.left);
        Ok(count)
    }
}

/// A body in chunks.
struct Chunks<R> {
    reader: BufReader<R>,
    left: u64,
    ended: bool,
}

impl<R: Read> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 && !self.ended {
            self.next_chunk()?;
        }
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.reader.read(&mut buffer[..room])?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= u64::try_from(count).unwrap_or(self.left);
        if self.left == 0 {
            let mut end = String::new();
            (&mut self.reader).take(2).read_line(&mut end)?;
        }
        Ok(count)
    }
}

impl<R: Read> Chunks<R> {
    fn next_chunk(&mut self) -> std::io::Result<()> {
        let mut line = String::new();
        (&mut self.reader).take(1024).read_line(&mut line)?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16);
        self.left = size.map_err(|_| std::io::Error::from(ErrorKind::UnexpectedEof))?;
        self.ended = self.left == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(u16, String), String> {
        let answer = receive(BufReader::new(std::io::Cursor::new(text.as_bytes().to_vec())))?;
        let code = answer.code;
        answer.bytes(10).map(|bytes| (code, String::from_utf8_lossy(&bytes).into_owned()))
    }

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let ok = |text: &str| Ok((200, text.to_owned()));
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more"), ok("hi"));
        assert_eq!(read("HTTP/1.1 200 OK\r\n\r\nhi"), ok("hi"));
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1;x\r\n!\r\n0\r\n\r\n";
        assert_eq!(read(chunked), ok("hi!"));
        for bad in [
            "",
            "\r\n",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhi",
            "HTTP/1.1 200 OK\r\n\r\nlonger than ten",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_come_apart() {
        let shown =
            |text: &str| Url::parse(text, None).map(|url| format!("{} {url}", url.address()));
        assert_eq!(shown("https://r.example").as_deref(), Some("r.example:443 https://r.example/"));
        assert_eq!(shown("http://r:5000/v2/?a").as_deref(), Some("r:5000 http://r:5000/v2/?a"));
        assert_eq!(shown("https://[::1]/x").as_deref(), Some("[::1]:443 https://[::1]/x"));
        for bad in ["", "r.example/x", "ftp://r", "https://", "https://r/a b", "https://r/\r\nX: y"]
        {
            assert_eq!(shown(bad), None, "{bad:?}");
        }
    }
}
