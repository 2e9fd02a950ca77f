//! A container and a sandbox as the runtime is told about them.

use std::collections::BTreeMap;

use apimachinery::ObjectExt as _;
use apimachinery::quantity::Quantity;
use cri::{
    ContainerConfig, ContainerResources, ContainerSecurity, Image, PodSandboxConfig, PortMapping,
};
use serde_json::Value;

use crate::env::{Environment, Error, Place, Source};
use crate::expansion::expand;
use crate::record::container_hash;
use crate::volumes::mounts;

/// The configuration of instance `attempt` of `container`, and the warnings of its environment.
///
/// # Errors
/// What ends up as `CreateContainerConfigError`.
pub fn container_config(
    pod: &Value,
    container: &Value,
    attempt: u32,
    image: &Image,
    place: Place<'_>,
    source: &dyn Source,
) -> Result<(ContainerConfig, Vec<String>), Error> {
    let Environment { values, warnings } = crate::env::environment(pod, container, place, source)?;
    let security = security(pod, container);
    let numeric_root = |user: &str| user.split(':').next() == Some("0");
    let user = if security.user.is_empty() { &image.user } else { &security.user };
    let non_root = setting(pod, container, "runAsNonRoot").and_then(Value::as_bool);
    if non_root == Some(true) && (user.is_empty() || user == "root" || numeric_root(user)) {
        return Err(Error::RunsAsRoot);
    }
    let expanded = |field: &str| -> Vec<String> {
        let words = container.list_at(&[field]).iter().filter_map(Value::as_str);
        words.map(|word| expand(word, &values)).collect()
    };
    let config = ContainerConfig {
        name: container.str_at(&["name"]).to_owned(),
        attempt,
        pod_name: pod.name().to_owned(),
        pod_namespace: pod.namespace().to_owned(),
        pod_uid: pod.uid().to_owned(),
        image: container.str_at(&["image"]).to_owned(),
        image_id: image.id.clone(),
        command: expanded("command"),
        args: expanded("args"),
        working_dir: container.str_at(&["workingDir"]).to_owned(),
        mounts: mounts(pod, container, place, source),
        annotations: annotations(pod, container, attempt),
        tty: container.bool_at(&["tty"]),
        stdin: container.bool_at(&["stdin"]),
        stdin_once: container.bool_at(&["stdinOnce"]),
        resources: resources(pod, container),
        security,
        termination_message_path: container.str_at(&["terminationMessagePath"]).to_owned(),
        fallback_to_logs: container.str_at(&["terminationMessagePolicy"])
            == "FallbackToLogsOnError",
        env: values.into_iter().collect(),
    };
    Ok((config, warnings))
}

fn annotations(pod: &Value, container: &Value, attempt: u32) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([
        ("io.kubernetes.container.hash", format!("{:x}", container_hash(container))),
        ("io.kubernetes.container.restartCount", attempt.to_string()),
    ]);
    for (key, field) in [
        ("io.kubernetes.container.terminationMessagePath", "terminationMessagePath"),
        ("io.kubernetes.container.terminationMessagePolicy", "terminationMessagePolicy"),
    ] {
        labels.insert(key, container.str_at(&[field]).to_owned());
    }
    let grace = pod.int_at(&["spec", "terminationGracePeriodSeconds"]);
    if let Some(grace) = grace {
        labels.insert("io.kubernetes.pod.terminationGracePeriod", grace.to_string());
    }
    if let Some(ports) = container.at(&["ports"]) {
        labels.insert("io.kubernetes.container.ports", ports.to_string());
    }
    labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A security setting of the container, or else of the pod.
fn setting<'a>(pod: &'a Value, container: &'a Value, name: &str) -> Option<&'a Value> {
    container.at(&["securityContext", name]).or_else(|| pod.at(&["spec", "securityContext", name]))
}

