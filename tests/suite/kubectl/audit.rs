//! The audit trail: who changed what, and who was refused.

use std::sync::Arc;

use apimachinery::Value;
use audit::AuditLog;
use cluster::Access;
use world::World;

use crate::harness::kubectl::{Kubectl, MAIN};
use crate::harness::served::Served;

#[test]
fn changes_and_refusals_are_on_record() {
    let cluster = Served::with(|config| {
        config.access = Access::Policy;
        config.audit = Some(Arc::new(AuditLog::new(World::real())));
    });
    let Some(kubectl) = Kubectl::find(MAIN, &cluster.kubeconfig()) else { return };
    kubectl.ok("create configmap settings --from-literal=a=b");
    kubectl.ok("get configmap settings");
    kubectl.ok("label configmap settings x=y");
    let refused = kubectl.run(&["delete", "configmap", "settings", "--as=alice"]);
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    let list = kubectl.ok("get events.audit.k8s.io -o json");
    let list: Value = serde_json::from_str(&list).unwrap();
    let lines: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let text =
                |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
            format!(
                "{} as {} {} {}/{} {}",
                text("/user/username"),
                text("/impersonatedUser/username"),
                text("/verb"),
                text("/objectRef/resource"),
                text("/objectRef/name"),
                event["responseStatus"]["code"],
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "system:admin as - create configmaps/settings 201",
            "system:admin as - patch configmaps/settings 200",
            "system:admin as alice delete configmaps/settings 403",
        ]
    );
    let alone = "get events.audit.k8s.io --field-selector=verb=patch,objectRef.namespace=default";
    assert_eq!(kubectl.ok(&format!("{alone} -o name")).lines().count(), 1);
    let hidden = kubectl.run(&["get", "events.audit.k8s.io", "--as=alice"]);
    assert!(hidden.stderr.contains("cannot list events.audit.k8s.io"), "{}", hidden.stderr);
}
