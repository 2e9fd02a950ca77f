//! `apps`, `extensions`, `batch`, `autoscaling` and `policy`: what runs pods and how many.
//!
//! Older versions are views of the objects stored in the newest one.

use crate::resource::{Resource, Subresource, Verb};

pub static CONTROLLER_REVISIONS: Resource = Resource::in_namespace(
    "apps",
    "v1",
    "controllerrevisions",
    "controllerrevision",
    "ControllerRevision",
);

pub static DAEMON_SETS: Resource =
    Resource::in_namespace("apps", "v1", "daemonsets", "daemonset", "DaemonSet")
        .short(&["ds"])
        .in_all()
        .with(&[Subresource::status("DaemonSet")]);

pub static DEPLOYMENTS: Resource =
    Resource::in_namespace("apps", "v1", "deployments", "deployment", "Deployment")
        .short(&["deploy"])
        .in_all()
        .with(&[Subresource::scale("autoscaling", "v1"), Subresource::status("Deployment")]);

pub static REPLICA_SETS: Resource =
    Resource::in_namespace("apps", "v1", "replicasets", "replicaset", "ReplicaSet")
        .short(&["rs"])
        .in_all()
        .with(&[Subresource::scale("autoscaling", "v1"), Subresource::status("ReplicaSet")]);

pub static STATEFUL_SETS: Resource =
    Resource::in_namespace("apps", "v1", "statefulsets", "statefulset", "StatefulSet")
        .short(&["sts"])
        .in_all()
        .with(&[Subresource::scale("autoscaling", "v1"), Subresource::status("StatefulSet")]);

pub(super) static APPS_V1: &[&Resource] =
    &[&CONTROLLER_REVISIONS, &DAEMON_SETS, &DEPLOYMENTS, &REPLICA_SETS, &STATEFUL_SETS];

pub(super) static APPS_V1BETA2: &[&Resource] = &[
    &CONTROLLER_REVISIONS.served_as("apps", "v1beta2"),
    &DAEMON_SETS.served_as("apps", "v1beta2").in_all(),
    &DEPLOYMENTS
        .served_as("apps", "v1beta2")
        .in_all()
        .with(&[Subresource::scale("apps", "v1beta2"), Subresource::status("Deployment")]),
    &REPLICA_SETS
        .served_as("apps", "v1beta2")
        .in_all()
        .with(&[Subresource::scale("apps", "v1beta2"), Subresource::status("ReplicaSet")]),
    &STATEFUL_SETS
        .served_as("apps", "v1beta2")
        .in_all()
        .with(&[Subresource::scale("apps", "v1beta2"), Subresource::status("StatefulSet")]),
];

const ROLLBACK: Subresource = Subresource::new("rollback", "DeploymentRollback", &[Verb::Create]);

pub(super) static APPS_V1BETA1: &[&Resource] = &[
    &CONTROLLER_REVISIONS.served_as("apps", "v1beta1"),
    &DEPLOYMENTS.served_as("apps", "v1beta1").in_all().with(&[
        ROLLBACK,
        Subresource::scale("apps", "v1beta1"),
        Subresource::status("Deployment"),
    ]),
    &STATEFUL_SETS
        .served_as("apps", "v1beta1")
        .in_all()
        .with(&[Subresource::scale("apps", "v1beta1"), Subresource::status("StatefulSet")]),
];

/// Deviation: the placeholder `replicationcontrollers` with its `scale`, which only old horizontal
/// pod autoscalers used, is not served.
pub(super) static EXTENSIONS_V1BETA1: &[&Resource] = &[
    &DAEMON_SETS.served_as("extensions", "v1beta1"),
    &DEPLOYMENTS.served_as("extensions", "v1beta1").with(&[
        ROLLBACK,
        Subresource::scale("extensions", "v1beta1"),
        Subresource::status("Deployment"),
    ]),
    &super::platform::INGRESSES.served_as("extensions", "v1beta1"),
    &super::platform::NETWORK_POLICIES.served_as("extensions", "v1beta1"),
    &POD_SECURITY_POLICIES.served_as("extensions", "v1beta1"),
    &REPLICA_SETS
        .served_as("extensions", "v1beta1")
        .with(&[Subresource::scale("extensions", "v1beta1"), Subresource::status("ReplicaSet")]),
];

pub static CRON_JOBS: Resource =
    Resource::in_namespace("batch", "v1", "cronjobs", "cronjob", "CronJob")
        .short(&["cj"])
        .in_all()
        .with(&[Subresource::status("CronJob")]);

pub static JOBS: Resource = Resource::in_namespace("batch", "v1", "jobs", "job", "Job")
    .in_all()
    .with(&[Subresource::status("Job")]);

pub(super) static BATCH_V1: &[&Resource] = &[&CRON_JOBS, &JOBS];

pub(super) static BATCH_V1BETA1: &[&Resource] =
    &[&CRON_JOBS.served_as("batch", "v1beta1").in_all()];

pub static HORIZONTAL_POD_AUTOSCALERS: Resource = Resource::in_namespace(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "horizontalpodautoscaler",
    "HorizontalPodAutoscaler",
)
.short(&["hpa"])
.in_all()
.with(&[Subresource::status("HorizontalPodAutoscaler")]);

pub(super) static AUTOSCALING_V1: &[&Resource] =
    &[&HORIZONTAL_POD_AUTOSCALERS.served_as("autoscaling", "v1").in_all()];

pub(super) static AUTOSCALING_V2BETA1: &[&Resource] =
    &[&HORIZONTAL_POD_AUTOSCALERS.served_as("autoscaling", "v2beta1").in_all()];

pub(super) static AUTOSCALING_V2: &[&Resource] = &[&HORIZONTAL_POD_AUTOSCALERS];

pub static POD_DISRUPTION_BUDGETS: Resource = Resource::in_namespace(
    "policy",
    "v1",
    "poddisruptionbudgets",
    "poddisruptionbudget",
    "PodDisruptionBudget",
)
.short(&["pdb"])
.with(&[Subresource::status("PodDisruptionBudget")]);

pub static POD_SECURITY_POLICIES: Resource = Resource::in_cluster(
    "policy",
    "v1beta1",
    "podsecuritypolicies",
    "podsecuritypolicy",
    "PodSecurityPolicy",
)
.short(&["psp"]);

pub(super) static POLICY_V1: &[&Resource] = &[&POD_DISRUPTION_BUDGETS];

pub(super) static POLICY_V1BETA1: &[&Resource] =
    &[&POD_DISRUPTION_BUDGETS.served_as("policy", "v1beta1"), &POD_SECURITY_POLICIES];
