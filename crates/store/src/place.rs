//! Places of keys in byte order, compared mostly without a look at the keys' texts, which lie
//! scattered in memory: two keys of one directory mostly differ within the first bytes of their names.
//!
//! A key is a directory, which ends with its last slash, and a name: `/registry/pods/dev/` and `web`.
//!
//! Invariant: the order of places is that of the keys' bytes.
//! Invariant: a directory has a number as long as it has keys; no other ever has the same.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

use rustc_hash::FxHashMap;

/// How much of a name is compared first.
const HEAD: usize = 16;
/// The number of a directory without keys.
const NOWHERE: u32 = 0;

/// The directory of a key.
pub(crate) fn directory(key: &str) -> &str {
    &key[..key.rfind('/').map_or(0, |slash| slash + 1)]
}

/// A key where it stands.
#[derive(Debug)]
pub(crate) struct Place {
    directory: u32,
    head: [u8; HEAD],
    pub(crate) key: Arc<str>,
}

/// A key that is looked for.
#[derive(Debug)]
pub(crate) struct Sought<'a> {
    directory: u32,
    head: [u8; HEAD],
    key: &'a str,
}

/// What can be compared as a place.
pub(crate) trait Rank {
    fn rank(&self) -> (u32, &[u8; HEAD], &str);
}

impl Rank for Place {
    fn rank(&self) -> (u32, &[u8; HEAD], &str) {
        (self.directory, &self.head, &self.key)
    }
}

impl Rank for Sought<'_> {
    fn rank(&self) -> (u32, &[u8; HEAD], &str) {
        (self.directory, &self.head, self.key)
    }
}

fn order<A: Rank + ?Sized, B: Rank + ?Sized>(a: &A, b: &B) -> Ordering {
    let ((directory, head, key), (others, other_head, other)) = (a.rank(), b.rank());
    let is_one_directory = directory == others && directory != NOWHERE;
    let by_head = if is_one_directory { head.cmp(other_head) } else { Ordering::Equal };
    by_head.then_with(|| key.cmp(other))
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        order(self, other)
    }
}

impl PartialEq for dyn Rank + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for dyn Rank + '_ {}

impl PartialOrd for dyn Rank + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Rank + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        order(self, other)
    }
}

impl<'a> Borrow<dyn Rank + 'a> for Place {
    fn borrow(&self) -> &(dyn Rank + 'a) {
        self
    }
}

/// The directories that have keys.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    by_text: FxHashMap<Box<str>, Directory>,
    /// The number that was given last.
    given: u32,
}

#[derive(Debug)]
struct Directory {
    number: u32,
    keys: usize,
}

impl Directories {
    /// How `key` is looked for.
    pub(crate) fn seek<'a>(&self, key: &'a str) -> Sought<'a> {
        let text = directory(key);
        let directory = self.by_text.get(text).map_or(NOWHERE, |directory| directory.number);
        Sought { directory, head: head(key, text.len()), key }
    }

    /// Whether keys stand in the directory `text`, or did in what is retained.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.by_text.contains_key(text)
    }

    /// The place of one key more, which [`Self::leave`] gives up.
    pub(crate) fn enter(&mut self, key: Arc<str>) -> Place {
        let text = directory(&key);
        let head = head(&key, text.len());
        if let Some(directory) = self.by_text.get_mut(text) {
            directory.keys += 1;
            return Place { directory: directory.number, head, key };
        }
        self.given += 1;
        self.by_text.insert(text.into(), Directory { number: self.given, keys: 1 });
        Place { directory: self.given, head, key }
    }

    /// One key less.
    pub(crate) fn leave(&mut self, key: &str) {
        let text = directory(key);
        let Some(directory) = self.by_text.get_mut(text) else { return };
        directory.keys -= 1;
        if directory.keys == 0 {
            self.by_text.remove(text);
        }
    }
}

/// The first bytes of the key's name.
fn head(key: &str, directory: usize) -> [u8; HEAD] {
    let name = &key.as_bytes()[directory..];
    let shown = name.len().min(HEAD);
    let mut head = [0; HEAD];
    head[..shown].copy_from_slice(&name[..shown]);
    head
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_are_in_the_order_of_bytes(
            there in proptest::collection::vec("[a/\0-]{0,4}(x{16})?[a/\0-]{0,4}", 1..8),
            sought in "[a/\0-]{0,4}(x{16})?[a/\0-]{0,4}",
        ) {
            let mut directories = Directories::default();
            let places: Vec<_> =
                there.iter().map(|key| directories.enter(Arc::from(key.as_str()))).collect();
            for a in &places {
                for b in &places {
                    prop_assert_eq!(a.cmp(b), a.key.cmp(&b.key));
                }
                let sought: &dyn Rank = &directories.seek(&sought);
                prop_assert_eq!(sought.cmp(a), sought.rank().2.cmp(&a.key));
            }
        }
    }

    #[test]
    fn a_directory_that_had_keys_before_has_another_number() {
        let mut directories = Directories::default();
        let old = directories.enter(Arc::from("/pods/a"));
        directories.leave("/pods/a");
        assert!(directories.by_text.is_empty());
        let new = directories.enter(Arc::from("/pods/a"));
        assert_ne!(old.directory, new.directory);
        assert_eq!(directories.seek("/pods/b").directory, new.directory);
    }
}
