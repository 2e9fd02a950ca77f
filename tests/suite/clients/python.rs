//! The Python client: typed and dynamic calls, watches, streams.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{find, run};
use crate::harness::fixture_argument;
use crate::harness::served::Served;

#[test]
fn the_python_client_works() {
    let Some(python) = find("python3") else {
        eprintln!("python3 is not on this machine: not tested");
        return;
    };
    let imported = Command::new(&python)
        .args(["-c", "import kubernetes"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !imported {
        eprintln!("python3 has no package kubernetes here: not tested");
        return;
    }
    let cluster = Served::start();
    cluster.image("web:1", r#"{"http": {"/": {"body": "hello\n"}, "/page": {"body": "hello\n"}}, "logs": ["serving"]}"#);
    let home = TempDir::new().unwrap();
    let script = fixture_argument("clients/python_client.py");
    let said = run(&cluster, home.path(), Command::new(&python).arg(script));
    assert_eq!(said.lines().last(), Some("everything held"), "{said}");
}
