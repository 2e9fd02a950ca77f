//! What one object uses of what quotas can limit.
//!
//! Mirrors: `kubernetes/pkg/quota/evaluator/core`, `openshift/origin:pkg/quota/image`.

use std::collections::BTreeSet;

use api::Resource;
use api::views::pod::is_terminal;
use apimachinery::quantity::{Format, Quantity};
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use super::amounts::{self, Amounts};
use crate::pod::containers;
use crate::request::same;

/// Resources counted under their plural as well as under `count/<plural>`.
const COUNTED: [&str; 6] = [
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "services",
    "persistentvolumeclaims",
];
const IMAGE_STREAMS: &str = "openshift.io/imagestreams";
const CLASS_SUFFIX: &str = ".storageclass.storage.k8s.io/";
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
/// What every container must specify when a quota limits it.
const COMPUTE: [&str; 6] =
    ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

fn one() -> Quantity {
    Quantity::new(1, Format::DecimalSi)
}

/// The names `count/<plural>[.<group>]` of a resource, in every group it is served in.
fn count_names(resource: &Resource) -> BTreeSet<String> {
    let views = api::resources().iter().filter(|other| same(other, resource));
    let groups = views.map(|other| other.group).chain([resource.storage.0]);
    groups
        .map(|group| match group {
            "" => format!("count/{}", resource.plural),
            group => format!("count/{}.{group}", resource.plural),
        })
        .collect()
}

/// Whether objects of the resource can use what is called `name`.
#[must_use]
pub fn tracks(resource: &Resource, name: &str) -> bool {
    if name.starts_with("count/") {
        return count_names(resource).contains(name);
    }
    if same(resource, &api::PODS) {
        return is_pod_name(name);
    }
    if same(resource, &api::IMAGE_STREAMS) {
        return name == IMAGE_STREAMS;
    }
    let core = resource.storage.0.is_empty();
    match resource.plural {
        "services" if core => {
            matches!(name, "services" | "services.nodeports" | "services.loadbalancers")
        }
        "persistentvolumeclaims" if core => {
            matches!(name, "persistentvolumeclaims" | "requests.storage")
                || name.contains(CLASS_SUFFIX)
        }
        plural => core && COUNTED.contains(&plural) && plural == name,
    }
}

fn is_pod_name(name: &str) -> bool {
    let (_, of) = split(name);
    let extended = || name.starts_with("requests.") && of.contains('/');
    name == "pods"
        || matches!(of, "cpu" | "memory" | "ephemeral-storage")
        || (of.starts_with("hugepages-") && !name.starts_with("limits."))
        || (extended() && !name.contains(CLASS_SUFFIX))
}

fn split(name: &str) -> (&str, &str) {
    match name.split_once('.') {
        Some((head @ ("requests" | "limits"), rest)) => (head, rest),
        _ => ("", name),
    }
}

