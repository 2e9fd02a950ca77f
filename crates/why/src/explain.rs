//! A question about an object and its answer.
//!
//! Invariant: the answer to a question about a placed pod is made from the facts of its decision; to
//! every other question from those of now.

use api::{
    CRON_JOBS, DAEMON_SETS, DEPLOYMENT_CONFIGS, DEPLOYMENTS, HORIZONTAL_POD_AUTOSCALERS, JOBS,
    PERSISTENT_VOLUME_CLAIMS, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS,
    Resource, STATEFUL_SETS,
};
use apimachinery::{ObjectExt as _, Reason, Status, Value};
use apiserver::Client;
use scheduler::Profile;
use serde::Serialize;

use crate::facts::Facts;
use crate::finding::Finding;
use crate::placement::{self, Placement};
use crate::{deployment, deployment_config, kinds, pod, replicas, text};

type Look = fn(&Facts, &Value) -> Finding;

/// What can be asked about.
static KINDS: [(&Resource, Look); 12] = [
    (&PODS, pod::look),
    (&REPLICATION_CONTROLLERS, replicas::look),
    (&REPLICA_SETS, replicas::look),
    (&DEPLOYMENTS, deployment::look),
    (&DEPLOYMENT_CONFIGS, deployment_config::look),
    (&STATEFUL_SETS, kinds::stateful_set),
    (&DAEMON_SETS, kinds::daemon_set),
    (&JOBS, kinds::job),
    (&CRON_JOBS, kinds::cron_job),
    (&PERSISTENT_VOLUME_CLAIMS, kinds::claim),
    (&HORIZONTAL_POD_AUTOSCALERS, kinds::autoscaler),
    (&POD_DISRUPTION_BUDGETS, kinds::budget),
];

/// A question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What kind of object.
    pub resource: &'static Resource,
    /// Where it is.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Another policy to place a pod by.
    pub policy: Option<&'a Profile>,
    /// Whether the caller may not see nodes: what is said of each is left out.
    pub veiled: bool,
}

impl<'a> Question<'a> {
    /// A question of someone who may see everything.
    #[must_use]
    pub fn new(resource: &'static Resource, namespace: &'a str, name: &'a str) -> Self {
        Self { resource, namespace, name, policy: None, veiled: false }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// How the object stands.
    pub finding: Finding,
    /// How a pod came to its node, or why it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// What there is to say about a placement that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Explanation {
    /// The answer as people read it.
    #[must_use]
    pub fn text(&self) -> String {
        text::explanation(self)
    }
}

/// What can be asked about, by any name that clients know it by.
#[must_use]
pub fn resource_named(name: &str) -> Option<&'static Resource> {
    let name = name.to_lowercase();
    let bare = name.split('.').next().unwrap_or_default();
    let known = |resource: &Resource| {
        resource.plural == bare || resource.singular == bare || resource.short_names.contains(&bare)
    };
    KINDS.iter().map(|(resource, _)| *resource).find(|resource| known(resource))
}

/// What can be asked about, for refusals.
#[must_use]
pub fn known_resources() -> String {
    let names: Vec<&str> = KINDS.iter().map(|(resource, _)| resource.plural).collect();
    names.join(", ")
}

/// Answers a question; `profile` is the policy in force.
///
/// # Errors
/// 404 when there is no such object, 400 when nothing is known about its kind.
pub fn explain(
    client: &Client,
    profile: &Profile,
    question: Question<'_>,
) -> Result<Explanation, Status> {
    let Question { resource, namespace, name, policy, veiled } = question;
    let look = KINDS.iter().find(|(known, _)| *known == resource).map(|(_, look)| *look);
    let look = look
        .ok_or_else(|| Status::bad_request(format!("nothing to say about {}", resource.plural)))?;
    let object = client.get(resource, namespace, name)?;
    let mut facts = Facts::read(client, profile, namespace)?;
    if veiled {
        facts.placing = None;
    }
    let finding = look(&facts, facts.find(resource, name).unwrap_or(&object));
    let mut explanation = Explanation { finding, placement: None, note: None };
    if resource != &PODS {
        return Ok(explanation);
    }
    match placement::of_pod(client, policy.unwrap_or(profile), &object) {
        Ok(Some(mut placement)) => {
            placement.other_policy = policy.is_some();
            if !profile.extenders.is_empty() && policy.is_none() {
                explanation.note = Some(
                    "The policy has extenders; what they said was not recorded and is left out"
                        .to_owned(),
                );
            }
            if veiled {
                placement.veil();
                let text = "Which node was asked what is for those to see who may list nodes";
                explanation.note = Some(text.to_owned());
            }
            explanation.placement = Some(placement);
        }
        Ok(None) => explanation.note = Some(placed_by(&object)),
        Err(status) if status.reason == Reason::Expired => {
            let text = "The store no longer keeps the facts that its node was chosen from";
            explanation.note = Some(text.to_owned());
        }
        Err(status) => return Err(status),
    }
    Ok(explanation)
}

/// What is not settled in a namespace: every object that nobody controls, worst first.
///
/// # Errors
/// When the store cannot be read.
pub fn troubles(
    client: &Client,
    profile: &Profile,
    namespace: &str,
) -> Result<Vec<Finding>, Status> {
    let facts = Facts::read(client, profile, namespace)?;
    let mut found = Vec::new();
    for (resource, look) in &KINDS {
        let own = facts.all(resource).iter().filter(|object| {
            object.controller_ref().is_none()
                // A budget that allows no eviction holds nothing up by itself.
                && resource.plural != "poddisruptionbudgets"
                // Deployer and hook pods are told with their rollout.
                && object.label(deployments::keys::DEPLOYER_POD_FOR).is_empty()
        });
        found
            .extend(own.map(|object| look(&facts, object)).filter(|finding| !finding.is_settled()));
    }
    found.sort_by_key(|finding| std::cmp::Reverse(finding.state as u8));
    Ok(found)
}

/// Who else has chosen a pod's node.
fn placed_by(pod: &Value) -> String {
    let owner = pod.controller_ref();
    match owner.map(|owner| owner.str_at(&["kind"])) {
        Some("DaemonSet") => {
            "Its node was chosen by its daemon set, not by the scheduler: one pod a node".to_owned()
        }
        _ => "There is no record of its node being chosen: it was made with a nodeName, or the \
              Scheduled event is gone"
            .to_owned(),
    }
}
