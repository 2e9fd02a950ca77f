//! Services and Endpoints.
//!
//! Mirrors: `ValidateService` and `ValidateEndpoints` of `pkg/apis/core/validation` in Kubernetes
//! 1.11.

use std::collections::BTreeSet;
use std::net::IpAddr;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::checks;

const KUBELET_PORT: i64 = 10_250;
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
const MAX_AFFINITY_SECONDS: i64 = 86_400;

pub(super) fn create(service: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = service.get("spec").unwrap_or(&Value::Null);
    let ports = spec.list_at(&["ports"]);
    let headless = spec.str_at(&["clusterIP"]) == "None";
    let kind = spec.str_at(&["type"]);
    if ports.is_empty() && !headless && kind != "ExternalName" {
        errors.push(Error::required(&path.child("ports"), ""));
    }
    by_type(spec, &path, errors);
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.child("ports").index(index);
        service_port(port, ports.len() > 1, &mut names, &path, errors);
    }
    checks::labels(spec.get("selector"), &path.child("selector"), errors);
    session_affinity(spec, &path, errors);
    let ip = spec.str_at(&["clusterIP"]);
    if !ip.is_empty() && !headless && ip.parse::<IpAddr>().is_err() {
        let text = "must be empty, 'None', or a valid IP address";
        errors.push(Error::invalid(&path.child("clusterIP"), ip, text));
    }
    for (index, ip) in spec.list_at(&["externalIPs"]).iter().filter_map(Value::as_str).enumerate() {
        let path = path.child("externalIPs").index(index);
        usable_ip(ip, &path, errors);
    }
    if checks::required(spec, &path, "type", errors) {
        let supported = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
        checks::one_of(spec, &path, "type", &supported, errors);
    }
    port_conflicts(ports, kind, &path.child("ports"), errors);
    external_traffic(spec, kind, &path, errors);
    source_ranges(service, kind, &path, errors);
}

fn by_type(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let headless = spec.str_at(&["clusterIP"]) == "None";
    let ip_path = path.child("clusterIP");
    match spec.str_at(&["type"]) {
        kind @ ("LoadBalancer" | "NodePort") => {
            if kind == "LoadBalancer" {
                for (index, port) in spec.list_at(&["ports"]).iter().enumerate() {
                    if port.int_at(&["port"]) == Some(KUBELET_PORT) {
                        let text = "may not expose port 10250 externally since it is used by \
                                    kubelet";
                        let path = path.child("ports").index(index);
                        errors.push(Error::invalid(&path, KUBELET_PORT, text));
                    }
                }
            }
            if headless {
                let text = format!("may not be set to 'None' for {kind} services");
                errors.push(Error::invalid(&ip_path, "None", &text));
            }
        }
        "ExternalName" => {
            if !spec.str_at(&["clusterIP"]).is_empty() {
                let text = "must be empty for ExternalName services";
                errors.push(Error::forbidden(&ip_path, text));
            }
            if checks::required(spec, path, "externalName", errors) {
                let path = path.child("externalName");
                checks::dns_subdomain(spec.str_at(&["externalName"]), &path, errors);
            }
        }
        _ => {}
    }
}

fn service_port<'a>(
    port: &'a Value,
    named: bool,
    names: &mut BTreeSet<&'a str>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let name = port.str_at(&["name"]);
    if !name.is_empty() {
        checks::dns_label(name, &path.child("name"), errors);
        if !names.insert(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
    } else if named {
        errors.push(Error::required(&path.child("name"), ""));
    }
    checks::port_number(port.int_at(&["port"]).unwrap_or(0), &path.child("port"), errors);
    if checks::required(port, path, "protocol", errors) {
        checks::one_of(port, path, "protocol", &["TCP", "UDP"], errors);
    }
    checks::port_number_or_name(port.get("targetPort"), &path.child("targetPort"), errors);
}

