//! From text to tokens.
//!
//! Invariant: every token knows the byte at which it begins.

use super::parse::Mistake;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Int(u64),
    Uint(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Name(String),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",",
    "(", ")", "[", "]", "{", "}",
];

pub(crate) fn tokens(source: &str) -> Result<Vec<(usize, Token)>, Mistake> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some((token, length)) = text(rest, at)? {
            out.push((at, token));
            at += length;
        } else if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(digit)) {
            let (token, length) = number(rest, at)?;
            out.push((at, token));
            at += length;
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let length = rest.find(|c| !word(c)).unwrap_or(rest.len());
            out.push((at, Token::Name(rest[..length].to_owned())));
            at += length;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            out.push((at, Token::Sign(sign)));
            at += sign.len();
        } else {
            return Err(Mistake::syntax(at, &format!("token recognition error at: '{first}'")));
        }
    }
    out.push((source.len(), Token::End));
    Ok(out)
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), Mistake> {
    let wrong = |kind: &str| Mistake::syntax(at, &format!("invalid {kind} literal"));
    if let Some(digits) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let length = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
        let value = u64::from_str_radix(&digits[..length], 16).map_err(|_| wrong("int"))?;
        let unsigned = digits[length..].starts_with(['u', 'U']);
        let token = if unsigned { Token::Uint(value) } else { Token::Int(value) };
        return Ok((token, 2 + length + usize::from(unsigned)));
    }
    let run = |from: usize| rest[from..].find(|c| !digit(c)).map_or(rest.len(), |n| from + n);
    let mut end = run(0);
    let mut double = false;
    if rest[end..].starts_with('.') && rest[end + 1..].starts_with(digit) {
        (end, double) = (run(end + 1), true);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        if rest[end + 1 + sign..].starts_with(digit) {
            (end, double) = (run(end + 1 + sign), true);
        }
    }
    if double {
        let value = rest[..end].parse().map_err(|_| wrong("double"))?;
        return Ok((Token::Double(value), end));
    }
    let value = rest[..end].parse().map_err(|_| wrong("int"))?;
    if rest[end..].starts_with(['u', 'U']) {
        return Ok((Token::Uint(value), end + 1));
    }
    Ok((Token::Int(value), end))
}

/// A text or bytes literal at the beginning of `rest`, and how long it is.
fn text(rest: &str, at: usize) -> Result<Option<(Token, usize)>, Mistake> {
    let quote_at = rest.bytes().take(3).position(|byte| matches!(byte, b'"' | b'\''));
    let Some(head) = quote_at else { return Ok(None) };
    let prefix = rest[..head].to_ascii_lowercase();
    let (raw, bytes) = match prefix.as_str() {
        "" => (false, false),
        "r" => (true, false),
        "b" => (false, true),
        "rb" | "br" => (true, true),
        _ => return Ok(None),
    };
    let one = &rest[head..=head];
    let three = one.repeat(3);
    let quote = if rest[head..].starts_with(&three) { three.as_str() } else { one };
    let body = &rest[head + quote.len()..];
    let mut out = Vec::new();
    let mut from = 0;
    loop {
        let Some(next) = body[from..].chars().next() else {
            return Err(Mistake::syntax(at, "unterminated string literal"));
        };
        if body[from..].starts_with(quote) {
            break;
        }
        if next == '\\' && !raw {
            from += escape(&body[from..], bytes, &mut out)
                .ok_or_else(|| Mistake::syntax(at, "invalid escape sequence"))?;
            continue;
        }
        if quote.len() == 1 && next == '\n' {
            return Err(Mistake::syntax(at, "unterminated string literal"));
        }
        if next == '\\'
            && let Some(escaped) = body[from + 1..].chars().next()
        {
            out.push(b'\\');
            from += 1;
            out.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
            from += escaped.len_utf8();
            continue;
        }
        out.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
        from += next.len_utf8();
    }
    let length = head + 2 * quote.len() + from;
    if bytes {
        return Ok(Some((Token::Bytes(out), length)));
    }
    let text = String::from_utf8(out).map_err(|_| Mistake::syntax(at, "invalid UTF-8"))?;
    Ok(Some((Token::Text(text), length)))
}

/// One escape sequence; gives its length.
fn escape(rest: &str, bytes: bool, out: &mut Vec<u8>) -> Option<usize> {
    let letter = rest.chars().nth(1)?;
    let plain = match letter {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '\'' | '"' | '`' | '?' => u8::try_from(u32::from(letter)).ok()?,
        _ => {
            let (from, digits, radix) = match letter {
                'x' | 'X' => (2, 2, 16),
                'u' => (2, 4, 16),
                'U' => (2, 8, 16),
                '0'..='3' => (1, 3, 8),
                _ => return None,
            };
            let code = u32::from_str_radix(rest.get(from..from + digits)?, radix).ok()?;
            if bytes && digits < 4 {
                out.push(u8::try_from(code).ok()?);
            } else {
                out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
            }
            return Some(from + digits);
        }
    };
    out.push(plain);
    Some(2)
}
