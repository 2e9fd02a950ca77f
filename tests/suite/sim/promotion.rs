//! The main job, under many seeds.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cluster::{Cluster, Config, Runtime};
use cri::sim::{Behaviour, SimImages};
use rehearsal::images::SimRegistries;
use rehearsal::report::StepReport;
use rehearsal::timeline::Entry;
use rehearsal::{Plan, Progress, Report, Run};
use world::World;

use crate::harness::fixture;

/// Listens to nothing and approves everything.
struct Silent;

impl Progress for Silent {
    fn step_started(&mut self, _index: usize, _total: usize, _title: &str) {}
    fn happened(&mut self, _entry: &Entry) {}
    fn step_finished(&mut self, _index: usize, _total: usize, _report: &StepReport) {}
    fn approve(&mut self, _message: &str) -> bool {
        true
    }
}

fn hello_promotion() -> Plan {
    rehearsal::load(&fixture("rehearsals/hello-promotion")).unwrap()
}

/// Carries `plan` out; the cluster, the first if there are several, comes back for a look at how it
/// was left.
fn rehearse(plan: &Plan, seed: u64) -> (Report, Cluster) {
    let world = World::simulated(seed);
    let names = plan.spec.cluster_names();
    let registries: Vec<SimImages> = names.iter().map(|_| SimImages::new()).collect();
    let start = |images: &SimImages| {
        let config = Config::new(world.clone(), Runtime::Sim(images.clone()), 1);
        Cluster::start(config).unwrap()
    };
    let mut clusters: Vec<Cluster> = registries.iter().map(start).collect();
    let report = rehearsal::run(Run {
        plan,
        clusters: &mut clusters,
        images: &mut SimRegistries::new(registries),
        runtime: "sim",
        progress: &mut Silent,
        interrupted: Arc::new(AtomicBool::new(false)),
    });
    (report.unwrap(), clusters.remove(0))
}

/// The promotion with version 2 behaving as the JSON `behaviour` says.
fn with_version_2(behaviour: &str) -> Plan {
    let mut plan = hello_promotion();
    let behaviour: Behaviour = serde_json::from_str(behaviour).unwrap();
    plan.spec.images.get_mut("hello:v2").unwrap().simulate = behaviour;
    plan
}

/// The error of the last step that was begun, with its title.
fn failure(report: &Report) -> String {
    let last = report.steps.last().unwrap();
    format!("{}: {}", last.title, last.error.as_deref().unwrap_or("held"))
}

