//! `x-kubernetes-validations`: the rules that a schema puts in the Common Expression Language.
//!
//! [`check_definition`] refuses rules that cannot be read when their definition is written; [`check`]
//! holds an object to those of its version. `types` turns schemas and documents into what the language
//! works on.
//!
//! Invariant: the rules of one request cost at most [`REQUEST`] units, one rule at most [`RULE`].
//!
//! Deviation: `optionalOldSelf` is refused; elements of lists without keys have no old value. A rule
//! that does not look at the old value is not asked about what an update leaves as it is.
//!
//! Mirrors: `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel`.

mod types;

use std::collections::BTreeMap;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use apimachinery::field::{Error, ErrorKind, ErrorList, Path};
use cel::{Budget, Program, Type};

use self::types::{type_of, value_of};

/// What all rules may cost together when an object is written.
const REQUEST: u64 = 10_000_000;
/// What one evaluation of a rule may cost.
const RULE: u64 = 1_000_000;

const FIELD: &str = "x-kubernetes-validations";
const REASONS: [&str; 4] =
    ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// Everything wrong with the rules of a definition.
pub(super) fn check_definition(definition: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = Path::new("spec");
    let schemas: Vec<Option<&Value>> = definition
        .list_at(&["spec", "versions"])
        .iter()
        .map(|version| version.at(&["schema", "openAPIV3Schema"]))
        .collect();
    // What all versions share is shown as belonging to none of them.
    if schemas.windows(2).all(|pair| pair[0] == pair[1]) {
        let path = spec.child("validation").child("openAPIV3Schema");
        if let Some(Some(schema)) = schemas.first() {
            node_of_definition(schema, &path, true, &mut errors);
        }
        return errors;
    }
    for (index, schema) in schemas.iter().enumerate() {
        let path = spec.child("versions").index(index).child("schema").child("openAPIV3Schema");
        if let Some(schema) = schema {
            node_of_definition(schema, &path, true, &mut errors);
        }
    }
    errors
}

fn node_of_definition(schema: &Value, path: &Path, root: bool, errors: &mut ErrorList) {
    let rules = schema.list_at(&[FIELD]);
    if !rules.is_empty() {
        let of = type_of(schema, root);
        for (index, rule) in rules.iter().enumerate() {
            rule_of_definition(rule, schema, &of, &path.child(FIELD).index(index), errors);
        }
    }
    for (name, below) in schema.map_at(&["properties"]).into_iter().flatten() {
        node_of_definition(below, &path.child("properties").key(name), false, errors);
    }
    for field in ["items", "additionalProperties"] {
        if let Some(below) = schema.get(field).filter(|below| below.is_object()) {
            node_of_definition(below, &path.child(field), false, errors);
        }
    }
}

