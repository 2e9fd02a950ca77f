//! Requests and answers of pages: forms, cookies, redirects.
//!
//! Invariant: whatever a client sent is escaped before it stands in a URL or a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};

pub(super) const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A request with its parameters read.
pub(super) struct Asked<'a> {
    pub(super) uri: &'a http::Uri,
    headers: &'a HeaderMap,
    params: Vec<(String, String)>,
}

impl<'a> Asked<'a> {
    /// Parameters of the form come before those of the URL.
    pub(super) fn read(request: &'a Request<Bytes>) -> Self {
        let media = text(request.headers(), &header::CONTENT_TYPE);
        let is_form = media.split(';').next().is_some_and(|media| media.trim() == FORM);
        let form =
            if is_form { std::str::from_utf8(request.body()).unwrap_or_default() } else { "" };
        let query = request.uri().query().unwrap_or_default();
        let params = decode_form(form).chain(decode_form(query)).collect();
        Self { uri: request.uri(), headers: request.headers(), params }
    }

    /// The first value of a parameter; empty when absent.
    pub(super) fn get(&self, key: &str) -> &str {
        self.find(key).unwrap_or_default()
    }

    /// The first value of a parameter.
    pub(super) fn find(&self, key: &str) -> Option<&str> {
        self.params.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// A header as text; empty when absent.
    pub(super) fn header(&self, name: &header::HeaderName) -> &str {
        text(self.headers, name)
    }

    /// Name and password of basic authentication.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let (scheme, encoded) = self.header(&header::AUTHORIZATION).split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (name, password) = decoded.split_once(':')?;
        Some((name.to_owned(), password.to_owned()))
    }

    /// The value of a cookie.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let all = self.headers.get_all(header::COOKIE).iter();
        let mut pairs = all.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(';'));
        pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// An answer that no cache keeps.
pub(super) fn respond(
    code: StatusCode,
    media: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = code;
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    answer
}

/// Plain text.
pub(super) fn plain(code: StatusCode, body: impl Into<Bytes>) -> Response<Bytes> {
    respond(code, "text/plain; charset=utf-8", body)
}

/// A page that no other site may frame.
pub(super) fn html(code: StatusCode, body: &str) -> Response<Bytes> {
    let mut answer = respond(code, "text/html; charset=UTF-8", body.to_owned());
    let headers = answer.headers_mut();
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}

/// Sends the client elsewhere.
pub(super) fn found(location: &str) -> Response<Bytes> {
    let mut answer = respond(StatusCode::FOUND, "text/plain; charset=utf-8", Bytes::new());
    match HeaderValue::from_str(location) {
        Ok(value) => {
            answer.headers_mut().insert(header::LOCATION, value);
            answer
        }
        Err(_) => plain(StatusCode::BAD_REQUEST, "the address to be sent to is not one\n"),
    }
}

/// Adds a cookie for this server alone; an empty one is taken back.
pub(super) fn set_cookie(answer: &mut Response<Bytes>, name: &str, value: &str) {
    let life = if value.is_empty() { "; Max-Age=0" } else { "" };
    let text = format!("{name}={value}; Path=/{life}; HttpOnly; Secure; SameSite=Lax");
    if let Ok(value) = HeaderValue::from_str(&text) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Parameters as a query or fragment, in the order of their names.
pub(super) fn encode_form(pairs: &[(&str, &str)]) -> String {
    let mut pairs = pairs.to_vec();
    pairs.sort_by_key(|(key, _)| *key);
    let encoded: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
    encoded.join("&")
}

/// As Go's `url.QueryEscape`.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            b' ' => escaped.push('+'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn decode_form(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unescape(key), unescape(value))
    })
}

/// What is no escape stays as it is.
pub(super) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let pair = text.get(index + 1..index + 3).filter(|_| bytes[index] == b'%');
        let byte = pair
            .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (byte, bytes[index]) {
            (Some(byte), _) => {
                decoded.push(byte);
                index += 2;
            }
            (None, b'+') => decoded.push(b' '),
            (None, byte) => decoded.push(byte),
        }
        index += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_come_before_queries() {
        let request = Request::builder()
            .uri("/x?a=1&b=%7e+%zz&c")
            .header("content-type", FORM)
            .header("cookie", "ssn=abc; csrf=d=e")
            .header("authorization", "Basic YW5uOmE6Yg==")
            .body(Bytes::from_static(b"a=2%20"))
            .unwrap();
        let asked = Asked::read(&request);
        assert_eq!((asked.get("a"), asked.get("b")), ("2 ", "~ %zz"));
        assert_eq!((asked.find("c"), asked.find("d")), (Some(""), None));
        assert_eq!((asked.cookie("csrf"), asked.cookie("ss")), (Some("d=e"), None));
        assert_eq!(asked.basic(), Some(("ann".to_owned(), "a:b".to_owned())));
    }

    #[test]
    fn parameters_are_sorted_and_escaped() {
        let text = encode_form(&[("state", ""), ("scope", "user:full a"), ("code", "x-_.~/é")]);
        assert_eq!(text, "code=x-_.~%2F%C3%A9&scope=user%3Afull+a&state=");
        assert_eq!(unescape("x-_.~%2F%C3%A9%"), "x-_.~/é%");
    }
}
