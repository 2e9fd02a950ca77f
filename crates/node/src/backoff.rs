//! Delays that grow with every failure.
//!
//! Mirrors: `k8s.io/client-go/util/flowcontrol`.

use std::time::Duration;

use world::Time;

/// First delay.
pub const INITIAL: Duration = Duration::from_secs(10);
/// Longest delay.
pub const MAX: Duration = Duration::from_secs(300);

/// The back-off of one container or image; starts without an entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    entry: Option<(Duration, Time)>,
}

impl Backoff {
    /// The entry, unless it has not been used for twice the longest delay.
    fn live(&self, now: Time) -> Option<(Duration, Time)> {
        self.entry.filter(|(_, updated)| now.since(*updated) <= MAX * 2)
    }

    /// Whether something that failed at `since` must still wait.
    #[must_use]
    pub fn waits_since(&self, since: Time, now: Time) -> bool {
        self.live(now).is_some_and(|(delay, _)| now.since(since) < delay)
    }

    /// Whether something must still wait since the delay last grew.
    #[must_use]
    pub fn waits(&self, now: Time) -> bool {
        self.live(now).is_some_and(|(delay, updated)| now.since(updated) < delay)
    }

    /// Notes another failure: the first delay, or twice the last.
    pub fn advance(&mut self, now: Time) {
        let delay = self.live(now).map_or(INITIAL, |(delay, _)| (delay * 2).min(MAX));
        self.entry = Some((delay, now));
    }

    /// The delay in force; zero without an entry.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.entry.map(|(delay, _)| delay).unwrap_or_default()
    }
}

/// `duration` in whole seconds as Go prints it: `10s`, `1m20s`, `5m0s`.
#[must_use]
pub fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_five_minutes_and_forgets_after_ten() {
        let mut backoff = Backoff::default();
        let mut now = Time::from_unix_seconds(1000);
        assert!(!backoff.waits_since(now, now));
        let mut texts = Vec::new();
        for _ in 0..7 {
            backoff.advance(now);
            assert!(backoff.waits(now) && backoff.waits_since(now, now));
            now = now + backoff.delay();
            assert!(!backoff.waits(now));
            texts.push(go_duration(backoff.delay()));
        }
        assert_eq!(texts, ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]);
        now = now + Duration::from_secs(601);
        backoff.advance(now);
        assert_eq!(backoff.delay(), INITIAL);
    }
}
