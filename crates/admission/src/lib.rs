//! What OpenShift checks and fills in before an object is stored, and the controllers behind it.
//!
//! Every plugin is one file. [`register`] puts them into an API server in OpenShift's order,
//! [`bootstrap`](bootstrap()) creates the objects they need, [`controllers`] are the loops that keep
//! accounts, quota and protection up to date. The [`Options`] given to the first and the last must be
//! the same, or a clone.
//!
//! Reading order: [`service_account`], [`security_allocator`] and [`security_context_constraints`]
//! (what every pod gets), [`limit_ranger`] and [`resource_quota`] (how much), then the small ones.
//!
//! Invariant: plugins keep nothing of a request; what they know they read from the store.
//! Invariant: quota comes last, so that it counts what is really stored.

pub mod image_policy;
pub mod limit_ranger;
pub mod network;
pub mod node_environment;
pub mod options;
pub mod owner_references;
pub mod priority;
pub mod project_request_limit;
pub mod resource_quota;
pub mod security_allocator;
pub mod security_context_constraints;
pub mod service_account;
pub mod storage;
pub mod tolerations;
pub mod webhook;

mod pod;
mod request;

use std::sync::Arc;

use apimachinery::{Status, Value};
use apiserver::{Admission, ApiServer, Builder, Client, User};
use controller_runtime::Controller;

pub use crate::options::Options;
pub use crate::service_account::token::{ServiceAccountTokens, token_user};

/// Plugs all rules into an API server under construction, after those it has.
#[must_use]
pub fn register(builder: Builder, options: &Options) -> Builder {
    let builder = plugins(options).into_iter().fold(builder, Builder::admission);
    builder
        .handler(
            &api::SERVICE_ACCOUNTS,
            "token",
            Box::new(service_account::token_request::TokenRequests { strict: true }),
        )
        .handler(
            &api::APPLIED_CLUSTER_RESOURCE_QUOTAS,
            "",
            Box::new(resource_quota::applied::AppliedClusterResourceQuotas),
        )
}

/// Lets an API server without these rules give tokens to its pods.
#[must_use]
pub fn register_tokens(builder: Builder) -> Builder {
    let requests = service_account::token_request::TokenRequests { strict: false };
    builder.handler(&api::SERVICE_ACCOUNTS, "token", Box::new(requests))
}

/// The plugins in the order of OpenShift 3.11.
fn plugins(options: &Options) -> Vec<Box<dyn Admission>> {
    let mut plugins: Vec<Box<dyn Admission>> = vec![
        Box::new(options.allocator.clone()),
        Box::new(project_request_limit::ProjectRequestLimit {
            limits: options.project_limits.clone(),
        }),
        Box::new(node_environment::PodNodeEnvironment {
            default_selector: options.default_node_selector.clone(),
        }),
        Box::new(node_environment::PodNodeSelector),
        Box::new(options.external_ip_ranger()),
        Box::new(options.restricted_endpoints()),
        Box::new(image_policy::ImagePolicy),
        Box::new(limit_ranger::LimitRanger),
        Box::new(service_account::ServiceAccount { settings: options.credentials() }),
    ];
    if options.security_context_constraints {
        plugins.push(Box::new(security_context_constraints::SecurityContextConstraint));
    }
    plugins.push(Box::new(storage::DefaultStorageClass));
    plugins.push(Box::new(storage::PersistentVolumeClaimResize));
    plugins.push(Box::new(owner_references::OwnerReferencesPermissionEnforcement));
    plugins.push(Box::new(priority::Priority));
    if let Some(tolerations) = options.default_toleration_seconds {
        plugins.push(Box::new(tolerations));
    }
    plugins.push(Box::new(storage::StorageObjectInUseProtection));
    if let Some(caller) = &options.webhooks {
        plugins.push(Box::new(webhook::MutatingWebhooks(Arc::clone(caller))));
        plugins.push(Box::new(webhook::ValidatingWebhooks(Arc::clone(caller))));
    }
    plugins.push(Box::new(tolerations::PodTolerationRestriction));
    plugins.push(Box::new(limit_ranger::image::ImageLimitRange));
    plugins.push(Box::new(resource_quota::ResourceQuota));
    plugins.push(Box::new(resource_quota::ClusterResourceQuota));
    plugins
}

/// Creates the objects that a new cluster has for its rules; running it again changes nothing. The
/// namespaces must be there.
///
/// # Errors
/// When the server refuses one of them for another reason than that it exists.
pub fn bootstrap(server: &ApiServer) -> Result<(), Status> {
    let client = Client::new(server.clone(), User::system_admin());
    let ensure = |resource, object: Value| match client.create(resource, "", object) {
        Err(status) if !status.is_already_exists() => Err(status),
        _ => Ok(()),
    };
    for constraint in security_context_constraints::bootstrap::constraints() {
        ensure(&api::SECURITY_CONTEXT_CONSTRAINTS, constraint)?;
    }
    priority::system_classes()
        .into_iter()
        .try_for_each(|class| ensure(&api::PRIORITY_CLASSES, class))
}

/// The controllers behind the rules.
#[must_use]
pub fn controllers(options: &Options) -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(security_allocator::NamespaceSecurityAllocation(options.allocator.clone())),
        Box::new(service_account::accounts::ServiceAccounts::new(options.credentials())),
        Box::new(service_account::credentials::Credentials::new(options.credentials())),
        Box::new(resource_quota::status::QuotaStatus::default()),
        Box::new(resource_quota::cluster::ClusterQuotaStatus),
        Box::new(storage::ClaimProtection),
        Box::new(storage::VolumeProtection),
    ]
}
