//! Autoscalers over scripted loads: whatever can be scaled follows what its containers use.

use apimachinery::ObjectExt as _;

use crate::harness::simulated::Simulated;

/// Quiet at first, busy from the second minute of each container on, idle from its sixth.
const LOAD: &str = r#"{"cpu": "50m", "usage": [{"afterSeconds": 120, "cpu": "200m"},
    {"afterSeconds": 360, "cpu": "10m"}]}"#;

fn workload(version: &str, kind: &str, extra: &str) -> String {
    let selector = match kind {
        "ReplicationController" | "DeploymentConfig" => "{app: web}",
        _ => "{matchLabels: {app: web}}",
    };
    format!(
        "
apiVersion: {version}
kind: {kind}
metadata: {{name: web}}
spec: {{replicas: 2, {extra} selector: {selector}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{containers: [{{name: c, image: 'web:1', resources: {{requests: {{cpu: 100m}}}}}}]}}}}}}
---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {{name: web}}
spec: {{minReplicas: 1, maxReplicas: 4, targetCPUUtilizationPercentage: 50, scaleTargetRef: {{apiVersion: {version}, kind: {kind}, name: web}}}}
"
    )
}

#[test]
fn everything_that_can_be_scaled_follows_the_load() {
    let configs = [
        (&api::REPLICATION_CONTROLLERS, "v1", ""),
        (&api::REPLICA_SETS, "apps/v1", ""),
        (&api::DEPLOYMENTS, "apps/v1", ""),
        (&api::STATEFUL_SETS, "apps/v1", "serviceName: web,"),
        (&api::DEPLOYMENT_CONFIGS, "apps.openshift.io/v1", "triggers: [{type: ConfigChange}],"),
    ];
    for (resource, version, extra) in configs {
        let mut sim = Simulated::start(1);
        drop(sim.image("web:1", LOAD));
        sim.create("dev", &workload(version, resource.kind, extra));
        let counts = |client: &apiserver::Client, wanted: i64| {
            let object = client.get(resource, "dev", "web").unwrap();
            let status = object.int_at(&["status", "replicas"]).unwrap_or(0);
            object.int_at(&["spec", "replicas"]) == Some(wanted) && status == wanted
        };
        let kind = resource.kind;
        sim.run_for(100);
        assert!(counts(&sim.client(), 2), "{kind}: half of what is requested is on target");
        sim.until(200, &format!("{kind} grows"), |client| counts(client, 4));
        sim.until(1800, &format!("{kind} shrinks"), |client| counts(client, 1));
        let hpa = sim.client().get(&api::HORIZONTAL_POD_AUTOSCALERS, "dev", "web").unwrap();
        assert_eq!(hpa.int_at(&["status", "desiredReplicas"]), Some(1), "{kind}");
    }
}
