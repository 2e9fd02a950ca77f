//! `rehearse timeline` as a program: from a cluster that is up, and from the report of a run.

use std::path::Path;
use std::process::Command;

use apimachinery::Value;
use tempfile::TempDir;

use super::docker::CONFIG;
use super::image::Image;
use super::up::Up;
use super::{ok, run};
use crate::binary::rehearse;
use crate::harness::fixture_argument;

fn timeline(arguments: &[&str]) -> (bool, String) {
    run(Command::new(rehearse()).arg("timeline").args(arguments))
}

#[test]
fn who_pushed_an_image_is_told_with_its_rollout() {
    let Some(up) = Up::start("sim") else { return };
    let token = up.project("prod", "builder");
    up.apply(CONFIG);
    for (version, rollout) in [("v1", "1"), ("v2", "2")] {
        assert_eq!(Image::new(version).push(&up, &token, "prod/app", "live").code, 201);
        up.wait(&format!("rc/app-{rollout} -n prod"), ".status.readyReplicas", "1");
    }
    let kubeconfig = up.home.path().join("kubeconfig");
    let of = |more: &[&str]| {
        let all = ["dc/app", "-n", "prod", "--kubeconfig", kubeconfig.to_str().unwrap()];
        timeline(&[&all[..], more].concat())
    };
    let (told, text) = of(&[]);
    assert!(told && text.starts_with("prod/app rollout #2, Recreate: "), "{text}");
    let digest = Image::new("v2").digest();
    let why = format!("\nwhy: image change: app:live is {}\n", &digest[..19]);
    assert!(text.contains(&why), "{text}");
    let who = "\nwho: system:serviceaccount:prod:builder moved prod/app:live\n";
    assert!(text.contains(who), "{text}");
    let (told, text) = of(&["--rollout", "1", "-o", "json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert!(told && json["version"] == 1 && json["moments"][0]["kind"] == "begin", "{text}");
    let (told, text) = of(&["-o", "svg"]);
    assert!(told && text.starts_with("<svg ") && text.ends_with("</svg>\n"), "{text}");
    assert!(text.contains("prefers-color-scheme:dark"), "{text}");
    assert!(text.contains("system:serviceaccount:prod:builder moved prod/app:live"), "{text}");

    let (told, text) = of(&["--rollout", "7"]);
    assert!(!told && text.contains("rollout #7 is not known; there are: 1, 2"), "{text}");
    let kubeconfig = kubeconfig.to_str().unwrap();
    let (told, text) = timeline(&["dc/none", "-n", "prod", "--kubeconfig", kubeconfig]);
    assert!(!told && text.contains("no rollout of none is known"), "{text}");
    let (told, text) = timeline(&["pod/app", "-n", "prod", "--kubeconfig", kubeconfig]);
    assert!(!told && text.contains("\"pod/app\" must be of the form dc/NAME"), "{text}");
    let (told, text) = timeline(&["dc/app", "--context", "no", "--kubeconfig", kubeconfig]);
    assert!(
        !told && text.contains("it has no context \"no\"; there are: default/127-0-0-1"),
        "{text}"
    );
}

/// The report of a run of `fixture` on `sim`, in a file.
fn report(directory: &Path, fixture: &str) -> String {
    let text = ok(Command::new(rehearse())
        .args(["run", "--on", "sim", "--output", "json"])
        .arg(fixture_argument(fixture)));
    let file = directory.join("report.json");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_report_tells_the_rollouts_of_its_run() {
    let directory = TempDir::new().unwrap();
    let report = report(directory.path(), "rehearsals/hello-promotion");
    let (told, text) = timeline(&["hello", "-n", "production", "--report", &report]);
    assert!(told && text.starts_with("production/hello rollout #2, Rolling: complete"), "{text}");
    let of = ["hello", "-n", "production", "--rollout", "2", "--report", &report, "-o", "json"];
    let (told, text) = timeline(&of);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert!(told && json["version"] == 2 && json["phase"] == "Complete", "{text}");
    assert_eq!(json["tags"][0]["tag"], "production/hello:promoted");

    let (told, text) = timeline(&["hello", "--report", &report]);
    let several = "there are several, say which with --namespace and --cluster: ";
    assert!(!told && text.contains(several), "{text}");
    for (content, complaint) in [
        ("{", "is not the report of a run"),
        ("{}", "has no rollouts"),
        (r#"{"rollouts": [{}]}"#, "is not the report of a run"),
    ] {
        let bad = directory.path().join("bad.json");
        std::fs::write(&bad, content).unwrap();
        let (told, text) = timeline(&["hello", "--report", bad.to_str().unwrap()]);
        assert!(!told && text.contains(complaint), "{text}");
    }
    let (told, text) = timeline(&["hello", "--report", "/does/not/exist"]);
    assert!(!told && text.contains("cannot read /does/not/exist"), "{text}");
}

const FAILING: &str = "
rehearsal: v1
name: failing
images: {'app:v1': {simulate: {readyAfterSeconds: 1}}}
stages: [{project: dev, manifests: [app.yaml]}]
steps:
  - newProject: {project: dev}
  - apply: {project: dev}
  - verifyDeployment: {project: dev, deploymentConfig: app, withinSeconds: 5}
";

#[test]
fn a_run_that_failed_says_why_in_its_report_too() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("rehearsal.yaml", FAILING);
    write("app.yaml", &CONFIG.replace("namespace: prod", "namespace: dev"));
    let failing = |arguments: &[&str]| {
        let (passed, text) = run(Command::new(rehearse())
            .args(["run", "--on", "sim"])
            .args(arguments)
            .arg(directory.path()));
        assert!(!passed, "{text}");
        text
    };
    let text = failing(&[]);
    assert!(text.contains("\nwhy, in dev: deploymentconfig/app "), "{text}");
    let report: Value = serde_json::from_str(&failing(&["--output", "json"])).unwrap();
    let why = &report["why"][0];
    assert_eq!((&why["project"], &why["object"]), (&"dev".into(), &"deploymentconfig/app".into()));
    assert_eq!(why["because"][0]["object"], "imagestreamtag/app:live", "{report:#}");
}
