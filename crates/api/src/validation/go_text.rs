//! How Go prints the values that upstream puts into its messages (`%#v`).

use apimachinery::field::quote;
use apimachinery::{ObjectExt as _, Value};

/// `map[string]string{"a":"b"}`, or `map[string]string(nil)` for none.
pub(super) fn string_map(value: Option<&Value>) -> String {
    let Some(map) = value.and_then(Value::as_object).filter(|map| !map.is_empty()) else {
        return "map[string]string(nil)".to_owned();
    };
    let entries: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{}:{}", quote(key), quote(value.as_str().unwrap_or_default())))
        .collect();
    format!("map[string]string{{{}}}", entries.join(", "))
}

/// `v1.LabelSelector{MatchLabels:…, MatchExpressions:…}`.
pub(super) fn label_selector(value: &Value) -> String {
    let expressions = value.list_at(&["matchExpressions"]);
    let list = if expressions.is_empty() {
        "[]v1.LabelSelectorRequirement(nil)".to_owned()
    } else {
        let entries: Vec<String> = expressions.iter().map(requirement).collect();
        format!("[]v1.LabelSelectorRequirement{{{}}}", entries.join(", "))
    };
    let labels = string_map(value.at(&["matchLabels"]));
    format!("v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:{list}}}")
}

fn requirement(value: &Value) -> String {
    let values = value.list_at(&["values"]);
    let list = if values.is_empty() {
        "[]string(nil)".to_owned()
    } else {
        let texts: Vec<String> =
            values.iter().map(|v| quote(v.as_str().unwrap_or_default())).collect();
        format!("[]string{{{}}}", texts.join(", "))
    };
    format!(
        "v1.LabelSelectorRequirement{{Key:{}, Operator:{}, Values:{list}}}",
        quote(value.str_at(&["key"])),
        quote(value.str_at(&["operator"])),
    )
}

/// `intstr.IntOrString{Type:0, IntVal:1, StrVal:""}`.
pub(super) fn int_or_string(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => {
            format!("intstr.IntOrString{{Type:1, IntVal:0, StrVal:{}}}", quote(text))
        }
        other => {
            let number = other.and_then(Value::as_i64).unwrap_or(0);
            format!("intstr.IntOrString{{Type:0, IntVal:{number}, StrVal:\"\"}}")
        }
    }
}
