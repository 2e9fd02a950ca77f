//! Label and field selectors.

use std::collections::BTreeSet;

use apimachinery::selector::{
    FieldOperator, FieldSelector, LabelSelector, Operator, Requirement, escape, parse_labels,
    unescape,
};
use apimachinery::{Value, json};

use crate::harness::{Outcome, Row, Suites, same};

const LABELS: &str = "apimachinery/apimachinery-labels.json";
const FIELDS: &str = "apimachinery/apimachinery-fields.json";
const META: &str = "apimachinery/meta-v1.json";

const OPERATORS: [(&str, Operator); 9] = [
    ("in", Operator::In),
    ("notin", Operator::NotIn),
    ("=", Operator::Equals),
    ("==", Operator::DoubleEquals),
    ("!=", Operator::NotEquals),
    ("exists", Operator::Exists),
    ("!", Operator::DoesNotExist),
    ("gt", Operator::GreaterThan),
    ("lt", Operator::LessThan),
];

fn requirement(requirement: &Requirement) -> Value {
    let name = OPERATORS.iter().find(|(_, operator)| *operator == requirement.operator);
    let name = name.expect("every operator has a name").0;
    let mut document = json!({"key": requirement.key, "operator": name});
    if !requirement.values.is_empty() {
        document["strValues"] = json!(requirement.values);
    }
    document
}

/// A selector as upstream's tests print it. The order of requirements with different keys carries
/// no meaning.
fn selector(selector: &LabelSelector) -> BTreeSet<String> {
    selector.requirements().iter().map(|one| requirement(one).to_string()).collect()
}

fn wanted(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(Value::to_string).collect()
}

/// Compares a result with upstream's value and error.
fn result<T, E: std::fmt::Display>(
    got: Result<T, E>,
    error: &Value,
    value: impl FnOnce(T) -> Outcome,
) -> Outcome {
    match (got, error["error"].as_str()) {
        (Ok(got), None) => value(got),
        (Err(got), Some(want)) => same(&got.to_string().as_str(), &want),
        // An error of another type, recorded without its text.
        (Err(_), None) if !error.is_null() => Outcome::Pass,
        (Ok(_), Some(want)) => Outcome::Fail(format!("no error, want {want}")),
        (Err(got), None) => Outcome::Fail(format!("error {got}")),
    }
}

fn texts(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(map) => map.keys().map(|key| key.to_string()).collect(),
        list => list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    }
}

fn operator(name: &str) -> Operator {
    OPERATORS.iter().find(|(known, _)| *known == name).expect("a known operator").1
}

pub(super) fn register(suites: &mut Suites) {
    labels(suites);
    label_tables(suites);
    fields(suites);
    suites.add(META, "LabelSelectorAsSelector", |row| {
        result(LabelSelector::from_json(row.arg("ps")), row.result(1), |got| {
            let nothing = row.result(0).is_object();
            same(&(got.is_nothing(), selector(&got)), &(nothing, wanted(row.result(0))))
        })
    });
    suites.add(META, "TestLabelSelectorAsSelector.L72", |row| {
        let got = LabelSelector::from_json(row.arg("in")).expect("no row fails");
        let nothing = row.arg("out").is_object();
        same(&(got.is_nothing(), selector(&got)), &(nothing, wanted(row.arg("out"))))
    });
}

fn labels(suites: &mut Suites) {
    suites.add(LABELS, "Parse", |row| {
        result(LabelSelector::parse(row.text("selector")), row.result(1), |got| {
            same(&selector(&got), &wanted(row.result(0)))
        })
    });
    suites.add(LABELS, "NewRequirement", |row| {
        let got =
            Requirement::new(row.text("key"), operator(row.text("op")), texts(row.arg("vals")));
        result(got, row.result(1), |got| same(&requirement(&got), row.result(0)))
    });
    suites.add(LABELS, "ConvertSelectorToLabelsMap", |row| {
        result(parse_labels(row.text("selector")), row.result(1), |got| {
            same(&json!(got), row.result(0))
        })
    });
}

