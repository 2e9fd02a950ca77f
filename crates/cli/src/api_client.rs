//! A small blocking client of a served cluster, by its kubeconfig.
//!
//! Invariant: only the certificate authority that the kubeconfig names is trusted.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use apimachinery::{ObjectExt as _, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long connecting, writing and each read may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most that is read of an answer.
const MOST_BYTES: u64 = 256 << 20;

/// Which cluster is asked.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// The kubeconfig that `rehearse up` wrote.
    #[arg(long, default_value = "rehearse.kubeconfig", env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: PathBuf,
    /// The context in it, e.g. the name of a cluster; the current one without it.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

impl Chosen {
    /// A client of that cluster.
    pub(crate) fn client(&self) -> Result<ApiClient> {
        ApiClient::from_kubeconfig(&self.kubeconfig, self.context.as_deref())
    }
}

/// One cluster, as one user.
#[derive(Debug)]
pub(crate) struct ApiClient {
    authority: String,
    host: String,
    namespace: String,
    token: Option<String>,
    tls: Arc<ClientConfig>,
}

impl ApiClient {
    /// A context of a kubeconfig, the current one when none is named.
    fn from_kubeconfig(path: &Path, context: Option<&str>) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}; is a cluster up?", path.display()))?;
        let documents = apimachinery::yaml::load_documents(&text)
            .with_context(|| format!("{} is not YAML", path.display()))?;
        let config = documents.into_iter().next().map(|document| document.value);
        Self::from_config(&config.unwrap_or_default(), context)
            .with_context(|| format!("cannot use {}", path.display()))
    }

    fn from_config(config: &Value, context: Option<&str>) -> Result<Self> {
        let contexts = config.list_at(&["contexts"]).iter();
        let contexts: Vec<&str> = contexts.map(|context| context.str_at(&["name"])).collect();
        if let Some(unknown) = context.filter(|name| !contexts.contains(name)) {
            bail!("it has no context {unknown:?}; there are: {}", contexts.join(", "));
        }
        let named = |list: &str, name: &str, field: &str| {
            let entries = config.list_at(&[list]).iter();
            let mut entries = entries.filter(|entry| entry.str_at(&["name"]) == name);
            entries.next().and_then(|entry| entry.get(field)).cloned().unwrap_or_default()
        };
        let context = context.unwrap_or_else(|| config.str_at(&["current-context"]));
        let context = named("contexts", context, "context");
        let cluster = named("clusters", context.str_at(&["cluster"]), "cluster");
        let user = named("users", context.str_at(&["user"]), "user");
        let server = cluster.str_at(&["server"]);
        let Some(authority) = server.strip_prefix("https://") else {
            bail!("its context names no https server");
        };
        let authority = authority.trim_end_matches('/').to_owned();
        let (host, _) = authority.rsplit_once(':').context("its server has no port")?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let pem = |of: &Value, field: &str| STANDARD.decode(of.str_at(&[field]));
        let mut roots = RootCertStore::empty();
        for certificate in
            CertificateDer::pem_slice_iter(&pem(&cluster, "certificate-authority-data")?)
        {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let chain = pem(&user, "client-certificate-data")?;
        let tls = if chain.is_empty() {
            tls.with_no_client_auth()
        } else {
            let chain = CertificateDer::pem_slice_iter(&chain).collect::<Result<_, _>>()?;
            let key = PrivateKeyDer::from_pem_slice(&pem(&user, "client-key-data")?)?;
            tls.with_client_auth_cert(chain, key)?
        };
        let token = Some(user.str_at(&["token"]).to_owned()).filter(|token| !token.is_empty());
        let namespace = match context.str_at(&["namespace"]) {
            "" => "default".to_owned(),
            namespace => namespace.to_owned(),
        };
        Ok(Self { authority, host, namespace, token, tls: Arc::new(tls) })
    }

    /// The namespace of the context.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Reads the document at `path`.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.ask("GET", path, "")
    }

    /// Sends a document to `path` and gives what comes back.
    pub(crate) fn post(&self, path: &str, document: &Value) -> Result<Value> {
        self.ask("POST", path, &document.to_string())
    }

    /// Deletes the object at `path`.
    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        self.ask("DELETE", path, "").map(drop)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let (code, body) = self
            .exchange(method, path, body)
            .with_context(|| format!("cannot reach the cluster at {}", self.authority))?;
        let document: Value = serde_json::from_slice(&body).context("the answer is not JSON")?;
        if !(200..300).contains(&code) {
            bail!("the cluster refuses: {}", document.str_at(&["message"]));
        }
        Ok(document)
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> Result<(u16, Vec<u8>)> {
        let address = self.authority.to_socket_addrs()?.next().context("no such host")?;
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(self.host.clone())?;
        let connection = ClientConnection::new(Arc::clone(&self.tls), name)?;
        let mut stream = StreamOwned::new(connection, stream);
        let token = self.token.as_ref();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        // HTTP/1.0: the body ends with the connection.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{body}",
            self.authority,
            body.len(),
            token.unwrap_or_default()
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        match stream.take(MOST_BYTES).read_to_end(&mut answer) {
            // The other side may close without saying so.
            Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => bail!(error),
            _ => parse(&answer).context("the answer is not HTTP"),
        }
    }
}

fn parse(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let code = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((code, answer[end + 4..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_without_a_server_is_refused() {
        let error = ApiClient::from_config(&Value::Null, None).unwrap_err();
        assert_eq!(error.to_string(), "its context names no https server");
    }

    #[test]
    fn an_unknown_context_is_refused_with_those_there_are() {
        let config = apimachinery::json!({"contexts": [{"name": "dev"}, {"name": "prod"}]});
        let error = ApiClient::from_config(&config, Some("test")).unwrap_err();
        assert_eq!(error.to_string(), "it has no context \"test\"; there are: dev, prod");
    }

    #[test]
    fn an_answer_is_read() {
        assert_eq!(parse(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}"), Some((200, b"{}".to_vec())));
        assert_eq!(parse(b"SSH"), None);
    }
}
