//! The client against a small server of scripted answers on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use apimachinery::json;
use cri::digest::sha256;

use super::*;
use crate::source::{Keyring, Login};

/// What a request gets: code, headers, body.
type Scripted = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// Serves `answer(path, authorization)` until the process ends; gives host and port.
fn serve(answer: impl Fn(&str, Option<&str>, &str) -> Scripted + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let own = address.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut path, mut authorization) = (String::new(), None);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                    break;
                }
                if let Some(rest) = line.strip_prefix("GET ") {
                    path = rest.split(' ').next().unwrap_or_default().to_owned();
                }
                if let Some(rest) = line.strip_prefix("Authorization: ") {
                    authorization = Some(rest.trim().to_owned());
                }
            }
            if path.is_empty() {
                // Somebody tried TLS.
                let _sent = reader.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
                continue;
            }
            let (code, headers, body) = answer(&path, authorization.as_deref(), &own);
            let mut head = format!("HTTP/1.1 {code} X\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            let stream = reader.get_mut();
            let _sent = stream
                .write_all(format!("{head}\r\n").as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
    address
}

const CONFIG: &str = "{\"architecture\":\"amd64\",\"config\":{\"Labels\":{\"a\":\"b\"}}}";

fn manifest() -> String {
    let config = json!({"digest": sha256(CONFIG.as_bytes()), "size": CONFIG.len()});
    json!({"schemaVersion": 2, "mediaType": MANIFEST_TYPES[0], "config": config, "layers": []})
        .to_string()
}

fn list() -> String {
    let entry = |digest: &str, architecture: &str| json!({"digest": digest, "platform": {"architecture": architecture, "os": "linux"}});
    let other = format!("sha256:{}", "0".repeat(64));
    json!({"schemaVersion": 2, "mediaType": MANIFEST_TYPES[1], "manifests": [
        entry(&other, "s390x"), entry(&sha256(manifest().as_bytes()), "arm64"),
    ]})
    .to_string()
}

/// A registry with `a/app:1`, a list `a/app:list`, a manifest that lies about its digest and tags in
/// two pages.
fn content(path: &str, _: Option<&str>, _: &str) -> Scripted {
    let ok = |body: &str| (200, Vec::new(), body.as_bytes().to_vec());
    let digest = sha256(manifest().as_bytes());
    let mut table = BTreeMap::new();
    table.insert("/v2/".to_owned(), ok("{}"));
    table.insert("/v2/a/app/manifests/1".to_owned(), ok(&manifest()));
    table.insert(format!("/v2/a/app/manifests/{digest}"), ok(&manifest()));
    table.insert("/v2/a/app/manifests/list".to_owned(), ok(&list()));
    table.insert(format!("/v2/a/app/manifests/sha256:{}", "1".repeat(64)), ok(&manifest()));
    table.insert(format!("/v2/a/app/blobs/{}", sha256(CONFIG.as_bytes())), ok(CONFIG));
    let link = vec![("Link", "</v2/a/app/tags/list?last=1>; rel=\"next\"".to_owned())];
    table.insert("/v2/a/app/tags/list".to_owned(), (200, link, b"{\"tags\": [\"1\"]}".to_vec()));
    table.insert("/v2/a/app/tags/list?last=1".to_owned(), ok("{\"tags\": [\"list\"]}"));
    table.remove(path).unwrap_or_else(|| (404, Vec::new(), b"{}".to_vec()))
}

fn ask<T>(
    text: &str,
    keyring: &Keyring,
    architecture: &str,
    ask: impl Fn(&Wanted<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let reference = ImageReference::parse(text).unwrap();
    let platform = Platform { architecture: architecture.to_owned(), os: String::new() };
    ask(&Wanted { reference: &reference, insecure: true, keyring, platform: &platform })
}

fn image(text: &str) -> Result<Fetched, Error> {
    ask(text, &Keyring::default(), "arm64", |wanted| Registries.image(wanted))
}

#[test]
fn an_image_comes_with_manifest_and_configuration() {
    let host = serve(content);
    let digest = sha256(manifest().as_bytes());
    let by_tag = image(&format!("{host}/a/app:1")).unwrap();
    assert_eq!((by_tag.digest.as_str(), by_tag.config.as_str()), (digest.as_str(), CONFIG));
    assert_eq!(image(&format!("{host}/a/app@{digest}")), Ok(by_tag.clone()));
    assert_eq!(image(&format!("{host}/a/app:list")), Ok(by_tag));
    assert_eq!(image(&format!("{host}/a/app:2")), Err(Error::NotFound));
    let lying = image(&format!("{host}/a/app@sha256:{}", "1".repeat(64))).unwrap_err();
    assert!(lying.to_string().starts_with("manifest verification failed"), "{lying}");
}

#[test]
fn tags_are_read_page_by_page() {
    let host = serve(content);
    let none = Keyring::default();
    let tags = ask(&format!("{host}/a/app"), &none, "", |wanted| Registries.tags(wanted));
    assert_eq!(tags, Ok(vec!["1".to_owned(), "list".to_owned()]));
}

#[test]
fn plain_http_needs_the_insecure_flag() {
    let host = serve(content);
    let reference = ImageReference::parse(&format!("{host}/a/app:1")).unwrap();
    let (keyring, platform) = (Keyring::default(), Platform::default());
    let wanted =
        Wanted { reference: &reference, insecure: false, keyring: &keyring, platform: &platform };
    let refused = Registries.image(&wanted).unwrap_err();
    assert_eq!(refused, Error::HttpOnly);
    let text = "this repository is HTTP only and requires the insecure flag to import";
    assert_eq!(refused.status("x").message, text);
}

fn keyring(host: &str, password: &str) -> Keyring {
    let login = Login { username: "joe".to_owned(), password: password.to_owned() };
    Keyring::new([(host.to_owned(), login)])
}

#[test]
fn basic_credentials_are_shown_when_asked_for() {
    let good = STANDARD.encode("joe:s3cret");
    let host = serve(move |path, authorization, own| {
        if authorization == Some(&format!("Basic {good}")) {
            return content(path, authorization, own);
        }
        (401, vec![("WWW-Authenticate", "Basic realm=\"r\"".to_owned())], Vec::new())
    });
    let text = format!("{host}/a/app:1");
    let with = |keyring: &Keyring| ask(&text, keyring, "", |wanted| Registries.image(wanted));
    assert!(with(&keyring(&host, "s3cret")).is_ok());
    let nobody = Error::Unauthorized { no_basic: true, incorrect: false };
    assert_eq!(with(&Keyring::default()), Err(nobody));
    let wrong = with(&keyring(&host, "wrong")).unwrap_err();
    assert_eq!(wrong.status("x").message, "incorrect username or password for image \"x\"");
}

#[test]
fn a_token_is_fetched_from_the_realm_with_or_without_credentials() {
    let host = serve(|path, authorization, own| {
        if let Some(query) = path.strip_prefix("/token?") {
            assert_eq!(query, "service=s&scope=repository%3Aa%2Fapp%3Apull");
            return match authorization {
                None => (200, Vec::new(), b"{\"token\": \"anyone\"}".to_vec()),
                Some(_) => (401, Vec::new(), Vec::new()),
            };
        }
        if authorization == Some("Bearer anyone") {
            return content(path, authorization, own);
        }
        let realm = format!("Bearer realm=\"http://{own}/token\",service=\"s\"");
        (401, vec![("WWW-Authenticate", realm)], Vec::new())
    });
    let text = format!("{host}/a/app:1");
    // A wrong secret does not stand in the way of a public image.
    for keyring in [Keyring::default(), keyring(&host, "wrong")] {
        assert!(ask(&text, &keyring, "", |wanted| Registries.image(wanted)).is_ok());
    }
}

#[test]
fn what_speaks_another_protocol_is_named() {
    let host = serve(|_, _, _| (404, Vec::new(), Vec::new()));
    let refused = image(&format!("{host}/a/app:1")).unwrap_err();
    let text = format!("registry \"{host}\" does not support the v2 Registry API");
    assert_eq!(refused.status("x").message, text);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = image(&format!("{nobody}/a/app:1")).unwrap_err().to_string();
    assert_eq!(
        text,
        format!("Get https://{nobody}/v2/: dial tcp {nobody}: connect: connection refused")
    );
}

#[test]
fn challenges_come_apart() {
    let parsed =
        parse_challenge("Bearer realm=\"https://a/t\", service=b,scope=\"x,y\",error=\"e\"");
    assert_eq!((&*parsed.scheme, &*parsed.realm), ("bearer", "https://a/t"));
    assert_eq!((&*parsed.service, &*parsed.scope), ("b", "x,y"));
    for odd in ["", "Basic", "Bearer realm", "Bearer =,=\"", "Bearer realm=\"open"] {
        let _parsed = parse_challenge(odd);
    }
}
