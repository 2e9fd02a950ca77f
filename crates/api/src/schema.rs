//! What every kind looks like: names and types of fields, list and patch keys, field numbers.
//!
//! The table is generated from `facts/` by `cargo xtask codegen`; one `static` per type, so that
//! nothing but an index of kinds is built when the program runs. Reading order: [`Type`], [`Field`],
//! [`FieldKind`], [`type_of`].
//!
//! Invariant: fields are sorted by name; kinds are sorted by group, version and kind.

mod patch;
#[rustfmt::skip]
mod table;

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// A struct of the API, e.g. `io.k8s.api.core.v1.PodSpec`.
#[derive(Debug)]
pub struct Type {
    /// Full name as in `OpenAPI` documents.
    pub name: &'static str,
    /// The kinds it is served as: group, version.
    pub served: &'static [(&'static str, &'static str)],
    /// Replaced as a whole by server-side apply.
    pub atomic: bool,
    pub fields: &'static [Field],
    /// Messages whose fields stand among this type's own in JSON.
    pub inlines: &'static [Inline],
}

/// A message that protobuf nests and JSON does not.
#[derive(Debug)]
pub struct Inline {
    pub tag: u32,
    pub of: &'static Type,
}

/// One JSON member of a [`Type`].
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub kind: FieldKind,
    pub required: bool,
    pub presence: Presence,
    pub list_type: Option<ListType>,
    pub map_keys: &'static [&'static str],
    /// Server-side apply replaces the map or struct as a whole.
    pub atomic: bool,
    pub patch: PatchStrategy,
    pub merge_key: Option<&'static str>,
    /// Go's name of the scalar (or of a list's scalars, or of a map) when it has one.
    pub go: Option<&'static str>,
    /// Only Kubernetes 1.11 has it.
    pub old: bool,
    /// Protobuf field number; 0 when unknown.
    pub tag: u32,
}

/// The type of a value.
#[derive(Debug, Clone, Copy)]
pub enum FieldKind {
    String,
    Integer {
        bits: u8,
    },
    Number,
    Boolean,
    IntOrString,
    Quantity,
    /// RFC 3339 with seconds.
    Time,
    /// RFC 3339 with microseconds.
    MicroTime,
    /// Base64 text.
    Bytes,
    Object(&'static Type),
    Map(&'static FieldKind),
    Array(&'static FieldKind),
    /// An object of any kind.
    RawExtension,
    Any,
}

/// How upstream treats the zero value when it writes JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Unknown,
    /// A zero value is not written.
    OmitEmpty,
    /// Absent and zero differ.
    Pointer,
    /// Written even when zero.
    Always,
}

/// How server-side apply merges a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListType {
    Atomic,
    Set,
    Map,
}

/// What a strategic merge patch does with a list or struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PatchStrategy {
    pub merge: bool,
    pub replace: bool,
    pub retain_keys: bool,
}

/// A served kind.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) of: &'static Type,
}

/// Changes whenever the table does; documents made from it carry it in their hashes.
pub(crate) const FINGERPRINT: u64 = table::FINGERPRINT;

/// The type of a kind, or nothing when no such kind is known.
///
/// `DeleteOptions` and `WatchEvent` are known in every group.
#[must_use]
pub fn type_of(group: &str, version: &str, kind: &str) -> Option<&'static Type> {
    let (group, version) = match kind {
        "DeleteOptions" | "WatchEvent" => ("", "v1"),
        _ => (group, version),
    };
    // The map is covariant in the lifetime of its keys, so borrowed keys find static ones.
    let types: &FxHashMap<(&str, &str, &str), &'static Type> = &TYPES;
    types.get(&(group, version, kind)).copied()
}

/// [`table::KINDS`] by group, version and kind.
static TYPES: LazyLock<FxHashMap<(&'static str, &'static str, &'static str), &'static Type>> =
    LazyLock::new(|| table::KINDS.iter().map(|k| ((k.group, k.version, k.kind), k.of)).collect());

impl Type {
    /// The field of a JSON name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        let fields: &'static [Field] = self.fields;
        fields.binary_search_by(|field| field.name.cmp(name)).ok().map(|index| &fields[index])
    }

    /// The Go name, e.g. `PodSpec`.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}

impl PatchStrategy {
    /// The upstream spelling, e.g. `merge,retainKeys`; empty when none is set.
    #[must_use]
    pub fn text(self) -> String {
        let words =
            [(self.merge, "merge"), (self.replace, "replace"), (self.retain_keys, "retainKeys")];
        let words: Vec<&str> =
            words.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
        words.join(",")
    }
}

/// The short vocabulary of the generated table.
mod build {
    use super::{Field, FieldKind, ListType, PatchStrategy, Presence};

    pub(super) const S: FieldKind = FieldKind::String;
    pub(super) const I32: FieldKind = FieldKind::Integer { bits: 32 };
    pub(super) const I64: FieldKind = FieldKind::Integer { bits: 64 };

    pub(super) const fn f(name: &'static str, kind: FieldKind) -> Field {
        Field {
            name,
            kind,
            required: false,
            presence: Presence::Unknown,
            list_type: None,
            map_keys: &[],
            atomic: false,
            patch: PatchStrategy { merge: false, replace: false, retain_keys: false },
            merge_key: None,
            go: None,
            old: false,
            tag: 0,
        }
    }

    impl Field {
        pub(super) const fn tag(mut self, tag: u32) -> Self {
            self.tag = tag;
            self
        }
        pub(super) const fn required(mut self) -> Self {
            self.required = true;
            self
        }
        pub(super) const fn omitempty(mut self) -> Self {
            self.presence = Presence::OmitEmpty;
            self
        }
        pub(super) const fn pointer(mut self) -> Self {
            self.presence = Presence::Pointer;
            self
        }
        pub(super) const fn always(mut self) -> Self {
            self.presence = Presence::Always;
            self
        }
        pub(super) const fn old(mut self) -> Self {
            self.old = true;
            self
        }
        pub(super) const fn go(mut self, go: &'static str) -> Self {
            self.go = Some(go);
            self
        }
        pub(super) const fn atomic(mut self) -> Self {
            self.atomic = true;
            self
        }
        pub(super) const fn list(mut self, list: ListType, keys: &'static [&'static str]) -> Self {
            self.list_type = Some(list);
            self.map_keys = keys;
            self
        }
        pub(super) const fn merge(mut self) -> Self {
            self.patch.merge = true;
            self
        }
        pub(super) const fn replace(mut self) -> Self {
            self.patch.replace = true;
            self
        }
        pub(super) const fn retain_keys(mut self) -> Self {
            self.patch.retain_keys = true;
            self
        }
        pub(super) const fn key(mut self, key: &'static str) -> Self {
            self.merge_key = Some(key);
            self
        }
    }
}

#[cfg(test)]
mod tests;
