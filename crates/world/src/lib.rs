//! The one place that reads time and entropy.
//!
//! Everything else in the workspace asks a [`World`] for the time, for random numbers and for new
//! names. A *real* world answers from the host's clock and entropy; a *simulated* one from a virtual
//! clock that only moves when [`World::advance_to`] is called, and from a seed. A component that
//! takes a `World` therefore runs on either without knowing which.
//!
//! Reading order: [`time`] (points in time and their wire formats), [`rng`] (the pinned generator),
//! [`uuid`], this file (the handle), [`edge`] (the tokio edges' way to spawn, sleep and time out).
//!
//! Invariant: same seed and same sequence of calls, same answers.
//! Invariant: no other crate reads the host's clock or entropy (held by `.clippy.toml`).
#![warn(missing_docs)]

pub mod edge;
pub mod rng;
pub mod time;
pub mod uuid;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

use crate::rng::Rng;
pub use crate::time::Time;
pub use crate::uuid::Uuid;

/// Letters of generated name suffixes: no vowels, no 0, 1, 3, no y.
///
/// Mirrors: `k8s.io/apimachinery/pkg/util/rand`.
const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The virtual clock's first instant: 2018-10-11T12:00:00Z, the day of OpenShift 3.11.
pub const SIMULATION_EPOCH: Time = Time::from_unix_seconds(1_539_259_200);

/// A handle on the clock, the generator and the source of names; cheap to clone, shared by all.
#[derive(Debug, Clone)]
pub struct World {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Virtual time in nanoseconds since the Unix epoch; unused in a real world.
    now: AtomicI64,
    seed: Option<u64>,
    rng: Mutex<Rng>,
}

impl World {
    /// A world on a virtual clock that starts at [`SIMULATION_EPOCH`], with every choice drawn from
    /// `seed`.
    #[must_use]
    pub fn simulated(seed: u64) -> Self {
        Self::build(Some(seed), Rng::new(seed))
    }

    /// A world on the host's clock and entropy.
    #[must_use]
    pub fn real() -> Self {
        Self::build(None, Rng::new(host_entropy()))
    }

    fn build(seed: Option<u64>, rng: Rng) -> Self {
        let now = AtomicI64::new(SIMULATION_EPOCH.unix_nanos());
        Self { inner: Arc::new(Inner { now, seed, rng: Mutex::new(rng) }) }
    }

    /// Whether time is virtual.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.inner.seed.is_some()
    }

    /// The seed of a simulated world.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.inner.seed
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Time {
        if self.is_simulated() {
            Time::from_unix_nanos(self.inner.now.load(Ordering::Acquire))
        } else {
            time::host_now()
        }
    }

    /// Moves the virtual clock forward to `to`; does nothing when `to` lies in the past or the world
    /// is real.
    pub fn advance_to(&self, to: Time) {
        self.inner.now.fetch_max(to.unix_nanos(), Ordering::AcqRel);
    }

    /// A random number over the whole range of `u64`.
    #[must_use]
    pub fn random_u64(&self) -> u64 {
        self.inner.rng.lock().next_u64()
    }

    /// A random number in `0..bound`; 0 when `bound` is 0.
    #[must_use]
    pub fn random_below(&self, bound: u64) -> u64 {
        self.inner.rng.lock().below(bound)
    }

    /// Fills `bytes` with random bytes. Fit for tokens and keys in a real world only.
    pub fn random_bytes(&self, bytes: &mut [u8]) {
        if self.is_simulated() {
            self.inner.rng.lock().fill(bytes);
        } else {
            fill_from_host(bytes);
        }
    }

    /// A new version 4 UUID, e.g. `0f36b5a2-1f2d-4c7e-9d1a-3b9a6c0e8f11`.
    #[must_use]
    pub fn uid(&self) -> String {
        self.uuid().to_string()
    }

    /// The same as a number.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let mut rng = self.inner.rng.lock();
        let high = rng.next_u64();
        let low = rng.next_u64();
        Uuid::from_random(high, low)
    }

    /// `length` random letters of the alphabet that `metadata.generateName` uses.
    #[must_use]
    pub fn name_suffix(&self, length: usize) -> String {
        let mut rng = self.inner.rng.lock();
        (0..length)
            .map(|_| {
                let index = rng.below(SUFFIX_ALPHABET.len() as u64);
                char::from(SUFFIX_ALPHABET[usize::try_from(index).unwrap_or_default()])
            })
            .collect()
    }

    /// `length` random lower-case hexadecimal digits (container and sandbox ids).
    #[must_use]
    pub fn hex(&self, length: usize) -> String {
        let mut rng = self.inner.rng.lock();
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            text.push_str(&format!("{:016x}", rng.next_u64()));
        }
        text.truncate(length);
        text
    }
}

fn host_entropy() -> u64 {
    let mut bytes = [0_u8; 8];
    fill_from_host(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[expect(clippy::disallowed_methods, reason = "the one reader of the host's entropy")]
fn fill_from_host(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system has an entropy source");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn same_seed_gives_the_same_names() {
        let (a, b) = (World::simulated(7), World::simulated(7));
        assert_eq!(a.uid(), b.uid());
        assert_eq!(a.name_suffix(5), b.name_suffix(5));
        assert_ne!(World::simulated(8).uid(), World::simulated(7).uid());
    }

    #[test]
    fn virtual_time_moves_forward_only() {
        let world = World::simulated(1);
        let start = world.now();
        world.advance_to(start + Duration::from_secs(5));
        world.advance_to(start);
        assert_eq!(world.now() - start, Duration::from_secs(5));
    }

    #[test]
    fn uid_is_a_version_4_uuid() {
        let uid = World::simulated(3).uid();
        assert_eq!(uid.len(), 36);
        assert_eq!(&uid[14..15], "4");
        assert!("89ab".contains(&uid[19..20]));
    }
}
