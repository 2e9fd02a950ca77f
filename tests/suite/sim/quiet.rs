//! A cluster at rest.

use std::collections::BTreeMap;

use apimachinery::ObjectExt as _;
use apimachinery::json;
use cluster::Access;

use crate::harness::simulated::Simulated;

/// What was written in the last hour.
fn written_in_an_hour(cluster: &mut Simulated) -> Vec<String> {
    let settled = cluster.history().len();
    cluster.run_for(3600);
    let written = cluster.history()[settled..].iter();
    written.map(|write| format!("{} {:?}", write.kind(), write.new)).collect()
}

/// So it is with every kind of workload at once, under every controller that a cluster has.
#[test]
fn nothing_is_written_when_every_kind_of_workload_rests() {
    for seed in 0..5 {
        let mut cluster = Simulated::with(seed, |config| config.access = Access::Policy);
        drop(cluster.image("web:1", r#"{"cpu": "80m"}"#));
        drop(cluster.image("work:1", r#"{"exit": {"code": 0, "afterSeconds": 2}}"#));
        drop(cluster.image("fails:1", r#"{"exit": {"code": 1, "afterSeconds": 2}}"#));
        let class = json!({"metadata": {"name": "made"}, "provisioner": "kubernetes.io/host-path",
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass"});
        drop(cluster.client().create(&api::STORAGE_CLASSES, "", class).unwrap());
        let every = include_str!("../../../fixtures/manifests/workloads/every-kind.yaml");
        cluster.create("shop", every);
        cluster.create(
            "shop",
            "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: deployment}
spec: {minReplicas: 1, maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: deployment}, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}
",
        );
        cluster.run_for(1200);
        let pods = cluster.client().list(&api::PODS, "shop").unwrap();
        let running = pods.iter().filter(|pod| pod["status"]["phase"] == "Running").count();
        // rc 2, rs 2, deployment 3, dc 2, sts 2, ds on two nodes, one job that never ends.
        assert_eq!(running, 2 + 2 + 3 + 2 + 2 + 2 + 1, "seed {seed}");
        assert_eq!(written_in_an_hour(&mut cluster), Vec::<String>::new(), "seed {seed}");
    }
}

/// An hour in which nothing happens writes nothing: no controller fights another or itself.
#[test]
fn nothing_is_written_when_nothing_happens() {
    for seed in 0..10 {
        let mut cluster = Simulated::start(seed);
        for manifests in [
            include_str!("../../../fixtures/manifests/guestbook/cache.yaml"),
            include_str!("../../../fixtures/manifests/guestbook/frontend.yaml"),
            include_str!("../../../fixtures/manifests/openshift-hello/app.yaml"),
        ] {
            cluster.create("shop", manifests);
        }
        cluster.run_for(600);
        assert_eq!(written_in_an_hour(&mut cluster), Vec::<String>::new(), "seed {seed}");
    }
}

/// What cannot succeed, one of each kind.
const HOPELESS: &str = "
apiVersion: v1
kind: Pod
metadata: {name: huge}
spec: {containers: [{name: c, image: 'web:1', resources: {requests: {cpu: '1000'}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: unpullable}
spec: {containers: [{name: c, image: 'missing:1'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: crashing}
spec: {containers: [{name: c, image: 'fails:1'}]}
---
apiVersion: v1
kind: Pod
metadata: {name: claiming}
spec:
  containers: [{name: c, image: 'web:1', volumeMounts: [{name: v, mountPath: /v}]}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: unmet}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: unmet}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: configless}
spec: {containers: [{name: c, image: 'web:1', envFrom: [{configMapRef: {name: absent}}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: volumeless}
spec:
  containers: [{name: c, image: 'web:1', volumeMounts: [{name: v, mountPath: /v}]}]
  volumes: [{name: v, secret: {secretName: absent}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: stuck}
spec:
  replicas: 2
  progressDeadlineSeconds: 60
  selector: {matchLabels: {app: stuck}}
  template:
    metadata: {labels: {app: stuck}}
    spec: {containers: [{name: c, image: 'web:1', resources: {requests: {cpu: '1000'}}}]}
---
apiVersion: apps.openshift.io/v1
kind: DeploymentConfig
metadata: {name: failing}
spec:
  replicas: 2
  selector: {app: failing}
  strategy: {type: Recreate, recreateParams: {timeoutSeconds: 30}}
  triggers: [{type: ConfigChange}]
  template:
    metadata: {labels: {app: failing}}
    spec: {containers: [{name: c, image: 'web:1', resources: {requests: {cpu: '1000'}}}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: first}
spec:
  serviceName: first
  replicas: 3
  selector: {matchLabels: {app: first}}
  template:
    metadata: {labels: {app: first}}
    spec: {containers: [{name: c, image: 'web:1', resources: {requests: {cpu: '1000'}}}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: vain}
spec: {backoffLimit: 1, template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'fails:1'}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: asleep}
spec:
  schedule: '* * * * *'
  suspend: true
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'fails:1'}]}}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: strict}
spec: {minAvailable: 2, selector: {matchLabels: {app: stuck}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: blind}
spec: {minReplicas: 1, maxReplicas: 5, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: stuck}, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]}
";

/// A source may tell of an object every five minutes, and what crashes or cannot be pulled is tried as
/// often; beyond that nothing is written.
#[test]
fn what_fails_is_told_again_every_five_minutes_and_nothing_else_is_written() {
    let mut cluster = Simulated::with(1, |config| config.access = Access::Policy);
    drop(cluster.image("web:1", "{}"));
    drop(cluster.image("missing:1", r#"{"missing": true}"#));
    drop(cluster.image("fails:1", r#"{"exit": {"code": 1, "afterSeconds": 2}}"#));
    cluster.create("shop", HOPELESS);
    cluster.run_for(3600);
    let settled = cluster.history().len();
    cluster.run_for(3600);
    let (mut told, mut written) = (BTreeMap::<String, usize>::new(), BTreeMap::new());
    for write in &cluster.history()[settled..] {
        let object = write.new.as_ref().or(write.old.as_ref()).unwrap();
        let about = &object["involvedObject"];
        if write.kind() == "Event" {
            let line = format!("{} {}", about.kind(), about.str_at(&["name"]));
            *told.entry(line).or_default() += 1;
        } else {
            *written.entry(format!("{} {}", write.kind(), object.name())).or_default() += 1;
        }
    }
    let mut about: Vec<&str> = told.keys().map(String::as_str).collect();
    about.retain(|line| !line.starts_with("Pod stuck-"));
    let pods =
        ["claiming", "configless", "crashing", "first-0", "huge", "unpullable", "volumeless"];
    let expected = pods.map(|name| format!("Pod {name}"));
    assert_eq!(about[0], "HorizontalPodAutoscaler blind");
    assert_eq!(about[1..], expected);
    for (line, count) in &told {
        assert!((11..=14).contains(count), "{count} times about {line}");
    }
    // Twelve times: runs, ends, waits; is pulled in vain, waits.
    let attempts: Vec<(&str, usize)> = written
        .iter()
        .map(|(line, count): (&String, &usize)| (line.as_str(), count / 11))
        .collect();
    assert_eq!(attempts, [("Pod crashing", 3), ("Pod unpullable", 2)], "{written:?}");
}
