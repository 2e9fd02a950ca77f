//! Durations and timestamps.
//!
//! Invariant: nanoseconds in 64 bits; what does not fit is refused.

use crate::eval::Error;
use crate::value::Value;

const SECOND: i64 = 1_000_000_000;

/// Go's notation: `1h30m`, `1.5s`, `-10ms`.
pub(crate) fn duration(text: &str) -> Option<i64> {
    const UNITS: &[(&str, f64)] = &[
        ("ns", 1.0),
        ("us", 1e3),
        ("µs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("m", 6e10),
        ("h", 3.6e12),
    ];
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let word = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &rest[..word])?;
        total += number * factor;
        rest = &rest[word..];
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
    let nanos = (total < 9.2e18).then_some(total as i64)?;
    Some(if negative { -nanos } else { nanos })
}

/// RFC 3339.
pub(crate) fn timestamp(text: &str) -> Option<i64> {
    world::Time::parse_rfc3339(text).map(world::Time::unix_nanos)
}

pub(crate) fn show(value: &Value) -> Option<String> {
    match value {
        Value::Timestamp(nanos) => Some(world::Time::from_unix_nanos(*nanos).rfc3339()),
        Value::Duration(nanos) => {
            let (whole, part) = (nanos / SECOND, (nanos % SECOND).abs());
            let fraction = format!("{part:09}");
            let fraction = fraction.trim_end_matches('0');
            let dot = if fraction.is_empty() { "" } else { "." };
            let sign = if *nanos < 0 && whole == 0 { "-" } else { "" };
            Some(format!("{sign}{whole}{dot}{fraction}s"))
        }
        _ => None,
    }
}

/// The parts of a time, in UTC.
pub(crate) fn part(name: &str, value: &Value) -> Result<Value, Error> {
    let (nanos, stamp) = match value {
        Value::Duration(nanos) => (*nanos, false),
        Value::Timestamp(nanos) => (*nanos, true),
        _ => return Err(Error::Overload),
    };
    let seconds = nanos.div_euclid(SECOND);
    let number = match (name, stamp) {
        ("getHours", false) => nanos / (3600 * SECOND),
        ("getMinutes", false) => nanos / (60 * SECOND),
        ("getSeconds", false) => nanos / SECOND,
        ("getMilliseconds", false) => nanos / 1_000_000,
        ("getHours", true) => seconds.div_euclid(3600).rem_euclid(24),
        ("getMinutes", true) => seconds.div_euclid(60).rem_euclid(60),
        ("getSeconds", true) => seconds.rem_euclid(60),
        ("getMilliseconds", true) => nanos.rem_euclid(SECOND) / 1_000_000,
        // 1970 began on a Thursday.
        ("getDayOfWeek", true) => (seconds.div_euclid(86_400) + 4).rem_euclid(7),
        ("getFullYear" | "getMonth" | "getDate" | "getDayOfMonth", true) => {
            let text = world::Time::from_unix_nanos(nanos).rfc3339();
            let field = |range: std::ops::Range<usize>| -> i64 {
                text.get(range).and_then(|digits| digits.parse().ok()).unwrap_or_default()
            };
            match name {
                "getFullYear" => field(0..4),
                "getMonth" => field(5..7) - 1,
                "getDate" => field(8..10),
                _ => field(8..10) - 1,
            }
        }
        _ => return Err(Error::Overload),
    };
    Ok(Value::Int(number))
}
