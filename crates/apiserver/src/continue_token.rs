//! The token that names where the next page of a list begins and at which revision.
//!
//! Mirrors: `k8s.io/apiserver/pkg/storage/etcd3` (`continueToken`).

use apimachinery::Status;
use apimachinery::{Value, json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The first line of defence against tokens of something else.
const VERSION: &str = "meta.k8s.io/v1";

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContinueToken {
    /// The revision all pages are read at.
    pub(crate) revision: u64,
    /// The last key of the page before, below the list's prefix.
    pub(crate) after: String,
}

impl ContinueToken {
    pub(crate) fn encode(&self) -> String {
        let start = format!("{}\u{0}", self.after);
        let token = json!({"v": VERSION, "rv": self.revision, "start": start});
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    pub(crate) fn decode(text: &str) -> Result<Self, Status> {
        let bad = |text: String| {
            Status::bad_request(format!(
                "invalid continue token: continue key is not valid: {text}"
            ))
        };
        let bytes =
            URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|e| bad(e.to_string()))?;
        let token: Value = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if token["v"] != VERSION {
            return Err(bad("server does not recognize this encoded version".to_owned()));
        }
        let revision = token["rv"].as_u64().filter(|revision| *revision > 0);
        let start = token["start"].as_str().filter(|start| !start.contains("../"));
        let (Some(revision), Some(start)) = (revision, start) else {
            return Err(bad("incorrect encoded start resourceVersion".to_owned()));
        };
        Ok(Self { revision, after: start.trim_end_matches('\u{0}').to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back() {
        let token = ContinueToken { revision: 7, after: "ns/a".to_owned() };
        assert_eq!(ContinueToken::decode(&token.encode()).unwrap(), token);
    }

    #[test]
    fn garbage_is_a_bad_request() {
        let error = ContinueToken::decode("abc").unwrap_err();
        assert_eq!(error.code, 400);
        assert!(error.message.starts_with("invalid continue token: continue key is not valid: "));
    }
}
