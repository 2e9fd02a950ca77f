//! Which registries image streams may point to and be imported from: `allowedRegistriesForImport` of a
//! master's configuration.
//!
//! A pattern is `<host>` or `<host>:<port>`, both with `*` and `?`; without a port it means 443, or 80
//! when it is marked insecure. The integrated registry is always allowed, and so is what a stream
//! referred to before.
//!
//! Invariant: pure; without a list everything is allowed.
//!
//! Mirrors: `openshift/origin pkg/image/apis/image/validation/whitelist/whitelister.go`.

use std::collections::BTreeSet;

use apimachinery::field::{self, ErrorList, Path, quote};
use apimachinery::image_reference::ImageReference;
use apimachinery::{ObjectExt as _, Value};

use crate::import_controller::INSECURE;

/// How many patterns a refusal names.
const SHOWN: usize = 5;
/// Where Docker Hub's images really come from.
const DOCKER_HUB_HOSTS: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];
const DOCKER_HUB: &str = "docker.io";

/// Why a list of allowed registries cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A pattern of three parts or more.
    #[error("failed to parse allowed registry {}: too many colons", quote(.0))]
    TooManyColons(String),
    /// An entry without the name of a domain.
    #[error("imagePolicyConfig.allowedRegistriesForImport[{0}].domainName: Required value")]
    NoDomain(usize),
    /// No list where one is expected.
    #[error("imagePolicyConfig.allowedRegistriesForImport is not a list")]
    NoList,
}

/// How a registry is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By TLS.
    Secure,
    /// By TLS or without.
    Any,
}

impl Transport {
    fn of(insecure: bool) -> Self {
        if insecure { Self::Any } else { Self::Secure }
    }
}

/// The hosts and ports that are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    host: String,
    port: String,
}

/// The list; the default allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedRegistries(Option<Vec<Pattern>>);

