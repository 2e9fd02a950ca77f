//! Pointers, `omitempty` and field numbers from Go type declarations.
//!
//! Invariant: reads declarations line by line; a line it does not understand adds nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::message::{Member, Messages};
use crate::codegen::facts::{Facts, Kind, Presence, split};

/// Go structs by full type name.
pub(crate) type Structs = BTreeMap<String, Vec<GoField>>;

/// One struct field.
#[derive(Debug, Clone)]
pub(crate) struct GoField {
    /// JSON name; the type's own name for an inlined struct.
    name: String,
    /// Go type without pointer and package.
    of: String,
    /// Go type as declared, e.g. `[]Capability`.
    declared: String,
    inline: bool,
    pointer: bool,
    omitempty: bool,
    tag: Option<u32>,
}

/// Reads every `types*.go` below a directory.
pub(crate) fn read(root: &Path) -> Result<Structs> {
    let mut out = Structs::new();
    let mut queue = vec![root.to_owned()];
    while let Some(dir) = queue.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                queue.push(path);
            } else if file.contains("types")
                && path.extension().is_some_and(|extension| extension == "go")
                && !file.contains("generated")
            {
                let dir = dir.strip_prefix(root)?;
                read_file(&mut out, &package(dir), &fs::read_to_string(&path)?);
            }
        }
    }
    Ok(out)
}

/// `k8s.io/api/apps/v1` → `io.k8s.api.apps.v1`.
fn package(dir: &Path) -> String {
    let text = dir.display().to_string();
    let (domain, rest) = text.split_once('/').unwrap_or((&text, ""));
    let mut parts: Vec<&str> = domain.split('.').rev().collect();
    parts.extend(rest.split('/'));
    parts.join(".")
}

fn read_file(out: &mut Structs, package: &str, text: &str) {
    let mut current: Option<String> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(rest) = line.strip_prefix("type ")
            && let Some(name) = rest.strip_suffix(" struct {")
        {
            let name = format!("{package}.{name}");
            out.insert(name.clone(), Vec::new());
            current = Some(name);
        } else if line == "}" {
            current = None;
        } else if !trimmed.starts_with("//")
            && let Some(name) = &current
            && let Some(field) = read_field(trimmed)
            && let Some(fields) = out.get_mut(name)
        {
            fields.push(field);
        }
    }
}

/// Reads `Replicas *int32 ‹json:"replicas,omitempty" protobuf:"varint,1,opt,name=replicas"›`.
fn read_field(line: &str) -> Option<GoField> {
    let (declaration, tags) = line.split_once('`')?;
    let words: Vec<&str> = declaration.split_whitespace().collect();
    let go_type = *words.last()?;
    let json = quoted(tags, "json:\"")?;
    let (json_name, options) = json.split_once(',').unwrap_or((json, ""));
    let of = go_type.trim_start_matches('*').rsplit('.').next()?.to_owned();
    let inline = options.contains("inline") || (words.len() == 1 && json_name.is_empty());
    if json_name == "-" || (inline && of == "TypeMeta") {
        return None;
    }
    Some(GoField {
        name: if inline { of.clone() } else { json_name.to_owned() },
        of,
        declared: go_type.to_owned(),
        inline,
        pointer: go_type.starts_with('*'),
        omitempty: options.contains("omitempty"),
        tag: quoted(tags, "protobuf:\"").and_then(|tag| tag.split(',').nth(1)?.parse().ok()),
    })
}

fn quoted<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once('"').map(|(value, _)| value)
}

/// Adds what the declarations say of zero values.
pub(crate) fn add(facts: &mut Facts, structs: &Structs) {
    for (name, of) in facts.iter_mut() {
        let mut flat = Vec::new();
        flatten(structs, name, &mut flat);
        for (package, short) in siblings(structs, name) {
            flatten(structs, &format!("{package}.{short}"), &mut flat);
        }
        for field in flat {
            let Some(known) = of.fields.get_mut(&field.name) else { continue };
            if known.presence == Presence::Unknown {
                known.presence = presence(&known.kind, &field);
                known.go = go_name(name, &known.kind, &field.declared);
            }
        }
        for (name, known) in &mut of.fields {
            if name == "apiVersion" || name == "kind" {
                known.presence = Presence::OmitEmpty;
            } else if known.presence == Presence::Unknown {
                known.presence = guess(&known.kind, known.required);
            }
        }
    }
}

