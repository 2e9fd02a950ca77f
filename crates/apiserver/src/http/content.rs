//! Request bodies: which formats are read, and what is said about those that are not.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/handlers/negotiation`, `…/handlers/create.go`.

use api::decode::{from_protobuf, parse_json, refusal};
use apimachinery::Status;
use apimachinery::Value;
use apimachinery::status::Reason;
use bytes::{Bytes, BytesMut};

use crate::PatchKind;

/// How much of a body that cannot be read is shown in the message.
const EXCERPT: usize = 256;

/// A format that bodies are sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Yaml,
    Protobuf,
}

impl Format {
    /// Reads a `Content-Type`; a missing one means JSON.
    pub(crate) fn of(content_type: &str) -> Result<Self, Status> {
        match media(content_type).as_str() {
            "" | "application/json" => Ok(Self::Json),
            "application/yaml" => Ok(Self::Yaml),
            "application/vnd.kubernetes.protobuf" => Ok(Self::Protobuf),
            _ => Err(unsupported()),
        }
    }
}

fn unsupported() -> Status {
    Status::new(
        Reason::UnsupportedMediaType,
        "the body of the request was in an unknown format - accepted media types include: \
         application/json, application/yaml, application/vnd.kubernetes.protobuf",
    )
}

/// The kind of patch a `Content-Type` announces.
pub(crate) fn patch_kind(content_type: &str) -> Result<PatchKind, Status> {
    match media(content_type).as_str() {
        "application/json-patch+json" => Ok(PatchKind::Json),
        "application/merge-patch+json" => Ok(PatchKind::Merge),
        "application/strategic-merge-patch+json" => Ok(PatchKind::Strategic),
        "application/apply-patch+yaml" => Ok(PatchKind::Apply),
        _ => {
            let text = "415: Unsupported Media Type";
            let mut status = Status::new(Reason::UnsupportedMediaType, text);
            status.details = apimachinery::json!({});
            Err(status)
        }
    }
}

/// JSON with the halves of surrogate pairs that stand alone replaced, as Go's decoder reads them.
///
/// Mirrors: Go's `encoding/json` (`unquote`).
pub(crate) fn repaired(bytes: Bytes) -> Bytes {
    // The escapes of surrogates are \ud800 to \udfff.
    let escape = |at: &usize| {
        let digits = bytes.get(at + 1..at + 3);
        bytes[*at] == b'u' && digits.is_some_and(|d| d[0] | 32 == b'd' && is_high_digit(d[1]))
    };
    if !bytes.iter().enumerate().any(|(at, byte)| *byte == b'u' && escape(&at)) {
        return bytes;
    }
    let mut repaired = BytesMut::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let length = match (code(&bytes, at), code(&bytes, at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                repaired.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            // What follows a backslash belongs to it.
            _ if bytes[at] == b'\\' => 2,
            _ => 1,
        };
        let end = bytes.len().min(at + length);
        repaired.extend_from_slice(&bytes[at..end]);
        at = end;
    }
    repaired.freeze()
}

fn is_high_digit(digit: u8) -> bool {
    matches!(digit, b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F')
}

/// The code of an escape such as `\u0041` at `at`.
fn code(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u16::from_str_radix(text, 16).ok()
}

/// Reads the body of a request that sends an object of `kind`.
pub(crate) fn object(format: Format, bytes: &[u8], kind: &str) -> Result<Value, Status> {
    match format {
        Format::Json => parse_json(bytes).map_err(|error| refusal(&error, None, kind, bytes)),
        Format::Yaml => yaml(bytes).map_err(|error| unrecognized(kind, &error, bytes)),
        Format::Protobuf => protobuf(bytes, kind),
    }
}

/// Reads the body of a patch.
pub(crate) fn patch(kind: PatchKind, bytes: &[u8]) -> Result<Value, Status> {
    if kind == PatchKind::Apply {
        let read = yaml(bytes).and_then(|read| match read {
            Value::Object(_) => Ok(read),
            _ => Err("the configuration is not an object".to_owned()),
        });
        return read.map_err(|error| Status::bad_request(format!("error decoding YAML: {error}")));
    }
    serde_json::from_slice(bytes).map_err(|error| match kind {
        PatchKind::Merge => Status::bad_request("Invalid JSON Patch"),
        _ => Status::bad_request(format!("error decoding patch: {error}")),
    })
}

fn yaml(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let documents = apimachinery::yaml::load_documents(text).map_err(|error| error.to_string())?;
    Ok(documents.into_iter().next().map_or(Value::Null, |document| document.value))
}

fn protobuf(bytes: &[u8], kind: &str) -> Result<Value, Status> {
    let named = from_protobuf(bytes).map_err(|error| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {error}"
        ))
    })?;
    Ok(named.decoded.value)
}

fn unrecognized(kind: &str, said: &str, bytes: &[u8]) -> Status {
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; \
         yaml parse error: {said} ({})",
        excerpt(bytes)
    ))
}

fn excerpt(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "<empty>".to_owned();
    }
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(EXCERPT)]).into_owned();
    if bytes.len() > EXCERPT { format!("{text} ...") } else { text }
}

fn media(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_content_type() {
        assert_eq!(Format::of(""), Ok(Format::Json));
        assert_eq!(Format::of("application/JSON; charset=utf-8"), Ok(Format::Json));
        assert_eq!(Format::of("text/plain").unwrap_err().code, 415);
        assert_eq!(patch_kind("application/merge-patch+json"), Ok(PatchKind::Merge));
        assert_eq!(
            patch_kind("application/json").unwrap_err().message,
            "415: Unsupported Media Type"
        );
    }

    #[test]
    fn halves_of_pairs_are_replaced() {
        let read = |text: &'static str| {
            let bytes = repaired(Bytes::from_static(text.as_bytes()));
            serde_json::from_slice::<Value>(&bytes).unwrap()
        };
        assert_eq!(read(r#""\ud83d\ude00""#), "\u{1f600}");
        assert_eq!(read(r#""a\ud800b\uDC00\ud800\u0041""#), "a\u{fffd}b\u{fffd}\u{fffd}A");
        assert_eq!(read(r#""\\ud800 \\\ud800""#), "\\ud800 \\\u{fffd}");
        assert_eq!(repaired(Bytes::from_static(b"\"\\ud8")), "\"\\ud8");
    }

    #[test]
    fn unreadable_bodies_are_refused_with_their_text() {
        let empty = object(Format::Json, b"", "Pod").unwrap_err();
        assert_eq!(
            empty.message,
            "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; \
             json parse error: unexpected end of JSON input (<empty>)"
        );
        let bad = object(Format::Json, b"{bad", "Pod").unwrap_err();
        assert!(bad.message.ends_with("({bad)") && bad.code == 400, "{}", bad.message);
        let yaml = object(Format::Yaml, b"kind: Pod\nspec: {a: 0644}\n", "Pod").unwrap();
        assert_eq!(yaml, apimachinery::json!({"kind": "Pod", "spec": {"a": 420}}));
        let deep = "[".repeat(100_000);
        assert_eq!(object(Format::Json, deep.as_bytes(), "Pod").unwrap_err().code, 400);
        assert_eq!(patch(PatchKind::Merge, b"{").unwrap_err().message, "Invalid JSON Patch");
    }
}
