//! Applies and updates of several managers on one small kind.

use crate::json;

use super::super::structural::Structural;
use super::*;

struct Kind {
    schema: Value,
    reset: Set,
}

impl Kind {
    fn new() -> &'static Self {
        let schema = json!({"type": "object", "properties": {
            "replicas": {"type": "integer"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "args": {"type": "array", "items": {"type": "string"}},
            "words": {"type": "array", "x-kubernetes-list-type": "set",
                "items": {"type": "string"}},
            "ports": {"type": "array", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": {"type": "object", "properties": {
                    "port": {"type": "integer"}, "name": {"type": "string"},
                    "protocol": {"type": "string", "default": "TCP"}}}},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic",
                "properties": {"a": {"type": "string"}}},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }});
        Box::leak(Box::new(Self { schema, reset: Set::of_fields(&[&["status"]]) }))
    }
}

impl Versions for &'static Kind {
    type Schema = Structural<'static>;

    fn schema(&self, api_version: &str) -> Option<Structural<'static>> {
        (api_version != "gone").then_some(Structural::Of(&self.schema))
    }

    fn convert(&self, document: &Value, _api_version: &str) -> Value {
        document.clone()
    }

    fn reset(&self) -> &Set {
        &self.reset
    }
}

/// An object and who manages it.
struct Object {
    kind: &'static Kind,
    value: Value,
    managers: Managers,
}

impl Object {
    fn new() -> Self {
        Self { kind: Kind::new(), value: json!({}), managers: Managers::default() }
    }

    fn writer(manager: &str) -> Writer<'_> {
        Writer { manager, api_version: "v1", subresource: "", now: "2020-01-01T00:00:00Z" }
    }

    #[expect(clippy::needless_pass_by_value, reason = "a literal reads better as it is")]
    fn apply(&mut self, manager: &str, config: Value, force: bool) -> String {
        let writer = Self::writer(manager);
        let kind = self.kind;
        match apply(&kind, &mut self.managers, &self.value, &config, &writer, force) {
            Ok(new) => {
                self.value = new;
                self.value.to_string()
            }
            Err(conflicts) => conflict_status(&conflicts).message,
        }
    }

    fn update(&mut self, manager: &str, new: Value) {
        let writer = Self::writer(manager);
        track(&self.kind, &mut self.managers, Some(&self.value), &new, &writer);
        self.value = new;
    }

    fn owned(&self) -> Vec<String> {
        let line = |(id, entry): (&Identity, &Entry)| {
            format!("{} {}: {}", id.manager, id.operation.as_str(), entry.fields.paths().join(" "))
        };
        self.managers.0.iter().map(line).collect()
    }
}

#[test]
fn appliers_own_what_they_mention_and_share_equal_values() {
    let mut object = Object::new();
    object.apply("a", json!({"replicas": 1, "labels": {"x": "1"}, "whole": {"a": "q"}}), false);
    object.apply("b", json!({"replicas": 1, "labels": {"y": "2"}}), false);
    assert_eq!(
        object.owned(),
        ["a Apply: .replicas .whole .labels.x", "b Apply: .replicas .labels.y"]
    );
    // One of two owners lets go: the value stays. The last lets go: it goes.
    assert_eq!(
        object.apply("a", json!({"labels": {"x": "1"}}), false),
        r#"{"labels":{"x":"1","y":"2"},"replicas":1}"#
    );
    assert_eq!(object.apply("b", json!({"labels": {}}), false), r#"{"labels":{"x":"1"}}"#);
}

#[test]
fn conflicts_name_manager_and_field_until_forced() {
    let mut object = Object::new();
    object.apply("a", json!({"replicas": 1, "args": ["x"]}), false);
    object.update("edit", json!({"replicas": 2, "args": ["x"]}));
    assert_eq!(object.owned(), ["a Apply: .args", "edit Update: .replicas"]);
    let one = object.apply("a", json!({"replicas": 3, "args": ["x"]}), false);
    assert_eq!(one, r#"Apply failed with 1 conflict: conflict with "edit" using v1: .replicas"#);
    let two = object.apply("b", json!({"replicas": 3, "args": ["y"]}), false);
    assert_eq!(
        two,
        "Apply failed with 2 conflicts: conflicts with \"a\":\n- .args\nconflicts with \"edit\" \
         using v1:\n- .replicas"
    );
    assert_eq!(
        object.apply("b", json!({"replicas": 3, "args": ["y"]}), true),
        r#"{"args":["y"],"replicas":3}"#
    );
    assert_eq!(object.owned(), ["b Apply: .args .replicas"]);
}

#[test]
fn items_are_told_apart_by_their_keys() {
    let mut object = Object::new();
    object.apply("a", json!({"ports": [{"port": 80, "name": "web"}], "words": ["p"]}), false);
    let both = object.apply(
        "b",
        json!({"ports": [{"port": 53, "protocol": "UDP"},
        {"port": 80, "protocol": "TCP"}], "words": ["q", "p"]}),
        false,
    );
    assert_eq!(
        both,
        r#"{"ports":[{"port":53,"protocol":"UDP"},{"name":"web","port":80,"protocol":"TCP"}],"words":["q","p"]}"#
    );
    assert_eq!(
        object.apply("b", json!({"words": ["q"]}), false),
        r#"{"ports":[{"name":"web","port":80}],"words":["q","p"]}"#
    );
    assert_eq!(
        object.owned()[0],
        "a Apply: .ports[port=80,protocol=\"TCP\"] .ports[port=80,protocol=\"TCP\"].name \
         .ports[port=80,protocol=\"TCP\"].port .words[=\"p\"]"
    );
}

#[test]
fn updates_own_whole_branches_and_lose_what_is_removed() {
    let mut object = Object::new();
    object.update("m", json!({"labels": {"x": "1", "y": "2"}, "status": {"s": 1}}));
    assert_eq!(object.owned(), ["m Update: .labels .labels.x .labels.y"]);
    object.update("n", json!({"labels": {"x": "9"}}));
    assert_eq!(object.owned(), ["m Update: .labels", "n Update: .labels.x"]);
    object.update("n", json!({}));
    assert!(object.owned().is_empty());
}

#[test]
fn repeating_an_apply_changes_nothing() {
    let mut object = Object::new();
    let config = json!({"replicas": 1, "ports": [{"port": 80}]});
    object.apply("a", config.clone(), false);
    let before = object.managers.clone();
    let writer = Writer { now: "2021-01-01T00:00:00Z", ..Object::writer("a") };
    let again = apply(&object.kind, &mut object.managers, &object.value, &config, &writer, false);
    assert_eq!((again.unwrap(), &object.managers), (object.value, &before));
}

#[test]
fn entries_of_unknown_versions_are_dropped() {
    let mut object = Object::new();
    object.apply("a", json!({"replicas": 1}), false);
    for entry in object.managers.0.values_mut() {
        entry.api_version = "gone".to_owned();
    }
    object.update("m", json!({"replicas": 2}));
    assert_eq!(object.owned(), ["m Update: .replicas"]);
}
