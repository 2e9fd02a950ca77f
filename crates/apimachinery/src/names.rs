//! Names that are made from other names.

use std::fmt::Write as _;

use crate::hash::fnv32a;

/// The longest name of most objects.
pub const NAME_MAX: usize = 253;
/// The longest part of a `generateName` that is used: 63 less the random suffix.
const GENERATE_NAME_MAX: usize = 58;

/// The longest start of `text` of at most `max` bytes.
fn start(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A generated name: the prefix, shortened so that it stays a DNS label, and a random suffix.
///
/// Mirrors: `k8s.io/apiserver/pkg/storage/names`.
#[must_use]
pub fn generated(prefix: &str, suffix: &str) -> String {
    format!("{}{suffix}", start(prefix, GENERATE_NAME_MAX))
}

/// `<base>-<suffix>`; when that is longer than `max`, a hash replaces the end of the base.
///
/// Mirrors: `github.com/openshift/origin/pkg/util/namer`.
#[must_use]
pub fn joined(base: &str, suffix: &str, max: usize) -> String {
    let mut name = format!("{base}-{suffix}");
    if name.len() <= max {
        return name;
    }
    if let Some(room) = max.checked_sub(10 + suffix.len()) {
        return format!("{}-{:08x}-{suffix}", start(base, room), fnv32a(base.as_bytes()));
    }
    let hash = fnv32a(name.as_bytes());
    name = start(base, max.saturating_sub(9)).to_owned();
    write!(name, "-{hash:08x}").expect("writing to a string does not fail");
    start(&name, max).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_stay_labels() {
        assert_eq!(generated("web-", "x7f2k"), "web-x7f2k");
        assert_eq!(generated(&"a".repeat(80), "x7f2k").len(), 63);
        assert_eq!(generated(&"é".repeat(80), "x").len(), 59);
    }

    #[test]
    fn long_names_are_shortened_with_a_hash() {
        assert_eq!(joined("app-1", "build", NAME_MAX), "app-1-build");
        let base = "a".repeat(300);
        let name = joined(&base, "build", NAME_MAX);
        assert_eq!(name.len(), NAME_MAX);
        assert!(name.ends_with("-build") && name.starts_with("aaaa"), "{name}");
        assert_ne!(name, joined(&format!("{base}b"), "build", NAME_MAX));
        let name = joined("base", &"s".repeat(60), 20);
        assert!(name.len() <= 20 && name.starts_with("base-"), "{name}");
        assert_eq!(joined("base", "suffix", 0), "");
    }
}
