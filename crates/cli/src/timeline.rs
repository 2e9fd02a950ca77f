//! `rehearse timeline`: a rollout as people read it, from a cluster that is up or from the report of
//! a run.
//!
//! Invariant: what clients did stands where it happened, when the cluster's audit trail is readable.

mod actors;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use apimachinery::{ObjectExt as _, Value};
use clap::{Args, ValueEnum};
use rehearsal::rollout::{Rollout, svg::svg, text};

use crate::api_client::Chosen;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The rollouts of what: `dc/NAME`, or `NAME`.
    subject: String,
    /// Which rollout; the newest without it.
    #[arg(long, value_name = "N")]
    rollout: Option<i64>,
    /// The project; that of the kubeconfig's context without it, or the only one of a report.
    #[arg(long, short, value_name = "PROJECT")]
    namespace: Option<String>,
    /// The cluster, when a report has several.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// A report that `rehearse run --output json` wrote, instead of a cluster.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    at: Chosen,
    /// How to print.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line for each moment.
    Text,
    /// One JSON document.
    Json,
    /// A picture.
    Svg,
}

/// Prints a rollout.
pub(crate) fn timeline(options: &Options) -> Result<bool> {
    let name = deployment_config(&options.subject)?;
    let rollout = match &options.report {
        Some(report) => choose(of_report(report)?, options, name, None)?,
        None => of_cluster(options, name)?,
    };
    match options.output {
        Output::Text => out!("{}", text::text(&rollout).trim_end()),
        Output::Json => out!("{}", serde_json::to_string_pretty(&rollout)?),
        Output::Svg => out!("{}", svg(&rollout).trim_end()),
    }
    Ok(true)
}

fn deployment_config(subject: &str) -> Result<&str> {
    let Some((kind, name)) = subject.split_once('/') else { return Ok(subject) };
    let kinds =
        ["dc", "deploymentconfig", "deploymentconfigs", "deploymentconfigs.apps.openshift.io"];
    if kinds.contains(&kind) && !name.is_empty() {
        return Ok(name);
    }
    bail!("{subject:?} must be of the form dc/NAME")
}

fn of_report(path: &Path) -> Result<Vec<Rollout>> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let mut report: Value = serde_json::from_str(&text)
        .with_context(|| format!("{} is not the report of a run", path.display()))?;
    let rollouts = report.get_mut("rollouts").map(Value::take);
    let rollouts = rollouts.with_context(|| format!("{} has no rollouts", path.display()))?;
    apimachinery::json::from_value(rollouts)
        .with_context(|| format!("{} is not the report of a run", path.display()))
}

/// The rollout that the options mean.
fn choose(
    rollouts: Vec<Rollout>,
    options: &Options,
    name: &str,
    project: Option<&str>,
) -> Result<Rollout> {
    let project = options.namespace.as_deref().or(project);
    let mut found: Vec<Rollout> = rollouts
        .into_iter()
        .filter(|one| one.deployment_config == name)
        .filter(|one| project.is_none_or(|project| one.project == project))
        .filter(|one| options.cluster.as_ref().is_none_or(|cluster| one.cluster == *cluster))
        .collect();
    let mut subjects: Vec<String> = found.iter().map(Rollout::subject).collect();
    subjects.dedup();
    if subjects.len() > 1 {
        bail!(
            "there are several, say which with --namespace and --cluster: {}",
            subjects.join(", ")
        );
    }
    let versions: Vec<String> = found.iter().map(|one| one.version.to_string()).collect();
    if found.is_empty() {
        bail!("no rollout of {name} is known");
    }
    match options.rollout {
        None => found.pop().context("no rollout is known"),
        Some(version) => {
            let at = found.into_iter().find(|one| one.version == version);
            at.with_context(|| {
                format!("rollout #{version} is not known; there are: {}", versions.join(", "))
            })
        }
    }
}

fn of_cluster(options: &Options, name: &str) -> Result<Rollout> {
    let client = options.at.client()?;
    let project = options.namespace.as_deref().unwrap_or_else(|| client.namespace()).to_owned();
    let list = client.get(&format!("/apis/rehearse/v1/namespaces/{project}/rollouts"))?;
    let mut rollouts = Vec::new();
    for item in list.list_at(&["items"]) {
        rollouts.push(
            apimachinery::json::from_value(item.clone()).context("a rollout is not readable")?,
        );
    }
    let mut rollout = choose(rollouts, options, name, Some(&project))
        .with_context(|| format!("in project {project}"))?;
    // Only who may read the trail learns who it was.
    if let Ok(trail) = client.get("/apis/audit.k8s.io/v1/events") {
        let trail = trail.list_at(&["items"]);
        actors::name_clients(&mut rollout, trail);
        actors::name_movers(&mut rollout, trail, &|project, stream| {
            let streams = format!("/apis/image.openshift.io/v1/namespaces/{project}/imagestreams");
            client.get(&format!("{streams}/{stream}")).ok()
        });
    }
    Ok(rollout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deployment_configs_have_rollouts() {
        assert_eq!(deployment_config("dc/web").unwrap(), "web");
        assert_eq!(deployment_config("web").unwrap(), "web");
        let error = deployment_config("pod/web").unwrap_err();
        assert_eq!(error.to_string(), "\"pod/web\" must be of the form dc/NAME");
    }
}
