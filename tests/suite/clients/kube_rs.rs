//! kube-rs, unmodified: the program of `tests/kube-rs-client` is built and run.

use std::path::{Path, PathBuf};
use std::process::Command;

use cluster::Access;
use tempfile::TempDir;

use super::run;
use crate::harness::served::Served;

#[test]
fn kube_rs_works() {
    let Some(client) = build() else {
        eprintln!("the crates of kube-rs cannot be had on this machine: not tested");
        return;
    };
    let cluster = Served::with(|config| config.access = Access::Policy);
    let behaviour = r#"{"http": {"/": {"body": "hello\n"}}, "logs": ["serving"]}"#;
    cluster.image("web:1", behaviour);
    let home = TempDir::new().unwrap();
    let said = run(&cluster, home.path(), &mut Command::new(client));
    assert_eq!(said.lines().last(), Some("everything held"), "{said}");
}

/// The program; nothing where its crates are neither here nor can be fetched.
fn build() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = own.join("kube-rs-client/Cargo.toml");
    let target = own.join("../target/kube-rs-client");
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments).args(["--locked", "--quiet", "--manifest-path"]).arg(&manifest);
        cargo
    };
    if !cargo(&["fetch"]).status().unwrap().success() {
        return None;
    }
    let built = cargo(&["build"]).arg("--target-dir").arg(&target).status().unwrap();
    assert!(built.success(), "the client does not build");
    Some(target.join("debug/kube-rs-client"))
}
