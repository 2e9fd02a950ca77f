//! HTTP and TCP from this host to a container.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use world::edge::timeout;

use crate::config::{HttpGet, host_port};
use crate::runtime::Error;

/// How much of an answer is read.
const MOST: u64 = 10 * 1024;

/// Opens and closes a connection.
pub(super) async fn tcp(host: &str, port: u16, limit: Duration) -> Result<(), Error> {
    connect(host, port, limit).await.map(drop)
}

pub(super) async fn connect(host: &str, port: u16, limit: Duration) -> Result<TcpStream, Error> {
    match timeout(limit, TcpStream::connect((host, port))).await {
        Some(Ok(stream)) => Ok(stream),
        Some(Err(error)) => {
            let why = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
                std::io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
                _ => error.to_string().to_lowercase(),
            };
            Err(Error::Connect(format!("dial tcp {}: connect: {why}", host_port(host, port))))
        }
        None => Err(Error::Connect(format!("dial tcp {}: i/o timeout", host_port(host, port)))),
    }
}

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 10;

/// Sends a GET, following redirects; gives status code and body.
pub(super) async fn http(request: &HttpGet) -> Result<(u16, String), Error> {
    let mut request = request.clone();
    let first = request.url();
    for _ in 0..=MOST_REDIRECTS {
        let answer = ask(&request).await?;
        let moved = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
        match answer.location {
            Some(location) if moved => redirect(&mut request, &location),
            _ => return Ok((answer.status, answer.body)),
        }
    }
    Err(Error::Connect(format!("Get {first}: stopped after {MOST_REDIRECTS} redirects")))
}

/// Points `request` at `location`, which may be a whole URL or a path.
fn redirect(request: &mut HttpGet, location: &str) {
    let (scheme, rest) = match location.split_once("://") {
        Some((scheme, rest)) => (scheme.to_lowercase(), rest),
        None => {
            request.path = if location.starts_with('/') {
                location.to_owned()
            } else {
                let folder = request.path.rfind('/').map_or("/", |at| &request.path[..=at]);
                format!("{folder}{location}")
            };
            return;
        }
    };
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let usual = if scheme == "https" { 443 } else { 80 };
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(usual)),
        _ => (address, usual),
    };
    request.host = host.trim_matches(['[', ']']).to_owned();
    request.port = port;
    request.path = format!("/{path}");
    request.scheme = scheme;
    request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
}

async fn ask(request: &HttpGet) -> Result<Answer, Error> {
    let url = request.url();
    let wrap = |error: Error| match error {
        Error::Connect(text) => Error::Connect(format!("Get {url}: {text}")),
        other => other,
    };
    let stream = connect(&request.host, request.port, request.timeout).await.map_err(wrap)?;
    let failed = |text: &str| Error::Connect(format!("Get {url}: {text}"));
    let exchange = async {
        if request.scheme == "https" {
            talk(super::tls::connect(&request.host, stream).await?, request).await
        } else {
            talk(stream, request).await
        }
    };
    let answer = match timeout(request.timeout, exchange).await {
        Some(answer) => answer.map_err(|error| failed(&error.to_string()))?,
        None => {
            let text =
                "net/http: request canceled (Client.Timeout exceeded while awaiting headers)";
            return Err(failed(text));
        }
    };
    parse(&answer).ok_or_else(|| failed("EOF"))
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    request: &HttpGet,
) -> std::io::Result<Vec<u8>> {
    stream.write_all(head(request).as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    match stream.take(MOST).read_to_end(&mut answer).await {
        // Some servers do not say goodbye before they hang up.
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(answer),
    }
}

fn head(request: &HttpGet) -> String {
    use std::fmt::Write as _;
    let slash = if request.path.starts_with('/') { "" } else { "/" };
    let mut head = format!("GET {slash}{} HTTP/1.1\r\n", request.path);
    let named = |name: &str| request.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    if !named("host") {
        write!(head, "Host: {}\r\n", host_port(&request.host, request.port))
            .expect("a string takes it");
    }
    for (name, value) in &request.headers {
        write!(head, "{name}: {value}\r\n").expect("a string takes it");
    }
    head.push_str("Connection: close\r\n\r\n");
    head
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    location: Option<String>,
    body: String,
}

/// Status code, redirection and body of an answer.
fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let body = &answer[end + 4..];
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(body) } else { body.to_vec() };
    let location = head.lines().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    });
    Some(Answer { status, location, body: String::from_utf8_lossy(&body).into_owned() })
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]).into_owned();
        let size = size.split(';').next().unwrap_or_default().trim().to_owned();
        let Ok(size @ 1..) = usize::from_str_radix(&size, 16) else { break };
        let data = &rest[end + 2..];
        body.extend_from_slice(&data[..size.min(data.len())]);
        rest = data.get(size + 2..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        let read = |answer: &[u8]| parse(answer).map(|answer| (answer.status, answer.body));
        assert_eq!(read(plain), Some((200, "hi".to_owned())));
        let chunked = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        assert_eq!(read(chunked), Some((503, "abcde".to_owned())));
        assert_eq!(parse(b"SSH-2.0-OpenSSH\r\n"), None);
        let moved = parse(b"HTTP/1.1 302 Found\r\nlocation: /new\r\n\r\n").unwrap();
        assert_eq!(moved.location.as_deref(), Some("/new"));
    }

    #[test]
    fn redirects_lead_to_paths_and_to_other_places() {
        let request = HttpGet {
            scheme: "http".to_owned(),
            host: "10.1.2.3".to_owned(),
            port: 8080,
            path: "/a/b".to_owned(),
            headers: Vec::new(),
            timeout: Duration::from_secs(1),
        };
        for (location, url) in [
            ("/c", "http://10.1.2.3:8080/c"),
            ("c", "http://10.1.2.3:8080/a/c"),
            ("https://web.example/x?y=1", "https://web.example:443/x?y=1"),
            ("http://[fd00::1]:81", "http://[fd00::1]:81/"),
        ] {
            let mut moved = request.clone();
            redirect(&mut moved, location);
            assert_eq!(moved.url(), url);
        }
    }
}
