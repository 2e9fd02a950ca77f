//! Users out of a file that `htpasswd` writes: one `name:hash` a line.
//!
//! The hashes are bcrypt (`htpasswd -B`), MD5 as Apache has it (`-m`, its default) and SHA-1 (`-s`).
//!
//! Mirrors: `openshift/origin:pkg/oauthserver/authenticator/password/htpasswd`.
//! Deviation: a hash of a kind that cannot be checked is refused when the file is read, not at each
//! login; the file is read once.
//!
//! Invariant: a wrong name costs the time of a wrong password, so that names cannot be guessed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No name, no colon or no hash.
    #[error("line {line}: not of the form NAME:HASH")]
    Form {
        /// Counted from 1.
        line: usize,
    },
    /// Neither bcrypt, nor MD5, nor SHA-1.
    #[error("line {line}: the hash is neither bcrypt ($2y$) nor apr1 MD5 ($apr1$) nor {{SHA}}")]
    Hash {
        /// Counted from 1.
        line: usize,
    },
}

/// The users of a file.
#[derive(Debug, Default)]
pub struct Htpasswd {
    users: BTreeMap<String, Hash>,
}

enum Hash {
    Bcrypt(String),
    /// The salt, and the hash as the file has it.
    Apr1 {
        salt: String,
        hash: String,
    },
    Sha1(Vec<u8>),
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The rest is secret.
        f.write_str(match self {
            Self::Bcrypt(_) => "Bcrypt",
            Self::Apr1 { .. } => "Apr1",
            Self::Sha1(_) => "Sha1",
        })
    }
}

impl Htpasswd {
    /// Reads the text of a file; of a name that comes twice the last line counts.
    ///
    /// # Errors
    /// The first line that cannot be used.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut users = BTreeMap::new();
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()));
        for (line, text) in lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#')) {
            let (name, hash) = text.split_once(':').ok_or(Error::Form { line })?;
            if name.is_empty() || hash.is_empty() {
                return Err(Error::Form { line });
            }
            let hash = Hash::parse(hash).ok_or(Error::Hash { line })?;
            users.insert(name.to_owned(), hash);
        }
        Ok(Self { users })
    }

    /// Whether the password is the user's.
    #[must_use]
    pub fn check(&self, user: &str, password: &str) -> bool {
        let known = self.users.get(user);
        // Any hash of the file does: only the time that it takes matters.
        let Some(hash) = known.or_else(|| self.users.values().next()) else { return false };
        hash.matches(password) && known.is_some()
    }
}

impl Hash {
    fn parse(text: &str) -> Option<Self> {
        if ["$2y$", "$2a$", "$2b$"].iter().any(|kind| text.starts_with(kind)) {
            return Some(Self::Bcrypt(text.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("$apr1$") {
            let (salt, hash) = rest.split_once('$')?;
            let salt = salt.get(..salt.len().min(8))?;
            let good = !salt.is_empty() && !hash.is_empty();
            return good.then(|| Self::Apr1 { salt: salt.to_owned(), hash: hash.to_owned() });
        }
        let digest = STANDARD.decode(text.strip_prefix("{SHA}")?).ok()?;
        (digest.len() == 20).then_some(Self::Sha1(digest))
    }

    fn matches(&self, password: &str) -> bool {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Apr1 { salt, hash } => {
                same(apr1(password.as_bytes(), salt.as_bytes()).as_bytes(), hash.as_bytes())
            }
            Self::Sha1(digest) => {
                let algorithm = &ring::digest::SHA1_FOR_LEGACY_USE_ONLY;
                same(ring::digest::digest(algorithm, password.as_bytes()).as_ref(), digest)
            }
        }
    }
}

/// Compares in a time that tells nothing.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Md5::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Apache's variant of the MD5 based crypt: a thousand rounds over password and salt.
fn apr1(password: &[u8], salt: &[u8]) -> String {
    let inner = md5(&[password, salt, password]);
    let mut start = [password, b"$apr1$", salt].concat();
    start.extend(inner.iter().cycle().take(password.len()));
    // Bit by bit of the length: a zero byte, or the first letter.
    let mut bits = password.len();
    while bits > 0 {
        start.push(if bits & 1 == 1 { 0 } else { password[0] });
        bits >>= 1;
    }
    let mut digest = md5(&[&start]);
    for round in 0..1000_u32 {
        let odd = round % 2 == 1;
        let first: &[u8] = if odd { password } else { &digest };
        let last: &[u8] = if odd { &digest } else { password };
        let salted: &[u8] = if round.is_multiple_of(3) { b"" } else { salt };
        let doubled: &[u8] = if round.is_multiple_of(7) { b"" } else { password };
        digest = md5(&[first, salted, doubled, last]);
    }
    encode(&digest)
}

/// Six bits a letter, in the order that crypt takes the bytes.
fn encode(digest: &[u8; 16]) -> String {
    const TRIPLES: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];
    let mut text = String::with_capacity(22);
    let mut push = |mut value: u32, letters: usize| {
        for _ in 0..letters {
            text.push(char::from(ALPHABET[(value & 0x3f) as usize]));
            value >>= 6;
        }
    };
    for [high, middle, low] in TRIPLES {
        let [high, middle, low] = [high, middle, low].map(|index| u32::from(digest[index]));
        push(high << 16 | middle << 8 | low, 4);
    }
    push(u32::from(digest[11]), 2);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by crypt(3) and `openssl passwd -apr1`; every password is `secret`.
    const FILE: &str = "\
bea:$2y$05$gEMtaKeu2/wvZDsmEpFQzOY3.YOVFwpErzyukDvvqZfG701QzwZZC
mia:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/
sue:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=
";

    #[test]
    fn passwords_are_checked() {
        let users = Htpasswd::parse(FILE).unwrap();
        for name in ["bea", "mia", "sue"] {
            assert!(users.check(name, "secret"), "{name}");
            assert!(!users.check(name, "Secret"), "{name}");
            assert!(!users.check(name, ""), "{name}");
        }
        let long = Htpasswd::parse("lea:$apr1$ab$Og87Wzt5wgKjRUrahxI6N.").unwrap();
        assert!(long.check("lea", "a longer password than sixteen"));
        assert!(!users.check("eve", "secret"));
        assert!(!Htpasswd::default().check("eve", "secret"));
    }

    #[test]
    fn bad_lines_are_named() {
        let error = |text| Htpasswd::parse(text).unwrap_err().to_string();
        assert_eq!(error("# people\n\nann"), "line 3: not of the form NAME:HASH");
        assert_eq!(error("ann:"), "line 1: not of the form NAME:HASH");
        let hash = "line 1: the hash is neither bcrypt ($2y$) nor apr1 MD5 ($apr1$) nor {SHA}";
        assert_eq!(error("ann:rqXexS6ZhobKA"), hash);
        assert_eq!(error("ann:secret"), hash);
    }
}
