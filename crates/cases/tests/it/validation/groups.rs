//! The other Kubernetes groups.

use super::{Place, change, part, whole};
use crate::errors::agree;
use crate::harness::{Outcome, Suites, resource};
use apimachinery::json;

const APPS: &str = "validation-and-defaults/apps-validation.json";
const AUTOSCALING: &str = "validation-and-defaults/autoscaling-validation.json";
const BATCH: &str = "validation-and-defaults/batch-validation.json";
const EXTENSIONS: &str = "validation-and-defaults/extensions-validation.json";
const NETWORKING: &str = "validation-and-defaults/networking-validation.json";
const POLICY: &str = "validation-and-defaults/policy-validation.json";
const RBAC: &str = "validation-and-defaults/rbac-validation.json";
const STORAGE: &str = "validation-and-defaults/storage-validation.json.gz";
const CRD: &str = "validation-and-defaults/crd-validation.json";

pub(super) fn register(suites: &mut Suites) {
    for (file, name, arg, kind) in [
        (APPS, "ValidateControllerRevision", "revision", ("apps", "v1", "controllerrevisions")),
        (APPS, "ValidateStatefulSet", "statefulSet", ("apps", "v1", "statefulsets")),
        (
            AUTOSCALING,
            "ValidateHorizontalPodAutoscaler",
            "autoscaler",
            ("autoscaling", "v1", "horizontalpodautoscalers"),
        ),
        (BATCH, "ValidateCronJob", "scheduledJob", ("batch", "v1beta1", "cronjobs")),
        (BATCH, "ValidateJob", "job", ("batch", "v1", "jobs")),
        (EXTENSIONS, "ValidateDaemonSet", "ds", ("extensions", "v1beta1", "daemonsets")),
        (EXTENSIONS, "ValidateDeployment", "obj", ("extensions", "v1beta1", "deployments")),
        (EXTENSIONS, "ValidateIngress", "ingress", ("extensions", "v1beta1", "ingresses")),
        (EXTENSIONS, "ValidateReplicaSet", "rs", ("extensions", "v1beta1", "replicasets")),
        (NETWORKING, "ValidateNetworkPolicy", "np", ("networking.k8s.io", "v1", "networkpolicies")),
        (POLICY, "ValidatePodSecurityPolicy", "psp", ("policy", "v1beta1", "podsecuritypolicies")),
        (RBAC, "ValidateClusterRole", "role", ("rbac.authorization.k8s.io", "v1", "clusterroles")),
        (
            RBAC,
            "ValidateClusterRoleBinding",
            "roleBinding",
            ("rbac.authorization.k8s.io", "v1", "clusterrolebindings"),
        ),
        (RBAC, "ValidateRole", "role", ("rbac.authorization.k8s.io", "v1", "roles")),
        (
            RBAC,
            "ValidateRoleBinding",
            "roleBinding",
            ("rbac.authorization.k8s.io", "v1", "rolebindings"),
        ),
        (
            STORAGE,
            "ValidateStorageClass",
            "storageClass",
            ("storage.k8s.io", "v1", "storageclasses"),
        ),
        (
            STORAGE,
            "ValidateVolumeAttachment",
            "volumeAttachment",
            ("storage.k8s.io", "v1beta1", "volumeattachments"),
        ),
        (
            CRD,
            "ValidateCustomResourceDefinition",
            "obj",
            ("apiextensions.k8s.io", "v1beta1", "customresourcedefinitions"),
        ),
    ] {
        whole(suites, file, name, arg, resource(kind.0, kind.1, kind.2));
    }
    updates(suites);
    specs(suites);
}

