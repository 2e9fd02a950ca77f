//! Single values: their canonical text and what is said of malformed ones.
//!
//! Invariant: canonical text is its own canonical text.

use apimachinery::quantity::Quantity;
use apimachinery::{Map, Value};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::schema::FieldKind;

/// Go's decoder: padding required, stray bits in the last symbol allowed.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The Go spelling of a type in error texts.
///
/// `go` is the name of a scalar, of a list's scalars or of a map where Go has one.
pub(super) fn go_type(kind: FieldKind, go: Option<&str>) -> String {
    match (kind, go) {
        (FieldKind::Array(of), _) => format!("[]{}", go_type(*of, go)),
        (_, Some(go)) => go.to_owned(),
        (_, None) => unnamed(kind),
    }
}

fn unnamed(kind: FieldKind) -> String {
    match kind {
        FieldKind::Array(of) => format!("[]{}", unnamed(*of)),
        FieldKind::String => "string".to_owned(),
        FieldKind::Integer { bits } => format!("int{bits}"),
        FieldKind::Number => "float64".to_owned(),
        FieldKind::Boolean => "bool".to_owned(),
        FieldKind::IntOrString => "intstr.IntOrString".to_owned(),
        FieldKind::Quantity => "resource.Quantity".to_owned(),
        FieldKind::Time => "v1.Time".to_owned(),
        FieldKind::MicroTime => "v1.MicroTime".to_owned(),
        FieldKind::Bytes => "[]uint8".to_owned(),
        FieldKind::Object(of) => {
            let mut parts = of.name.rsplit('.');
            let short = parts.next().unwrap_or_default();
            format!("{}.{short}", parts.next().unwrap_or_default())
        }
        FieldKind::Map(of) => format!("map[string]{}", unnamed(*of)),
        FieldKind::RawExtension => "runtime.RawExtension".to_owned(),
        FieldKind::Any => "interface {}".to_owned(),
    }
}

/// What a null element of a list or map becomes.
pub(super) fn zero(kind: FieldKind) -> Value {
    match kind {
        FieldKind::String | FieldKind::Bytes => "".into(),
        FieldKind::Integer { .. } | FieldKind::Number | FieldKind::IntOrString => 0.into(),
        FieldKind::Quantity => "0".into(),
        FieldKind::Boolean => false.into(),
        FieldKind::Object(_) => Value::Object(Map::new()),
        FieldKind::Map(_)
        | FieldKind::Array(_)
        | FieldKind::Time
        | FieldKind::MicroTime
        | FieldKind::RawExtension
        | FieldKind::Any => Value::Null,
    }
}

/// The integer that a float without fraction stands for.
pub(super) fn integral(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "integral and within ±2^53")]
    let number = value as i64;
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(number)
}

/// `0.5` → `500m`.
pub(super) fn quantity(text: &str) -> Result<String, String> {
    Quantity::parse(text).map(|quantity| quantity.canonical()).map_err(|error| error.to_string())
}

/// What a type that reads its own JSON says of a value; nothing when it takes it.
pub(super) fn own_reading(kind: FieldKind, value: &Value) -> Result<(), String> {
    let wrong = |wanted: &str| {
        let found = super::syntax::json_type(value);
        let found = match value {
            Value::Number(number) if wanted == "int32" => format!("{found} {number}"),
            _ => found.to_owned(),
        };
        Err(format!("json: cannot unmarshal {found} into Go value of type {wanted}"))
    };
    match (kind, value) {
        (_, Value::Null) | (FieldKind::IntOrString, Value::String(_)) => Ok(()),
        (FieldKind::Quantity, Value::String(text)) => quantity(text.trim()).map(drop),
        (FieldKind::Quantity, other) => quantity(&other.to_string()).map(drop),
        (FieldKind::Time, Value::String(text)) => time(text, false).map(drop),
        (FieldKind::MicroTime, Value::String(text)) => time(text, true).map(drop),
        (FieldKind::Time | FieldKind::MicroTime, _) => wrong("string"),
        (FieldKind::IntOrString, Value::Number(number))
            if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) =>
        {
            Ok(())
        }
        (FieldKind::IntOrString, _) => wrong("int32"),
        _ => Ok(()),
    }
}

