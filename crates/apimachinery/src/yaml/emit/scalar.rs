//! The styles of a text: plain, quoted or literal, folded at 80 columns.

use std::fmt::Write as _;

use super::Times;
use crate::yaml::resolve::{Scalar, looks_like_base60, looks_like_timestamp, resolve};

/// A line longer than this is folded at the next single space.
const BEST_WIDTH: usize = 80;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// What a text contains that restricts the styles it can have.
#[derive(Default)]
struct Traits {
    indicators: bool,
    /// Something that only an escape can express. Unicode line separators count as well, because
    /// readers disagree about them.
    special: bool,
    /// Space at either end.
    outer_space: bool,
    trailing_space: bool,
    /// A break followed by a space.
    break_space: bool,
    /// A space followed by a break.
    space_break: bool,
}

/// Writes a map key.
pub(super) fn write_key(out: &mut String, key: &str, times: Times) {
    match style(key, times) {
        Style::Plain => out.push_str(key),
        Style::Single => write_single(out, key, None),
        Style::Double | Style::Literal => write_double(out, key, None),
    }
}

/// Writes a value; further lines of it get `indent`.
pub(super) fn write_text(out: &mut String, text: &str, indent: usize, times: Times) {
    match style(text, times) {
        Style::Plain => write_folded(out, text, Some(indent), |out, c| out.push(c)),
        Style::Single => write_single(out, text, Some(indent)),
        Style::Double => write_double(out, text, Some(indent)),
        Style::Literal => write_literal(out, text, indent),
    }
}

fn style(text: &str, times: Times) -> Style {
    let traits = traits(text);
    let plain_means_text = resolve(text) == Scalar::Text
        && !looks_like_base60(text)
        && (times == Times::Plain || !looks_like_timestamp(text));
    if text.contains('\n') {
        let literal = !traits.trailing_space && !traits.space_break && !traits.special;
        return if literal { Style::Literal } else { Style::Double };
    }
    if !plain_means_text || traits.special || traits.space_break || traits.break_space {
        return Style::Double;
    }
    if traits.indicators || traits.outer_space {
        return Style::Single;
    }
    Style::Plain
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && !matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}')
}

fn traits(text: &str) -> Traits {
    let mut traits = Traits { indicators: starts_document(text), ..Traits::default() };
    let chars: Vec<char> = text.chars().collect();
    for (index, c) in chars.iter().copied().enumerate() {
        let previous = index.checked_sub(1).map(|index| chars[index]);
        let next = chars.get(index + 1).copied();
        let before_blank = next.is_none_or(|c| matches!(c, ' ' | '\t'));
        let after_blank = previous.is_none_or(|c| matches!(c, ' ' | '\t') || is_break(c));
        traits.indicators |= match c {
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`' => index == 0,
            '?' | '-' => index == 0 && before_blank,
            ':' => before_blank,
            '#' => after_blank,
            _ => false,
        };
        traits.special |= !is_printable(c);
        if c == ' ' {
            traits.outer_space |= index == 0 || next.is_none();
            traits.trailing_space |= next.is_none();
            traits.break_space |= previous.is_some_and(is_break);
        } else if is_break(c) {
            traits.space_break |= previous == Some(' ');
        }
    }
    traits
}

fn starts_document(text: &str) -> bool {
    text.starts_with("---") || text.starts_with("...")
}

fn column(out: &str) -> usize {
    out.rsplit('\n').next().unwrap_or_default().chars().count()
}

fn break_line(out: &mut String, indent: usize) {
    out.push('\n');
    super::pad(out, indent);
}

/// Writes characters, turning a single space beyond the best width into a line break. `indent` is
/// absent where lines may not break.
fn write_folded(
    out: &mut String,
    text: &str,
    indent: Option<usize>,
    write: impl Fn(&mut String, char),
) {
    let mut column = column(out);
    let mut after_space = false;
    let mut chars = text.chars().enumerate().peekable();
    while let Some((index, c)) = chars.next() {
        let inner = index > 0 && chars.peek().is_some_and(|(_, next)| *next != ' ');
        match indent {
            Some(indent) if c == ' ' && !after_space && column > BEST_WIDTH && inner => {
                break_line(out, indent);
                column = indent;
            }
            _ => {
                let start = out.len();
                write(out, c);
                column += out[start..].chars().count();
            }
        }
        after_space = c == ' ';
    }
}

fn write_single(out: &mut String, text: &str, indent: Option<usize>) {
    out.push('\'');
    write_folded(out, text, indent, |out, c| {
        out.push(c);
        if c == '\'' {
            out.push(c);
        }
    });
    out.push('\'');
}

fn write_double(out: &mut String, text: &str, indent: Option<usize>) {
    out.push('"');
    let mut column = column(out);
    let mut after_space = false;
    let mut chars = text.chars().enumerate().peekable();
    while let Some((index, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match indent {
            Some(indent)
                if c == ' '
                    && !after_space
                    && column > BEST_WIDTH
                    && index > 0
                    && next.is_some() =>
            {
                break_line(out, indent);
                column = indent;
                if next == Some(' ') {
                    out.push('\\');
                    column += 1;
                }
            }
            _ => {
                let start = out.len();
                write_escaped(out, c);
                column += out[start..].chars().count();
            }
        }
        after_space = c == ' ';
    }
    out.push('"');
}

fn write_escaped(out: &mut String, c: char) {
    let letter = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c if is_printable(c) => {
            out.push(c);
            return;
        }
        c => {
            let code = u32::from(c);
            let written = match code {
                0..=0xff => write!(out, "\\x{code:02X}"),
                0x100..=0xffff => write!(out, "\\u{code:04X}"),
                _ => write!(out, "\\U{code:08X}"),
            };
            written.expect("writing to a string does not fail");
            return;
        }
    };
    out.push('\\');
    out.push(letter);
}

fn write_literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    match text.strip_suffix('\n') {
        None => out.push('-'),
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    out.push('\n');
    for line in text.split_inclusive('\n') {
        if line != "\n" {
            super::pad(out, indent);
        }
        out.push_str(line);
    }
}
