//! YAML as Kubernetes clients read and write it: YAML 1.1 scalars as Go resolves them, sorted keys.
//!
//! [`load_documents`] turns manifests into JSON documents that remember where in the text each
//! field stands; [`to_yaml`] prints a document the way `oc get -o yaml` does.
//!
//! Invariant: hostile input (deep nesting, aliases of aliases) is an error, never a crash.
//!
//! Mirrors: `sigs.k8s.io/yaml` with `gopkg.in/yaml.v2`.

mod emit;
mod load;
mod resolve;

use std::collections::BTreeMap;
use std::fmt;

use crate::Value;

pub use self::emit::{to_yaml, to_yaml_3_11};

/// A place in a text; both numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Position {
    const START: Self = Self { line: 1, column: 1 };
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a text is not readable, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {problem}", position.line, position.column)]
pub struct Error {
    /// Where the problem is.
    pub position: Position,
    /// What it is.
    pub problem: Problem,
}

/// What can be wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not YAML.
    #[error("{0}")]
    Syntax(String),
    /// A list, map or null as key of a map.
    #[error("a map key must be a text, a number or a boolean")]
    Key,
    /// The same key twice in one map (only when asked for).
    #[error("key {0:?} already set in map")]
    DuplicateKey(String),
    /// `<<` with something else than maps.
    #[error("map merge requires map or sequence of maps as the value")]
    Merge,
    /// An alias of something unknown, or of a value it is itself part of.
    #[error("alias of an unknown anchor, or of a value that contains the alias")]
    Alias,
    /// Aliases that expand to too much.
    #[error("document contains excessive aliasing")]
    ExcessiveAliasing,
    /// Too many levels.
    #[error("nesting is deeper than {0} levels")]
    Depth(usize),
    /// A tag that does not fit the value.
    #[error("cannot decode {text:?} as a {tag}")]
    Tag {
        /// The scalar.
        text: String,
        /// The tag, e.g. `!!int`.
        tag: String,
    },
    /// `!!binary` that is not base64.
    #[error("!!binary value contains invalid base64 data")]
    Binary,
    /// Infinity and not-a-number have no JSON form.
    #[error("unsupported value: {0}")]
    NotFinite(String),
}

/// Where the parts of a document stand.
#[derive(Debug, Clone)]
enum Marks {
    Leaf(Position),
    List(Position, Vec<Marks>),
    Map(Position, BTreeMap<String, Marks>),
}

impl Marks {
    fn position(&self) -> Position {
        match self {
            Self::Leaf(position) | Self::List(position, _) | Self::Map(position, _) => *position,
        }
    }

    fn at(self, position: Position) -> Self {
        match self {
            Self::Leaf(_) => Self::Leaf(position),
            Self::List(_, items) => Self::List(position, items),
            Self::Map(_, entries) => Self::Map(position, entries),
        }
    }

    fn step(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Leaf(_) => None,
            Self::List(_, items) => items.get(key.parse::<usize>().ok()?),
            Self::Map(_, entries) => entries.get(key),
        }
    }
}

/// One document of a text.
#[derive(Debug, Clone)]
pub struct Document {
    /// The document as JSON.
    pub value: Value,
    marks: Marks,
}

impl Document {
    /// Where a field stands: the value of a scalar, the key of a map or list. For a field that is
    /// not there, the closest one around it.
    ///
    /// `path` is a JSON pointer (`/spec/containers/0`) or a path as validation errors have it
    /// (`spec.containers[0]`, `metadata.labels[a.b/c]`).
    #[must_use]
    pub fn position(&self, path: &str) -> Position {
        let segments = if path.is_empty() || path.starts_with('/') {
            path.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
        } else {
            field_segments(path)
        };
        let mut marks = &self.marks;
        for segment in segments {
            let Some(next) = marks.step(&segment) else { break };
            marks = next;
        }
        marks.position()
    }

    /// Where the document begins.
    #[must_use]
    pub fn start(&self) -> Position {
        self.marks.position()
    }
}

fn field_segments(path: &str) -> Vec<String> {
    let mut segments = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (segment, tail) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').unwrap_or((inner, "")),
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        segments.push(segment.to_owned());
        rest = tail.strip_prefix('.').unwrap_or(tail);
    }
    segments
}

/// Reads all documents of a text, YAML or JSON; empty documents are left out. Of a key that appears
/// twice the last value counts.
///
/// # Errors
/// When the text is not readable.
pub fn load_documents(text: &str) -> Result<Vec<Document>, Error> {
    load(text, false)
}

/// As [`load_documents`], but a key that appears twice is an error.
///
/// # Errors
/// When the text is not readable or has a duplicate key.
pub fn load_documents_strict(text: &str) -> Result<Vec<Document>, Error> {
    load(text, true)
}

fn load(text: &str, strict: bool) -> Result<Vec<Document>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let result = load::documents(text, strict);
    match &result {
        // Some JSON is not YAML: concatenated documents, tabs, surrogate pairs.
        Err(error) if matches!(error.problem, Problem::Syntax(_)) && looks_like_json(text) => {
            json_documents(text).map_or(result, Ok)
        }
        _ => result,
    }
}

fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

fn json_documents(text: &str) -> Option<Vec<Document>> {
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let documents = values
        .map(|value| Some(Document { value: value.ok()?, marks: Marks::Leaf(Position::START) }));
    documents.collect()
}

#[cfg(test)]
mod tests;