/// Base64 as it would be written again.
pub(super) fn bytes(text: &str) -> Result<String, String> {
    let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    // Go reads from the start, so it meets a wrong symbol before anything else.
    let symbol = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let wrong = clean.find(|c: char| !symbol(c));
    let failed = |at: usize| Err(format!("illegal base64 data at input byte {at}"));
    match (BASE64.decode(&clean), wrong) {
        (Ok(bytes), _) => Ok(BASE64.encode(bytes)),
        (Err(_), Some(at)) => failed(at),
        (Err(base64::DecodeError::InvalidByte(at, _)), _) => failed(at),
        (Err(base64::DecodeError::InvalidLastSymbol(at, _)), _) => failed(at),
        // It names the start of the group that is not complete.
        (Err(base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding), _) => {
            failed(clean.len() / 4 * 4)
        }
    }
}

/// Bytes as base64.
pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// A time in UTC; the zero time is null.
pub(super) fn time(text: &str, micro: bool) -> Result<Value, String> {
    let canonical = if micro { 27 } else { 20 };
    check_time(text, micro)?;
    if text.starts_with("0001-01-01T00:00:00") {
        return Ok(Value::Null);
    }
    if text.len() == canonical && text.ends_with('Z') {
        return Ok(text.into());
    }
    match world::Time::parse_rfc3339(text) {
        Some(time) if micro => Ok(time.rfc3339_micro().into()),
        Some(time) => Ok(time.rfc3339().into()),
        // Far from our days: the text stands as it is.
        None => Ok(text.into()),
    }
}

/// Whether [`time`] gives the text back as it is.
pub(super) fn is_canonical_time(text: &str, micro: bool) -> bool {
    let bytes = text.as_bytes();
    let layout: &[u8] =
        if micro { b"0000-00-00T00:00:00.000000Z" } else { b"0000-00-00T00:00:00Z" };
    let alike = |(byte, wanted): (&u8, &u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        wanted => byte == wanted,
    };
    if bytes.len() != layout.len() || !bytes.iter().zip(layout).all(alike) {
        return false;
    }
    let digits = |from: usize, to: usize| {
        bytes[from..to].iter().fold(0, |number, byte| number * 10 + u32::from(byte - b'0'))
    };
    let parts = [(0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19)];
    out_of_range(&parts.map(|(from, to)| digits(from, to))).is_none()
        && !text.starts_with("0001-01-01T00:00:00")
}

/// Go's reading of a layout: the first element that does not fit is named.
fn check_time(text: &str, micro: bool) -> Result<(), String> {
    let layout =
        if micro { "2006-01-02T15:04:05.000000Z07:00" } else { "2006-01-02T15:04:05Z07:00" };
    let fail = |rest: &str, element: &str| {
        Err(format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {element:?}"))
    };
    let mut rest = text;
    let mut numbers = Vec::new();
    for (element, digits) in ELEMENTS {
        if *digits == 0 {
            match rest.strip_prefix(element) {
                Some(after) => rest = after,
                None => return fail(rest, element),
            }
            continue;
        }
        match rest.get(..*digits).and_then(number) {
            Some(value) => numbers.push(value),
            None => return fail(rest, element),
        }
        rest = &rest[*digits..];
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        let after = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if after.len() == fraction.len() {
            return fail(rest, if micro { ".000000" } else { "Z07:00" });
        }
        rest = after;
    } else if micro {
        return fail(rest, ".000000");
    }
    match zone(rest) {
        Some("") => {}
        Some(extra) => {
            return Err(format!("parsing time {text:?}: extra text: {extra:?}"));
        }
        None => return fail(rest, "Z07:00"),
    }
    match out_of_range(&numbers) {
        Some(what) => Err(format!("parsing time {text:?}: {what} out of range")),
        None => Ok(()),
    }
}

const ELEMENTS: &[(&str, usize)] = &[
    ("2006", 4),
    ("-", 0),
    ("01", 2),
    ("-", 0),
    ("02", 2),
    ("T", 0),
    ("15", 2),
    (":", 0),
    ("04", 2),
    (":", 0),
    ("05", 2),
];

fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// What follows `Z` or `+07:00`.
fn zone(text: &str) -> Option<&str> {
    if let Some(after) = text.strip_prefix('Z') {
        return Some(after);
    }
    let rest = text.strip_prefix(['+', '-'])?;
    number(rest.get(..2)?)?;
    number(rest.get(2..)?.strip_prefix(':')?.get(..2)?)?;
    rest.get(5..)
}

fn out_of_range(numbers: &[u32]) -> Option<&'static str> {
    let &[year, month, day, hour, minute, second] = numbers else { return None };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    [
        ("month", !(1..=12).contains(&month)),
        ("day", !(1..=days).contains(&day)),
        ("hour", hour > 23),
        ("minute", minute > 59),
        ("second", second > 59),
    ]
    .into_iter()
    .find_map(|(name, wrong)| wrong.then_some(name))
}