fn rule_of_definition(
    rule: &Value,
    schema: &Value,
    of: &Type,
    path: &Path,
    errors: &mut ErrorList,
) {
    let text = |field: &str| rule.str_at(&[field]);
    let shown = format!(
        "apiextensions.ValidationRule{{Rule:{:?}, Message:{:?}, MessageExpression:{:?}, \
         Reason:(*apiextensions.FieldValueErrorReason)(nil), FieldPath:{:?}, \
         OptionalOldSelf:(*bool)(nil)}}",
        text("rule"),
        text("message"),
        text("messageExpression"),
        text("fieldPath")
    );
    let mut compiled = |field: &str, wanted: Type, before: &str, other: &str| {
        let path = path.child(field);
        let complaint = match Program::compile(text(field), &variables(of)) {
            Ok(program) if program.result == wanted || program.result == Type::Dyn => return,
            Ok(_) => other.to_owned(),
            Err(mistakes) => format!("{before} failed: {mistakes}"),
        };
        errors.push(Error::invalid(&path, text(field), &complaint).shown_as(&shown));
    };
    if !text("rule").trim().is_empty() {
        let other = "cel expression must evaluate to a bool";
        compiled("rule", Type::Bool, "compilation", other);
    }
    if !text("messageExpression").is_empty() {
        let other = "messageExpression must evaluate to a string";
        compiled("messageExpression", Type::String, "messageExpression compilation", other);
    }
    if text("rule").trim().is_empty() {
        errors.push(Error::required(&path.child("rule"), "rule is not specified"));
    }
    if rule.get("message").is_some() && text("message").trim().is_empty() {
        let complaint = "message must be non-empty if specified";
        errors.push(Error::invalid(&path.child("message"), text("message"), complaint));
    }
    if text("message").contains(['\n', '\r']) {
        let complaint = "message must not contain line breaks";
        errors.push(Error::invalid(&path.child("message"), text("message"), complaint));
    }
    if !text("reason").is_empty() && !REASONS.contains(&text("reason")) {
        errors.push(Error::not_supported(&path.child("reason"), text("reason"), &REASONS));
    }
    if !text("fieldPath").is_empty() && !types::leads_to_field(schema, text("fieldPath")) {
        let complaint = "fieldPath must be a valid path: does not refer to a valid field";
        errors.push(Error::invalid(&path.child("fieldPath"), text("fieldPath"), complaint));
    }
    if rule.bool_at(&["optionalOldSelf"]) {
        let complaint = "optional old values are not supported by this server";
        errors.push(Error::invalid(&path.child("optionalOldSelf"), true, complaint));
    }
}

fn variables(of: &Type) -> BTreeMap<String, Type> {
    ["self", "oldSelf"].into_iter().map(|name| (name.to_owned(), of.clone())).collect()
}

/// What the rules of `schema` find wrong with an object that replaces `old`.
pub(super) fn check(schema: &Value, object: &Value, old: Option<&Value>) -> ErrorList {
    let mut run = Run { left: REQUEST, errors: ErrorList::new() };
    if has_rules(schema) {
        run.node(schema, object, old, "", true);
    }
    run.errors
}

fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key(FIELD) || map.values().any(has_rules),
        Value::Array(list) => list.iter().any(has_rules),
        _ => false,
    }
}

struct Run {
    /// What the rest may cost.
    left: u64,
    errors: ErrorList,
}

impl Run {
    fn node(&mut self, schema: &Value, value: &Value, old: Option<&Value>, path: &str, root: bool) {
        if self.left == 0 || value.is_null() {
            return;
        }
        let rules = schema.list_at(&[FIELD]);
        if !rules.is_empty() {
            let of = type_of(schema, root);
            let mut variables =
                BTreeMap::from([("self".to_owned(), value_of(schema, value, root))]);
            if let Some(old) = old.filter(|old| !old.is_null()) {
                variables.insert("oldSelf".to_owned(), value_of(schema, old, root));
            }
            for rule in rules {
                if self.left > 0 {
                    self.rule(rule, schema, &of, &variables, path, old == Some(value));
                }
            }
        }
        self.below(schema, value, old, path);
    }

    fn below(&mut self, schema: &Value, value: &Value, old: Option<&Value>, path: &str) {
        match value {
            Value::Object(map) => {
                for (name, item) in map {
                    let of = schema.at(&["properties", name.as_str()]).or_else(|| {
                        schema.get("additionalProperties").filter(|below| below.is_object())
                    });
                    let Some(of) = of else { continue };
                    let before = old.and_then(|old| old.get(name));
                    let known = schema.at(&["properties", name.as_str()]).is_some();
                    let place = match (path, known) {
                        ("", true) => name.to_string(),
                        (_, true) => format!("{path}.{name}"),
                        (_, false) => format!("{path}[{name}]"),
                    };
                    self.node(of, item, before, &place, false);
                }
            }
            Value::Array(items) => {
                let Some(of) = schema.get("items") else { return };
                for (index, item) in items.iter().enumerate() {
                    let before = old.and_then(|old| same_entry(schema, item, old));
                    self.node(of, item, before, &format!("{path}[{index}]"), false);
                }
            }
            _ => {}
        }
    }

