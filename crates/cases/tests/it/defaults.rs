//! Defaults of every group: an object with what its fields default to.

use api::Resource;
use apimachinery::{Value, json};

use crate::documents::{bare, same_document};
use crate::harness::{Outcome, Row, Suites, resource, same};

const APPS: &str = "validation-and-defaults/apps-v1-defaults.json";
const BATCH: &str = "validation-and-defaults/batch-v1-defaults.json";
const CORE: &str = "validation-and-defaults/core-v1-defaults.json.gz";
const EXTENSIONS: &str = "validation-and-defaults/extensions-v1beta1-defaults.json";
const CONFIGS: &str = "openshift-deployments/dc-v1-defaults.json";

fn defaulted(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    api::defaults::apply(resource, &mut object);
    object
}

/// A table of `original` and `expected` objects.
fn pairs(suites: &mut Suites, file: &'static str, test: &'static str, resource: &'static Resource) {
    // Upstream's tests compare nothing but the specs.
    let spec = |object: &Value| bare(&object["spec"]);
    suites.add(file, test, move |row| {
        same_document(&spec(&defaulted(resource, row.arg("original"))), &spec(row.arg("expected")))
    });
}

/// A table of objects and the `spec.replicas` they get.
fn replicas(
    suites: &mut Suites,
    file: &'static str,
    test: &'static str,
    arg: &'static str,
    resource: &'static Resource,
) {
    suites.add(file, test, move |row| {
        same(&defaulted(resource, row.arg(arg))["spec"]["replicas"], row.arg("expectReplicas"))
    });
}

pub(crate) fn register(suites: &mut Suites) {
    pairs(suites, APPS, "TestSetDefaultDaemonSetSpec.L157", resource("apps", "v1", "daemonsets"));
    pairs(suites, APPS, "TestSetDefaultDeployment.L420", resource("apps", "v1", "deployments"));
    pairs(suites, APPS, "TestSetDefaultStatefulSet.L270", resource("apps", "v1", "statefulsets"));
    replicas(
        suites,
        APPS,
        "TestSetDefaultReplicaSetReplicas.L499",
        "rs",
        resource("apps", "v1", "replicasets"),
    );
    pairs(
        suites,
        EXTENSIONS,
        "TestSetDefaultDaemonSetSpec.L147",
        resource("extensions", "v1beta1", "daemonsets"),
    );
    pairs(
        suites,
        EXTENSIONS,
        "TestSetDefaultDeployment.L286",
        resource("extensions", "v1beta1", "deployments"),
    );
    pairs(
        suites,
        EXTENSIONS,
        "TestSetDefaultNetworkPolicy.L712",
        resource("extensions", "v1beta1", "networkpolicies"),
    );
    replicas(
        suites,
        EXTENSIONS,
        "TestSetDefaultReplicaSetReplicas.L465",
        "rs",
        resource("extensions", "v1beta1", "replicasets"),
    );
    suites.add(EXTENSIONS, "TestSetDefaultReplicaSet.L389", |row| {
        owner(
            row,
            "rs",
            "/spec/selector/matchLabels",
            resource("extensions", "v1beta1", "replicasets"),
        )
    });
    suites.add(
        "validation-and-defaults/autoscaling-v1-defaults.json",
        "TestSetDefaultHPA.L55",
        |row| {
            let got = defaulted(
                resource("autoscaling", "v1", "horizontalpodautoscalers"),
                row.arg("hpa"),
            );
            same(&got["spec"]["minReplicas"], row.arg("expectReplicas"))
        },
    );
    suites.add(BATCH, "TestSetDefaultJob.L193", |row| {
        let got = defaulted(resource("batch", "v1", "jobs"), row.arg("original"));
        let fields = ["completions", "parallelism", "backoffLimit"];
        let read = |object: &Value| fields.map(|field| object["spec"][field].clone());
        same(&read(&got), &read(row.arg("expected")))
    });
    core(suites);
    suites.add(CONFIGS, "TestDefaults.L544", |row| {
        let mut got = bare(&defaulted(&api::DEPLOYMENT_CONFIGS, row.arg("original")));
        // Upstream's strategy adds it for the group's clients, after the defaults.
        got["spec"].as_object_mut().expect("a spec").remove("revisionHistoryLimit");
        same_document(&got, &bare(row.arg("expected")))
    });
}

fn core(suites: &mut Suites) {
    replicas(
        suites,
        CORE,
        "TestSetDefaultReplicationControllerReplicas.L219",
        "rc",
        &api::REPLICATION_CONTROLLERS,
    );
    suites.add(CORE, "TestSetDefaultReplicationController.L143", |row| {
        owner(row, "rc", "/spec/selector", &api::REPLICATION_CONTROLLERS)
    });
    suites.add(CORE, "TestSetDefaultServiceSessionAffinityConfig.L695", |row| {
        let got = defaulted(&api::SERVICES, row.input);
        same(&got["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"], &json!(10800))
    });
    suites.add(CORE, "TestSetDefaultNodeStatusAllocatable.L1094", |row| {
        let node = json!({"status": {"capacity": row.arg("capacity"), "allocatable": row.arg("allocatable")}});
        same(&bare(&defaulted(&api::NODES, &node))["status"]["allocatable"], row.arg("expectedAllocatable"))
    });
    suites.add(CORE, "TestSetDefaultReplicationControllerInitContainers.L638", |row| {
        let got = defaulted(&api::REPLICATION_CONTROLLERS, row.arg("rc"));
        let containers = &got["spec"]["template"]["spec"]["initContainers"];
        row.arg("expected")
            .as_array()
            .into_iter()
            .flatten()
            .zip(containers.as_array().expect("containers"))
            .fold(Outcome::Pass, |outcome, (want, got)| outcome.and(|| contains(got, &bare(want))))
    });
    suites.add(CORE, "TestResourceListConversion.L221", |row| {
        let node = json!({"status": {"capacity": row.arg("input")}});
        same(&defaulted(&api::NODES, &node)["status"]["capacity"], row.arg("expected"))
    });
}

/// Whether labels and selector of an owner are taken from its template.
fn owner(row: &Row<'_>, arg: &str, selector: &str, resource: &Resource) -> Outcome {
    let got = defaulted(resource, row.arg(arg));
    let labels = &got["spec"]["template"]["metadata"]["labels"];
    let as_expected = |taken: bool, expected: &str| same(&taken, &(row.arg(expected) == true));
    as_expected(got["metadata"]["labels"] == *labels, "expectLabels")
        .and(|| as_expected(got.pointer(selector) == Some(labels), "expectSelector"))
}

/// Whether `got` has everything that `want` has.
fn contains(got: &Value, want: &Value) -> Outcome {
    match (got, want) {
        (Value::Object(got), Value::Object(want)) => {
            want.iter().fold(Outcome::Pass, |outcome, (key, want)| {
                outcome.and(|| contains(got.get(key).unwrap_or(&Value::Null), want))
            })
        }
        (Value::Array(got), Value::Array(want)) if got.len() == want.len() => got
            .iter()
            .zip(want)
            .fold(Outcome::Pass, |outcome, (got, want)| outcome.and(|| contains(got, want))),
        _ => same(got, want),
    }
}