fn session_affinity(spec: &Value, path: &Path, errors: &mut ErrorList) {
    if !checks::required(spec, path, "sessionAffinity", errors) {
        return;
    }
    checks::one_of(spec, path, "sessionAffinity", &["ClientIP", "None"], errors);
    let config = spec.get("sessionAffinityConfig").filter(|value| !value.is_null());
    let path = path.child("sessionAffinityConfig");
    match (spec.str_at(&["sessionAffinity"]), config) {
        ("ClientIP", Some(config)) => {
            let seconds = config.int_at(&["clientIP", "timeoutSeconds"]).unwrap_or(0);
            if !(1..=MAX_AFFINITY_SECONDS).contains(&seconds) {
                let path = path.child("clientIP").child("timeoutSeconds");
                let text = format!("must be greater than 0 and less than {MAX_AFFINITY_SECONDS}");
                errors.push(Error::invalid(&path, seconds, &text));
            }
        }
        ("ClientIP", None) => {
            let text = "when session affinity type is ClientIP";
            errors.push(Error::required(&path, text));
        }
        ("None", Some(_)) => {
            let text = "must not be set when session affinity is None";
            errors.push(Error::forbidden(&path, text));
        }
        _ => {}
    }
}

fn port_conflicts(ports: &[Value], kind: &str, path: &Path, errors: &mut ErrorList) {
    let (mut node_ports, mut own_ports) = (BTreeSet::new(), BTreeSet::new());
    for (index, port) in ports.iter().enumerate() {
        let node_port = port.int_at(&["nodePort"]).unwrap_or(0);
        let path = path.index(index).child("nodePort");
        if node_port == 0 {
            continue;
        }
        if kind == "ClusterIP" {
            let text = "may not be used when `type` is 'ClusterIP'";
            errors.push(Error::forbidden(&path, text));
        }
        if !node_ports.insert((node_port, port.str_at(&["protocol"]))) {
            errors.push(Error::duplicate(&path, node_port));
        }
    }
    for (index, port) in ports.iter().enumerate() {
        let key = (port.int_at(&["port"]).unwrap_or(0), port.str_at(&["protocol"]));
        if !own_ports.insert(key) {
            let shown = format!(
                "core.ServicePort{{Name:\"\", Protocol:\"{}\", Port:{}, \
                 TargetPort:intstr.IntOrString{{Type:0, IntVal:0, StrVal:\"\"}}, NodePort:0}}",
                key.1, key.0
            );
            errors.push(Error::duplicate(&path.index(index), key.0).shown_as(&shown));
        }
    }
}

fn external_traffic(spec: &Value, kind: &str, path: &Path, errors: &mut ErrorList) {
    let policy = spec.str_at(&["externalTrafficPolicy"]);
    let policy_path = path.child("externalTrafficPolicy");
    if !policy.is_empty() && policy != "Cluster" && policy != "Local" {
        let text = "ExternalTrafficPolicy must be empty, Cluster or Local";
        errors.push(Error::invalid(&policy_path, policy, text));
    }
    if !policy.is_empty() && kind != "LoadBalancer" && kind != "NodePort" {
        let text = "ExternalTrafficPolicy can only be set on NodePort and LoadBalancer service";
        errors.push(Error::invalid(&policy_path, policy, text));
    }
    let health_port = spec.int_at(&["healthCheckNodePort"]).unwrap_or(0);
    if health_port < 0 {
        let text = "HealthCheckNodePort must be not less than 0";
        let path = path.child("healthCheckNodePort");
        errors.push(Error::invalid(&path, health_port, text));
    }
    if health_port > 0 && !(kind == "LoadBalancer" && policy == "Local") {
        let text = "HealthCheckNodePort can only be set on LoadBalancer service with \
                    ExternalTrafficPolicy=Local";
        let path = path.child("healthCheckNodePort");
        errors.push(Error::invalid(&path, health_port, text));
    }
}

