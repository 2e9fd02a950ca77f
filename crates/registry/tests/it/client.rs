//! A cluster with a registry, and a client that speaks plain HTTP to it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use api::Verb;
use apimachinery::json;
use apimachinery::{Status, Value};
use apiserver::http::Authenticator;
use apiserver::{Admission, AdmissionRequest, ApiServer, Attributes, Authorizer, Call, User};
use registry::digest::Digest;
use registry::prune::Prunings;
use registry::{Bound, Config, Registry};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use world::World;

pub(crate) const IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A cluster where the token `pusher` may write to `dev`, `puller` may read there, and `admin`
/// may do everything.
pub(crate) struct Fixture {
    pub(crate) server: ApiServer,
    pub(crate) directory: TempDir,
    registry: Registry,
    _tokio: Runtime,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut all = self.headers.iter();
        all.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The code of the first error.
    pub(crate) fn error(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(TempDir::new().unwrap())
    }

    /// A new process on the same directory.
    pub(crate) fn with(directory: TempDir) -> Self {
        let builder = ApiServer::builder(World::simulated(7)).authorizer(Box::new(Rights));
        let builder = images::register(builder).admission(Box::new(Quota));
        let prunings = Prunings::default();
        let builder = prunings.extend(builder);
        let server = builder.build();
        apiserver::bootstrap(&server).unwrap();
        for name in ["dev", "prod"] {
            let namespace = json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
            });
            let admin = User::system_admin();
            server.create(&Call::new(&admin, &api::NAMESPACES), namespace).unwrap();
        }
        let tokio = Runtime::new().unwrap();
        let guard = tokio.enter();
        let config = Config {
            bound: Bound::to(([127, 0, 0, 1], 0).into()).unwrap(),
            directory: directory.path().to_owned(),
            authenticator: Arc::new(Tokens),
            prunings,
        };
        let registry = Registry::start(&server, config).unwrap();
        drop(guard);
        Self { server, directory, registry, _tokio: tokio }
    }

    /// Ends the process; its directory stays.
    pub(crate) fn ended(self) -> TempDir {
        let Self { directory, registry, _tokio: tokio, .. } = self;
        tokio.block_on(registry.shut_down());
        directory
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.registry.addr()).unwrap()
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        self.registry.addr().to_string()
    }

    /// Sends a request as the holder of `token`.
    pub(crate) fn send(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut stream = self.connect();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: r\r\nConnection: close\r\n");
        if !token.is_empty() {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes()).unwrap();
        let _refused_early = stream.write_all(body);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        read(&all)
    }

    pub(crate) fn get(&self, token: &str, path: &str) -> Answer {
        self.send(token, "GET", path, &[], b"")
    }

    /// Begins an upload; gives its path.
    pub(crate) fn begin(&self, repository: &str) -> String {
        let answer =
            self.send("pusher", "POST", &format!("/v2/{repository}/blobs/uploads/"), &[], b"");
        assert_eq!(answer.code, 202, "{answer:?}");
        answer.header("location").to_owned()
    }

    /// Pushes bytes in one piece.
    pub(crate) fn push_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let path = format!("{}?digest={digest}", self.begin(repository));
        let answer = self.send("pusher", "PUT", &path, &[], bytes);
        assert_eq!(answer.code, 201, "{answer:?}");
        digest
    }

    pub(crate) fn push_manifest(&self, repository: &str, reference: &str, bytes: &[u8]) -> Answer {
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.send("pusher", "PUT", &path, &[("Content-Type", IMAGE)], bytes)
    }

    /// Pushes an image of one layer; gives its manifest.
    pub(crate) fn push_image(&self, repository: &str, tag: &str, layer: &[u8]) -> Vec<u8> {
        let layer = self.push_blob(repository, layer);
        let config = self.push_blob(repository, br#"{"config":{"Labels":{"a":"b"}}}"#);
        let manifest = manifest(&config, &layer);
        let answer = self.push_manifest(repository, tag, &manifest);
        assert_eq!(answer.code, 201, "{answer:?}");
        manifest
    }

    pub(crate) fn stream(&self, namespace: &str, name: &str) -> Value {
        let admin = User::system_admin();
        let call = Call::new(&admin, &api::IMAGE_STREAMS).within(namespace).named(name);
        self.server.get(&call).unwrap().into_value()
    }

    /// The names of the files under a directory of the registry.
    pub(crate) fn files(&self, under: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path().join(under)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

pub(crate) fn manifest(config: &Digest, layer: &Digest) -> Vec<u8> {
    let document = json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": {"digest": config.to_string(), "size": 1},
        "layers": [{"digest": layer.to_string(), "size": 1}],
    });
    document.to_string().into_bytes()
}

fn read(all: &[u8]) -> Answer {
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let mut lines = head.lines();
    let code = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pair = |line: &str| line.split_once(": ").map(|(k, v)| (k.to_owned(), v.to_owned()));
    Answer { code, headers: lines.filter_map(pair).collect(), body: all[end + 4..].to_vec() }
}

#[derive(Debug)]
struct Tokens;

impl Authenticator for Tokens {
    fn authenticate(&self, token: &str) -> Option<User> {
        let known = ["pusher", "puller", "admin"].contains(&token);
        known.then(|| User::with_groups(token, &["system:authenticated"]))
    }
}

#[derive(Debug)]
struct Rights;

impl Authorizer for Rights {
    fn allows(&self, attributes: &Attributes<'_>) -> bool {
        let inside = ["dev", "prod"].contains(&attributes.namespace);
        match attributes.user.name.as_str() {
            "pusher" => inside && attributes.verb != Verb::Delete,
            "puller" => attributes.namespace == "dev" && attributes.verb == Verb::Get,
            "system:anonymous" => false,
            _ => true,
        }
    }
}

/// Refuses the tag `over`.
#[derive(Debug)]
struct Quota;

impl Admission for Quota {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if request.object["tag"] == "over" {
            let text =
                "requested usage of storage exceeds the maximum limit per openshift.io/Image";
            return Err(Status::forbidden("", "imagestreammappings", "app", text));
        }
        Ok(())
    }
}
