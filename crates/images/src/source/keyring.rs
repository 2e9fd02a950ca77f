//! Credentials for registries, out of the secrets of a namespace.
//!
//! Mirrors: `openshift/origin pkg/image/importer/credentials.go`, `k8s.io/kubernetes
//! pkg/credentialprovider/keyring.go`.

use apimachinery::{ObjectExt as _, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cri::keyring::{fits, packed, place};

/// Secrets of these types hold credentials, each under its key.
const TYPES: [(&str, &str); 2] = [
    ("kubernetes.io/dockercfg", ".dockercfg"),
    ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
];
const EXCLUDED: &str = "openshift.io/image.excludeSecret";

/// A registry's user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Login {
    /// Name.
    pub username: String,
    /// Password or token.
    pub password: String,
}

/// Credentials by host and path; those for a longer path come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring(Vec<(String, Login)>);

/// Whether a secret holds credentials that imports may use.
#[must_use]
pub fn is_for_imports(secret: &Value) -> bool {
    TYPES.iter().any(|(kind, _)| secret.str_at(&["type"]) == *kind)
        && secret.annotation(EXCLUDED) != Some("true")
}

impl Keyring {
    /// The credentials in `secrets`; what cannot be read is passed over.
    pub fn of_secrets<'a>(secrets: impl Iterator<Item = &'a Value>) -> Self {
        let entries = secrets.filter(|secret| is_for_imports(secret)).flat_map(entries);
        Self::new(entries)
    }

    /// These credentials.
    pub fn new(entries: impl IntoIterator<Item = (String, Login)>) -> Self {
        let mut entries: Vec<_> =
            entries.into_iter().map(|(server, login)| (place(&server), login)).collect();
        entries.sort_by(|(a, _), (b, _)| b.cmp(a));
        Self(entries)
    }

    /// What to show at `scheme://host/path`; plain HTTP needs credentials filed with a port.
    #[must_use]
    pub fn login(&self, scheme: &str, host: &str, path: &str) -> Option<&Login> {
        let plain = scheme == "http" && !host.contains(':');
        let port = if plain { ":80" } else { "" };
        let stripped = ["/v1", "/v2"].iter().find_map(|version| {
            path.strip_prefix(version).filter(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let wanted = format!("{host}{port}{}", stripped.unwrap_or(path));
        let found = self.0.iter().find(|(place, _)| fits(place, &wanted));
        if let Some((_, login)) = found {
            return Some(login);
        }
        let canonical = if scheme == "https" { ":443" } else { ":80" };
        match (host, host.strip_suffix(canonical)) {
            ("auth.docker.io" | "registry-1.docker.io", _) => {
                self.login("", "index.docker.io", path)
            }
            ("index.docker.io", _) => self.login("", "docker.io", path),
            (_, Some(bare)) if !scheme.is_empty() => self.login(scheme, bare, path),
            _ => None,
        }
    }
}

fn entries(secret: &Value) -> Vec<(String, Login)> {
    let read = |key: &str| -> Option<Value> {
        let bytes = STANDARD.decode(secret.str_at(&["data", key])).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    let (_, key) = TYPES[usize::from(secret.str_at(&["type"]) == TYPES[1].0)];
    let config = read(key).unwrap_or_default();
    let servers = if key == TYPES[1].1 { config.map_at(&["auths"]) } else { config.as_object() };
    let servers = servers.into_iter().flatten();
    servers.map(|(server, entry)| (server.to_string(), login(entry))).collect()
}

fn login(entry: &Value) -> Login {
    let text = |field: &str| entry.str_at(&[field]).to_owned();
    let (username, password) =
        packed(text("auth").as_str()).unwrap_or_else(|| (text("username"), text("password")));
    Login { username, password }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn secret(kind: &str, key: &str, config: &Value) -> Value {
        json!({"type": kind, "data": {key: STANDARD.encode(config.to_string())}})
    }

    #[test]
    fn both_kinds_of_secret_are_read_and_excluded_ones_are_not() {
        let auth = STANDARD.encode("joe:s3cret");
        let new =
            secret(TYPES[1].0, TYPES[1].1, &json!({"auths": {"r.example:5000": {"auth": auth}}}));
        let entry = json!({"username": "hub", "password": "p"});
        let old = secret(TYPES[0].0, TYPES[0].1, &json!({"https://index.docker.io/v1/": entry}));
        let mut hidden = old.clone();
        hidden.set_annotation(EXCLUDED, "true");
        let keyring = Keyring::of_secrets([&new, &old, &json!({"type": "Opaque"})].into_iter());
        let user =
            |host: &str| keyring.login("https", host, "/v2/a/b").map(|l| l.username.as_str());
        assert_eq!(user("r.example:5000"), Some("joe"));
        assert_eq!(user("r.example"), None);
        assert_eq!(user("auth.docker.io"), Some("hub"));
        assert_eq!(Keyring::of_secrets([&hidden].into_iter()), Keyring::default());
    }

    #[test]
    fn secrets_that_cannot_be_read_are_passed_over() {
        for data in ["", "!", "bnVsbA==", "W10=", "eyJhdXRocyI6IDF9"] {
            let bad = json!({"type": TYPES[1].0, "data": {".dockerconfigjson": data}});
            assert_eq!(Keyring::of_secrets([&bad].into_iter()), Keyring::default(), "{data}");
        }
    }
}
