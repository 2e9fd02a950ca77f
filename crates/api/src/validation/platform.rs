//! The other Kubernetes groups: access, networking, priorities, storage.
//!
//! Mirrors: `pkg/apis/{rbac,networking,scheduling,storage}/validation` of Kubernetes 1.11.

use std::net::IpAddr;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::checks;

pub(super) fn create(kind: &str, object: &Value, errors: &mut ErrorList) {
    match kind {
        "Role" => rules(object, true, errors),
        "ClusterRole" => rules(object, false, errors),
        "RoleBinding" => role_binding(object, &["Role", "ClusterRole"], errors),
        "ClusterRoleBinding" => role_binding(object, &["ClusterRole"], errors),
        "NetworkPolicy" => network_policy(object, errors),
        "Ingress" => ingress(object, errors),
        "StorageClass" => {
            checks::required(object, &Path::new(""), "provisioner", errors);
            super::storage::storage_class(object, errors);
        }
        "PriorityClass" => priority_class(object, errors),
        _ => {}
    }
}

/// The highest priority that is not the system's.
const MOST_PRIORITY: i64 = 1_000_000_000;
/// Priority classes that only the system has.
const SYSTEM_CLASSES: [&str; 2] = ["system-cluster-critical", "system-node-critical"];

fn priority_class(object: &Value, errors: &mut ErrorList) {
    let name = object.name();
    if name.starts_with("system-") {
        if !SYSTEM_CLASSES.contains(&name) {
            let text = format!(
                "priority class names with 'system-' prefix are reserved for system use only. \
                 error: {name} is not a known system priority class"
            );
            errors.push(Error::forbidden(&Path::new("metadata").child("name"), &text));
        }
    } else if object.int_at(&["value"]).is_some_and(|value| value > MOST_PRIORITY) {
        let text = format!("maximum allowed value of a user defined priority is {MOST_PRIORITY}");
        errors.push(Error::forbidden(&Path::new("value"), &text));
    }
}

fn rules(object: &Value, namespaced: bool, errors: &mut ErrorList) {
    for (index, rule) in object.list_at(&["rules"]).iter().enumerate() {
        let path = Path::new("rules").index(index);
        let has = |field: &str| !rule.list_at(&[field]).is_empty();
        if !has("verbs") {
            let text = "verbs must contain at least one value";
            errors.push(Error::required(&path.child("verbs"), text));
        }
        if has("nonResourceURLs") {
            let path_urls = path.child("nonResourceURLs");
            if namespaced {
                let text = "namespaced rules cannot apply to non-resource URLs";
                let value = rule["nonResourceURLs"].clone();
                errors.push(Error::invalid(&path_urls, value, text));
            }
            if has("apiGroups") || has("resources") || has("resourceNames") {
                let text = "rules cannot apply to both regular resources and non-resource URLs";
                let value = rule["nonResourceURLs"].clone();
                errors.push(Error::invalid(&path_urls, value, text));
            }
            continue;
        }
        for (field, text) in [
            ("apiGroups", "resource rules must supply at least one api group"),
            ("resources", "resource rules must supply at least one resource"),
        ] {
            if !has(field) {
                errors.push(Error::required(&path.child(field), text));
            }
        }
    }
}

fn role_binding(object: &Value, kinds: &[&str], errors: &mut ErrorList) {
    let path = Path::new("roleRef");
    let role = object.get("roleRef").unwrap_or(&Value::Null);
    checks::one_of(role, &path, "apiGroup", &["rbac.authorization.k8s.io"], errors);
    checks::one_of(role, &path, "kind", kinds, errors);
    checks::required(role, &path, "name", errors);
    for (index, subject) in object.list_at(&["subjects"]).iter().enumerate() {
        let path = Path::new("subjects").index(index);
        checks::required(subject, &path, "name", errors);
        match subject.str_at(&["kind"]) {
            "ServiceAccount" => {
                let cluster = kinds.len() == 1;
                let name = subject.str_at(&["name"]);
                if !name.is_empty() {
                    checks::dns_subdomain(name, &path.child("name"), errors);
                }
                if cluster {
                    checks::required(subject, &path, "namespace", errors);
                }
                checks::one_of(subject, &path, "apiGroup", &[""], errors);
            }
            "User" | "Group" => {
                let supported = ["rbac.authorization.k8s.io"];
                checks::one_of(subject, &path, "apiGroup", &supported, errors);
            }
            other => {
                let supported = ["ServiceAccount", "User", "Group"];
                errors.push(Error::not_supported(&path.child("kind"), other, &supported));
            }
        }
    }
}

