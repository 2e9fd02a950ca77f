//! The kubeconfig that clients of a cluster use.
//!
//! Invariant: the file is never seen half written, and only its owner can read it.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::{fmt, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::certs::Identity;

/// What a kubeconfig is made of.
#[derive(Debug, Clone, Copy)]
pub struct Kubeconfig<'a> {
    /// `https://host:port`.
    pub server: &'a str,
    /// The authority's certificate, PEM.
    pub authority: &'a str,
    /// The user's name, e.g. `system:admin`.
    pub user: &'a str,
    /// How the user proves who they are.
    pub credential: Credential<'a>,
    /// The namespace of the context.
    pub namespace: &'a str,
}

/// How the user of a kubeconfig proves who they are.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// By a client certificate.
    Certificate(&'a Identity),
    /// By a bearer token.
    Token(&'a str),
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest is secret.
        f.write_str(match self {
            Self::Certificate(_) => "Certificate",
            Self::Token(_) => "Token",
        })
    }
}

impl Kubeconfig<'_> {
    /// The text of the file; names are built as `oc login` builds them.
    ///
    /// Compression is off: it costs more than it saves when both ends are one machine.
    #[must_use]
    pub fn render(&self) -> String {
        let Self { server, user, namespace, .. } = self;
        let cluster = cluster_name(server);
        let context = format!("{namespace}/{cluster}/{user}");
        let authority = STANDARD.encode(self.authority);
        let credential = match self.credential {
            Credential::Certificate(identity) => format!(
                "client-certificate-data: {}\n    client-key-data: {}",
                STANDARD.encode(&identity.certificate),
                STANDARD.encode(&identity.key)
            ),
            Credential::Token(token) => format!("token: {token:?}"),
        };
        format!(
            "apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {authority}
    disable-compression: true
    server: {server}
  name: {cluster}
contexts:
- context:
    cluster: {cluster}
    namespace: {namespace}
    user: {user}/{cluster}
  name: {context}
current-context: {context}
kind: Config
preferences: {{}}
users:
- name: {user}/{cluster}
  user:
    {credential}
"
        )
    }
}

/// `https://127.0.0.1:8443` → `127-0-0-1:8443`.
///
/// Mirrors: `github.com/openshift/oc/pkg/helpers/kubeconfig` (`GetClusterNicknameFromURL`).
fn cluster_name(server: &str) -> String {
    let host = server.split_once("://").map_or(server, |(_, host)| host);
    host.trim_end_matches('/').replace(['.', '[', ']'], "-")
}

/// Writes `text` to `path` in one step, readable by its owner only.
///
/// # Errors
/// When the directory is missing or not writable.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let scratch = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    match fs::remove_file(&scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let result = write_new(&scratch, text).and_then(|()| fs::rename(&scratch, path));
    if result.is_err() && fs::remove_file(&scratch).is_err() {
        tracing::debug!(path = %scratch.display(), "left a scratch file behind");
    }
    result
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_text_is_a_kubeconfig() {
        let text = Kubeconfig {
            server: "https://127.0.0.1:8443",
            authority: "CA",
            user: "system:admin",
            credential: Credential::Token("secret"),
            namespace: "default",
        }
        .render();
        assert!(text.contains("current-context: default/127-0-0-1:8443/system:admin\n"));
        assert!(text.contains("certificate-authority-data: Q0E=\n"));
        assert!(text.contains("    token: \"secret\"\n"));
    }

    #[test]
    fn the_file_replaces_an_older_one_and_is_private() {
        let directory = std::env::temp_dir().join(format!("kubeconfig-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("config");
        fs::write(&path, "old").unwrap();
        write(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }
}
