//! The other Kubernetes groups: access, networking, storage, extension and coordination.

use crate::resource::{Resource, Subresource, Verb};

const CREATE: &[Verb] = &[Verb::Create];

const ADMISSION: &str = "admissionregistration.k8s.io";

pub static MUTATING_WEBHOOK_CONFIGURATIONS: Resource = Resource::in_cluster(
    ADMISSION,
    "v1",
    "mutatingwebhookconfigurations",
    "mutatingwebhookconfiguration",
    "MutatingWebhookConfiguration",
);

pub static VALIDATING_WEBHOOK_CONFIGURATIONS: Resource = Resource::in_cluster(
    ADMISSION,
    "v1",
    "validatingwebhookconfigurations",
    "validatingwebhookconfiguration",
    "ValidatingWebhookConfiguration",
);

pub(super) static ADMISSION_V1: &[&Resource] =
    &[&MUTATING_WEBHOOK_CONFIGURATIONS, &VALIDATING_WEBHOOK_CONFIGURATIONS];

pub(super) static ADMISSION_V1BETA1: &[&Resource] = &[
    &MUTATING_WEBHOOK_CONFIGURATIONS.served_as(ADMISSION, "v1beta1"),
    &VALIDATING_WEBHOOK_CONFIGURATIONS.served_as(ADMISSION, "v1beta1"),
];

pub static CUSTOM_RESOURCE_DEFINITIONS: Resource = Resource::in_cluster(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "customresourcedefinition",
    "CustomResourceDefinition",
)
.short(&["crd", "crds"])
.with(&[Subresource::status("CustomResourceDefinition")]);

pub(super) static API_EXTENSIONS_V1: &[&Resource] = &[&CUSTOM_RESOURCE_DEFINITIONS];

pub(super) static API_EXTENSIONS_V1BETA1: &[&Resource] =
    &[&CUSTOM_RESOURCE_DEFINITIONS.served_as("apiextensions.k8s.io", "v1beta1")];

pub static API_SERVICES: Resource =
    Resource::in_cluster("apiregistration.k8s.io", "v1", "apiservices", "apiservice", "APIService")
        .with(&[Subresource::status("APIService")]);

pub(super) static API_REGISTRATION_V1: &[&Resource] = &[&API_SERVICES];

pub(super) static API_REGISTRATION_V1BETA1: &[&Resource] =
    &[&API_SERVICES.served_as("apiregistration.k8s.io", "v1beta1")];

pub static TOKEN_REVIEWS: Resource = Resource::in_cluster(
    "authentication.k8s.io",
    "v1",
    "tokenreviews",
    "tokenreview",
    "TokenReview",
)
.only(CREATE);

pub static SELF_SUBJECT_REVIEWS: Resource = Resource::in_cluster(
    "authentication.k8s.io",
    "v1",
    "selfsubjectreviews",
    "selfsubjectreview",
    "SelfSubjectReview",
)
.only(CREATE);

pub(super) static AUTHENTICATION_V1: &[&Resource] = &[&SELF_SUBJECT_REVIEWS, &TOKEN_REVIEWS];

pub(super) static AUTHENTICATION_V1BETA1: &[&Resource] = &[
    &SELF_SUBJECT_REVIEWS.served_as("authentication.k8s.io", "v1beta1"),
    &TOKEN_REVIEWS.served_as("authentication.k8s.io", "v1beta1"),
];

pub(super) static AUTHENTICATION_V1ALPHA1: &[&Resource] =
    &[&SELF_SUBJECT_REVIEWS.served_as("authentication.k8s.io", "v1alpha1")];

const AUTHORIZATION: &str = "authorization.k8s.io";

pub static LOCAL_SUBJECT_ACCESS_REVIEWS: Resource = Resource::in_namespace(
    AUTHORIZATION,
    "v1",
    "localsubjectaccessreviews",
    "localsubjectaccessreview",
    "LocalSubjectAccessReview",
)
.only(CREATE);

