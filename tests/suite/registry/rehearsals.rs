//! The promotions by registry as rehearsals on a real engine: what runs was pulled, and nothing stays.

use std::process::{Command, Stdio};

use super::{answers, ok};
use crate::binary::rehearse;
use crate::harness::fixture_argument;

/// Ids of everything on the engine that the process `pid` made.
fn left_of(pid: u32) -> Vec<String> {
    let lists: [&[&str]; 4] = [
        &["ps", "-aq", "--no-trunc"],
        &["images", "-aq", "--no-trunc"],
        &["network", "ls", "-q", "--no-trunc"],
        &["volume", "ls", "-q"],
    ];
    let owner = format!("/{pid}/");
    let mut left = Vec::new();
    for list in lists {
        let labelled = ["--filter", "label=rehearse.owner"];
        let ids = ok(Command::new("docker").args(list).args(labelled));
        for id in ids.lines() {
            // Others come and go meanwhile.
            let shown = Command::new("docker").args(["inspect", id]).output().unwrap();
            if String::from_utf8_lossy(&shown.stdout).contains(&owner) {
                left.push(id.to_owned());
            }
        }
    }
    left
}

/// Runs a rehearsal; gives the digest that all stages run, and what nodes asked registries for.
fn run(fixture: &str) -> (String, Vec<String>) {
    let child = Command::new(rehearse())
        .args(["run", "--on", "docker", "--yes", &fixture_argument(fixture)])
        .env("REHEARSE_LOG", "registry=debug")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let parity = text.lines().find_map(|line| line.strip_prefix("PARITY: every stage runs "));
    let asked = String::from_utf8(output.stderr).unwrap();
    let asked = asked.lines().filter_map(|line| {
        let line = line.strip_suffix(" user=system:nodes")?;
        let (_, rest) = line.split_once("repository=")?;
        Some(rest.replacen(" reference=", "@", 1))
    });
    assert_eq!(left_of(pid), [""; 0]);
    (parity.unwrap().to_owned(), asked.collect())
}

#[test]
fn nodes_pull_what_was_promoted_between_projects() {
    if !answers("docker", &["info"]) {
        return;
    }
    let (digest, asked) = run("rehearsals/registry-promotion");
    for project in ["development", "production"] {
        let wanted = format!("{project}/hello@{digest}");
        assert!(asked.contains(&wanted), "{wanted} is not among {asked:?}");
    }
}

#[test]
fn nodes_of_each_cluster_pull_from_its_own_registry() {
    if !answers("docker", &["info"]) {
        return;
    }
    let (digest, asked) = run("rehearsals/cluster-promotion");
    let wanted = format!("hello/hello@{digest}");
    assert_eq!(asked.iter().filter(|one| **one == wanted).count(), 2, "{asked:?}");
}
