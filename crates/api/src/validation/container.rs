//! Containers of pods: names, images, ports, environment, mounts, resources, probes, security.
//!
//! Mirrors: `validateContainers` and below of `pkg/apis/core/validation` in Kubernetes 1.11.

pub(super) mod environment;
pub(super) mod ephemeral;
mod probe;
mod resources;

use std::collections::BTreeSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::checks;
pub(super) use resources::{check as check_resources, is_standard_resource};

/// Checks `containers` and `initContainers` of a pod spec.
pub(super) fn check_all(
    spec: &Value,
    volumes: &BTreeSet<&str>,
    path: &Path,
    errors: &mut ErrorList,
) {
    let containers = spec.list_at(&["containers"]);
    let containers_path = path.child("containers");
    if containers.is_empty() {
        errors.push(Error::required(&containers_path, ""));
    } else {
        check_list(containers, volumes, &containers_path, errors);
    }
    let init_containers = spec.list_at(&["initContainers"]);
    let path = path.child("initContainers");
    check_list(init_containers, volumes, &path, errors);
    let names: BTreeSet<&str> = containers.iter().map(|c| c.str_at(&["name"])).collect();
    for (index, container) in init_containers.iter().enumerate() {
        let path = path.index(index);
        let name = container.str_at(&["name"]);
        if names.contains(name) && !name.is_empty() {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if let Some(value) = container.get(field).filter(|value| !value.is_null()) {
                let text = "must not be set for init containers";
                errors.push(Error::invalid(&path.child(field), value.clone(), text));
            }
        }
    }
}

fn check_list(containers: &[Value], volumes: &BTreeSet<&str>, path: &Path, errors: &mut ErrorList) {
    let mut names = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let path = path.index(index);
        let name = container.str_at(&["name"]);
        if checks::required(container, &path, "name", errors) {
            checks::dns_label(name, &path.child("name"), errors);
        }
        if !names.insert(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        check_one(container, volumes, &path, errors);
    }
    host_port_conflicts(containers, path, errors);
}

fn check_one(container: &Value, volumes: &BTreeSet<&str>, path: &Path, errors: &mut ErrorList) {
    checks::required(container, path, "image", errors);
    for hook in ["postStart", "preStop"] {
        if let Some(handler) = container.at(&["lifecycle", hook]).filter(|value| !value.is_null()) {
            probe::handler(handler, &path.child("lifecycle").child(hook), errors);
        }
    }
    for field in ["livenessProbe", "startupProbe"] {
        let Some(found) = container.get(field).filter(|value| !value.is_null()) else { continue };
        let path = path.child(field);
        probe::check(found, &path, errors);
        let successes = found.int_at(&["successThreshold"]).unwrap_or(0);
        if successes != 1 {
            let path = path.child("successThreshold");
            errors.push(Error::invalid(&path, successes, "must be 1"));
        }
    }
    termination_message_policy(container, path, errors);
    if let Some(readiness) = container.get("readinessProbe").filter(|value| !value.is_null()) {
        probe::check(readiness, &path.child("readinessProbe"), errors);
    }
    ports(container.list_at(&["ports"]), &path.child("ports"), errors);
    environment::variables(container.list_at(&["env"]), &path.child("env"), errors);
    environment::sources(container.list_at(&["envFrom"]), &path.child("envFrom"), errors);
    volume_mounts(container, volumes, &path.child("volumeMounts"), errors);
    match container.str_at(&["imagePullPolicy"]) {
        "" => errors.push(Error::required(&path.child("imagePullPolicy"), "")),
        _ => {
            let supported = ["Always", "IfNotPresent", "Never"];
            checks::one_of(container, path, "imagePullPolicy", &supported, errors);
        }
    }
    resources::check(container.get("resources"), &path.child("resources"), errors);
    security_context(container, path, errors);
}

fn termination_message_policy(container: &Value, path: &Path, errors: &mut ErrorList) {
    let path = path.child("terminationMessagePolicy");
    let text = "must be 'File' or 'FallbackToLogsOnError'";
    match container.str_at(&["terminationMessagePolicy"]) {
        "File" | "FallbackToLogsOnError" => {}
        "" => errors.push(Error::required(&path, text)),
        other => errors.push(Error::invalid(&path, other, text)),
    }
}

fn ports(ports: &[Value], path: &Path, errors: &mut ErrorList) {
    let mut names = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = path.index(index);
        let name = port.str_at(&["name"]);
        if !name.is_empty() {
            let complaints = validation::port_name(name);
            if complaints.is_empty() && !names.insert(name) {
                errors.push(Error::duplicate(&path.child("name"), name));
            }
            checks::invalid(&path.child("name"), name, &complaints, errors);
        }
        match port.int_at(&["containerPort"]).unwrap_or(0) {
            0 => errors.push(Error::required(&path.child("containerPort"), "")),
            number => checks::port_number(number, &path.child("containerPort"), errors),
        }
        let host_port = port.int_at(&["hostPort"]).unwrap_or(0);
        if host_port != 0 {
            checks::port_number(host_port, &path.child("hostPort"), errors);
        }
        if checks::required(port, &path, "protocol", errors) {
            checks::one_of(port, &path, "protocol", &["TCP", "UDP"], errors);
        }
    }
}

