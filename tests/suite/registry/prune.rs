//! Pruning, as `oc adm prune images` asks for it request by request, and as `rehearse prune` does.

use std::process::Command;

use apimachinery::Value;
use registry::digest::Digest;

use super::image::Image;
use super::up::{Up, files};
use super::{ok, run};
use crate::binary::rehearse;

/// A cluster with two images in the history of one tag.
fn cluster() -> Option<(Up, String, [Image; 2])> {
    let up = Up::start("sim")?;
    let token = up.project("dev", "builder");
    let images = ["v1", "v2"].map(Image::new);
    for image in &images {
        assert_eq!(image.push(&up, &token, "dev/app", "live").code, 201);
    }
    Some((up, token, images))
}

fn prune(up: &Up, arguments: &[&str]) -> (bool, String) {
    let kubeconfig = up.home.path().join("kubeconfig");
    run(Command::new(rehearse()).arg("prune").args(arguments).arg("--kubeconfig").arg(kubeconfig))
}

#[test]
fn the_requests_of_oc_are_answered() {
    let Some((up, builder, [old, _])) = cluster() else { return };
    let pruner = up.project("openshift-infra-pruner", "default");
    up.kubectl.ok("create clusterrolebinding pruner --clusterrole=system:image-pruner \
         --serviceaccount=openshift-infra-pruner:default");
    let own = "--as=system:serviceaccount:openshift-infra-pruner:default";
    for resource in [
        "images.image.openshift.io",
        "imagestreams.image.openshift.io",
        "pods",
        "replicationcontrollers",
        "deploymentconfigs.apps.openshift.io",
        "buildconfigs.build.openshift.io",
        "builds.build.openshift.io",
        "daemonsets.apps",
        "deployments.apps",
        "replicasets.apps",
        "limitranges",
    ] {
        up.kubectl.ok(&format!("get {resource} --all-namespaces {own}"));
    }
    let layer = Digest::of(&old.layer);
    let (manifest, config) = (old.digest(), Digest::of(&old.config));
    let path = "/apis/image.openshift.io/v1/namespaces/dev/imagestreams/app";
    let mut stream: Value =
        serde_json::from_str(&up.kubectl.ok(&format!("get --raw {path} {own}"))).unwrap();
    let items = stream["status"]["tags"][0]["items"].as_array_mut().unwrap();
    items.retain(|item| item["image"] != manifest);
    assert_eq!(items.len(), 1);
    let file = up.home.path().join("stream.json");
    std::fs::write(&file, stream.to_string()).unwrap();
    up.kubectl.ok(&format!("replace --raw {path}/status -f {} {own}", file.display()));
    let history = "get imagestream app -n dev -o jsonpath={.status.tags[0].items[*].image}";
    assert!(!up.kubectl.ok(history).contains(&manifest));

    let links = [
        format!("/v2/dev/app/blobs/{layer}"),
        format!("/v2/dev/app/blobs/{config}"),
        format!("/v2/dev/app/manifests/{manifest}"),
    ];
    for path in &links {
        assert_eq!(up.send(&builder, "DELETE", path, b"").code, 401, "{path}");
        assert_eq!(up.send(&pruner, "DELETE", path, b"").code, 202, "{path}");
    }
    for digest in [layer.to_string(), config.to_string(), manifest.clone()] {
        let path = format!("/admin/blobs/{digest}");
        assert_eq!(up.send(&builder, "DELETE", &path, b"").code, 401, "{path}");
        assert_eq!(up.send(&pruner, "DELETE", &path, b"").code, 204, "{path}");
    }
    let image = format!("/apis/image.openshift.io/v1/images/{manifest}");
    up.kubectl.ok(&format!("delete --raw {image} {own}"));
    assert_eq!(up.send(&builder, "GET", &links[2], b"").code, 404);
    let left = files(&up.home.path().join("images/blobs"));
    assert_eq!(left.len(), 3, "config, layer and manifest of the other: {left:?}");
}

#[test]
fn images_are_pruned_after_a_look() {
    let Some((up, builder, [old, new])) = cluster() else { return };
    let blobs = || files(&up.home.path().join("images/blobs")).len();
    let all = ["images", "--keep-tag-revisions", "1", "--keep-younger-than", "0s"];
    let (done, text) = prune(&up, &["images"]);
    assert!(done && text.contains("to be removed: 0 images, 0 blobs, 0 bytes"), "{text}");
    let (done, text) = prune(&up, &all);
    assert!(done, "{text}");
    assert!(text.contains("Dry run enabled - no modifications will be made."), "{text}");
    assert!(text.contains(&format!("tag    dev/app:live forgets {}", old.digest())), "{text}");
    assert!(text.contains("to be removed: 1 images, 3 blobs"), "{text}");
    assert_eq!(blobs(), 6);
    let (done, text) = prune(&up, &[&all[..], &["--confirm"]].concat());
    assert!(done && text.contains("\nremoved: 1 images, 3 blobs"), "{text}");
    assert_eq!(blobs(), 3);
    let path = |image: &Image| format!("/v2/dev/app/manifests/{}", image.digest());
    assert_eq!(up.send(&builder, "GET", &path(&old), b"").code, 404);
    assert_eq!(up.send(&builder, "GET", &path(&new), b"").code, 200);
    // Bad input.
    let (done, text) = prune(&up, &["images", "--keep-younger-than", "yesterday"]);
    assert!(!done && text.contains("must be an age such as 60m"), "{text}");
}

const CONFIG: &str = "
apiVersion: apps.openshift.io/v1
kind: DeploymentConfig
metadata: {name: web, namespace: dev}
spec:
  replicas: 1
  selector: {app: web}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1'}]}
  triggers: [{type: ConfigChange}]
";

#[test]
fn rollouts_are_pruned_after_a_look() {
    let Some(up) = Up::start("sim") else { return };
    drop(up.project("dev", "builder"));
    up.apply(CONFIG);
    for rollout in 1..=3 {
        let rc = format!("rc/web-{rollout} -n dev");
        up.wait(&rc, ".status.readyReplicas", "1");
        let phase = ".metadata.annotations.openshift\\.io/deployment\\.phase";
        up.wait(&rc, phase, "Complete");
        if rollout < 3 {
            let env = format!("[{{\"name\":\"N\",\"value\":\"{rollout}\"}}]");
            let patch = format!(
                "{{\"spec\":{{\"template\":{{\"spec\":{{\"containers\":[{{\"name\":\"web\",\"env\":{env}}}]}}}}}}}}"
            );
            let patched = up.kubectl.run(&["patch", "dc", "web", "-n", "dev", "-p", &patch]);
            assert_eq!(patched.code, 0, "{patched:?}");
        }
    }
    up.wait("rc/web-2 -n dev", ".status.replicas", "0");
    let rollouts = || up.kubectl.ok("get rc -n dev -o name");
    let all = ["deployments", "--keep-complete", "1", "--keep-younger-than", "0s"];
    let (done, text) = prune(&up, &all);
    assert!(done && text.contains("Add --confirm to remove deployments"), "{text}");
    assert!(text.contains("dev\tweb-1\n"), "{text}");
    assert!(!text.contains("web-2") && !text.contains("web-3"), "{text}");
    assert!(rollouts().contains("web-1"));
    let (done, text) = prune(&up, &[&all[..], &["--confirm"]].concat());
    assert!(done, "{text}");
    ok(&mut up.kubectl.command(&[
        "wait",
        "--for=delete",
        "rc/web-1",
        "-n",
        "dev",
        "--timeout=60s",
    ]));
    assert!(rollouts().contains("web-2") && rollouts().contains("web-3"));
}