/// The same struct in other versions of its group, newest last in name order first.
fn siblings<'a>(structs: &'a Structs, name: &'a str) -> Vec<(&'a str, &'a str)> {
    let (package, short) = split(name);
    let (group, _) = split(package);
    let mut out: Vec<(&str, &str)> = structs
        .keys()
        .map(|key| split(key))
        .filter(|(other, of)| *of == short && *other != package && split(other).0 == group)
        .collect();
    out.reverse();
    out
}

fn flatten(structs: &Structs, name: &str, out: &mut Vec<GoField>) {
    for field in structs.get(name).into_iter().flatten() {
        if field.inline {
            let (package, _) = split(name);
            flatten(structs, &resolve(structs, package, &field.of), out);
        } else {
            out.push(field.clone());
        }
    }
}

/// The full name of a struct named in a package: its own, else core's, else meta's.
fn resolve(structs: &Structs, package: &str, short: &str) -> String {
    let packages = [package, "io.k8s.api.core.v1", "io.k8s.apimachinery.pkg.apis.meta.v1"];
    let names = packages.map(|package| format!("{package}.{short}"));
    names.iter().find(|name| structs.contains_key(*name)).unwrap_or(&names[0]).clone()
}

fn presence(kind: &Kind, field: &GoField) -> Presence {
    if field.pointer {
        return Presence::Pointer;
    }
    match kind {
        Kind::Primitive(name)
            if !matches!(
                name.as_str(),
                "string" | "bool" | "bytes" | "double" | "int32" | "int64"
            ) =>
        {
            Presence::Always
        }
        Kind::Object(_) => Presence::Always,
        _ if field.omitempty => Presence::OmitEmpty,
        _ => Presence::Always,
    }
}

/// How Go names the type of a scalar, of a list's scalars, or of a map; nothing for unnamed types.
fn go_name(of: &str, kind: &Kind, declared: &str) -> Option<String> {
    let base = match kind {
        Kind::List(inner) if matches!(**inner, Kind::Primitive(_)) => {
            declared.trim_start_matches('*').strip_prefix("[]")?
        }
        Kind::Primitive(name) if matches!(name.as_str(), "string" | "int32" | "int64" | "bool") => {
            declared.trim_start_matches('*')
        }
        Kind::Map(_) => declared.trim_start_matches('*'),
        _ => return None,
    };
    let (_, version) = split(split(of).0);
    match base.split_once('.') {
        Some(("types", name)) => Some(format!("types.{name}")),
        Some((_, name)) => Some(format!("v1.{name}")),
        None if base.starts_with(|first: char| first.is_ascii_uppercase()) => {
            Some(format!("{version}.{base}"))
        }
        None => None,
    }
}

/// Types newer than the declarations follow today's conventions: optional scalars are pointers.
fn guess(kind: &Kind, required: bool) -> Presence {
    match kind {
        Kind::List(_) | Kind::Map(_) => {
            if required {
                Presence::Always
            } else {
                Presence::OmitEmpty
            }
        }
        _ if required => Presence::Always,
        Kind::Primitive(name) if name == "string" => Presence::Unknown,
        _ => Presence::Pointer,
    }
}

/// The structs as messages with field numbers.
pub(crate) fn messages(structs: &Structs) -> Messages {
    let mut out = Messages::new();
    for (name, fields) in structs {
        let (package, _) = split(name);
        let members = fields.iter().filter_map(|field| {
            Some(Member {
                name: field.name.clone(),
                tag: field.tag?,
                of: Some(resolve(structs, package, &field.of)),
            })
        });
        out.insert(name.clone(), members.collect());
    }
    out
}