pub static SELF_SUBJECT_ACCESS_REVIEWS: Resource = Resource::in_cluster(
    AUTHORIZATION,
    "v1",
    "selfsubjectaccessreviews",
    "selfsubjectaccessreview",
    "SelfSubjectAccessReview",
)
.only(CREATE);

pub static SELF_SUBJECT_RULES_REVIEWS: Resource = Resource::in_cluster(
    AUTHORIZATION,
    "v1",
    "selfsubjectrulesreviews",
    "selfsubjectrulesreview",
    "SelfSubjectRulesReview",
)
.only(CREATE);

pub static SUBJECT_ACCESS_REVIEWS: Resource = Resource::in_cluster(
    AUTHORIZATION,
    "v1",
    "subjectaccessreviews",
    "subjectaccessreview",
    "SubjectAccessReview",
)
.only(CREATE);

pub(super) static AUTHORIZATION_V1: &[&Resource] = &[
    &LOCAL_SUBJECT_ACCESS_REVIEWS,
    &SELF_SUBJECT_ACCESS_REVIEWS,
    &SELF_SUBJECT_RULES_REVIEWS,
    &SUBJECT_ACCESS_REVIEWS,
];

pub(super) static AUTHORIZATION_V1BETA1: &[&Resource] = &[
    &LOCAL_SUBJECT_ACCESS_REVIEWS.served_as(AUTHORIZATION, "v1beta1"),
    &SELF_SUBJECT_ACCESS_REVIEWS.served_as(AUTHORIZATION, "v1beta1"),
    &SELF_SUBJECT_RULES_REVIEWS.served_as(AUTHORIZATION, "v1beta1"),
    &SUBJECT_ACCESS_REVIEWS.served_as(AUTHORIZATION, "v1beta1"),
];

pub static CERTIFICATE_SIGNING_REQUESTS: Resource = Resource::in_cluster(
    "certificates.k8s.io",
    "v1",
    "certificatesigningrequests",
    "certificatesigningrequest",
    "CertificateSigningRequest",
)
.short(&["csr"])
.with(&[
    Subresource::new("approval", "CertificateSigningRequest", &[Verb::Update]),
    Subresource::status("CertificateSigningRequest"),
]);

pub(super) static CERTIFICATES_V1: &[&Resource] = &[&CERTIFICATE_SIGNING_REQUESTS];

pub(super) static CERTIFICATES_V1BETA1: &[&Resource] =
    &[&CERTIFICATE_SIGNING_REQUESTS.served_as("certificates.k8s.io", "v1beta1")];

pub static LEASES: Resource =
    Resource::in_namespace("coordination.k8s.io", "v1", "leases", "lease", "Lease");

pub(super) static COORDINATION_V1: &[&Resource] = &[&LEASES];

pub static ENDPOINT_SLICES: Resource = Resource::in_namespace(
    "discovery.k8s.io",
    "v1",
    "endpointslices",
    "endpointslice",
    "EndpointSlice",
);

pub(super) static DISCOVERY_V1: &[&Resource] = &[&ENDPOINT_SLICES];

pub(super) static EVENTS_V1: &[&Resource] =
    &[&super::core::EVENTS.served_as("events.k8s.io", "v1")];

pub(super) static EVENTS_V1BETA1: &[&Resource] =
    &[&super::core::EVENTS.served_as("events.k8s.io", "v1beta1")];

pub static INGRESSES: Resource =
    Resource::in_namespace("networking.k8s.io", "v1", "ingresses", "ingress", "Ingress")
        .short(&["ing"])
        .with(&[Subresource::status("Ingress")]);

pub static INGRESS_CLASSES: Resource = Resource::in_cluster(
    "networking.k8s.io",
    "v1",
    "ingressclasses",
    "ingressclass",
    "IngressClass",
);

