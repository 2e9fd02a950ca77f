//! Volumes: what must exist before a pod starts, what its sandbox brings along, and what a container
//! mounts of it.
//!
//! Mirrors: `pkg/volume/{configmap,secret,downwardapi,projected,host_path}`.
//! Deviation: `gitRepo`, network file systems and cloud disks are not supported by this node; a pod
//! that asks for one waits with a `FailedMount` event that says so.

use std::collections::BTreeMap;
use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use cri::{FileEntry, Mount, PodVolume, VolumeSource};

use crate::env::{Error, Place, Source, contents, field_value, resource_value};

/// The driver of flexVolume and CSI volumes that are volumes of the container engine.
pub const ENGINE_VOLUME_DRIVER: &str = "rehearse.io/volume";

/// A volume that cannot be set up, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Volume name in the pod.
    pub volume: String,
    /// Why; empty for a claim that nobody has filled yet, which is waited for in silence.
    pub message: String,
}

/// The volumes of `pod`, or those that cannot be set up now.
///
/// # Errors
/// The volumes that cannot be set up.
pub fn pod_volumes(
    pod: &Value,
    place: Place<'_>,
    source: &dyn Source,
) -> Result<Vec<PodVolume>, Vec<Failure>> {
    let (mut volumes, mut failures) = (Vec::new(), Vec::new());
    for volume in pod.list_at(&["spec", "volumes"]) {
        let name = volume.str_at(&["name"]).to_owned();
        match content(pod, volume, place, source) {
            Ok(source) => volumes.push(PodVolume { name, source }),
            Err(message) => failures.push(Failure { volume: name, message }),
        }
    }
    if failures.is_empty() { Ok(volumes) } else { Err(failures) }
}

/// The volumes of `pod` whose content follows the cluster's objects, as far as they can be read.
#[must_use]
pub fn live_volumes(pod: &Value, place: Place<'_>, source: &dyn Source) -> Vec<PodVolume> {
    let live = |volume: &&Value| {
        ["secret", "configMap", "downwardAPI", "projected"]
            .iter()
            .any(|kind| volume.at(&[kind]).is_some())
    };
    let volumes = pod.list_at(&["spec", "volumes"]).iter().filter(live);
    volumes
        .filter_map(|volume| {
            let source = content(pod, volume, place, source).ok()?;
            Some(PodVolume { name: volume.str_at(&["name"]).to_owned(), source })
        })
        .collect()
}

/// What `container` of `pod` mounts. Mounts of volumes that do not exist are left out (validation
/// refuses such pods).
#[must_use]
pub fn mounts(pod: &Value, container: &Value) -> Vec<Mount> {
    let volumes = pod.list_at(&["spec", "volumes"]);
    let mount = |mount: &Value| {
        let name = mount.str_at(&["name"]);
        let volume = volumes.iter().find(|volume| volume.str_at(&["name"]) == name)?;
        let kept = volume.bool_at(&["persistentVolumeClaim", "readOnly"]);
        let files = ["secret", "configMap", "downwardAPI", "projected"];
        let written_by_us = files.iter().any(|kind| volume.at(&[kind]).is_some());
        Some(Mount {
            volume: name.to_owned(),
            sub_path: mount.str_at(&["subPath"]).trim_matches('/').to_owned(),
            path: mount.str_at(&["mountPath"]).to_owned(),
            read_only: mount.bool_at(&["readOnly"]) || kept || written_by_us,
            propagation: match mount.str_at(&["mountPropagation"]) {
                "HostToContainer" => "rslave".to_owned(),
                "Bidirectional" => "rshared".to_owned(),
                _ => String::new(),
            },
        })
    };
    container.list_at(&["volumeMounts"]).iter().filter_map(mount).collect()
}

fn content(
    pod: &Value,
    volume: &Value,
    place: Place<'_>,
    source: &dyn Source,
) -> Result<VolumeSource, String> {
    if let Some(path) = volume.at(&["hostPath"]) {
        return Ok(host_path(path));
    }
    for kind in ["secret", "configMap", "downwardAPI"] {
        if let Some(described) = volume.at(&[kind]) {
            let mode = mode(described.at(&["defaultMode"]), 0o644);
            let files = clean(files(pod, kind, described, mode, place, source)?)?;
            return Ok(VolumeSource::Files(grouped(pod, files)));
        }
    }
    if let Some(projected) = volume.at(&["projected"]) {
        let mode = mode(projected.at(&["defaultMode"]), 0o644);
        let sources = projected.list_at(&["sources"]);
        let files = clean(projection(pod, sources, mode, place, source)?)?;
        return Ok(VolumeSource::Files(grouped(pod, files)));
    }
    if let Some(claim) = volume.at(&["persistentVolumeClaim"]) {
        return claimed(claim.str_at(&["claimName"]), source);
    }
    let kind = volume.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    match kind.filter(|key| *key != "name").collect::<Vec<_>>().as_slice() {
        [] | ["emptyDir"] => {
            let memory = volume.str_at(&["emptyDir", "medium"]) == "Memory";
            Ok(VolumeSource::Scratch { memory })
        }
        other => of_the_engine(volume).ok_or_else(|| {
            format!("volume source {} is not supported by this node", other.join(", "))
        }),
    }
}