    fn rule(
        &mut self,
        rule: &Value,
        schema: &Value,
        of: &Type,
        values: &BTreeMap<String, cel::Value>,
        path: &str,
        unchanged: bool,
    ) {
        let Ok(program) = Program::compile(rule.str_at(&["rule"]), &variables(of)) else { return };
        let transition = program.mentions("oldSelf");
        if (transition && !values.contains_key("oldSelf")) || (!transition && unchanged) {
            return;
        }
        let said = match self.run(&program, values) {
            Ok(cel::Value::Bool(true)) => return,
            Ok(_) => self.message(rule, of, values),
            Err(cel::Error::Cost) if self.left == 0 => {
                let text = "validation failed due to running out of cost budget, no further \
                            validation rules will be run";
                return self.errors.push(Error::invalid(&at(path), type_name(schema), text));
            }
            Err(error @ cel::Error::Cost) => format!(
                "'{error}': no further validation rules will be run due to call cost exceeds limit \
                 for rule: {}",
                named(rule)
            ),
            Err(error @ cel::Error::Overload) => format!(
                "'{error}': call arguments did not match a supported operator, function or macro \
                 signature for rule: {}",
                named(rule)
            ),
            Err(error) => format!("{error} evaluating rule: {}", named(rule)),
        };
        let place = format!("{path}{}", rule.str_at(&["fieldPath"]));
        let place = at(place.strip_prefix('.').unwrap_or(&place));
        self.errors.push(match rule.str_at(&["reason"]) {
            "FieldValueForbidden" => Error::forbidden(&place, &said),
            "FieldValueRequired" => Error::required(&place, &said),
            "FieldValueDuplicate" => {
                Error::new(ErrorKind::Duplicate, &place, type_name(schema).into(), &said)
            }
            _ => Error::invalid(&place, type_name(schema), &said),
        });
    }

    fn run(
        &mut self,
        program: &Program,
        values: &BTreeMap<String, cel::Value>,
    ) -> Result<cel::Value, cel::Error> {
        let granted = self.left.min(RULE);
        let mut budget = Budget::new(granted);
        let result = program.run(values, &mut budget);
        self.left -= granted - budget.left();
        result
    }

    /// What the rule says when it does not hold.
    fn message(
        &mut self,
        rule: &Value,
        of: &Type,
        values: &BTreeMap<String, cel::Value>,
    ) -> String {
        let expression = rule.str_at(&["messageExpression"]);
        if !expression.is_empty()
            && let Ok(program) = Program::compile(expression, &variables(of))
            && let Ok(cel::Value::String(text)) = self.run(&program, values)
            && !text.trim().is_empty()
            && !text.contains('\n')
        {
            return text.to_string();
        }
        match rule.str_at(&["message"]).trim() {
            "" => format!("failed rule: {}", named(rule)),
            message => message.to_owned(),
        }
    }
}

fn named(rule: &Value) -> &str {
    let message = rule.str_at(&["message"]).trim();
    if message.is_empty() { rule.str_at(&["rule"]).trim() } else { message }
}

fn type_name(schema: &Value) -> &str {
    let name = schema.str_at(&["type"]);
    if name.is_empty() { "object" } else { name }
}

fn at(path: &str) -> Path {
    Path::new(if path.is_empty() { "<nil>" } else { path })
}

/// The entry of `old` with the keys of `item`, in a list whose entries have keys.
pub(super) fn same_entry<'a>(schema: &Value, item: &Value, old: &'a Value) -> Option<&'a Value> {
    if schema.str_at(&["x-kubernetes-list-type"]) != "map" {
        return None;
    }
    let keys = schema.list_at(&["x-kubernetes-list-map-keys"]);
    let same = |other: &&Value| {
        keys.iter().filter_map(Value::as_str).all(|key| other.get(key) == item.get(key))
    };
    old.as_array()?.iter().find(same)
}
