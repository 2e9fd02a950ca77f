//! The small languages: selectors, quantities, JSON paths.
//!
//! Holds: what was read, written and read again is the same and means the same.

use std::str::FromStr as _;

use apimachinery::json;
use apimachinery::quantity::Quantity;
use apimachinery::selector::{FieldSelector, LabelSelector};

use super::{Target, check, kind, samples};

pub(super) const LABEL_SELECTOR: Target = Target {
    name: "label-selector",
    samples: || {
        samples(&[
            "app=web,tier!=back",
            "a in (x, y),b notin (z),!c,d",
            "example.com/a==b,n>3,m<10",
            "x=,y in (),z in (,)",
        ])
    },
    words: &[" in ", " notin ", "==", "!=", "=", ",", "(", ")", "!", ">", "<", "a/b", "9"],
    max: 60_000,
    attempt: label_selector,
};

pub(super) const FIELD_SELECTOR: Target = Target {
    name: "field-selector",
    samples: || {
        samples(&[
            "metadata.name=a,spec.nodeName!=b",
            "status.phase==Running",
            "involvedObject.name=a\\,b\\=c\\\\",
        ])
    },
    words: &["=", "==", "!=", ",", "\\", "\\,", "\\=", "metadata.name"],
    max: 60_000,
    attempt: field_selector,
};

pub(super) const QUANTITY: Target = Target {
    name: "quantity",
    samples: || {
        samples(&[
            "1",
            "100m",
            "1.5Gi",
            "-2.25k",
            "1e3",
            "12E",
            "+0.000001n",
            "9223372036854775807",
            "1E-9",
            "0Ki",
            "340282366920938463463374607431768211456",
            ".5",
            "5.",
        ])
    },
    words: &[
        "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ei", "e", "-", "+", ".",
    ],
    max: 4_000,
    attempt: quantity,
};

pub(super) const JSON_PATH: Target = Target {
    name: "json-path",
    samples: || {
        samples(&[
            ".status.conditions[?(@.type==\"Ready\")].status",
            "$.a['b.c'][-1][*].d",
            ".metadata.annotations.a\\.b/c",
            ".a[0].b[?(@.c==3)]",
        ])
    },
    words: &[".", "[", "]", "?(", "@", "==", ")", "'", "\"", "*", "\\", "$", "a", "b", "-1"],
    max: 60_000,
    attempt: json_path,
};

fn label_selector(input: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(input);
    let selector = match LabelSelector::parse(&text) {
        Ok(selector) => selector,
        Err(error) => return Ok(kind(&error.to_string())),
    };
    let written = selector.to_string();
    let again = LabelSelector::parse(&written)
        .map_err(|error| format!("cannot read back {written:?}: {error}"))?;
    check(again == selector, || format!("{written:?} is another selector"))?;
    let mut matched = String::new();
    for labels in [json!({}), json!({"a": "x", "b": "z", "n": "5"}), json!({"app": "web"})] {
        let labels = labels.as_object();
        check(selector.matches(labels) == again.matches(labels), || "matches differ".to_owned())?;
        matched.push(if selector.matches(labels) { 'y' } else { 'n' });
    }
    Ok(format!("{matched}{}", selector.requirements().len().min(5)))
}

fn field_selector(input: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(input);
    let selector = match FieldSelector::parse(&text) {
        Ok(selector) => selector,
        Err(error) => return Ok(kind(&error.to_string())),
    };
    let written = selector.to_string();
    let again = FieldSelector::parse(&written)
        .map_err(|error| format!("cannot read back {written:?}: {error}"))?;
    // The order is that of the texts, which need not stay: what counts is what is required.
    let required = |selector: &FieldSelector| {
        let mut all: Vec<_> =
            selector.requirements().iter().map(|each| format!("{each:?}")).collect();
        all.sort();
        all
    };
    check(required(&again) == required(&selector), || format!("{written:?} is another selector"))?;
    let matched = selector.matches(|field| field.to_owned());
    Ok(format!("{matched}{}", selector.requirements().len().min(5)))
}

fn quantity(input: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(input);
    let quantity = match Quantity::parse(&text) {
        Ok(quantity) => quantity,
        Err(error) => return Ok(kind(&error.to_string())),
    };
    let written = quantity.canonical();
    let again = Quantity::from_str(&written)
        .map_err(|error| format!("cannot read back {written:?}: {error}"))?;
    check(again == quantity, || format!("{text:?} became {written:?}"))?;
    // A binary quantity without a suffix is read as a decimal one, which may be written shorter.
    let settled = again.canonical();
    let third = Quantity::parse(&settled).map(|third| third.canonical());
    check(third.as_ref() == Ok(&settled), || format!("{settled:?} is not canonical"))?;
    let mut sum = quantity.clone();
    sum += &Quantity::from_millis(1);
    check(sum >= quantity, || format!("{written} and a little more is less"))?;
    sum -= &quantity;
    let negative = -quantity.clone();
    check(negative.is_negative() != quantity.is_negative() || quantity.is_zero(), || {
        format!("{written} has the sign of its opposite")
    })?;
    Ok(format!(
        "{:?}{}{}",
        quantity.format(),
        quantity.value().signum(),
        sum.milli_value().signum()
    ))
}

fn json_path(input: &[u8]) -> Result<String, String> {
    let object = json!({
        "a": [{"b": [{"c": 3, "d": "x"}], "b.c": 1}],
        "metadata": {"annotations": {"a.b/c": "x"}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    });
    let path = String::from_utf8_lossy(input);
    let found = apiserver::json_path(&path, &object);
    Ok(found.map(ToString::to_string).unwrap_or_default())
}
