//! Reading quantities: sign, digits, fraction and suffix, then the exact number of nano units.

use super::{Error, Format, Quantity};

/// The most decimal digits that surely fit 64 bits; within them upstream takes its fast path, which
/// decides whether a text prints again as it was written.
const FAST_DIGITS: i64 = 18;

struct Parts<'a> {
    negative: bool,
    /// Digits before the point without leading zeros, `0` when there are none.
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

struct Suffix {
    format: Format,
    /// Power of ten, or of two for binary formats.
    exponent: i64,
}

pub(super) fn quantity(text: &str) -> Result<Quantity, Error> {
    if text.is_empty() {
        return Err(Error::Format);
    }
    let parts = split(text)?;
    let suffix = interpret(parts.suffix)?;
    let magnitude = nanos(&parts, &suffix);
    let fast = is_fast(&parts, &suffix);
    let binary = suffix.format == Format::BinarySi;
    let magnitude = if binary { magnitude.min(MAX_BINARY) } else { magnitude };
    let less_than_one = !fast && magnitude > 0 && magnitude < super::NANOS;
    let format = if binary && less_than_one { Format::DecimalSi } else { suffix.format };
    let nanos = if parts.negative { -magnitude } else { magnitude };
    let keep = fast && prints_as_written(&parts, &suffix);
    Ok(Quantity { nanos, format, text: keep.then(|| text.to_owned()) })
}

/// Binary quantities are capped at what 64 bits hold.
const MAX_BINARY: i128 = i64::MAX as i128 * super::NANOS;

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn split(text: &str) -> Result<Parts<'_>, Error> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let rest = rest.trim_start_matches('0');
    let (whole, rest) = rest.split_at(digits(rest));
    let whole = if whole.is_empty() { "0" } else { whole };
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let signless = letters.strip_prefix(['-', '+']).unwrap_or(letters);
    if digits(signless) < signless.len() {
        return Err(Error::Format);
    }
    Ok(Parts { negative, whole, fraction, suffix })
}

fn interpret(suffix: &str) -> Result<Suffix, Error> {
    let decimal = |exponent| Ok(Suffix { format: Format::DecimalSi, exponent });
    let binary = |exponent| Ok(Suffix { format: Format::BinarySi, exponent });
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let number = suffix.strip_prefix(['e', 'E']).ok_or(Error::Suffix)?;
            let exponent: i64 = number.parse().map_err(|_| Error::Suffix)?;
            let exponent = exponent.clamp(-100_000, 100_000);
            Ok(Suffix { format: Format::DecimalExponent, exponent })
        }
    }
}

/// The magnitude in nano units, rounded up, saturating.
fn nanos(parts: &Parts<'_>, suffix: &Suffix) -> i128 {
    let (ten, two) = match suffix.format {
        Format::BinarySi => (9, suffix.exponent),
        _ => (suffix.exponent + 9, 0),
    };
    let all = format!("{}{}", parts.whole, parts.fraction);
    let all = all.trim_start_matches('0');
    if all.is_empty() {
        return 0;
    }
    let places = length(parts.fraction) - ten;
    let two = 1_i128 << two.clamp(0, 60);
    if places <= 0 {
        return number(all).saturating_mul(power_of_ten(-places)).saturating_mul(two);
    }
    let cut = usize::try_from(length(all) - places).unwrap_or(0);
    let (whole, fraction) = all.split_at(cut);
    let zeros = places - length(fraction);
    number(whole).saturating_mul(two).saturating_add(scaled_fraction(zeros, fraction, two))
}

/// `0.<zeros><digits>` times `factor`, rounded up. Twenty digits decide, the rest only counts as
/// being there.
fn scaled_fraction(zeros: i64, digits: &str, factor: i128) -> i128 {
    const PLACES: i64 = 20;
    let kept = usize::try_from(PLACES - zeros).unwrap_or(0).min(digits.len());
    let (kept, dropped) = digits.split_at(kept);
    let fill = PLACES - zeros.min(PLACES) - length(kept);
    let scaled = number(kept).saturating_mul(power_of_ten(fill)).saturating_mul(factor);
    let unit = power_of_ten(PLACES);
    let whole = scaled / unit;
    let rest = scaled % unit != 0 || dropped.bytes().any(|digit| digit != b'0');
    whole + i128::from(rest)
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

fn number(digits: &str) -> i128 {
    if digits.is_empty() { 0 } else { digits.parse().unwrap_or(i128::MAX) }
}

fn power_of_ten(exponent: i64) -> i128 {
    let exponent = u32::try_from(exponent).unwrap_or(u32::MAX);
    10_i128.checked_pow(exponent).unwrap_or(i128::MAX)
}

fn is_fast(parts: &Parts<'_>, suffix: &Suffix) -> bool {
    let length = length(parts.whole) + length(parts.fraction);
    match suffix.format {
        Format::BinarySi => parts.fraction.is_empty() && 15 - length - suffix.exponent * 3 / 10 > 0,
        _ => length <= FAST_DIGITS && suffix.exponent - self::length(parts.fraction) >= -9,
    }
}

/// Upstream keeps a text that looks canonical, which lets some through that are not (`+1`, `1.`).
fn prints_as_written(parts: &Parts<'_>, suffix: &Suffix) -> bool {
    match suffix.format {
        Format::BinarySi => number(parts.whole) % 8 != 0,
        _ => {
            let shifted = format!("{}{}", parts.whole, parts.fraction);
            let scale = suffix.exponent - length(parts.fraction);
            scale % 3 == 0 && !shifted.ends_with("000") && !shifted.starts_with('0')
        }
    }
}
