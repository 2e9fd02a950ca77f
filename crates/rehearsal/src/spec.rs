//! What a rehearsal file may say: the stages, the images, the steps.
//!
//! This is the data model of `rehearsal.yaml`, read by [`crate::load`]. Field names on disk are in
//! camel case; unknown fields are refused. Times are whole seconds of the cluster's clock, virtual
//! or real.
//!
//! Invariant: reading a file has no effect; everything that acts lives in [`crate::runner`].

use std::collections::BTreeMap;

use serde::Deserialize;

/// A whole rehearsal.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rehearsal {
    /// Format version; `v1`.
    pub rehearsal: String,
    /// Name shown in reports.
    pub name: String,
    /// A sentence for the reader.
    #[serde(default)]
    pub description: String,
    /// The application's images by reference, e.g. `hello:v1`.
    #[serde(default)]
    pub images: BTreeMap<String, Image>,
    /// Names of the clusters, each with its own API, registry and nodes; one without a name when
    /// there are none here.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// The stages, each a project.
    pub stages: Vec<Stage>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// The workload whose digest must be the same in every stage at the end.
    #[serde(default)]
    pub parity: Option<Parity>,
}

/// How an image behaves when simulated and how it is made when real.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// Behaviour of its containers in a simulated cluster.
    #[serde(default)]
    pub simulate: cri::sim::Behaviour,
    /// How to build it on a Docker engine; absent: the engine already has it.
    #[serde(default)]
    pub build: Option<Build>,
}

/// Where a real image comes from; exactly one field is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Build {
    /// A one-page web server that the program itself makes, `FROM scratch`.
    #[serde(default)]
    pub web: Option<WebImage>,
    /// A directory with a Dockerfile, relative to the rehearsal file.
    #[serde(default)]
    pub context: Option<String>,
}

/// The built-in web server's image.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebImage {
    /// Port it listens on.
    #[serde(default = "default_port")]
    pub port: u16,
    /// What it answers to every GET.
    pub page: String,
}

fn default_port() -> u16 {
    8080
}

/// One stage of the promotion.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stage {
    /// Project name.
    pub project: String,
    /// The cluster that it is in, when there are several.
    #[serde(default)]
    pub cluster: String,
    /// `openshift.io/display-name` of the project.
    #[serde(default)]
    pub display_name: String,
    /// The stage that images come from, `project` or `cluster/project`; absent for the first.
    #[serde(default)]
    pub promoted_from: Option<String>,
    /// Manifest files, relative to the rehearsal file.
    #[serde(default)]
    pub manifests: Vec<String>,
}

/// The workload to compare between stages.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Parity {
    /// Name of the `DeploymentConfig`, the same in every stage.
    pub deployment_config: String,
}

/// One step; exactly one field besides `refused` and `fails` is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// Creates the project of a stage.
    #[serde(default)]
    pub new_project: Option<StageRef>,
    /// Applies the manifests of a stage.
    #[serde(default)]
    pub apply: Option<StageRef>,
    /// Pushes an image into an image stream tag.
    #[serde(default)]
    pub publish: Option<Publish>,
    /// Tags an image stream tag into another, as `oc tag` does.
    #[serde(default)]
    pub tag: Option<Tag>,
    /// Waits until the newest rollout is complete and all its pods are ready.
    #[serde(default)]
    pub verify_deployment: Option<VerifyDeployment>,
    /// Asks a person; a simulated run approves by itself.
    #[serde(default)]
    pub approve: Option<Approve>,
    /// Lets time pass.
    #[serde(default)]
    pub wait: Option<Wait>,
    /// Holds the cluster to a condition.
    #[serde(default)]
    pub check: Option<Check>,
    /// Pulls an image from a cluster's registry into the integration environment.
    #[serde(default)]
    pub pull: Option<ImageRef>,
    /// Tags an image of the integration environment and pushes it to a cluster's registry.
    #[serde(default)]
    pub push: Option<Push>,
    /// Copies an image from registry to registry, as `skopeo copy` does.
    #[serde(default)]
    pub copy: Option<Tag>,
    /// Removes images from the integration environment.
    #[serde(default)]
    pub remove: Option<Remove>,
    /// The step must be refused by the API, for this reason.
    #[serde(default)]
    pub refused: Option<Refusal>,
    /// The step must not hold, for whatever this says.
    #[serde(default)]
    pub fails: Option<Failure>,
}

/// `pull`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageRef {
    /// `[cluster/]project/stream:tag`.
    pub image: String,
}

