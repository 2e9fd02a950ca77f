//! Pod security policies.
//!
//! Mirrors: `ValidatePodSecurityPolicy` and below of `pkg/apis/policy/validation` in Kubernetes 1.11.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Value};

use super::{annotations, checks, volume};

const APPARMOR: &str = "apparmor.security.beta.kubernetes.io/";
const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/";
const SYSCTL_PATTERN: &str = "([a-z0-9]([-_a-z0-9]*[a-z0-9])?\\.)*([a-z0-9][-_a-z0-9]*)?[a-z0-9*]";
const SYSCTL: &str = "([a-z0-9]([-_a-z0-9]*[a-z0-9])?\\.)*[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const MAX_SYSCTL: usize = 253;

pub(super) fn create(policy: &Value, errors: &mut ErrorList) {
    profiles(policy, errors);
    let path = Path::new("spec");
    let spec = policy.get("spec").unwrap_or(&Value::Null);
    for (field, supported) in [
        ("runAsUser", &["MustRunAs", "MustRunAsNonRoot", "RunAsAny"][..]),
        ("seLinux", &["MustRunAs", "RunAsAny"]),
        ("supplementalGroups", &["MustRunAs", "RunAsAny"]),
        ("fsGroup", &["MustRunAs", "RunAsAny"]),
    ] {
        let strategy = spec.get(field).unwrap_or(&Value::Null);
        let path = path.child(field);
        checks::one_of(strategy, &path, "rule", supported, errors);
        for (index, range) in strategy.list_at(&["ranges"]).iter().enumerate() {
            id_range(range, &path.child("ranges").index(index), errors);
        }
    }
    volumes(spec, &path, errors);
    capabilities(spec, errors);
    escalation(spec, &path, errors);
    host_paths(spec, &path, errors);
    sysctls(spec, &path, errors);
}

fn profiles(policy: &Value, errors: &mut ErrorList) {
    let path = Path::new("metadata").child("annotations");
    let read = |key: &str| policy.annotation(key).map(|text| (path.key(key), text));
    if let Some((path, profile)) = read(&format!("{APPARMOR}defaultProfileName")) {
        annotations::app_armor_profile(profile, profile, &path, errors);
    }
    if let Some((path, list)) = read(&format!("{APPARMOR}allowedProfileNames")) {
        for profile in list.split(',') {
            annotations::app_armor_profile(profile, list, &path, errors);
        }
    }
    if let Some((path, profile)) = read(&format!("{SECCOMP}defaultProfileName")) {
        annotations::seccomp(profile, &path, errors);
    }
    if let Some((path, list)) = read(&format!("{SECCOMP}allowedProfileNames")) {
        for profile in list.split(',').filter(|profile| *profile != "*") {
            annotations::seccomp(profile, &path, errors);
        }
    }
}

fn id_range(range: &Value, path: &Path, errors: &mut ErrorList) {
    let read = |field: &str| range.int_at(&[field]).unwrap_or(0);
    let (min, max) = (read("min"), read("max"));
    if min < 0 {
        errors.push(Error::invalid(&path.child("min"), min, "min cannot be negative"));
    }
    if max < 0 {
        errors.push(Error::invalid(&path.child("max"), max, "max cannot be negative"));
    }
    if min > max {
        errors.push(Error::invalid(&path.child("min"), min, "min cannot be greater than max"));
    }
}

fn volumes(spec: &Value, path: &Path, errors: &mut ErrorList) {
    for kind in spec.list_at(&["volumes"]).iter().filter_map(Value::as_str) {
        if kind != "*" && !volume::is_source(kind) {
            let mut supported = volume::sources();
            supported.push("*");
            supported.sort_unstable();
            errors.push(Error::not_supported(&path.child("volumes"), kind, &supported));
        }
    }
}

/// Upstream leaves `spec` out of these paths.
fn capabilities(spec: &Value, errors: &mut ErrorList) {
    let dropped = spec.list_at(&["requiredDropCapabilities"]);
    let allows_all = spec.list_at(&["allowedCapabilities"]).iter().any(|cap| cap == "*");
    if !dropped.is_empty() && allows_all {
        let path = Path::new("requiredDropCapabilities");
        let text = "must be empty when all capabilities are allowed by a wildcard";
        errors.push(Error::invalid(&path, Value::from(dropped), text));
    }
    for field in ["defaultAddCapabilities", "allowedCapabilities"] {
        for capability in spec.list_at(&[field]).iter().filter(|cap| dropped.contains(cap)) {
            let text = format!("capability is listed in {field} and requiredDropCapabilities");
            errors.push(Error::invalid(&Path::new(field), capability.clone(), &text));
        }
    }
}

