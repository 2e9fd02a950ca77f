//! Clients that go away, lie, or want more than there is; and a process that is killed.
//!
//! Invariant: whatever comes, every blob on disk has the digest that it is named by.

use std::path::Path;
use std::process::Command;

use registry::digest::Digest;
use tempfile::TempDir;

use super::image::{IMAGE, Image};
use super::up::{Answer, Up, files};
use super::{answers, ok};
use crate::binary::rehearse;

/// Every file under `blobs` must have the digest that it is named by.
fn assert_whole(images: &Path) {
    for name in files(&images.join("blobs")) {
        let bytes = std::fs::read(images.join("blobs").join(&name)).unwrap();
        assert!(name.ends_with(Digest::of(&bytes).hex()), "{name} is something else");
    }
}

/// Begins to send `announced` bytes to an upload, but sends only some; the connection is given back.
fn half_a_push(up: &Up, token: &str, announced: usize) -> std::net::TcpStream {
    let begun = up.send(token, "POST", "/v2/dev/app/blobs/uploads/", b"");
    assert_eq!(begun.code, 202, "{begun:?}");
    let head = format!(
        "PATCH {} HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {announced}\r\n\r\n",
        begun.header("location")
    );
    up.raw(&[head.as_bytes(), &vec![7; announced / 2]].concat())
}

#[test]
fn pushes_that_are_cut_leave_the_registry_as_it_was() {
    let Some(up) = Up::start("sim") else { return };
    let token = up.project("dev", "builder");
    for announced in [2, 100, 1 << 16, 3 << 20] {
        drop(half_a_push(&up, &token, announced));
    }
    let image = Image::new("v1");
    assert_eq!(image.push(&up, &token, "dev/app", "v1").code, 201);
    let images = up.home.path().join("images");
    assert_eq!(files(&images.join("blobs")).len(), 3, "config, layer and manifest");
    assert_whole(&images);
}

#[test]
fn many_pushes_at_once_all_arrive() {
    let Some(up) = Up::start("sim") else { return };
    let token = up.project("dev", "builder");
    let image = |n: usize| Image::with_layer(&format!("v{n}"), vec![n.to_le_bytes()[0]; 1 << 17]);
    std::thread::scope(|scope| {
        for n in 0..50 {
            let (up, token) = (&up, &token);
            scope.spawn(move || {
                // Ten repositories, five pushes to the same tag of each.
                let (repository, tag) = (format!("dev/app{}", n % 10), "latest");
                let answer = image(n).push(up, token, &repository, tag);
                assert_eq!(answer.code, 201, "{answer:?}");
            });
        }
    });
    for n in 0..50 {
        let path = format!("/v2/dev/app{}/manifests/{}", n % 10, image(n).digest());
        assert_eq!(up.send(&token, "GET", &path, b"").code, 200, "{path}");
    }
    let items =
        up.kubectl.ok("get is -n dev -o jsonpath={.items[*].status.tags[*].items[*].image}");
    assert_eq!(items.split(' ').count(), 50, "every push is in a history");
    let images = up.home.path().join("images");
    assert!(files(&images.join("uploads")).is_empty());
    assert_whole(&images);
}

#[test]
fn a_process_killed_in_a_push_starts_again_on_its_data() {
    let Some(up) = Up::start("sim") else { return };
    let token = up.project("dev", "builder");
    let image = Image::new("v1");
    assert_eq!(image.push(&up, &token, "dev/app", "v1").code, 201);
    let cut = half_a_push(&up, &token, 1 << 20);
    let uploads = |home: &TempDir| files(&home.path().join("images/uploads")).len();
    while uploads(&up.home) == 0 {
        std::thread::yield_now();
    }
    up.signal("KILL");
    let (code, home) = up.ended();
    drop(cut);
    assert_eq!((code, uploads(&home)), (None, 1));

    let data = home.path().join("images");
    let up = Up::start_in("sim", home, &["--registry-data", data.to_str().unwrap()]).unwrap();
    assert_eq!(uploads(&up.home), 0);
    assert_whole(&data);
    let token = up.project("dev", "builder");
    assert_eq!(image.push(&up, &token, "dev/app", "v1").code, 201);
}

