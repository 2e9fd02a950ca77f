//! Labels and annotations by which rollouts speak to each other and to clients.
//!
//! Invariant: these strings are the wire contract of OpenShift 3.11; `oc` reads them.

/// On a rollout's `ReplicationController` (label and annotation): its `DeploymentConfig`.
pub const CONFIG_NAME: &str = "openshift.io/deployment-config.name";
/// Number of the rollout, decimal.
pub const LATEST_VERSION: &str = "openshift.io/deployment-config.latest-version";
/// JSON of the whole `DeploymentConfig` at the time of the rollout.
pub const ENCODED_CONFIG: &str = "openshift.io/encoded-deployment-config";
/// Phase of the rollout: New, Pending, Running, Complete or Failed.
pub const PHASE: &str = "openshift.io/deployment.phase";
/// Why the rollout is in its phase, for people.
pub const STATUS_REASON: &str = "openshift.io/deployment.status-reason";
/// `true` when cancellation was asked for.
pub const CANCELLED: &str = "openshift.io/deployment.cancelled";
/// Replicas of a complete rollout; nothing reads it.
pub const REPLICAS: &str = "openshift.io/deployment.replicas";
/// On pods: the rollout they belong to.
pub const DEPLOYMENT_NAME: &str = "openshift.io/deployment.name";
/// Name of the deployer pod.
pub const DEPLOYER_POD_NAME: &str = "openshift.io/deployer-pod.name";
/// When the deployer pod was created, in Go's default format.
pub const DEPLOYER_POD_CREATED_AT: &str = "openshift.io/deployer-pod.created-at";
/// When the deployer pod was started.
pub const DEPLOYER_POD_STARTED_AT: &str = "openshift.io/deployer-pod.started-at";
/// When the deployer pod ended.
pub const DEPLOYER_POD_COMPLETED_AT: &str = "openshift.io/deployer-pod.completed-at";
/// Label of deployer and hook pods: the rollout they work for.
pub const DEPLOYER_POD_FOR: &str = "openshift.io/deployer-pod-for.name";
/// Label of hook pods: which hook it is, e.g. `hook-pre`.
pub const DEPLOYER_POD_TYPE: &str = "openshift.io/deployer-pod.type";
/// Keeps the controller from creating a deployer pod.
pub const IGNORE_POD: &str = "deploy.openshift.io/deployer-pod.ignore";
/// The target that the deployer scales to.
pub const DESIRED_REPLICAS: &str = "kubectl.kubernetes.io/desired-replicas";
/// On the old controller: its replicas before the rolling update.
pub const ORIGINAL_REPLICAS: &str = "kubectl.kubernetes.io/original-replicas";
/// On the new controller during a rolling update: `<old>:<old uid>`.
pub const UPDATE_SOURCE_ID: &str = "kubectl.kubernetes.io/update-source-id";
/// Label of application pods: the rollout.
pub const DEPLOYMENT_LABEL: &str = "deployment";
/// Label of application pods: the `DeploymentConfig`.
pub const CONFIG_LABEL: &str = "deploymentconfig";

/// Image of the deployer; its container runs in process.
pub const DEPLOYER_IMAGE: &str = "openshift/origin-deployer:v3.11.0";
