//! The groups of OpenShift, `*.openshift.io/v1`.
//!
//! Virtual resources (image stream tags, projects, …) stand here with the verbs that they offer;
//! what answers for them lives elsewhere.

use crate::resource::{Resource, Subresource, Verb};

const APPS: &str = "apps.openshift.io";

pub static DEPLOYMENT_CONFIGS: Resource =
    Resource::in_namespace(APPS, "v1", "deploymentconfigs", "deploymentconfig", "DeploymentConfig")
        .short(&["dc"])
        .in_all()
        .with(&[
            Subresource::new("instantiate", "DeploymentRequest", &[Verb::Create]),
            Subresource::new("log", "DeploymentLog", &[Verb::Get]),
            Subresource::new("rollback", "DeploymentConfigRollback", &[Verb::Create]),
            Subresource::scale("extensions", "v1beta1"),
            Subresource::status("DeploymentConfig"),
        ]);

pub(super) static APPS_V1: &[&Resource] = &[&DEPLOYMENT_CONFIGS];

const AUTHORIZATION: &str = "authorization.openshift.io";

pub static OPENSHIFT_CLUSTER_ROLE_BINDINGS: Resource = Resource::in_cluster(
    AUTHORIZATION,
    "v1",
    "clusterrolebindings",
    "clusterrolebinding",
    "ClusterRoleBinding",
)
.only(&[Verb::Create, Verb::Delete, Verb::Get, Verb::List, Verb::Patch, Verb::Update])
.stored_as("rbac.authorization.k8s.io", "v1");

pub static OPENSHIFT_CLUSTER_ROLES: Resource =
    Resource::in_cluster(AUTHORIZATION, "v1", "clusterroles", "clusterrole", "ClusterRole")
        .only(&[Verb::Create, Verb::Delete, Verb::Get, Verb::List, Verb::Patch, Verb::Update])
        .stored_as("rbac.authorization.k8s.io", "v1");

pub static LOCAL_RESOURCE_ACCESS_REVIEWS: Resource = Resource::in_namespace(
    AUTHORIZATION,
    "v1",
    "localresourceaccessreviews",
    "localresourceaccessreview",
    "LocalResourceAccessReview",
)
.only(&[Verb::Create]);

pub static OPENSHIFT_LOCAL_SUBJECT_ACCESS_REVIEWS: Resource = Resource::in_namespace(
    AUTHORIZATION,
    "v1",
    "localsubjectaccessreviews",
    "localsubjectaccessreview",
    "LocalSubjectAccessReview",
)
.only(&[Verb::Create]);

pub static RESOURCE_ACCESS_REVIEWS: Resource = Resource::in_cluster(
    AUTHORIZATION,
    "v1",
    "resourceaccessreviews",
    "resourceaccessreview",
    "ResourceAccessReview",
)
.only(&[Verb::Create]);

pub static ROLE_BINDING_RESTRICTIONS: Resource = Resource::in_namespace(
    AUTHORIZATION,
    "v1",
    "rolebindingrestrictions",
    "rolebindingrestriction",
    "RoleBindingRestriction",
);

pub static OPENSHIFT_ROLE_BINDINGS: Resource =
    Resource::in_namespace(AUTHORIZATION, "v1", "rolebindings", "rolebinding", "RoleBinding")
        .only(&[Verb::Create, Verb::Delete, Verb::Get, Verb::List, Verb::Patch, Verb::Update])
        .stored_as("rbac.authorization.k8s.io", "v1");

pub static OPENSHIFT_ROLES: Resource =
    Resource::in_namespace(AUTHORIZATION, "v1", "roles", "role", "Role")
        .only(&[Verb::Create, Verb::Delete, Verb::Get, Verb::List, Verb::Patch, Verb::Update])
        .stored_as("rbac.authorization.k8s.io", "v1");

pub static OPENSHIFT_SELF_SUBJECT_RULES_REVIEWS: Resource = Resource::in_namespace(
    AUTHORIZATION,
    "v1",
    "selfsubjectrulesreviews",
    "selfsubjectrulesreview",
    "SelfSubjectRulesReview",
)
.only(&[Verb::Create]);

