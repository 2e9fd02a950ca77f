//! The environment of a container.
//!
//! Later wins: service variables, then `envFrom` in order, then `env`.
//!
//! Mirrors: `pkg/kubelet/kubelet_pods.go` `makeEnvironmentVariables`, `pkg/kubelet/envvars`.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use apimachinery::quantity::Quantity;
use base64::Engine as _;

use crate::expansion::expand;

/// Why a container's configuration cannot be made; ends up as `CreateContainerConfigError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A referenced ConfigMap or Secret does not exist: resource and name.
    #[error("{0} {1:?} not found")]
    NotFound(&'static str, String),
    /// A referenced key does not exist: key, kind, namespace and name.
    #[error("Couldn't find key {0} in {1} {2}/{3}")]
    NoKey(String, &'static str, String, String),
    /// A field path that the downward API does not know.
    #[error("unsupported fieldPath: {0}")]
    FieldPath(String),
    /// A subscript that cannot be a key.
    #[error("invalid key subscript in {0}: {1}")]
    Subscript(String, String),
    /// A container that the pod does not have.
    #[error("container {0} not found")]
    NoContainer(String),
    /// A resource that the downward API does not know.
    #[error("unsupported container resource : {0}")]
    Resource(String),
    /// A user name of an image that says nothing about its number.
    #[error(
        "container has runAsNonRoot and image has non-numeric user ({0}), cannot verify user is non-root"
    )]
    UnknownUser(String),
    /// The container itself is told to run as root although `runAsNonRoot` is set.
    #[error("container's runAsUser breaks non-root policy")]
    BreaksNonRoot,
    /// The image's user is root although `runAsNonRoot` is set.
    #[error("container has runAsNonRoot and image will run as root")]
    RunsAsRoot,
}

/// Finds the objects that environments and volumes refer to.
pub trait Source {
    /// A ConfigMap of the pod's namespace.
    fn config_map(&self, name: &str) -> Option<Arc<Value>>;
    /// A Secret of the pod's namespace.
    fn secret(&self, name: &str) -> Option<Arc<Value>>;
    /// The services whose addresses containers are told.
    fn services(&self) -> Vec<Arc<Value>>;
    /// A PersistentVolumeClaim of the pod's namespace.
    fn claim(&self, name: &str) -> Option<Arc<Value>> {
        let _ = name;
        None
    }
    /// A token of the pod's service account, as `described` by a projected volume.
    ///
    /// # Errors
    /// Why there is none.
    fn token(&self, pod: &Value, described: &Value) -> Result<String, String> {
        let _ = (pod, described);
        Err("nobody issues tokens here".to_owned())
    }
    /// A PersistentVolume.
    fn persistent_volume(&self, name: &str) -> Option<Arc<Value>> {
        let _ = name;
        None
    }
}

/// Where the pod runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// Pod IP.
    pub pod_ip: &'a str,
    /// Address of the node.
    pub host_ip: &'a str,
    /// What the node has to give: thousandths of a CPU and bytes of memory.
    pub allocatable: (i64, i64),
}

/// An environment, and the events that come with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Variables by name.
    pub values: BTreeMap<String, String>,
    /// Messages of `InvalidEnvironmentVariableNames` warnings.
    pub warnings: Vec<String>,
}

/// The environment of `container` of `pod`.
///
/// # Errors
/// When something that is not optional is missing.
pub fn environment(
    pod: &Value,
    container: &Value,
    place: Place<'_>,
    source: &dyn Source,
) -> Result<Environment, Error> {
    environment_with(pod, container, place, &source.services(), source)
}

/// The same, with the services that `source` has told.
pub(crate) fn environment_with(
    pod: &Value,
    container: &Value,
    place: Place<'_>,
    services: &[Arc<Value>],
    source: &dyn Source,
) -> Result<Environment, Error> {
    let mut made = Environment::default();
    for service in services {
        service_variables(service, &mut made.values);
    }
    for from in container.list_at(&["envFrom"]) {
        env_from(pod, from, source, &mut made)?;
    }
    for variable in container.list_at(&["env"]) {
        let value = match variable.at(&["valueFrom"]) {
            Some(from) => value_from(pod, container, from, place, source)?,
            None => Some(expand(variable.str_at(&["value"]), &made.values)),
        };
        if let Some(value) = value {
            made.values.insert(variable.str_at(&["name"]).to_owned(), value);
        }
    }
    Ok(made)
}

