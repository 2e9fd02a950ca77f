//! Images on their way in.

use registry::digest::Digest;

use crate::client::Fixture;

#[test]
fn a_push_makes_the_stream_and_the_tag() {
    let fixture = Fixture::new();
    let manifest = fixture.push_image("dev/app", "v1", b"layer");
    let digest = Digest::of(&manifest).to_string();

    let stream = fixture.stream("dev", "app");
    let item = &stream["status"]["tags"][0]["items"][0];
    assert_eq!(item["image"], digest);
    let reference = format!("docker-registry.default.svc:5000/dev/app@{digest}");
    assert_eq!(item["dockerImageReference"], reference);
    assert!(stream["spec"].get("tags").is_none_or(|tags| tags.as_array().unwrap().is_empty()));
}

#[test]
fn a_blob_comes_in_pieces() {
    let fixture = Fixture::new();
    let path = fixture.begin("dev/app");
    let first = fixture.send("pusher", "PATCH", &path, &[("Content-Range", "0-2")], b"abc");
    assert_eq!((first.code, first.header("range")), (202, "0-2"));
    let gap = fixture.send("pusher", "PATCH", &path, &[("Content-Range", "7-9")], b"xyz");
    assert_eq!((gap.code, gap.error().as_str()), (416, "RANGE_INVALID"));
    let status = fixture.get("pusher", &path);
    assert_eq!((status.code, status.header("range")), (204, "0-2"));
    let digest = Digest::of(b"abcdef");
    let last = fixture.send("pusher", "PUT", &format!("{path}?digest={digest}"), &[], b"def");
    assert_eq!(
        (last.code, last.header("docker-content-digest")),
        (201, digest.to_string().as_str())
    );
    assert_eq!(fixture.get("puller", &format!("/v2/dev/app/blobs/{digest}")).body, b"abcdef");
    assert_eq!(fixture.get("pusher", &path).error(), "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn a_blob_comes_in_one_request_and_is_mounted_elsewhere() {
    let fixture = Fixture::new();
    let digest = Digest::of(b"abc");
    let path = format!("/v2/dev/app/blobs/uploads/?digest={digest}");
    assert_eq!(fixture.send("pusher", "POST", &path, &[], b"abc").code, 201);

    let mount = format!("/v2/prod/app/blobs/uploads/?mount={digest}&from=dev/app");
    assert_eq!(fixture.send("pusher", "POST", &mount, &[], b"").code, 201);
    let blob = format!("/v2/prod/app/blobs/{digest}");
    assert_eq!(fixture.get("pusher", &blob).body, b"abc");

    let unknown = format!("/v2/prod/app/blobs/uploads/?mount={}&from=dev/app", Digest::of(b"no"));
    assert_eq!(fixture.send("pusher", "POST", &unknown, &[], b"").code, 202);
}

#[test]
fn an_index_is_pushed_after_its_manifests() {
    let fixture = Fixture::new();
    let manifest = fixture.push_image("dev/app", "v1", b"layer");
    let child = Digest::of(&manifest);
    let media_type = "application/vnd.oci.image.index.v1+json";
    let put = |manifests: &str| {
        let index = format!(r#"{{"mediaType":"{media_type}","manifests":[{manifests}]}}"#);
        let headers = [("Content-Type", media_type)];
        let path = "/v2/dev/app/manifests/multi";
        fixture.send("pusher", "PUT", path, &headers, index.as_bytes())
    };
    let absent = put(&format!(r#"{{"digest":"{}"}}"#, Digest::of(b"?")));
    assert_eq!((absent.code, absent.error().as_str()), (400, "MANIFEST_BLOB_UNKNOWN"));
    assert_eq!(put(&format!(r#"{{"digest":"{child}"}}"#)).code, 201);
    let index = fixture.get("puller", "/v2/dev/app/manifests/multi");
    assert_eq!(index.header("content-type"), media_type);
}

#[test]
fn two_pushes_to_one_tag_at_once_leave_one_of_them_and_both_images() {
    let fixture = Fixture::new();
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| fixture.push_image("dev/app", "v1", b"one"));
        let two = scope.spawn(|| fixture.push_image("dev/app", "v1", b"two"));
        (one.join().unwrap(), two.join().unwrap())
    });
    let tagged = fixture.get("puller", "/v2/dev/app/manifests/v1").body;
    assert!(tagged == one || tagged == two);
    for manifest in [one, two] {
        let path = format!("/v2/dev/app/manifests/{}", Digest::of(&manifest));
        assert_eq!(fixture.get("puller", &path).body, manifest);
    }
}
