//! Pull specs taken apart and put together.

use super::*;

const DIGEST: &str = "sha256:3c87c572822935df60f0f5d3665bd376841a7fcfeb806b5f212de6a00e9a7b25";

fn parts(text: &str) -> String {
    ImageReference::parse(text).map_or_else(
        |error| format!("error: {error}"),
        |read| {
            assert_eq!(read.tag.is_empty() || read.id.is_empty(), read.exact() == text, "{text}");
            [read.registry, read.namespace, read.name, read.tag, read.id].join("|")
        },
    )
}

#[test]
fn pull_specs_have_up_to_five_parts() {
    for (text, expected) in [
        ("foo", "||foo||"),
        ("foo:tag", "||foo|tag|"),
        ("bar/foo", "|bar|foo||"),
        ("bar/foo/baz", "|bar|foo/baz||"),
        ("localhost/foo", "localhost||foo||"),
        ("localhost:5000", "||localhost|5000|"),
        ("url:5000/repo", "url:5000||repo||"),
        ("registry.io/a/b/c:v1", "registry.io|a|b/c|v1|"),
        ("172.30.1.1:5000/test/app", "172.30.1.1:5000|test|app||"),
        ("a__b/c--d.e", "|a__b|c--d.e||"),
        ("", "error: repository name must have at least one component"),
        ("Foo", "error: repository name must be lowercase"),
        ("a/Foo:Tag", "error: repository name must be lowercase"),
        ("foo:", "error: invalid reference format"),
        ("foo bar", "error: invalid reference format"),
        ("/foo", "error: invalid reference format"),
        ("foo/", "error: invalid reference format"),
        ("a..b/c", "error: invalid reference format"),
        ("foo@sha256:12", "error: invalid reference format"),
        ("-a", "error: invalid reference format"),
    ] {
        assert_eq!(parts(text), expected, "{text:?}");
    }
    assert_eq!(parts(&format!("r.io/n/a@{DIGEST}")), format!("r.io|n|a||{DIGEST}"));
    assert_eq!(parts(&format!("r.io/n/a:t@{DIGEST}")), format!("r.io|n|a|t|{DIGEST}"));
    let hex = "a".repeat(32);
    assert_eq!(parts(&format!("a@sha256:{hex}")), "error: invalid checksum digest length");
    assert_eq!(parts(&format!("a@md5:{hex}")), "error: unsupported digest algorithm");
    assert_eq!(ImageReference::parse(&"a".repeat(256)), Err(Error::TooLong));
}

fn read(text: &str) -> ImageReference {
    ImageReference::parse(text).unwrap()
}

#[test]
fn references_print_in_several_forms() {
    assert_eq!(read("index.docker.io/foo").to_string(), "index.docker.io/library/foo");
    assert_eq!(read("index.docker.io/foo").exact(), "index.docker.io/foo");
    assert_eq!(read("foo").docker_client_defaults().exact(), "docker.io/library/foo:latest");
    assert_eq!(read("r.io/foo").docker_client_defaults().exact(), "r.io/foo:latest");
    assert_eq!(
        read("registry-1.docker.io/library/foo:bar").daemon_minimal().exact(),
        "docker.io/foo:bar"
    );
    assert_eq!(read("library/foo:latest").daemon_minimal().exact(), "library/foo");
    assert_eq!(read("r.io/a/b:c").as_repository().exact(), "r.io/a/b");
    assert_eq!(read("r.io/a/b:c").repository_name(), "a/b");
    let by_id = ImageReference { id: "3c87c5".to_owned(), ..read("foo") };
    assert_eq!(by_id.exact(), "foo:3c87c5");
    assert_eq!(
        ImageReference { id: DIGEST.to_owned(), ..read("foo") }.exact(),
        format!("foo@{DIGEST}")
    );
    assert_eq!(ImageReference::default().exact(), "");
    assert!(read("foo").is_same_image(&read("docker.io/library/foo:latest")));
    assert!(!read("foo").is_same_image(&read("foo:v1")));
}

#[test]
fn names_of_stream_tags_and_images_have_two_parts() {
    assert_eq!(parse_image_stream_tag("name:tag"), Ok(("name", "tag")));
    assert_eq!(parse_image_stream_image("repo@id"), Ok(("repo", "id")));
    for (text, expected) in [
        ("hello", "expected exactly one : delimiter in the istag \"hello\""),
        ("a:b:c", "expected exactly one : delimiter in the istag \"a:b:c\""),
        (":a", "image stream tag name \":a\" must have a name and a tag"),
        ("a@b", "\"a@b\" is an image stream image, not an image stream tag"),
    ] {
        assert_eq!(parse_image_stream_tag(text).unwrap_err().to_string(), expected);
    }
    for (text, expected) in [
        ("a", "expected exactly one @ in the isimage name \"a\""),
        ("a@b@c", "expected exactly one @ in the isimage name \"a@b@c\""),
        ("name@", "image stream image name \"name@\" must have a name and ID"),
    ] {
        assert_eq!(parse_image_stream_image(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn no_text_makes_the_parser_panic_and_accepted_ones_round_trip() {
    let pieces = ["a", "B", "0", "/", ":", "@", ".", "-", "_", "localhost", "é", DIGEST];
    let mut state: u64 = 1;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 40).unwrap() % below
    };
    for _ in 0..5_000 {
        let text: String = (0..draw(9)).map(|_| pieces[draw(pieces.len())]).collect();
        if let Ok(read) = ImageReference::parse(&text) {
            assert_eq!(
                ImageReference::parse(&read.exact()).map(|again| again.exact()),
                Ok(read.exact()),
                "{text}"
            );
        }
    }
}
