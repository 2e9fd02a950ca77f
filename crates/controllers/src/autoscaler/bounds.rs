//! How far and how soon a number of replicas may change.

use std::time::Duration;

use world::Time;

/// How fast an autoscaler may grow what it scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// At most so many times the present number,
    pub factor: i64,
    /// or this many, where that is more.
    pub least: i64,
}

impl Default for Growth {
    fn default() -> Self {
        Self { factor: 2, least: 4 }
    }
}

impl Growth {
    /// The most replicas that may follow `current`.
    #[must_use]
    pub fn limit(self, current: i64) -> i64 {
        (current * self.factor).max(self.least)
    }
}

/// A number of replicas within its bounds, and what was in the way: reason and message of the
/// condition `ScalingLimited`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded {
    /// What is left of the wish.
    pub replicas: i64,
    /// Reason of the condition.
    pub condition: &'static str,
    /// Message of the condition.
    pub reason: &'static str,
}

/// Holds `desired` within the spec's bounds and the usual growth; a `least` of 0 means none is set.
#[must_use]
pub fn bound(current: i64, desired: i64, least: i64, most: i64) -> Bounded {
    bound_growth(current, desired, least, most, Growth::default())
}

/// Holds `desired` within the spec's bounds and `growth`.
#[must_use]
pub fn bound_growth(current: i64, desired: i64, least: i64, most: i64, growth: Growth) -> Bounded {
    let (floor, too_few) = if least == 0 {
        (1, "the desired replica count is zero")
    } else {
        (least, "the desired replica count is less than the minimum replica count")
    };
    let limit = growth.limit(current);
    if desired < floor {
        return Bounded { replicas: floor, condition: "TooFewReplicas", reason: too_few };
    }
    if desired > most.min(limit) {
        let (condition, reason) = if most > limit {
            let reason =
                "the desired replica count is increasing faster than the maximum scale rate";
            ("ScaleUpLimit", reason)
        } else {
            let reason = "the desired replica count is more than the maximum replica count";
            ("TooManyReplicas", reason)
        };
        return Bounded { replicas: most.min(limit), condition, reason };
    }
    let reason = "the desired count is within the acceptable range";
    Bounded { replicas: desired, condition: "DesiredWithinRange", reason }
}

/// How long nothing may change after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Before growing.
    pub upscale: Duration,
    /// Before shrinking.
    pub downscale: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self { upscale: Duration::from_secs(3 * 60), downscale: Duration::from_secs(5 * 60) }
    }
}

/// What the last change still forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    up: bool,
    down: bool,
}

impl Backoff {
    /// What a change at `last` forbids at `now`.
    #[must_use]
    pub fn since(last: Option<Time>, now: Time, windows: Windows) -> Self {
        let within = |window: Duration| last.is_some_and(|last| last + window >= now);
        Self { up: within(windows.upscale), down: within(windows.downscale) }
    }

    /// Whether `current` may become `desired`.
    #[must_use]
    pub fn allows(self, current: i64, desired: i64) -> bool {
        desired > current && !self.up || desired < current && !self.down
    }

    /// Status, reason and message of the condition `AbleToScale`.
    #[must_use]
    pub fn condition(self) -> (bool, &'static str, &'static str) {
        match (self.down, self.up) {
            (false, false) => {
                let text = "the last scale time was sufficiently old as to warrant a new scale";
                (true, "ReadyForNewScale", text)
            }
            (true, false) => {
                let text = "the time since the previous scale is still within the downscale \
                            forbidden window";
                (false, "BackoffDownscale", text)
            }
            (false, true) => {
                let text = "the time since the previous scale is still within the upscale \
                            forbidden window";
                (false, "BackoffUpscale", text)
            }
            (true, true) => {
                let text = "the time since the previous scale is still within both the downscale \
                            and upscale forbidden windows";
                (false, "BackoffBoth", text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_held_within_bounds() {
        // (current, desired, least, most) -> replicas, condition
        for ((current, desired, least, most), replicas, condition) in [
            ((3, 5, 2, 8), 5, "DesiredWithinRange"),
            ((3, 1, 2, 8), 2, "TooFewReplicas"),
            ((1, 0, 0, 8), 1, "TooFewReplicas"),
            ((6, 9, 2, 8), 8, "TooManyReplicas"),
            ((1, 9, 1, 20), 4, "ScaleUpLimit"),
            ((5, 90, 1, 20), 10, "ScaleUpLimit"),
            ((10, 90, 1, 20), 20, "TooManyReplicas"),
        ] {
            let got = bound(current, desired, least, most);
            assert_eq!((got.replicas, got.condition), (replicas, condition));
        }
    }

    #[test]
    fn a_change_forbids_the_next_for_a_while() {
        let at = |seconds: i64| Time::from_unix_seconds(1_000_000 + seconds);
        // (seconds since the last change) -> reason, may grow, may shrink
        for (seconds, reason, up, down) in [
            (Some(60), "BackoffBoth", false, false),
            (Some(180), "BackoffBoth", false, false),
            (Some(181), "BackoffDownscale", true, false),
            (Some(300), "BackoffDownscale", true, false),
            (Some(301), "ReadyForNewScale", true, true),
            (None, "ReadyForNewScale", true, true),
        ] {
            let last = seconds.map(|_| at(0));
            let backoff = Backoff::since(last, at(seconds.unwrap_or(0)), Windows::default());
            assert_eq!(backoff.condition().1, reason, "{seconds:?}");
            assert_eq!((backoff.allows(2, 3), backoff.allows(3, 2)), (up, down), "{seconds:?}");
            assert!(!backoff.allows(3, 3));
        }
    }
}
