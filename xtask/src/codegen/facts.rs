//! The facts: what is known of every type, as plain text that can be read and compared.
//!
//! One file per package. `package` names it, `type` opens a type (with the `group/version` pairs it
//! is served as), indented lines are fields: JSON name, type, attributes. `inline` lines name types
//! whose fields stand in this type's JSON but in a message of their own in protobuf.
//!
//! Invariant: [`write`] and [`read`] are inverse; order is by name throughout.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};

/// Every type by its full name, e.g. `io.k8s.api.core.v1.Pod`.
pub(crate) type Facts = BTreeMap<String, Type>;

/// A struct with its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Type {
    /// The `group/version` (or `version` for the core group) that serve it as a kind.
    pub(crate) served: Vec<String>,
    /// `atomic` when the struct is replaced as a whole.
    pub(crate) map: Option<String>,
    pub(crate) fields: BTreeMap<String, Field>,
    pub(crate) inlines: Vec<Inline>,
}

/// Fields that protobuf keeps in a message of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inline {
    pub(crate) tag: u32,
    pub(crate) of: String,
}

/// One JSON member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) presence: Presence,
    pub(crate) tag: Option<u32>,
    pub(crate) list: Option<String>,
    pub(crate) keys: Vec<String>,
    pub(crate) map: Option<String>,
    pub(crate) patch: Vec<String>,
    pub(crate) merge_key: Option<String>,
    /// Go's name of the scalar or map, when it has one: `v1.Protocol`.
    pub(crate) go: Option<String>,
    /// Only older Kubernetes has it.
    pub(crate) old: bool,
}

/// How the zero value is treated when upstream writes JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Presence {
    #[default]
    Unknown,
    /// A zero value is not written.
    OmitEmpty,
    /// Absent and zero differ.
    Pointer,
    /// Written even when zero.
    Always,
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One of [`PRIMITIVES`].
    Primitive(String),
    Object(String),
    List(Box<Kind>),
    Map(Box<Kind>),
}

/// Names of the scalar types.
pub(crate) const PRIMITIVES: &[&str] = &[
    "any",
    "bool",
    "bytes",
    "double",
    "int-or-string",
    "int32",
    "int64",
    "micro-time",
    "quantity",
    "raw",
    "string",
    "time",
];

impl Field {
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            required: false,
            presence: Presence::Unknown,
            tag: None,
            list: None,
            keys: Vec::new(),
            map: None,
            patch: Vec::new(),
            merge_key: None,
            go: None,
            old: false,
        }
    }
}

impl Kind {
    pub(crate) fn primitive(name: &str) -> Self {
        Self::Primitive(name.to_owned())
    }

    /// The type it finally refers to, through lists and maps.
    pub(crate) fn referred(&self) -> Option<&str> {
        match self {
            Self::Primitive(_) => None,
            Self::Object(name) => Some(name),
            Self::List(of) | Self::Map(of) => of.referred(),
        }
    }

    fn text(&self, package: &str) -> String {
        match self {
            Self::Primitive(name) => name.clone(),
            Self::Object(name) => match name.strip_prefix(package) {
                Some(rest) if rest.starts_with('.') && !rest[1..].contains('.') => rest.to_owned(),
                _ => name.clone(),
            },
            Self::List(of) => format!("[]{}", of.text(package)),
            Self::Map(of) => format!("{{}}{}", of.text(package)),
        }
    }

    fn parse(text: &str, package: &str) -> Self {
        if let Some(of) = text.strip_prefix("[]") {
            Self::List(Box::new(Self::parse(of, package)))
        } else if let Some(of) = text.strip_prefix("{}") {
            Self::Map(Box::new(Self::parse(of, package)))
        } else if PRIMITIVES.contains(&text) {
            Self::primitive(text)
        } else if text.starts_with('.') {
            Self::Object(format!("{package}{text}"))
        } else {
            Self::Object(text.to_owned())
        }
    }
}

/// Splits a full type name into package and short name.
pub(crate) fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// Renders the facts as file name → text.
pub(crate) fn write(facts: &Facts) -> BTreeMap<String, String> {
    let mut files = BTreeMap::<String, String>::new();
    for (name, of) in facts {
        let (package, short) = split(name);
        let text = files.entry(format!("{package}.facts")).or_insert_with(|| {
            format!(
                "# Field names, types, list and patch keys, field numbers.\npackage {package}\n"
            )
        });
        write_type(text, package, short, of);
    }
    files
}

