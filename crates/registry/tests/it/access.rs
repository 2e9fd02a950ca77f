//! Who may do what.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::digest::Digest;

use crate::client::Fixture;

#[test]
fn callers_are_challenged_and_exchange_their_password_for_a_token() {
    let fixture = Fixture::new();
    let base = fixture.get("", "/v2/");
    assert_eq!((base.code, base.error().as_str()), (401, "UNAUTHORIZED"));
    assert_eq!(base.header("www-authenticate"), "Bearer realm=\"http://r/openshift/token\"");
    assert_eq!(base.header("docker-distribution-api-version"), "registry/2.0");

    let login = |password: &str| {
        let basic = format!("Basic {}", STANDARD.encode(format!("any:{password}")));
        fixture.send("", "GET", "/openshift/token?account=any", &[("Authorization", &basic)], b"")
    };
    assert_eq!(login("wrong").code, 401);
    let token = login("puller").json()["token"].as_str().unwrap().to_owned();
    assert_eq!(fixture.get(&token, "/v2/").code, 200);
    let nobody = fixture.get("", "/openshift/token").json()["token"].clone();
    assert_eq!(nobody, "anonymous");
    assert_eq!(fixture.get("anonymous", "/v2/dev/app/tags/list").code, 401);
}

#[test]
fn nobody_acts_beyond_their_rights() {
    let fixture = Fixture::new();
    fixture.push_image("dev/app", "v1", b"layer");
    fixture.push_image("prod/app", "v1", b"secret");
    let (layer, secret) = (Digest::of(b"layer"), Digest::of(b"secret"));
    for (token, method, path) in [
        ("puller", "POST", "/v2/dev/app/blobs/uploads/".to_owned()),
        ("puller", "PUT", "/v2/dev/app/manifests/v1".to_owned()),
        ("puller", "GET", "/v2/prod/app/manifests/v1".to_owned()),
        ("puller", "GET", format!("/v2/prod/app/blobs/{secret}")),
        ("puller", "GET", "/v2/_catalog".to_owned()),
        ("pusher", "DELETE", format!("/v2/dev/app/blobs/{layer}")),
        ("pusher", "DELETE", format!("/admin/blobs/{layer}")),
        ("", "GET", "/v2/dev/app/manifests/v1".to_owned()),
    ] {
        let answer = fixture.send(token, method, &path, &[], b"");
        assert_eq!((answer.code, answer.error().as_str()), (401, "UNAUTHORIZED"), "{token} {path}");
    }
    let challenge = fixture.send("puller", "POST", "/v2/dev/app/blobs/uploads/", &[], b"");
    let wanted = apimachinery::json!([
        {"Type": "repository", "Class": "", "Name": "dev/app", "Action": "push"},
    ]);
    assert_eq!(challenge.json()["errors"][0]["detail"], wanted);
    assert!(
        challenge.header("www-authenticate").ends_with("scope=\"repository:dev/app:pull,push\"")
    );
}

#[test]
fn bytes_of_another_project_do_not_show_through_ones_own() {
    let fixture = Fixture::new();
    fixture.push_image("prod/app", "v1", b"secret");
    let secret = Digest::of(b"secret");
    let answer = fixture.get("puller", &format!("/v2/dev/app/blobs/{secret}"));
    assert_eq!(answer.error(), "BLOB_UNKNOWN");
}

#[test]
fn pruning_removes_bytes() {
    let fixture = Fixture::new();
    let manifest = fixture.push_image("dev/app", "v1", b"layer");
    let (layer, digest) = (Digest::of(b"layer"), Digest::of(&manifest));
    let delete = |path: &str| fixture.send("admin", "DELETE", path, &[], b"").code;
    assert_eq!(delete(&format!("/v2/dev/app/blobs/{layer}")), 202);
    assert_eq!(delete(&format!("/v2/dev/app/manifests/{digest}")), 202);
    assert_eq!(delete(&format!("/admin/blobs/{layer}")), 204);
    assert_eq!(delete(&format!("/admin/blobs/{layer}")), 404);
    assert_eq!(delete("/v2/dev/app/manifests/v1"), 405);
}