fn host_path(described: &Value) -> VolumeSource {
    VolumeSource::HostPath {
        path: described.str_at(&["path"]).to_owned(),
        kind: described.str_at(&["type"]).to_owned(),
    }
}

/// A volume of the container engine, by the name that its driver is told.
fn of_the_engine(volume: &Value) -> Option<VolumeSource> {
    let flex = volume.at(&["flexVolume"]).filter(|flex| {
        let driver = flex.str_at(&["driver"]);
        driver == ENGINE_VOLUME_DRIVER
    });
    let csi = volume.at(&["csi"]).filter(|csi| csi.str_at(&["driver"]) == ENGINE_VOLUME_DRIVER);
    let name = match (flex, csi) {
        (Some(flex), _) => flex.str_at(&["options", "name"]),
        (None, Some(csi)) => csi.str_at(&["volumeHandle"]),
        (None, None) => return None,
    };
    Some(VolumeSource::Lasting { name: name.to_owned() })
}

/// The volume behind a claim. The error is empty while the claim is not bound.
fn claimed(claim: &str, source: &dyn Source) -> Result<VolumeSource, String> {
    let Some(claim) = source.claim(claim) else { return Err(String::new()) };
    let name = claim.str_at(&["spec", "volumeName"]);
    if name.is_empty() || claim.str_at(&["status", "phase"]) != "Bound" {
        return Err(String::new());
    }
    let Some(volume) = source.persistent_volume(name) else { return Err(String::new()) };
    if let Some(path) = volume.at(&["spec", "hostPath"]) {
        let kind = match path.str_at(&["type"]) {
            // A provisioned directory comes into being with its first use.
            "" => "DirectoryOrCreate",
            kind => kind,
        };
        return Ok(VolumeSource::HostPath {
            path: path.str_at(&["path"]).to_owned(),
            kind: kind.to_owned(),
        });
    }
    if let Some(local) = volume.at(&["spec", "local"]) {
        let (path, kind) = (local.str_at(&["path"]).to_owned(), "Directory".to_owned());
        return Ok(VolumeSource::HostPath { path, kind });
    }
    let spec = volume.at(&["spec"]).unwrap_or(&Value::Null);
    of_the_engine(spec).ok_or_else(|| {
        format!("the source of persistent volume {name:?} is not supported by this node")
    })
}

/// With an `fsGroup` files can be read by that group.
fn grouped(pod: &Value, mut files: Vec<FileEntry>) -> Vec<FileEntry> {
    if pod.int_at(&["spec", "securityContext", "fsGroup"]).is_some() {
        files.iter_mut().for_each(|file| file.mode |= 0o440);
    }
    files
}

fn mode(value: Option<&Value>, default: u32) -> u32 {
    value.and_then(Value::as_u64).and_then(|mode| u32::try_from(mode).ok()).unwrap_or(default)
}

/// The files of a projected volume; a later source wins.
///
/// # Errors
/// Why the volume cannot be set up.
pub fn projection(
    pod: &Value,
    sources: &[Value],
    default_mode: u32,
    place: Place<'_>,
    source: &dyn Source,
) -> Result<Vec<FileEntry>, String> {
    let mut all = BTreeMap::new();
    for part in sources {
        for kind in ["secret", "configMap", "downwardAPI"] {
            if let Some(described) = part.at(&[kind]) {
                let files = files(pod, kind, described, default_mode, place, source)?;
                all.extend(files.into_iter().map(|file| (file.path.clone(), file)));
            }
        }
        if let Some(described) = part.at(&["serviceAccountToken"]) {
            let path = described.str_at(&["path"]).to_owned();
            let data = source.token(pod, described)?.into_bytes().into();
            all.insert(path.clone(), FileEntry { path, mode: default_mode, data });
        }
    }
    Ok(all.into_values().collect())
}

/// For how long a projected token is good.
#[must_use]
pub fn token_seconds(described: &Value) -> i64 {
    described.int_at(&["expirationSeconds"]).filter(|seconds| *seconds > 0).unwrap_or(3600)
}