#[test]
fn reaches_parity() {
    let (report, _) = rehearse(&hello_promotion(), 1);
    assert!(report.passed, "{}\n{:#?}", failure(&report), report.violations);
    insta::assert_snapshot!(report.parity_text(), @r"
    STAGE        DIGEST               READY
    development  sha256:520cf5e10da6  1/1
    testing      sha256:520cf5e10da6  2/2
    production   sha256:520cf5e10da6  3/3
    PARITY: every stage runs sha256:520cf5e10da6395678332a280ccf9a1f86229883faa92e6263473e10db495db8
    ");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let plan = hello_promotion();
    for seed in [1, 2, 42] {
        let [one, two] = [(); 2].map(|()| serde_json::to_string(&rehearse(&plan, seed).0).unwrap());
        assert!(one == two, "seed {seed}");
    }
}

#[test]
fn images_go_by_registry_between_projects_and_between_clusters() {
    for name in ["registry-promotion", "cluster-promotion", "refusals"] {
        let plan = rehearsal::load(&fixture(&format!("rehearsals/{name}"))).unwrap();
        for seed in 0..20 {
            let (report, _) = rehearse(&plan, seed);
            assert!(report.passed, "{name}, seed {seed}: {}", failure(&report));
        }
        let [one, two] = [(); 2].map(|()| serde_json::to_string(&rehearse(&plan, 7).0).unwrap());
        assert!(one == two, "{name}: the same seed gives the same bytes");
    }
}

#[test]
fn a_cluster_hears_of_another_ones_image_by_a_push_only() {
    let plan = rehearsal::load(&fixture("rehearsals/cluster-promotion")).unwrap();
    let (report, _) = rehearse(&plan, 1);
    assert!(report.parity_text().contains("PARITY: every stage runs sha256:"));
    let told = |cluster: &str| {
        let of = report.rollouts.iter().filter(|rollout| rollout.cluster == cluster);
        of.map(|rollout| (rollout.version, rollout.phase.as_str(), rollout.began.clone()))
            .collect::<Vec<_>>()
    };
    let (dev, prod) = (told("dev"), told("prod"));
    assert_eq!((dev.len(), prod.len()), (2, 2));
    assert!(dev[1].2 < prod[1].2, "{dev:?} {prod:?}");
    assert!(dev.iter().chain(&prod).all(|(_, phase, _)| *phase == "Complete"));
}

/// Ten thousand are tried by `cargo xtask seeds`.
#[test]
fn a_hundred_seeds_hold() {
    hold(1000..1100);
}

#[test]
fn another_hundred_seeds_hold() {
    hold(1_000_000_000_000..1_000_000_000_100);
}

fn hold(seeds: std::ops::Range<u64>) {
    let plan = hello_promotion();
    for seed in seeds {
        let (report, _) = rehearse(&plan, seed);
        assert!(report.passed, "seed {seed}: {}\n{:#?}", failure(&report), report.violations);
    }
}

#[test]
fn different_seeds_give_different_interleavings() {
    let plan = hello_promotion();
    let [one, two] = [1, 2].map(|seed| rehearse(&plan, seed).0.timeline_text());
    assert_ne!(one, two);
}

/// What a broken version 2 is told, and that version 1 serves in full afterwards.
fn check_broken(behaviour: &str, within: u64) -> String {
    let mut plan = with_version_2(behaviour);
    for step in &mut plan.spec.steps {
        if let Some(verify) = &mut step.verify_deployment {
            verify.within_seconds = within;
        }
    }
    let (report, mut cluster) = rehearse(&plan, 1);
    assert!(!report.passed);
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    let end = cluster.world().now() + std::time::Duration::from_secs(900);
    cluster.run_until(end, &mut || false);
    let page = cluster
        .client()
        .list(&api::PODS, "development")
        .unwrap()
        .iter()
        .filter(|pod| api::views::pod::is_ready(pod))
        .map(|pod| {
            let ip = pod["status"]["podIP"].as_str().unwrap();
            cluster.pages().get(ip, 8080, "/").unwrap().body
        })
        .collect::<Vec<_>>();
    assert_eq!(page, ["hello from v1\n"], "version 1 serves again");
    failure(&report)
}

/// Whether the refusal names the rollout and, at its end or further on, why its pods did not serve.
fn assert_says(error: &str, why: &str) {
    let start =
        "verify the rollout of development/hello: development/hello-2 failed (image change), ";
    let rest = error.strip_prefix(start);
    assert!(rest.is_some_and(|rest| rest.starts_with(why)), "{error}");
}

#[test]
fn an_image_that_is_missing_fails_the_verification() {
    let error = check_broken(r#"{"missing": true}"#, 1200);
    assert_says(
        &error,
        "container hello: ImagePullBackOff: Back-off pulling image \"docker-registry.default.svc:5000/development/hello@sha256:",
    );
}

#[test]
fn an_image_that_crashes_fails_the_verification() {
    let crashes = r#"{"readyAfterSeconds": 9, "exit": {"code": 1, "afterSeconds": 1}}"#;
    let error = check_broken(crashes, 1200);
    assert_says(
        &error,
        "container hello: CrashLoopBackOff: Back-off 5m0s restarting failed container=hello pod=hello-2-",
    );
}

/// Ready for a moment, then gone: the old pod was let go meanwhile, and that is what is reported.
#[test]
fn an_image_that_crashes_once_it_serves_breaks_availability() {
    let plan = with_version_2(r#"{"exit": {"code": 1, "afterSeconds": 2}}"#);
    let (report, _) = rehearse(&plan, 1);
    assert!(!report.passed);
    let violation = &report.violations[0];
    assert_eq!(violation.deployment_config, "development/hello");
    assert_eq!((violation.ready, violation.at_least), (0, 1));
}

#[test]
fn an_image_that_is_never_ready_fails_the_verification() {
    let error = check_broken(r#"{"readyAfterSeconds": 100000}"#, 1200);
    assert_says(&error, "container hello runs but is not ready");
}

#[test]
fn a_verification_that_takes_too_long_says_how_far_it_got() {
    let error = check_broken(r#"{"readyAfterSeconds": 100000}"#, 60);
    insta::assert_snapshot!(error, @"verify the rollout of development/hello: development/hello is not rolled out after 60 s: hello-2 is Running, container hello runs but is not ready");
}

/// Every broken rehearsal is refused with the place of the mistake.
#[test]
fn bad_rehearsals_are_refused_with_the_place() {
    let root = fixture("rehearsals-bad");
    let mut names: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    let mut text = String::new();
    for name in names {
        text.push_str(&refusal(&root.join(&name), &root));
    }
    insta::with_settings!({
        filters => vec![("expected one of .*", "expected one of …")],
        omit_expression => true,
        prepend_module_to_snapshot => false,
        snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/suite/snapshots"),
    }, {
        insta::assert_snapshot!("rehearsals_bad", text);
    });
}

/// Loads a rehearsal and, when that goes well, runs it: a manifest may be refused by the API only.
fn refusal(file: &Path, root: &Path) -> String {
    let text = match rehearsal::load(file) {
        Err(diagnostic) => diagnostic.to_string(),
        Ok(plan) => {
            let (report, _) = rehearse(&plan, 1);
            let step = report.steps.iter().find_map(|step| step.error.clone());
            step.unwrap_or_else(|| panic!("{} was accepted", file.display()))
        }
    };
    let root = format!("{}/", root.display());
    format!("{}\n\n", text.replace(&root, ""))
}
