//! `skopeo copy` between directories, projects and the registry, with tokens of service accounts.

use std::process::Command;

use super::docker::CONFIG;
use super::image::Image;
use super::up::Up;
use super::{answers, ok, run};

fn skopeo() -> Command {
    let mut command = Command::new("skopeo");
    command.arg("--insecure-policy");
    command
}

/// The image that a tag of a stream is; `skopeo` packs layers, so it is not the one that was written.
fn digest(up: &Up, namespace: &str, tag: &str) -> String {
    let name = "jsonpath={.image.metadata.name}";
    up.kubectl.ok(&format!("get istag {tag} -n {namespace} -o {name}"))
}

/// Copies the image to `repository:tag`.
fn push(up: &Up, image: &Image, token: &str, to: &str) -> (bool, String) {
    let directory = up.home.path().join("image");
    image.write(&directory);
    let (from, to) =
        (format!("dir:{}", directory.display()), format!("docker://{}/{to}", up.registry));
    let login = format!("serviceaccount:{token}");
    run(skopeo().args(["copy", "--dest-tls-verify=false", "--dest-creds", &login, &from, &to]))
}

#[test]
fn a_service_accounts_token_pushes_and_pulls_what_its_roles_allow() {
    if !answers("skopeo", &["--version"]) {
        return;
    }
    let Some(up) = Up::start("sim") else { return };
    let builder = up.project("dev", "builder");
    let puller = up.project("prod", "default");
    let image = Image::new("v1");
    let (pushed, text) = push(&up, &image, &builder, "dev/app:v1");
    assert!(pushed, "{text}");

    // Neither into another project, nor without the role, nor with a token of nobody's.
    for (token, to) in
        [(&*builder, "prod/app:v1"), (&puller, "dev/app:v2"), ("made-up", "dev/app:v2")]
    {
        let (pushed, text) = push(&up, &image, token, to);
        assert!(!pushed && text.contains("unauthorized"), "{to}: {text}");
    }
    let pull = |token: &str| {
        let login = format!("serviceaccount:{token}");
        let from = format!("docker://{}/dev/app:v1", up.registry);
        run(skopeo().args(["inspect", "--tls-verify=false", "--creds", &login, &from]))
    };
    let (pulled, text) = pull(&puller);
    assert!(!pulled && text.contains("unauthorized"), "{text}");
    up.kubectl.ok(
        "create rolebinding pull -n dev --clusterrole=system:image-puller --serviceaccount=prod:default",
    );
    let (pulled, text) = pull(&puller);
    assert!(
        pulled
            && text.contains(&digest(&up, "dev", "app:v1"))
            && text.contains("\"version\": \"v1\""),
        "{text}"
    );
    let tags = up.send(&builder, "GET", "/v2/dev/app/tags/list", b"");
    assert!(tags.body.contains(r#""tags":["v1"]"#), "{tags:?}");
}

#[test]
fn the_role_of_pushers_is_enough_for_a_stream_that_is_there() {
    let Some(up) = Up::start("sim") else { return };
    let token = up.project("dev", "default");
    let image = Image::new("v1");
    assert_eq!(image.push(&up, &token, "dev/app", "v1").code, 401);
    up.kubectl.ok(
        "create rolebinding push -n dev --clusterrole=system:image-pusher --serviceaccount=dev:default",
    );
    let made = image.push(&up, &token, "dev/app", "v1");
    assert!(
        made.code == 403 && made.body.contains("DENIED"),
        "no stream, no right to make one: {made:?}"
    );
    up.apply("{apiVersion: image.openshift.io/v1, kind: ImageStream, metadata: {name: app, namespace: dev}}");
    let pushed = image.push(&up, &token, "dev/app", "v1");
    assert_eq!(pushed.code, 201, "{pushed:?}");
}

#[test]
fn a_pushed_image_tells_its_labels_layers_and_size() {
    let Some(up) = Up::start("sim") else { return };
    let builder = up.project("dev", "builder");
    let image = Image::new("v1");
    let pushed = image.push(&up, &builder, "dev/app", "v1");
    assert_eq!(pushed.code, 201, "{pushed:?}");
    let text = up.kubectl.ok("get istag app:v1 -n dev -o json");
    let istag: apimachinery::Value = serde_json::from_str(&text).unwrap();
    let of = &istag["image"];
    assert_eq!(of["metadata"]["name"], image.digest());
    assert_eq!(of["dockerImageMetadata"]["Config"]["Labels"]["version"], "v1", "{text}");
    let layer = registry::digest::Digest::of(&image.layer).to_string();
    assert_eq!(of["dockerImageLayers"][0]["name"], layer);
    assert_eq!(of["dockerImageLayers"][0]["size"], image.layer.len());
    assert_eq!(of["dockerImageMetadata"]["Size"], image.layer.len() + image.config.len());
    assert_eq!(of["dockerImageManifestMediaType"], super::image::IMAGE);
    assert_eq!(istag["tag"], apimachinery::Value::Null, "a pushed tag has no spec");
}

#[test]
fn a_copy_into_another_project_rolls_out_there() {
    if !answers("skopeo", &["--version"]) {
        return;
    }
    let Some(up) = Up::start("sim") else { return };
    let builder = up.project("dev", "builder");
    let promoter = up.project("prod", "builder");
    up.kubectl.ok(
        "create rolebinding pull -n dev --clusterrole=system:image-puller --serviceaccount=prod:builder",
    );
    up.apply(CONFIG);
    for (version, rollout) in [("v1", "1"), ("v2", "2")] {
        let image = Image::new(version);
        let (pushed, text) = push(&up, &image, &builder, "dev/app:latest");
        assert!(pushed, "{text}");
        let login = format!("serviceaccount:{promoter}");
        let (from, to) = (
            format!("docker://{}/dev/app:latest", up.registry),
            format!("docker://{}/prod/app:live", up.registry),
        );
        ok(skopeo().args(["copy", "--src-tls-verify=false", "--dest-tls-verify=false"]).args([
            "--src-creds",
            &login,
            "--dest-creds",
            &login,
            &from,
            &to,
        ]));
        up.wait("deploymentconfig/app -n prod", ".status.latestVersion", rollout);
        up.wait(&format!("rc/app-{rollout} -n prod"), ".status.readyReplicas", "1");
        let images =
            up.kubectl.ok("get pods -n prod -l app=app -o jsonpath={.items[*].spec..image}");
        let spec = format!(
            "docker-registry.default.svc:5000/prod/app@{}",
            digest(&up, "dev", "app:latest")
        );
        assert!(images.contains(&spec), "{images}");
    }
}
