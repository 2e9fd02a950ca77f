//! What a registry is shown for an image: the pod's `imagePullSecrets`, then what the node has itself.
//!
//! Mirrors: `pkg/credentialprovider/keyring.go`, `pkg/credentialprovider/config.go`.

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use cri::Credentials;
use cri::keyring::{self, fits, place};

use crate::env::{Source, contents};

/// Docker Hub, as its credentials are filed.
const DEFAULT_REGISTRY: &str = "index.docker.io";

/// The credentials of `pod` that fit `image`, those for a longer path first, and after them the node's
/// `own`. Secrets that do not exist are passed over.
#[must_use]
pub fn credentials(
    pod: &Value,
    image: &str,
    source: &dyn Source,
    own: &[Credentials],
) -> Vec<Credentials> {
    let mut found = Vec::new();
    for reference in pod.list_at(&["spec", "imagePullSecrets"]) {
        let Some(secret) = source.secret(reference.str_at(&["name"])) else { continue };
        let data = contents(&secret);
        let read = |key: &str| {
            let bytes = data.get(key)?;
            serde_json::from_slice::<Value>(bytes).ok()
        };
        let entries = match secret.str_at(&["type"]) {
            "kubernetes.io/dockerconfigjson" => {
                read(".dockerconfigjson").and_then(|config| config.at(&["auths"]).cloned())
            }
            "kubernetes.io/dockercfg" => read(".dockercfg"),
            _ => None,
        };
        let entries = entries.unwrap_or_default();
        for (server, entry) in entries.as_object().into_iter().flatten() {
            found.push((place(server), one(server, entry)));
        }
    }
    let own = own.iter().map(|one| (place(&one.server), one.clone())).collect();
    let wanted = image_place(image);
    [found, own].into_iter().flat_map(|keyring| fitting(keyring, &wanted)).collect()
}

/// The credentials of one keyring that are for the image at `wanted`, the longest place first.
fn fitting(mut keyring: Vec<(String, Credentials)>, wanted: &str) -> Vec<Credentials> {
    keyring.retain(|(place, _)| fits(place, wanted));
    keyring.sort_by(|(a, _), (b, _)| b.cmp(a));
    keyring.into_iter().map(|(_, credentials)| credentials).collect()
}

/// Host and path of an image.
fn image_place(image: &str) -> String {
    let name = image.split('@').next().unwrap_or_default();
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let name = name[slash..].find(':').map_or(name, |colon| &name[..slash + colon]);
    let first = name.split('/').next().unwrap_or_default();
    if name.contains('/') && (first.contains(['.', ':']) || first == "localhost") {
        return name.to_owned();
    }
    format!("{DEFAULT_REGISTRY}/{name}")
}

fn one(server: &str, entry: &Value) -> Credentials {
    let mut credentials = Credentials {
        username: entry.str_at(&["username"]).to_owned(),
        password: entry.str_at(&["password"]).to_owned(),
        identity_token: entry.str_at(&["identitytoken"]).to_owned(),
        server: server.to_owned(),
    };
    if let Some((username, password)) = keyring::packed(entry.str_at(&["auth"])) {
        (credentials.username, credentials.password) = (username, password);
    }
    credentials
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use apimachinery::json;
    use base64::Engine as _;

    use super::*;

    struct Secrets;

    impl Source for Secrets {
        fn config_map(&self, _: &str) -> Option<Arc<Value>> {
            None
        }
        fn secret(&self, name: &str) -> Option<Arc<Value>> {
            let pack = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
            let auth = pack("joe:s3cret");
            let (kind, key, config) = match name {
                "new" => (
                    "kubernetes.io/dockerconfigjson",
                    ".dockerconfigjson",
                    json!({"auths": {"registry.example:5000": {"auth": auth}}}),
                ),
                "old" => (
                    "kubernetes.io/dockercfg",
                    ".dockercfg",
                    json!({
                        "https://registry.example:5000/team": {"username": "t", "password": "p"},
                        "https://index.docker.io/v1/": {"username": "hub", "password": "p"},
                    }),
                ),
                _ => return None,
            };
            let data = json!({key: pack(&config.to_string())});
            Some(Arc::new(json!({"kind": "Secret", "type": kind, "data": data})))
        }
        fn services(&self) -> Vec<Arc<Value>> {
            Vec::new()
        }
    }

    #[test]
    fn secrets_are_matched_by_registry_and_path() {
        let names = json!([{"name": "new"}, {"name": "gone"}, {"name": "old"}]);
        let pod = json!({"spec": {"imagePullSecrets": names}});
        for (image, expected) in [
            ("registry.example:5000/team/app:1", vec!["t", "joe"]),
            ("registry.example:5000/other/app@sha256:00", vec!["joe"]),
            ("registry.example/team/app", vec![]),
            ("busybox", vec!["hub"]),
            ("library/busybox:1", vec!["hub"]),
        ] {
            let found = credentials(&pod, image, &Secrets, &[]);
            let users: Vec<&str> = found.iter().map(|one| one.username.as_str()).collect();
            assert_eq!(users, expected, "{image}");
        }
        assert_eq!(
            credentials(&pod, "registry.example:5000/x", &Secrets, &[])[0].password,
            "s3cret"
        );
    }

    #[test]
    fn what_the_node_has_comes_after_what_the_pod_brings() {
        let pod = json!({"spec": {"imagePullSecrets": [{"name": "new"}]}});
        let of = |server: &str| Credentials {
            username: "node".to_owned(),
            server: server.to_owned(),
            ..Credentials::default()
        };
        let own = [of("registry.example:5000/team"), of("elsewhere.example")];
        let users = |pod: &Value| -> Vec<String> {
            let found = credentials(pod, "registry.example:5000/team/app:1", &Secrets, &own);
            found.into_iter().map(|one| one.username).collect()
        };
        assert_eq!(users(&pod), ["joe", "node"]);
        assert_eq!(users(&json!({})), ["node"]);
    }

    #[test]
    fn a_star_stands_for_part_of_a_host() {
        for (place, image, expected) in [
            ("*.example", "a.example/x", true),
            ("*.example", "a.b.example/x", false),
            ("r*y.example", "registry.example/x", true),
            ("*.example:80", "a.example/x", false),
            ("a.example/y", "a.example/x", false),
        ] {
            assert_eq!(fits(place, &image_place(image)), expected, "{place} {image}");
        }
    }
}