fn label_tables(suites: &mut Suites) {
    suites.add(LABELS, "TestSelectorParse.L47", |row| {
        same(&LabelSelector::parse(row.word()).is_ok(), &true)
    });
    suites.add(LABELS, "TestSelectorParse.L56", |row| {
        same(&LabelSelector::parse(row.word()).is_ok(), &false)
    });
    suites.add(LABELS, "TestSetSelectorParser.L516", |row| {
        match LabelSelector::parse(row.text("In")) {
            Ok(got) if row.arg("Valid") == true => {
                let got: Vec<Value> = got.requirements().iter().map(requirement).collect();
                let want = row.arg("Out").as_array().cloned().unwrap_or_default();
                same(&(got == want), &(row.arg("Match") == true))
            }
            got => same(&got.is_ok(), &(row.arg("Valid") == true)),
        }
    });
    suites.add(LABELS, "TestRequirementConstructor.L322", |row| {
        let got =
            Requirement::new(row.text("Key"), operator(row.text("Op")), texts(row.arg("Vals")));
        same(&got.is_ok(), &(row.arg("Success") == true))
    });
    suites.add(LABELS, "TestLabelSelectorParse.L219", |row| {
        let got = parse_labels(row.text("selector"));
        if row.arg("valid") == true {
            return same(&json!(got.expect("valid")), row.arg("labels"));
        }
        same(&got.is_err(), &true)
    });
    suites.add(LABELS, "TestToString.L370", |row| {
        let Some(got) = built(row.arg("In")) else {
            return same(&false, &(row.arg("Valid") == true));
        };
        same(&got.to_string().as_str(), &row.text("Out"))
    });
    suites.add(LABELS, "TestRequirementSelectorMatching.L419", |row| {
        let Some(got) = built(row.arg("Sel")) else { return Outcome::Skip };
        same(&got.matches(row.arg("Set").as_object()), &(row.arg("Match") == true))
    });
    suites.add(LABELS, "TestAdd.L565", |row| {
        let mut got = built(row.arg("sel")).expect("a selector");
        let added = Requirement::new(
            row.text("key"),
            operator(row.text("operator")),
            texts(row.arg("values")),
        );
        got.add(added.expect("a requirement"));
        same(&selector(&got), &wanted(row.arg("refSelector")))
    });
}

/// A selector from upstream's structs; none when one of them is the empty struct.
fn built(list: &Value) -> Option<LabelSelector> {
    let one = |document: &Value| {
        let name = document["operator"].as_str()?;
        Requirement::new(document["key"].as_str()?, operator(name), texts(&document["strValues"]))
            .ok()
    };
    let requirements: Option<Vec<_>> = list.as_array()?.iter().map(one).collect();
    Some(LabelSelector::new(requirements?))
}

fn fields(suites: &mut Suites) {
    suites.add(FIELDS, "EscapeValue", |row| {
        same(&escape(row.text("s")).as_str(), &row.result(0).as_str().expect("a text"))
    });
    suites
        .add(FIELDS, "TestEscapeValue.L104", |row| same(&escape(row.name()).as_str(), &row.word()));
    suites.add(FIELDS, "UnescapeValue", |row| match unescape(row.text("s")) {
        Ok(got) => {
            same(&Some(got.as_str()), &row.result(0).as_str().filter(|_| row.result(1).is_null()))
        }
        Err(_) => same(&row.result(1).is_null(), &false),
    });
    suites.add(FIELDS, "ParseSelector", parse_fields);
    suites.add(FIELDS, "TestSelectorParse.L149", |row| {
        same(&FieldSelector::parse(row.word()).is_ok(), &true)
    });
    suites.add(FIELDS, "TestSelectorParse.L158", |row| {
        same(&FieldSelector::parse(row.word()).is_ok(), &false)
    });
}

fn parse_fields(row: &Row<'_>) -> Outcome {
    result(FieldSelector::parse(row.text("selector")), row.result(1), |got| {
        let got: Vec<Value> = got
            .requirements()
            .iter()
            .map(|one| json!([one.field, one.operator == FieldOperator::Equals, one.value]))
            .collect();
        let want = match row.result(0) {
            Value::Array(list) => list.to_vec(),
            Value::Object(one) if one.is_empty() => Vec::new(),
            one => vec![one.clone()],
        };
        let term = |term: &Value| {
            let text = |key: &str| term[key].as_str().unwrap_or_default().to_owned();
            json!([text("field"), term["_type"] != "fields.notHasTerm", text("value")])
        };
        same(&got, &want.iter().map(term).collect())
    })
}
