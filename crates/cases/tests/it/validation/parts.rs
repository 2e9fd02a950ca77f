//! Parts of the kinds of the other groups, and statuses.

use apimachinery::field::Error;
use apimachinery::{Value, json};

use super::{Place, part};
use crate::errors::{agree, below, path};
use crate::harness::{Outcome, Row, Suites, resource, same};

const APPS: &str = "validation-and-defaults/apps-validation.json";
const AUTOSCALING: &str = "validation-and-defaults/autoscaling-validation.json";
const BATCH: &str = "validation-and-defaults/batch-validation.json";
const CORE: &str = "validation-and-defaults/core-validation.json.gz";
const CRD: &str = "validation-and-defaults/crd-validation.json";
const EXTENSIONS: &str = "validation-and-defaults/extensions-validation.json";
const NETWORKING: &str = "validation-and-defaults/networking-validation.json";
const POLICY: &str = "validation-and-defaults/policy-validation.json";
const RBAC: &str = "validation-and-defaults/rbac-validation.json";

type Kind = (&'static str, &'static str, &'static str);

fn empty() -> Value {
    json!({"metadata": {"name": "name", "namespace": "namespace"}})
}

pub(super) fn register(suites: &mut Suites) {
    statuses(suites);
    definitions(suites);
    sysctls(suites);
    for (file, name, args, kind, pointer, field) in [
        (
            AUTOSCALING,
            "ValidateCrossVersionObjectReference",
            ["ref", "fldPath"],
            ("autoscaling", "v1", "horizontalpodautoscalers"),
            "/spec/scaleTargetRef",
            "spec.scaleTargetRef",
        ),
        (
            BATCH,
            "ValidateJobTemplateSpec",
            ["spec", "fldPath"],
            ("batch", "v1beta1", "cronjobs"),
            "/spec/jobTemplate",
            "spec.jobTemplate",
        ),
        (
            EXTENSIONS,
            "ValidateDeploymentStrategy",
            ["strategy", "fldPath"],
            ("extensions", "v1beta1", "deployments"),
            "/spec/strategy",
            "spec.strategy",
        ),
        (
            EXTENSIONS,
            "ValidateDaemonSetUpdateStrategy",
            ["strategy", "fldPath"],
            ("extensions", "v1beta1", "daemonsets"),
            "/spec/updateStrategy",
            "spec.updateStrategy",
        ),
    ] {
        let resource = resource(kind.0, kind.1, kind.2);
        part(suites, file, name, args, Place { resource, base: empty, pointer, field });
    }
    listed(suites);
    suites.add(POLICY, "ValidatePodSecurityPolicySpecificAnnotations", |row| {
        let policy = json!({"metadata": {"name": "name", "annotations": row.arg("annotations")}});
        let resource = resource("policy", "v1beta1", "podsecuritypolicies");
        let errors = api::validation::create(resource, &policy);
        let to = path(row.arg("fldPath")).expect("a path").to_string();
        agree(&below(errors, "metadata.annotations", &to), row.result(0))
    });
}

/// Entries of lists, put first into their list.
fn listed(suites: &mut Suites) {
    const POLICIES: Kind = ("networking.k8s.io", "v1", "networkpolicies");
    for (file, name, args, kind, base, field) in [
        (
            NETWORKING,
            "ValidateNetworkPolicyPeer",
            ["peer", "peerPath"],
            POLICIES,
            (|entry| json!({"spec": {"ingress": [{"from": [entry]}]}})) as fn(Value) -> Value,
            "spec.ingress[0].from[0]",
        ),
        (
            NETWORKING,
            "ValidateIPBlock",
            ["ipb", "fldPath"],
            POLICIES,
            |entry| json!({"spec": {"ingress": [{"from": [{"ipBlock": entry}]}]}}),
            "spec.ingress[0].from[0].ipBlock",
        ),
        (
            NETWORKING,
            "ValidateNetworkPolicyPort",
            ["port", "portPath"],
            POLICIES,
            |entry| json!({"spec": {"ingress": [{"ports": [entry]}]}}),
            "spec.ingress[0].ports[0]",
        ),
    ] {
        let resource = resource(kind.0, kind.1, kind.2);
        suites.add(file, name, move |row| entry(row, args, resource, base, field));
    }
    for (name, args, plural, cluster_plural, base, field) in [
        (
            "ValidatePolicyRule",
            ["rule", "fldPath"],
            "roles",
            "clusterroles",
            (|entry| json!({"rules": [entry]})) as fn(Value) -> Value,
            "rules[0]",
        ),
        (
            "ValidateRoleBindingSubject",
            ["subject", "fldPath"],
            "rolebindings",
            "clusterrolebindings",
            |entry| json!({"subjects": [entry]}),
            "subjects[0]",
        ),
    ] {
        suites.add(RBAC, name, move |row| {
            let plural = if row.arg("isNamespaced") == true { plural } else { cluster_plural };
            let resource = resource("rbac.authorization.k8s.io", "v1", plural);
            entry(row, args, resource, base, field)
        });
    }
}

fn entry(
    row: &Row<'_>,
    [arg, path_arg]: [&str; 2],
    resource: &api::Resource,
    base: fn(Value) -> Value,
    field: &str,
) -> Outcome {
    let mut object = base(row.arg(arg).clone());
    object["metadata"] = empty()["metadata"].clone();
    let to = path(row.arg(path_arg)).expect("a path").to_string();
    agree(&below(api::validation::create(resource, &object), field, &to), row.result(0))
}

#[expect(clippy::too_many_lines, reason = "a flat table of kinds")]
fn statuses(suites: &mut Suites) {
    for (file, name, path_arg, kind) in [
        (EXTENSIONS, "ValidateDeploymentStatus", "fldPath", ("apps", "v1", "deployments")),
        (EXTENSIONS, "ValidateReplicaSetStatus", "fldPath", ("apps", "v1", "replicasets")),
        (APPS, "ValidateStatefulSetStatus", "fieldPath", ("apps", "v1", "statefulsets")),
        (BATCH, "ValidateJobStatus", "fldPath", ("batch", "v1", "jobs")),
        (
            POLICY,
            "ValidatePodDisruptionBudgetStatus",
            "fldPath",
            ("policy", "v1beta1", "poddisruptionbudgets"),
        ),
        (
            CORE,
            "ValidateReplicationControllerStatus",
            "statusPath",
            ("", "v1", "replicationcontrollers"),
        ),
    ] {
        let resource = resource(kind.0, kind.1, kind.2);
        suites.add(file, name, move |row| {
            let mut status = row.arg("status").clone();
            // The internal name of a field.
            if let Some(allowed) =
                status.as_object_mut().and_then(|s| s.remove("podDisruptionsAllowed"))
            {
                status["disruptionsAllowed"] = allowed;
            }
            let to = path(row.arg(path_arg)).expect("a path").to_string();
            let (mut new, old) = (empty(), empty());
            new["status"] = status;
            agree(&status_errors(resource, &new, &old, &to), row.result(0))
        });
    }
    suites.add(BATCH, "ValidateJobStatusUpdate", |row| {
        let (mut new, mut old) = (empty(), empty());
        new["status"] = row.arg("status").clone();
        old["status"] = row.arg("oldStatus").clone();
        let resource = resource("batch", "v1", "jobs");
        agree(&status_errors(resource, &new, &old, "status"), row.result(0))
    });
    for (file, name, [new, old], kind) in [
        (
            EXTENSIONS,
            "ValidateDaemonSetStatusUpdate",
            ["ds", "oldDS"],
            ("apps", "v1", "daemonsets"),
        ),
        (
            EXTENSIONS,
            "ValidateDeploymentStatusUpdate",
            ["update", "old"],
            ("apps", "v1", "deployments"),
        ),
        (
            EXTENSIONS,
            "ValidateReplicaSetStatusUpdate",
            ["rs", "oldRs"],
            ("apps", "v1", "replicasets"),
        ),
        (
            EXTENSIONS,
            "ValidateIngressStatusUpdate",
            ["ingress", "oldIngress"],
            ("extensions", "v1beta1", "ingresses"),
        ),
        (
            CORE,
            "ValidateReplicationControllerStatusUpdate",
            ["controller", "oldController"],
            ("", "v1", "replicationcontrollers"),
        ),
    ] {
        let resource = resource(kind.0, kind.1, kind.2);
        suites.add(file, name, move |row| {
            let got = status_errors(resource, row.arg(new), row.arg(old), "status");
            // Metadata is compared where whole objects change.
            let want: Vec<Value> =
                row.result(0).as_array().into_iter().flatten().cloned().collect();
            let of_status = |error: &Value| {
                error["field"].as_str().is_some_and(|field| field.starts_with("status"))
            };
            let want: Value = want.into_iter().filter(of_status).collect();
            agree(&got, &want)
        });
    }
}

fn status_errors(resource: &api::Resource, new: &Value, old: &Value, to: &str) -> Vec<Error> {
    below(api::validation::update(resource, new, old), "status", to)
}

fn definitions(suites: &mut Suites) {
    const KIND: Kind = ("apiextensions.k8s.io", "v1beta1", "customresourcedefinitions");
    let create = |object: &Value| {
        let mut object = object.clone();
        object["metadata"] = json!({"name": "name"});
        api::validation::create(resource(KIND.0, KIND.1, KIND.2), &object)
    };
    suites.add(CRD, "ValidateCustomResourceDefinitionNames", move |row| {
        let mut errors = create(&json!({"spec": {"names": row.arg("names")}}));
        // Upstream asks for the names apart from their form.
        errors.retain(|error| error.kind != apimachinery::field::ErrorKind::Required);
        let to = path(row.arg("fldPath")).expect("a path").to_string();
        agree(&below(errors, "spec.names", &to), row.result(0))
    });
    suites.add(CRD, "ValidateCustomResourceDefinitionStatus", move |row| {
        let mut errors = create(&json!({"status": row.arg("status")}));
        errors.retain(|error| !error.field.to_string().starts_with("status.storedVersions"));
        agree(&below(errors, "status", "status"), row.result(0))
    });
    suites.add(CRD, "ValidateCustomResourceDefinitionStoredVersions", move |row| {
        let status = json!({"storedVersions": row.arg("storedVersions")});
        let errors = create(&json!({"spec": {"versions": row.arg("versions")}, "status": status}));
        let at = "status.storedVersions";
        agree(&below(errors, at, at), row.result(0))
    });
    suites.add(CRD, "ValidateCustomResourceDefinitionSpec", move |row| {
        // An empty schema is left out of the recording.
        if row.result(0).to_string().contains("mutual exclusive") {
            return Outcome::Skip;
        }
        let errors = create(&json!({"spec": row.arg("spec")}));
        agree(&below(errors, "spec", "spec"), row.result(0))
    });
}

/// Names and patterns of kernel parameters; some rows of the tables are bytes of padding.
fn sysctls(suites: &mut Suites) {
    let pattern = |text: &str| {
        let policy = json!({"metadata": {"name": "a"}, "spec": {"forbiddenSysctls": [text]}});
        let resource = resource("policy", "v1beta1", "podsecuritypolicies");
        let errors = api::validation::create(resource, &policy);
        below(errors, "spec.forbiddenSysctls", "at").is_empty()
    };
    let name = |text: &str| {
        let mut pod = super::core::pod();
        pod["spec"]["securityContext"] = json!({"sysctls": [{"name": text}]});
        let errors = api::validation::create(&api::PODS, &pod);
        below(errors, "spec.securityContext.sysctls", "at").is_empty()
    };
    for (file, test, valid, check) in [
        (POLICY, "TestIsValidSysctlPattern.L747", true, pattern as fn(&str) -> bool),
        (POLICY, "TestIsValidSysctlPattern.L752", false, pattern),
        (CORE, "TestIsValidSysctlName.L12749", true, name),
        (CORE, "TestIsValidSysctlName.L12754", false, name),
    ] {
        suites.add(file, test, move |row| same(&check(row.word()), &valid));
    }
    suites.add(CORE, "IsValidSysctlName", move |row| {
        same(&json!(name(row.text("name"))), row.result(0))
    });
}
