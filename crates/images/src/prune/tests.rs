//! What goes and what stays.

use apimachinery::json;

use super::*;

const OLD: &str = "2026-01-01T00:00:00Z";
const YOUNG: &str = "2026-01-02T11:30:00Z";

fn now() -> Time {
    Time::parse_rfc3339("2026-01-02T12:00:00Z").unwrap()
}

fn image(name: &str, created: &str) -> Arc<Value> {
    Arc::new(json!({"kind": "Image", "metadata": {"name": name, "creationTimestamp": created}}))
}

fn stream(created: &str, images: &[&str]) -> Arc<Value> {
    let items: Vec<Value> = images.iter().map(|image| json!({"image": image})).collect();
    Arc::new(json!({
        "kind": "ImageStream",
        "metadata": {"name": "app", "namespace": "dev", "creationTimestamp": created},
        "status": {"tags": [{"tag": "latest", "items": items}]},
    }))
}

fn holder(kind: &str, phase: &str, created: &str, image: &str) -> Arc<Value> {
    let spec = json!({"containers": [{"image": image}]});
    let spec = match kind {
        "Pod" => spec,
        "CronJob" => json!({"jobTemplate": {"spec": {"template": {"spec": spec}}}}),
        "BuildConfig" => {
            json!({"strategy": {"dockerStrategy": {"from": {"kind": "DockerImage", "name": image}}}})
        }
        _ => json!({"template": {"spec": spec}}),
    };
    Arc::new(json!({
        "kind": kind, "metadata": {"name": "x", "namespace": "dev", "creationTimestamp": created},
        "spec": spec, "status": {"phase": phase},
    }))
}

/// Five old images in one stream, the newest first.
fn five() -> Observed {
    let names = ["sha256:5", "sha256:4", "sha256:3", "sha256:2", "sha256:1"];
    Observed {
        images: names.iter().map(|name| image(name, OLD)).collect(),
        streams: vec![stream(OLD, &names)],
        holders: Vec::new(),
    }
}

fn gone(observed: &Observed) -> Vec<String> {
    plan(observed, Keep::default(), now()).images
}

#[test]
fn the_newest_revisions_stay() {
    let observed = five();
    let plan = plan(&observed, Keep::default(), now());
    assert_eq!(plan.images, ["sha256:1", "sha256:2"]);
    let revisions = &plan.streams[&("dev".to_owned(), "app".to_owned())];
    let left = without(&observed.streams[0], revisions);
    let left: Vec<&str> = left["status"]["tags"][0]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.str_at(&["image"]))
        .collect();
    assert_eq!(left, ["sha256:5", "sha256:4", "sha256:3"]);
}

#[test]
fn what_is_young_stays() {
    let mut observed = five();
    observed.images[4] = image("sha256:1", YOUNG);
    assert_eq!(gone(&observed), ["sha256:2"]);
    let mut observed = five();
    observed.streams[0] = stream(YOUNG, &["sha256:5", "sha256:4", "sha256:3", "sha256:2"]);
    assert_eq!(gone(&observed), ["sha256:1"]);
}

#[test]
fn what_is_used_stays() {
    let by_digest = "docker-registry.default.svc:5000/dev/app@sha256:1";
    for (kind, phase, created, image, expected) in [
        ("Pod", "Running", OLD, by_digest, vec!["sha256:2"]),
        ("Pod", "Pending", OLD, by_digest, vec!["sha256:2"]),
        ("Pod", "Succeeded", YOUNG, by_digest, vec!["sha256:2"]),
        ("Pod", "Failed", OLD, by_digest, vec!["sha256:1", "sha256:2"]),
        ("ReplicationController", "", OLD, by_digest, vec!["sha256:2"]),
        ("DeploymentConfig", "", OLD, by_digest, vec!["sha256:2"]),
        ("CronJob", "", OLD, by_digest, vec!["sha256:2"]),
        ("BuildConfig", "", OLD, by_digest, vec!["sha256:2"]),
        ("DaemonSet", "", OLD, "app:v1", vec!["sha256:1", "sha256:2"]),
    ] {
        let mut observed = five();
        observed.holders.push(holder(kind, phase, created, image));
        assert_eq!(gone(&observed), expected, "{kind} {phase} {created}");
    }
}

#[test]
fn a_tag_in_a_pull_spec_holds_what_it_points_to() {
    let mut observed = five();
    let spec = "docker-registry.default.svc:5000/dev/app:latest";
    observed.holders.push(holder("Pod", "Running", OLD, spec));
    let keep = Keep { tag_revisions: 0, ..Keep::default() };
    let plan = plan(&observed, keep, now());
    assert_eq!(plan.images, ["sha256:1", "sha256:2", "sha256:3", "sha256:4"]);
}

#[test]
fn a_tag_without_revisions_goes_and_images_of_no_stream_too() {
    let mut observed = five();
    observed.images.push(image("sha256:9", OLD));
    let keep = Keep { tag_revisions: 0, ..Keep::default() };
    let plan = plan(&observed, keep, now());
    assert_eq!(plan.images.len(), 6);
    let left = without(&observed.streams[0], &plan.streams[&("dev".to_owned(), "app".to_owned())]);
    assert_eq!(left["status"]["tags"], json!([]));
}
