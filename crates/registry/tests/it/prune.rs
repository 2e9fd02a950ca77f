//! Pruning frees the bytes that no image needs any more, and only those.

use apimachinery::json;
use apimachinery::{Status, Value};
use apiserver::{Call, User};
use registry::digest::Digest;
use registry::prune::IMAGE_PRUNINGS;

use crate::client::Fixture;

/// Asks for a pruning that keeps one revision and nothing for being young; gives its status.
fn prune(fixture: &Fixture, user: &User, confirm: bool) -> Result<Value, Status> {
    let spec = json!({"keepTagRevisions": 1, "keepYoungerThanSeconds": 0, "confirm": confirm});
    let pruning = json!({
        "apiVersion": "registry.rehearse/v1", "kind": "ImagePruning",
        "metadata": {"name": "prune"}, "spec": spec,
    });
    let made = fixture.server.create(&Call::new(user, &IMAGE_PRUNINGS), pruning)?;
    Ok(made.object.into_value()["status"].clone())
}

fn blob(fixture: &Fixture, bytes: &[u8]) -> u16 {
    fixture.get("puller", &format!("/v2/dev/app/blobs/{}", Digest::of(bytes))).code
}

#[test]
fn an_old_revision_goes_with_its_bytes_and_what_is_shared_stays() {
    let fixture = Fixture::new();
    let admin = User::system_admin();
    let old = Digest::of(&fixture.push_image("dev/app", "live", b"old layer"));
    let new = Digest::of(&fixture.push_image("dev/app", "live", b"new layer"));

    let planned = prune(&fixture, &admin, false).unwrap();
    assert_eq!(planned["images"], json!([old.to_string()]));
    let mut blobs = [old.to_string(), Digest::of(b"old layer").to_string()];
    blobs.sort();
    assert_eq!(planned["blobs"], json!(blobs), "the config is shared");
    assert_eq!(blob(&fixture, b"old layer"), 200, "nothing has gone yet");

    assert_eq!(prune(&fixture, &admin, true).unwrap(), planned);
    let stream = fixture.stream("dev", "app");
    let history = stream["status"]["tags"][0]["items"].as_array().unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0]["image"], new.to_string());
    assert_eq!(blob(&fixture, b"old layer"), 404);
    assert_eq!(blob(&fixture, b"new layer"), 200);
    let manifest =
        |digest: &Digest| fixture.get("puller", &format!("/v2/dev/app/manifests/{digest}"));
    assert_eq!((manifest(&old).code, manifest(&new).code), (404, 200));
    assert_eq!(fixture.files("manifests").len(), 1);
    assert_eq!(fixture.files("repositories/dev/app/manifests").len(), 1);
    assert_eq!(fixture.files("repositories/dev/app/blobs").len(), 2);

    let again = prune(&fixture, &admin, true).unwrap();
    assert_eq!(again, json!({"images": [], "revisions": [], "blobs": [], "bytes": 0}));
}

#[test]
fn bytes_of_no_image_go_and_those_of_an_index_stay() {
    let fixture = Fixture::new();
    let child = fixture.push_blob("dev/app", b"orphan");
    let layer = fixture.push_blob("dev/app", b"layer");
    let config = fixture.push_blob("dev/app", b"{}");
    let image = crate::client::manifest(&config, &layer);
    let image_digest = Digest::of(&image);
    let pushed = fixture.push_manifest("dev/app", &image_digest.to_string(), &image);
    assert_eq!(pushed.code, 201, "{pushed:?}");
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let index = json!({
        "schemaVersion": 2, "mediaType": list,
        "manifests": [{"digest": image_digest.to_string()}],
    });
    let headers = [("Content-Type", list)];
    let index = index.to_string();
    let pushed =
        fixture.send("pusher", "PUT", "/v2/dev/app/manifests/all", &headers, index.as_bytes());
    assert_eq!(pushed.code, 201, "{pushed:?}");
    let went = prune(&fixture, &User::system_admin(), true).unwrap();
    assert_eq!(went["blobs"], json!([child.to_string()]));
    assert_eq!(went["bytes"], 6);
    assert_eq!((blob(&fixture, b"layer"), blob(&fixture, b"orphan")), (200, 404));
}

#[test]
fn only_those_who_may_delete_images_prune() {
    let fixture = Fixture::new();
    fixture.push_image("dev/app", "live", b"layer");
    let refused = prune(&fixture, &User::with_groups("pusher", &[]), true).unwrap_err();
    assert_eq!(refused.code, 403, "{refused:?}");
    let spec = json!({"spec": {"keepTagRevisions": -1}, "metadata": {"name": "prune"}});
    let admin = User::system_admin();
    let refused = fixture.server.create(&Call::new(&admin, &IMAGE_PRUNINGS), spec).unwrap_err();
    assert_eq!(refused.code, 400, "{refused:?}");
}
