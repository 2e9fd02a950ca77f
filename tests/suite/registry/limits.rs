//! Bounds of images and image streams: what a project may not have is denied at the push.

use super::image::Image;
use super::up::{Up, files};

#[test]
fn an_image_larger_than_its_project_allows_is_denied() {
    let Some(up) = Up::start("sim") else { return };
    let builder = up.project("dev", "builder");
    up.apply(
        "{apiVersion: v1, kind: LimitRange, metadata: {name: images, namespace: dev},
          spec: {limits: [{type: openshift.io/Image, max: {storage: 4Ki}}]}}",
    );
    let large = Image::with_layer("v1", vec![b'x'; 5000]);
    let answer = large.push(&up, &builder, "dev/app", "v1");
    assert_eq!(answer.code, 403, "{answer:?}");
    assert!(answer.body.contains("DENIED"), "{answer:?}");
    let text = "requested usage of storage exceeds the maximum limit per openshift.io/Image";
    assert!(answer.body.contains(text), "{answer:?}");
    let listed = up.kubectl.ok("get images -o name");
    assert!(!listed.contains(&large.digest()), "{listed}");
    let kept = files(&up.home.path().join("images/manifests"));
    assert!(kept.is_empty(), "{kept:?}");

    let small = Image::with_layer("v1", vec![b'x'; 500]);
    assert_eq!(small.push(&up, &builder, "dev/app", "v1").code, 201);
}

#[test]
fn more_images_than_a_stream_may_have_are_denied() {
    let Some(up) = Up::start("sim") else { return };
    let builder = up.project("dev", "builder");
    up.apply(
        "{apiVersion: v1, kind: LimitRange, metadata: {name: images, namespace: dev},
          spec: {limits: [{type: openshift.io/ImageStream, max: {openshift.io/images: 1}}]}}",
    );
    let (first, second) = (Image::new("v1"), Image::new("v2"));
    assert_eq!(first.push(&up, &builder, "dev/app", "v1").code, 201);
    assert_eq!(first.push(&up, &builder, "dev/app", "again").code, 201, "the same image");
    let answer = second.push(&up, &builder, "dev/app", "v2");
    assert_eq!(answer.code, 403, "{answer:?}");
    let text = "exceeds the maximum limit per openshift.io/ImageStream";
    assert!(answer.body.contains(text), "{answer:?}");
    let tags = up.send(&builder, "GET", "/v2/dev/app/tags/list", b"");
    assert!(tags.body.contains(r#""tags":["again","v1"]"#), "{tags:?}");
}

#[test]
fn more_streams_than_a_project_may_have_are_denied() {
    let Some(up) = Up::start("sim") else { return };
    let builder = up.project("dev", "builder");
    up.apply(
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: streams, namespace: dev},
          spec: {hard: {openshift.io/imagestreams: 1}}}",
    );
    up.wait("resourcequota/streams -n dev", ".status.hard.openshift\\.io/imagestreams", "1");
    let image = Image::new("v1");
    assert_eq!(image.push(&up, &builder, "dev/app", "v1").code, 201);
    let answer = image.push(&up, &builder, "dev/other", "v1");
    assert_eq!(answer.code, 403, "{answer:?}");
    assert!(answer.body.contains("exceeded quota: streams"), "{answer:?}");
    assert_eq!(image.push(&up, &builder, "dev/app", "v2").code, 201);
}