fn network_policy(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let selector = object.at(&["spec", "podSelector"]);
    checks::label_selector(selector, &path.child("podSelector"), errors);
    policy_types(object.list_at(&["spec", "policyTypes"]), &path.child("policyTypes"), errors);
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for (index, rule) in object.list_at(&["spec", direction]).iter().enumerate() {
            let path = path.child(direction).index(index);
            for (index, port) in rule.list_at(&["ports"]).iter().enumerate() {
                let path = path.child("ports").index(index);
                if !port.str_at(&["protocol"]).is_empty() {
                    checks::one_of(port, &path, "protocol", &["TCP", "UDP"], errors);
                }
                if let Some(number) = port.get("port").filter(|value| !value.is_null()) {
                    checks::port_number_or_name(Some(number), &path.child("port"), errors);
                }
            }
            for (index, peer) in rule.list_at(&[peers]).iter().enumerate() {
                let path = path.child(peers).index(index);
                for field in ["podSelector", "namespaceSelector"] {
                    checks::label_selector(peer.get(field), &path.child(field), errors);
                }
                let selects = ["podSelector", "namespaceSelector"]
                    .iter()
                    .any(|field| checks::is_set(peer, field));
                if let Some(block) = peer.get("ipBlock").filter(|value| !value.is_null()) {
                    ip_block(block, &path.child("ipBlock"), errors);
                }
                if selects && checks::is_set(peer, "ipBlock") {
                    let text = "may not specify both ipBlock and another peer";
                    errors.push(Error::forbidden(&path, text));
                }
                if ["podSelector", "namespaceSelector", "ipBlock"]
                    .iter()
                    .all(|field| !checks::is_set(peer, field))
                {
                    errors.push(Error::required(&path, "must specify a peer"));
                }
            }
        }
    }
}

/// Upstream reports an unknown type as often as there are types.
fn policy_types(types: &[Value], path: &Path, errors: &mut ErrorList) {
    if types.len() > 2 {
        let text = "may not specify more than two policyTypes";
        errors.push(Error::invalid(path, Value::from(types), text));
        return;
    }
    for _ in types {
        for (index, kind) in types.iter().filter_map(Value::as_str).enumerate() {
            let supported = ["Ingress", "Egress"];
            if !supported.contains(&kind) {
                errors.push(Error::not_supported(&path.index(index), kind, &supported));
            }
        }
    }
}

fn ip_block(block: &Value, path: &Path, errors: &mut ErrorList) {
    const NO_CIDR: &str = "not a valid CIDR";
    let cidr = block.str_at(&["cidr"]);
    if !checks::required(block, path, "cidr", errors) {
        return;
    }
    let Some(whole) = network(cidr) else {
        errors.push(Error::invalid(&path.child("cidr"), cidr, NO_CIDR));
        return;
    };
    for (index, except) in block.list_at(&["except"]).iter().filter_map(Value::as_str).enumerate() {
        let path = path.child("except").index(index);
        match network(except) {
            None => {
                errors.push(Error::invalid(&path, except, NO_CIDR));
                return;
            }
            Some(part) if !contains(whole, part) => {
                let text = "not within CIDR range";
                errors.push(Error::invalid(&path, except, text).shown_as(&first_address(part)));
            }
            Some(_) => {}
        }
    }
}

/// Address bits (left-aligned in 128), whether IPv6, and the length of the prefix.
fn network(text: &str) -> Option<(u128, bool, u32)> {
    let (address, length) = text.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(ip) => (length <= 32).then(|| (u128::from(ip.to_bits()) << 96, false, length)),
        IpAddr::V6(ip) => (length <= 128).then(|| (ip.to_bits(), true, length)),
    }
}

/// The address of a network without the bits of its hosts.
fn first_address((bits, is_v6, length): (u128, bool, u32)) -> String {
    let bits = bits & u128::MAX.checked_shl(128 - length).unwrap_or(0);
    if is_v6 {
        return std::net::Ipv6Addr::from_bits(bits).to_string();
    }
    let bits = u32::try_from(bits >> 96).unwrap_or_default();
    std::net::Ipv4Addr::from_bits(bits).to_string()
}

fn contains(whole: (u128, bool, u32), part: (u128, bool, u32)) -> bool {
    let mask = u128::MAX.checked_shl(128 - whole.2).unwrap_or(0);
    whole.1 == part.1 && (whole.0 ^ part.0) & mask == 0
}

