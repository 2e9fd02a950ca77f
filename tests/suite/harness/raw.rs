//! Single requests over HTTPS, as a client that is not on this machine would send them.
//!
//! Invariant: one connection a request; what is waited for is waited for by a watch with an end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use apimachinery::Value;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::served::{ADMIN, Served};

type Connection = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// Someone who sends requests.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    impersonated: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The object of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.code < 300, "{} {}", self.code, self.text);
        self.json()
    }

    /// Code and message of a refusal.
    pub(crate) fn refusal(&self) -> String {
        format!("{} {}", self.code, self.json()["message"].as_str().unwrap_or(&self.text))
    }
}

impl Raw {
    /// The cluster's administrator.
    pub(crate) fn admin(cluster: &Served) -> Self {
        let (address, authority) = cluster.endpoint();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { address, tls: Arc::new(config), impersonated: None }
    }

    /// The same cluster as `user`, who has logged in.
    pub(crate) fn by(&self, user: &str) -> Self {
        Self { impersonated: Some(user.to_owned()), ..self.clone() }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", &Value::Null)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "application/json", body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, "application/json", body)
    }

    /// A strategic merge patch, as `oc set` sends it.
    pub(crate) fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, "application/strategic-merge-patch+json", body)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "", &Value::Null)
    }

    /// Watches the objects of that name in a collection until one `holds`, which must be within a
    /// minute; gives it.
    #[track_caller]
    pub(crate) fn wait(&self, path: &str, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.event(path, name, "", |event| event["type"] != "DELETED" && holds(&event["object"]))
    }

    /// Watches until the object is gone.
    #[track_caller]
    pub(crate) fn wait_deleted(&self, path: &str, name: &str) {
        let list = self.get(&format!("{path}?fieldSelector=metadata.name%3D{name}")).ok();
        let since = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if list["items"].as_array().is_some_and(|items| !items.is_empty()) {
            self.event(path, name, since, |event| event["type"] == "DELETED");
        }
    }

    /// The first event after the revision `since` that is `wanted`; without one, what is there comes
    /// first.
    #[track_caller]
    fn event(&self, path: &str, name: &str, since: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let query = format!(
            "watch=true&timeoutSeconds=60&resourceVersion={since}&fieldSelector=metadata.name%3D{name}"
        );
        let (code, _, mut body) = self.ask("GET", &format!("{path}?{query}"), "", "");
        assert_eq!(code, 200);
        let mut last = String::new();
        loop {
            let mut line = String::new();
            if body.read_line(&mut line).unwrap_or(0) == 0 {
                panic!("{path}/{name} never became what is waited for: {last}");
            }
            // Between the events are the lengths of their chunks.
            let Ok(event @ Value::Object(_)) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            if wanted(&event) {
                return event["object"].clone();
            }
            last = line;
        }
    }

    fn send(&self, method: &str, path: &str, media: &str, body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (code, chunked, mut rest) = self.ask(method, path, media, &text);
        let mut text = Vec::new();
        if chunked {
            read_chunks(&mut rest, &mut text);
        } else {
            // Some servers end a connection without a farewell.
            drop(rest.read_to_end(&mut text));
        }
        Answer { code, text: String::from_utf8(text).unwrap() }
    }

    /// Sends a request and reads the head of its answer: code and whether chunks follow.
    fn ask(&self, method: &str, path: &str, media: &str, body: &str) -> (u16, bool, Connection) {
        let stream = TcpStream::connect(self.address).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::clone(&self.tls), name).unwrap();
        let mut stream = StreamOwned::new(session, stream);
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAccept: application/json\r\n\
             Authorization: Bearer {ADMIN}\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        if !media.is_empty() {
            head.push_str(&format!("Content-Type: {media}\r\n"));
        }
        if let Some(user) = &self.impersonated {
            head.push_str(&format!(
                "Impersonate-User: {user}\r\nImpersonate-Group: system:authenticated\r\n\
                 Impersonate-Group: system:authenticated:oauth\r\n"
            ));
        }
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).unwrap();
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let code = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut chunked = false;
        loop {
            line.clear();
            stream.read_line(&mut line).unwrap();
            chunked |= line.to_ascii_lowercase().starts_with("transfer-encoding: chunked");
            if line.trim().is_empty() {
                return (code, chunked, stream);
            }
        }
    }
}

fn read_chunks(from: &mut Connection, into: &mut Vec<u8>) {
    loop {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        let start = into.len();
        into.resize(start + length, 0);
        from.read_exact(&mut into[start..]).unwrap();
        from.read_line(&mut line).unwrap();
        if length == 0 {
            return;
        }
    }
}
