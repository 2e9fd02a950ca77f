//! Which nodes a cluster has and how its pods are placed: `--nodes`, `--scheduler-policy`.
//!
//! Invariant: whatever a file says wrongly is told before anything starts.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use cluster::Config;
use cluster::nodes::{self, NodeSpec};

#[derive(Debug, Args)]
pub(crate) struct NodeOptions {
    /// How many nodes there are, or a file that lists them (Node objects as `oc get nodes -o yaml`
    /// prints them, or a short list of name, count, cpu, memory, pods, ephemeral-storage,
    /// labels and taints).
    #[arg(long, default_value = "1", value_name = "N|FILE", value_parser = parse)]
    nodes: Nodes,
    /// The policy by which pods are placed: a file (JSON or YAML), `openshift` for what OpenShift's
    /// installer writes, or `kubernetes` for the built-in rules.
    #[arg(long, default_value = "openshift", value_name = "FILE|NAME")]
    scheduler_policy: PathBuf,
}

/// How nodes are given.
#[derive(Debug, Clone)]
enum Nodes {
    Count(u16),
    File(PathBuf),
}

fn parse(text: &str) -> Result<Nodes, String> {
    match text.parse() {
        Ok(0) => Err("a cluster has one node at least".to_owned()),
        Ok(count) => Ok(Nodes::Count(count)),
        Err(_) if text.chars().all(|c| c.is_ascii_digit()) => {
            Err(format!("at most {} nodes can be counted", u16::MAX))
        }
        Err(_) => Ok(Nodes::File(PathBuf::from(text))),
    }
}

/// What was chosen.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// How many nodes.
    pub(crate) count: usize,
    nodes: Vec<NodeSpec>,
    profile: scheduler::Profile,
}

impl NodeOptions {
    /// Reads the files.
    pub(crate) fn read(&self) -> Result<Chosen> {
        let profile = profile(&self.scheduler_policy)?;
        let file = match &self.nodes {
            Nodes::Count(count) => {
                return Ok(Chosen { count: usize::from(*count), nodes: Vec::new(), profile });
            }
            Nodes::File(file) => file,
        };
        let nodes = nodes::parse(&read(file)?).with_context(|| file.display().to_string())?;
        Ok(Chosen { count: nodes.len(), nodes, profile })
    }
}

impl Chosen {
    /// Puts the choice into effect.
    pub(crate) fn apply(self, mut config: Config) -> Config {
        config.scheduler = self.profile;
        if self.nodes.is_empty() { config } else { config.with_nodes(self.nodes) }
    }
}

fn profile(policy: &Path) -> Result<scheduler::Profile> {
    if let Some(profile) = policy.to_str().and_then(scheduler::policy::named) {
        return Ok(profile);
    }
    match scheduler::policy::parse(&read(policy)?) {
        Ok(profile) => Ok(profile),
        // Upstream's words stand alone.
        Err(error) => bail!("{error} (in {})", policy.display()),
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_counted_or_read() {
        assert!(matches!(parse("3"), Ok(Nodes::Count(3))));
        assert!(matches!(parse("nodes.yaml"), Ok(Nodes::File(_))));
        assert!(parse("0").is_err() && parse("70000").is_err());
    }

    #[test]
    fn a_policy_with_an_unknown_name_is_refused_in_upstreams_words() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.json");
        let policy = r#"{"kind":"Policy","apiVersion":"v1","predicates":[{"name":"PodFitsPort"}]}"#;
        std::fs::write(&file, policy).unwrap();
        let error = profile(&file).unwrap_err().to_string();
        let words = "Invalid configuration: Predicate type not found for PodFitsPort (in ";
        assert!(error.starts_with(words), "{error}");
    }
}
