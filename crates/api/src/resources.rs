//! Every resource that is served, in the order of discovery.
//!
//! One `static` per resource; those named plainly ([`PODS`], [`DEPLOYMENTS`]) are the version that
//! objects are stored in. Older versions of the same resource are views: they share the stored
//! objects, and [`convert`] re-shapes an object from one to the other.
//!
//! Invariant: within a group and version, resources are sorted by plural name.
//! Invariant: the first version of a group is the preferred one.

mod apps;
mod convert;
mod core;
mod openshift;
mod platform;

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

pub use crate::resources::apps::{
    CONTROLLER_REVISIONS, CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, JOBS,
    POD_DISRUPTION_BUDGETS, POD_SECURITY_POLICIES, REPLICA_SETS, STATEFUL_SETS,
};
pub use crate::resources::convert::{
    convert, current_metrics, flat_metric, metrics, rule_to_openshift,
};
pub use crate::resources::core::{
    BINDINGS, COMPONENT_STATUSES, CONFIG_MAPS, ENDPOINTS, EVENTS, LIMIT_RANGES, NAMESPACES, NODES,
    PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, POD_TEMPLATES, PODS, REPLICATION_CONTROLLERS,
    RESOURCE_QUOTAS, SECRETS, SERVICE_ACCOUNTS, SERVICES,
};
pub use crate::resources::openshift::{
    APPLIED_CLUSTER_RESOURCE_QUOTAS, BROKER_TEMPLATE_INSTANCES, BUILD_CONFIGS, BUILDS,
    CLUSTER_NETWORKS, CLUSTER_RESOURCE_QUOTAS, DEPLOYMENT_CONFIGS, EGRESS_NETWORK_POLICIES, GROUPS,
    HOST_SUBNETS, IDENTITIES, IMAGE_SIGNATURES, IMAGE_STREAM_IMAGES, IMAGE_STREAM_IMPORTS,
    IMAGE_STREAM_MAPPINGS, IMAGE_STREAM_TAGS, IMAGE_STREAMS, IMAGES, LOCAL_RESOURCE_ACCESS_REVIEWS,
    NET_NAMESPACES, OAUTH_ACCESS_TOKENS, OAUTH_AUTHORIZE_TOKENS, OAUTH_CLIENT_AUTHORIZATIONS,
    OAUTH_CLIENTS, OPENSHIFT_CLUSTER_ROLE_BINDINGS, OPENSHIFT_CLUSTER_ROLES,
    OPENSHIFT_LOCAL_SUBJECT_ACCESS_REVIEWS, OPENSHIFT_ROLE_BINDINGS, OPENSHIFT_ROLES,
    OPENSHIFT_SELF_SUBJECT_RULES_REVIEWS, OPENSHIFT_SUBJECT_ACCESS_REVIEWS,
    POD_SECURITY_POLICY_REVIEWS, POD_SECURITY_POLICY_SELF_SUBJECT_REVIEWS,
    POD_SECURITY_POLICY_SUBJECT_REVIEWS, PROCESSED_TEMPLATES, PROJECT_REQUESTS, PROJECTS,
    RANGE_ALLOCATIONS, RESOURCE_ACCESS_REVIEWS, ROLE_BINDING_RESTRICTIONS, ROUTES,
    SECURITY_CONTEXT_CONSTRAINTS, SUBJECT_RULES_REVIEWS, TEMPLATE_INSTANCES, TEMPLATES,
    USER_IDENTITY_MAPPINGS, USERS,
};
pub use crate::resources::platform::{
    API_SERVICES, CERTIFICATE_SIGNING_REQUESTS, CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, CSI_DRIVERS,
    CSI_NODES, CSI_STORAGE_CAPACITIES, CUSTOM_RESOURCE_DEFINITIONS, ENDPOINT_SLICES,
    INGRESS_CLASSES, INGRESSES, LEASES, LOCAL_SUBJECT_ACCESS_REVIEWS,
    MUTATING_WEBHOOK_CONFIGURATIONS, NETWORK_POLICIES, PRIORITY_CLASSES, ROLE_BINDINGS, ROLES,
    RUNTIME_CLASSES, SELF_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_REVIEWS, SELF_SUBJECT_RULES_REVIEWS,
    STORAGE_CLASSES, SUBJECT_ACCESS_REVIEWS, TOKEN_REVIEWS, VALIDATING_WEBHOOK_CONFIGURATIONS,
    VOLUME_ATTACHMENTS,
};
use crate::{Resource, Scope};

