//! HTTP and TCP from this host to a container.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use world::edge::timeout;

use crate::config::HttpGet;
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
            Err(Error::Connect(format!("dial tcp {host}:{port}: connect: {why}")))
        }
        None => Err(Error::Connect(format!("dial tcp {host}:{port}: i/o timeout"))),
    }
}

/// Sends a GET; gives status code and body.
pub(super) async fn http(request: &HttpGet) -> Result<(u16, String), Error> {
    if request.scheme != "http" {
        return Err(Error::Unsupported("HTTPS to a container"));
    }
    let url = request.url();
    let wrap = |error: Error| match error {
        Error::Connect(text) => Error::Connect(format!("Get {url}: {text}")),
        other => other,
    };
    let mut stream = connect(&request.host, request.port, request.timeout).await.map_err(wrap)?;
    let failed = |text: &str| Error::Connect(format!("Get {url}: {text}"));
    let exchange = async {
        stream.write_all(head(request).as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(MOST).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
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

fn head(request: &HttpGet) -> String {
    use std::fmt::Write as _;
    let mut head = format!("GET {} HTTP/1.1\r\n", request.path);
    let named = |name: &str| request.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    if !named("host") {
        write!(head, "Host: {}:{}\r\n", request.host, request.port).expect("a string takes it");
    }
    for (name, value) in &request.headers {
        write!(head, "{name}: {value}\r\n").expect("a string takes it");
    }
    head.push_str("Connection: close\r\n\r\n");
    head
}

/// Status code and body of an answer.
fn parse(answer: &[u8]) -> Option<(u16, String)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let body = &answer[end + 4..];
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(body) } else { body.to_vec() };
    Some((status, String::from_utf8_lossy(&body).into_owned()))
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
        assert_eq!(parse(plain), Some((200, "hi".to_owned())));
        let chunked = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        assert_eq!(parse(chunked), Some((503, "abcde".to_owned())));
        assert_eq!(parse(b"SSH-2.0-OpenSSH\r\n"), None);
    }
}