fn env_from(
    pod: &Value,
    from: &Value,
    source: &dyn Source,
    made: &mut Environment,
) -> Result<(), Error> {
    let prefix = from.str_at(&["prefix"]);
    let (reference, word, object) = match (from.at(&["configMapRef"]), from.at(&["secretRef"])) {
        (Some(reference), _) => {
            (reference, "configMap", source.config_map(reference.str_at(&["name"])))
        }
        (None, Some(reference)) => {
            (reference, "secret", source.secret(reference.str_at(&["name"])))
        }
        (None, None) => return Ok(()),
    };
    let name = reference.str_at(&["name"]);
    let Some(object) = object else {
        if reference.bool_at(&["optional"]) {
            return Ok(());
        }
        let resource = if word == "secret" { "secrets" } else { "configmaps" };
        return Err(Error::NotFound(resource, name.to_owned()));
    };
    let mut skipped = Vec::new();
    for (key, data) in texts(&object) {
        let variable = format!("{prefix}{key}");
        if is_variable_name(&variable) {
            made.values.insert(variable, data);
        } else {
            skipped.push(variable);
        }
    }
    if !skipped.is_empty() {
        made.warnings.push(format!(
            "Keys [{}] from the EnvFrom {word} {}/{name} were skipped since they are considered \
             invalid environment variable names.",
            skipped.join(", "),
            pod.namespace()
        ));
    }
    Ok(())
}

/// The text data of a ConfigMap or the decoded data of a Secret.
fn texts(object: &Value) -> BTreeMap<String, String> {
    contents(object)
        .into_iter()
        .map(|(key, data)| (key, String::from_utf8_lossy(&data).into_owned()))
        .collect()
}

/// All data of a ConfigMap (`data`, `binaryData`) or Secret, decoded.
#[must_use]
pub fn contents(object: &Value) -> BTreeMap<String, Vec<u8>> {
    let secret = object.kind() == "Secret";
    let mut contents = BTreeMap::new();
    for (field, encoded) in [("data", secret), ("binaryData", true)] {
        for (key, value) in object.map_at(&[field]).into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let data = if encoded {
                base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
            } else {
                text.as_bytes().to_vec()
            };
            contents.insert(key.to_string(), data);
        }
    }
    contents
}

fn is_variable_name(name: &str) -> bool {
    let mut letters = name.chars();
    let first = letters.next();
    let plain = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.');
    first.is_some_and(plain) && letters.all(|c| plain(c) || c.is_ascii_digit())
}

fn value_from(
    pod: &Value,
    container: &Value,
    from: &Value,
    place: Place<'_>,
    source: &dyn Source,
) -> Result<Option<String>, Error> {
    if let Some(field) = from.at(&["fieldRef"]) {
        return field_value(pod, field.str_at(&["fieldPath"]), place).map(Some);
    }
    if let Some(field) = from.at(&["resourceFieldRef"]) {
        return resource_value(pod, container, field, place).map(Some);
    }
    let (reference, kind) = match (from.at(&["configMapKeyRef"]), from.at(&["secretKeyRef"])) {
        (Some(reference), _) => (reference, "ConfigMap"),
        (None, Some(reference)) => (reference, "Secret"),
        (None, None) => return Ok(None),
    };
    let (name, key) = (reference.str_at(&["name"]), reference.str_at(&["key"]));
    let (object, resource) = match kind {
        "Secret" => (source.secret(name), "secrets"),
        _ => (source.config_map(name), "configmaps"),
    };
    let optional = reference.bool_at(&["optional"]);
    let Some(object) = object else {
        return if optional { Ok(None) } else { Err(Error::NotFound(resource, name.to_owned())) };
    };
    match texts(&object).remove(key) {
        Some(value) => Ok(Some(value)),
        None if optional => Ok(None),
        None => {
            let namespace = pod.namespace().to_owned();
            Err(Error::NoKey(key.to_owned(), kind, namespace, name.to_owned()))
        }
    }
}

/// Takes `field['key']` apart; `None` for a path without a subscript.
///
/// Mirrors: `SplitMaybeSubscriptedPath` of `pkg/fieldpath`.
#[must_use]
pub fn split_subscript(path: &str) -> Option<(&str, &str)> {
    let (field, key) = path.strip_suffix("']")?.split_once("['")?;
    (!field.is_empty()).then_some((field, key))
}

/// The value of a downward API field.
///
/// # Errors
/// [`Error::FieldPath`] for a path that is not supported.
pub fn field_value(pod: &Value, path: &str, place: Place<'_>) -> Result<String, Error> {
    if let Some((field, key)) = split_subscript(path) {
        if !matches!(field, "metadata.labels" | "metadata.annotations") {
            return Err(Error::FieldPath(path.to_owned()));
        }
        let lower = key.to_lowercase();
        let checked = if field == "metadata.labels" { key } else { &lower };
        let problems = apimachinery::validation::qualified_name(checked);
        if !problems.is_empty() {
            return Err(Error::Subscript(path.to_owned(), problems.join(";")));
        }
        let value = match field {
            "metadata.labels" => pod.label(key),
            _ => pod.annotation(key).unwrap_or_default(),
        };
        return Ok(value.to_owned());
    }
    let value = match path {
        "metadata.name" => pod.name(),
        "metadata.namespace" => pod.namespace(),
        "metadata.uid" => pod.uid(),
        "metadata.labels" => return Ok(pairs(pod, "labels")),
        "metadata.annotations" => return Ok(pairs(pod, "annotations")),
        "spec.nodeName" => pod.str_at(&["spec", "nodeName"]),
        "spec.serviceAccountName" => pod.str_at(&["spec", "serviceAccountName"]),
        "status.podIP" => place.pod_ip,
        "status.hostIP" => place.host_ip,
        _ => return Err(Error::FieldPath(path.to_owned())),
    };
    Ok(value.to_owned())
}

