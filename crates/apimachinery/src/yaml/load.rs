//! Building documents from parser events, with a stack instead of recursion.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::{List, Map, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::resolve::{Scalar, resolve};
use super::{Document, Error, Marks, Position, Problem};

/// The most levels of lists and maps.
const MAX_DEPTH: usize = 100;
/// The most that anchors and aliases may copy, in bytes of text plus [`NODE_WEIGHT`] per value.
const MAX_COPIED: usize = 16 << 20;
const NODE_WEIGHT: usize = 32;
const CORE_TAG: &str = "tag:yaml.org,2002:";

struct Anchor {
    value: Value,
    weight: usize,
    depth: usize,
}

enum Key {
    Name(String),
    Merge,
}

#[derive(Default)]
struct MapFrame {
    entries: Map,
    marks: BTreeMap<String, Marks>,
    /// The key whose value comes next.
    key: Option<(Key, Position)>,
}

enum Frame {
    List(Vec<Value>, Vec<Marks>),
    Map(MapFrame),
}

struct Loader {
    strict: bool,
    stack: Vec<(Frame, usize, Position)>,
    anchors: BTreeMap<usize, Anchor>,
    copied: usize,
    documents: Vec<Document>,
}

/// Reads all documents that are not empty.
pub(super) fn documents(text: &str, strict: bool) -> Result<Vec<Document>, Error> {
    let mut parser: Parser<'_, StrInput<'_>> = Parser::new_from_str(text);
    let mut loader = Loader {
        strict,
        stack: Vec::new(),
        anchors: BTreeMap::new(),
        copied: 0,
        documents: Vec::new(),
    };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| Error {
            position: position(*error.marker()),
            problem: Problem::Syntax(error.info().to_owned()),
        })?;
        if event == Event::StreamEnd {
            break;
        }
        let at = position(span.start);
        loader.event(event, span).map_err(|problem| Error { position: at, problem })?;
    }
    Ok(loader.documents)
}

