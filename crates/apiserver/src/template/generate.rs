//! Values made up from an expression: `user[A-Z0-9]{3}`, `[\w]{50}`.
//!
//! Classes are `\w` (letters, digits, `_`), `\d` (digits), `\a` (letters and digits), `\A` (signs)
//! and ranges such as `a-z`.
//!
//! Deviation: what has been made up is not looked at again; upstream would expand signs that happen
//! to read like an expression.
//!
//! Mirrors: `openshift/origin/pkg/template/generator/expressionvalue.go`.

use world::World;

const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMERALS: &str = "0123456789";
const SYMBOLS: &str = "~!@#$%^&*()-_+={}[]\\|<,>.?/\"';:`";
const MAX_LENGTH: usize = 255;

/// A value for the expression.
pub(super) fn value(expression: &str, world: &World) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = expression;
    while let Some((start, ranges, count, end)) = next_class(rest) {
        out.push_str(&rest[..start]);
        let length: usize = count.parse().unwrap_or(usize::MAX);
        if !(1..=MAX_LENGTH).contains(&length) {
            return Err(format!("range must be within [1-255] characters ({count})"));
        }
        let letters = letters(ranges)?;
        for _ in 0..length {
            let pick = world.random_below(letters.len() as u64);
            out.push(letters[usize::try_from(pick).unwrap_or(0)]);
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    Ok(out)
}

/// The first `[ranges]{count}`: where it starts, its parts, and where it ends.
fn next_class(text: &str) -> Option<(usize, &str, &str, usize)> {
    for (start, _) in text.match_indices('[') {
        let inside = &text[start + 1..];
        let Some(length) = inside.find(']') else { continue };
        let ranges = &inside[..length];
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'\\';
        if ranges.is_empty() || !ranges.bytes().all(allowed) {
            continue;
        }
        let Some(after) = inside[length + 1..].strip_prefix('{') else { continue };
        let Some(digits) = after.find('}') else { continue };
        let count = &after[..digits];
        if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let end = start + 1 + length + 1 + 1 + digits + 1;
        return Some((start, ranges, count, end));
    }
    None
}

/// The letters of the ranges, each once.
fn letters(ranges: &str) -> Result<Vec<char>, String> {
    let mut found: Vec<char> = Vec::new();
    let mut rest: Vec<char> = ranges.chars().collect();
    while !rest.is_empty() {
        let class = match rest.as_slice() {
            ['\\', 'w', ..] => Some(format!("{ALPHABET}{NUMERALS}_")),
            ['\\', 'd', ..] => Some(NUMERALS.to_owned()),
            ['\\', 'a', ..] => Some(format!("{ALPHABET}{NUMERALS}")),
            ['\\', 'A', ..] => Some(SYMBOLS.to_owned()),
            _ => None,
        };
        let (class, taken) = match (class, rest.as_slice()) {
            (Some(class), _) => (class, 2),
            (None, [from, '-', to, ..]) => (range(*from, *to)?, 3),
            (None, [one, ..]) if one.is_ascii_alphanumeric() => (one.to_string(), 1),
            _ => return Err(format!("malformed range syntax: {ranges}")),
        };
        rest.drain(..taken);
        for letter in class.chars() {
            if !found.contains(&letter) {
                found.push(letter);
            }
        }
    }
    Ok(found)
}

fn range(from: char, to: char) -> Result<String, String> {
    let all: Vec<char> = ALPHABET.chars().chain(NUMERALS.chars()).collect();
    let place = |letter: char| all.iter().position(|known| *known == letter);
    match (place(from), place(to)) {
        (Some(left), Some(right)) if left <= right => Ok(all[left..=right].iter().collect()),
        _ => Err(format!("invalid range specified: {from}-{to}")),
    }
}
