//! A container and a sandbox as the runtime is told about them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::ObjectExt;
use apimachinery::quantity::Quantity;
use apimachinery::{Recent, Text, Value};
use cri::{
    ContainerConfig, ContainerResources, ContainerSecurity, Dns, Id, Image, PodSandboxConfig,
    PodVolume, PortMapping,
};

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
    let template = Template {
        pod: pod.clone(),
        container: container.clone(),
        attempt,
        image: image.clone(),
        memory: place.allocatable.1,
        services: source.services(),
    };
    let (mut config, warnings) = template.config(place, source)?;
    config.pod_name = pod.text_at(&["metadata", "name"]);
    config.pod_namespace = pod.text_at(&["metadata", "namespace"]);
    config.pod_uid = pod.uid().into();
    Ok((config, warnings))
}

/// What a configuration follows from, unless its environment tells of the pod or of other objects.
#[derive(Debug)]
struct Template {
    pod: Value,
    container: Value,
    attempt: u32,
    image: Image,
    memory: i64,
    services: Vec<Arc<Value>>,
}

thread_local! {
    static CONFIGS: RefCell<Recent<Template, ContainerConfig>> = const { RefCell::new(Recent::new()) };
}

impl Template {
    fn config(
        self,
        place: Place<'_>,
        source: &dyn Source,
    ) -> Result<(ContainerConfig, Vec<String>), Error> {
        let plain = self.container.at(&["envFrom"]).is_none();
        let variables = self.container.list_at(&["env"]);
        if !plain || variables.iter().any(|variable| variable.at(&["valueFrom"]).is_some()) {
            return made(&self, place, source);
        }
        if let Some(known) = CONFIGS.with_borrow(|configs| configs.get(|known| self.is(known))) {
            return Ok((known, Vec::new()));
        }
        let (config, warnings) = made(&self, place, source)?;
        if warnings.is_empty() {
            CONFIGS.with_borrow_mut(|configs| configs.put(self, config.clone()));
        }
        Ok((config, warnings))
    }

