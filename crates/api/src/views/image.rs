//! Image references as they stand in `container.image` and in DockerImage references.
//!
//! Mirrors: the reference grammar of Docker's distribution, as `pkg/util/parsers` of Kubernetes and
//! `pkg/image/apis/image/reference` of OpenShift read it.

/// The parts of `[registry/][namespace/]name[:tag][@digest]`, borrowed from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageReference<'a> {
    /// Registry host; empty when none is named.
    pub registry: &'a str,
    /// First part of the path after the registry; empty when there is only a name.
    pub namespace: &'a str,
    /// The rest of the path.
    pub name: &'a str,
    /// Tag without colon; empty when absent.
    pub tag: &'a str,
    /// Digest such as `sha256:…`; empty when absent.
    pub digest: &'a str,
}

impl<'a> ImageReference<'a> {
    /// Reads a reference; `None` when the text does not follow the grammar.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (rest, digest) = text.split_once('@').unwrap_or((text, ""));
        if text.contains('@') && !is_digest(digest) {
            return None;
        }
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, tag),
            _ => (rest, ""),
        };
        if rest.len() > path.len() && !is_tag(tag) {
            return None;
        }
        let (registry, repository) = split_registry(path);
        let fine = !repository.is_empty()
            && path.len() <= 255
            && repository.split('/').all(is_path_component)
            && (registry.is_empty() || is_domain(registry));
        if !fine {
            return None;
        }
        let (namespace, name) = repository.split_once('/').unwrap_or(("", repository));
        Some(Self { registry, namespace, name, tag, digest })
    }

    /// The tag that a pull uses: `latest` when neither tag nor digest is given.
    #[must_use]
    pub fn pull_tag(&self) -> &'a str {
        if self.tag.is_empty() && self.digest.is_empty() { "latest" } else { self.tag }
    }
}

/// `Always` for images whose tag is `latest`, given or not, else `IfNotPresent`.
#[must_use]
pub fn default_pull_policy(image: &str) -> &'static str {
    match ImageReference::parse(image) {
        Some(reference) if reference.pull_tag() == "latest" => "Always",
        _ => "IfNotPresent",
    }
}

/// Whether the text is a repository path component, as image streams must be named.
#[must_use]
pub fn is_path_component(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut rest = text;
    loop {
        let word = rest.len() - rest.trim_start_matches(alphanumeric).len();
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        if rest.is_empty() {
            return true;
        }
        let dashes = rest.len() - rest.trim_start_matches('-').len();
        rest = match dashes {
            0 => match rest.strip_prefix("__").or_else(|| rest.strip_prefix(['.', '_'])) {
                Some(after) => after,
                None => return false,
            },
            _ => &rest[dashes..],
        };
    }
}

/// Whether the text is a tag.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128
        && text.starts_with(word)
        && text.chars().all(|c| word(c) || c == '.' || c == '-')
}

fn split_registry(path: &str) -> (&str, &str) {
    match path.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => ("", path),
    }
}

fn is_domain(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    host.split('.').all(label) && !port.is_empty() && port.chars().all(|c| c.is_ascii_digit())
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
            && algorithm.chars().all(|c| c.is_ascii_alphanumeric() || "+.-_".contains(c))
            && hex.len() >= 32
            && hex.chars().all(|c| c.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_split_as_upstream() {
        let parts = |text: &str| {
            ImageReference::parse(text)
                .map(|r| [r.registry, r.namespace, r.name, r.tag, r.digest].join("|"))
        };
        assert_eq!(parts("nginx").as_deref(), Some("||nginx||"));
        assert_eq!(parts("a/b:v1").as_deref(), Some("|a|b|v1|"));
        assert_eq!(parts("localhost:5000/a/b/c").as_deref(), Some("localhost:5000|a|b/c||"));
        let digest = "sha256:0123456789abcdef0123456789abcdef";
        let pinned = format!("r.io/x@{digest}");
        assert_eq!(parts(&pinned), Some(format!("r.io||x||{digest}")));
        for bad in ["", " ", "A", "a:", "a@sha256:1", "a//b", "-a", "a-", "x:y z"] {
            assert_eq!(parts(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_latest_is_always_pulled() {
        for (image, policy) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1", "IfNotPresent"),
            ("", "IfNotPresent"),
            (" ", "IfNotPresent"),
        ] {
            assert_eq!(default_pull_policy(image), policy, "{image:?}");
        }
    }
}
