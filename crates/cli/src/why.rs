//! `rehearse why`: why a pod runs where it does or nowhere, and what a workload waits for. The same
//! answers end the output of a `rehearse run` that did not pass.
//!
//! Invariant: what is printed is the cluster's own answer; nothing is worked out here.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use apimachinery::ObjectExt as _;
use apimachinery::json;
use clap::{Args, ValueEnum};
use cluster::Cluster;
use rehearsal::Plan;
use serde::Serialize;
use why::Finding;

use crate::api_client::Chosen;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to ask about, e.g. `pod/web-1-x7k2p`, `dc/web`, `deployment/web`, `job/import`, `pvc/data`.
    #[arg(value_name = "KIND/NAME", value_parser = parse_object)]
    object: (String, String),
    /// The namespace; without it the one of the kubeconfig's context, else `default`.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    /// Another scheduler policy to place a pod by: where would it have gone? A file (JSON or YAML),
    /// `openshift` or `kubernetes`, as for `rehearse up --scheduler-policy`.
    #[arg(long, value_name = "FILE|NAME")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    cluster: Chosen,
    /// How to print.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Sentences and tables.
    Text,
    /// An `Explanation` of `why.rehearse/v1`.
    Json,
}

fn parse_object(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() => {
            Ok((kind.to_owned(), name.to_owned()))
        }
        _ => Err("must be of the form KIND/NAME".to_owned()),
    }
}

/// Asks and prints.
pub(crate) fn why(options: &Options) -> Result<bool> {
    let client = options.cluster.client()?;
    let (resource, name) = &options.object;
    let mut spec = json!({"resource": resource, "name": name});
    if let Some(path) = &options.policy {
        if !matches!(resource.as_str(), "po" | "pod" | "pods") {
            bail!("--policy is about pods; {resource}/{name} is none");
        }
        let named = path.to_str().filter(|name| scheduler::policy::named(name).is_some());
        spec["policy"] = match named {
            Some(name) => json!(name),
            None => {
                let text = std::fs::read_to_string(path);
                json!(text.with_context(|| format!("cannot read {}", path.display()))?)
            }
        };
    }
    let namespace = options.namespace.as_deref().unwrap_or_else(|| client.namespace());
    let question = json!({"apiVersion": "why.rehearse/v1", "kind": "Explanation", "spec": spec});
    let path = format!("/apis/why.rehearse/v1/namespaces/{namespace}/explanations");
    let answer = client.post(&path, &question)?;
    match options.output {
        Output::Json => out!("{}", serde_json::to_string_pretty(&answer)?),
        Output::Text => out!("{}", answer.str_at(&["status", "text"]).trim_end()),
    }
    Ok(true)
}

/// Something in a project that is not as it was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Trouble {
    /// The cluster, when there are several.
    #[serde(skip_serializing_if = "String::is_empty")]
    cluster: String,
    project: String,
    /// What it waits for.
    #[serde(flatten)]
    pub(crate) finding: Finding,
}

impl Trouble {
    /// Where it is, for people.
    pub(crate) fn place(&self) -> String {
        rehearsal::place::joined(&self.cluster, &self.project)
    }
}

/// What is not as it was asked for in the projects of a rehearsal that did not pass.
pub(crate) fn troubles(clusters: &[Cluster], plan: &Plan) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    for (cluster, name) in clusters.iter().zip(plan.spec.cluster_names()) {
        let stages = plan.spec.stages.iter();
        let own = stages.filter(|stage| stage.cluster == name).map(|stage| &stage.project);
        for project in own.collect::<BTreeSet<_>>() {
            let found = why::troubles(cluster.client(), &scheduler::Profile::default(), project);
            troubles.extend(found.unwrap_or_default().into_iter().map(|finding| Trouble {
                cluster: name.to_owned(),
                project: project.clone(),
                finding,
            }));
        }
    }
    troubles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_a_kind_and_a_name() {
        assert_eq!(parse_object("dc/web"), Ok(("dc".to_owned(), "web".to_owned())));
        assert!(parse_object("web").is_err());
        assert!(parse_object("dc/").is_err());
    }
}
