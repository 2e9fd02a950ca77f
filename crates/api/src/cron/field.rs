//! One field of a cron schedule, and durations as Go writes them.
//!
//! Mirrors: `github.com/robfig/cron/parser.go`, Go's `time.ParseDuration`.

use std::time::Duration;

/// What a field may hold.
#[derive(Debug)]
pub(super) struct Bounds {
    min: u32,
    max: u32,
    names: &'static [(&'static str, u32)],
}

pub(super) static MINUTES: Bounds = Bounds { min: 0, max: 59, names: &[] };
pub(super) static HOURS: Bounds = Bounds { min: 0, max: 23, names: &[] };
pub(super) static DAYS: Bounds = Bounds { min: 1, max: 31, names: &[] };
pub(super) static MONTHS: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &[
        ("jan", 1),
        ("feb", 2),
        ("mar", 3),
        ("apr", 4),
        ("may", 5),
        ("jun", 6),
        ("jul", 7),
        ("aug", 8),
        ("sep", 9),
        ("oct", 10),
        ("nov", 11),
        ("dec", 12),
    ],
};
pub(super) static WEEKDAYS: Bounds = Bounds {
    min: 0,
    max: 6,
    names: &[("sun", 0), ("mon", 1), ("tue", 2), ("wed", 3), ("thu", 4), ("fri", 5), ("sat", 6)],
};

/// The values at which a field matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    bits: u64,
    star: bool,
}

impl Field {
    pub(super) fn parse(text: &str, bounds: &Bounds) -> Result<Self, String> {
        let mut field = Self { bits: 0, star: false };
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let range = range(part, bounds)?;
            field.bits |= range.bits;
            field.star |= range.star;
        }
        Ok(field)
    }

    pub(super) fn has(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|value| self.bits & (1 << value) != 0)
    }

    pub(super) fn is_star(self) -> bool {
        self.star
    }
}

/// `number`, `number-number`, `*`, each with `/step`.
fn range(text: &str, bounds: &Bounds) -> Result<Field, String> {
    let mut parts = text.split('/');
    let low_and_high = parts.next().unwrap_or_default();
    let step = parts.next();
    if parts.next().is_some() {
        return Err(format!("Too many slashes: {text}"));
    }
    let mut ends = low_and_high.split('-');
    let low = ends.next().unwrap_or_default();
    let high = ends.next();
    let mut star = false;
    let (start, mut end, single) = if low == "*" || low == "?" {
        star = true;
        (bounds.min, bounds.max, false)
    } else {
        let start = number_or_name(low, bounds)?;
        if ends.next().is_some() {
            return Err(format!("Too many hyphens: {text}"));
        }
        match high {
            None => (start, start, true),
            Some(high) => (start, number_or_name(high, bounds)?, false),
        }
    };
    let step = match step {
        None => 1,
        Some(step) => {
            // `n/step` means from n to the end.
            if single {
                end = bounds.max;
            }
            number(step)?
        }
    };
    if start < bounds.min {
        return Err(format!("Beginning of range ({start}) below minimum ({}): {text}", bounds.min));
    }
    if end > bounds.max {
        return Err(format!("End of range ({end}) above maximum ({}): {text}", bounds.max));
    }
    if start > end {
        return Err(format!("Beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    let step = usize::try_from(step).unwrap_or(0);
    if step == 0 {
        return Err(format!("Step of range should be a positive number: {text}"));
    }
    let bits = (start..=end).step_by(step).fold(0, |bits, value| bits | 1 << value);
    Ok(Field { bits, star })
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    let named = bounds.names.iter().find(|(name, _)| *name == lower);
    named.map_or_else(|| number(text), |(_, value)| Ok(*value))
}

fn number(text: &str) -> Result<u32, String> {
    let read: Result<i64, _> = text.parse();
    match read {
        Err(_) => Err(format!(
            "Failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"
        )),
        Ok(number) if number < 0 => Err(format!("Negative number ({number}) not allowed: {text}")),
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
    }
}

/// A duration as Go writes it: `1h30m`, `90s`, `1.5h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {text}");
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .ok_or_else(|| format!("time: missing unit in duration {text}"))?;
        let amount: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        let factor = match &rest[..unit] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            other => return Err(format!("time: unknown unit {other} in duration {text}")),
        };
        seconds += amount * factor;
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| invalid())
}