pub static OPENSHIFT_SUBJECT_ACCESS_REVIEWS: Resource = Resource::in_cluster(
    AUTHORIZATION,
    "v1",
    "subjectaccessreviews",
    "subjectaccessreview",
    "SubjectAccessReview",
)
.only(&[Verb::Create]);

pub static SUBJECT_RULES_REVIEWS: Resource = Resource::in_namespace(
    AUTHORIZATION,
    "v1",
    "subjectrulesreviews",
    "subjectrulesreview",
    "SubjectRulesReview",
)
.only(&[Verb::Create]);

pub(super) static AUTHORIZATION_V1: &[&Resource] = &[
    &OPENSHIFT_CLUSTER_ROLE_BINDINGS,
    &OPENSHIFT_CLUSTER_ROLES,
    &LOCAL_RESOURCE_ACCESS_REVIEWS,
    &OPENSHIFT_LOCAL_SUBJECT_ACCESS_REVIEWS,
    &RESOURCE_ACCESS_REVIEWS,
    &ROLE_BINDING_RESTRICTIONS,
    &OPENSHIFT_ROLE_BINDINGS,
    &OPENSHIFT_ROLES,
    &OPENSHIFT_SELF_SUBJECT_RULES_REVIEWS,
    &OPENSHIFT_SUBJECT_ACCESS_REVIEWS,
    &SUBJECT_RULES_REVIEWS,
];

const BUILD: &str = "build.openshift.io";

pub static BUILD_CONFIGS: Resource =
    Resource::in_namespace(BUILD, "v1", "buildconfigs", "buildconfig", "BuildConfig")
        .short(&["bc"])
        .in_all()
        .with(&[
            Subresource::new("instantiate", "BuildRequest", &[Verb::Create]),
            Subresource::new("instantiatebinary", "BinaryBuildRequestOptions", &[]),
            Subresource::new("webhooks", "Build", &[]),
        ]);

pub static BUILDS: Resource =
    Resource::in_namespace(BUILD, "v1", "builds", "build", "Build").in_all().with(&[
        Subresource::new("clone", "BuildRequest", &[Verb::Create]),
        Subresource::new("details", "Build", &[Verb::Update]),
        Subresource::new("log", "BuildLog", &[Verb::Get]),
    ]);

pub(super) static BUILD_V1: &[&Resource] = &[&BUILD_CONFIGS, &BUILDS];

const IMAGE: &str = "image.openshift.io";

pub static IMAGES: Resource = Resource::in_cluster(IMAGE, "v1", "images", "image", "Image");

pub static IMAGE_SIGNATURES: Resource =
    Resource::in_cluster(IMAGE, "v1", "imagesignatures", "imagesignature", "ImageSignature")
        .only(&[Verb::Create, Verb::Delete]);

pub static IMAGE_STREAM_IMAGES: Resource = Resource::in_namespace(
    IMAGE,
    "v1",
    "imagestreamimages",
    "imagestreamimage",
    "ImageStreamImage",
)
.short(&["isimage"])
.only(&[Verb::Get]);

pub static IMAGE_STREAM_IMPORTS: Resource = Resource::in_namespace(
    IMAGE,
    "v1",
    "imagestreamimports",
    "imagestreamimport",
    "ImageStreamImport",
)
.only(&[Verb::Create]);

pub static IMAGE_STREAM_MAPPINGS: Resource = Resource::in_namespace(
    IMAGE,
    "v1",
    "imagestreammappings",
    "imagestreammapping",
    "ImageStreamMapping",
)
.only(&[Verb::Create]);

pub static IMAGE_STREAMS: Resource =
    Resource::in_namespace(IMAGE, "v1", "imagestreams", "imagestream", "ImageStream")
        .short(&["is"])
        .in_all()
        .with(&[
            Subresource::new("layers", "ImageStreamLayers", &[Verb::Get]),
            Subresource::new("secrets", "SecretList", &[Verb::Get]),
            Subresource::status("ImageStream"),
        ]);

pub static IMAGE_STREAM_TAGS: Resource =
    Resource::in_namespace(IMAGE, "v1", "imagestreamtags", "imagestreamtag", "ImageStreamTag")
        .short(&["istag"])
        .only(&[Verb::Create, Verb::Delete, Verb::Get, Verb::List, Verb::Patch, Verb::Update]);

