//! Volumes of pods.
//!
//! Mirrors: `validateVolumes` and below of `pkg/apis/core/validation` in Kubernetes 1.11.

use std::collections::BTreeSet;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::checks;
use super::container::environment::field_reference;

/// Fields of the pod that a downward-API volume may show.
const FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// Fields without which a volume source means nothing.
const REQUIRED: &[(&str, &[&str])] = &[
    ("emptyDir", &[]),
    ("hostPath", &["path"]),
    ("gitRepo", &["repository"]),
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("secret", &["secretName"]),
    ("nfs", &["server", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("glusterfs", &["endpoints", "path"]),
    ("flocker", &[]),
    ("persistentVolumeClaim", &["claimName"]),
    ("rbd", &["image"]),
    ("cinder", &["volumeID"]),
    ("cephfs", &[]),
    ("quobyte", &["volume"]),
    ("downwardAPI", &[]),
    ("fc", &[]),
    ("flexVolume", &["driver"]),
    ("configMap", &["name"]),
    ("azureFile", &["secretName", "shareName"]),
    ("vsphereVolume", &["volumePath"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("storageos", &[]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
    ("local", &["path"]),
    ("csi", &["driver", "volumeHandle"]),
    ("projected", &[]),
    ("ephemeral", &[]),
];

/// Checks `volumes`; gives the names that containers may mount.
pub(super) fn check_all<'a>(
    volumes: &'a [Value],
    path: &Path,
    errors: &mut ErrorList,
) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for (index, volume) in volumes.iter().enumerate() {
        let path = path.index(index);
        let before = errors.len();
        source(volume, &path, errors);
        let name = volume.str_at(&["name"]);
        if checks::required(volume, &path, "name", errors) {
            checks::dns_label(name, &path.child("name"), errors);
        }
        if names.contains(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        if errors.len() == before {
            names.insert(name);
        }
    }
    names
}

/// Whether a field of a volume's spec is a source.
pub(super) fn is_source(field: &str) -> bool {
    REQUIRED.iter().any(|(kind, _)| *kind == field)
}

/// The names of all sources.
pub(super) fn sources() -> Vec<&'static str> {
    REQUIRED
        .iter()
        .map(|(kind, _)| *kind)
        .filter(|kind| !matches!(*kind, "local" | "ephemeral"))
        .collect()
}

/// Checks that exactly one source is given, and the source.
pub(super) fn source(volume: &Value, path: &Path, errors: &mut ErrorList) {
    let mut count = 0;
    for (kind, required) in REQUIRED {
        let Some(source) = volume.get(*kind).filter(|value| !value.is_null()) else { continue };
        count += 1;
        let path = path.child(kind);
        if count > 1 {
            errors.push(Error::forbidden(&path, "may not specify more than 1 volume type"));
            continue;
        }
        for field in *required {
            checks::required(source, &path, field, errors);
        }
        details(kind, source, &path, errors);
    }
    if count == 0 {
        errors.push(Error::required(path, "must specify a volume type"));
    }
}

fn details(kind: &str, source: &Value, path: &Path, errors: &mut ErrorList) {
    match kind {
        "hostPath" => host_path(source, path, errors),
        "nfs" => {
            let nfs_path = source.str_at(&["path"]);
            if !nfs_path.is_empty() && !nfs_path.starts_with('/') {
                let text = "must be an absolute path";
                errors.push(Error::invalid(&path.child("path"), nfs_path, text));
            }
        }
        "secret" | "configMap" => {
            default_mode(source, path, errors);
            key_paths(source, path, errors);
        }
        "downwardAPI" => {
            default_mode(source, path, errors);
            downward_files(source, path, errors);
        }
        "projected" => projected(source, path, errors),
        "cephfs" if source.list_at(&["monitors"]).is_empty() => {
            errors.push(Error::required(&path.child("monitors"), ""));
        }
        "rbd" if source.list_at(&["monitors"]).is_empty() => {
            errors.push(Error::required(&path.child("monitors"), ""));
        }
        "iscsi" => iscsi(source, path, errors),
        "quobyte" => quobyte(source, path, errors),
        "flocker" => flocker(source, path, errors),
        "fc" => fibre_channel(source, path, errors),
        "gitRepo" => {
            let directory = source.str_at(&["directory"]);
            checks::descending_path(directory, &path.child("directory"), errors);
        }
        _ => {}
    }
}

fn iscsi(source: &Value, path: &Path, errors: &mut ErrorList) {
    iscsi_names(source, path, errors);
    for auth in ["discoveryCHAPAuth", "sessionCHAPAuth", "chapAuthDiscovery", "chapAuthSession"] {
        if source.bool_at(&[auth]) && !checks::is_set(source, "secretRef") {
            errors.push(Error::required(&path.child("secretRef"), ""));
        }
    }
}

/// Whether the text is the name of an iSCSI node: `iqn.<year>-<month>.…`, `eui.<16 hex digits>` or
/// `naa.<16 or 32 hex digits>`.
fn is_iscsi_name(text: &str) -> bool {
    let hex = |text: &str, lengths: &[usize]| {
        lengths.contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit())
    };
    let iqn = |rest: &str| {
        let mut parts = rest.splitn(2, '.');
        let month = parts.next().unwrap_or_default().as_bytes();
        let domain = parts.next().unwrap_or_default();
        let digits = |from: usize, to: usize| month[from..to].iter().all(u8::is_ascii_digit);
        let label = |c: char| c.is_ascii_alphanumeric() || "-:.".contains(c);
        month.len() == 7
            && month[4] == b'-'
            && digits(0, 4)
            && digits(5, 7)
            && !domain.is_empty()
            && domain.starts_with(|c: char| c.is_ascii_alphanumeric())
            && domain.split(':').next().unwrap_or_default().chars().all(label)
    };
    match text.split_once('.') {
        Some(("iqn", rest)) => iqn(rest),
        Some(("eui", rest)) => hex(rest, &[16]),
        Some(("naa", rest)) => hex(rest, &[16, 32]),
        _ => false,
    }
}

fn iscsi_names(source: &Value, path: &Path, errors: &mut ErrorList) {
    let iqn = source.str_at(&["iqn"]);
    let path_iqn = path.child("iqn");
    if !["iqn", "eui", "naa"].iter().any(|prefix| iqn.starts_with(prefix)) {
        if !iqn.is_empty() {
            let text = "must be valid format starting with iqn, eui, or naa";
            errors.push(Error::invalid(&path_iqn, iqn, text));
        }
    } else if !is_iscsi_name(iqn) {
        errors.push(Error::invalid(&path_iqn, iqn, "must be valid format"));
    }
    let lun = source.int_at(&["lun"]).unwrap_or(0);
    if !(0..=255).contains(&lun) {
        let text = validation::range_error(0, 255);
        errors.push(Error::invalid(&path.child("lun"), lun, &text));
    }
    let initiator = source.str_at(&["initiatorName"]);
    if !initiator.is_empty() && !is_iscsi_name(initiator) {
        let known = ["iqn", "eui", "naa"].iter().any(|prefix| initiator.starts_with(prefix));
        let text = if known {
            "must be valid format"
        } else {
            "must be valid format starting with iqn, eui, or naa"
        };
        errors.push(Error::invalid(&path.child("initiatorname"), initiator, text));
    }
}

/// `host:port`, several of them with commas between.
fn quobyte(source: &Value, path: &Path, errors: &mut ErrorList) {
    const FORM: &str = "must be a host:port pair or multiple pairs separated by commas";
    let path = path.child("registry");
    let registry = source.str_at(&["registry"]);
    if registry.is_empty() {
        errors.push(Error::required(&path, FORM));
        return;
    }
    let pair = |text: &str| text.split_once(':').is_some_and(|(_, port)| !port.contains(':'));
    if !registry.split(',').all(pair) {
        errors.push(Error::invalid(&path, registry, FORM));
    }
}

fn flocker(source: &Value, path: &Path, errors: &mut ErrorList) {
    let (name, id) = (source.str_at(&["datasetName"]), source.str_at(&["datasetUUID"]));
    if name.is_empty() && id.is_empty() {
        let text = "one of datasetName and datasetUUID is required";
        errors.push(Error::required(path, text));
    }
    if !name.is_empty() && !id.is_empty() {
        let text = "datasetName and datasetUUID can not be specified simultaneously";
        errors.push(Error::invalid(path, "resource", text));
    }
    if name.contains('/') {
        errors.push(Error::invalid(&path.child("datasetName"), name, "must not contain '/'"));
    }
}

fn fibre_channel(source: &Value, path: &Path, errors: &mut ErrorList) {
    let [names, ids] = ["targetWWNs", "wwids"].map(|field| !source.list_at(&[field]).is_empty());
    if names == ids {
        let path = path.child("targetWWNs");
        if names {
            let text = "targetWWNs and wwids can not be specified simultaneously";
            errors.push(Error::invalid(&path, source["targetWWNs"].clone(), text));
        } else {
            let text = "must specify either targetWWNs or wwids, but not both";
            errors.push(Error::required(&path, text));
        }
    }
    if names && source.int_at(&["lun"]).is_none() {
        let text = "lun is required if targetWWNs is specified";
        errors.push(Error::required(&path.child("lun"), text));
    }
}

fn host_path(source: &Value, path: &Path, errors: &mut ErrorList) {
    let host_path = source.str_at(&["path"]);
    checks::no_backsteps(host_path, &path.child("path"), errors);
    let supported = [
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ];
    checks::one_of(source, path, "type", &supported, errors);
}

fn mode(value: Option<i64>, path: &Path, errors: &mut ErrorList) {
    if let Some(mode) = value.filter(|mode| !(0..=0o777).contains(mode)) {
        errors.push(Error::invalid(path, mode, FILE_MODE));
    }
}

fn default_mode(source: &Value, path: &Path, errors: &mut ErrorList) {
    mode(source.int_at(&["defaultMode"]), &path.child("defaultMode"), errors);
}

fn key_paths(source: &Value, path: &Path, errors: &mut ErrorList) {
    for (index, item) in source.list_at(&["items"]).iter().enumerate() {
        let path = path.child("items").index(index);
        checks::required(item, &path, "key", errors);
        if checks::required(item, &path, "path", errors) {
            local_file(item.str_at(&["path"]), &path.child("path"), errors);
        }
        mode(item.int_at(&["mode"]), &path.child("mode"), errors);
    }
}

fn local_file(text: &str, path: &Path, errors: &mut ErrorList) {
    checks::descending_path(text, path, errors);
    if text.starts_with("..") && !text.starts_with("../") && text != ".." {
        errors.push(Error::invalid(path, text, "must not start with '..'"));
    }
}

fn downward_files(source: &Value, path: &Path, errors: &mut ErrorList) {
    for item in source.list_at(&["items"]) {
        // Upstream does not give the index here.
        if checks::required(item, path, "path", errors) {
            local_file(item.str_at(&["path"]), &path.child("path"), errors);
        }
        let field = item.get("fieldRef").filter(|value| !value.is_null());
        let resource = item.get("resourceFieldRef").filter(|value| !value.is_null());
        match (field, resource) {
            (Some(_), Some(_)) => {
                let text = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.push(Error::invalid(path, "resource", text));
            }
            (Some(field), None) => {
                field_reference(field, FIELDS, &path.child("fieldRef"), errors);
            }
            (None, Some(resource)) => {
                let path = path.child("resourceFieldRef");
                checks::required(resource, &path, "containerName", errors);
                checks::required(resource, &path, "resource", errors);
            }
            (None, None) => {
                let text = "one of fieldRef and resourceFieldRef is required";
                errors.push(Error::required(&path.child("fieldRef"), text));
            }
        }
        mode(item.int_at(&["mode"]), &path.child("mode"), errors);
    }
}

fn projected(source: &Value, path: &Path, errors: &mut ErrorList) {
    default_mode(source, path, errors);
    let list = path.child("sources");
    for (index, part) in source.list_at(&["sources"]).iter().enumerate() {
        let path = list.index(index);
        let kinds = ["secret", "configMap", "downwardAPI", "serviceAccountToken"];
        let given = kinds.iter().filter(|kind| checks::is_set(part, kind)).count();
        for kind in ["secret", "configMap"] {
            if let Some(part) = part.get(kind).filter(|value| !value.is_null()) {
                let path = path.child(kind);
                checks::required(part, &path, "name", errors);
                key_paths(part, &path, errors);
            }
        }
        if let Some(part) = part.get("downwardAPI").filter(|value| !value.is_null()) {
            downward_files(part, &path.child("downwardAPI"), errors);
        }
        if let Some(part) = part.get("serviceAccountToken").filter(|value| !value.is_null()) {
            token_file(part, &path.child("serviceAccountToken"), errors);
        }
        if given > 1 {
            errors.push(Error::forbidden(&path, "may not specify more than 1 volume type"));
        }
    }
}

/// Deviation: 3.11 has the feature `TokenRequestProjection` switched off and refuses the source.
fn token_file(part: &Value, path: &Path, errors: &mut ErrorList) {
    const SHORTEST: i64 = 600;
    if checks::required(part, path, "path", errors) {
        checks::descending_path(part.str_at(&["path"]), &path.child("path"), errors);
    }
    let path = path.child("expirationSeconds");
    match part.int_at(&["expirationSeconds"]).unwrap_or(SHORTEST) {
        seconds if seconds < SHORTEST => {
            let text = "may not specify a duration less than 10 minutes";
            errors.push(Error::invalid(&path, seconds, text));
        }
        seconds if seconds > 1 << 32 => {
            let text = "may not specify a duration larger than 2^32 seconds";
            errors.push(Error::invalid(&path, seconds, text));
        }
        _ => {}
    }
}

/// Whether a claim's or quota's access mode is known.
pub(super) fn access_modes(spec: &Value, path: &Path, none: &str, errors: &mut ErrorList) {
    let supported = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce"];
    let path = path.child("accessModes");
    let modes = spec.list_at(&["accessModes"]);
    if modes.is_empty() {
        errors.push(Error::required(&path, none));
    }
    for mode in modes.iter().filter_map(Value::as_str) {
        if !supported.contains(&mode) {
            errors.push(Error::not_supported(&path, mode, &supported));
        }
    }
}

/// A name of a volume that a claim is bound to.
pub(super) fn volume_name(text: &str, path: &Path, errors: &mut ErrorList) {
    if !text.is_empty() {
        checks::invalid(path, text, &validation::dns1123_subdomain(text), errors);
    }
}