/// The resources, built in or `custom`, whose objects can use what is called `name`.
#[must_use]
pub fn users_of(name: &str, custom: &[&'static Resource]) -> Vec<&'static Resource> {
    let stored = api::resources().iter().chain(custom).copied().filter(|resource| {
        resource.namespaced() && resource.storage == (resource.group, resource.version)
    });
    stored.filter(|resource| tracks(resource, name)).collect()
}

/// What `object` uses at `now`.
#[must_use]
pub fn of(resource: &Resource, object: &Value, now: Time) -> Amounts {
    let mut used: Amounts = count_names(resource).into_iter().map(|name| (name, one())).collect();
    if same(resource, &api::PODS) {
        if counts_at(object, now) {
            amounts::add(&mut used, &pod(object));
        }
    } else if same(resource, &api::IMAGE_STREAMS) {
        used.insert(IMAGE_STREAMS.to_owned(), one());
    } else if resource.storage.0.is_empty() && COUNTED.contains(&resource.plural) {
        used.insert(resource.plural.to_owned(), one());
        match resource.plural {
            "services" => service(&mut used, object),
            "persistentvolumeclaims" => claim(&mut used, object),
            _ => {}
        }
    }
    used
}

/// Pods that ended use nothing but their name, nor do those that should be gone.
fn counts_at(pod: &Value, now: Time) -> bool {
    let overdue = || {
        let at = Time::parse_rfc3339(pod.deletion_timestamp()?)?;
        let grace = pod.int_at(&["metadata", "deletionGracePeriodSeconds"])?;
        let grace = std::time::Duration::from_secs(u64::try_from(grace).unwrap_or(0));
        Some(now > at + grace)
    };
    !is_terminal(pod) && !overdue().unwrap_or(false)
}

fn pod(pod: &Value) -> Amounts {
    let total = |field: &str| {
        let read = |container: &Value| amounts::read(container.at(&["resources", field]));
        let mut total = Amounts::new();
        for container in pod.list_at(&["spec", "containers"]) {
            amounts::add(&mut total, &read(container));
        }
        for container in pod.list_at(&["spec", "initContainers"]) {
            for (name, amount) in read(container) {
                let known = total.entry(name).or_default();
                if *known < amount {
                    *known = amount;
                }
            }
        }
        total
    };
    let mut used = compute(&total("requests"), &total("limits"));
    used.insert("pods".to_owned(), one());
    used
}

/// Requests and limits by the names that quotas have for them.
fn compute(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut used = Amounts::new();
    for (name, amount) in requests {
        let plain = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage")
            || name.starts_with("hugepages-");
        if plain {
            used.insert(name.clone(), amount.clone());
        }
        if plain || name.contains('/') {
            used.insert(format!("requests.{name}"), amount.clone());
        }
    }
    for (name, amount) in limits {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            used.insert(format!("limits.{name}"), amount.clone());
        }
    }
    used
}

/// What some container does not specify although the quota limits it.
#[must_use]
pub fn unspecified(pod: &Value, hard: &Amounts) -> Vec<String> {
    let required = || COMPUTE.iter().filter(|name| hard.contains_key(**name));
    let mut missing: BTreeSet<&str> = BTreeSet::new();
    for container in containers(pod) {
        let list = |field: &str| amounts::read(container.at(&["resources", field]));
        let has = compute(&list("requests"), &list("limits"));
        missing.extend(required().filter(|name| !has.contains_key(**name)));
    }
    missing.into_iter().map(str::to_owned).collect()
}

fn service(used: &mut Amounts, service: &Value) {
    let ports = i64::try_from(service.list_at(&["spec", "ports"]).len()).unwrap_or(i64::MAX);
    let (node_ports, balancers) = match service.str_at(&["spec", "type"]) {
        "NodePort" => (ports, 0),
        "LoadBalancer" => (ports, 1),
        _ => (0, 0),
    };
    let amount = |count| Quantity::new(count, Format::DecimalSi);
    used.insert("services.nodeports".to_owned(), amount(node_ports));
    used.insert("services.loadbalancers".to_owned(), amount(balancers));
}

fn claim(used: &mut Amounts, claim: &Value) {
    let class = claim
        .annotation(CLASS_ANNOTATION)
        .unwrap_or_else(|| claim.str_at(&["spec", "storageClassName"]));
    let mut book = |name: &str, amount: &Quantity| {
        if !class.is_empty() {
            used.insert(format!("{class}{CLASS_SUFFIX}{name}"), amount.clone());
        }
        used.insert(name.to_owned(), amount.clone());
    };
    book("persistentvolumeclaims", &one());
    let asked = claim.at(&["spec", "resources", "requests", "storage"]);
    if let Some(size) = asked.and_then(|size| Quantity::from_json(size).ok()) {
        book("requests.storage", &size);
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;
    use world::World;

    use super::*;

    fn check(resource: &Resource, object: &Value) -> Value {
        amounts::to_value(&of(resource, object, World::simulated(1).now()))
    }

    /// Rows of upstream's `TestPersistentVolumeClaimEvaluatorUsage`.
    #[test]
    fn claims_use_storage_by_class() {
        let mut claim = json!({"spec": {"resources": {"requests": {"storage": "10Gi"}}}});
        let plain = json!({"count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1",
            "requests.storage": "10Gi"});
        assert_eq!(check(&api::PERSISTENT_VOLUME_CLAIMS, &claim), plain);
        claim.set(&["spec", "storageClassName"], json!("gold"));
        let mut by_class = plain;
        by_class["gold.storageclass.storage.k8s.io/persistentvolumeclaims"] = json!("1");
        by_class["gold.storageclass.storage.k8s.io/requests.storage"] = json!("10Gi");
        assert_eq!(check(&api::PERSISTENT_VOLUME_CLAIMS, &claim), by_class);
    }

    /// Rows of upstream's `TestServiceEvaluatorUsage`.
    #[test]
    fn services_use_ports_and_balancers() {
        let used = |kind: &str| {
            let ports = json!([{"port": 1}, {"port": 2}]);
            let used = check(&api::SERVICES, &json!({"spec": {"type": kind, "ports": ports}}));
            format!("{} {}", used["services.nodeports"], used["services.loadbalancers"])
        };
        assert_eq!(used("ClusterIP"), "\"0\" \"0\"");
        assert_eq!(used("NodePort"), "\"2\" \"0\"");
        assert_eq!(used("LoadBalancer"), "\"2\" \"1\"");
    }

    /// Rows of upstream's `TestPodEvaluatorUsage`.
    #[test]
    fn pods_use_the_larger_of_init_and_sum() {
        let container = |requests: Value, limits: Value| json!({"resources": {"requests": requests, "limits": limits}});
        let one = container(
            json!({"cpu": "1m", "example.com/dongle": "3"}),
            json!({"cpu": "2m", "example.com/dongle": "3"}),
        );
        assert_eq!(
            check(&api::PODS, &json!({"spec": {"initContainers": [one]}})),
            json!({"count/pods": "1", "pods": "1", "cpu": "1m", "requests.cpu": "1m",
                "limits.cpu": "2m", "requests.example.com/dongle": "3"})
        );
        let a = container(json!({"memory": "1Mi"}), json!({}));
        let b = container(json!({"memory": "2Mi"}), json!({"memory": "4Mi"}));
        let used = check(
            &api::PODS,
            &json!({"spec": {"containers": [a, b.clone()], "initContainers": [b]}}),
        );
        assert_eq!((&used["memory"], &used["limits.memory"]), (&json!("3Mi"), &json!("4Mi")));
        let ended = json!({"status": {"phase": "Failed"}});
        assert_eq!(check(&api::PODS, &ended), json!({"count/pods": "1"}));
    }

    /// Rows of upstream's `TestPodConstraintsFunc`.
    #[test]
    fn containers_must_specify_what_is_limited() {
        let resources = json!({"requests": {"cpu": "1m"}, "limits": {"cpu": "2m"}});
        let pod = json!({"spec": {"initContainers": [{"resources": resources}]}});
        let hard = |names: &[&str]| -> Amounts {
            names.iter().map(|name| ((*name).to_owned(), one())).collect()
        };
        assert_eq!(unspecified(&pod, &hard(&["memory"])), ["memory"]);
        assert!(unspecified(&pod, &hard(&["cpu", "pods", "requests.storage"])).is_empty());
        assert_eq!(
            unspecified(
                &json!({"spec": {"containers": [{}]}}),
                &hard(&["requests.cpu", "limits.memory"])
            ),
            ["limits.memory", "requests.cpu"]
        );
    }

    #[test]
    fn names_belong_to_resources() {
        assert!(tracks(&api::PODS, "requests.nvidia.com/gpu"));
        assert!(tracks(&api::PODS, "hugepages-2Mi") && !tracks(&api::PODS, "limits.hugepages-2Mi"));
        assert!(!tracks(&api::PODS, "requests.storage"));
        assert!(tracks(&api::DEPLOYMENTS, "count/deployments.extensions"));
        assert!(tracks(&api::DEPLOYMENTS, "count/deployments.apps"));
        assert_eq!(users_of("openshift.io/imagestreams", &[]).len(), 1);
        assert_eq!(users_of("secrets", &[])[0].plural, "secrets");
    }
}
