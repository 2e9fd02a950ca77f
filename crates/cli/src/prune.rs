//! `rehearse prune images` and `rehearse prune deployments`: what nobody needs any more goes, as with
//! `oc adm prune`, and the bytes of images with it.
//!
//! Invariant: without `--confirm` nothing is changed.

use anyhow::Result;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use clap::{Args, Subcommand};
use deployments::prune::{Keep, plan};

use crate::api_client::Chosen;

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Images that no pod, template, build or recent tag revision needs, and their bytes.
    Images(Images),
    /// Rollouts that are over, have no replicas and are neither recent nor young.
    Deployments(Deployments),
}

#[derive(Debug, Args)]
pub(crate) struct Images {
    #[command(flatten)]
    cluster: Chosen,
    /// How many of the newest revisions of each tag stay.
    #[arg(long, default_value_t = 3, value_name = "N")]
    keep_tag_revisions: u64,
    /// What is younger stays, e.g. 60m, 24h or 90s.
    #[arg(long, default_value = "60m", value_name = "AGE", value_parser = seconds)]
    keep_younger_than: u64,
    /// Really remove them.
    #[arg(long)]
    confirm: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Deployments {
    #[command(flatten)]
    cluster: Chosen,
    /// How many complete rollouts of each `DeploymentConfig` stay.
    #[arg(long, default_value_t = 5, value_name = "N")]
    keep_complete: usize,
    /// How many failed rollouts of each `DeploymentConfig` stay.
    #[arg(long, default_value_t = 1, value_name = "N")]
    keep_failed: usize,
    /// What is younger stays, e.g. 60m, 24h or 90s.
    #[arg(long, default_value = "60m", value_name = "AGE", value_parser = seconds)]
    keep_younger_than: u64,
    /// Also those whose `DeploymentConfig` is gone.
    #[arg(long)]
    orphans: bool,
    /// Really remove them.
    #[arg(long)]
    confirm: bool,
}

/// Reads an age: numbers with `h`, `m` or `s`, as Go prints durations.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || "must be an age such as 60m, 24h or 1h30m".to_owned();
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..end].parse().map_err(|_| wrong())?;
        let unit = match &rest[end..=end] {
            "h" => 3600,
            "m" => 60,
            "s" => 1,
            _ => return Err(wrong()),
        };
        let part = number.checked_mul(unit).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = &rest[end + 1..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// Prunes, or says what would go.
pub(crate) fn prune(what: &What) -> Result<bool> {
    match what {
        What::Images(options) => images(options),
        What::Deployments(options) => deployments(options),
    }
}

fn dry_run(confirm: bool, what: &str) {
    if !confirm {
        eprintln!(
            "Dry run enabled - no modifications will be made. Add --confirm to remove {what}"
        );
    }
}

fn images(options: &Images) -> Result<bool> {
    let client = options.cluster.client()?;
    dry_run(options.confirm, "images");
    let pruning = json!({
        "apiVersion": "registry.rehearse/v1", "kind": "ImagePruning",
        "metadata": {"name": "prune"},
        "spec": {
            "keepTagRevisions": options.keep_tag_revisions,
            "keepYoungerThanSeconds": options.keep_younger_than,
            "confirm": options.confirm,
        },
    });
    let answer = client.post("/apis/registry.rehearse/v1/imageprunings", &pruning)?;
    let list = |field: &str| answer.list_at(&["status", field]);
    for one in list("revisions") {
        let of = |field: &str| one.str_at(&[field]);
        out!("tag    {}/{}:{} forgets {}", of("namespace"), of("stream"), of("tag"), of("image"));
    }
    for (kind, field) in [("image", "images"), ("blob", "blobs")] {
        for name in list(field) {
            out!("{kind:<6} {}", name.as_str().unwrap_or_default());
        }
    }
    let bytes = answer.int_at(&["status", "bytes"]).unwrap_or_default();
    let (images, blobs) = (list("images").len(), list("blobs").len());
    let went = if options.confirm { "removed" } else { "to be removed" };
    out!("{went}: {images} images, {blobs} blobs, {bytes} bytes");
    Ok(true)
}

fn deployments(options: &Deployments) -> Result<bool> {
    let client = options.cluster.client()?;
    dry_run(options.confirm, "deployments");
    let configs = client.get("/apis/apps.openshift.io/v1/deploymentconfigs")?;
    let rollouts = client.get("/api/v1/replicationcontrollers")?;
    let keep = Keep {
        complete: options.keep_complete,
        failed: options.keep_failed,
        younger_than: std::time::Duration::from_secs(options.keep_younger_than),
        orphans: options.orphans,
    };
    let items = |list: &Value| list.list_at(&["items"]).to_vec();
    let gone = plan(&items(&configs), &items(&rollouts), keep, world::World::real().now());
    out!("NAMESPACE\tNAME");
    for (namespace, name) in &gone {
        if options.confirm {
            let path = format!("/api/v1/namespaces/{namespace}/replicationcontrollers/{name}");
            client.delete(&format!("{path}?propagationPolicy=Background"))?;
        }
        out!("{namespace}\t{name}");
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_as_go_prints_them() {
        assert_eq!(seconds("60m"), Ok(3600));
        assert_eq!(seconds("1h30m5s"), Ok(5405));
        assert_eq!(seconds("0s"), Ok(0));
        for bad in ["", "60", "h", "-1h", "1d", "99999999999999999h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