    fn is(&self, known: &Self) -> bool {
        let same = |path: &[&str]| self.pod.at(path) == known.pod.at(path);
        self.container == known.container
            && self.attempt == known.attempt
            && self.image == known.image
            && self.memory == known.memory
            && same(&["metadata", "annotations"])
            && same(&["status", "qosClass"])
            && same_spec(&self.pod, &known.pod)
            && self.services.len() == known.services.len()
            && self.services.iter().zip(&known.services).all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

/// Whether the specs of two pods differ in nothing that containers are told.
fn same_spec(one: &Value, other: &Value) -> bool {
    let of = |pod| ObjectExt::map_at(pod, &["spec"]).into_iter().flatten();
    let told = |(name, _): &(&Text, &Value)| !matches!(name.as_str(), "nodeName" | "hostname");
    of(one).filter(told).eq(of(other).filter(told))
}

fn made(
    template: &Template,
    place: Place<'_>,
    source: &dyn Source,
) -> Result<(ContainerConfig, Vec<String>), Error> {
    let Template { pod, container, attempt, image, services, .. } = template;
    let environment = crate::env::environment_with(pod, container, place, services, source)?;
    let Environment { values, warnings } = environment;
    let security = security(pod, container);
    check_non_root(pod, container, image)?;
    let expanded = |field: &str| -> Arc<[String]> {
        let words = container.list_at(&[field]).iter().filter_map(Value::as_str);
        words.map(|word| expand(word, &values)).collect()
    };
    let config = ContainerConfig {
        name: container.text_at(&["name"]),
        attempt: *attempt,
        pod_name: Text::new(),
        pod_namespace: Text::new(),
        pod_uid: Id::default(),
        image: container.text_at(&["image"]),
        image_id: image.id.clone(),
        command: expanded("command"),
        args: expanded("args"),
        working_dir: container.text_at(&["workingDir"]),
        mounts: mounts(pod, container).into(),
        annotations: Arc::new(annotations(pod, container, *attempt, image)),
        tty: container.bool_at(&["tty"]),
        stdin: container.bool_at(&["stdin"]),
        stdin_once: container.bool_at(&["stdinOnce"]),
        resources: resources(pod, container, place.allocatable.1),
        security: Arc::new(security),
        termination_message_path: container.text_at(&["terminationMessagePath"]),
        fallback_to_logs: container.str_at(&["terminationMessagePolicy"])
            == "FallbackToLogsOnError",
        host_network: pod.bool_at(&["spec", "hostNetwork"]),
        share_pid: pod.bool_at(&["spec", "shareProcessNamespace"]),
        pid_of: Id::default(),
        host_pid: pod.bool_at(&["spec", "hostPID"]),
        host_ipc: pod.bool_at(&["spec", "hostIPC"]),
        init: is_init(pod, container),
        env: values.into_iter().collect(),
    };
    Ok((config, warnings))
}

fn is_init(pod: &Value, container: &Value) -> bool {
    let name = container.str_at(&["name"]);
    pod.list_at(&["spec", "initContainers"]).iter().any(|init| init.str_at(&["name"]) == name)
}

/// Annotation with the image as the engine names it.
pub(crate) const IMAGE: &str = "rehearse.image";
/// Annotation with the `imageID` of the status.
pub(crate) const IMAGE_ID: &str = "rehearse.imageID";
/// Annotation with [`container_hash`].
pub(crate) const HASH: &str = "io.kubernetes.container.hash";

/// `imageID` of the status.
#[must_use]
pub fn image_id(image: &Image) -> String {
    if image.repo_digest.is_empty() {
        format!("docker://{}", image.id)
    } else {
        format!("docker-pullable://{}", image.repo_digest)
    }
}

/// Holds a container that must not run as root to it.
///
/// Mirrors: `pkg/kubelet/kuberuntime/security_context.go` `verifyRunAsNonRoot`.
///
/// # Errors
/// Why it may not run.
pub fn check_non_root(pod: &Value, container: &Value, image: &Image) -> Result<(), Error> {
    let wanted = setting(pod, container, "runAsNonRoot").and_then(Value::as_bool);
    if wanted != Some(true) {
        return Ok(());
    }
    if let Some(user) = setting(pod, container, "runAsUser").and_then(Value::as_i64) {
        return if user == 0 { Err(Error::BreaksNonRoot) } else { Ok(()) };
    }
    let user = image.user.split(':').next().unwrap_or_default();
    match user.parse::<i64>() {
        Ok(0) => Err(Error::RunsAsRoot),
        Ok(_) => Ok(()),
        Err(_) if user.is_empty() => Err(Error::RunsAsRoot),
        Err(_) => Err(Error::UnknownUser(user.to_owned())),
    }
}

fn annotations(
    pod: &Value,
    container: &Value,
    attempt: u32,
    image: &Image,
) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([
        (IMAGE, image.tag.to_string()),
        (IMAGE_ID, image_id(image)),
        (HASH, format!("{:x}", container_hash(container))),
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
    if let Some(handler) = container.at(&["lifecycle", "preStop"]) {
        labels.insert("io.kubernetes.container.preStopHandler", handler.to_string());
    }
    if let Some(ports) = container.at(&["ports"]) {
        labels.insert("io.kubernetes.container.ports", ports.to_string());
    }
    labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A security setting of the container, or else of the pod.
#[must_use]
pub fn setting<'a>(pod: &'a Value, container: &'a Value, name: &str) -> Option<&'a Value> {
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
        options: security_options(pod, container),
    }
}

/// What the kernel's security modules are told.
///
/// Mirrors: `pkg/kubelet/dockershim/security_context.go`, `pkg/securitycontext/util.go`.
fn security_options(pod: &Value, container: &Value) -> Vec<String> {
    let mut options = Vec::new();
    let linux = setting(pod, container, "seLinuxOptions");
    for part in ["user", "role", "type", "level"] {
        let value = linux.map_or("", |options| options.str_at(&[part]));
        if !value.is_empty() {
            options.push(format!("label={part}:{value}"));
        }
    }
    let name = container.str_at(&["name"]);
    let own = format!("container.seccomp.security.alpha.kubernetes.io/{name}");
    let whole = "seccomp.security.alpha.kubernetes.io/pod";
    let seccomp = pod.annotation(&own).or_else(|| pod.annotation(whole)).unwrap_or_default();
    if matches!(seccomp, "" | "unconfined") {
        options.push("seccomp=unconfined".to_owned());
    }
    if adds_no_privileges(container) {
        options.push("no-new-privileges".to_owned());
    }
    options
}

/// Whether the kernel is told that programs of `container` never gain privileges.
#[must_use]
pub fn adds_no_privileges(container: &Value) -> bool {
    let allowed = container.at(&["securityContext", "allowPrivilegeEscalation"]);
    allowed.and_then(Value::as_bool) == Some(false)
}

/// The kernel's preference to end `container` when memory runs out on a node of `capacity` bytes.
///
/// Mirrors: `pkg/kubelet/qos/policy.go`.
#[must_use]
pub fn oom_score_adj(pod: &Value, container: &Value, capacity: i64) -> i64 {
    const GUARANTEED: i64 = -998;
    const BEST_EFFORT: i64 = 1000;
    match api::views::pod::qos_class(pod) {
        "Guaranteed" => GUARANTEED,
        "BestEffort" => BEST_EFFORT,
        _ => {
            let request = container.at(&["resources", "requests", "memory"]);
            let request = request.and_then(|value| Quantity::from_json(value).ok());
            let request = request.map_or(0, |quantity| quantity.value());
            let share = i128::from(request) * 1000 / i128::from(capacity.max(1));
            let score = 1000 - i64::try_from(share).unwrap_or(i64::MAX);
            score.clamp(1000 + GUARANTEED, BEST_EFFORT - 1)
        }
    }
}

fn resources(pod: &Value, container: &Value, capacity: i64) -> ContainerResources {
    let quantity = |kind: &str, name: &str| {
        container.at(&["resources", kind, name]).and_then(|value| Quantity::from_json(value).ok())
    };
    let cpu = |kind: &str| quantity(kind, "cpu").map_or(0, |q| q.milli_value());
    let limit = cpu("limits");
    ContainerResources {
        cpu_request_milli: Some(cpu("requests")).filter(|cpu| *cpu > 0).unwrap_or(limit),
        cpu_limit_milli: limit,
        memory_limit: quantity("limits", "memory").map_or(0, |q| q.value()),
        oom_score_adj: oom_score_adj(pod, container, capacity),
    }
}

/// The pod's host name: `spec.hostname` or its name, cut to 63 letters.
#[must_use]
pub fn hostname(pod: &Value) -> String {
    let wished = pod.str_at(&["spec", "hostname"]);
    let name = if wished.is_empty() { pod.name() } else { wished };
    let cut: String = name.chars().take(63).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}

/// The ports of `container` that are published on the host; of two of one name the first.
///
/// Mirrors: `MakePortMappings` of `pkg/kubelet/container/helpers.go`.
#[must_use]
pub fn port_mappings(container: &Value) -> Vec<PortMapping> {
    let mut names = std::collections::BTreeSet::new();
    let mut mappings = Vec::new();
    for port in container.list_at(&["ports"]) {
        let number = |field: &str| {
            port.int_at(&[field]).and_then(|n| u16::try_from(n).ok()).unwrap_or_default()
        };
        let mapping = PortMapping {
            container_port: number("containerPort"),
            host_port: number("hostPort"),
            host_ip: port.str_at(&["hostIP"]).to_owned(),
            protocol: port.str_at(&["protocol"]).to_owned(),
        };
        let name = match port.str_at(&["name"]) {
            "" => format!("{}:{}", mapping.protocol, mapping.container_port),
            name => name.to_owned(),
        };
        if mapping.host_port != 0 && names.insert(name) {
            mappings.push(mapping);
        }
    }
    mappings
}

/// Publishes ports that name no address of the host at `address`.
pub(crate) fn publish_at(ports: &mut [PortMapping], address: &str) {
    for port in ports.iter_mut().filter(|port| port.host_ip.is_empty()) {
        address.clone_into(&mut port.host_ip);
    }
}

/// The domain of the cluster's names.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// What the pod's resolver is told besides the engine's own.
///
/// Mirrors: `pkg/kubelet/network/dns/dns.go`.
/// Deviation: there is no cluster DNS; the engine's name server stays, with the cluster's domains.
fn dns(pod: &Value) -> Dns {
    let words = |value: &Value, path: &[&str]| -> Vec<String> {
        value.list_at(path).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut dns = Dns::default();
    let host = pod.bool_at(&["spec", "hostNetwork"]);
    let cluster = match pod.str_at(&["spec", "dnsPolicy"]) {
        "ClusterFirstWithHostNet" => true,
        "ClusterFirst" => !host,
        _ => false,
    };
    if cluster {
        let namespace = pod.namespace();
        let services = format!("svc.{CLUSTER_DOMAIN}");
        dns.searches = vec![format!("{namespace}.{services}"), services, CLUSTER_DOMAIN.to_owned()];
        dns.options.push("ndots:5".to_owned());
    }
    if let Some(config) = pod.at(&["spec", "dnsConfig"]) {
        dns.servers.extend(words(config, &["nameservers"]));
        dns.searches.extend(words(config, &["searches"]));
        for option in config.list_at(&["options"]) {
            let (name, value) = (option.str_at(&["name"]), option.str_at(&["value"]));
            dns.options.retain(|known| known.split(':').next() != Some(name));
            let colon = if value.is_empty() { "" } else { ":" };
            dns.options.push(format!("{name}{colon}{value}"));
        }
    }
    let mut searches: Vec<String> = Vec::with_capacity(dns.searches.len());
    for domain in dns.searches.drain(..) {
        if !searches.contains(&domain) {
            searches.push(domain);
        }
    }
    dns.searches = searches;
    dns.searches.truncate(6);
    dns.servers.truncate(3);
    dns
}

/// The kernel settings of a pod: name and value.
#[must_use]
pub fn sysctls(pod: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for key in
        ["security.alpha.kubernetes.io/sysctls", "security.alpha.kubernetes.io/unsafe-sysctls"]
    {
        let listed = pod.annotation(key).unwrap_or_default().split(',');
        let pairs = listed.filter_map(|pair| pair.split_once('='));
        all.extend(pairs.map(|(name, value)| (name.trim().to_owned(), value.to_owned())));
    }
    for entry in pod.list_at(&["spec", "securityContext", "sysctls"]) {
        all.insert(entry.str_at(&["name"]).to_owned(), entry.str_at(&["value"]).to_owned());
    }
    all
}

/// The configuration of sandbox number `attempt` of `pod`.
#[must_use]
pub fn sandbox_config(pod: &Value, attempt: u32, volumes: Vec<PodVolume>) -> PodSandboxConfig {
    let aliases = pod.list_at(&["spec", "hostAliases"]).iter().map(|alias| {
        let names = alias.list_at(&["hostnames"]).iter().filter_map(Value::as_str);
        (alias.str_at(&["ip"]).to_owned(), names.map(str::to_owned).collect())
    });
    let subdomain = pod.str_at(&["spec", "subdomain"]);
    let domain = if subdomain.is_empty() {
        String::new()
    } else {
        format!("{subdomain}.{}.svc.{CLUSTER_DOMAIN}", pod.namespace())
    };
    PodSandboxConfig {
        name: pod.text_at(&["metadata", "name"]),
        namespace: pod.text_at(&["metadata", "namespace"]),
        uid: pod.uid().into(),
        attempt,
        hostname: hostname(pod).into(),
        labels: pod.labels().cloned().unwrap_or_default(),
        annotations: pod.map_at(&["metadata", "annotations"]).cloned().unwrap_or_default(),
        host_network: pod.bool_at(&["spec", "hostNetwork"]),
        ports: pod.list_at(&["spec", "containers"]).iter().flat_map(port_mappings).collect(),
        host_aliases: aliases.collect(),
        domain: domain.into(),
        dns: dns(pod),
        sysctls: sysctls(pod),
        volumes,
        fs_group: fs_group(pod),
    }
}

/// The group that the pod's volumes belong to.
pub(crate) fn fs_group(pod: &Value) -> Option<u32> {
    let group = pod.int_at(&["spec", "securityContext", "fsGroup"]);
    group.and_then(|group| u32::try_from(group).ok())
}

#[cfg(test)]
mod tests;