pub static NETWORK_POLICIES: Resource = Resource::in_namespace(
    "networking.k8s.io",
    "v1",
    "networkpolicies",
    "networkpolicy",
    "NetworkPolicy",
)
.short(&["netpol"]);

pub(super) static NETWORKING_V1: &[&Resource] = &[&INGRESS_CLASSES, &INGRESSES, &NETWORK_POLICIES];

pub static RUNTIME_CLASSES: Resource =
    Resource::in_cluster("node.k8s.io", "v1", "runtimeclasses", "runtimeclass", "RuntimeClass");

pub(super) static NODE_V1: &[&Resource] = &[&RUNTIME_CLASSES];

const RBAC: &str = "rbac.authorization.k8s.io";

pub static CLUSTER_ROLE_BINDINGS: Resource = Resource::in_cluster(
    RBAC,
    "v1",
    "clusterrolebindings",
    "clusterrolebinding",
    "ClusterRoleBinding",
);

pub static CLUSTER_ROLES: Resource =
    Resource::in_cluster(RBAC, "v1", "clusterroles", "clusterrole", "ClusterRole");

pub static ROLE_BINDINGS: Resource =
    Resource::in_namespace(RBAC, "v1", "rolebindings", "rolebinding", "RoleBinding");

pub static ROLES: Resource = Resource::in_namespace(RBAC, "v1", "roles", "role", "Role");

pub(super) static RBAC_V1: &[&Resource] =
    &[&CLUSTER_ROLE_BINDINGS, &CLUSTER_ROLES, &ROLE_BINDINGS, &ROLES];

pub(super) static RBAC_V1BETA1: &[&Resource] = &[
    &CLUSTER_ROLE_BINDINGS.served_as(RBAC, "v1beta1"),
    &CLUSTER_ROLES.served_as(RBAC, "v1beta1"),
    &ROLE_BINDINGS.served_as(RBAC, "v1beta1"),
    &ROLES.served_as(RBAC, "v1beta1"),
];

pub static PRIORITY_CLASSES: Resource = Resource::in_cluster(
    "scheduling.k8s.io",
    "v1",
    "priorityclasses",
    "priorityclass",
    "PriorityClass",
)
.short(&["pc"]);

pub(super) static SCHEDULING_V1: &[&Resource] = &[&PRIORITY_CLASSES];

pub(super) static SCHEDULING_V1BETA1: &[&Resource] =
    &[&PRIORITY_CLASSES.served_as("scheduling.k8s.io", "v1beta1")];

const STORAGE: &str = "storage.k8s.io";

pub static CSI_DRIVERS: Resource =
    Resource::in_cluster(STORAGE, "v1", "csidrivers", "csidriver", "CSIDriver");

pub static CSI_NODES: Resource =
    Resource::in_cluster(STORAGE, "v1", "csinodes", "csinode", "CSINode");

pub static CSI_STORAGE_CAPACITIES: Resource = Resource::in_namespace(
    STORAGE,
    "v1",
    "csistoragecapacities",
    "csistoragecapacity",
    "CSIStorageCapacity",
);

pub static STORAGE_CLASSES: Resource =
    Resource::in_cluster(STORAGE, "v1", "storageclasses", "storageclass", "StorageClass")
        .short(&["sc"]);

pub static VOLUME_ATTACHMENTS: Resource = Resource::in_cluster(
    STORAGE,
    "v1",
    "volumeattachments",
    "volumeattachment",
    "VolumeAttachment",
)
.with(&[Subresource::status("VolumeAttachment")]);

pub(super) static STORAGE_V1: &[&Resource] =
    &[&CSI_DRIVERS, &CSI_NODES, &CSI_STORAGE_CAPACITIES, &STORAGE_CLASSES, &VOLUME_ATTACHMENTS];

pub(super) static STORAGE_V1BETA1: &[&Resource] = &[
    &STORAGE_CLASSES.served_as(STORAGE, "v1beta1"),
    &VOLUME_ATTACHMENTS.served_as(STORAGE, "v1beta1").with(&[]),
];
