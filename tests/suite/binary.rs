//! The program itself: starts, says where it serves, ends in order.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::harness::fixture_argument;
use crate::harness::kubectl::{Kubectl, MAIN};

/// Builds `rehearse` as this suite was built, once, and gives its path.
pub(crate) fn rehearse() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

fn build() -> PathBuf {
    let suite = std::env::current_exe().unwrap();
    let directory = suite.parent().and_then(|deps| deps.parent()).unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "cli"]);
    if directory.ends_with("release") {
        build.arg("--release");
    }
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
    assert!(built.success(), "rehearse does not build");
    directory.join("rehearse")
}

/// A process that is ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn up_serves_until_interrupted() {
    let directory = TempDir::new().unwrap();
    let kubeconfig = directory.path().join("kubeconfig");
    let child = Command::new(rehearse())
        .args(["up", "--on", "sim", "--listen", "127.0.0.1:0", "--kubeconfig"])
        .arg(&kubeconfig)
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut running = Running(child.unwrap());
    let mut stdout = BufReader::new(running.0.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let address = line.trim().rsplit("https://").next().unwrap().to_owned();
    assert!(line.contains("sim"), "{line}");
    if let Some(kubectl) = Kubectl::find(MAIN, &kubeconfig) {
        assert_eq!(kubectl.ok("get --raw /readyz"), "ok");
        kubectl.ok("create deployment web --image=web:1 --replicas=2");
        kubectl.ok("wait --for=condition=Available deployment/web --timeout=60s");
    }
    let interrupt = Command::new("kill").args(["-INT", &running.0.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let status = running.0.wait().unwrap();
    let mut stderr = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_eq!(stderr, "");
    let refused = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn run_says_parity_and_exits_by_the_outcome() {
    let program = rehearse();
    let run = |arguments: &[&str]| {
        let output = Command::new(&program).arg("run").args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text, String::from_utf8(output.stderr).unwrap())
    };
    let promotion = fixture_argument("rehearsals/hello-promotion");
    let (code, text, stderr) = run(&["--on", "sim", "--seed", "7", &promotion]);
    assert_eq!(code, Some(0), "{text}{stderr}");
    assert!(text.contains("\nPARITY: every stage runs sha256:"), "{text}");
    assert_eq!(run(&["--on", "sim", "--seed", "7", &promotion]).1, text, "same seed, same bytes");
    let (_, json, _) = run(&["--on", "sim", "--output", "json", &promotion]);
    let report: apimachinery::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["passed"], true);

    let bad = fixture_argument("rehearsals-bad/unknown-image.yaml");
    let (code, text, stderr) = run(&["--on", "sim", &bad]);
    assert_ne!(code, Some(0));
    assert_eq!(text, "");
    assert!(stderr.contains("unknown-image.yaml:"), "{stderr}");
}
