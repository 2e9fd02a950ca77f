//! Images of another registry, pulled through a stream that names them.

use api::{IMAGE_STREAM_MAPPINGS, IMAGE_STREAMS, SECRETS};
use apimachinery::json;
use apiserver::{Call, User};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::digest::Digest;

use crate::client::{Fixture, IMAGE};

/// A registry whose stream `prod/mirror` has an image of `remote`, and credentials to fetch it with.
fn mirror(remote: &Fixture, image: &Digest, password: &str) -> Fixture {
    let local = Fixture::new();
    let admin = User::system_admin();
    let (host, digest) = (remote.address(), image.to_string());
    let auth = STANDARD.encode(format!("someone:{password}"));
    let config = STANDARD.encode(json!({ host.clone(): {"auth": auth} }).to_string());
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "remote", "namespace": "prod"},
        "type": "kubernetes.io/dockercfg", "data": {".dockercfg": config},
    });
    local.server.create(&Call::new(&admin, &SECRETS).within("prod"), secret).unwrap();
    let stream = json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStream",
        "metadata": {"name": "mirror", "namespace": "prod",
            "annotations": {"openshift.io/image.insecureRepository": "true"}},
    });
    local.server.create(&Call::new(&admin, &IMAGE_STREAMS).within("prod"), stream).unwrap();
    let mapping = json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamMapping",
        "metadata": {"name": "mirror", "namespace": "prod"}, "tag": "v1",
        "image": {"metadata": {"name": digest},
            "dockerImageReference": format!("{host}/dev/app@{digest}")},
    });
    let call = Call::new(&admin, &IMAGE_STREAM_MAPPINGS).within("prod");
    local.server.create(&call, mapping).unwrap();
    local
}

#[test]
fn an_image_of_another_registry_comes_through_and_stays() {
    let remote = Fixture::new();
    let manifest = remote.push_image("dev/app", "v1", b"layer");
    let local = mirror(&remote, &Digest::of(&manifest), "puller");
    let layer = format!("/v2/prod/mirror/blobs/{}", Digest::of(b"layer"));

    let by_tag = local.get("admin", "/v2/prod/mirror/manifests/v1");
    assert_eq!((by_tag.code, by_tag.header("content-type")), (200, IMAGE));
    assert_eq!(by_tag.body, manifest);
    assert_eq!(local.get("admin", &layer).body, b"layer");
    assert_eq!(local.get("puller", &layer).code, 401, "rights are asked first");

    drop(remote);
    assert_eq!(local.get("admin", &layer).body, b"layer", "it is here now");
    assert_eq!(local.get("admin", "/v2/prod/mirror/manifests/v1").body, manifest);
    assert!(local.files("uploads").is_empty());
}

#[test]
fn what_cannot_be_fetched_is_unknown() {
    let remote = Fixture::new();
    let manifest = remote.push_image("dev/app", "v1", b"layer");
    let local = mirror(&remote, &Digest::of(&manifest), "wrong");
    let refused = local.get("admin", "/v2/prod/mirror/manifests/v1");
    assert_eq!((refused.code, refused.error().as_str()), (404, "MANIFEST_UNKNOWN"));

    let local = mirror(&remote, &Digest::of(b"another"), "puller");
    assert_eq!(local.get("admin", "/v2/prod/mirror/manifests/v1").error(), "MANIFEST_UNKNOWN");
    // Bytes that no image of the stream has are not fetched, whoever asks.
    let layer = format!("/v2/prod/mirror/blobs/{}", Digest::of(b"layer"));
    assert_eq!(local.get("admin", &layer).error(), "BLOB_UNKNOWN");
    assert!(local.files("blobs").is_empty() && local.files("uploads").is_empty());
}

#[test]
fn bytes_that_changed_on_the_way_are_not_kept() {
    let remote = Fixture::new();
    let manifest = remote.push_image("dev/app", "v1", b"layer");
    let layer = Digest::of(b"layer");
    let stored = remote.directory.path().join("blobs").join(&layer.hex()[..2]).join(layer.hex());
    std::fs::write(stored, b"other").unwrap();
    let local = mirror(&remote, &Digest::of(&manifest), "puller");
    assert_eq!(local.get("admin", "/v2/prod/mirror/manifests/v1").code, 200);
    let answer = local.get("admin", &format!("/v2/prod/mirror/blobs/{layer}"));
    assert_eq!(answer.code, 500, "{answer:?}");
    assert!(local.files("uploads").is_empty());
}