/// Who may reach a load balancer, as a field or as the annotation from before the field.
fn source_ranges(service: &Value, kind: &str, path: &Path, errors: &mut ErrorList) {
    let field: Vec<&str> = service
        .list_at(&["spec", "loadBalancerSourceRanges"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let (path, shown, ranges) = if field.is_empty() {
        let Some(text) = service.annotation(SOURCE_RANGES) else { return };
        let path = Path::new("metadata").child("annotations").key(SOURCE_RANGES);
        let ranges = if text.trim().is_empty() { Vec::new() } else { text.split(',').collect() };
        (path, text.to_owned(), ranges)
    } else {
        (path.child("LoadBalancerSourceRanges"), format!("[{}]", field.join(" ")), field)
    };
    if kind != "LoadBalancer" {
        errors.push(Error::forbidden(&path, "may only be used when `type` is 'LoadBalancer'"));
    }
    if !ranges.iter().all(|range| checks::is_ip_range(range.trim())) {
        let text = "must be a list of IP ranges. For example, 10.240.0.0/24,10.250.0.0/24 ";
        errors.push(Error::invalid(&path, shown, text));
    }
}

/// Checks what an update changes in a Service.
pub(super) fn update(new: &Value, old: &Value, errors: &mut ErrorList) {
    let has_ip = |service: &Value| service.str_at(&["spec", "type"]) != "ExternalName";
    if has_ip(new) && has_ip(old) && !old.str_at(&["spec", "clusterIP"]).is_empty() {
        checks::immutable(new, old, &["spec", "clusterIP"], errors);
    }
}

/// Checks `subsets` of an Endpoints object.
pub(super) fn endpoints(endpoints: &Value, errors: &mut ErrorList) {
    for (index, subset) in endpoints.list_at(&["subsets"]).iter().enumerate() {
        let path = Path::new("subsets").index(index);
        let lists = ["addresses", "notReadyAddresses"];
        if lists.iter().all(|list| subset.list_at(&[list]).is_empty()) {
            let text = "must specify `addresses` or `notReadyAddresses`";
            errors.push(Error::required(&path, text));
        }
        for list in lists {
            for (index, address) in subset.list_at(&[list]).iter().enumerate() {
                endpoint_address(address, &path.child(list).index(index), errors);
            }
        }
        let ports = subset.list_at(&["ports"]);
        for (index, port) in ports.iter().enumerate() {
            let path = path.child("ports").index(index);
            let name = port.str_at(&["name"]);
            if !name.is_empty() {
                checks::dns_label(name, &path.child("name"), errors);
            } else if ports.len() > 1 {
                errors.push(Error::required(&path.child("name"), ""));
            }
            checks::port_number(port.int_at(&["port"]).unwrap_or(0), &path.child("port"), errors);
            if checks::required(port, &path, "protocol", errors) {
                checks::one_of(port, &path, "protocol", &["TCP", "UDP"], errors);
            }
        }
    }
}

fn endpoint_address(address: &Value, path: &Path, errors: &mut ErrorList) {
    let text = address.str_at(&["ip"]);
    let path_ip = path.child("ip");
    let hostname = address.str_at(&["hostname"]);
    if !hostname.is_empty() {
        checks::dns_label(hostname, &path.child("hostname"), errors);
    }
    usable_ip(text, &path_ip, errors);
    let node = address.str_at(&["nodeName"]);
    if !node.is_empty() {
        checks::dns_subdomain(node, &path.child("nodeName"), errors);
    }
}

/// An address that traffic can be sent to.
fn usable_ip(text: &str, path_ip: &Path, errors: &mut ErrorList) {
    let Ok(ip) = text.parse::<IpAddr>() else {
        checks::invalid(path_ip, text, &validation::ip_address(text), errors);
        return;
    };
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let link_local_multicast = match ip {
        IpAddr::V4(ip) => ip.octets()[..3] == [224, 0, 0],
        IpAddr::V6(ip) => ip.segments()[0] == 0xff02,
    };
    for (special, rule) in [
        (ip.is_unspecified(), "may not be unspecified (0.0.0.0)"),
        (ip.is_loopback(), "may not be in the loopback range (127.0.0.0/8)"),
        (link_local, "may not be in the link-local range (169.254.0.0/16)"),
        (link_local_multicast, "may not be in the link-local multicast range (224.0.0.0/24)"),
    ] {
        if special {
            errors.push(Error::invalid(path_ip, text, rule));
        }
    }
}