fn updates(suites: &mut Suites) {
    for (file, name, args, kind) in [
        (
            APPS,
            "ValidateControllerRevisionUpdate",
            ["newHistory", "oldHistory"],
            ("apps", "v1", "controllerrevisions"),
        ),
        (
            APPS,
            "ValidateStatefulSetUpdate",
            ["statefulSet", "oldStatefulSet"],
            ("apps", "v1", "statefulsets"),
        ),
        (BATCH, "ValidateCronJobUpdate", ["job", "oldJob"], ("batch", "v1beta1", "cronjobs")),
        (
            EXTENSIONS,
            "ValidateDaemonSetUpdate",
            ["ds", "oldDS"],
            ("extensions", "v1beta1", "daemonsets"),
        ),
        (
            EXTENSIONS,
            "ValidateReplicaSetUpdate",
            ["rs", "oldRs"],
            ("extensions", "v1beta1", "replicasets"),
        ),
        (
            NETWORKING,
            "ValidateNetworkPolicyUpdate",
            ["update", "old"],
            ("networking.k8s.io", "v1", "networkpolicies"),
        ),
        (
            POLICY,
            "ValidatePodDisruptionBudgetUpdate",
            ["pdb", "oldPdb"],
            ("policy", "v1beta1", "poddisruptionbudgets"),
        ),
        (
            POLICY,
            "ValidatePodSecurityPolicyUpdate",
            ["new", "old"],
            ("policy", "v1beta1", "podsecuritypolicies"),
        ),
        (
            STORAGE,
            "ValidateStorageClassUpdate",
            ["storageClass", "oldStorageClass"],
            ("storage.k8s.io", "v1", "storageclasses"),
        ),
        (
            STORAGE,
            "ValidateVolumeAttachmentUpdate",
            ["new", "old"],
            ("storage.k8s.io", "v1beta1", "volumeattachments"),
        ),
    ] {
        change(suites, file, name, args, resource(kind.0, kind.1, kind.2));
    }
}

fn specs(suites: &mut Suites) {
    for (file, name, args, kind) in [
        (APPS, "ValidateStatefulSetSpec", ["spec", "fldPath"], ("apps", "v1", "statefulsets")),
        (BATCH, "ValidateCronJobSpec", ["spec", "fldPath"], ("batch", "v1beta1", "cronjobs")),
        (BATCH, "ValidateJobSpec", ["spec", "fldPath"], ("batch", "v1", "jobs")),
        (
            EXTENSIONS,
            "ValidateDaemonSetSpec",
            ["spec", "fldPath"],
            ("extensions", "v1beta1", "daemonsets"),
        ),
        (
            EXTENSIONS,
            "ValidateDeploymentSpec",
            ["spec", "fldPath"],
            ("extensions", "v1beta1", "deployments"),
        ),
        (
            EXTENSIONS,
            "ValidateIngressSpec",
            ["spec", "fldPath"],
            ("extensions", "v1beta1", "ingresses"),
        ),
        (
            EXTENSIONS,
            "ValidateReplicaSetSpec",
            ["spec", "fldPath"],
            ("extensions", "v1beta1", "replicasets"),
        ),
        (
            NETWORKING,
            "ValidateNetworkPolicySpec",
            ["spec", "fldPath"],
            ("networking.k8s.io", "v1", "networkpolicies"),
        ),
        (
            POLICY,
            "ValidatePodDisruptionBudgetSpec",
            ["spec", "fldPath"],
            ("policy", "v1beta1", "poddisruptionbudgets"),
        ),
    ] {
        let place = Place {
            resource: resource(kind.0, kind.1, kind.2),
            base: || json!({"metadata": {"name": "name", "namespace": "namespace"}}),
            pointer: "/spec",
            field: "spec",
        };
        part(suites, file, name, args, place);
    }
    // Some of its errors have no path below the spec.
    suites.add(POLICY, "ValidatePodSecurityPolicySpec", |row| {
        // The recording leaves out a pointer to `false`.
        if row.result(0).to_string().contains("without also setting") {
            return Outcome::Skip;
        }
        let policy = json!({"metadata": {"name": "name"}, "spec": row.arg("spec")});
        let resource = resource("policy", "v1beta1", "podsecuritypolicies");
        agree(&api::validation::create(resource, &policy), row.result(0))
    });
}