impl AllowedRegistries {
    /// Allows these patterns, each with whether it is insecure, and nothing else.
    ///
    /// # Errors
    /// When one is no pattern.
    pub fn only<'a>(patterns: impl IntoIterator<Item = (&'a str, bool)>) -> Result<Self, Error> {
        let mut list: Vec<Pattern> = Vec::new();
        for (pattern, insecure) in patterns {
            let default = if insecure { "80" } else { "443" };
            let (host, port) = pattern.split_once(':').unwrap_or((pattern, default));
            if port.contains(':') {
                return Err(Error::TooManyColons(pattern.to_owned()));
            }
            let pattern = Pattern { host: host.to_owned(), port: port.to_owned() };
            if !list.contains(&pattern) {
                list.push(pattern);
            }
        }
        Ok(Self(Some(list)))
    }

    /// Reads `imagePolicyConfig.allowedRegistriesForImport` of a master's configuration; everything is
    /// allowed when it has none.
    ///
    /// # Errors
    /// When it is no list of patterns.
    pub fn from_master_config(config: &Value) -> Result<Self, Error> {
        let list = config.at(&["imagePolicyConfig", "allowedRegistriesForImport"]);
        let Some(list) = list.filter(|list| !list.is_null()) else { return Ok(Self::default()) };
        let list = list.as_array().ok_or(Error::NoList)?;
        let mut patterns = Vec::new();
        for (index, entry) in list.iter().enumerate() {
            let domain = entry.str_at(&["domainName"]);
            if domain.is_empty() {
                return Err(Error::NoDomain(index));
            }
            patterns.push((domain, entry.bool_at(&["insecure"])));
        }
        Self::only(patterns)
    }

    /// With a registry that is allowed ahead of the others, e.g. the integrated one.
    #[must_use]
    pub fn with_own(mut self, registry: &str) -> Self {
        if let Some(list) = &mut self.0 {
            let (host, port) = registry.split_once(':').unwrap_or((registry, "443"));
            let own = Pattern { host: host.to_owned(), port: port.to_owned() };
            if !list.contains(&own) {
                list.insert(0, own);
            }
        }
        self
    }

    /// Why the registry of `reference` is not allowed, if it is not.
    fn refuse(&self, reference: &ImageReference, transport: Transport) -> Option<String> {
        let list = self.0.as_ref()?;
        let (mut host, mut port) = host_and_port(reference);
        if transport == Transport::Any && !reference.registry.contains(':') {
            port = String::new();
            if !reference.registry.is_empty() {
                host.clone_from(&reference.registry);
            }
        }
        let allows = |host: &str| list.iter().any(|pattern| pattern.allows(host, &port));
        let hub = DOCKER_HUB_HOSTS.contains(&host.as_str());
        if (hub && allows(DOCKER_HUB)) || allows(&host) {
            return None;
        }
        if !reference.registry.is_empty() {
            host.clone_from(&reference.registry);
        } else if !port.is_empty() {
            host = join(&host, &port);
        }
        let host = quote(&host);
        let shown = list.iter().map(|pattern| quote(&join(&pattern.host, &pattern.port)));
        let shown: Vec<String> = shown.collect();
        Some(match shown.len() {
            0 => format!("registry {host} not allowed by empty whitelist"),
            1..=SHOWN => format!("registry {host} not allowed by whitelist: {}", shown.join(", ")),
            all => format!(
                "registry {host} not allowed by whitelist: {}, and {} more ...",
                shown[..SHOWN - 1].join(", "),
                all - SHOWN + 1
            ),
        })
    }

    /// What of `stream` points where it must not; what `old` pointed to stays allowed.
    #[must_use]
    pub fn check_stream(&self, stream: &Value, old: Option<&Value>) -> ErrorList {
        let mut errors = ErrorList::new();
        if self.0.is_none() {
            return errors;
        }
        let known = Known(old.map(references).unwrap_or_default());
        let insecure = is_insecure(stream);
        let mut check = |text: &str, insecure: bool, path: &dyn Fn() -> Path| {
            let Ok(reference) = ImageReference::parse(text) else { return };
            if known.has(&reference) {
                return;
            }
            if let Some(why) = self.refuse(&reference, Transport::of(insecure)) {
                errors.push(field::Error::forbidden(&path(), &why));
            }
        };
        let repository = stream.str_at(&["spec", "dockerImageRepository"]);
        check(repository, insecure, &|| Path::new("spec").child("dockerImageRepository"));
        let mut insecure_tags = BTreeSet::new();
        for tag in stream.list_at(&["spec", "tags"]) {
            let name = tag.str_at(&["name"]);
            let insecure = insecure || tag.bool_at(&["importPolicy", "insecure"]);
            if insecure {
                insecure_tags.insert(name);
            }
            if tag.str_at(&["from", "kind"]) == "DockerImage" {
                let path = || Path::new("spec").child("tags").key(name).child("from").child("name");
                check(tag.str_at(&["from", "name"]), insecure, &path);
            }
        }
        for entry in stream.list_at(&["status", "tags"]) {
            let name = entry.str_at(&["tag"]);
            let insecure = insecure || insecure_tags.contains(name);
            for (index, item) in entry.list_at(&["items"]).iter().enumerate() {
                let path = || {
                    let items = Path::new("status").child("tags").key(name).child("items");
                    items.index(index).child("dockerImageReference")
                };
                check(item.str_at(&["dockerImageReference"]), insecure, &path);
            }
        }
        errors
    }

    /// Whether the tag of the image stream tag `istag` points where it must not; `old` is the spec tag
    /// that is there.
    #[must_use]
    pub fn check_tag(&self, istag: &Value, old: Option<&Value>) -> ErrorList {
        let of_image = |tag: &Value| tag.str_at(&["from", "kind"]) == "DockerImage";
        let mut errors = ErrorList::new();
        let Some(tag) = istag.get("tag").filter(|tag| of_image(tag)) else { return errors };
        let Ok(reference) = ImageReference::parse(tag.str_at(&["from", "name"])) else {
            return errors;
        };
        let before = old.filter(|old| of_image(old));
        let before = before.map(|old| old.str_at(&["from", "name"]).to_owned());
        if Known(before.into_iter().collect()).has(&reference) {
            return errors;
        }
        let insecure = is_insecure(istag) || tag.bool_at(&["importPolicy", "insecure"]);
        if let Some(why) = self.refuse(&reference, Transport::of(insecure)) {
            let path = Path::new("tag").child("from").child("name");
            errors.push(field::Error::forbidden(&path, &why));
        }
        errors
    }

    /// What of an import would come from where it must not.
    #[must_use]
    pub fn check_import(&self, import: &Value) -> ErrorList {
        let spec = Path::new("spec");
        let mut errors = ErrorList::new();
        let mut check = |entry: &Value, path: &Path| {
            if entry.str_at(&["from", "kind"]) != "DockerImage" {
                return;
            }
            let reference =
                ImageReference::parse(entry.str_at(&["from", "name"])).unwrap_or_default();
            let (host, port) = host_and_port(&reference);
            let insecure = entry.bool_at(&["importPolicy", "insecure"]);
            let explicit = reference.registry.contains(':');
            let port = if insecure && !explicit { "80".to_owned() } else { port };
            errors.extend(self.check_host(&path.child("from").child("name"), &host, &port));
        };
        if let Some(repository) = import.at(&["spec", "repository"]) {
            check(repository, &spec.child("repository"));
        }
        for (index, image) in import.list_at(&["spec", "images"]).iter().enumerate() {
            check(image, &spec.child("images").index(index));
        }
        errors
    }

    /// Why nothing may be imported from `host` at `port`, if that is so.
    #[must_use]
    pub fn check_host(&self, path: &Path, host: &str, port: &str) -> Option<field::Error> {
        let registry = join(host, port);
        let reference = ImageReference { registry: registry.clone(), ..ImageReference::default() };
        let why = self.refuse(&reference, Transport::Secure)?;
        let text =
            format!("importing images from registry {} is forbidden: {why}", quote(&registry));
        Some(field::Error::forbidden(path, &text))
    }
}