/// Groups and versions in the order of discovery, which decides what a bare name such as
/// `deployments` means to a client.
///
/// Deviation: OpenShift 3.11 puts `extensions` before `apps` and `authorization.openshift.io` before
/// `rbac.authorization.k8s.io`; here the groups that today's clients expect come first.
static GROUP_VERSIONS: &[&[&Resource]] = &[
    core::V1,
    platform::API_REGISTRATION_V1,
    platform::API_REGISTRATION_V1BETA1,
    apps::APPS_V1,
    apps::APPS_V1BETA2,
    apps::APPS_V1BETA1,
    platform::EVENTS_V1,
    platform::EVENTS_V1BETA1,
    platform::AUTHENTICATION_V1,
    platform::AUTHENTICATION_V1BETA1,
    platform::AUTHENTICATION_V1ALPHA1,
    platform::AUTHORIZATION_V1,
    platform::AUTHORIZATION_V1BETA1,
    apps::AUTOSCALING_V2,
    apps::AUTOSCALING_V1,
    apps::AUTOSCALING_V2BETA1,
    apps::BATCH_V1,
    apps::BATCH_V1BETA1,
    platform::CERTIFICATES_V1,
    platform::CERTIFICATES_V1BETA1,
    platform::NETWORKING_V1,
    apps::POLICY_V1,
    apps::POLICY_V1BETA1,
    apps::EXTENSIONS_V1BETA1,
    platform::RBAC_V1,
    platform::RBAC_V1BETA1,
    openshift::AUTHORIZATION_V1,
    platform::STORAGE_V1,
    platform::STORAGE_V1BETA1,
    platform::API_EXTENSIONS_V1,
    platform::API_EXTENSIONS_V1BETA1,
    platform::ADMISSION_V1,
    platform::ADMISSION_V1BETA1,
    platform::SCHEDULING_V1,
    platform::SCHEDULING_V1BETA1,
    platform::COORDINATION_V1,
    platform::DISCOVERY_V1,
    platform::NODE_V1,
    openshift::APPS_V1,
    openshift::BUILD_V1,
    openshift::IMAGE_V1,
    openshift::NETWORK_V1,
    openshift::OAUTH_V1,
    openshift::PROJECT_V1,
    openshift::QUOTA_V1,
    openshift::ROUTE_V1,
    openshift::SECURITY_V1,
    openshift::TEMPLATE_V1,
    openshift::USER_V1,
];

static ALL: LazyLock<Vec<&'static Resource>> = LazyLock::new(|| GROUP_VERSIONS.concat());

/// By group, version and name.
type Index = FxHashMap<(&'static str, &'static str, &'static str), &'static Resource>;

static BY_PLURAL: LazyLock<Index> =
    LazyLock::new(|| ALL.iter().map(|r| ((r.group, r.version, r.plural), *r)).collect());

/// Kinds that two resources share (`templates` and `processedtemplates`) belong to the one that is
/// stored.
static BY_KIND: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index::default();
    for resource in ALL.iter().filter(|r| r.plural != "processedtemplates") {
        index.insert((resource.group, resource.version, resource.kind), resource);
    }
    index
});

/// All resources served: groups in the order of discovery, preferred versions first, sorted by name
/// within a version.
#[must_use]
pub fn resources() -> &'static [&'static Resource] {
    &ALL
}

/// The resource served at `group/version` under the URL word `plural`.
#[must_use]
pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    lookup(&BY_PLURAL, group, version, plural)
}

/// The resource whose objects are `group/version kind`.
#[must_use]
pub fn find_kind(group: &str, version: &str, kind: &str) -> Option<&'static Resource> {
    lookup(&BY_KIND, group, version, kind)
}

/// The resource of `resource`'s plural in the version that its objects are stored in.
#[must_use]
pub fn storage_of(resource: &'static Resource) -> &'static Resource {
    let (group, version) = resource.storage;
    if (resource.group, resource.version) == (group, version) {
        return resource;
    }
    find(group, version, resource.plural).unwrap_or(resource)
}

fn lookup(index: &'static Index, a: &str, b: &str, c: &str) -> Option<&'static Resource> {
    // The map is covariant in the lifetime of its keys, so borrowed keys find static ones.
    let index: &FxHashMap<(&str, &str, &str), &'static Resource> = index;
    index.get(&(a, b, c)).copied()
}

/// Whether any served resource lives in namespaces under `group/version`.
#[must_use]
pub fn has_namespaced(group: &str, version: &str) -> bool {
    ALL.iter().any(|r| r.group == group && r.version == version && r.scope == Scope::Namespaced)
}

#[cfg(test)]
mod tests;
