//! Sets of nodes that agree in everything that counts.
//!
//! Invariant: a node is in at most one bucket; no bucket is empty.

use std::collections::BTreeMap;

const NONE: u32 = u32::MAX;

/// Nodes that agree.
#[derive(Debug)]
pub(super) struct Bucket {
    /// In what they agree.
    pub(super) key: Vec<i64>,
    /// How many they are.
    pub(super) count: u32,
    bits: Vec<u64>,
}

/// All buckets of a class.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    of_node: Vec<u32>,
    table: Vec<Bucket>,
    by_key: BTreeMap<Vec<i64>, u32>,
    free: Vec<u32>,
    /// The bucket that was found last: nodes in a row often agree.
    last: u32,
    nodes: usize,
}

impl Buckets {
    /// Empty, for so many nodes.
    pub(super) fn new(nodes: usize) -> Self {
        Self { of_node: vec![NONE; nodes], ..Self::default() }
    }

    /// How many nodes are in buckets.
    pub(super) fn len(&self) -> usize {
        self.nodes
    }

    /// The buckets.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Bucket> {
        self.by_key.values().map(|index| &self.table[*index as usize])
    }

    /// Puts a node where it belongs; `None` takes it out.
    pub(super) fn put(&mut self, rank: u32, key: Option<&[i64]>) {
        let old = self.of_node[rank as usize];
        if old != NONE {
            if key.is_some_and(|key| self.table[old as usize].key == key) {
                return;
            }
            self.take(rank, old);
        }
        let Some(key) = key else { return };
        let index = self.find(key);
        let bucket = &mut self.table[index as usize];
        bucket.bits[rank as usize / 64] |= 1 << (rank % 64);
        bucket.count += 1;
        self.of_node[rank as usize] = index;
        self.nodes += 1;
    }

    fn take(&mut self, rank: u32, index: u32) {
        let bucket = &mut self.table[index as usize];
        bucket.bits[rank as usize / 64] &= !(1 << (rank % 64));
        bucket.count -= 1;
        if bucket.count == 0 {
            self.by_key.remove(&bucket.key);
            self.free.push(index);
        }
        self.of_node[rank as usize] = NONE;
        self.nodes -= 1;
    }

    fn find(&mut self, key: &[i64]) -> u32 {
        let last = self.table.get(self.last as usize);
        if last.is_none_or(|bucket| bucket.count == 0 || bucket.key != key) {
            self.last = self.find_by_key(key);
        }
        self.last
    }

    fn find_by_key(&mut self, key: &[i64]) -> u32 {
        if let Some(index) = self.by_key.get(key) {
            return *index;
        }
        let index = match self.free.pop() {
            Some(index) => {
                let bucket = &mut self.table[index as usize];
                bucket.key.clear();
                bucket.key.extend_from_slice(key);
                index
            }
            None => {
                let bits = vec![0; self.of_node.len().div_ceil(64)];
                self.table.push(Bucket { key: key.to_vec(), count: 0, bits });
                u32::try_from(self.table.len() - 1).unwrap_or(NONE)
            }
        };
        self.by_key.insert(key.to_vec(), index);
        index
    }
}

/// The node at `index` of the union of `buckets`, counted from the highest number.
pub(super) fn nth_from_top(buckets: &[&Bucket], index: usize) -> Option<u32> {
    let words = buckets.first()?.bits.len();
    let mut left = index;
    for word in (0..words).rev() {
        let mut bits = buckets.iter().fold(0, |bits, bucket| bits | bucket.bits[word]);
        let ones = bits.count_ones() as usize;
        if left >= ones {
            left -= ones;
            continue;
        }
        for _ in 0..left {
            bits &= !(1 << (63 - bits.leading_zeros()));
        }
        let top = 63 - bits.leading_zeros();
        return u32::try_from(word * 64).ok().map(|base| base + top);
    }
    None
}
