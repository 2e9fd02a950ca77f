//! The proof: which digest the running pods of every stage really run.
//!
//! What counts is what the container runtime reports (`status.containerStatuses[].imageID`), not
//! what a template asks for.
//!
//! Invariant: pure; the same objects give the same verdict.

use std::collections::BTreeSet;
use std::fmt;

use apimachinery::{ObjectExt as _, Value};
use serde::Serialize;

/// What one stage runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageFacts {
    /// Project name.
    pub stage: String,
    /// Distinct digests of the containers of all pods, sorted.
    pub digests: Vec<String>,
    /// Pods that are ready.
    pub ready: usize,
    /// Pods asked for.
    pub replicas: usize,
}

impl StageFacts {
    /// Reads the facts of a stage from its `DeploymentConfig` and the pods of its namespace.
    #[must_use]
    pub fn observe<'a>(
        stage: &str,
        deployment_config: &Value,
        pods: impl Iterator<Item = &'a Value>,
    ) -> Self {
        let replicas = deployment_config.int_at(&["spec", "replicas"]).unwrap_or(0);
        let mut digests = BTreeSet::new();
        let mut ready = 0;
        for pod in pods {
            if pod.label("deploymentconfig") != deployment_config.name()
                || pod.deletion_timestamp().is_some()
            {
                continue;
            }
            digests.extend(running_digests(pod));
            if api::views::pod::is_ready(pod) {
                ready += 1;
            }
        }
        let digests = digests.into_iter().collect();
        let replicas = usize::try_from(replicas).unwrap_or(0);
        Self { stage: stage.to_owned(), digests, ready, replicas }
    }
}

fn running_digests(pod: &Value) -> impl Iterator<Item = String> {
    let statuses = pod.list_at(&["status", "containerStatuses"]);
    statuses.iter().filter_map(|status| {
        let id = status.str_at(&["imageID"]);
        id.find("sha256:").map(|start| id[start..].to_owned())
    })
}

/// Whether all stages run the same image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Verdict {
    /// Every stage runs `digest` and nothing else, with all replicas ready.
    Parity {
        /// The digest.
        digest: String,
    },
    /// `stage` is the first, in order of promotion, that breaks parity.
    Drift {
        /// Project name.
        stage: String,
        /// What is different.
        reason: String,
    },
}

/// Compares the stages in order of promotion with the first of them.
#[must_use]
pub fn verdict(stages: &[StageFacts]) -> Verdict {
    let expected = stages.first().and_then(|stage| stage.digests.first());
    for stage in stages {
        let reason = match (stage.digests.as_slice(), expected) {
            ([], _) | (_, None) => Some("no container is running".to_owned()),
            ([digest], Some(expected)) if digest == expected => None,
            ([digest], Some(expected)) => Some(format!("runs {digest}, not {expected}")),
            (many, _) => Some(format!("runs {} different images", many.len())),
        };
        let reason = reason.or_else(|| {
            (stage.ready < stage.replicas)
                .then(|| format!("{} of {} replicas are ready", stage.ready, stage.replicas))
        });
        if let Some(reason) = reason {
            return Verdict::Drift { stage: stage.stage.clone(), reason };
        }
    }
    match expected {
        Some(digest) => Verdict::Parity { digest: digest.clone() },
        None => Verdict::Drift { stage: String::new(), reason: "there are no stages".to_owned() },
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parity { digest } => write!(f, "PARITY: every stage runs {digest}"),
            Self::Drift { stage, reason } => write!(f, "NO PARITY: {stage} {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, digests: &[&str], ready: usize) -> StageFacts {
        let digests = digests.iter().map(ToString::to_string).collect();
        StageFacts { stage: name.to_owned(), digests, ready, replicas: 2 }
    }

    #[test]
    fn the_first_stage_that_differs_is_named() {
        let same = [stage("dev", &["sha256:a"], 2), stage("prod", &["sha256:a"], 2)];
        assert_eq!(verdict(&same), Verdict::Parity { digest: "sha256:a".to_owned() });

        let other = [stage("dev", &["sha256:a"], 2), stage("prod", &["sha256:b"], 2)];
        assert_eq!(verdict(&other).to_string(), "NO PARITY: prod runs sha256:b, not sha256:a");
        let mixed = [stage("dev", &["sha256:a"], 2), stage("prod", &["sha256:a", "sha256:b"], 2)];
        assert_eq!(verdict(&mixed).to_string(), "NO PARITY: prod runs 2 different images");
        let unready = [stage("dev", &["sha256:a"], 2), stage("prod", &["sha256:a"], 1)];
        assert_eq!(verdict(&unready).to_string(), "NO PARITY: prod 1 of 2 replicas are ready");
        assert!(matches!(verdict(&[stage("dev", &[], 0)]), Verdict::Drift { .. }));
    }
}
