//! The Python client, and OpenShift's: typed and dynamic calls, watches, streams.

use std::process::{Command, Stdio};

use cluster::Access;
use tempfile::TempDir;

use super::{find, run};
use crate::harness::fixture_argument;
use crate::harness::served::Served;

/// Runs a script of the fixtures, which says at its end that everything held; left out where the package
/// it imports is not.
fn drive(cluster: &Served, package: &str, script: &str) {
    let Some(python) = find("python3") else {
        eprintln!("python3 is not on this machine: not tested");
        return;
    };
    let imported = Command::new(&python)
        .args(["-c", &format!("import {package}")])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !imported {
        eprintln!("python3 has no package {package} here: not tested");
        return;
    }
    let home = TempDir::new().unwrap();
    let script = fixture_argument(script);
    let said = run(cluster, home.path(), Command::new(&python).arg(script));
    assert_eq!(said.lines().last(), Some("everything held"), "{said}");
}

#[test]
fn the_python_client_works() {
    let cluster = Served::start();
    cluster.image("web:1", r#"{"http": {"/": {"body": "hello\n"}, "/page": {"body": "hello\n"}}, "logs": ["serving"]}"#);
    drive(&cluster, "kubernetes", "clients/python_client.py");
}

#[test]
fn the_openshift_client_works() {
    let cluster = Served::with(|config| config.access = Access::Policy);
    cluster.image("web:1", "{}");
    drive(&cluster, "openshift.dynamic", "clients/openshift_client.py");
}
