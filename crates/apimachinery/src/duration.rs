//! Durations as people and Go read them.

use std::time::Duration;

/// The AGE column of `kubectl get`, from elapsed whole seconds: `5s`, `3m`, `2h`, `1d`, `1y`;
/// `<invalid>` when the start lies more than a second ahead.
///
/// Mirrors: `k8s.io/kubernetes/pkg/printers/internalversion.translateTimestampSince`; an absent time
/// is `<unknown>` there, see [`age_or_unknown`].
#[must_use]
pub fn age(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..60 => format!("{seconds}s"),
        _ if minutes < 60 => format!("{minutes}m"),
        _ if hours < 24 => format!("{hours}h"),
        _ if hours < 24 * 365 => format!("{}d", hours / 24),
        _ => format!("{}y", hours / 24 / 365),
    }
}

/// [`age`], or `<unknown>` when there is no time.
#[must_use]
pub fn age_or_unknown(seconds: Option<i64>) -> String {
    seconds.map_or_else(|| "<unknown>".to_owned(), age)
}

/// The words of `oc describe` and `oc status`, without `ago`: `About a minute`, `3 hours`.
///
/// Mirrors: `github.com/docker/go-units.HumanDuration`.
#[must_use]
pub fn human(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    let minutes = seconds / 60;
    let rounded_hours = (seconds + 1800) / 3600;
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 46 => format!("{minutes} minutes"),
        _ => match rounded_hours {
            0 | 1 => "About an hour".to_owned(),
            hours @ 2..48 => format!("{hours} hours"),
            hours @ 48..336 => format!("{} days", hours / 24),
            hours @ 336..1440 => format!("{} weeks", hours / 168),
            hours @ 1440..17520 => format!("{} months", hours / 720),
            _ => format!("{} years", seconds / 3600 / 24 / 365),
        },
    }
}

/// A duration as Go prints it: `1h0m5s`, `1.5s`, `10ms`, `0s`.
#[must_use]
pub fn go_format(duration: Duration) -> String {
    let nanos = u64::from(duration.subsec_nanos());
    let seconds = duration.as_secs();
    if seconds == 0 {
        return match nanos {
            0 => "0s".to_owned(),
            1..1000 => format!("{nanos}ns"),
            1000..1_000_000 => format!("{}µs", decimal(nanos, 1000)),
            _ => format!("{}ms", decimal(nanos, 1_000_000)),
        };
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = decimal(seconds % 60 * 1_000_000_000 + nanos, 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// `value / unit` without trailing zeros.
fn decimal(value: u64, unit: u64) -> String {
    let width = unit.to_string().len() - 1;
    let text = format!("{}.{:0width$}", value / unit, value % unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Reads a duration as Go does: `90s`, `1h30m`, `1.5h`, `0`; `None` when it is none or negative.
#[must_use]
pub fn go_parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, tail) = rest.split_at(digits(rest));
        let (fraction, tail) = match tail.strip_prefix('.') {
            Some(tail) => tail.split_at(digits(tail)),
            None => ("", tail),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        total = total.checked_add(nanos(whole, fraction, unit_nanos(unit)?)?)?;
        rest = tail;
    }
    u64::try_from(total).ok().map(Duration::from_nanos)
}

fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

fn nanos(whole: &str, fraction: &str, unit: u128) -> Option<u128> {
    let number = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse().ok() };
    let whole: u128 = number(whole)?;
    // More digits than a nanosecond can show do not matter.
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    whole.checked_mul(unit)?.checked_add(number(fraction)? * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (86_399, "23h"),
            (86_400, "1d"),
            (364 * 86_400, "364d"),
            (365 * 86_400, "1y"),
        ] {
            assert_eq!(age(seconds), text);
        }
        assert_eq!(age_or_unknown(None), "<unknown>");
    }

    #[test]
    fn human_durations_are_words() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (120, "2 minutes"),
            (45 * 60 + 59, "45 minutes"),
            (46 * 60, "About an hour"),
            (90 * 60, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (14 * 86_400, "2 weeks"),
            (60 * 86_400, "2 months"),
            (730 * 86_400, "2 years"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn go_durations_are_read_and_printed() {
        for text in ["0s", "5s", "2m0s", "1h0m0.003s", "10ms", "1.5µs", "999ns", "48h0m1s"] {
            let duration = go_parse(text).unwrap();
            assert_eq!(go_format(duration), text);
        }
        assert_eq!(go_parse("1h0.003s").map(go_format).as_deref(), Some("1h0m0.003s"));
        assert_eq!(go_parse("1.5h"), Some(Duration::from_secs(5400)));
        assert_eq!(go_parse("0"), Some(Duration::ZERO));
        for text in ["", "5", "s", "-5s", "1x", ".s", "1s2", "99999999999999999999h"] {
            assert_eq!(go_parse(text), None, "{text}");
        }
    }
}
