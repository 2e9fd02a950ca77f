//! Quota: nothing is created beyond what the namespace, or the project's owner, may use.
//!
//! [`usage`] says what an object uses, [`scope`] which pods a quota is about, [`amounts`] adds up;
//! the plugins [`ResourceQuota`] and [`ClusterResourceQuota`] compare and book. [`status`] and
//! [`cluster`] are the controllers that count anew, [`applied`] the view of a namespace.
//!
//! Invariant: usage is booked by a guarded write before the object is stored, so that two creations at
//! the same moment cannot both take the last place. What was booked for an object that then failed is
//! given back by the controllers, which count whenever a quota or an object changes.
//!
//! Mirrors: `kubernetes/plugin/pkg/admission/resourcequota`,
//! `openshift/origin:pkg/quota/apiserver/admission/clusterresourcequota`.

pub mod amounts;
pub mod applied;
pub mod cluster;
pub mod scope;
pub mod status;
pub mod usage;

use std::sync::Arc;

use api::Resource;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, ApiServer, Call, Operation, User};

use self::amounts::Amounts;
use crate::request::{all, any, namespace, refuse, same};

/// Admission of everything in namespaces: `ResourceQuota`.
#[derive(Debug)]
pub struct ResourceQuota;

/// Admission of everything in namespaces: `ClusterResourceQuota`.
#[derive(Debug)]
pub struct ClusterResourceQuota;

impl Admission for ResourceQuota {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !counts(request) {
            return Ok(());
        }
        let quotas = all(request.server, &api::RESOURCE_QUOTAS, request.call.namespace);
        Ledger { resource: &api::RESOURCE_QUOTAS, spec: &["spec"], status: &["status"] }
            .admit(request, &quotas)
    }

    fn sees_events(&self, server: &ApiServer, namespace: &str) -> bool {
        any(server, &api::RESOURCE_QUOTAS, namespace)
    }
}

impl Admission for ClusterResourceQuota {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !counts(request) {
            return Ok(());
        }
        let mut quotas = all(request.server, &api::CLUSTER_RESOURCE_QUOTAS, "");
        if quotas.is_empty() {
            return Ok(());
        }
        let Some(namespace) = namespace(request) else { return Ok(()) };
        quotas.retain(|quota| cluster::selects(quota, &namespace));
        Ledger {
            resource: &api::CLUSTER_RESOURCE_QUOTAS,
            spec: &["spec", "quota"],
            status: &["status", "total"],
        }
        .admit(request, &quotas)
    }

    fn sees_events(&self, server: &ApiServer, _: &str) -> bool {
        any(server, &api::CLUSTER_RESOURCE_QUOTAS, "")
    }
}

/// Objects count when they are created; claims and services may come to use more later.
fn counts(request: &AdmissionRequest<'_>) -> bool {
    let call = request.call;
    let grows = || {
        same(call.resource, &api::SERVICES) || same(call.resource, &api::PERSISTENT_VOLUME_CLAIMS)
    };
    call.resource.namespaced()
        && call.subresource.is_empty()
        && match request.operation {
            Operation::Create => true,
            Operation::Update => grows(),
            Operation::Delete => false,
        }
}

/// Where a kind of quota keeps its books.
#[derive(Debug)]
struct Ledger {
    resource: &'static Resource,
    spec: &'static [&'static str],
    status: &'static [&'static str],
}

impl Ledger {
    fn admit(&self, request: &AdmissionRequest<'_>, quotas: &[Arc<Value>]) -> Result<(), Status> {
        if quotas.is_empty() {
            return Ok(());
        }
        let resource = request.call.resource;
        let now = request.server.world().now();
        let mut delta = usage::of(resource, request.object, now);
        if let Some(old) = request.old {
            amounts::subtract_to_zero(&mut delta, &usage::of(resource, old, now));
        }
        let mut covering = Vec::new();
        for quota in quotas {
            if self.covers(resource, quota, request.object) {
                self.check_specified(request, quota)?;
                self.check(request, quota, &delta)?;
                covering.push(quota);
            }
        }
        if request.call.options.dry_run || amounts::is_zero(&delta) {
            return Ok(());
        }
        covering.into_iter().try_for_each(|quota| self.book(request, quota, &delta))
    }

    fn list(&self, quota: &Value, field: &str) -> Amounts {
        let path: Vec<&str> = self.status.iter().copied().chain([field]).collect();
        amounts::read(quota.at(&path))
    }

    /// Whether the quota is about such an object. A quota that was never counted covers nothing.
    fn covers(&self, resource: &Resource, quota: &Value, object: &Value) -> bool {
        let hard = self.list(quota, "hard");
        hard.keys().any(|name| usage::tracks(resource, name))
            && quota.at(self.spec).is_some_and(|spec| scope::applies(spec, resource, object))
    }

    /// Every container must say how much it uses of what the quota limits.
    fn check_specified(&self, request: &AdmissionRequest<'_>, quota: &Value) -> Result<(), Status> {
        if !same(request.call.resource, &api::PODS) {
            return Ok(());
        }
        let hard = self.list(quota, "hard");
        let missing = usage::unspecified(request.object, &hard);
        if missing.is_empty() {
            return Ok(());
        }
        let text = format!("failed quota: {}: must specify {}", quota.name(), missing.join(","));
        Err(refuse(request, &text))
    }

    /// Refuses what the quota has no room for.
    fn check(
        &self,
        request: &AdmissionRequest<'_>,
        quota: &Value,
        delta: &Amounts,
    ) -> Result<(), Status> {
        let (hard, used) = (self.list(quota, "hard"), self.list(quota, "used"));
        if hard.keys().any(|name| !used.contains_key(name)) {
            return Err(refuse(request, &format!("status unknown for quota: {}", quota.name())));
        }
        let requested = amounts::mask(delta, &hard);
        let sum = amounts::sum(&used, &requested);
        let exceeded: Vec<&String> =
            requested.keys().filter(|name| sum.get(*name) > hard.get(*name)).collect();
        if exceeded.is_empty() {
            return Ok(());
        }
        let print = |list: &Amounts| amounts::print(list, &exceeded);
        let text = format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            quota.name(),
            print(&requested),
            print(&used),
            print(&hard)
        );
        Err(refuse(request, &text))
    }

    /// Writes the usage down, unless others took the room in the meantime.
    fn book(
        &self,
        request: &AdmissionRequest<'_>,
        quota: &Value,
        delta: &Amounts,
    ) -> Result<(), Status> {
        let system = User::system_admin();
        let call = Call::new(&system, self.resource)
            .within(quota.namespace())
            .named(quota.name())
            .subresource("status");
        let written = request.server.modify(&call, &mut |old| {
            self.check(request, old, delta)?;
            let requested = amounts::mask(delta, &self.list(old, "hard"));
            let mut new = old.clone();
            self.add(&mut new, &requested);
            if same(self.resource, &api::CLUSTER_RESOURCE_QUOTAS) {
                cluster::add(&mut new, request.call.namespace, &requested);
            }
            Ok(new)
        });
        match written {
            // The quota is gone, and with it the limit.
            Err(status) if status.is_not_found() => Ok(()),
            written => written.map(drop),
        }
    }

    fn add(&self, quota: &mut Value, requested: &Amounts) {
        let used = amounts::sum(&self.list(quota, "used"), requested);
        let path: Vec<&str> = self.status.iter().copied().chain(["used"]).collect();
        quota.set(&path, amounts::to_value(&used));
    }
}
