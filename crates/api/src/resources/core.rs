//! The core group, `v1`.

use crate::resource::{Resource, STATUS_VERBS, Subresource, Verb};

pub static BINDINGS: Resource =
    Resource::in_namespace("", "v1", "bindings", "binding", "Binding").only(&[Verb::Create]);

pub static COMPONENT_STATUSES: Resource =
    Resource::in_cluster("", "v1", "componentstatuses", "componentstatus", "ComponentStatus")
        .short(&["cs"])
        .only(&[Verb::Get, Verb::List]);

pub static CONFIG_MAPS: Resource =
    Resource::in_namespace("", "v1", "configmaps", "configmap", "ConfigMap").short(&["cm"]);

pub static ENDPOINTS: Resource =
    Resource::in_namespace("", "v1", "endpoints", "endpoints", "Endpoints").short(&["ep"]);

pub static EVENTS: Resource =
    Resource::in_namespace("", "v1", "events", "event", "Event").short(&["ev"]);

pub static LIMIT_RANGES: Resource =
    Resource::in_namespace("", "v1", "limitranges", "limitrange", "LimitRange").short(&["limits"]);

/// No `deletecollection`: deleting all namespaces at once is not offered.
pub(super) const WITHOUT_COLLECTION: &[Verb] =
    &[Verb::Create, Verb::Delete, Verb::Get, Verb::List, Verb::Patch, Verb::Update, Verb::Watch];

pub static NAMESPACES: Resource =
    Resource::in_cluster("", "v1", "namespaces", "namespace", "Namespace")
        .short(&["ns"])
        .only(WITHOUT_COLLECTION)
        .with(&[
            Subresource::new("finalize", "Namespace", &[Verb::Update]),
            Subresource::status("Namespace"),
        ]);

pub static NODES: Resource = Resource::in_cluster("", "v1", "nodes", "node", "Node")
    .short(&["no"])
    .with(&[Subresource::new("proxy", "Node", &[]), Subresource::status("Node")]);

pub static PERSISTENT_VOLUME_CLAIMS: Resource = Resource::in_namespace(
    "",
    "v1",
    "persistentvolumeclaims",
    "persistentvolumeclaim",
    "PersistentVolumeClaim",
)
.short(&["pvc"])
.with(&[Subresource::status("PersistentVolumeClaim")]);

pub static PERSISTENT_VOLUMES: Resource =
    Resource::in_cluster("", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume")
        .short(&["pv"])
        .with(&[Subresource::status("PersistentVolume")]);

pub static POD_TEMPLATES: Resource =
    Resource::in_namespace("", "v1", "podtemplates", "podtemplate", "PodTemplate");

pub static PODS: Resource =
    Resource::in_namespace("", "v1", "pods", "pod", "Pod").short(&["po"]).in_all().with(&[
        Subresource::new("attach", "Pod", &[]),
        Subresource::new("binding", "Binding", &[Verb::Create]),
        Subresource::new("ephemeralcontainers", "Pod", STATUS_VERBS),
        Subresource::new("eviction", "Eviction", &[Verb::Create]).of("policy", "v1beta1"),
        Subresource::new("exec", "Pod", &[]),
        Subresource::new("log", "Pod", &[Verb::Get]),
        Subresource::new("portforward", "Pod", &[]),
        Subresource::new("proxy", "Pod", &[]),
        Subresource::status("Pod"),
    ]);

pub static REPLICATION_CONTROLLERS: Resource = Resource::in_namespace(
    "",
    "v1",
    "replicationcontrollers",
    "replicationcontroller",
    "ReplicationController",
)
.short(&["rc"])
.in_all()
.with(&[Subresource::scale("autoscaling", "v1"), Subresource::status("ReplicationController")]);

pub static RESOURCE_QUOTAS: Resource =
    Resource::in_namespace("", "v1", "resourcequotas", "resourcequota", "ResourceQuota")
        .short(&["quota"])
        .with(&[Subresource::status("ResourceQuota")]);

pub static SECRETS: Resource = Resource::in_namespace("", "v1", "secrets", "secret", "Secret");

static SECURITY_CONTEXT_CONSTRAINTS: Resource =
    super::openshift::SECURITY_CONTEXT_CONSTRAINTS.served_as("", "v1");

pub static SERVICE_ACCOUNTS: Resource =
    Resource::in_namespace("", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount")
        .short(&["sa"])
        .with(&[Subresource::new("token", "TokenRequest", &[Verb::Create])
            .of("authentication.k8s.io", "v1")]);

pub static SERVICES: Resource = Resource::in_namespace("", "v1", "services", "service", "Service")
    .short(&["svc"])
    .in_all()
    .only(WITHOUT_COLLECTION)
    .with(&[Subresource::new("proxy", "Service", &[]), Subresource::status("Service")]);

pub(super) static V1: &[&Resource] = &[
    &BINDINGS,
    &COMPONENT_STATUSES,
    &CONFIG_MAPS,
    &ENDPOINTS,
    &EVENTS,
    &LIMIT_RANGES,
    &NAMESPACES,
    &NODES,
    &PERSISTENT_VOLUME_CLAIMS,
    &PERSISTENT_VOLUMES,
    &PODS,
    &POD_TEMPLATES,
    &REPLICATION_CONTROLLERS,
    &RESOURCE_QUOTAS,
    &SECRETS,
    &SECURITY_CONTEXT_CONSTRAINTS,
    &SERVICE_ACCOUNTS,
    &SERVICES,
];
