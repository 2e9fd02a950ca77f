//! Images on their way out.

use apimachinery::json;
use apiserver::{Call, User};
use registry::digest::Digest;

use crate::client::{Fixture, IMAGE};

#[test]
fn an_image_is_pulled_by_tag_and_by_digest() {
    let fixture = Fixture::new();
    let manifest = fixture.push_image("dev/app", "v1", b"layer");
    let digest = Digest::of(&manifest).to_string();
    let by_tag = fixture.get("puller", "/v2/dev/app/manifests/v1");
    assert_eq!((by_tag.code, by_tag.header("content-type")), (200, IMAGE));
    assert_eq!(
        (&by_tag.body, by_tag.header("docker-content-digest")),
        (&manifest, digest.as_str())
    );
    let by_digest = fixture.get("puller", &format!("/v2/dev/app/manifests/{digest}"));
    assert_eq!(by_digest.body, manifest);

    let etag = by_tag.header("etag").to_owned();
    let path = "/v2/dev/app/manifests/v1";
    assert_eq!(fixture.send("puller", "GET", path, &[("If-None-Match", &etag)], b"").code, 304);
    let head = fixture.send("puller", "HEAD", path, &[], b"");
    assert_eq!(head.header("content-length"), manifest.len().to_string());
    assert!(head.body.is_empty());
}

#[test]
fn a_blob_is_pulled_in_part() {
    let fixture = Fixture::new();
    let digest = fixture.push_blob("dev/app", b"0123456789");
    let path = format!("/v2/dev/app/blobs/{digest}");
    let part = fixture.send("puller", "GET", &path, &[("Range", "bytes=3-5")], b"");
    assert_eq!((part.code, part.header("content-range")), (206, "bytes 3-5/10"));
    assert_eq!(part.body, b"345");
    let beyond = fixture.send("puller", "GET", &path, &[("Range", "bytes=10-")], b"");
    assert_eq!((beyond.code, beyond.header("content-range")), (416, "bytes */10"));
    let head = fixture.send("puller", "HEAD", &path, &[], b"");
    assert_eq!((head.code, head.header("content-length")), (200, "10"));
}

#[test]
fn a_promoted_image_is_pulled_from_its_new_project() {
    let fixture = Fixture::new();
    let manifest = fixture.push_image("dev/app", "v1", b"layer");
    let layer = format!("/v2/prod/app/blobs/{}", Digest::of(b"layer"));
    assert_eq!(fixture.get("admin", &layer).error(), "BLOB_UNKNOWN");

    let admin = User::system_admin();
    let tag = json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamTag",
        "metadata": {"name": "app:v1", "namespace": "prod"},
        "tag": {"name": "v1", "from": {
            "kind": "ImageStreamImage", "namespace": "dev",
            "name": format!("app@{}", Digest::of(&manifest)),
        }},
    });
    let call = Call::new(&admin, &api::IMAGE_STREAM_TAGS).within("prod").named("app:v1");
    fixture.server.update(&call, tag).unwrap();

    assert_eq!(fixture.get("admin", "/v2/prod/app/manifests/v1").body, manifest);
    assert_eq!(fixture.get("admin", &layer).body, b"layer");
}

#[test]
fn what_was_pushed_is_there_after_a_restart() {
    let fixture = Fixture::new();
    let digest = fixture.push_blob("dev/app", b"layer");
    let fixture = Fixture::with(fixture.ended());
    assert_eq!(fixture.get("puller", &format!("/v2/dev/app/blobs/{digest}")).body, b"layer");
}

#[test]
fn tags_and_repositories_are_listed() {
    let fixture = Fixture::new();
    for tag in ["v2", "v1"] {
        fixture.push_image("dev/app", tag, tag.as_bytes());
    }
    fixture.push_image("prod/app", "v1", b"p");
    let tags = fixture.get("puller", "/v2/dev/app/tags/list").json();
    assert_eq!(tags, json!({"name": "dev/app", "tags": ["v1", "v2"]}));
    let first = fixture.get("admin", "/v2/_catalog?n=1");
    assert_eq!(first.json(), json!({"repositories": ["dev/app"]}));
    assert_eq!(first.header("link"), "</v2/_catalog?last=dev%2Fapp&n=1>; rel=\"next\"");
    let second = fixture.get("admin", "/v2/_catalog?n=1&last=dev%2Fapp").json();
    assert_eq!(second, json!({"repositories": ["prod/app"]}));
    assert_eq!(fixture.get("puller", "/v2/dev/none/tags/list").error(), "NAME_UNKNOWN");
    assert_eq!(fixture.get("puller", "/v2/dev/app/manifests/no").error(), "MANIFEST_UNKNOWN");
}