/// `push`: `docker tag` and `docker push`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Push {
    /// An image that an earlier step pulled, by the name that it was pulled by.
    pub image: String,
    /// `[cluster/]project/stream:tag`.
    pub to: String,
}

/// `remove`: `docker rmi`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Remove {
    /// Names that earlier steps pulled or pushed.
    pub images: Vec<String>,
}

/// `refused`; at least one field is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refusal {
    /// The reason of the API's `Status`, e.g. `Invalid`, `NotFound`, `Forbidden`, `AlreadyExists`.
    #[serde(default)]
    pub reason: Option<String>,
    /// Part of its message.
    #[serde(default)]
    pub contains: Option<String>,
}

/// `fails`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// Part of what is said about the failure; empty for any.
    #[serde(default)]
    pub contains: String,
}

/// A stage by its project.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StageRef {
    pub project: String,
    #[serde(default)]
    pub cluster: String,
}

/// `publish`: what a push to the integrated registry does.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Publish {
    /// A reference among `images`.
    pub image: String,
    /// `[cluster/]project/stream:tag`.
    pub to: String,
}

/// `tag`: promotion by tag.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tag {
    /// `[cluster/]project/stream:tag`.
    pub from: String,
    /// `[cluster/]project/stream:tag`.
    pub to: String,
}

/// `verifyDeployment`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyDeployment {
    pub project: String,
    #[serde(default)]
    pub cluster: String,
    pub deployment_config: String,
    /// How long it may take.
    #[serde(default = "default_within")]
    pub within_seconds: u64,
}

/// A minute more than a rollout may take by default, so that it is the rollout that says why it
/// failed.
fn default_within() -> u64 {
    660
}

/// `approve`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approve {
    /// The question.
    pub message: String,
}

/// `wait`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wait {
    pub seconds: u64,
}

/// `check`; exactly one of `always` and `eventually` is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// Must hold at every moment of the next `forSeconds`.
    #[serde(default)]
    pub always: Option<Condition>,
    /// Length of `always`.
    #[serde(default)]
    pub for_seconds: Option<u64>,
    /// Must come to hold within `withinSeconds`.
    #[serde(default)]
    pub eventually: Option<Condition>,
    /// Patience of `eventually`.
    #[serde(default)]
    pub within_seconds: Option<u64>,
}

/// Something that is true or false of the cluster; exactly one field is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// Number of ready pods of a `DeploymentConfig`.
    #[serde(default)]
    pub ready_pods: Option<ReadyPods>,
    /// A field of an object.
    #[serde(default)]
    pub field: Option<FieldCondition>,
    /// What every ready pod of a `DeploymentConfig` answers over HTTP.
    #[serde(default)]
    pub page: Option<Page>,
}

impl Condition {
    /// The kind of condition, and the cluster and project that it is about, as the file has them.
    #[must_use]
    pub fn subject(&self) -> (&'static str, &str, &str) {
        if let Some(pods) = &self.ready_pods {
            return ("readyPods", &pods.cluster, &pods.project);
        }
        if let Some(field) = &self.field {
            return ("field", &field.cluster, &field.project);
        }
        self.page.as_ref().map_or(("", "", ""), |page| ("page", &page.cluster, &page.project))
    }
}

/// `readyPods`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadyPods {
    pub project: String,
    #[serde(default)]
    pub cluster: String,
    pub deployment_config: String,
    #[serde(default)]
    pub at_least: Option<u64>,
    #[serde(default)]
    pub at_most: Option<u64>,
}

/// `field`; exactly one of the comparisons is set.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldCondition {
    /// Project of the object; empty for cluster-scoped kinds.
    #[serde(default)]
    pub project: String,
    #[serde(default)]
    pub cluster: String,
    /// `apiVersion` of the object, e.g. `apps.openshift.io/v1`.
    pub api_version: String,
    pub kind: String,
    pub name: String,
    /// Dotted path, e.g. `status.latestVersion`.
    pub path: String,
    #[serde(default)]
    pub equals: Option<apimachinery::Value>,
    #[serde(default)]
    pub at_least: Option<i64>,
    #[serde(default)]
    pub at_most: Option<i64>,
}

/// `page`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Page {
    pub project: String,
    #[serde(default)]
    pub cluster: String,
    pub deployment_config: String,
    #[serde(default = "default_port")]
    pub port: u16,
    #[serde(default = "default_path")]
    pub path: String,
    pub contains: String,
}

fn default_path() -> String {
    "/".to_owned()
}
