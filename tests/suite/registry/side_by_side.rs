//! Two clusters side by side, in one process or in two, and images promoted from one to the other.

use std::process::Command;

use tempfile::TempDir;

use super::docker::{CONFIG, Docker};
use super::image::Image;
use super::up::{Up, files};
use super::{answers, ok, run};

/// `skopeo copy` of an image from the registry of one cluster to that of another.
fn copy(from: (&Up, &str, &str), to: (&Up, &str, &str)) -> (bool, String) {
    let (source, source_token, source_image) = from;
    let (target, target_token, target_image) = to;
    run(Command::new("skopeo").args([
        "copy",
        "--preserve-digests",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        "--src-creds",
        &format!("serviceaccount:{source_token}"),
        "--dest-creds",
        &format!("serviceaccount:{target_token}"),
        &format!("docker://{}/{source_image}", source.registry),
        &format!("docker://{}/{target_image}", target.registry),
    ]))
}

#[test]
fn clusters_in_one_process_share_nothing() {
    let Some(both) = Up::start_named("sim", &["dev", "prod"]) else { return };
    let [dev, prod] = &both[..] else { panic!("two clusters") };
    assert_ne!(dev.registry, prod.registry);
    let token = dev.project("shop", "builder");
    prod.kubectl.ok("create namespace bank");
    let image = Image::new("v1");
    assert_eq!(image.push(dev, &token, "shop/app", "v1").code, 201);
    assert_eq!(image.push(prod, &token, "shop/app", "v1").code, 401, "a token of the other one");
    assert!(dev.kubectl.run(&["get", "namespace", "bank"]).stderr.contains("NotFound"));
    assert!(prod.kubectl.run(&["get", "namespace", "shop"]).stderr.contains("NotFound"));
    assert_eq!(dev.kubectl.ok("get nodes -o name"), "node/localhost\n");
    assert_eq!(prod.kubectl.ok("get nodes -o name"), "node/localhost\n");
    let audited = |up: &Up| up.kubectl.ok("get --raw /apis/audit.k8s.io/v1/events");
    assert!(audited(dev).contains("\"shop\"") && !audited(dev).contains("\"bank\""));
    assert!(audited(prod).contains("\"bank\"") && !audited(prod).contains("\"shop\""));
    let images = dev.home.path().join("images");
    assert!(!files(&images.join("dev/blobs")).is_empty());
    assert!(files(&images.join("prod/blobs")).is_empty());
}

#[test]
fn two_processes_share_a_kubeconfig() {
    let home = TempDir::new().unwrap();
    let kubeconfig = home.path().join("shared");
    let start = |name: &str| {
        let all = Up::all_in("sim", TempDir::new().unwrap(), &kubeconfig, &[name], &[]);
        all.map(|mut all| all.remove(0))
    };
    let Some(dev) = start("dev") else { return };
    let Some(prod) = start("prod") else { return };
    dev.kubectl.ok("create namespace shop");
    prod.kubectl.ok("create namespace bank");
    assert!(dev.kubectl.run(&["get", "namespace", "bank"]).stderr.contains("NotFound"));
    let contexts = || prod.kubectl.ok("config get-contexts -o name");
    assert_eq!(contexts(), "dev\nprod\n");
    // What ended is dropped at the next start, what is up stays.
    dev.signal("TERM");
    assert_eq!(dev.ended().0, Some(0));
    let Some(_test) = start("test") else { return };
    assert_eq!(contexts(), "prod\ntest\n");
}

#[test]
fn a_data_directory_belongs_to_one_process() {
    let home = TempDir::new().unwrap();
    let data = home.path().join("images");
    let arguments = ["--registry-data", data.to_str().unwrap()];
    let kubeconfig = home.path().join("kubeconfig");
    let start = || Up::all_in("sim", TempDir::new().unwrap(), &kubeconfig, &["dev"], &arguments);
    let Some(first) = start() else { return };
    let (started, text) = run(Command::new(crate::binary::rehearse())
        .args(["up", "--on", "sim", "--listen", "127.0.0.1:0", "--name", "dev"])
        .args(arguments)
        .current_dir(home.path()));
    assert!(!started, "{text}");
    assert!(text.contains("images/dev: another registry uses it"), "{text}");
    drop(first);
    drop(start().unwrap());
}