fn escalation(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let allowed = spec.at(&["allowPrivilegeEscalation"]) != Some(&Value::Bool(false));
    if spec.bool_at(&["defaultAllowPrivilegeEscalation"]) && !allowed {
        let text = "Cannot set DefaultAllowPrivilegeEscalation to true without also setting \
                    AllowPrivilegeEscalation to true";
        let path = path.child("defaultAllowPrivilegeEscalation");
        errors.push(Error::invalid(&path, true, text));
    }
}

fn host_paths(spec: &Value, path: &Path, errors: &mut ErrorList) {
    for (index, entry) in spec.list_at(&["allowedHostPaths"]).iter().enumerate() {
        let path = path.child("allowedHostPaths").index(index);
        let prefix = entry.str_at(&["pathPrefix"]);
        if prefix.is_empty() {
            errors.push(Error::required(&path, "is required"));
        }
        checks::no_backsteps(prefix, &path, errors);
    }
    for (index, entry) in spec.list_at(&["allowedFlexVolumes"]).iter().enumerate() {
        if entry.str_at(&["driver"]).is_empty() {
            let path = path.child("allowedFlexVolumes").index(index).child("driver");
            errors.push(Error::required(&path, "must specify a driver"));
        }
    }
}

fn sysctls(spec: &Value, path: &Path, errors: &mut ErrorList) {
    let read = |field: &str| -> Vec<&str> {
        spec.list_at(&[field]).iter().filter_map(Value::as_str).collect()
    };
    let (allowed, forbidden) = (read("allowedUnsafeSysctls"), read("forbiddenSysctls"));
    let allowed_path = path.child("allowedUnsafeSysctls");
    let forbidden_path = path.child("forbiddenSysctls");
    sysctl_names(&allowed, &allowed_path, errors);
    sysctl_names(&forbidden, &forbidden_path, errors);
    for (index, a) in allowed.iter().enumerate() {
        for (other, f) in forbidden.iter().enumerate() {
            let overlap = |with: &str| format!("sysctl overlaps with {with}");
            if f.strip_suffix('*').map_or(a == f, |prefix| a.starts_with(prefix)) {
                errors.push(Error::invalid(&allowed_path.index(index), *a, &overlap(f)));
            } else if a.strip_suffix('*').is_some_and(|prefix| f.starts_with(prefix)) {
                errors.push(Error::invalid(&forbidden_path.index(other), *f, &overlap(a)));
            }
        }
    }
}

fn sysctl_names(names: &[&str], path: &Path, errors: &mut ErrorList) {
    for (index, name) in names.iter().enumerate() {
        let path = path.index(index);
        if name.is_empty() {
            errors.push(Error::invalid(&path, *name, "empty sysctl not allowed"));
        } else if !is_sysctl_pattern(name) {
            let text = format!(
                "must have at most {MAX_SYSCTL} characters and match regex {SYSCTL_PATTERN}"
            );
            errors.push(Error::invalid(&path, *name, &text));
        }
    }
    if names.contains(&"*") && names.len() > 1 {
        let text = "if '*' is present, must not specify other sysctls";
        errors.push(Error::forbidden(&path.child("items"), text));
    }
}

/// Kernel parameters that a pod sets.
///
/// Mirrors: `validateSysctls`.
pub(super) fn of_pod(sysctls: &[Value], path: &Path, errors: &mut ErrorList) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, sysctl) in sysctls.iter().enumerate() {
        let name = sysctl.str_at(&["name"]);
        let path = path.index(index).child("name");
        if name.is_empty() {
            errors.push(Error::required(&path, ""));
        } else if !is_sysctl_pattern(name) || name.ends_with('*') {
            let text =
                format!("must have at most {MAX_SYSCTL} characters and match regex {SYSCTL}");
            errors.push(Error::invalid(&path, name, &text));
        } else if seen.contains(&name) {
            errors.push(Error::duplicate(&path, name));
        }
        seen.push(name);
    }
}

/// Whether the text matches [`SYSCTL_PATTERN`]: labels with dots between, then at most one `*`.
fn is_sysctl_pattern(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let inner = |c: char| plain(c) || c == '-' || c == '_';
    let Some(last) = text.chars().last().filter(|c| plain(*c) || *c == '*') else { return false };
    let mut labels: Vec<&str> = text[..text.len() - last.len_utf8()].split('.').collect();
    let tail = labels.pop().unwrap_or_default();
    text.len() <= MAX_SYSCTL
        && labels.iter().all(|label| {
            label.starts_with(plain) && label.ends_with(plain) && label.chars().all(inner)
        })
        && (tail.is_empty() || tail.starts_with(plain) && tail.chars().all(inner))
}
