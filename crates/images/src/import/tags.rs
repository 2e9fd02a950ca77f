//! The order in which the tags of a repository are imported.
//!
//! Mirrors: `openshift/origin pkg/image/apis/image/helper.go` (`PrioritizeTags`).

use std::cmp::Reverse;

/// A tag's place: class, newest first within it, then without a leading `v` first.
type Place = (u8, Reverse<(u64, u64, u64, bool, String)>, bool);

/// `latest`, then minor versions (5.1), then full ones (5.1.3), each newest first, then the others by
/// name.
pub fn prioritize(tags: &mut [String]) {
    tags.sort();
    tags.sort_by_cached_key(|tag| place(tag));
}

fn place(tag: &str) -> Place {
    let other = |class| (class, Reverse((0, 0, 0, false, String::new())), false);
    if tag == "latest" {
        return other(0);
    }
    let bare = tag.strip_prefix('v').unwrap_or(tag);
    let (numbers, before) = bare.split_once('-').unwrap_or((bare, ""));
    let parts: Option<Vec<u64>> = numbers.split('.').map(|part| part.parse().ok()).collect();
    let (class, major, minor, patch) = match parts.as_deref() {
        Some([major, minor]) => (1, *major, *minor, 0),
        Some([major, minor, patch]) => (2, *major, *minor, *patch),
        _ => return other(3),
    };
    let version = (major, minor, patch, before.is_empty(), before.to_owned());
    (class, Reverse(version), bare.len() != tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_newest_first() {
        let given =
            ["other", "latest", "v5.5", "5.2.3", "5.5", "v5.3.6-bother", "5.3.6-abba", "5.6"];
        let mut tags = given.map(str::to_owned);
        prioritize(&mut tags);
        let expected =
            ["latest", "5.6", "5.5", "v5.5", "v5.3.6-bother", "5.3.6-abba", "5.2.3", "other"];
        assert_eq!(tags, expected);
    }

    #[test]
    fn what_is_no_version_comes_last_in_its_own_order() {
        let mut tags =
            ["1.2.3.4", "b", "99999999999999999999.1", "a", "1.x", "0.1"].map(str::to_owned);
        prioritize(&mut tags);
        assert_eq!(tags, ["0.1", "1.2.3.4", "1.x", "99999999999999999999.1", "a", "b"]);
    }
}
