//! Members by name.
//!
//! Invariant: sorted by name, each name once.

use std::fmt;
use std::ops::{Index, IndexMut};

use ecow::EcoVec;

use super::key::Name;
use super::{Text, Value};

type Member = (Text, Value);

/// Up to how many members a map is looked through: names differ in length or at once, which is seen
/// sooner than which of two comes first.
const FEW: usize = 16;
/// From how many members on a map grows by as much as it has.
const MANY: usize = 64;
/// How many members a smaller map makes room for when it is full.
const ROOM: usize = 3;

/// The members of a JSON map; clones share them until one changes.
#[derive(Clone, Default, Eq)]
pub struct Map(EcoVec<Member>);

impl Map {
    /// No members.
    #[must_use]
    pub const fn new() -> Self {
        Self(EcoVec::new())
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both are one map, not only equal ones.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.0.as_slice(), other.0.as_slice())
    }

    fn find(&self, name: &str) -> Option<usize> {
        if self.len() > FEW {
            return self.search(name).ok();
        }
        self.0.iter().position(|(other, _)| is_same(other, name))
    }

    /// Where the member is, or where it would be.
    fn search(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(name))
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).map(|index| &self.0[index].1)
    }

    /// The member of that name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.find(name).map(|index| &mut self.0.make_mut()[index].1)
    }

    /// Whether there is a member of that name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets a member; gives what it was.
    pub fn insert(&mut self, name: impl Name, value: Value) -> Option<Value> {
        let name = name.name();
        match self.search(&name) {
            Ok(index) => Some(std::mem::replace(&mut self.0.make_mut()[index].1, value)),
            Err(index) => {
                self.insert_at(index, (name, value));
                None
            }
        }
    }

    /// Most maps stay small and live long: they get little more room than they need.
    fn insert_at(&mut self, index: usize, member: Member) {
        let length = self.len();
        if length == self.0.capacity() && length < MANY {
            let mut roomy = EcoVec::with_capacity(length + ROOM);
            roomy.extend(std::mem::take(&mut self.0));
            self.0 = roomy;
        }
        self.0.insert(index, member);
    }

    /// Takes a member away; gives what it was.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.find(name).map(|index| self.0.remove(index).1)
    }

    /// Takes a member away; gives what it was, with its name.
    pub fn remove_entry(&mut self, name: &str) -> Option<(Text, Value)> {
        self.find(name).map(|index| self.0.remove(index))
    }

    /// The place of a member that may be missing.
    pub fn entry(&mut self, name: impl Name) -> Entry<'_> {
        Entry { map: self, name: name.name() }
    }

    /// Keeps the members for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&Text, &mut Value) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// The members in order.
    pub fn iter(&self) -> Iter<'_> {
        self.0.iter().map(parts)
    }

    /// The members in order, to be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_> {
        self.0.make_mut().iter_mut().map(parts_mut)
    }

    /// The names in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Text> + ExactSizeIterator + Clone {
        self.0.iter().map(|(name, _)| name)
    }

    /// The members' values, in the order of the names.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator + Clone {
        self.0.iter().map(|(_, value)| value)
    }

    /// The members' values, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Value> {
        self.0.make_mut().iter_mut().map(|(_, value)| value)
    }

    /// The values, without the names.
    pub fn into_values(self) -> impl Iterator<Item = Value> {
        self.0.into_iter().map(|(_, value)| value)
    }

    /// Puts members into order; of those with one name the last holds.
    pub(super) fn of(mut members: Vec<Member>) -> Self {
        let in_order = members.is_sorted_by(|(a, _), (b, _)| a < b);
        if !in_order {
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            members.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        Self(EcoVec::from(members))
    }
}

/// Whether two names are equal. Those of fields are mostly short enough to be two machine words.
fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    match a.len() {
        length if length != b.len() => false,
        8..=16 => ends_are_same::<8>(a, b),
        4..8 => ends_are_same::<4>(a, b),
        _ => a.last() == b.last() && a == b,
    }
}

/// Whether the first and the last `N` bytes are equal.
fn ends_are_same<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    a.first_chunk::<N>() == b.first_chunk::<N>() && a.last_chunk::<N>() == b.last_chunk::<N>()
}

fn parts((name, value): &Member) -> (&Text, &Value) {
    (name, value)
}

fn parts_mut((name, value): &mut Member) -> (&Text, &mut Value) {
    (name, value)
}

/// The members in order.
pub type Iter<'a> = std::iter::Map<std::slice::Iter<'a, Member>, fn(&Member) -> (&Text, &Value)>;
/// The members in order, to be changed.
pub type IterMut<'a> =
    std::iter::Map<std::slice::IterMut<'a, Member>, fn(&mut Member) -> (&Text, &mut Value)>;

/// The place of a member that may be missing.
#[derive(Debug)]
pub struct Entry<'a> {
    map: &'a mut Map,
    name: Text,
}

impl<'a> Entry<'a> {
    /// The member, which is `value` when it was missing.
    pub fn or_insert(self, value: Value) -> &'a mut Value {
        self.or_insert_with(|| value)
    }

    /// The member, which is what `value` gives when it was missing.
    pub fn or_insert_with(self, value: impl FnOnce() -> Value) -> &'a mut Value {
        let index = match self.map.search(&self.name) {
            Ok(index) => index,
            Err(index) => {
                self.map.insert_at(index, (self.name, value()));
                index
            }
        };
        &mut self.map.0.make_mut()[index].1
    }
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.0 == other.0
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name.as_str(), value))).finish()
    }
}

impl Index<&str> for Map {
    type Output = Value;

    /// The member of that name, which must be there.
    fn index(&self, name: &str) -> &Value {
        self.get(name).expect("a member of that name")
    }
}

impl IndexMut<&str> for Map {
    /// The member of that name, which must be there.
    fn index_mut(&mut self, name: &str) -> &mut Value {
        self.get_mut(name).expect("a member of that name")
    }
}

impl<K: Name> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(members: I) -> Self {
        Self::of(members.into_iter().map(|(name, value)| (name.name(), value)).collect())
    }
}

impl<K: Name> Extend<(K, Value)> for Map {
    fn extend<I: IntoIterator<Item = (K, Value)>>(&mut self, members: I) {
        for (name, value) in members {
            self.insert(name, value);
        }
    }
}

impl IntoIterator for Map {
    type Item = Member;
    type IntoIter = ecow::vec::IntoIter<Member>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a Text, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Map {
    type Item = (&'a Text, &'a mut Value);
    type IntoIter = IterMut<'a>;

    fn into_iter(self) -> IterMut<'a> {
        self.iter_mut()
    }
}
