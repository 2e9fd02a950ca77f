//! What the decoder of OpenShift 3.11 says of a value of the wrong type.
//!
//! That decoder (json-iterator) reads on after an error, and every struct member that it passes until
//! it gives up puts its Go name before the text. So the text depends on what follows the mistake, byte
//! by byte: this is a reader of the same steps, run only once a body is known to be refused. Its one
//! peculiarity that shows: after an error nothing is ever unread (`Reader::unread`).
//!
//! Invariant: reads forward only; depth and length are those of the body.
//! Mirrors: github.com/json-iterator/go (`reflect_struct_decoder.go`, `iter*.go`).

mod name;

use self::name::{go_name, outer_name};
use super::scalar;
use crate::schema::{Field, FieldKind, Presence, Type};

/// Members nested deeper than this are not followed.
const DEPTH: usize = 128;

/// The text for a body of a known type, nothing when this reader finds no fault with it.
#[must_use]
pub fn complaint(of: &'static Type, body: &[u8]) -> Option<String> {
    let mut reader = Reader { buffer: body, head: 0, error: None, depth: 0 };
    reader.structure(of);
    reader.error
}

struct Reader<'a> {
    buffer: &'a [u8],
    head: usize,
    error: Option<String>,
    depth: usize,
}

impl Reader<'_> {
    /// The next byte that is no blank; 0 at the end.
    fn token(&mut self) -> u8 {
        while let Some(byte) = self.buffer.get(self.head) {
            self.head += 1;
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return *byte;
            }
        }
        0
    }

    fn byte(&mut self) -> u8 {
        let byte = self.buffer.get(self.head).copied();
        self.head += usize::from(byte.is_some());
        byte.unwrap_or(0)
    }

    fn unread(&mut self) {
        if self.error.is_none() {
            self.head -= 1;
        }
    }

    fn report(&mut self, operation: &str, message: &str) {
        if self.error.is_some() {
            return;
        }
        let around = |reach: usize| {
            let end = (self.head + reach).min(self.buffer.len());
            String::from_utf8_lossy(&self.buffer[self.head.saturating_sub(reach)..end]).into_owned()
        };
        self.error = Some(format!(
            "{operation}: {message}, error found in #{} byte of ...|{}|..., bigger context ...|{}|...",
            self.head.min(10),
            around(10),
            around(50)
        ));
    }

    /// Puts where the reader is before the text, once there is one.
    fn wrap(&mut self, place: &str) {
        if let Some(error) = &mut self.error {
            error.insert_str(0, place);
        }
    }

    fn expect(&mut self, rest: &str) {
        for wanted in rest.bytes() {
            if self.byte() != wanted {
                return;
            }
        }
    }

    fn null(&mut self) -> bool {
        if self.token() == b'n' {
            self.expect("ull");
            return true;
        }
        self.unread();
        false
    }

    fn structure(&mut self, of: &'static Type) {
        if self.depth == DEPTH || !self.object_start() {
            return;
        }
        self.depth += 1;
        loop {
            let name = self.string();
            let colon = self.token();
            if colon != b':' {
                self.report("ReadObject", &found("expect : after object field, but found ", colon));
            }
            match of.field(&name) {
                Some(field) => self.member(of, field),
                None => self.skip(),
            }
            let after = self.token();
            if after != b',' {
                self.wrap(&format!("{}.", scalar::go_type(FieldKind::Object(of), None)));
                break;
            }
        }
        self.depth -= 1;
    }

    fn object_start(&mut self) -> bool {
        match self.token() {
            b'{' => match self.token() {
                b'"' => {
                    self.unread();
                    true
                }
                _ => false,
            },
            b'n' => {
                self.expect("ull");
                false
            }
            other => {
                self.report("readObjectStart", &found("expect { or n, but found ", other));
                false
            }
        }
    }

    fn member(&mut self, of: &'static Type, field: &'static Field) {
        if matches!(field.presence, Presence::Pointer) && is_plain(field.kind) && self.null() {
            return;
        }
        self.value(field.kind, field.go);
        self.wrap(&format!("{}{}: ", outer_name(of, field), go_name(field)));
    }

    fn value(&mut self, kind: FieldKind, go: Option<&str>) {
        match kind {
            FieldKind::String => drop(self.string()),
            FieldKind::Boolean => self.boolean(),
            FieldKind::Integer { bits } => self.integer(bits),
            FieldKind::Number => self.number(),
            FieldKind::Bytes => self.bytes(),
            FieldKind::Object(of) => self.structure(of),
            FieldKind::Map(of) => self.map(*of),
            FieldKind::Array(of) => self.array(*of, go),
            FieldKind::RawExtension | FieldKind::Any => self.skip(),
            FieldKind::IntOrString
            | FieldKind::Quantity
            | FieldKind::Time
            | FieldKind::MicroTime => self.own_reading(kind),
        }
    }

    /// A text without its escapes undone: names of members have none.
    fn string(&mut self) -> String {
        match self.token() {
            b'"' => {
                let start = self.head;
                self.skip_string();
                let end = self.head.saturating_sub(1).max(start);
                String::from_utf8_lossy(&self.buffer[start..end]).into_owned()
            }
            b'n' => {
                self.expect("ull");
                String::new()
            }
            other => {
                self.report("ReadString", &found("expects \" or n, but found ", other));
                String::new()
            }
        }
    }

    fn skip_string(&mut self) {
        loop {
            match self.byte() {
                b'"' => return,
                b'\\' => drop(self.byte()),
                0 if self.head >= self.buffer.len() => return,
                _ => {}
            }
        }
    }

    fn boolean(&mut self) {
        if self.null() {
            return;
        }
        match self.token() {
            b't' => self.expect("rue"),
            b'f' => self.expect("alse"),
            other => self.report("ReadBool", &found("expect t or f, but found ", other)),
        }
    }

    fn integer(&mut self, bits: u8) {
        if self.null() {
            return;
        }
        let negative = match self.token() {
            // OpenShift takes texts for numbers; what is no number is named by its first byte.
            b'"' => {
                self.skip_string();
                return self.report(&format!("read int{bits}"), "unexpected character: \"");
            }
            b'-' => true,
            other => {
                if !other.is_ascii_digit() {
                    let message = "unexpected character: \u{fffd}";
                    return self.report(&format!("readUint{bits}"), message);
                }
                self.unread();
                false
            }
        };
        let start = self.head;
        while self.buffer.get(self.head).is_some_and(u8::is_ascii_digit) {
            self.head += 1;
        }
        if self.buffer.get(self.head) == Some(&b'.') {
            self.report("assertInteger", "can not decode float as int");
        }
        let digits = String::from_utf8_lossy(&self.buffer[start..self.head]).into_owned();
        self.check_range(bits, negative, &digits);
    }

    fn check_range(&mut self, bits: u8, negative: bool, digits: &str) {
        let limit = (1_u128 << (u32::from(bits) - 1)) - u128::from(!negative);
        let value: u128 = digits.parse().unwrap_or(u128::MAX);
        if value >= 1_u128 << u32::from(bits) && !digits.is_empty() {
            self.report(&format!("readUint{bits}"), "overflow");
        } else if value > limit {
            self.report(&format!("ReadInt{bits}"), &format!("overflow: {value}"));
        }
    }

    fn number(&mut self) {
        if self.null() {
            return;
        }
        match self.token() {
            b'-' | b'0'..=b'9' => self.skip_number(),
            _ => self.report("readFloat64", "unexpected character: \u{fffd}"),
        }
    }

    fn skip_number(&mut self) {
        while let Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') = self.buffer.get(self.head)
        {
            self.head += 1;
        }
    }

    fn bytes(&mut self) {
        if self.null() {
            return;
        }
        let next = self.token();
        self.unread();
        if next != b'"' {
            self.skip();
            return self.report("base64Codec", "invalid input");
        }
        let start = self.head;
        self.skip();
        let raw = self.buffer.get(start + 1..self.head.saturating_sub(1)).unwrap_or_default();
        if let Err(error) = scalar::bytes(&String::from_utf8_lossy(raw)) {
            self.report("decode base64", &error);
        }
    }

    /// Types that read their own JSON: it is cut out first.
    fn own_reading(&mut self, kind: FieldKind) {
        self.token();
        self.unread();
        let start = self.head;
        self.skip();
        let Ok(value) = serde_json::from_slice(&self.buffer[start..self.head]) else { return };
        if let Err(error) = scalar::own_reading(kind, &value) {
            self.report("unmarshalerDecoder", &error);
        }
    }

    fn map(&mut self, of: FieldKind) {
        match self.token() {
            b'n' => return self.expect("ull"),
            b'{' => {}
            other => return self.report("ReadMapCB", &found("expect { or n, but found ", other)),
        }
        if self.token() == b'}' {
            return;
        }
        self.unread();
        loop {
            self.string();
            if self.token() != b':' {
                return;
            }
            self.element(of, None);
            if self.token() != b',' {
                return;
            }
        }
    }

    fn array(&mut self, of: FieldKind, go: Option<&str>) {
        match self.token() {
            b'n' => self.expect("ull"),
            b'[' => {
                if self.token() != b']' {
                    self.unread();
                    self.element(of, go);
                    while self.token() == b',' {
                        self.element(of, go);
                    }
                }
            }
            other => self.report("decode slice", &found("expect [ or n, but found ", other)),
        }
        self.wrap(&format!("[]{}: ", scalar::go_type(of, go)));
    }

    fn element(&mut self, of: FieldKind, go: Option<&str>) {
        if self.depth < DEPTH {
            self.depth += 1;
            self.value(of, go);
            self.depth -= 1;
        }
    }

    /// Passes one value over.
    fn skip(&mut self) {
        match self.token() {
            b'"' => self.skip_string(),
            b'n' => self.expect("ull"),
            b't' => self.expect("rue"),
            b'f' => self.expect("alse"),
            b'-' | b'0'..=b'9' => self.skip_number(),
            b'{' | b'[' => self.skip_nested(),
            _ => {}
        }
    }

    fn skip_nested(&mut self) {
        let mut open = 1_usize;
        while open > 0 && self.head < self.buffer.len() {
            match self.byte() {
                b'"' => self.skip_string(),
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
        }
    }
}

/// Whether a pointer to the type is looked at before the value: the others look for themselves.
fn is_plain(kind: FieldKind) -> bool {
    !matches!(kind, FieldKind::Map(_) | FieldKind::Array(_) | FieldKind::Bytes)
}

fn found(text: &str, byte: u8) -> String {
    format!("{text}{}", char::from(byte))
}

#[cfg(test)]
mod tests;