/// `key="escaped value"` lines in the order of the keys.
fn pairs(pod: &Value, field: &str) -> String {
    let map = pod.map_at(&["metadata", field]);
    let lines = map
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={:?}", value.as_str().unwrap_or_default()));
    lines.collect::<Vec<_>>().join("\n")
}

/// `ceil(quantity / divisor)` of a limit or request; a limit that is not set is what the node has.
///
/// Mirrors: `pkg/api/v1/resource/helpers.go`.
///
/// # Errors
/// [`Error::NoContainer`] and [`Error::Resource`] for what does not exist.
pub fn resource_value(
    pod: &Value,
    container: &Value,
    field: &Value,
    place: Place<'_>,
) -> Result<String, Error> {
    let name = field.str_at(&["containerName"]);
    let lists = ["containers", "initContainers"];
    let mut all = lists.iter().flat_map(|list| pod.list_at(&["spec", list]));
    let container = match all.find(|c| c.str_at(&["name"]) == name) {
        Some(named) if !name.is_empty() => named,
        _ if name.is_empty() && !container.is_null() => container,
        _ => return Err(Error::NoContainer(name.to_owned())),
    };
    let wanted = field.str_at(&["resource"]);
    let unknown = || Error::Resource(wanted.to_owned());
    let (kind, resource) = wanted.split_once('.').ok_or_else(unknown)?;
    let known = matches!(kind, "limits" | "requests")
        && matches!(resource, "cpu" | "memory" | "ephemeral-storage");
    if !known {
        return Err(unknown());
    }
    let read = |value: Option<&Value>| value.and_then(|v| Quantity::from_json(v).ok());
    let milli = |q: Quantity| i128::from(q.milli_value());
    let set = read(container.at(&["resources", kind, resource])).filter(|q| !q.is_zero());
    let (cpu, memory) = place.allocatable;
    let unset = match (kind, resource) {
        ("limits", "cpu") => i128::from(cpu),
        ("limits", "memory") => i128::from(memory) * 1000,
        _ => 0,
    };
    let quantity = set.map_or(unset, milli);
    let divisor = read(field.at(&["divisor"])).filter(|q| !q.is_zero()).map_or(1000, milli);
    let value = (quantity + divisor - 1).div_euclid(divisor.max(1));
    Ok(value.to_string())
}

/// The variables that tell a service's address.
fn service_variables(service: &Value, values: &mut BTreeMap<String, String>) {
    let ip = service.str_at(&["spec", "clusterIP"]);
    if ip.is_empty() || ip == "None" {
        return;
    }
    let upper = |text: &str| text.to_uppercase().replace('-', "_");
    let name = upper(service.name());
    let ports = service.list_at(&["spec", "ports"]);
    let Some(first) = ports.first() else { return };
    let number = |port: &Value| port.int_at(&["port"]).unwrap_or_default();
    values.insert(format!("{name}_SERVICE_HOST"), ip.to_owned());
    values.insert(format!("{name}_SERVICE_PORT"), number(first).to_string());
    for (index, port) in ports.iter().enumerate() {
        let (n, label) = (number(port), port.str_at(&["name"]));
        if !label.is_empty() {
            values.insert(format!("{name}_SERVICE_PORT_{}", upper(label)), n.to_string());
        }
        let protocol = Some(port.str_at(&["protocol"])).filter(|p| !p.is_empty()).unwrap_or("TCP");
        let lower = protocol.to_lowercase();
        let port = u16::try_from(n).unwrap_or_default();
        let url = format!("{lower}://{}", cri::host_port(ip, port));
        if index == 0 {
            values.insert(format!("{name}_PORT"), url.clone());
        }
        let prefix = format!("{name}_PORT_{n}_{}", protocol.to_uppercase());
        values.insert(prefix.clone(), url);
        values.insert(format!("{prefix}_PROTO"), lower);
        values.insert(format!("{prefix}_PORT"), n.to_string());
        values.insert(format!("{prefix}_ADDR"), ip.to_owned());
    }
}

#[cfg(test)]
mod tests;
