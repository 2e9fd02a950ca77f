//! How long failed daemon pods of a node are left alone: 1 s, doubling up to 15 minutes, forgotten
//! after half an hour of peace.
//!
//! A daemon set fights with a kubelet that turns its pods away; the delay keeps that from going
//! round and round. Nothing in the API tells how often it happened, so a restarted controller
//! begins anew, as upstream's does.
//!
//! Mirrors: `k8s.io/client-go/util/flowcontrol/backoff.go`.

use std::collections::BTreeMap;
use std::time::Duration;

use world::Time;

const FIRST: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(15 * 60);

/// Delays by the uid of the set and the node.
#[derive(Debug, Default)]
pub(super) struct Backoff(BTreeMap<(String, String), (Duration, Time)>);

impl Backoff {
    /// How long to wait still.
    pub(super) fn remaining(&self, uid: &str, node: &str, now: Time) -> Option<Duration> {
        let (delay, since) = self.0.get(&(uid.to_owned(), node.to_owned()))?;
        let until = *since + *delay;
        (until > now).then(|| until.since(now))
    }

    /// Takes note of another failure.
    pub(super) fn next(&mut self, uid: &str, node: &str, now: Time) {
        self.0.retain(|_, (_, since)| now.since(*since) <= MAX * 2);
        let key = (uid.to_owned(), node.to_owned());
        let delay = self.0.get(&key).map_or(FIRST, |(delay, _)| (*delay * 2).min(MAX));
        self.0.insert(key, (delay, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_and_are_forgotten() {
        let mut backoff = Backoff::default();
        let at = Time::from_unix_seconds;
        assert_eq!(backoff.remaining("u", "n", at(0)), None);
        for (now, delay) in [(0, 1), (1, 2), (3, 4)] {
            backoff.next("u", "n", at(now));
            assert_eq!(backoff.remaining("u", "n", at(now)), Some(Duration::from_secs(delay)));
        }
        assert_eq!(backoff.remaining("u", "n", at(7)), None);
        backoff.next("u", "n", at(10_000));
        assert_eq!(backoff.remaining("u", "n", at(10_000)), Some(FIRST));
    }
}