fn host_port_conflicts(containers: &[Value], path: &Path, errors: &mut ErrorList) {
    let mut taken = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        for (port_index, port) in container.list_at(&["ports"]).iter().enumerate() {
            let number = port.int_at(&["hostPort"]).unwrap_or(0);
            let protocol = port.str_at(&["protocol"]);
            let key = format!("{protocol}/{}/{number}", port.str_at(&["hostIP"]));
            if number != 0 && !taken.insert(key.clone()) {
                let path = path.index(index).child("ports").index(port_index);
                errors.push(Error::duplicate(&path.child("hostPort"), key));
            }
        }
    }
}

fn volume_mounts(container: &Value, volumes: &BTreeSet<&str>, path: &Path, errors: &mut ErrorList) {
    let mut mount_paths = BTreeSet::new();
    // Upstream leaves the index out of the paths of these two.
    let list = path;
    for (index, mount) in container.list_at(&["volumeMounts"]).iter().enumerate() {
        let path = path.index(index);
        checks::required(mount, &path, "name", errors);
        let name = mount.str_at(&["name"]);
        if !volumes.contains(name) {
            errors.push(Error::not_found(&path.child("name"), name));
        }
        checks::required(mount, &path, "mountPath", errors);
        let mount_path = mount.str_at(&["mountPath"]);
        if !mount_paths.insert(mount_path) {
            let text = "must be unique";
            errors.push(Error::invalid(&path.child("mountPath"), mount_path, text));
        }
        let sub_path = mount.str_at(&["subPath"]);
        if !sub_path.is_empty() {
            checks::descending_path(sub_path, &list.child("subPath"), errors);
        }
        mount_propagation(mount, container, list, errors);
    }
}

fn mount_propagation(mount: &Value, container: &Value, path: &Path, errors: &mut ErrorList) {
    if !checks::is_set(mount, "mountPropagation") {
        return;
    }
    let supported = ["Bidirectional", "HostToContainer", "None"];
    checks::one_of(mount, path, "mountPropagation", &supported, errors);
    let privileged = container.bool_at(&["securityContext", "privileged"]);
    if mount.str_at(&["mountPropagation"]) == "Bidirectional" && !privileged {
        let text = "Bidirectional mount propagation is available only to privileged containers";
        errors.push(Error::forbidden(&path.child("mountPropagation"), text));
    }
}

fn security_context(container: &Value, path: &Path, errors: &mut ErrorList) {
    let Some(context) = container.get("securityContext").filter(|value| !value.is_null()) else {
        return;
    };
    let path = path.child("securityContext");
    identity(context, &["runAsUser", "runAsGroup"], &path, errors);
    if context.at(&["allowPrivilegeEscalation"]) != Some(&Value::Bool(false)) {
        return;
    }
    if context.bool_at(&["privileged"]) {
        let text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        errors.push(Error::invalid(&path, context.clone(), text));
    }
    let added = context.list_at(&["capabilities", "add"]);
    if added.iter().any(|capability| capability == "CAP_SYS_ADMIN") {
        let text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` \
                    CAP_SYS_ADMIN";
        errors.push(Error::invalid(&path, context.clone(), text));
    }
}

fn identity(context: &Value, fields: &[&str], path: &Path, errors: &mut ErrorList) {
    for field in fields {
        if let Some(id) = context.int_at(&[field]) {
            let complaints = validation::user_id(id);
            let path = path.child(field);
            errors.extend(complaints.iter().map(|text| Error::invalid(&path, id, text)));
        }
    }
}

/// Checks `securityContext` of a pod spec and what the host's network demands of ports.
pub(super) fn security_context_of_pod(spec: &Value, path: &Path, errors: &mut ErrorList) {
    if spec.bool_at(&["hostNetwork"]) {
        let path = path.child("containers");
        for (index, container) in spec.list_at(&["containers"]).iter().enumerate() {
            let path = path.index(index).child("ports");
            for (port_index, port) in container.list_at(&["ports"]).iter().enumerate() {
                let number = port.int_at(&["containerPort"]).unwrap_or(0);
                if port.int_at(&["hostPort"]).unwrap_or(0) != number {
                    let path = path.index(port_index).child("containerPort");
                    let text = "must match `hostPort` when `hostNetwork` is true";
                    errors.push(Error::invalid(&path, number, text));
                }
            }
        }
    }
    let Some(context) = spec.get("securityContext") else { return };
    let path = path.child("securityContext");
    identity(context, &["fsGroup", "runAsUser", "runAsGroup"], &path, errors);
    let sysctls = context.list_at(&["sysctls"]);
    super::pod_security_policy::of_pod(sysctls, &path.child("sysctls"), errors);
    for (index, group) in context.list_at(&["supplementalGroups"]).iter().enumerate() {
        let id = group.as_i64().unwrap_or(0);
        let path = path.child("supplementalGroups").index(index);
        let complaints = validation::in_range(id, 0, i64::from(i32::MAX));
        errors.extend(complaints.iter().map(|text| Error::invalid(&path, id, text)));
    }
}
