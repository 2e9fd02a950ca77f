//! Lists of amounts by the name of the resource, and their arithmetic.
//!
//! Mirrors: `kubernetes/pkg/quota/resources.go`.

use std::collections::BTreeMap;

use apimachinery::Value;
use apimachinery::quantity::Quantity;
use apimachinery::{Map, json};

/// Amounts by the name of the resource.
pub type Amounts = BTreeMap<String, Quantity>;

/// Reads a list; what is no amount is left out.
#[must_use]
pub fn read(list: Option<&Value>) -> Amounts {
    let entries = list.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(name, text)| Some((name.to_string(), Quantity::from_json(text).ok()?)))
        .collect()
}

/// The list as it stands in an object.
#[must_use]
pub fn to_value(list: &Amounts) -> Value {
    let map: Map =
        list.iter().map(|(name, amount)| (name.clone(), json!(amount.to_string()))).collect();
    Value::Object(map)
}

/// Adds `other` to `list`.
pub fn add(list: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        *list.entry(name.clone()).or_default() += amount;
    }
}

/// Both lists together.
#[must_use]
pub fn sum(one: &Amounts, other: &Amounts) -> Amounts {
    let mut list = one.clone();
    add(&mut list, other);
    list
}

/// Takes `other` away, but nothing below zero.
pub fn subtract_to_zero(list: &mut Amounts, other: &Amounts) {
    for (name, amount) in list {
        if let Some(other) = other.get(name) {
            *amount -= other;
            if amount.is_negative() {
                *amount = Quantity::default();
            }
        }
    }
}

/// The part of `list` whose names are in `names`.
#[must_use]
pub fn mask(list: &Amounts, names: &Amounts) -> Amounts {
    let kept = list.iter().filter(|(name, _)| names.contains_key(*name));
    kept.map(|(name, amount)| (name.clone(), amount.clone())).collect()
}

/// Whether nothing is in it.
#[must_use]
pub fn is_zero(list: &Amounts) -> bool {
    list.values().all(Quantity::is_zero)
}

/// The named amounts as messages show them: `a=1,b=2`.
#[must_use]
pub fn print(list: &Amounts, names: &[&String]) -> String {
    let entries = names.iter().filter_map(|name| Some(format!("{name}={}", list.get(*name)?)));
    entries.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of upstream's `TestAdd`, `TestSubtractWithNonNegativeResult` and `TestMask`.
    #[test]
    fn arithmetic() {
        let list = |value: Value| read(Some(&value));
        let cpu = |amount: &str| list(json!({"cpu": amount}));
        assert_eq!(sum(&cpu("100m"), &list(json!({}))), cpu("100m"));
        assert_eq!(sum(&cpu("100m"), &cpu("100m")), cpu("200m"));
        let mut less = cpu("100m");
        subtract_to_zero(&mut less, &cpu("200m"));
        assert_eq!(less, cpu("0"));
        assert_eq!(mask(&list(json!({"cpu": "1", "pods": "2"})), &cpu("9")), cpu("1"));
        assert!(is_zero(&list(json!({"cpu": "0", "memory": "0"}))));
        let mixed = sum(&list(json!({"memory": "64Mi"})), &list(json!({"memory": "128Mi"})));
        assert_eq!(to_value(&mixed), json!({"memory": "192Mi"}));
    }
}
