//! What a cluster may set about its rules; the defaults are those of `oc cluster up`.

use std::sync::Arc;

use crate::network::{ExternalIpRanger, Network, RestrictedEndpoints};
use crate::project_request_limit::ProjectLimit;
use crate::security_allocator::SecurityAllocator;
use crate::service_account::credentials::Settings;
use crate::tolerations::DefaultTolerationSeconds;
use crate::webhook::Caller;

/// Settings of all plugins and controllers.
#[derive(Debug, Clone)]
pub struct Options {
    /// The service accounts that every namespace has.
    pub managed_accounts: Vec<String>,
    /// Namespaces whose accounts are made only when a pod needs one, to save the writes at the start
    /// of a short simulation.
    pub on_demand_namespaces: Vec<String>,
    /// `ca.crt` in token secrets, PEM.
    pub ca: String,
    /// `service-ca.crt` in token secrets, PEM.
    pub service_ca: String,
    /// The addresses of the integrated registry that pull secrets log in to.
    pub registries: Vec<String>,
    /// The node selector of projects that have none (`projectConfig.defaultNodeSelector`).
    pub default_node_selector: String,
    /// How many projects users may request; none for as many as they like.
    pub project_limits: Vec<ProjectLimit>,
    /// How long pods stay on nodes in trouble; off by default, as in OpenShift.
    pub default_toleration_seconds: Option<DefaultTolerationSeconds>,
    /// Whether pods are held to security context constraints.
    pub security_context_constraints: bool,
    /// Where services may have external addresses; entries with `!` are refused.
    pub external_ip_networks: Vec<String>,
    /// The networks of pods and services, where users may not point endpoints to.
    pub restricted_networks: Vec<String>,
    /// How webhooks are reached; without it none is asked. [`crate::webhook::HttpCaller`] uses the
    /// network, which a simulated world does not have.
    pub webhooks: Option<Arc<dyn Caller>>,
    /// The user id blocks that are given out.
    pub allocator: SecurityAllocator,
}

impl Default for Options {
    fn default() -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            managed_accounts: owned(&["builder", "default", "deployer"]),
            on_demand_namespaces: Vec::new(),
            ca: String::new(),
            service_ca: String::new(),
            registries: owned(&[
                "docker-registry.default.svc.cluster.local:5000",
                "docker-registry.default.svc:5000",
            ]),
            default_node_selector: String::new(),
            project_limits: Vec::new(),
            default_toleration_seconds: None,
            security_context_constraints: true,
            external_ip_networks: owned(&["0.0.0.0/0"]),
            restricted_networks: owned(&["10.128.0.0/14", "172.30.0.0/16"]),
            webhooks: None,
            allocator: SecurityAllocator::default(),
        }
    }
}

impl Options {
    pub(crate) fn credentials(&self) -> Arc<Settings> {
        Arc::new(Settings {
            managed: self.managed_accounts.clone(),
            on_demand: self.on_demand_namespaces.clone(),
            ca: self.ca.clone(),
            service_ca: self.service_ca.clone(),
            registries: self.registries.clone(),
        })
    }

    pub(crate) fn external_ip_ranger(&self) -> ExternalIpRanger {
        let entries = || self.external_ip_networks.iter();
        ExternalIpRanger {
            admitted: entries().filter_map(|text| Network::parse(text)).collect(),
            rejected: entries()
                .filter_map(|text| Network::parse(text.strip_prefix('!')?))
                .collect(),
        }
    }

    pub(crate) fn restricted_endpoints(&self) -> RestrictedEndpoints {
        let networks = self.restricted_networks.iter();
        RestrictedEndpoints { networks: networks.filter_map(|text| Network::parse(text)).collect() }
    }
}
