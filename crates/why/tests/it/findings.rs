//! What is said of objects alone: YAML in, sentences out.

use apimachinery::ObjectExt as _;
use apimachinery::yaml::load_documents;
use insta::assert_snapshot;
use why::{Facts, Finding};
use world::Time;

/// The chain of findings about the last document.
fn look(yaml: &str, look: fn(&Facts, &apimachinery::Value) -> Finding) -> String {
    let objects: Vec<_> = load_documents(yaml).unwrap().into_iter().map(|it| it.value).collect();
    let now = Time::parse_rfc3339("2026-01-01T12:00:00Z").unwrap();
    let object = objects.last().unwrap().clone();
    assert!(!object.kind().is_empty());
    why::text::chain(&look(&Facts::of(objects, now), &object))
}

fn pod(status: &str) -> String {
    format!(
        "kind: Pod\nmetadata: {{name: web-1, namespace: dev, uid: p}}\nspec: {{nodeName: n1, \
         containers: [{{name: web, image: 'web:2', readinessProbe: {{periodSeconds: 5}}}}]}}\n\
         status: {{phase: Running, {status}}}\n"
    )
}

#[test]
fn pods_say_what_their_containers_wait_for() {
    let state = |state: &str| {
        pod(&format!(
            "containerStatuses: [{{name: web, image: 'web:2', ready: false, restartCount: 4, {state}}}]"
        ))
    };
    let pull =
        "state: {waiting: {reason: ImagePullBackOff, message: 'Back-off pulling image \"web:2\"'}}";
    assert_snapshot!(look(&state(pull), why::pod::look), @r#"
pod/web-1 is held: container "web" cannot get its image web:2: Back-off pulling image "web:2"
    rule: A container starts when its image is there; a pull that failed is tried again after 10 s, then 20 s, 40 s and so on, at most 5 min.
    what helps: Correct the image's name, push it, or give the pod a pull secret
"#);
    let crash = "state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, reason: Error}}";
    assert_snapshot!(look(&state(crash), why::pod::look), @r#"
pod/web-1 is held: container "web" ended with exit code 1, was started again 4 times and waits for its next turn
    rule: A container that ends is started again after 10 s, then 20 s, 40 s and so on, at most 5 min (restartPolicy).
    what helps: See what it said: kubectl -n dev logs web-1 -c web --previous
"#);
    let event = "kind: Event\ninvolvedObject: {uid: p}\ntype: Warning\nreason: Unhealthy\nmessage: 'Readiness probe failed: HTTP probe failed with statuscode: 503'\n---\n";
    let running = format!("{event}{}", state("state: {running: {}}"));
    assert_snapshot!(look(&running, why::pod::look), @r#"
pod/web-1 waits: container "web" runs and is not ready: Readiness probe failed: HTTP probe failed with statuscode: 503
    rule: A pod is ready, and gets traffic, when every container has passed its readiness probe; this one is asked every 5 s.
    what helps: See what it said: kubectl -n dev logs web-1 -c web
"#);
    let config = "state: {waiting: {reason: CreateContainerConfigError, message: 'configmap \"settings\" not found'}}";
    assert_snapshot!(look(&state(config), why::pod::look), @r#"
pod/web-1 is held: container "web" cannot be started: CreateContainerConfigError: configmap "settings" not found
    what helps: Make the config map, secret or key that the container names
"#);
}

#[test]
fn what_helps_fits_the_reason() {
    let waiting = |waiting: &str| {
        let status = format!("{{name: web, image: 'web:2', state: {{waiting: {waiting}}}}}");
        look(&pod(&format!("containerStatuses: [{status}]")), why::pod::look)
    };
    let root = "{reason: CreateContainerConfigError, message: 'container has runAsNonRoot and image will run as root'}";
    assert_snapshot!(waiting(root), @r#"
pod/web-1 is held: container "web" cannot be started: CreateContainerConfigError: container has runAsNonRoot and image will run as root
    rule: With runAsNonRoot no container runs as user 0, and the user must be a number.
    what helps: Set securityContext.runAsUser, or name an image with another user
"#);
    let never = "{reason: ErrImageNeverPull, message: 'Container image \"web:2\" is not present with pull policy of Never'}";
    assert_snapshot!(waiting(never), @r#"
pod/web-1 is held: container "web" cannot get its image web:2: Container image "web:2" is not present with pull policy of Never
    rule: With imagePullPolicy Never a container starts only when its node has the image.
    what helps: Bring the image to the node (docker build, docker pull, docker load), or set imagePullPolicy to IfNotPresent
"#);
    let name = "{reason: InvalidImageName, message: 'invalid reference format'}";
    assert_snapshot!(waiting(name), @r#"
pod/web-1 is held: container "web" cannot get its image web:2: invalid reference format
    rule: An image is named [registry/]repository[:tag] or [registry/]repository@digest, in lower case.
    what helps: Correct the image's name
"#);
    let alone =
        "{reason: ErrImagePull, message: 'dial tcp: lookup registry-1.docker.io: no such host'}";
    assert_snapshot!(waiting(alone), @r#"
pod/web-1 is held: container "web" cannot get its image web:2: dial tcp: lookup registry-1.docker.io: no such host
    rule: A container starts when its image is there; a pull that failed is tried again after 10 s, then 20 s, 40 s and so on, at most 5 min.
    what helps: The registry cannot be reached: bring the image to the node (docker build, docker load), or name a registry that answers
"#);
    let hook = "{reason: 'PostStartHookError: command ''x'' exited with 5: ', message: failed}";
    assert_snapshot!(waiting(hook), @r#"
pod/web-1 is held: container "web" cannot be started: PostStartHookError: command 'x' exited with 5: : failed
    rule: A container whose postStart hook fails is ended and started again (restartPolicy).
    what helps: Mend what lifecycle.postStart of the container runs
"#);
    let broken = pod(
        "containerStatuses: [{name: web, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, \
         lastState: {terminated: {exitCode: 127, reason: ContainerCannotRun, message: 'exec: \"x\": not found'}}}]",
    );
    assert_snapshot!(look(&broken, why::pod::look), @r#"
pod/web-1 is held: container "web" could not be run: exec: "x": not found, was started again 1 time and waits for its next turn
    rule: A container that ends is started again after 10 s, then 20 s, 40 s and so on, at most 5 min (restartPolicy).
    what helps: Correct the container's command, working directory or mounts, or name an image that has that command
"#);
}

#[test]
fn what_is_wanting_before_containers_start() {
    let event = |number: u32, message: &str| {
        format!(
            "kind: Event\ninvolvedObject: {{uid: p}}\nreason: FailedMount\n\
             lastTimestamp: '2026-01-01T12:00:0{number}Z'\nmessage: '{message}'\n---\n"
        )
    };
    let starting =
        pod("containerStatuses: [{name: web, state: {waiting: {reason: ContainerCreating}}}]");
    let volume = |why: &str| {
        let setup = format!("MountVolume.SetUp failed for volume \"s\" : {why}");
        let late = event(2, "Unable to mount volumes for pod \"web-1_dev(p)\": timeout expired");
        look(&format!("{}{late}{starting}", event(1, &setup)), why::pod::look)
    };
    assert_snapshot!(volume("secrets \"login\" not found"), @r#"
pod/web-1 is held: MountVolume.SetUp failed for volume "s" : secrets "login" not found
    rule: Containers start when the pod's volumes and its network are there.
    what helps: Make the secret "login" in project "dev", or make the volume optional
"#);
    let port = event(
        3,
        "Failed create pod sandbox: Bind for 0.0.0.0:80 failed: port is already allocated",
    );
    let port = port.replace("FailedMount", "FailedCreatePodSandBox");
    assert_snapshot!(look(&format!("{port}{starting}"), why::pod::look), @r"
pod/web-1 is held: Failed create pod sandbox: Bind for 0.0.0.0:80 failed: port is already allocated
    rule: Containers start when the pod's volumes and its network are there.
    what helps: Something else on the engine's machine has that host port: end it, or take another hostPort or none
");
    let init = pod("initContainerStatuses: [{name: first, state: {running: {}}}]");
    assert_snapshot!(look(&init, why::pod::look), @r#"
pod/web-1 waits: init container "first" has not ended yet
    rule: Init containers run one after the other; the others start when all have ended with exit code 0.
"#);
    let last = |text: String| text.lines().last().unwrap_or_default().to_owned();
    assert_snapshot!(last(volume("configmaps \"site\" not found")), @r#"    what helps: Make the config map "site" in project "dev", or make the volume optional"#);
    assert_snapshot!(last(volume("references non-existent config key: k")), @r"    what helps: Add that key, or correct the volume's items");
    assert_snapshot!(last(volume("hostPath type check failed: /x is not a directory")), @r"    what helps: Make that path on the node, or change the volume's hostPath.type");
    assert_snapshot!(last(volume("volume source nfs is not supported by this node")), @r"    what helps: Use a volume of another kind: emptyDir, hostPath, or a claim of the default storage class");
}

#[test]
fn pods_that_end_or_have_ended() {
    let ended =
        "containerStatuses: [{name: web, state: {terminated: {exitCode: 137, reason: OOMKilled}}}]";
    let failed = pod(ended).replace("Running", "Failed");
    assert_snapshot!(look(&failed, why::pod::look), @r#"
pod/web-1 has failed: container "web" ended because it used more memory than its limit (OOMKilled)
    what helps: Raise resources.limits.memory of the container, or let it use less
    what helps: See what it said: kubectl -n dev logs web-1 -c web
"#);
    let evicted = pod("reason: Evicted, message: 'The node was low on resource: memory.'")
        .replace("Running", "Failed");
    assert_snapshot!(look(&evicted, why::pod::look), @r"pod/web-1 has failed: Evicted: The node was low on resource: memory.");
    let late =
        pod("reason: DeadlineExceeded, message: Pod was active").replace("Running", "Failed");
    let late = late.replace("nodeName", "activeDeadlineSeconds: 5, nodeName");
    assert_snapshot!(look(&late, why::pod::look), @r"
pod/web-1 has failed: DeadlineExceeded: Pod was active
    rule: A pod may run for 5 s (activeDeadlineSeconds).
");
    let going = pod("").replace(
        "uid: p",
        "uid: p, deletionTimestamp: '2026-01-01T12:00:20Z', deletionGracePeriodSeconds: 30",
    );
    assert_snapshot!(look(&going, why::pod::look), @r"
pod/web-1 waits: it is being deleted; its containers are ending
    rule: Containers get 30 s to end by themselves (the grace period).
");
}

#[test]
fn replicas_refused_by_a_quota() {
    let set = "kind: ReplicaSet\nmetadata: {name: web-5, namespace: dev, uid: r}\nspec: {replicas: 3}\n\
               status:\n  replicas: 1\n  readyReplicas: 1\n  conditions:\n  - {type: ReplicaFailure, status: 'True', \
               message: 'pods \"web-5-\" is forbidden: exceeded quota: compute, requested: cpu=1, used: cpu=4, limited: cpu=4'}\n";
    assert_snapshot!(look(set, why::replicas::look), @r#"
replicaset/web-5 is held: 3 wanted, 1 there, and a new one is refused: pods "web-5-" is forbidden: exceeded quota: compute, requested: cpu=1, used: cpu=4, limited: cpu=4
    rule: A ResourceQuota bounds what all pods of the project may ask for together.
    what helps: Delete other pods of the project, ask for less, or have the quota raised: kubectl describe quota
"#);
}

const DEPLOYMENT: &str = "
kind: ReplicaSet
metadata: {name: web-old, namespace: dev, uid: o, ownerReferences: [{controller: true, uid: d}],
  labels: {pod-template-hash: a}}
spec: {replicas: 3, template: {metadata: {labels: {pod-template-hash: a}}, spec: {v: 1}}}
status: {replicas: 3, readyReplicas: 3, availableReplicas: 3}
---
kind: ReplicaSet
metadata: {name: web-new, namespace: dev, uid: new, ownerReferences: [{controller: true, uid: d}],
  labels: {pod-template-hash: b}}
spec: {replicas: 1, template: {metadata: {labels: {pod-template-hash: b}}, spec: {v: 2}}}
status: {replicas: 1, readyReplicas: 0}
---
kind: Pod
metadata: {name: web-new-x, namespace: dev, uid: p, ownerReferences: [{controller: true, uid: new}]}
spec: {nodeName: n1}
status:
  phase: Pending
  containerStatuses:
  - {name: web, image: 'web:2', state: {waiting: {reason: ErrImagePull, message: not found}}}
---
kind: Deployment
metadata: {name: web, namespace: dev, uid: d, generation: 2}
spec:
  replicas: 3
  progressDeadlineSeconds: 60
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}
  template: {metadata: {}, spec: {v: 2}}
status:
  observedGeneration: 2
  replicas: 4
  updatedReplicas: 1
  availableReplicas: 3
";

#[test]
fn a_deployment_held_by_its_bounds_and_an_image() {
    assert_snapshot!(look(DEPLOYMENT, why::deployment::look), @r#"
deployment/web waits: a rollout to replicaset/web-new is under way: 0 of 3 new pods available, 3 pods of older templates left
    rule: At most 4 pods may exist at a time (replicas 3 + maxSurge 25% = 1).
    rule: An old pod goes only while at least 3 pods stay available (replicas 3 - maxUnavailable 25% = 0); 3 are now.
  because replicaset/web-new waits: 0 of 1 pod is ready
    because pod/web-new-x is held: container "web" cannot get its image web:2: not found
        rule: A container starts when its image is there; a pull that failed is tried again after 10 s, then 20 s, 40 s and so on, at most 5 min.
        what helps: Correct the image's name, push it, or give the pod a pull secret
"#);
    let late = format!(
        "{DEPLOYMENT}  conditions: [{{type: Progressing, status: 'False', \
        reason: ProgressDeadlineExceeded, lastTransitionTime: '2026-01-01T11:50:00Z'}}]\n"
    );
    let text = look(&late, why::deployment::look);
    assert_snapshot!(text.lines().next().unwrap(), @r"deployment/web has failed: a rollout to replicaset/web-new is under way: 0 of 3 new pods available, 3 pods of older templates left; its deadline passed 10 min ago");
    assert!(text.contains("progressDeadlineSeconds"), "{text}");
    let paused = DEPLOYMENT
        .replace("  replicas: 3\n  progress", "  paused: true\n  replicas: 3\n  progress");
    assert_snapshot!(look(&paused, why::deployment::look), @r"
deployment/web is held: it is paused in the middle of a change
    rule: While spec.paused is true no rollout starts or goes on; its size still follows.
    what helps: Let it go on: kubectl -n dev rollout resume deployment/web
");
}

#[test]
fn a_deployment_config_waits_for_an_image_or_for_nobody() {
    let dc = |triggers: &str| {
        format!(
            "kind: DeploymentConfig\nmetadata: {{name: web, namespace: dev, uid: d}}\n\
                 spec: {{replicas: 1, triggers: {triggers}}}\nstatus: {{latestVersion: 0}}\n"
        )
    };
    let image = "[{type: ImageChange, imageChangeParams: {automatic: true, containerNames: [web], \
                 from: {kind: ImageStreamTag, name: 'web:prod'}}}]";
    assert_snapshot!(look(&dc(image), why::deployment_config::look), @r#"
deploymentconfig/web waits: its first rollout waits for an image
    rule: The first rollout begins when every image trigger has found its image.
  because imagestreamtag/web:prod is held: there is no image stream "web" in dev
      rule: An ImageChange trigger follows a tag of an image stream.
      what helps: Make it, or tag an image into it: oc tag <image> dev/web:prod
"#);
    let stream =
        "kind: ImageStream\nmetadata: {name: web, namespace: dev}\nstatus: {tags: []}\n---\n";
    assert_snapshot!(look(&format!("{stream}{}", dc(image)), why::deployment_config::look), @r#"
deploymentconfig/web waits: its first rollout waits for an image
    rule: The first rollout begins when every image trigger has found its image.
  because imagestreamtag/web:prod is held: image stream dev/web has no image under tag "prod"
      rule: An ImageChange trigger fires when its tag points to an image.
      what helps: Push or tag one: oc tag <image> dev/web:prod
"#);
    assert_snapshot!(look(&dc("[]"), why::deployment_config::look), @r"
deploymentconfig/web is held: nothing starts its first rollout
    rule: A rollout begins by a ConfigChange or ImageChange trigger, or by hand.
    what helps: Start one by hand: oc -n dev rollout latest dc/web
");
}

#[test]
fn a_rollout_that_failed_and_one_whose_hook_runs() {
    let rc = |phase: &str| {
        format!(
            "kind: ReplicationController\nmetadata:\n  name: web-2\n  namespace: dev\n  uid: r2\n  annotations:\n    \
             openshift.io/deployment-config.name: web\n    openshift.io/deployment-config.latest-version: '2'\n    \
             openshift.io/deployment.phase: {phase}\n    openshift.io/deployment.status-reason: image change\n\
             spec: {{replicas: 0}}\nstatus: {{}}\n---\n"
        )
    };
    let dc = "kind: DeploymentConfig\nmetadata: {name: web, namespace: dev, uid: d}\n\
              spec: {replicas: 1, strategy: {type: Recreate}}\nstatus: {latestVersion: 2}\n";
    assert_snapshot!(look(&format!("{}{dc}", rc("Failed")), why::deployment_config::look), @r"
deploymentconfig/web has failed: rollout 2 (image change) has failed; no rollout serves
    rule: After a failed rollout the last complete one gets its pods back; nothing is tried again by itself.
    what helps: See the deployer's log: oc -n dev logs web-2-deploy
    what helps: Try again: oc -n dev rollout retry dc/web (or oc rollout latest dc/web)
");
    let worker = |name: &str, labels: &str| {
        format!(
            "kind: Pod\nmetadata: {{name: {name}, namespace: dev, uid: {name}, labels: {{{labels}}}}}\n\
                 spec: {{nodeName: n1, containers: [{{name: lifecycle}}]}}\nstatus: {{phase: Running, \
                 conditions: [{{type: Ready, status: 'True'}}]}}\n---\n"
        )
    };
    let hook =
        "openshift.io/deployer-pod-for.name: web-2, openshift.io/deployer-pod.type: hook-mid";
    let running = format!(
        "{}{}{}{dc}",
        rc("Running"),
        worker("web-2-deploy", ""),
        worker("web-2-hook-mid", hook)
    );
    assert_snapshot!(look(&running, why::deployment_config::look), @r"
deploymentconfig/web waits: rollout 2 runs its mid hook
    rule: Between the old pods and the new ones the mid hook must end.
  because pod/web-2-hook-mid waits: it runs on n1 and is ready
");
}

#[test]
fn stateful_sets_daemon_sets_and_jobs() {
    let set = "kind: Pod\nmetadata: {name: db-0, namespace: dev, uid: p, ownerReferences: [{controller: true, uid: s}]}\n\
               spec: {nodeName: n1}\nstatus: {phase: Pending}\n---\n\
               kind: StatefulSet\nmetadata: {name: db, namespace: dev, uid: s}\nspec: {replicas: 3}\n\
               status: {replicas: 1, readyReplicas: 0}\n";
    assert_snapshot!(look(set, why::kinds::stateful_set), @r"
statefulset/db waits: 0 of 3 pods are ready, 1 there
    rule: OrderedReady: a pod is made when every pod with a lower number is ready, and goes when every pod with a higher number is gone.
  because pod/db-0 waits: n1 has not started it yet
");
    let daemon = "kind: DaemonSet\nmetadata: {name: log, namespace: dev, uid: s}\nspec: {}\n\
                  status: {desiredNumberScheduled: 0}\n";
    assert_snapshot!(look(daemon, why::kinds::daemon_set), @r"
daemonset/log is held: no node is to run its pod
    rule: A daemon set runs on the nodes whose labels its nodeSelector names and whose taints it tolerates.
    what helps: See what nodes have: kubectl get nodes --show-labels
");
    let refused = "kind: Event\ninvolvedObject: {uid: s}\nreason: FailedCreate\nmessage: 'Error creating: pods \"edge-\" is \
                   forbidden: unable to validate against any security context constraint: []'\n---\n\
                   kind: DaemonSet\nmetadata: {name: edge, namespace: dev, uid: s, generation: 1}\nspec: {}\n";
    assert_snapshot!(look(refused, why::kinds::daemon_set), @r#"
daemonset/edge is held: a pod is refused: Error creating: pods "edge-" is forbidden: unable to validate against any security context constraint: []
    rule: A pod may only do what a SecurityContextConstraints allows that its service account may use.
    what helps: Ask for less (user, volumes, host access), or: oc adm policy add-scc-to-user
"#);
    let job = "kind: Job\nmetadata: {name: import, namespace: dev, uid: j}\nspec: {backoffLimit: 2, completions: 1}\n\
               status: {failed: 3, conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded, \
               message: Job has reached the specified backoff limit}]}\n";
    assert_snapshot!(look(job, why::kinds::job), @r"
job/import has failed: BackoffLimitExceeded: Job has reached the specified backoff limit
    rule: Each failed pod uses up two retries (backoffLimit 2); the first to fail when none is left fails the job.
    what helps: A job that has failed is not tried again: delete it, mend it and make it anew
");
    let again = job.replace(
        "backoffLimit: 2",
        "backoffLimit: 1, template: {spec: {restartPolicy: OnFailure}}",
    );
    assert_snapshot!(look(&again, why::kinds::job), @r"
job/import has failed: BackoffLimitExceeded: Job has reached the specified backoff limit
    rule: With restartPolicy OnFailure a job fails when its containers have been started again 1 time (backoffLimit).
    what helps: A job that has failed is not tried again: delete it, mend it and make it anew
");
    let cron =
        "kind: CronJob\nmetadata: {name: nightly, namespace: dev}\nspec: {schedule: '0 3 * * *'}\n";
    assert_snapshot!(look(cron, why::kinds::cron_job), @r"cronjob/nightly is settled: its next job is due at 2026-01-02T03:00:00Z (in 15 h)");
}

#[test]
fn claims_autoscalers_and_budgets() {
    let claim = "kind: PersistentVolume\nmetadata: {name: small}\nspec: {capacity: {storage: 1Gi}, \
                 accessModes: [ReadWriteOnce]}\n---\n\
                 kind: PersistentVolume\nmetadata: {name: taken}\nspec: {capacity: {storage: 9Gi}, \
                 accessModes: [ReadWriteOnce], claimRef: {namespace: dev, name: other}}\n---\n\
                 kind: PersistentVolume\nmetadata: {name: taken-small}\nspec: {capacity: {storage: 1Gi}, \
                 accessModes: [ReadWriteOnce], claimRef: {namespace: dev, name: another}}\n---\n\
                 kind: PersistentVolumeClaim\nmetadata: {name: data, namespace: dev, uid: c}\n\
                 spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 5Gi}}}\nstatus: {phase: Pending}\n";
    assert_snapshot!(look(claim, why::kinds::claim), @r"
persistentvolumeclaim/data is held: no volume of 5Gi is bound to it
    rule: A claim gets a free volume of its class and access mode that is large enough, or one that its storage class makes.
    rule: Not this volume: small: requested PV is too small.
    rule: Not this volume: taken: it is taken.
    what helps: Make a PersistentVolume that fits, or a storage class that makes volumes
");
    let hpa = "kind: HorizontalPodAutoscaler\nmetadata: {name: web, namespace: dev}\n\
               spec: {minReplicas: 1, maxReplicas: 4, scaleTargetRef: {kind: Deployment, name: web}}\n\
               status: {currentReplicas: 1, desiredReplicas: 0, conditions: [{type: ScalingActive, status: 'False', \
               reason: FailedGetResourceMetric, message: 'missing request for cpu'}]}\n";
    assert_snapshot!(look(hpa, why::kinds::autoscaler), @r"
horizontalpodautoscaler/web is held: FailedGetResourceMetric: missing request for cpu
    rule: An autoscaler needs figures of its target's pods, which must request what is measured.
");
    let budget = "kind: PodDisruptionBudget\nmetadata: {name: web, namespace: dev}\n\
                  spec: {selector: {matchLabels: {app: web}}}\n\
                  status: {disruptionsAllowed: 0, currentHealthy: 2, desiredHealthy: 2, expectedPods: 2}\n";
    assert_snapshot!(look(budget, why::kinds::budget), @r"
poddisruptionbudget/web waits: 2 of 2 pods are healthy, at least 2 must stay: 0 may be evicted
    rule: An eviction (kubectl drain) is refused while it would leave fewer healthy pods than the budget wants.
    what helps: Let more pods become ready, add replicas, or make the budget anew with less: kubectl replace --force
");
}
