//! How answers are written: headers, pretty printing, compression, caching.
//!
//! Invariant: every failure leaves the server as a `Status` document with its HTTP code.

use std::io::Write as _;

use apimachinery::Status;
use apimachinery::Value;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::{Body, Chunks};
use super::slow::Fed;

/// Answers above this size are compressed for clients that ask for it.
const COMPRESS_FROM: usize = 128 * 1024;
/// Answers above this size are not compressed for clients on the same machine.
const COMPRESS_NEAR_TO: usize = 4 * 1024 * 1024;

/// Tables from so many rows on are made while they are sent.
const LAZY_FROM: usize = 500;
/// About what a row takes.
const ROW: usize = 1024;

/// An answer on its way out.
pub(crate) type Answer = Response<Body>;

/// What of the request decides how its answer is written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wishes {
    pub(crate) pretty: bool,
    pub(crate) gzip: bool,
    /// Whether the client is on this machine.
    pub(crate) near: bool,
}

/// Goes with a request: whether its client is on this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near(pub(crate) bool);

impl Wishes {
    /// Reads the wishes from the `pretty` parameter and the headers; browsers and curl get indented
    /// answers without asking.
    ///
    /// Mirrors: `k8s.io/apiserver/pkg/endpoints/handlers/negotiation` (`isPrettyPrint`).
    pub(crate) fn read(pretty: Option<&str>, headers: &HeaderMap) -> Self {
        let agent = text(headers, header::USER_AGENT);
        let by_hand = ["curl", "Wget", "Mozilla/5.0"].iter().any(|name| agent.starts_with(name));
        let encodings = text(headers, header::ACCEPT_ENCODING);
        let gzip = encodings
            .split(',')
            .any(|word| word.split(';').next().is_some_and(|name| name.trim() == "gzip"));
        let pretty = pretty.map_or(by_hand, |word| word != "false" && word != "0");
        Self { pretty, gzip, near: false }
    }

    /// The same for a client that may be on this machine.
    pub(crate) fn seen_from(mut self, near: Option<&Near>) -> Self {
        self.near = near.is_some_and(|near| near.0);
        self
    }

    /// Whether a table of so many rows may be made while it is sent: it is neither indented nor
    /// compressed.
    pub(crate) fn lazily(self, rows: usize) -> bool {
        rows >= LAZY_FROM && !self.pretty && !self.compresses(rows * ROW)
    }

    /// Whether an answer of `length` bytes is to be compressed: not where copying it costs less.
    fn compresses(self, length: usize) -> bool {
        self.gzip && length > COMPRESS_FROM && !(self.near && length > COMPRESS_NEAR_TO)
    }
}

/// A header as text, empty when absent or not text.
pub(crate) fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A document.
pub(crate) fn json(code: StatusCode, value: &Value, wishes: Wishes) -> Answer {
    let mut bytes =
        if wishes.pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) }
            .unwrap_or_default();
    bytes.push(b'\n');
    finish(code, "application/json", Bytes::from(bytes), wishes)
}

/// A document that is serialised already.
pub(crate) fn json_bytes(code: StatusCode, bytes: Bytes, wishes: Wishes) -> Answer {
    if wishes.pretty
        && let Ok(value) = serde_json::from_slice::<Value>(&bytes)
    {
        return json(code, &value, wishes);
    }
    finish(code, "application/json", bytes, wishes)
}

/// A document that is serialised already, in parts.
pub(crate) fn json_parts(parts: Vec<Bytes>, wishes: Wishes) -> Answer {
    let length = parts.iter().map(Bytes::len).sum();
    if wishes.pretty || wishes.compresses(length) {
        return json_bytes(StatusCode::OK, Bytes::from(parts.concat()), wishes);
    }
    let mut answer = finish(StatusCode::OK, "application/json", Bytes::new(), wishes);
    *answer.body_mut() = Body::parts(parts);
    answer
}

/// A document whose parts are made as they are sent.
pub(crate) fn json_lazily(parts: impl Iterator<Item = Bytes> + Send + 'static) -> Answer {
    let wishes = Wishes::default();
    let mut answer = finish(StatusCode::OK, "application/json", Bytes::new(), wishes);
    *answer.body_mut() = Body::Fed(Fed::new(None, parts));
    answer
}

