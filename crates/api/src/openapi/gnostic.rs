//! Swagger 2.0 as gnostic protobuf, which older clients ask for.
//!
//! Invariant: members that the encoding has no field for are extensions (`x-…`) or absent.
//! Mirrors: github.com/google/gnostic openapiv2.

use apimachinery::{Text, Value};

/// Encodes a Swagger 2.0 document.
#[must_use]
pub(super) fn document(document: &Value) -> Vec<u8> {
    let mut out = Message::default();
    out.text(1, &document["swagger"]);
    let mut info = Message::default();
    info.text(1, &document["info"]["title"]);
    info.text(2, &document["info"]["version"]);
    out.message(2, &info);
    let mut paths = Message::default();
    for (name, item) in members(&document["paths"]) {
        paths.named(2, name, &path_item(item));
    }
    out.message(8, &paths);
    let mut definitions = Message::default();
    for (name, value) in members(&document["definitions"]) {
        definitions.named(1, name, &schema(value));
    }
    out.message(9, &definitions);
    out.0
}

fn path_item(item: &Value) -> Message {
    let mut out = Message::default();
    for (tag, method) in [(2, "get"), (3, "put"), (4, "post"), (5, "delete"), (8, "patch")] {
        if item[method].is_object() {
            out.message(tag, &operation(&item[method]));
        }
    }
    for parameter in elements(&item["parameters"]) {
        out.message(9, &parameters_item(parameter));
    }
    out
}

fn operation(value: &Value) -> Message {
    let mut out = Message::default();
    out.texts(1, &value["tags"]);
    out.text(5, &value["operationId"]);
    out.texts(6, &value["produces"]);
    out.texts(7, &value["consumes"]);
    for parameter in elements(&value["parameters"]) {
        out.message(8, &parameters_item(parameter));
    }
    let mut responses = Message::default();
    for (code, found) in members(&value["responses"]) {
        let mut response = Message::default();
        response.text(1, &found["description"]);
        if found["schema"].is_object() {
            response.message(2, &Message::of(1, &schema(&found["schema"])));
        }
        responses.named(1, code, &Message::of(1, &response));
    }
    out.message(9, &responses);
    out.texts(10, &value["schemes"]);
    out.extensions(13, value);
    out
}

fn parameters_item(value: &Value) -> Message {
    let mut out = Message::default();
    let parameter = match value["in"].as_str() {
        Some("body") => {
            out.text(2, &value["name"]);
            out.text(3, &value["in"]);
            out.flag(4, &value["required"]);
            out.message(5, &schema(&value["schema"]));
            Message::of(1, &out)
        }
        place => {
            out.flag(1, &value["required"]);
            out.text(2, &value["in"]);
            out.text(4, &value["name"]);
            let (kind, unique, sub) = if place == Some("path") { (5, 19, 4) } else { (6, 20, 3) };
            out.text(kind, &value["type"]);
            out.flag(unique, &value["uniqueItems"]);
            Message::of(2, &Message::of(sub, &out))
        }
    };
    Message::of(1, &parameter)
}

fn schema(value: &Value) -> Message {
    let mut out = Message::default();
    out.text(1, &value["$ref"]);
    out.text(2, &value["format"]);
    out.texts(19, &value["required"]);
    if value["additionalProperties"].is_object() {
        out.message(21, &Message::of(1, &schema(&value["additionalProperties"])));
    }
    if value["type"].is_string() {
        let mut kind = Message::default();
        kind.text(1, &value["type"]);
        out.message(22, &kind);
    }
    if value["items"].is_object() {
        out.message(23, &Message::of(1, &schema(&value["items"])));
    }
    if value["properties"].is_object() {
        let mut properties = Message::default();
        for (name, property) in members(&value["properties"]) {
            properties.named(1, name, &schema(property));
        }
        out.message(25, &properties);
    }
    out.extensions(31, value);
    out
}

fn members(value: &Value) -> impl Iterator<Item = (&Text, &Value)> {
    value.as_object().into_iter().flatten()
}

fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A message under construction; absent values leave no trace.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    /// A message with one message in it.
    fn of(tag: u64, inner: &Self) -> Self {
        let mut out = Self::default();
        out.message(tag, inner);
        out
    }

    fn varint(&mut self, mut number: u64) {
        loop {
            let [low, ..] = (number & 0x7f).to_le_bytes();
            number >>= 7;
            if number == 0 {
                self.0.push(low);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    fn bytes(&mut self, tag: u64, bytes: &[u8]) {
        self.varint(tag << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, tag: u64, message: &Self) {
        self.bytes(tag, &message.0);
    }

    fn text(&mut self, tag: u64, value: &Value) {
        if let Some(text) = value.as_str() {
            self.bytes(tag, text.as_bytes());
        }
    }

    fn texts(&mut self, tag: u64, list: &Value) {
        for value in elements(list) {
            self.text(tag, value);
        }
    }

    fn flag(&mut self, tag: u64, value: &Value) {
        if value == &Value::Bool(true) {
            self.varint(tag << 3);
            self.varint(1);
        }
    }

    /// A pair of name and message.
    fn named(&mut self, tag: u64, name: &str, message: &Self) {
        let mut pair = Self::default();
        pair.bytes(1, name.as_bytes());
        pair.message(2, message);
        self.message(tag, &pair);
    }

    /// Every `x-…` member as YAML, of which JSON is a part.
    fn extensions(&mut self, tag: u64, value: &Value) {
        for (name, value) in members(value).filter(|(name, _)| name.starts_with("x-")) {
            let mut any = Self::default();
            any.bytes(2, value.to_string().as_bytes());
            self.named(tag, name, &any);
        }
    }
}