/// How long the tokens that `pod` shows may stay before they are replaced: four fifths of the shortest
/// life, a day at most; nothing when it shows none.
///
/// Mirrors: `requiresRefresh` of `pkg/kubelet/token/token_manager.go`.
#[must_use]
pub fn token_rotation(pod: &Value) -> Option<Duration> {
    const DAY: i64 = 24 * 3600;
    let volumes = pod.list_at(&["spec", "volumes"]).iter();
    let sources = volumes.flat_map(|volume| volume.list_at(&["projected", "sources"]));
    let tokens = sources.filter_map(|source| source.at(&["serviceAccountToken"]));
    let shortest = tokens.map(token_seconds).min()?;
    let seconds = (shortest * 4 / 5).min(DAY);
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

fn files(
    pod: &Value,
    kind: &str,
    described: &Value,
    default_mode: u32,
    place: Place<'_>,
    source: &dyn Source,
) -> Result<Vec<FileEntry>, String> {
    if kind == "downwardAPI" {
        return downward_files(pod, described.list_at(&["items"]), default_mode, place);
    }
    // A projection names its secret by `name`, a volume by `secretName`.
    let by_name = described.str_at(&["name"]);
    let name = if by_name.is_empty() { described.str_at(&["secretName"]) } else { by_name };
    let optional = described.bool_at(&["optional"]);
    let (object, resource) = match kind {
        "secret" => (source.secret(name), "secrets"),
        _ => (source.config_map(name), "configmaps"),
    };
    let Some(object) = object else {
        return if optional {
            Ok(Vec::new())
        } else {
            Err(format!("{resource} {name:?} not found"))
        };
    };
    payload(kind, described.list_at(&["items"]), &object, default_mode, optional)
}

/// The files that `items` (all keys without any) make of a ConfigMap or Secret (`kind`).
///
/// Mirrors: `MakePayload` of `pkg/volume/configmap` and `pkg/volume/secret`.
///
/// # Errors
/// A key that is not there and not optional, and a path that leaves the volume.
pub fn payload(
    kind: &str,
    items: &[Value],
    object: &Value,
    default_mode: u32,
    optional: bool,
) -> Result<Vec<FileEntry>, String> {
    let contents = contents(object);
    if items.is_empty() {
        let file = |(path, data): (String, Vec<u8>)| FileEntry {
            path,
            mode: default_mode,
            data: data.into(),
        };
        return Ok(contents.into_iter().map(file).collect());
    }
    let word = if kind == "secret" { "secret" } else { "config" };
    let mut files = Vec::new();
    for item in items {
        let key = item.str_at(&["key"]);
        match contents.get(key) {
            Some(data) => files.push(FileEntry {
                path: item.str_at(&["path"]).to_owned(),
                mode: mode(item.at(&["mode"]), default_mode),
                data: data.as_slice().into(),
            }),
            None if optional => {}
            None => return Err(format!("references non-existent {word} key: {key}")),
        }
    }
    Ok(files)
}

/// Files with clean paths, each of which may lie in a volume.
///
/// Mirrors: `validatePayload` of `pkg/volume/util/atomic_writer.go`.
///
/// # Errors
/// A path that leaves the volume or is too long.
pub fn clean(files: Vec<FileEntry>) -> Result<Vec<FileEntry>, String> {
    let one = |mut file: FileEntry| {
        check_path(&file.path)?;
        let parts = file.path.split('/').filter(|part| !part.is_empty() && *part != ".");
        file.path = parts.collect::<Vec<_>>().join("/");
        Ok(file)
    };
    files.into_iter().map(one).collect()
}

/// Whether a file may lie at `path` below a volume.
///
/// Mirrors: `validatePath` of `pkg/volume/util/atomic_writer.go`.
///
/// # Errors
/// Why it may not.
pub fn check_path(path: &str) -> Result<(), String> {
    const LONGEST_PATH: usize = 4096;
    const LONGEST_NAME: usize = 255;
    if path.is_empty() {
        return Err(format!("invalid path: must not be empty: {path:?}"));
    }
    if path.starts_with('/') {
        return Err(format!("invalid path: must be relative path: {path}"));
    }
    if path.len() > LONGEST_PATH {
        return Err(format!(
            "invalid path: must be less than or equal to {LONGEST_PATH} characters"
        ));
    }
    for part in path.split('/') {
        if part == ".." {
            return Err(format!("invalid path: must not contain '..': {path}"));
        }
        if part.len() > LONGEST_NAME {
            return Err(format!(
                "invalid path: filenames must be less than or equal to {LONGEST_NAME} characters"
            ));
        }
    }
    if path.starts_with("..") {
        return Err(format!("invalid path: must not start with '..': {path}"));
    }
    Ok(())
}

/// The files of the downward API.
///
/// # Errors
/// A field that does not exist.
pub fn downward_files(
    pod: &Value,
    items: &[Value],
    default_mode: u32,
    place: Place<'_>,
) -> Result<Vec<FileEntry>, String> {
    let file = |item: &Value| {
        let text = match item.at(&["resourceFieldRef"]) {
            Some(field) => resource_value(pod, &Value::Null, field, place),
            None => field_value(pod, item.str_at(&["fieldRef", "fieldPath"]), place),
        };
        Ok(FileEntry {
            path: item.str_at(&["path"]).to_owned(),
            mode: mode(item.at(&["mode"]), default_mode),
            data: text.map_err(|error: Error| error.to_string())?.into_bytes().into(),
        })
    };
    items.iter().map(file).collect()
}

#[cfg(test)]
mod tests;