pub(super) static IMAGE_V1: &[&Resource] = &[
    &IMAGES,
    &IMAGE_SIGNATURES,
    &IMAGE_STREAM_IMAGES,
    &IMAGE_STREAM_IMPORTS,
    &IMAGE_STREAM_MAPPINGS,
    &IMAGE_STREAMS,
    &IMAGE_STREAM_TAGS,
];

const NETWORK: &str = "network.openshift.io";

pub static CLUSTER_NETWORKS: Resource =
    Resource::in_cluster(NETWORK, "v1", "clusternetworks", "clusternetwork", "ClusterNetwork");

pub static EGRESS_NETWORK_POLICIES: Resource = Resource::in_namespace(
    NETWORK,
    "v1",
    "egressnetworkpolicies",
    "egressnetworkpolicy",
    "EgressNetworkPolicy",
);

pub static HOST_SUBNETS: Resource =
    Resource::in_cluster(NETWORK, "v1", "hostsubnets", "hostsubnet", "HostSubnet");

pub static NET_NAMESPACES: Resource =
    Resource::in_cluster(NETWORK, "v1", "netnamespaces", "netnamespace", "NetNamespace");

pub(super) static NETWORK_V1: &[&Resource] =
    &[&CLUSTER_NETWORKS, &EGRESS_NETWORK_POLICIES, &HOST_SUBNETS, &NET_NAMESPACES];

const OAUTH: &str = "oauth.openshift.io";

pub static OAUTH_ACCESS_TOKENS: Resource =
    Resource::in_cluster(OAUTH, "v1", "oauthaccesstokens", "oauthaccesstoken", "OAuthAccessToken");

pub static OAUTH_AUTHORIZE_TOKENS: Resource = Resource::in_cluster(
    OAUTH,
    "v1",
    "oauthauthorizetokens",
    "oauthauthorizetoken",
    "OAuthAuthorizeToken",
);

pub static OAUTH_CLIENT_AUTHORIZATIONS: Resource = Resource::in_cluster(
    OAUTH,
    "v1",
    "oauthclientauthorizations",
    "oauthclientauthorization",
    "OAuthClientAuthorization",
);

pub static OAUTH_CLIENTS: Resource =
    Resource::in_cluster(OAUTH, "v1", "oauthclients", "oauthclient", "OAuthClient");

pub(super) static OAUTH_V1: &[&Resource] =
    &[&OAUTH_ACCESS_TOKENS, &OAUTH_AUTHORIZE_TOKENS, &OAUTH_CLIENT_AUTHORIZATIONS, &OAUTH_CLIENTS];

const PROJECT: &str = "project.openshift.io";

pub static PROJECT_REQUESTS: Resource =
    Resource::in_cluster(PROJECT, "v1", "projectrequests", "projectrequest", "ProjectRequest")
        .only(&[Verb::Create, Verb::List]);

pub static PROJECTS: Resource =
    Resource::in_cluster(PROJECT, "v1", "projects", "project", "Project").only(&[
        Verb::Create,
        Verb::Delete,
        Verb::Get,
        Verb::List,
        Verb::Patch,
        Verb::Update,
        Verb::Watch,
    ]);

pub(super) static PROJECT_V1: &[&Resource] = &[&PROJECT_REQUESTS, &PROJECTS];

const QUOTA: &str = "quota.openshift.io";

pub static APPLIED_CLUSTER_RESOURCE_QUOTAS: Resource = Resource::in_namespace(
    QUOTA,
    "v1",
    "appliedclusterresourcequotas",
    "appliedclusterresourcequota",
    "AppliedClusterResourceQuota",
)
.only(&[Verb::Get, Verb::List]);

pub static CLUSTER_RESOURCE_QUOTAS: Resource = Resource::in_cluster(
    QUOTA,
    "v1",
    "clusterresourcequotas",
    "clusterresourcequota",
    "ClusterResourceQuota",
)
.short(&["clusterquota"])
.with(&[Subresource::status("ClusterResourceQuota")]);

pub(super) static QUOTA_V1: &[&Resource] =
    &[&APPLIED_CLUSTER_RESOURCE_QUOTAS, &CLUSTER_RESOURCE_QUOTAS];

