//! What every cluster starts with: its namespaces and the service of the API itself.
//!
//! Invariant: running it again changes nothing.

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use crate::call::Call;
use crate::server::ApiServer;
use crate::user::User;

/// The namespaces of OpenShift 3.11.
pub const NAMESPACES: &[&str] =
    &["default", "kube-public", "kube-system", "openshift", "openshift-infra", "openshift-node"];

/// Creates the namespaces and the service `kubernetes` unless they exist.
///
/// # Errors
/// When the server refuses one of them for another reason than that it exists.
pub fn bootstrap(server: &ApiServer) -> Result<(), Status> {
    let admin = User::system_admin();
    for name in NAMESPACES {
        ensure(server, &Call::new(&admin, &api::NAMESPACES), json!({"metadata": {"name": name}}))?;
    }
    ensure(server, &Call::new(&admin, &api::SERVICES).within("default"), kubernetes_service())
}

fn ensure(server: &ApiServer, call: &Call<'_>, object: Value) -> Result<(), Status> {
    // A second service of that address is refused for the address before its name is looked at.
    if server.get(&call.clone().named(object.name())).is_ok() {
        return Ok(());
    }
    match server.create(call, object) {
        Err(status) if !status.is_already_exists() => Err(status),
        _ => Ok(()),
    }
}

/// The service by which pods reach the API.
#[must_use]
pub fn kubernetes_service() -> Value {
    let port = |name: &str, protocol: &str, port: u16, target: u16| json!({"name": name, "protocol": protocol, "port": port, "targetPort": target});
    json!({
        "metadata": {
            "name": "kubernetes",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": crate::strategy::KUBERNETES_SERVICE_IP,
            "sessionAffinity": "None",
            "type": "ClusterIP",
            "ports": [
                port("https", "TCP", 443, 8443),
                port("dns", "UDP", 53, 8053),
                port("dns-tcp", "TCP", 53, 8053),
            ],
        },
    })
}
