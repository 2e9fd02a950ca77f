//! Fetching what a pod answers over HTTP: from the script of a simulated container, or over the
//! network from a real one.
//!
//! Invariant: a fetch takes at most a few seconds and never panics on what it reads.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use cri::sim::SimControl;

/// How long connecting, writing and each read may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most that is read of an answer.
const MOST_BYTES: u64 = 1 << 20;

/// Where pages come from.
#[derive(Debug, Clone)]
pub enum Pages {
    /// The scripts of simulated containers.
    Sim(SimControl),
    /// The addresses of pods, reachable from this host.
    Network,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageAnswer {
    /// Status code.
    pub status: u16,
    /// Body, as text.
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The simulated container does not answer.
    #[error(transparent)]
    Sim(#[from] cri::Error),
    /// The connection failed.
    #[error("cannot reach {address}")]
    Network {
        /// Where to.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// What came back is not HTTP.
    #[error("the answer of {0} is not HTTP")]
    NotHttp(String),
}

impl Pages {
    /// What the pod at `ip` answers to `GET path` on `port`.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&self, ip: &str, port: u16, path: &str) -> Result<PageAnswer, Error> {
        match self {
            Self::Sim(control) => {
                let answer = control.http_get(ip, port, path)?;
                Ok(PageAnswer { status: answer.status, body: answer.body })
            }
            Self::Network => over_network(ip, port, path),
        }
    }
}

fn over_network(ip: &str, port: u16, path: &str) -> Result<PageAnswer, Error> {
    let shown = format!("{ip}:{port}");
    let failed = |source| Error::Network { address: shown.clone(), source };
    let ip: IpAddr = ip.parse().map_err(|_| Error::NotHttp(shown.clone()))?;
    let exchange = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(ip, port), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {ip}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(MOST_BYTES).read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(failed)?;
    parse(&answer).ok_or(Error::NotHttp(shown))
}

fn parse(answer: &[u8]) -> Option<PageAnswer> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?.parse().ok()?;
    Some(PageAnswer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_rubbish_is_not() {
        let answer = parse(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello\n");
        assert_eq!(answer, Some(PageAnswer { status: 200, body: "hello\n".to_owned() }));
        assert_eq!(parse(b"SSH-2.0"), None);
        assert_eq!(parse(b"HTTP/1.1 x\r\n\r\n"), None);
    }
}