#[test]
fn a_copy_into_another_cluster_rolls_out_there() {
    if !answers("skopeo", &["--version"]) {
        return;
    }
    let Some(both) = Up::start_named("sim", &["dev", "prod"]) else { return };
    let [dev, prod] = &both[..] else { panic!("two clusters") };
    // The separation of clusters lets both have the same names.
    let (builder, promoter) = (dev.project("prod", "builder"), prod.project("prod", "builder"));
    prod.apply(CONFIG);
    for (version, rollout) in [("v1", "1"), ("v2", "2")] {
        let image = Image::new(version);
        assert_eq!(image.push(dev, &builder, "prod/app", "live").code, 201);
        let from = (dev, &*builder, "prod/app:live");
        let (copied, text) = copy(from, (prod, &*builder, "prod/app:live"));
        assert!(!copied && text.contains("unauthorized"), "{text}");
        let (copied, text) = copy(from, (prod, &*promoter, "prod/app:live"));
        assert!(copied, "{text}");
        prod.wait("deploymentconfig/app -n prod", ".status.latestVersion", rollout);
        prod.wait(&format!("rc/app-{rollout} -n prod"), ".status.readyReplicas", "1");
        let runs =
            prod.kubectl.ok("get pods -n prod -l app=app -o jsonpath={.items[*].spec..image}");
        assert!(runs.contains(&image.digest()), "{runs}");
    }
    let elsewhere = dev.kubectl.run(&["get", "rc", "-n", "prod", "-o", "name"]);
    assert_eq!(elsewhere.stdout, "", "nothing was rolled out where the image came from");
}

/// The names of what is on the engine for a cluster called `name`.
fn networks(name: &str) -> Vec<String> {
    let filter = format!("name=rehearse-{name}-");
    let text = ok(Command::new("docker").args([
        "network",
        "ls",
        "--filter",
        &filter,
        "--format",
        "{{.Name}}",
    ]));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn images_go_from_engine_to_cluster_by_pull_tag_and_push() {
    if !answers("docker", &["info"]) || !answers("/bin/busybox", &["true"]) {
        return;
    }
    let Some(both) = Up::start_named("docker", &["m-dev", "m-prod"]) else { return };
    let [dev, prod] = &both[..] else { panic!("two clusters") };
    assert_eq!((networks("m-dev").len(), networks("m-prod").len()), (1, 1));
    let (builder, promoter) = (dev.project("prod", "builder"), prod.project("prod", "builder"));
    for up in [dev, prod] {
        up.apply(CONFIG);
    }
    let (at_dev, at_prod) = (Docker::new(dev), Docker::new(prod));
    let (built, promoted) = (at_dev.name("prod/app:live"), at_prod.name("prod/app:live"));
    assert!(at_dev.login(&builder).0);
    assert!(at_prod.login(&promoter).0);
    at_dev.build(&built, "v1");
    ok(&mut at_dev.command(&["push", &built]));
    at_dev.remove(&built);
    ok(&mut at_dev.command(&["pull", &built]));
    ok(&mut at_dev.command(&["tag", &built, &promoted]));
    ok(&mut at_prod.command(&["push", &promoted]));
    at_dev.remove(&built);
    at_prod.remove(&promoted);
    let images = both.iter().map(|up| {
        up.wait("rc/app-1 -n prod", ".status.readyReplicas", "1");
        up.kubectl.ok("get pods -n prod -l app=app -o jsonpath={.items[*].status..imageID}")
    });
    let images: Vec<String> = images.collect();
    assert!(images[0].contains("prod/app@sha256:"), "{images:?}");
    assert_eq!(images[0], images[1], "both run the same digest");
    drop((at_dev, at_prod));
    let registries: Vec<String> = both.iter().map(|up| up.registry.clone()).collect();
    drop(both);
    for registry in registries {
        let filter = format!("reference={registry}/*/*");
        let pulled = ok(Command::new("docker").args(["images", "-q", "--filter", &filter]));
        assert_eq!(pulled, "", "what nodes pulled from {registry} goes with it");
    }
    assert_eq!((networks("m-dev").len(), networks("m-prod").len()), (0, 0));
}
