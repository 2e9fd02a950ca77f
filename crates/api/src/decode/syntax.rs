//! Malformed JSON in Go's words, and the two members every document starts with.
//!
//! Deviation: nesting is refused beyond 128 levels, upstream's limit is 10,000; the text is the same.

use std::fmt;

use apimachinery::Value;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;

use super::Error;

/// Reads a document of no particular type, e.g. a patch.
///
/// # Errors
/// When it is not JSON; the text is Go's.
pub fn parse_json(body: &[u8]) -> Result<Value, Error> {
    let text = String::from_utf8_lossy(body);
    serde_json::from_str(&text).map_err(|found| error(&text, &found))
}

/// Reads `apiVersion` and `kind`; an absent one is empty.
///
/// # Errors
/// When the body is not JSON, no object, or one of the two is no string.
pub fn interpret(body: &[u8]) -> Result<(String, String), Error> {
    let text = String::from_utf8_lossy(body);
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let found = deserializer
        .deserialize_any(Head)
        .and_then(|head| deserializer.end().map(|()| head))
        .map_err(|found| error(&text, &found))?;
    found.map_err(Error::Syntax)
}

/// What Go would say of a body that is not JSON.
pub(super) fn error(text: &str, found: &serde_json::Error) -> Error {
    Error::Syntax(message(text, found))
}

fn message(text: &str, found: &serde_json::Error) -> String {
    let reason = found.to_string();
    if reason.starts_with("recursion limit") {
        return "exceeded max depth".to_owned();
    }
    if found.classify() == Category::Eof {
        return "unexpected end of JSON input".to_owned();
    }
    let Some(character) = character_at(text, found.line(), found.column()) else {
        return "unexpected end of JSON input".to_owned();
    };
    let place = place(&reason, character);
    format!("invalid character {} {place}", quote(character))
}

fn character_at(text: &str, line: usize, column: usize) -> Option<char> {
    let line = text.split('\n').nth(line.checked_sub(1)?)?;
    let mut at = column.saturating_sub(1).min(line.len());
    while !line.is_char_boundary(at) {
        at -= 1;
    }
    line[at..].chars().next().or(Some('\n'))
}

fn quote(character: char) -> String {
    match character {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        other => format!("'{}'", other.escape_debug()),
    }
}

fn place(reason: &str, character: char) -> &'static str {
    let places = [
        ("expected value", "looking for beginning of value"),
        ("key must be a string", "looking for beginning of object key string"),
        ("expected `:`", "after object key"),
        ("expected `,` or `}`", "after object key:value pair"),
        ("expected `,` or `]`", "after array element"),
        ("trailing characters", "after top-level value"),
        ("invalid escape", "in string escape code"),
        ("control character", "in string literal"),
        ("invalid number", "in numeric literal"),
        ("trailing comma", "looking for beginning of value"),
    ];
    if reason.starts_with("trailing comma") && character == '}' {
        return "looking for beginning of object key string";
    }
    places
        .iter()
        .find(|(start, _)| reason.starts_with(start))
        .map_or("looking for beginning of value", |(_, place)| place)
}

/// The start of a body for an error text: text if it looks like JSON, else hexadecimal.
pub(super) fn summary(body: &[u8]) -> String {
    const SHOWN: usize = 30;
    let start = &body[..body.len().min(SHOWN)];
    let mut out = match body.first() {
        None => return "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(start).into_owned(),
        Some(_) => start.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    if body.len() > SHOWN {
        out.push_str(" ...");
    }
    out
}

struct Head;

const HEAD_TYPE: &str = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; \
                         Kind string \"json:\\\"kind,omitempty\\\"\" }";

impl Head {
    fn wrong(found: &str) -> Result<(String, String), String> {
        Err(format!("json: cannot unmarshal {found} into Go value of type {HEAD_TYPE}"))
    }
}

impl<'de> Visitor<'de> for Head {
    type Value = Result<(String, String), String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Ok((String::new(), String::new())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Self::wrong("bool"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Self::wrong("number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Self::wrong("number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Self::wrong("number"))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Self::wrong("string"))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::wrong("array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut api_version, mut kind) = (String::new(), String::new());
        let mut failed = None;
        while let Some(name) = map.next_key::<String>()? {
            let slot = match name.as_str() {
                "apiVersion" => &mut api_version,
                "kind" => &mut kind,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            match map.next_value::<Value>()? {
                Value::String(text) => *slot = text.into(),
                Value::Null => {}
                other => {
                    failed.get_or_insert_with(|| {
                        format!(
                            "json: cannot unmarshal {} into Go struct field .{name} of type string",
                            json_type(&other)
                        )
                    });
                }
            }
        }
        Ok(failed.map_or(Ok((api_version, kind)), Err))
    }
}

pub(super) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
