//! The proof: which digest the running pods of every stage really run.
//!
//! What counts is what the container runtime reports (`status.containerStatuses[].imageID`), not
//! what a template asks for.
//!
//! Invariant: pure; the same objects give the same verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use api::views::deployment_config::serves;
use apimachinery::{ObjectExt as _, Value};
use serde::Serialize;

/// What one stage runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageFacts {
    /// Project name.
    pub stage: String,
    /// By container name, the distinct digests that its instances run.
    pub digests: BTreeMap<String, BTreeSet<String>>,
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
        let name = deployment_config.name();
        let mut digests: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut ready = 0;
        for pod in pods {
            if pod.label("deploymentconfig") != name || pod.deletion_timestamp().is_some() {
                continue;
            }
            for (container, digest) in running_digests(pod) {
                digests.entry(container).or_default().insert(digest);
            }
            if serves(pod, name) {
                ready += 1;
            }
        }
        let replicas = usize::try_from(replicas).unwrap_or(0);
        Self { stage: stage.to_owned(), digests, ready, replicas }
    }
}

fn running_digests(pod: &Value) -> impl Iterator<Item = (String, String)> {
    let statuses = pod.list_at(&["status", "containerStatuses"]);
    statuses.iter().filter_map(|status| {
        let id = status.str_at(&["imageID"]);
        let start = id.find("sha256:")?;
        Some((status.str_at(&["name"]).to_owned(), id[start..].to_owned()))
    })
}

/// Whether all stages run the same images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum Verdict {
    /// Every stage runs these digests and nothing else, with all replicas ready.
    Parity {
        /// Digests by container.
        digests: BTreeMap<String, String>,
    },
    /// `stage` is the first, in order of promotion, that breaks parity.
    Drift {
        /// Project name.
        stage: String,
        /// What is different.
        reason: String,
    },
}

/// Compares the stages, container by container, with the first of them in order of promotion.
#[must_use]
pub fn verdict(stages: &[StageFacts]) -> Verdict {
    let Some(first) = stages.first() else {
        return Verdict::Drift { stage: String::new(), reason: "there are no stages".to_owned() };
    };
    for stage in stages {
        if let Some(reason) = difference(first, stage) {
            return Verdict::Drift { stage: stage.stage.clone(), reason };
        }
    }
    let only = |(container, digests): (&String, &BTreeSet<String>)| {
        digests.first().map(|digest| (container.clone(), digest.clone()))
    };
    Verdict::Parity { digests: first.digests.iter().filter_map(only).collect() }
}

/// What keeps `stage` from being like `first`.
fn difference(first: &StageFacts, stage: &StageFacts) -> Option<String> {
    if stage.digests.is_empty() {
        return Some("runs no container".to_owned());
    }
    let containers: BTreeSet<&String> = first.digests.keys().chain(stage.digests.keys()).collect();
    for container in containers {
        let of = |facts: &StageFacts| facts.digests.get(container).cloned().unwrap_or_default();
        let (expected, found) = (of(first), of(stage));
        let what = if stage.digests.len() > 1 {
            format!(" in container {container}")
        } else {
            String::new()
        };
        match (found.first(), expected.first()) {
            _ if found.len() > 1 => {
                return Some(format!("runs {} different images{what}", found.len()));
            }
            (None, _) => return Some(format!("has no container {container}")),
            (Some(_), None) => return Some(format!("has a container {container} too many")),
            (Some(found), Some(expected)) if found != expected => {
                return Some(format!("runs {found}{what}, not {expected}"));
            }
            _ => {}
        }
    }
    (stage.ready < stage.replicas)
        .then(|| format!("has {} of {} replicas ready", stage.ready, stage.replicas))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parity { digests } if digests.len() == 1 => {
                let digest = digests.values().next().map(String::as_str).unwrap_or_default();
                write!(f, "PARITY: every stage runs {digest}")
            }
            Self::Parity { digests } => {
                write!(f, "PARITY: every stage runs the same images")?;
                digests.iter().try_for_each(|(name, digest)| write!(f, "\n  {name}  {digest}"))
            }
            Self::Drift { stage, reason } => write!(f, "NO PARITY: {stage} {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, digests: &[(&str, &str)], ready: usize) -> StageFacts {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (container, digest) in digests {
            found.entry((*container).to_owned()).or_default().insert((*digest).to_owned());
        }
        StageFacts { stage: name.to_owned(), digests: found, ready, replicas: 2 }
    }

    fn say(stages: &[StageFacts]) -> String {
        verdict(stages).to_string()
    }

    #[test]
    fn the_first_stage_that_differs_is_named() {
        let dev = || stage("dev", &[("web", "sha256:a")], 2);
        let cases = [
            (stage("prod", &[("web", "sha256:a")], 2), "PARITY: every stage runs sha256:a"),
            (
                stage("prod", &[("web", "sha256:b")], 2),
                "NO PARITY: prod runs sha256:b, not sha256:a",
            ),
            (
                stage("prod", &[("web", "sha256:a"), ("web", "sha256:b")], 2),
                "NO PARITY: prod runs 2 different images",
            ),
            (stage("prod", &[("web", "sha256:a")], 1), "NO PARITY: prod has 1 of 2 replicas ready"),
            (stage("prod", &[], 0), "NO PARITY: prod runs no container"),
        ];
        for (prod, expected) in cases {
            assert_eq!(say(&[dev(), prod]), expected);
        }
        assert_eq!(say(&[]), "NO PARITY:  there are no stages");
    }

    #[test]
    fn pods_of_several_containers_are_compared_container_by_container() {
        let both = [("log", "sha256:l"), ("web", "sha256:a")];
        assert_eq!(
            say(&[stage("dev", &both, 2), stage("prod", &both, 2)]),
            "PARITY: every stage runs the same images\n  log  sha256:l\n  web  sha256:a"
        );
        let other = [("log", "sha256:x"), ("web", "sha256:a")];
        assert_eq!(
            say(&[stage("dev", &both, 2), stage("prod", &other, 2)]),
            "NO PARITY: prod runs sha256:x in container log, not sha256:l"
        );
        assert_eq!(
            say(&[stage("dev", &both, 2), stage("prod", &both[1..], 2)]),
            "NO PARITY: prod has no container log"
        );
    }
}
