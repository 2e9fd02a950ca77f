//! Joins protobuf messages with types: field numbers and inlined messages.
//!
//! Invariant: names are compared without case and underscores; a number once known stays.

use std::collections::BTreeMap;

use crate::codegen::facts::{Facts, Field, Inline, Type};

/// Messages by full type name.
pub(crate) type Messages = BTreeMap<String, Vec<Member>>;

/// One field of a message.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) tag: u32,
    /// Full name of the message type, if it may be one.
    pub(crate) of: Option<String>,
}

/// Writes field numbers into the facts; an inlined message that no field refers to gets a type.
pub(crate) fn join(facts: &mut Facts, messages: &Messages) {
    let names: Vec<String> = facts.keys().cloned().collect();
    for name in names {
        let Some(members) = messages.get(&name) else { continue };
        let mut of = facts.remove(&name).unwrap_or_default();
        for member in members {
            if let Some(field) = find(&mut of, &member.name) {
                field.tag = field.tag.or(Some(member.tag));
            } else if let Some(inlined) = &member.of
                && let Some(parts) = messages.get(inlined)
            {
                inline(facts, &mut of, member.tag, inlined, parts);
            }
        }
        facts.insert(name, of);
    }
}

fn inline(facts: &mut Facts, of: &mut Type, tag: u32, inlined: &str, parts: &[Member]) {
    let wanted: BTreeMap<String, u32> =
        parts.iter().map(|part| (normal(&part.name), part.tag)).collect();
    let mut found = of.fields.clone();
    found.retain(|name, _| wanted.contains_key(&normal(name)));
    // A message new since the facts' documents shares a name or two by chance.
    if found.len() * 2 < parts.len() {
        return;
    }
    for (name, field) in &mut found {
        field.tag = wanted.get(&normal(name)).copied();
    }
    // The message may have been renamed since; its number was not.
    let before = of.inlines.iter().find(|inline| inline.tag == tag);
    let inlined = before.map_or_else(|| inlined.to_owned(), |inline| inline.of.clone());
    let known = facts.entry(inlined.clone()).or_default();
    for (name, field) in found {
        let known = known.fields.entry(name).or_insert_with(|| field.clone());
        known.tag = known.tag.or(field.tag);
    }
    if !of.inlines.iter().any(|inline| inline.tag == tag) {
        of.inlines.push(Inline { tag, of: inlined });
        of.inlines.sort_by_key(|inline| inline.tag);
    }
}

fn find<'a>(of: &'a mut Type, name: &str) -> Option<&'a mut Field> {
    let name = normal(name);
    of.fields.iter_mut().find(|(known, _)| normal(known) == name).map(|(_, field)| field)
}

fn normal(name: &str) -> String {
    name.trim_start_matches("r#").replace('_', "").to_lowercase()
}
