//! Points in time and the formats in which clients see them.
//!
//! Invariant: a [`Time`] is UTC nanoseconds since the Unix epoch; formatting never reads a zone.

use std::ops::{Add, Sub};
use std::time::Duration;

use jiff::Timestamp;

/// A point in time, to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// The instant `seconds` after the Unix epoch.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000_000)
    }

    /// The instant `nanos` nanoseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// RFC 3339 in whole seconds, as `metadata.creationTimestamp` is written: `2018-10-11T12:00:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        Timestamp::from_second(self.unix_seconds())
            .map_or_else(|_| String::new(), |t| t.to_string())
    }

    /// RFC 3339 with six decimals, as `MicroTime` is written: `2018-10-11T12:00:00.000000Z`.
    #[must_use]
    pub fn rfc3339_micro(self) -> String {
        Timestamp::from_nanosecond(i128::from(self.0))
            .map_or_else(|_| String::new(), |t| format!("{t:.6}"))
    }

    /// RFC 3339 with nine decimals, as log lines with `timestamps=true` begin.
    #[must_use]
    pub fn rfc3339_nano(self) -> String {
        Timestamp::from_nanosecond(i128::from(self.0))
            .map_or_else(|_| String::new(), |t| format!("{t:.9}"))
    }

    /// Go's default text of a UTC time in whole seconds: `2018-10-11 12:00:00 +0000 UTC`.
    #[must_use]
    pub fn go_string(self) -> String {
        let text = self.rfc3339();
        format!("{} +0000 UTC", text.trim_end_matches('Z').replacen('T', " ", 1))
    }

    /// As `date +format` writes it; `None` when `format` is none.
    #[must_use]
    pub fn strftime(self, format: &str) -> Option<String> {
        let timestamp = Timestamp::from_second(self.unix_seconds()).ok()?;
        let utc = timestamp.to_zoned(jiff::tz::TimeZone::UTC);
        jiff::fmt::strtime::format(format, &utc).ok()
    }

    /// Reads any RFC 3339 time; `None` when `text` is not one.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let timestamp: Timestamp = text.parse().ok()?;
        i64::try_from(timestamp.as_nanosecond()).ok().map(Self)
    }

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub for Time {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one reader of the host's clock")]
pub(crate) fn host_now() -> Time {
    Time(i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_the_wire() {
        let time = Time::from_unix_seconds(1_539_259_200) + Duration::from_micros(1_500_001);
        assert_eq!(time.rfc3339(), "2018-10-11T12:00:01Z");
        assert_eq!(time.rfc3339_micro(), "2018-10-11T12:00:01.500001Z");
        assert_eq!(time.rfc3339_nano(), "2018-10-11T12:00:01.500001000Z");
        assert_eq!(time.go_string(), "2018-10-11 12:00:01 +0000 UTC");
        assert_eq!(Time::parse_rfc3339("2018-10-11T12:00:01.500001Z"), Some(time));
        assert_eq!(Time::parse_rfc3339("yesterday"), None);
        assert_eq!(
            time.strftime("%a %b %e %H:%M:%S %Z %Y").unwrap(),
            "Thu Oct 11 12:00:01 UTC 2018"
        );
        assert_eq!(time.strftime("%s").unwrap(), "1539259201");
        assert_eq!(time.strftime("%"), None);
    }
}
