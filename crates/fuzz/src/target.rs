//! What is tried, and what must hold of every answer.

mod custom;
mod object;
mod patch;
mod protobuf;
mod spdy;
mod text;
mod yaml;

use apimachinery::Status;
use apimachinery::Value;

/// Something that reads what clients send.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Valid inputs.
    pub(crate) samples: fn() -> Vec<Vec<u8>>,
    /// Words that mean something to it.
    pub(crate) words: &'static [&'static str],
    /// The longest input.
    pub(crate) max: usize,
    /// Tries an input: a text that tells kinds of answers apart, or what does not hold.
    pub(crate) attempt: fn(&[u8]) -> Result<String, String>,
}

/// Every target.
pub(crate) const TARGETS: &[Target] = &[
    yaml::TARGET,
    protobuf::TARGET,
    spdy::TARGET,
    text::LABEL_SELECTOR,
    text::FIELD_SELECTOR,
    text::QUANTITY,
    text::JSON_PATH,
    patch::JSON,
    patch::MERGE,
    patch::STRATEGIC,
    patch::APPLY,
    object::TARGET,
    custom::TARGET,
];

fn samples(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// What must hold, or the text that says what does not.
fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// The kind of a text: what is quoted and counted differs from input to input.
fn kind(text: &str) -> String {
    let mut kind = String::new();
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            _ if quoted || letter.is_ascii_digit() => {}
            letter => kind.push(letter),
        }
        if kind.len() > 120 {
            break;
        }
    }
    kind
}

/// A refusal that a client may see.
fn refused(status: &Status) -> Result<String, String> {
    check((400..500).contains(&status.code), || {
        format!("answered {}: {}", status.code, kind(&status.message))
    })?;
    Ok(format!("{} {}", status.code, kind(&status.message)))
}

/// The shape of a document: the names in it, not the values.
fn shape(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .take(40)
                .map(|(key, value)| format!("{key}{}", shape(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => format!("[{}]", items.first().map(shape).unwrap_or_default()),
        Value::String(_) => "s".to_owned(),
        Value::Number(_) => "n".to_owned(),
        Value::Bool(_) => "b".to_owned(),
        Value::Null => "0".to_owned(),
    }
}

/// Where two documents first differ.
fn difference(one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let missing = other.keys().find(|key| !one.contains_key(key));
            let inside = |(key, value): (&apimachinery::Text, &Value)| match other.get(key) {
                Some(other) => Some(format!(".{key}{}", difference(value, other)?)),
                None => Some(format!(".{key} (gone)")),
            };
            one.iter().rev().find_map(inside).or_else(|| missing.map(|key| format!(".{key} (new)")))
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).find_map(|(a, b)| Some(format!("[]{}", difference(a, b)?)))
        }
        _ if one == other => None,
        _ => Some(format!(": {one} became {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_answered_well() {
        for target in TARGETS {
            for sample in (target.samples)() {
                let answer = (target.attempt)(&sample);
                assert!(answer.is_ok(), "{}: {answer:?}: {}", target.name, sample.escape_ascii());
            }
        }
    }
}