fn position(marker: saphyr_parser::Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

impl Loader {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        let at = position(span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                self.scalar(&text, plain, tag.as_ref(), anchor, at)
            }
            Event::SequenceStart(anchor, _) => {
                self.open(Frame::List(Vec::new(), Vec::new()), anchor, at)
            }
            Event::MappingStart(anchor, _) => {
                self.open(Frame::Map(MapFrame::default()), anchor, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => self.alias(id, at),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        plain: bool,
        tag: Option<&Cow<'_, Tag>>,
        anchor: usize,
        at: Position,
    ) -> Result<(), Problem> {
        let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix));
        let is_merge = match &tag {
            None => plain && text == "<<",
            Some(tag) => tag.strip_prefix(CORE_TAG) == Some("merge"),
        };
        if is_merge && self.expects_key() {
            return self.key(Key::Merge, at);
        }
        let scalar = meaning(text, plain, tag.as_deref())?;
        if self.expects_key() {
            let value = scalar_value(text, &scalar, tag.as_deref());
            let name = key_name(text, &scalar, value.as_ref().ok()).ok_or(Problem::Key)?;
            self.register(anchor, || value.unwrap_or_default())?;
            return self.key(Key::Name(name), at);
        }
        let value = scalar_value(text, &scalar, tag.as_deref())?;
        self.register(anchor, || value.clone())?;
        self.value(value, Marks::Leaf(at))
    }

    fn expects_key(&self) -> bool {
        matches!(self.stack.last(), Some((Frame::Map(MapFrame { key: None, .. }), ..)))
    }

    fn key(&mut self, key: Key, at: Position) -> Result<(), Problem> {
        let Some((Frame::Map(map), ..)) = self.stack.last_mut() else { return Ok(()) };
        if let Key::Name(name) = &key
            && self.strict
            && map.marks.contains_key(name)
        {
            return Err(Problem::DuplicateKey(name.clone()));
        }
        map.key = Some((key, at));
        Ok(())
    }

    fn open(&mut self, frame: Frame, anchor: usize, at: Position) -> Result<(), Problem> {
        if self.expects_key() {
            return Err(Problem::Key);
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(Problem::Depth(MAX_DEPTH));
        }
        self.stack.push((frame, anchor, at));
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some((frame, anchor, at)) = self.stack.pop() else { return Ok(()) };
        let (value, marks) = match frame {
            Frame::List(items, marks) => (Value::from(items), Marks::List(at, marks)),
            Frame::Map(map) => (Value::Object(map.entries), Marks::Map(at, map.marks)),
        };
        self.register(anchor, || value.clone())?;
        self.value(value, marks)
    }

    fn register(&mut self, anchor: usize, value: impl FnOnce() -> Value) -> Result<(), Problem> {
        if anchor == 0 {
            return Ok(());
        }
        let value = value();
        let (weight, depth) = measure(&value);
        self.copy(weight)?;
        self.anchors.insert(anchor, Anchor { value, weight, depth });
        Ok(())
    }

    fn copy(&mut self, weight: usize) -> Result<(), Problem> {
        self.copied = self.copied.saturating_add(weight);
        if self.copied > MAX_COPIED { Err(Problem::ExcessiveAliasing) } else { Ok(()) }
    }

    fn alias(&mut self, id: usize, at: Position) -> Result<(), Problem> {
        let Anchor { weight, depth, .. } = *self.anchors.get(&id).ok_or(Problem::Alias)?;
        self.copy(weight)?;
        if self.stack.len() + depth > MAX_DEPTH {
            return Err(Problem::Depth(MAX_DEPTH));
        }
        let value = self.anchors.get(&id).map(|anchor| anchor.value.clone()).unwrap_or_default();
        if self.expects_key() {
            let name = match &value {
                Value::String(text) => text.to_string(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                _ => return Err(Problem::Key),
            };
            return self.key(Key::Name(name), at);
        }
        self.value(value, Marks::Leaf(at))
    }

    /// Puts a finished value where it belongs.
    fn value(&mut self, value: Value, marks: Marks) -> Result<(), Problem> {
        match self.stack.last_mut() {
            None if value.is_null() => {}
            None => self.documents.push(Document { value, marks }),
            Some((Frame::List(items, places), ..)) => {
                items.push(value);
                places.push(marks);
            }
            Some((Frame::Map(map), ..)) => match map.key.take() {
                None => return Err(Problem::Key),
                Some((Key::Merge, at)) => map.merge(value, at)?,
                Some((Key::Name(name), at)) => {
                    let scalar = !value.is_null() && !value.is_array() && !value.is_object();
                    map.marks.insert(name.clone(), if scalar { marks } else { marks.at(at) });
                    map.entries.insert(name, value);
                }
            },
        }
        Ok(())
    }
}

impl MapFrame {
    /// Adds the entries of `<<`. As in Go's reader the order of lines decides: keys before are
    /// replaced, keys after replace.
    fn merge(&mut self, value: Value, at: Position) -> Result<(), Problem> {
        let maps = match value {
            Value::Array(items) => items,
            other => List::from(vec![other]),
        };
        // Of several maps the first has the last word.
        for map in maps.into_iter().rev() {
            let Value::Object(entries) = map else { return Err(Problem::Merge) };
            for name in entries.keys() {
                self.marks.insert(name.to_string(), Marks::Leaf(at));
            }
            self.entries.extend(entries);
        }
        Ok(())
    }
}

/// What it costs to copy a value, and how many levels it has.
fn measure(value: &Value) -> (usize, usize) {
    let total = |parts: &mut dyn Iterator<Item = (usize, usize)>| {
        parts.fold((NODE_WEIGHT, 1), |(weight, depth), (w, d)| {
            (weight.saturating_add(w), depth.max(d + 1))
        })
    };
    match value {
        Value::String(text) => (NODE_WEIGHT + text.len(), 0),
        Value::Array(items) => total(&mut items.iter().map(measure)),
        Value::Object(entries) => total(&mut entries.iter().map(|(key, value)| {
            let (weight, depth) = measure(value);
            (weight + NODE_WEIGHT + key.len(), depth)
        })),
        _ => (NODE_WEIGHT, 0),
    }
}

/// The meaning of a scalar in view of its tag and quotes.
fn meaning(text: &str, plain: bool, tag: Option<&str>) -> Result<Scalar, Problem> {
    let Some(tag) = tag else {
        return Ok(if plain { resolve(text) } else { Scalar::Text });
    };
    let resolved = resolve(text);
    let fits = |good: bool, scalar: Scalar, tag: &str| {
        let text = text.to_owned();
        if good { Ok(scalar) } else { Err(Problem::Tag { text, tag: format!("!!{tag}") }) }
    };
    match tag.strip_prefix(CORE_TAG) {
        Some("int") => {
            fits(matches!(resolved, Scalar::Int(_) | Scalar::Unsigned(_)), resolved, "int")
        }
        Some("float") => {
            let number =
                matches!(resolved, Scalar::Int(_) | Scalar::Unsigned(_) | Scalar::Float(_));
            fits(number, resolved, "float")
        }
        Some("bool") => fits(matches!(resolved, Scalar::Bool(_)), resolved, "bool"),
        Some("null") => fits(matches!(resolved, Scalar::Null), resolved, "null"),
        _ => Ok(Scalar::Text),
    }
}

fn scalar_value(text: &str, scalar: &Scalar, tag: Option<&str>) -> Result<Value, Problem> {
    match scalar {
        Scalar::Null => Ok(Value::Null),
        Scalar::Bool(value) => Ok(Value::Bool(*value)),
        Scalar::Int(value) => Ok(Value::from(*value)),
        Scalar::Unsigned(value) => Ok(Value::from(to_float(*value))),
        Scalar::Float(value) => float_value(*value),
        Scalar::Text if tag.and_then(|tag| tag.strip_prefix(CORE_TAG)) == Some("binary") => {
            let text: String = text.chars().filter(|c| !matches!(c, '\n' | '\r' | ' ')).collect();
            let bytes = STANDARD.decode(text).map_err(|_| Problem::Binary)?;
            Ok(Value::from(String::from_utf8_lossy(&bytes).into_owned()))
        }
        Scalar::Text => Ok(Value::from(text.to_owned())),
    }
}

fn to_float(value: u64) -> f64 {
    value.to_string().parse().unwrap_or(f64::MAX)
}

/// A whole number becomes an integer, as it does on its way through Go's JSON.
fn float_value(value: f64) -> Result<Value, Problem> {
    let whole = format!("{value:.0}").parse::<i64>();
    match whole {
        _ if !value.is_finite() => {
            let text = if value.is_nan() {
                "NaN"
            } else if value > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            Err(Problem::NotFinite(text.to_owned()))
        }
        Ok(whole) if value.fract() == 0.0 => Ok(Value::from(whole)),
        _ => Ok(Value::from(value)),
    }
}

/// The text of a key: JSON knows no other keys than texts.
fn key_name(text: &str, scalar: &Scalar, value: Option<&Value>) -> Option<String> {
    match (scalar, value) {
        (Scalar::Null, _) => None,
        (_, Some(Value::String(text))) => Some(text.to_string()),
        (_, Some(value)) => Some(value.to_string()),
        // Infinity and not-a-number keep their spelling.
        (_, None) => Some(text.to_owned()),
    }
}