/// A failure.
pub(crate) fn failure(status: &Status, wishes: Wishes) -> Answer {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = json(code, &status.to_value(), wishes);
    if let Some(seconds) = status.details.get("retryAfterSeconds").and_then(Value::as_u64) {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    warn(&mut answer, &status.warnings);
    answer
}

/// Plain text.
pub(crate) fn plain(code: StatusCode, text: impl Into<String>) -> Answer {
    let bytes = Bytes::from(text.into());
    finish(code, "text/plain; charset=utf-8", bytes, Wishes::default())
}

/// Bytes of any type, compressed when that was asked for and pays.
pub(crate) fn finish(code: StatusCode, media: &str, bytes: Bytes, wishes: Wishes) -> Answer {
    let compressed = wishes.compresses(bytes.len()).then(|| compress(&bytes)).flatten();
    let encoded = compressed.is_some();
    let mut answer = Response::new(Body::Full(compressed.unwrap_or(bytes)));
    *answer.status_mut() = code;
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set(headers, header::CONTENT_TYPE, media);
    if encoded {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    answer
}

/// A stream whose length is not known.
pub(crate) fn stream(media: &str, chunks: Chunks) -> Answer {
    let mut answer = Response::new(Body::Stream(chunks));
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set(headers, header::CONTENT_TYPE, media);
    answer
}

/// A document with an entity tag; 304 without a body when the client has it already.
pub(crate) fn tagged(media: &str, bytes: Bytes, known: &str, wishes: Wishes) -> Answer {
    let tag = format!("\"{}\"", hash(&bytes));
    let mut answer = if known.split(',').any(|word| word.trim() == tag) {
        let mut answer = Response::new(Body::Full(Bytes::new()));
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        answer
    } else {
        finish(StatusCode::OK, media, bytes, wishes)
    };
    let headers = answer.headers_mut();
    set(headers, header::ETAG, &tag);
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    answer
}

/// The first half of the SHA-512 of `bytes` in upper-case hexadecimal, as upstream tags documents.
pub(crate) fn hash(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA512, bytes);
    digest.as_ref()[..32].iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Sets a header whose text was made here; a text that is no header value is left out.
pub(crate) fn set(headers: &mut HeaderMap, name: header::HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Adds one `Warning: 299 - "<text>"` header per warning.
///
/// Mirrors: `k8s.io/apimachinery/pkg/util/net` (`NewWarningHeader`).
pub(crate) fn warn(answer: &mut Answer, warnings: &[String]) {
    for warning in warnings {
        let quoted: String = warning
            .chars()
            .filter(|letter| !letter.is_control())
            .flat_map(|letter| match letter {
                '"' | '\\' => vec!['\\', letter],
                other => vec![other],
            })
            .collect();
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{quoted}\"").as_bytes()) {
            answer.headers_mut().append(header::WARNING, value);
        }
    }
}

fn compress(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn bytes(answer: Answer) -> Bytes {
        match answer.into_body() {
            Body::Full(bytes) => bytes,
            Body::Fed(_) | Body::Stream(_) => Bytes::new(),
        }
    }

    #[test]
    fn failures_carry_code_and_retry() {
        let mut status = Status::new(apimachinery::Reason::TooManyRequests, "slow down");
        status.details = apimachinery::json!({"retryAfterSeconds": 3});
        let answer = failure(&status, Wishes::default());
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()[header::RETRY_AFTER], "3");
        let body: Value = serde_json::from_slice(&bytes(answer)).unwrap();
        assert_eq!(body["reason"], "TooManyRequests");
    }

    #[test]
    fn warnings_are_quoted() {
        let mut answer = plain(StatusCode::OK, "");
        warn(&mut answer, &["unknown field \"spec.foo\"".to_owned()]);
        assert_eq!(answer.headers()[header::WARNING], r#"299 - "unknown field \"spec.foo\"""#);
    }

    #[test]
    fn large_answers_are_compressed_on_request_only() {
        let large = Bytes::from(vec![b'a'; COMPRESS_FROM + 1]);
        let wishes = Wishes { gzip: true, ..Wishes::default() };
        let near = Wishes { near: true, ..wishes };
        assert!(near.compresses(COMPRESS_FROM + 1) && !near.compresses(COMPRESS_NEAR_TO + 1));
        assert!(wishes.compresses(COMPRESS_NEAR_TO + 1));
        let answer = finish(StatusCode::OK, "text/plain", large.clone(), wishes);
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&bytes(answer)[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text.len(), large.len());
        let answer = finish(StatusCode::OK, "text/plain", large, Wishes::default());
        assert!(!answer.headers().contains_key(header::CONTENT_ENCODING));
    }

    #[test]
    fn a_known_tag_gives_not_modified() {
        let body = Bytes::from_static(b"{}");
        let answer = tagged("application/json", body.clone(), "", Wishes::default());
        let tag = answer.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(tagged("application/json", body, &tag, Wishes::default()).status(), 304);
    }
}