const ROUTE: &str = "route.openshift.io";

pub static ROUTES: Resource = Resource::in_namespace(ROUTE, "v1", "routes", "route", "Route")
    .in_all()
    .with(&[Subresource::status("Route")]);

pub(super) static ROUTE_V1: &[&Resource] = &[&ROUTES];

const SECURITY: &str = "security.openshift.io";

pub static POD_SECURITY_POLICY_REVIEWS: Resource = Resource::in_namespace(
    SECURITY,
    "v1",
    "podsecuritypolicyreviews",
    "podsecuritypolicyreview",
    "PodSecurityPolicyReview",
)
.only(&[Verb::Create]);

pub static POD_SECURITY_POLICY_SELF_SUBJECT_REVIEWS: Resource = Resource::in_namespace(
    SECURITY,
    "v1",
    "podsecuritypolicyselfsubjectreviews",
    "podsecuritypolicyselfsubjectreview",
    "PodSecurityPolicySelfSubjectReview",
)
.only(&[Verb::Create]);

pub static POD_SECURITY_POLICY_SUBJECT_REVIEWS: Resource = Resource::in_namespace(
    SECURITY,
    "v1",
    "podsecuritypolicysubjectreviews",
    "podsecuritypolicysubjectreview",
    "PodSecurityPolicySubjectReview",
)
.only(&[Verb::Create]);

pub static RANGE_ALLOCATIONS: Resource =
    Resource::in_cluster(SECURITY, "v1", "rangeallocations", "rangeallocation", "RangeAllocation");

pub static SECURITY_CONTEXT_CONSTRAINTS: Resource = Resource::in_cluster(
    SECURITY,
    "v1",
    "securitycontextconstraints",
    "securitycontextconstraints",
    "SecurityContextConstraints",
)
.short(&["scc"]);

pub(super) static SECURITY_V1: &[&Resource] = &[
    &POD_SECURITY_POLICY_REVIEWS,
    &POD_SECURITY_POLICY_SELF_SUBJECT_REVIEWS,
    &POD_SECURITY_POLICY_SUBJECT_REVIEWS,
    &RANGE_ALLOCATIONS,
    &SECURITY_CONTEXT_CONSTRAINTS,
];

const TEMPLATE: &str = "template.openshift.io";

pub static BROKER_TEMPLATE_INSTANCES: Resource = Resource::in_cluster(
    TEMPLATE,
    "v1",
    "brokertemplateinstances",
    "brokertemplateinstance",
    "BrokerTemplateInstance",
);

pub static PROCESSED_TEMPLATES: Resource =
    Resource::in_namespace(TEMPLATE, "v1", "processedtemplates", "template", "Template")
        .only(&[Verb::Create]);

pub static TEMPLATE_INSTANCES: Resource = Resource::in_namespace(
    TEMPLATE,
    "v1",
    "templateinstances",
    "templateinstance",
    "TemplateInstance",
)
.with(&[Subresource::status("TemplateInstance")]);

pub static TEMPLATES: Resource =
    Resource::in_namespace(TEMPLATE, "v1", "templates", "template", "Template");

pub(super) static TEMPLATE_V1: &[&Resource] =
    &[&BROKER_TEMPLATE_INSTANCES, &PROCESSED_TEMPLATES, &TEMPLATE_INSTANCES, &TEMPLATES];

const USER: &str = "user.openshift.io";

pub static GROUPS: Resource = Resource::in_cluster(USER, "v1", "groups", "group", "Group");

pub static IDENTITIES: Resource =
    Resource::in_cluster(USER, "v1", "identities", "identity", "Identity");

pub static USER_IDENTITY_MAPPINGS: Resource = Resource::in_cluster(
    USER,
    "v1",
    "useridentitymappings",
    "useridentitymapping",
    "UserIdentityMapping",
)
.only(&[Verb::Create, Verb::Delete, Verb::Get, Verb::Patch, Verb::Update]);

pub static USERS: Resource = Resource::in_cluster(USER, "v1", "users", "user", "User");

pub(super) static USER_V1: &[&Resource] = &[&GROUPS, &IDENTITIES, &USER_IDENTITY_MAPPINGS, &USERS];
