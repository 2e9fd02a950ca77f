//! What objects use of a quota.

use admission::resource_quota::{amounts, usage};
use apimachinery::Value;
use world::Time;

use crate::documents::same_document;
use crate::harness::{Outcome, Row, Suites, same};

const FILE: &str = "openshift-misc/quota-evaluator.json";

/// The instant of upstream's pods that have been deleted.
const NOW: &str = "2026-11-20T11:55:06Z";

pub(crate) fn register(suites: &mut Suites) {
    suites.add(FILE, "PodUsageFunc", |row| uses(&api::PODS, row.arg("obj"), row.result(0)));
    suites.add(FILE, "Usage", |row| {
        let item = row.arg("item");
        let resource = match item["kind"].as_str() {
            Some("Pod") => &api::PODS,
            Some("Service") => &api::SERVICES,
            _ => &api::PERSISTENT_VOLUME_CLAIMS,
        };
        uses(resource, item, row.result(0))
    });
    for (table, field, resource) in [
        ("TestPersistentVolumeClaimEvaluatorUsage.L103", "pvc", &api::PERSISTENT_VOLUME_CLAIMS),
        ("TestPodEvaluatorUsage.L418", "pod", &api::PODS),
        ("TestServiceEvaluatorUsage.L141", "service", &api::SERVICES),
    ] {
        suites.add(FILE, table, move |row| uses(resource, row.arg(field), row.arg("usage")));
    }
    suites.add(FILE, "TestPodConstraintsFunc.L69", unspecified);
}

fn uses(resource: &'static api::Resource, object: &Value, want: &Value) -> Outcome {
    let now = Time::parse_rfc3339(NOW).expect("an instant");
    same_document(&amounts::to_value(&usage::of(resource, object, now)), want)
}

fn unspecified(row: &Row<'_>) -> Outcome {
    let required = row.arg("required").as_array().into_iter().flatten();
    let hard =
        required.map(|name| (name.as_str().unwrap_or_default().to_owned(), Default::default()));
    let missing = usage::unspecified(row.arg("pod"), &hard.collect());
    same(&format!("must specify {}", missing.join(",")).as_str(), &row.text("err"))
}
