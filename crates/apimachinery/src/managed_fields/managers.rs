//! `metadata.managedFields`: who manages what, read and written.
//!
//! Invariant: entries are written in the order Apply before Update, then time, then manager.
//! Mirrors: `k8s.io/apimachinery/pkg/util/managedfields/internal/managedfields.go`.

use std::collections::BTreeMap;

use crate::{Map, Value, json};

use super::set::Set;
use crate::object::ObjectExt as _;

/// Entries of updates that are kept before the oldest are put together.
const MAX_UPDATE_MANAGERS: usize = 10;
/// The name under which they are put together.
const ANCIENT: &str = "ancient-changes";
/// Longest name of a manager.
pub const MAX_MANAGER: usize = 128;

/// How a manager came to its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By applying a configuration.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    /// The word in `managedFields`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// What tells managers apart. Those who apply have one entry whatever version they apply in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The name.
    pub manager: String,
    /// How it writes.
    pub operation: Operation,
    /// The version it writes in; empty for those who apply.
    pub api_version: String,
    /// The sub-resource it writes through; empty for the object itself.
    pub subresource: String,
}

/// The fields of one manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The version that the paths are of.
    pub api_version: String,
    /// When it last took fields or changed their values.
    pub time: Option<String>,
    /// The fields.
    pub fields: Set,
}

/// All managers of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Managers(pub BTreeMap<Identity, Entry>);

impl Identity {
    /// The identity of a manager that writes in a version.
    #[must_use]
    pub fn new(manager: &str, operation: Operation, api_version: &str, subresource: &str) -> Self {
        let api_version = if operation == Operation::Apply { "" } else { api_version };
        Self {
            manager: manager.to_owned(),
            operation,
            api_version: api_version.to_owned(),
            subresource: subresource.to_owned(),
        }
    }

    /// The manager as conflicts name it.
    #[must_use]
    pub fn described(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text = format!("{text} with subresource {:?}", self.subresource);
        }
        match self.operation {
            Operation::Apply => text,
            Operation::Update => format!("{text} using {}", self.api_version),
        }
    }
}

impl Managers {
    /// Reads the entries of an object; `None` when one of them cannot be read.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let mut managers = Self::default();
        for entry in object.list_at(&["metadata", "managedFields"]) {
            let operation = match entry.str_at(&["operation"]) {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return None,
            };
            let api_version = entry.str_at(&["apiVersion"]);
            let (manager, subresource) =
                (entry.str_at(&["manager"]), entry.str_at(&["subresource"]));
            let fields = match entry.get("fieldsV1") {
                None | Some(Value::Null) => Set::default(),
                Some(json) => Set::from_json(json)?,
            };
            let time = entry.get("time").and_then(Value::as_str).map(str::to_owned);
            let entry = Entry { api_version: api_version.to_owned(), time, fields };
            let identity = Identity::new(manager, operation, api_version, subresource);
            managers.0.insert(identity, entry);
        }
        Some(managers)
    }

    /// Whether a list of entries asks for all of them to be forgotten: `[{}]`.
    #[must_use]
    pub fn is_reset(entries: &[Value]) -> bool {
        matches!(entries, [Value::Object(only)] if only.is_empty())
    }

    /// Writes the entries into an object.
    pub fn write(&self, object: &mut Value) {
        if self.0.is_empty() {
            object.remove(&["metadata", "managedFields"]);
        } else {
            object.set(&["metadata", "managedFields"], self.to_json());
        }
    }

    fn to_json(&self) -> Value {
        let mut entries: Vec<(&Identity, &Entry)> = self.0.iter().collect();
        entries.sort_by_key(|(identity, entry)| {
            (identity.operation, entry.time.as_deref().unwrap_or_default(), &identity.manager)
        });
        entries.into_iter().map(|(identity, entry)| entry_json(identity, entry)).collect()
    }

    /// Puts the oldest updates together when there are too many managers.
    pub fn cap(&mut self) {
        let mut updates: Vec<(Option<String>, Identity)> = self
            .0
            .iter()
            .filter(|(identity, _)| identity.operation == Operation::Update)
            .map(|(identity, entry)| (entry.time.clone(), identity.clone()))
            .collect();
        if updates.len() <= MAX_UPDATE_MANAGERS {
            return;
        }
        updates.sort();
        let surplus = updates.len() - MAX_UPDATE_MANAGERS;
        // Buckets are per version: those of one version become one entry.
        let mut left = surplus;
        let mut buckets: BTreeMap<String, ()> = BTreeMap::new();
        for (time, identity) in updates {
            if left == 0 {
                break;
            }
            let Some(entry) = self.0.remove(&identity) else { continue };
            let bucket = Identity::new(ANCIENT, Operation::Update, &identity.api_version, "");
            if buckets.insert(identity.api_version.clone(), ()).is_some() {
                left -= 1;
            }
            match self.0.get_mut(&bucket) {
                Some(old) => {
                    old.fields = std::mem::take(&mut old.fields).union(&entry.fields);
                    old.time = time.or_else(|| old.time.clone());
                }
                None => {
                    self.0.insert(bucket, entry);
                }
            }
        }
    }
}

fn entry_json(identity: &Identity, entry: &Entry) -> Value {
    let mut json = Map::new();
    let mut put = |key: &str, value: Value| json.insert(key.to_owned(), value);
    put("manager", json!(identity.manager));
    put("operation", json!(identity.operation.as_str()));
    put("apiVersion", json!(entry.api_version));
    if let Some(time) = &entry.time {
        put("time", json!(time));
    }
    put("fieldsType", json!("FieldsV1"));
    put("fieldsV1", entry.fields.to_json());
    if !identity.subresource.is_empty() {
        put("subresource", json!(identity.subresource));
    }
    Value::Object(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_updates_become_one_entry() {
        let entries: Vec<Value> = (0..13)
            .map(|n| {
                json!({"manager": format!("m{n}"), "operation": "Update", "apiVersion": "v1",
                    "time": format!("2020-01-01T00:00:{n:02}Z"), "fieldsType": "FieldsV1",
                    "fieldsV1": {format!("f:{n}"): {}}})
            })
            .collect();
        let mut managers = Managers::of(&json!({"metadata": {"managedFields": entries}})).unwrap();
        managers.cap();
        let names: Vec<&str> = managers.0.keys().map(|identity| &*identity.manager).collect();
        assert_eq!(
            names,
            ["ancient-changes", "m10", "m11", "m12", "m4", "m5", "m6", "m7", "m8", "m9"]
        );
        let ancient = managers.0.values().next().unwrap();
        assert_eq!(ancient.fields.paths(), [".0", ".1", ".2", ".3"]);
    }
}
