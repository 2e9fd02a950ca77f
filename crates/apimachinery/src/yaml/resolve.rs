//! What a plain scalar means: the YAML 1.1 rules as Go applies them.

/// The meaning of a scalar.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer that only fits unsigned.
    Unsigned(u64),
    Float(f64),
    Text,
}

/// Resolves a plain scalar without tag.
pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Scalar::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes()[0] {
        b'.' => float(text),
        b'0'..=b'9' | b'+' | b'-' => {
            let plain = text.replace('_', "");
            integer(&plain).unwrap_or_else(|| float(&plain))
        }
        _ => Scalar::Text,
    }
}

/// Integers with the prefixes `0x`, `0o`, `0b`, and the plain leading zero of octal numbers.
fn integer(text: &str) -> Option<Scalar> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = if let Some(digits) = lower.strip_prefix("0x") {
        (digits, 16)
    } else if let Some(digits) = lower.strip_prefix("0o") {
        (digits, 8)
    } else if let Some(digits) = lower.strip_prefix("0b") {
        (digits, 2)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (&lower[1..], 8)
    } else {
        (lower.as_str(), 10)
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    let signed = i128::from(magnitude) * if negative { -1 } else { 1 };
    match i64::try_from(signed) {
        Ok(value) => Some(Scalar::Int(value)),
        // Go reads unsigned numbers without any sign.
        Err(_) if !text.starts_with(['-', '+']) => Some(Scalar::Unsigned(magnitude)),
        Err(_) => None,
    }
}

fn float(text: &str) -> Scalar {
    if !looks_like_float(text) {
        return Scalar::Text;
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Scalar::Float(value),
        _ => Scalar::Text,
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn looks_like_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits(rest);
    let rest = &rest[whole..];
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => (digits(rest), &rest[digits(rest)..]),
        None => (0, rest),
    };
    if whole + fraction == 0 {
        return false;
    }
    match rest.strip_prefix(['e', 'E']) {
        None => rest.is_empty(),
        Some(exponent) => {
            let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent) == exponent.len()
        }
    }
}

/// Whether a text would be read as a time by some reader of YAML 1.1: `2006-1-2`, optionally with
/// `T15:4:5Z`.
pub(super) fn looks_like_timestamp(text: &str) -> bool {
    let (date, time) = text.split_once(['T', 't', ' ']).map_or((text, None), |(a, b)| (a, Some(b)));
    let number = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let [year, month, day] = *date.split('-').collect::<Vec<_>>() else { return false };
    let date = year.len() == 4 && number(year, 4) && number(month, 2) && number(day, 2);
    let Some(time) = time else { return date };
    let clock = time.split(['Z', '+', '-']).next().unwrap_or_default();
    let [hour, minute, second] = *clock.split(':').collect::<Vec<_>>() else { return false };
    let (second, fraction) = second.split_once('.').unwrap_or((second, "0"));
    date && [hour, minute, second].iter().all(|part| number(part, 2)) && number(fraction, 9)
}

/// Whether a text is a number of base 60 to YAML 1.1, such as `1:30`.
pub(super) fn looks_like_base60(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = rest.split(':');
    let first = parts.next().unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else { return false };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    let sixty = |text: &str| match text.as_bytes() {
        [byte] => byte.is_ascii_digit(),
        [b'0'..=b'5', byte] => byte.is_ascii_digit(),
        _ => false,
    };
    first.starts_with(|c: char| c.is_ascii_digit())
        && digits(first)
        && middle.iter().all(|part| sixty(part))
        && sixty(last)
        && digits(fraction)
}
