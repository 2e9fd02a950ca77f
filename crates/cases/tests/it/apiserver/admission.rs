//! Limit ranges and the arithmetic of quotas.

use admission::limit_ranger::{check_claim, check_pod};
use admission::resource_quota::amounts;
use apimachinery::{Value, json};

use crate::harness::{Outcome, Row, Suites, same};

const LIMITS: &str = "apiserver/admission-limitranger.json";
const QUOTA_ADMISSION: &str = "apiserver/admission-resourcequota.json";
const QUOTA: &str = "apiserver/quota.json";

pub(super) fn register(suites: &mut Suites) {
    for (test, refused) in [("TestPodLimitFunc.L431", false), ("TestPodLimitFunc.L615", true)] {
        suites.add(LIMITS, test, move |row| {
            let errors = check_pod(row.arg("pod"), row.arg("limitRange"));
            same(&errors.is_empty(), &!refused)
        });
    }
    for (test, refused) in [
        ("TestPersistentVolumeClaimLimitFunc.L812", false),
        ("TestPersistentVolumeClaimLimitFunc.L830", true),
    ] {
        suites.add(LIMITS, test, move |row| {
            let errors = check_claim(row.arg("pvc"), row.arg("limitRange"));
            same(&errors.is_empty(), &!refused)
        });
    }
    for (function, field) in [
        ("minConstraint", "min"),
        ("maxConstraint", "max"),
        ("limitRequestRatioConstraint", "maxLimitRequestRatio"),
    ] {
        suites.add(LIMITS, function, move |row| constraint(row, field));
    }
    quota(suites);
}

/// One bound, put into a range of one limit.
fn constraint(row: &Row<'_>, field: &str) -> Outcome {
    let kind = row.text("limitType");
    let name = row.text("resourceName");
    let limit = json!({"type": kind, field: {name: row.arg("enforced")}});
    let range = json!({"spec": {"limits": [limit]}});
    let resources = json!({"requests": row.arg("request"), "limits": row.arg("limit")});
    let errors = if kind == "PersistentVolumeClaim" {
        check_claim(&json!({"spec": {"resources": resources}}), &range)
    } else {
        // A sum is printed in another form than an amount that is one container's alone.
        let list = if kind == "Pod" { "initContainers" } else { "containers" };
        check_pod(&json!({"spec": {list: [{"resources": resources}]}}), &range)
    };
    let want: Vec<&str> = row.result(0)["error"].as_str().into_iter().collect();
    same(&errors.iter().map(String::as_str).collect::<Vec<_>>(), &want)
}

fn quota(suites: &mut Suites) {
    let list = |value: &Value| amounts::read(Some(value));
    let printed = |list: &amounts::Amounts| amounts::to_value(list);
    suites.add(QUOTA, "TestAdd.L141", move |row| {
        same(&printed(&amounts::sum(&list(row.arg("a")), &list(row.arg("b")))), row.arg("expected"))
    });
    suites.add(QUOTA, "Add", move |row| {
        same(&printed(&amounts::sum(&list(row.arg("a")), &list(row.arg("b")))), row.result(0))
    });
    suites.add(QUOTA, "TestIsZero.L282", move |row| {
        same(&json!(amounts::is_zero(&list(row.arg("a")))), row.arg("expected"))
    });
    suites.add(QUOTA, "IsZero", move |row| {
        same(&json!(amounts::is_zero(&list(row.arg("a")))), row.result(0))
    });
    for name in ["TestEquals.L72", "Equals"] {
        suites.add(QUOTA, name, move |row| {
            let want = if row.out.is_empty() { row.arg("expected") } else { row.result(0) };
            same(&json!(list(row.arg("a")) == list(row.arg("b"))), want)
        });
    }
    suites.add(QUOTA_ADMISSION, "TestPrettyPrint.L126", move |row| {
        let list = list(row.arg("input"));
        let names: Vec<&String> = list.keys().collect();
        same(&amounts::print(&list, &names).as_str(), &row.text("expected"))
    });
}
