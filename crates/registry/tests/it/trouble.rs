//! Pushes that go wrong leave nothing behind.

use std::io::Write as _;
use std::os::unix::fs::symlink;

use registry::digest::Digest;

use crate::client::{Fixture, manifest};

#[test]
fn a_digest_that_the_bytes_do_not_have_is_refused() {
    let fixture = Fixture::new();
    let path = format!("{}?digest={}", fixture.begin("dev/app"), Digest::of(b"other"));
    let answer = fixture.send("pusher", "PUT", &path, &[], b"bytes");
    assert_eq!((answer.code, answer.error().as_str()), (400, "DIGEST_INVALID"));
    assert!(fixture.files("uploads").is_empty() && fixture.files("blobs").is_empty());
}

#[test]
fn a_manifest_that_names_absent_blobs_is_refused() {
    let fixture = Fixture::new();
    let config = fixture.push_blob("dev/app", b"{}");
    let answer = fixture.push_manifest("dev/app", "v1", &manifest(&config, &Digest::of(b"no")));
    assert_eq!((answer.code, answer.error().as_str()), (400, "MANIFEST_BLOB_UNKNOWN"));
    assert!(fixture.files("manifests").is_empty());
    assert_eq!(fixture.get("puller", "/v2/dev/app/tags/list").error(), "NAME_UNKNOWN");
}

#[test]
fn what_is_no_manifest_is_refused() {
    let fixture = Fixture::new();
    let answer = fixture.push_manifest("dev/app", "v1", b"{");
    assert_eq!((answer.code, answer.error().as_str()), (400, "MANIFEST_INVALID"));
    let large = vec![b' '; (4 << 20) + 1];
    assert_eq!(fixture.push_manifest("dev/app", "v1", &large).code, 413);
    let digest = Digest::of(b"other").to_string();
    let config = fixture.push_blob("dev/app", b"{}");
    let answer = fixture.push_manifest("dev/app", &digest, &manifest(&config, &config));
    assert_eq!(answer.error(), "DIGEST_INVALID");
}

#[test]
fn a_push_cut_in_the_middle_is_resumed_or_given_up() {
    let fixture = Fixture::new();
    let path = fixture.begin("dev/app");
    {
        let mut stream = fixture.connect();
        let head = format!(
            "PATCH {path} HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer pusher\r\n\
             Content-Length: 100\r\n\r\nabc"
        );
        stream.write_all(head.as_bytes()).unwrap();
    }
    // The status waits for the request that was cut, whose bytes stay.
    let mut range = String::new();
    while range != "0-2" {
        range = fixture.get("pusher", &path).header("range").to_owned();
        std::thread::yield_now();
    }
    assert_eq!(fixture.files("uploads").len(), 1);
    assert_eq!(fixture.send("pusher", "DELETE", &path, &[], b"").code, 204);
    assert!(fixture.files("uploads").is_empty());
    assert_eq!(fixture.get("pusher", &path).error(), "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn a_full_disk_refuses_the_upload_and_keeps_nothing_of_it() {
    let fixture = Fixture::new();
    // The next upload finds its file to be a device without space.
    let known: Vec<String> = (0..3).map(|_| fixture.begin("dev/app")).collect();
    let id = known[0].rsplit('/').next().unwrap();
    assert!(fixture.files("uploads").contains(&id.to_owned()));
    let twin = Fixture::new();
    symlink("/dev/full", twin.directory.path().join("uploads").join(id)).unwrap();
    let path = twin.begin("dev/app");
    assert!(path.ends_with(id), "the same seed gives the same names");
    let answer = twin.send("pusher", "PATCH", &path, &[], &[0; 1 << 16]);
    assert_eq!((answer.code, answer.error().as_str()), (500, "UNKNOWN"));
    assert!(answer.json()["errors"][0]["detail"].as_str().unwrap().contains("No space left"));
    assert!(twin.files("uploads").is_empty());
    assert_eq!(twin.get("pusher", &path).error(), "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn what_quota_refuses_leaves_no_manifest() {
    let fixture = Fixture::new();
    let config = fixture.push_blob("dev/app", b"{}");
    let answer = fixture.push_manifest("dev/app", "over", &manifest(&config, &config));
    assert_eq!((answer.code, answer.error().as_str()), (403, "DENIED"));
    let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("exceeds the maximum limit"), "{message}");
    assert!(fixture.files("manifests").is_empty());
}