#[test]
fn a_full_disk_keeps_nothing_of_a_push_and_takes_the_next_after_pruning() {
    if !answers("unshare", &["-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]) {
        return;
    }
    let Some((up, images)) = Up::start_on_disk("3m") else { return };
    let token = up.project("dev", "builder");
    let [first, second] =
        [7, 8].map(|byte: u8| Image::with_layer(&format!("v{byte}"), vec![byte; 2_000_000]));
    assert_eq!(first.push(&up, &token, "dev/app", "live").code, 201);
    let before = files(&images);
    let refused = second.push(&up, &token, "dev/app", "live");
    assert_eq!(refused.code, 500, "{refused:?}");
    assert!(refused.body.contains("No space left on device"), "{refused:?}");
    // Only the config, which had come in whole before the layer was refused.
    let config = Digest::of(&second.config);
    let more: Vec<String> =
        files(&images).into_iter().filter(|file| !before.contains(file)).collect();
    assert!(more.iter().all(|file| file.ends_with(config.hex())), "{more:?}");
    assert_whole(&images);
    let kubeconfig = up.home.path().join("kubeconfig");
    ok(Command::new(rehearse())
        .args(["prune", "images", "--keep-tag-revisions", "0", "--keep-younger-than", "0s"])
        .args(["--confirm", "--kubeconfig"])
        .arg(kubeconfig));
    assert_eq!(files(&images.join("blobs")).len(), 0);
    assert_eq!(second.push(&up, &token, "dev/app", "live").code, 201);
}

#[test]
fn images_without_a_directory_go_with_the_process() {
    let Some(up) = Up::start_in("sim", TempDir::new().unwrap(), &[]) else { return };
    let token = up.project("dev", "builder");
    let cut = half_a_push(&up, &token, 1 << 20);
    let left = |home: &TempDir| {
        let names = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("rehearse-registry-")).count()
    };
    assert_eq!(left(&up.home), 1);
    up.signal("KILL");
    let (_, home) = up.ended();
    drop(cut);
    assert_eq!(left(&home), 1, "nobody was there to remove it");

    let up = Up::start_in("sim", home, &[]).unwrap();
    assert_eq!(left(&up.home), 1, "its own");
    let token = up.project("dev", "builder");
    let under_way = half_a_push(&up, &token, 1 << 20);
    up.signal("TERM");
    let (code, home) = up.ended();
    drop(under_way);
    assert_eq!((code, left(&home)), (Some(0), 0));
}

#[test]
fn what_is_malformed_is_refused_and_harms_nobody() {
    let Some(up) = Up::start("sim") else { return };
    let token = up.project("dev", "builder");
    let image = Image::new("v1");
    assert_eq!(image.push(&up, &token, "dev/app", "v1").code, 201);
    let before = files(up.home.path());

    let put = |body: &[u8]| up.send_as(&token, "PUT", "/v2/dev/app/manifests/bad", IMAGE, body);
    let nested = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let digest = Digest::of(&image.layer).to_string();
    let many = format!(
        r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{{"digest":"{digest}"}},"layers":[{}]}}"#,
        vec![format!(r#"{{"digest":"{}"}}"#, Digest::of(b"absent")); 30_000].join(",")
    );
    for (body, code) in [
        (vec![b' '; (4 << 20) + 1], 413),
        (nested.into_bytes(), 400),
        (many.into_bytes(), 400),
        (b"{\"layers\":{}}".to_vec(), 400),
        (vec![0xff; 100], 400),
    ] {
        assert_eq!(put(&body).code, code);
    }
    for path in [
        "/v2/../../etc/passwd",
        "/v2/dev/../../manifests/v1",
        "/v2/dev/%2e%2e%2f%2e%2e/manifests/v1",
        "/v2/dev/app/manifests/..%2f..%2fapplied.yaml",
        "/v2/dev/app/blobs/sha256:../../../kubeconfig",
        "/v2/dev/app/blobs/uploads/..%2f..%2fkubeconfig",
        "/v2/dev/app/blobs/uploads/%00",
        "/v2/dev%00/app/tags/list",
        "/v2//app/tags/list",
        "/v2/dev/app/blobs/uploads/?mount=../../x&from=../..",
        "/v2/dev/app/tags/list?n=99999999999999999999",
        "//",
        "*",
        "/v2/dev/app/blobs/uploads/?digest=sha256:zz",
    ] {
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE", "TRACE"] {
            let answer = up.send(&token, method, path, b"");
            let refused = (400..500).contains(&answer.code) || answer.code == 202;
            assert!(refused, "{method} {path}: {answer:?}");
        }
    }
    let leftover = |name: &&String| !name.starts_with("images/uploads/");
    let after = files(up.home.path());
    let after: Vec<_> = after.iter().filter(leftover).collect();
    assert_eq!(after, before.iter().filter(leftover).collect::<Vec<_>>());
    let answer: Answer = up.send(&token, "GET", "/v2/dev/app/manifests/v1", b"");
    assert_eq!(answer.body.as_bytes(), image.manifest);
}
