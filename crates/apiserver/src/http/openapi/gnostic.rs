//! The protobuf form of an OpenAPI v2 document, which is all that older clients ask for.
//!
//! Only what a Kubernetes document uses is written.
//!
//! Invariant: field numbers are those of gnostic's `OpenAPIv2.proto`.

use apimachinery::{Map, Value};

/// Encodes a document.
pub(super) fn encode(document: &Value) -> Vec<u8> {
    let mut message = Message::default();
    message.text(1, document.get("swagger"));
    message.nested(2, document.get("info"), |info, value| {
        info.text(1, value.get("title"));
        info.text(2, value.get("version"));
    });
    message.nested(8, document.get("paths"), |paths, value| {
        paths.named(2, value, path_item);
    });
    message.nested(9, document.get("definitions"), |definitions, value| {
        definitions.named(1, value, schema);
    });
    message.0
}

/// A message under construction.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
            number >>= 7;
        }
        self.0.push(u8::try_from(number).unwrap_or_default());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, value: Option<&Value>) {
        if let Some(text) = value.and_then(Value::as_str) {
            self.bytes(field, text.as_bytes());
        }
    }

    fn texts(&mut self, field: u64, value: Option<&Value>) {
        for text in value.and_then(Value::as_array).into_iter().flatten() {
            self.text(field, Some(text));
        }
    }

    fn flag(&mut self, field: u64, value: Option<&Value>) {
        if value.and_then(Value::as_bool) == Some(true) {
            self.varint(field << 3);
            self.varint(1);
        }
    }

    fn message(&mut self, field: u64, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn nested(&mut self, field: u64, value: Option<&Value>, write: impl FnOnce(&mut Self, &Value)) {
        if let Some(value) = value {
            self.message(field, |inner| write(inner, value));
        }
    }

    /// A map as a list of names and values.
    fn named(&mut self, field: u64, value: &Value, write: impl Fn(&mut Self, &Value)) {
        for (name, value) in value.as_object().into_iter().flatten() {
            self.message(field, |pair| {
                pair.bytes(1, name.as_bytes());
                pair.message(2, |inner| write(inner, value));
            });
        }
    }

    /// The members that begin with `x-`; their values are YAML, of which JSON is a part.
    fn extensions(&mut self, field: u64, members: &Map) {
        for (name, value) in members.iter().filter(|(name, _)| name.starts_with("x-")) {
            self.message(field, |pair| {
                pair.bytes(1, name.as_bytes());
                pair.message(2, |any| any.bytes(2, value.to_string().as_bytes()));
            });
        }
    }
}

fn schema(message: &mut Message, value: &Value) {
    let Some(members) = value.as_object() else { return };
    message.text(1, members.get("$ref"));
    message.text(2, members.get("format"));
    message.text(4, members.get("description"));
    message.flag(16, members.get("uniqueItems"));
    message.texts(19, members.get("required"));
    for word in members.get("enum").and_then(Value::as_array).into_iter().flatten() {
        message.message(20, |any| any.bytes(2, word.to_string().as_bytes()));
    }
    message.nested(21, members.get("additionalProperties"), |item, value| {
        if value.is_object() {
            item.message(1, |inner| schema(inner, value));
        } else {
            item.flag(2, Some(value));
        }
    });
    message.nested(22, members.get("type"), |item, value| item.text(1, Some(value)));
    message.nested(23, members.get("items"), |item, value| {
        item.message(1, |inner| schema(inner, value));
    });
    message.nested(25, members.get("properties"), |properties, value| {
        properties.named(1, value, schema);
    });
    message.extensions(31, members);
}

fn path_item(message: &mut Message, value: &Value) {
    let Some(members) = value.as_object() else { return };
    let methods = [("get", 2), ("put", 3), ("post", 4), ("delete", 5), ("patch", 8)];
    for (method, field) in methods {
        message.nested(field, members.get(method), operation);
    }
    parameters(message, 9, members.get("parameters"));
    message.extensions(10, members);
}

fn operation(message: &mut Message, value: &Value) {
    let Some(members) = value.as_object() else { return };
    message.texts(1, members.get("tags"));
    message.text(3, members.get("description"));
    message.text(5, members.get("operationId"));
    message.texts(6, members.get("produces"));
    message.texts(7, members.get("consumes"));
    parameters(message, 8, members.get("parameters"));
    message.nested(9, members.get("responses"), |responses, value| {
        responses.named(1, value, |item, value| item.message(1, |inner| response(inner, value)));
    });
    message.extensions(13, members);
}

fn response(message: &mut Message, value: &Value) {
    message.text(1, value.get("description"));
    message.nested(2, value.get("schema"), |item, value| {
        item.message(1, |inner| schema(inner, value));
    });
}

fn parameters(message: &mut Message, field: u64, list: Option<&Value>) {
    for value in list.and_then(Value::as_array).into_iter().flatten() {
        message.message(field, |item| item.message(1, |inner| parameter(inner, value)));
    }
}

fn parameter(message: &mut Message, value: &Value) {
    match value.get("in").and_then(Value::as_str) {
        Some("body") => message.message(1, |body| {
            body.text(2, value.get("name"));
            body.text(3, value.get("in"));
            body.flag(4, value.get("required"));
            body.nested(5, value.get("schema"), schema);
        }),
        Some("query") => message.message(2, |other| {
            other.message(3, |query| simple(query, value, 6, 20));
        }),
        Some("path") => message.message(2, |other| {
            other.message(4, |path| simple(path, value, 5, 19));
        }),
        _ => {}
    }
}

fn simple(message: &mut Message, value: &Value, kind: u64, unique: u64) {
    message.flag(1, value.get("required"));
    message.text(2, value.get("in"));
    message.text(3, value.get("description"));
    message.text(4, value.get("name"));
    message.text(kind, value.get("type"));
    message.flag(unique, value.get("uniqueItems"));
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn numbers_and_lengths_are_protobufs() {
        let document = json!({"swagger": "2.0", "definitions": {"a": {"type": "string"}}});
        let expected = [
            b"\x0a\x032.0".as_slice(),
            // definitions { additional_properties { name: "a" value { type { value: "string" } } } }
            b"\x4a\x12\x0a\x10\x0a\x01a\x12\x0b\xb2\x01\x08\x0a\x06string",
        ]
        .concat();
        assert_eq!(encode(&document), expected);
        let mut long = Message::default();
        long.varint(300);
        assert_eq!(long.0, [0xac, 0x02]);
    }
}