fn security(pod: &Value, container: &Value) -> ContainerSecurity {
    let words = |path: &[&str]| -> Vec<String> {
        container.list_at(path).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let number = |name: &str| setting(pod, container, name).and_then(Value::as_i64);
    let user = match (number("runAsUser"), number("runAsGroup")) {
        (Some(user), Some(group)) => format!("{user}:{group}"),
        (Some(user), None) => user.to_string(),
        (None, _) => String::new(),
    };
    let pod_context = &["spec", "securityContext"];
    let fs_group = pod.int_at(&[pod_context[0], pod_context[1], "fsGroup"]);
    let supplemental = pod.list_at(&[pod_context[0], pod_context[1], "supplementalGroups"]);
    let groups = fs_group.into_iter().chain(supplemental.iter().filter_map(Value::as_i64));
    ContainerSecurity {
        user,
        groups: groups.map(|group| group.to_string()).collect(),
        privileged: container.bool_at(&["securityContext", "privileged"]),
        read_only_root: container.bool_at(&["securityContext", "readOnlyRootFilesystem"]),
        cap_add: words(&["securityContext", "capabilities", "add"]),
        cap_drop: words(&["securityContext", "capabilities", "drop"]),
    }
}

fn resources(pod: &Value, container: &Value) -> ContainerResources {
    let quantity = |kind: &str, name: &str| {
        container.at(&["resources", kind, name]).and_then(|value| Quantity::from_json(value).ok())
    };
    let cpu = |kind: &str| quantity(kind, "cpu").map_or(0, |q| q.milli_value());
    let limit = cpu("limits");
    let oom_score_adj = match pod.str_at(&["status", "qosClass"]) {
        "Guaranteed" => -998,
        "BestEffort" => 1000,
        _ => 900,
    };
    ContainerResources {
        cpu_request_milli: Some(cpu("requests")).filter(|cpu| *cpu > 0).unwrap_or(limit),
        cpu_limit_milli: limit,
        memory_limit: quantity("limits", "memory").map_or(0, |q| q.value()),
        oom_score_adj,
    }
}

fn text_map(pod: &Value, field: &str) -> BTreeMap<String, String> {
    let map = pod.map_at(&["metadata", field]).into_iter().flatten();
    map.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// The pod's host name: `spec.hostname` or its name, cut to 63 letters.
#[must_use]
pub fn hostname(pod: &Value) -> String {
    let wished = pod.str_at(&["spec", "hostname"]);
    let name = if wished.is_empty() { pod.name() } else { wished };
    let cut: String = name.chars().take(63).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

/// The configuration of sandbox number `attempt` of `pod`.
#[must_use]
pub fn sandbox_config(pod: &Value, attempt: u32) -> PodSandboxConfig {
    let port = |value: &Value, field: &str| {
        value.int_at(&[field]).and_then(|n| u16::try_from(n).ok()).unwrap_or_default()
    };
    let mapped = |value: &Value| PortMapping {
        container_port: port(value, "containerPort"),
        host_port: port(value, "hostPort"),
        protocol: value.str_at(&["protocol"]).to_owned(),
    };
    let ports = pod.list_at(&["spec", "containers"]).iter().flat_map(|c| c.list_at(&["ports"]));
    let aliases = pod.list_at(&["spec", "hostAliases"]).iter().flat_map(|alias| {
        let names = alias.list_at(&["hostnames"]).iter().filter_map(Value::as_str);
        names.map(|name| (alias.str_at(&["ip"]).to_owned(), name.to_owned()))
    });
    PodSandboxConfig {
        name: pod.name().to_owned(),
        namespace: pod.namespace().to_owned(),
        uid: pod.uid().to_owned(),
        attempt,
        hostname: hostname(pod),
        labels: text_map(pod, "labels"),
        annotations: text_map(pod, "annotations"),
        host_network: pod.bool_at(&["spec", "hostNetwork"]),
        ports: ports.filter(|p| port(p, "hostPort") != 0).map(mapped).collect(),
        host_aliases: aliases.collect(),
    }
}