impl Pattern {
    /// An empty port is any of those that registries listen on.
    fn allows(&self, host: &str, port: &str) -> bool {
        let port_fits = if port.is_empty() {
            matches!(self.port.as_str(), "80" | "443" | "*")
        } else {
            matches(&self.port, port)
        };
        port_fits && matches(&self.host, host)
    }
}

/// References that are allowed whatever their registry.
struct Known(BTreeSet<String>);

impl Known {
    fn has(&self, reference: &ImageReference) -> bool {
        let forms = || {
            let forms =
                [reference.clone(), reference.docker_client_defaults(), reference.daemon_minimal()];
            forms.map(|form| form.exact())
        };
        !self.0.is_empty() && forms().iter().any(|form| self.0.contains(form))
    }
}

/// Everything that a stream refers to.
fn references(stream: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::from([stream.str_at(&["spec", "dockerImageRepository"]).to_owned()]);
    let tags = stream.list_at(&["spec", "tags"]).iter();
    let images = tags.filter(|tag| tag.str_at(&["from", "kind"]) == "DockerImage");
    found.extend(images.map(|tag| tag.str_at(&["from", "name"]).to_owned()));
    for entry in stream.list_at(&["status", "tags"]) {
        let items = entry.list_at(&["items"]).iter();
        found.extend(items.map(|item| item.str_at(&["dockerImageReference"]).to_owned()));
    }
    found
}

fn is_insecure(object: &Value) -> bool {
    object.annotation(INSECURE) == Some("true")
}

/// Where a reference's image is fetched from by TLS.
fn host_and_port(reference: &ImageReference) -> (String, String) {
    let registry = match reference.registry.as_str() {
        "" => DOCKER_HUB,
        DOCKER_HUB => DOCKER_HUB_HOSTS[1],
        "index.docker.io" => DOCKER_HUB_HOSTS[1],
        other => other,
    };
    let (host, port) = registry.rsplit_once(':').unwrap_or((registry, "443"));
    (host.to_owned(), port.to_owned())
}

