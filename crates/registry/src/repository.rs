//! Names of repositories: `<project>/<stream>`.
//!
//! Invariant: both parts are well-formed path components, so they may be part of a path.

use std::fmt;

/// A repository, which is an image stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Repository {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Repository {
    /// Reads `<project>/<stream>`; `None` for every other shape.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (namespace, name) = text.split_once('/')?;
        let fits = text.len() <= 255 && is_component(namespace) && is_component(name);
        fits.then(|| Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    if !alphanumeric(first) || !alphanumeric(last) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|gap| matches!(gap, "" | "." | "_" | "__") || gap.bytes().all(|byte| byte == b'-'))
}

/// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
pub(crate) fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|&byte| word(byte))
        && bytes.len() <= 128
        && bytes.iter().all(|&byte| word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_a_project_and_a_stream() {
        for good in ["dev/app", "a/b", "dev-1/my.app", "dev/a__b", "dev/a---b"] {
            assert_eq!(Repository::parse(good).unwrap().to_string(), good);
        }
        for bad in
            ["", "app", "dev/", "/app", "a/b/c", "dev/App", "dev/..", "../x", "dev/a..b", "dev/-a"]
        {
            assert_eq!(Repository::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn tags_are_words() {
        assert!(is_tag("latest") && is_tag("1.0-rc_1") && is_tag("_x"));
        assert!(!is_tag("") && !is_tag(".x") && !is_tag("a/b") && !is_tag(&"a".repeat(129)));
    }
}
