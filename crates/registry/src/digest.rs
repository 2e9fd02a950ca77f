//! Names of bytes: `sha256:<64 hexadecimal digits>`.
//!
//! Invariant: a [`Digest`] is well formed, so its text may be part of a path.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use ring::digest::{Context, SHA256};

const ALGORITHM: &str = "sha256:";

/// The SHA-256 digest of some bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(String);

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid checksum digest format")]
pub struct Malformed;

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.digest()
    }

    /// The hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let hex = text.strip_prefix(ALGORITHM).ok_or(Malformed)?;
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() == 64 && hex.bytes().all(lower) {
            return Ok(Self(hex.to_owned()));
        }
        Err(Malformed)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}{}", self.0)
    }
}

/// Computes a digest piece by piece.
#[derive(Clone)]
pub struct Hasher(Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

impl Hasher {
    /// Takes further bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far; more may follow.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let digest = self.0.clone().finish();
        let mut hex = String::with_capacity(64);
        for byte in digest.as_ref() {
            let _ = write!(hex, "{byte:02x}");
        }
        Digest(hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn bytes_have_a_digest_also_piece_by_piece() {
        assert_eq!(Digest::of(b"").to_string(), EMPTY);
        let mut hasher = Hasher::default();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.digest(), Digest::of(b"abc"));
    }

    #[test]
    fn only_complete_lower_case_digests_are_read() {
        assert!(EMPTY.parse::<Digest>().is_ok());
        for text in ["", "sha256:", "sha512:aa", &EMPTY[..70], &EMPTY.to_uppercase()] {
            assert_eq!(text.parse::<Digest>(), Err(Malformed), "{text}");
        }
        assert!(EMPTY.replace('e', "/").parse::<Digest>().is_err());
    }
}