fn join(host: &str, port: &str) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Whether `text` is what `pattern` stands for: `*` is any text, `?` any one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut rest, mut left) = (pattern.chars(), text.chars());
    match rest.next() {
        None => text.is_empty(),
        Some('*') => {
            let mut places = text.char_indices().map(|(place, _)| place).chain([text.len()]);
            places.any(|place| matches(rest.as_str(), &text[place..]))
        }
        Some(wanted) => {
            let fits = left.next().is_some_and(|found| wanted == '?' || wanted == found);
            fits && matches(rest.as_str(), left.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn refusal(list: &[(&str, bool)], text: &str, insecure: bool) -> Option<String> {
        let allowed = AllowedRegistries::only(list.iter().copied()).unwrap();
        allowed.refuse(&ImageReference::parse(text).unwrap(), Transport::of(insecure))
    }

    #[test]
    fn a_pattern_allows_a_host_at_its_port() {
        let allowed =
            |pattern: &str, text: &str| refusal(&[(pattern, false)], text, false).is_none();
        assert!(allowed("quay.io", "quay.io/a/b"));
        assert!(allowed("quay.io", "quay.io:443/a/b"));
        assert!(!allowed("quay.io", "quay.io:5000/a/b"));
        assert!(allowed("quay.io:*", "quay.io:5000/a/b"));
        assert!(allowed("*.example.?om", "reg.example.com/a/b"));
        assert!(!allowed("*.example.?om", "example.com/a/b"));
        assert!(allowed("docker.io", "busybox"));
        assert!(allowed("docker.io", "index.docker.io/library/busybox"));
        assert!(allowed("registry-1.docker.io", "docker.io/library/busybox"));
        assert!(AllowedRegistries::default().check_import(&json!({})).is_empty());
    }

    #[test]
    fn an_insecure_reference_may_use_either_port() {
        let list = [("plain.example", true)];
        assert_eq!(refusal(&list, "plain.example/a/b", true), None);
        let text = r#"registry "plain.example" not allowed by whitelist: "plain.example:80""#;
        assert_eq!(refusal(&list, "plain.example/a/b", false).as_deref(), Some(text));
    }

    #[test]
    fn a_long_list_is_shown_in_part() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let list: Vec<_> = names.iter().map(|name| (*name, false)).collect();
        let text = "registry \"docker.io:443\" not allowed by whitelist: \"a:443\", \"b:443\", \
                    \"c:443\", \"d:443\", and 2 more ...";
        assert_eq!(refusal(&list, "x/y", false).as_deref(), Some(text));
        let text = "registry \"docker.io:443\" not allowed by empty whitelist";
        assert_eq!(refusal(&[], "x/y", false).as_deref(), Some(text));
    }

    #[test]
    fn the_list_is_read_from_a_masters_configuration() {
        let config =
            |list: Value| json!({"imagePolicyConfig": {"allowedRegistriesForImport": list}});
        let read = |list: Value| AllowedRegistries::from_master_config(&config(list));
        assert_eq!(read(Value::Null), Ok(AllowedRegistries::default()));
        assert_eq!(
            read(json!([{"domainName": "a", "insecure": true}, {"domainName": "b:5000"}])),
            AllowedRegistries::only([("a:80", false), ("b:5000", false)])
        );
        assert_eq!(read(json!([{"domain": "a"}])), Err(Error::NoDomain(0)));
        assert_eq!(read(json!({})), Err(Error::NoList));
        let colons = Err(Error::TooManyColons("a:b:c".to_owned()));
        assert_eq!(read(json!([{"domainName": "a:b:c"}])), colons);
    }

    #[test]
    fn the_integrated_registry_is_always_allowed() {
        let allowed = AllowedRegistries::only([("a", false)]).unwrap().with_own("own:5000");
        let import = |name: &str| json!({"spec": {"images": [{"from": {"kind": "DockerImage", "name": name}}]}});
        assert!(allowed.check_import(&import("own:5000/p/s")).is_empty());
        let errors = allowed.check_import(&import("quay.io/p/s"));
        let text = "spec.images[0].from.name: Forbidden: importing images from registry \
                    \"quay.io:443\" is forbidden: registry \"quay.io:443\" not allowed by \
                    whitelist: \"own:5000\", \"a:443\"";
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), [text]);
    }
}