/// Checks an Ingress of either shape: backends by `serviceName` or by `service.name`.
fn ingress(object: &Value, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = object.get("spec").unwrap_or(&Value::Null);
    for field in ["backend", "defaultBackend"] {
        if let Some(backend) = spec.get(field) {
            ingress_backend(backend, &path.child(field), errors);
        }
    }
    for (index, tls) in spec.list_at(&["tls"]).iter().enumerate() {
        let path = path.child("tls").index(index).child("hosts");
        for host in tls.list_at(&["hosts"]).iter().filter_map(Value::as_str) {
            if host.contains('*') {
                let complaints = validation::wildcard_dns1123_subdomain(host);
                checks::invalid(&path, host, &complaints, errors);
            } else {
                checks::dns_subdomain(host, &path, errors);
            }
        }
    }
    for (index, rule) in spec.list_at(&["rules"]).iter().enumerate() {
        let path = path.child("rules").index(index);
        let host = rule.str_at(&["host"]);
        if host.parse::<IpAddr>().is_ok() {
            let text = "must be a DNS name, not an IP address";
            errors.push(Error::invalid(&path.child("host"), host, text));
        }
        if host.contains('*') {
            let complaints = validation::wildcard_dns1123_subdomain(host);
            checks::invalid(&path.child("host"), host, &complaints, errors);
        } else if !host.is_empty() {
            checks::dns_subdomain(host, &path.child("host"), errors);
        }
        let Some(http) = rule.get("http").filter(|value| !value.is_null()) else { continue };
        let path = path.child("http").child("paths");
        if http.list_at(&["paths"]).is_empty() {
            errors.push(Error::required(&path, ""));
        }
        for (index, entry) in http.list_at(&["paths"]).iter().enumerate() {
            let path = path.index(index);
            let text = entry.str_at(&["path"]);
            if !text.is_empty() && !text.starts_with('/') {
                let complaint = "must be an absolute path";
                errors.push(Error::invalid(&path.child("path"), text, complaint));
            }
            if !is_regular_expression(text) {
                errors.push(Error::invalid(&path.child("path"), text, "must be a valid regex"));
            }
            let backend = entry.get("backend").unwrap_or(&Value::Null);
            ingress_backend(backend, &path.child("backend"), errors);
        }
    }
}

/// Whether the brackets and groups of a POSIX expression are closed and what repeats has something
/// before it.
fn is_regular_expression(text: &str) -> bool {
    let mut depth = 0usize;
    let mut repeatable = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.next().is_none() => return false,
            '[' => {
                // A closing bracket right at the start is a member.
                letters.next_if_eq(&'^');
                letters.next();
                if !letters.by_ref().any(|letter| letter == ']') {
                    return false;
                }
            }
            '(' => depth += 1,
            ')' if depth == 0 => return false,
            ')' => depth -= 1,
            '*' | '+' | '?' if !repeatable => return false,
            _ => {}
        }
        repeatable = !matches!(letter, '(' | '|' | '*' | '+' | '?');
    }
    depth == 0
}

fn ingress_backend(backend: &Value, path: &Path, errors: &mut ErrorList) {
    if let Some(port) = backend.get("servicePort") {
        checks::port_number_or_name(Some(port), &path.child("servicePort"), errors);
    }
    let (name, path) = if backend.get("service").is_some() {
        (backend.str_at(&["service", "name"]), path.child("service").child("name"))
    } else if backend.get("resource").is_some() {
        return;
    } else {
        (backend.str_at(&["serviceName"]), path.child("serviceName"))
    };
    if name.is_empty() {
        errors.push(Error::required(&path, ""));
    } else {
        checks::invalid(&path, name, &validation::dns1035_label(name), errors);
    }
}

/// Checks what an update changes.
pub(super) fn update(kind: &str, new: &Value, old: &Value, errors: &mut ErrorList) {
    match kind {
        "RoleBinding" | "ClusterRoleBinding" => {
            let (now, before) = (new.get("roleRef"), old.get("roleRef"));
            if now != before {
                let value = now.cloned().unwrap_or(Value::Null);
                let text = "cannot change roleRef";
                errors.push(Error::invalid(&Path::new("roleRef"), value, text));
            }
        }
        "PriorityClass" if new.get("value") != old.get("value") => {
            let text = "may not be changed in an update.";
            errors.push(Error::forbidden(&Path::new("Value"), text));
        }
        "StorageClass" => {
            checks::immutable(new, old, &["volumeBindingMode"], errors);
            for field in ["parameters", "provisioner", "reclaimPolicy"] {
                if new.get(field) != old.get(field) {
                    let text = format!("updates to {field} are forbidden.");
                    errors.push(Error::forbidden(&Path::new(field), &text));
                }
            }
        }
        _ => {}
    }
}