fn write_type(text: &mut String, package: &str, short: &str, of: &Type) {
    let mut line = format!("\ntype {short}");
    for served in &of.served {
        let _ = write!(line, " {served}");
    }
    if let Some(map) = &of.map {
        let _ = write!(line, " map={map}");
    }
    text.push_str(&line);
    text.push('\n');
    for inline in &of.inlines {
        let kind = Kind::Object(inline.of.clone()).text(package);
        let _ = writeln!(text, "  inline {kind} tag={}", inline.tag);
    }
    for (name, field) in &of.fields {
        let _ = write!(text, "  {name} {}", field.kind.text(package));
        for attribute in attributes(field) {
            let _ = write!(text, " {attribute}");
        }
        text.push('\n');
    }
}

fn attributes(field: &Field) -> Vec<String> {
    let mut out = Vec::new();
    if field.required {
        out.push("required".to_owned());
    }
    match field.presence {
        Presence::Unknown => {}
        Presence::OmitEmpty => out.push("omitempty".to_owned()),
        Presence::Pointer => out.push("pointer".to_owned()),
        Presence::Always => out.push("always".to_owned()),
    }
    if let Some(list) = &field.list {
        out.push(format!("list={list}"));
    }
    if !field.keys.is_empty() {
        out.push(format!("keys={}", field.keys.join(",")));
    }
    if let Some(map) = &field.map {
        out.push(format!("map={map}"));
    }
    if !field.patch.is_empty() {
        out.push(format!("patch={}", field.patch.join(",")));
    }
    if let Some(key) = &field.merge_key {
        out.push(format!("key={key}"));
    }
    if let Some(go) = &field.go {
        out.push(format!("go={go}"));
    }
    if field.old {
        out.push("old".to_owned());
    }
    if let Some(tag) = field.tag {
        out.push(format!("tag={tag}"));
    }
    out
}

/// Reads one facts file into `facts`.
pub(crate) fn read(facts: &mut Facts, text: &str) -> Result<()> {
    let mut package = String::new();
    let mut current: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        read_line(facts, &mut package, &mut current, line)
            .with_context(|| format!("line {}: {line}", index + 1))?;
    }
    Ok(())
}

fn read_line(
    facts: &mut Facts,
    package: &mut String,
    current: &mut Option<String>,
    line: &str,
) -> Result<()> {
    let mut words = line.split_whitespace();
    let Some(first) = words.next().filter(|word| !word.starts_with('#')) else { return Ok(()) };
    let second = words.next().context("a second word is missing")?;
    if !line.starts_with(' ') {
        match first {
            "package" => second.clone_into(package),
            "type" => {
                let name = format!("{package}.{second}");
                let of = facts.entry(name.clone()).or_default();
                for word in words {
                    match word.strip_prefix("map=") {
                        Some(map) => of.map = Some(map.to_owned()),
                        None => of.served.push(word.to_owned()),
                    }
                }
                *current = Some(name);
            }
            other => bail!("unknown word {other}"),
        }
        return Ok(());
    }
    let name = current.as_ref().context("a field before any type")?;
    let of = facts.get_mut(name).context("the type was entered before")?;
    let kind = Kind::parse(second, package);
    if first == "inline" {
        let Kind::Object(inlined) = kind else { bail!("inline needs a type") };
        let tag = words.next().and_then(|word| word.strip_prefix("tag=")).context("tag missing")?;
        of.inlines.push(Inline { tag: tag.parse()?, of: inlined });
        return Ok(());
    }
    let mut field = Field::new(kind);
    for word in words {
        read_attribute(&mut field, word)?;
    }
    of.fields.insert(first.to_owned(), field);
    Ok(())
}

fn read_attribute(field: &mut Field, word: &str) -> Result<()> {
    let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
    match word.split_once('=') {
        None => match word {
            "required" => field.required = true,
            "omitempty" => field.presence = Presence::OmitEmpty,
            "pointer" => field.presence = Presence::Pointer,
            "always" => field.presence = Presence::Always,
            "old" => field.old = true,
            _ => bail!("unknown attribute {word}"),
        },
        Some(("list", value)) => field.list = Some(value.to_owned()),
        Some(("keys", value)) => field.keys = list(value),
        Some(("map", value)) => field.map = Some(value.to_owned()),
        Some(("patch", value)) => field.patch = list(value),
        Some(("key", value)) => field.merge_key = Some(value.to_owned()),
        Some(("go", value)) => field.go = Some(value.to_owned()),
        Some(("tag", value)) => field.tag = Some(value.parse()?),
        Some(_) => bail!("unknown attribute {word}"),
    }
    Ok(())
}
