//! What a URL path names.
//!
//! Invariant: pure; whether the named resource exists is decided by the router.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`.

use api::Verb;
use hyper::Method;

use super::query::percent_decode;
use crate::legacy;

/// What a path names, before any lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `/`
    Root,
    /// `/version`
    Version,
    /// `/version/openshift`
    VersionOpenShift,
    /// `/healthz`, `/livez`, `/readyz` and the single checks below them.
    Health,
    /// `/api`
    Api,
    /// `/apis`
    Apis,
    /// `/oapi`
    Oapi,
    /// `/apis/<group>`
    Group(String),
    /// `/api/v1`, `/apis/<group>/<version>` or, with `oapi` for the group, `/oapi/v1`
    GroupVersion { group: String, version: String },
    /// `/openapi/v2` and its older names.
    OpenApiV2,
    /// `/openapi/v3`
    OpenApiV3,
    /// `/openapi/v3/<rest>`
    OpenApiV3Document(String),
    /// Anything below a group and version.
    Resource(ResourcePath),
    /// None of the above.
    Unknown,
}

/// A path below a group and version, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResourcePath {
    pub group: String,
    pub version: String,
    /// Empty for cluster-scoped objects and for lists over all namespaces.
    pub namespace: String,
    pub plural: String,
    /// Empty for collections.
    pub name: String,
    pub subresource: String,
    /// What follows the sub-resource (`proxy`, `webhooks`), without the leading slash.
    pub rest: String,
    /// Whether the deprecated `/watch/` prefix was used.
    pub watch: bool,
}

impl Target {
    /// Takes `path` (still percent-encoded, without the query) apart.
    #[must_use]
    pub fn parse(path: &str) -> Self {
        let segments: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(percent_decode).collect();
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => Self::Root,
            ["version"] => Self::Version,
            ["version", "openshift"] => Self::VersionOpenShift,
            ["healthz" | "livez" | "readyz"]
            | ["healthz", "ready"]
            | ["healthz" | "livez" | "readyz", "etcd" | "ping"] => Self::Health,
            ["api"] => Self::Api,
            ["apis"] => Self::Apis,
            ["apis", group] => Self::Group((*group).to_owned()),
            ["openapi", "v2"] | ["swagger.json"] | ["swagger-2.0.0.pb-v1"] => Self::OpenApiV2,
            ["openapi", "v3"] => Self::OpenApiV3,
            ["openapi", "v3", rest @ ..] => Self::OpenApiV3Document(rest.join("/")),
            ["oapi"] => Self::Oapi,
            ["oapi", version, rest @ ..] => Self::below(legacy::ROOT, version, rest),
            ["api", version, rest @ ..] => Self::below("", version, rest),
            ["apis", group, version, rest @ ..] => Self::below(group, version, rest),
            _ => Self::Unknown,
        }
    }

    fn below(group: &str, version: &str, rest: &[&str]) -> Self {
        if rest.is_empty() {
            return Self::GroupVersion { group: group.to_owned(), version: version.to_owned() };
        }
        ResourcePath::parse(group, version, rest).map_or(Self::Unknown, Self::Resource)
    }
}

impl ResourcePath {
    /// What a method means here, `watch` telling whether the query asks for one; nothing when the
    /// method has no meaning.
    #[must_use]
    pub fn verb(&self, method: &Method, watch: bool) -> Option<Verb> {
        let named = !self.name.is_empty();
        Some(match (method, named) {
            (&Method::GET | &Method::HEAD, _) if self.watch => Verb::Watch,
            (&Method::GET | &Method::HEAD, true) => Verb::Get,
            (&Method::GET | &Method::HEAD, false) if watch => Verb::Watch,
            (&Method::GET | &Method::HEAD, false) => Verb::List,
            (&Method::POST, true) if !self.subresource.is_empty() => Verb::Create,
            (&Method::POST, false) => Verb::Create,
            (&Method::PUT, true) => Verb::Update,
            (&Method::PATCH, true) => Verb::Patch,
            (&Method::DELETE, true) => Verb::Delete,
            (&Method::DELETE, false) => Verb::DeleteCollection,
            _ => return None,
        })
    }

    fn parse(group: &str, version: &str, mut rest: &[&str]) -> Option<Self> {
        let mut path =
            Self { group: group.to_owned(), version: version.to_owned(), ..Self::default() };
        if let ["watch", after @ ..] = rest {
            path.watch = true;
            rest = after;
        }
        match rest {
            // `namespaces/<name>` and its sub-resources name the Namespace itself.
            ["namespaces", namespace, "status" | "finalize"] | ["namespaces", namespace] => {
                path.namespace = (*namespace).to_owned();
            }
            ["namespaces", namespace, after @ ..] if !after.is_empty() => {
                path.namespace = (*namespace).to_owned();
                rest = after;
            }
            _ => {}
        }
        let word = |index: usize| rest.get(index).copied().unwrap_or_default().to_owned();
        (path.plural, path.name, path.subresource) = (word(0), word(1), word(2));
        path.rest = rest.get(3..).unwrap_or_default().join("/");
        if path.plural == "namespaces" {
            path.namespace.clear();
        }
        (!path.plural.is_empty()).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str) -> String {
        match Target::parse(path) {
            Target::Resource(r) => format!(
                "{}/{} ns={} {} name={} sub={} rest={}{}",
                r.group,
                r.version,
                r.namespace,
                r.plural,
                r.name,
                r.subresource,
                r.rest,
                if r.watch { " watch" } else { "" }
            ),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn resource_paths_are_taken_apart() {
        let table = [
            ("/api/v1/pods", "/v1 ns= pods name= sub= rest="),
            ("/api/v1/namespaces", "/v1 ns= namespaces name= sub= rest="),
            ("/api/v1/namespaces/a", "/v1 ns= namespaces name=a sub= rest="),
            ("/api/v1/namespaces/a/status", "/v1 ns= namespaces name=a sub=status rest="),
            ("/api/v1/namespaces/a/pods/", "/v1 ns=a pods name= sub= rest="),
            ("/api/v1/namespaces/a/pods/p/log", "/v1 ns=a pods name=p sub=log rest="),
            ("/api/v1/nodes/n/proxy/x/y", "/v1 ns= nodes name=n sub=proxy rest=x/y"),
            ("/api/v1/watch/namespaces/a/pods/p", "/v1 ns=a pods name=p sub= rest= watch"),
            (
                "/apis/image.openshift.io/v1/namespaces/a/imagestreamtags/app%3Alatest",
                "image.openshift.io/v1 ns=a imagestreamtags name=app:latest sub= rest=",
            ),
        ];
        for (path, expected) in table {
            assert_eq!(resource(path), expected, "{path}");
        }
    }

    #[test]
    fn other_paths_are_told_apart() {
        assert_eq!(Target::parse("/"), Target::Root);
        assert_eq!(Target::parse("/healthz/ready"), Target::Health);
        assert_eq!(Target::parse("/apis/apps"), Target::Group("apps".to_owned()));
        assert_eq!(
            Target::parse("/openapi/v3/apis/apps/v1"),
            Target::OpenApiV3Document("apis/apps/v1".to_owned())
        );
        assert_eq!(Target::parse("/nosuch"), Target::Unknown);
    }
}
