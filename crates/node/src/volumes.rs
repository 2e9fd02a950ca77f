//! Volumes: what must exist before a pod starts, and what a container mounts.
//!
//! Deviation: secret, configMap, downwardAPI and projected files are those of the moment at which the
//! container was created; later changes reach a running container only with its next restart.
//! Deviation: two subPaths of one emptyDir are two separate scratch directories.

use apimachinery::ObjectExt as _;
use cri::{FileEntry, Mount, MountSource};
use serde_json::Value;

use crate::env::{Error, Place, Source, contents, field_value, resource_value};

/// A volume that cannot be set up, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Volume name in the pod.
    pub volume: String,
    /// Why.
    pub message: String,
}

/// The volumes of `pod` that cannot be set up now.
#[must_use]
pub fn failures(pod: &Value, source: &dyn Source) -> Vec<Failure> {
    let check = |volume: &Value| {
        let message = content(pod, volume, Place::default(), source).err()?;
        Some(Failure { volume: volume.str_at(&["name"]).to_owned(), message })
    };
    pod.list_at(&["spec", "volumes"]).iter().filter_map(check).collect()
}

/// What `container` of `pod` mounts. Mounts of volumes that do not exist are left out (validation
/// refuses such pods).
#[must_use]
pub fn mounts(pod: &Value, container: &Value, place: Place<'_>, source: &dyn Source) -> Vec<Mount> {
    let volumes = pod.list_at(&["spec", "volumes"]);
    let mount = |mount: &Value| {
        let name = mount.str_at(&["name"]);
        let volume = volumes.iter().find(|volume| volume.str_at(&["name"]) == name)?;
        let content = content(pod, volume, place, source).ok()?;
        Some(Mount {
            source: below(content, mount.str_at(&["subPath"])),
            path: mount.str_at(&["mountPath"]).to_owned(),
            read_only: mount.bool_at(&["readOnly"]),
        })
    };
    container.list_at(&["volumeMounts"]).iter().filter_map(mount).collect()
}

/// The part of a volume below `sub_path`.
fn below(content: MountSource, sub_path: &str) -> MountSource {
    let sub_path = sub_path.trim_matches('/');
    if sub_path.is_empty() {
        return content;
    }
    match content {
        MountSource::HostPath(path) => MountSource::HostPath(format!("{path}/{sub_path}")),
        MountSource::EmptyDir { volume, memory } => {
            MountSource::EmptyDir { volume: format!("{volume}/{sub_path}"), memory }
        }
        MountSource::Files(files) => {
            let inside = files.into_iter().filter_map(|mut file| {
                let rest = file.path.strip_prefix(sub_path)?;
                let rest = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
                file.path = rest.to_owned();
                Some(file)
            });
            MountSource::Files(inside.collect())
        }
    }
}

fn content(
    pod: &Value,
    volume: &Value,
    place: Place<'_>,
    source: &dyn Source,
) -> Result<MountSource, String> {
    if let Some(host_path) = volume.at(&["hostPath"]) {
        return Ok(MountSource::HostPath(host_path.str_at(&["path"]).to_owned()));
    }
    for kind in ["secret", "configMap", "downwardAPI"] {
        if let Some(described) = volume.at(&[kind]) {
            let mode = mode(described.at(&["defaultMode"]), 0o644);
            return files(pod, kind, described, mode, place, source).map(MountSource::Files);
        }
    }
    if let Some(projected) = volume.at(&["projected"]) {
        let mode = mode(projected.at(&["defaultMode"]), 0o644);
        let mut all = Vec::new();
        for part in projected.list_at(&["sources"]) {
            for kind in ["secret", "configMap", "downwardAPI"] {
                if let Some(described) = part.at(&[kind]) {
                    all.extend(files(pod, kind, described, mode, place, source)?);
                }
            }
        }
        return Ok(MountSource::Files(all));
    }
    let kind = volume.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    match kind.filter(|key| *key != "name").collect::<Vec<_>>().as_slice() {
        [] | ["emptyDir"] => Ok(MountSource::EmptyDir {
            volume: volume.str_at(&["name"]).to_owned(),
            memory: volume.str_at(&["emptyDir", "medium"]) == "Memory",
        }),
        other => Err(format!("volume source {} is not supported by this node", other.join(", "))),
    }
}

fn mode(value: Option<&Value>, default: u32) -> u32 {
    value.and_then(Value::as_u64).and_then(|mode| u32::try_from(mode).ok()).unwrap_or(default)
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
        return downward_files(pod, described, default_mode, place);
    }
    // A projection names its secret by `name`, a volume by `secretName`.
    let by_name = described.str_at(&["name"]);
    let name = if by_name.is_empty() { described.str_at(&["secretName"]) } else { by_name };
    let optional = described.bool_at(&["optional"]);
    let (object, resource, word) = match kind {
        "secret" => (source.secret(name), "secrets", "secret"),
        _ => (source.config_map(name), "configmaps", "config"),
    };
    let Some(object) = object else {
        return if optional {
            Ok(Vec::new())
        } else {
            Err(format!("{resource} {name:?} not found"))
        };
    };
    let mut contents = contents(&object);
    let items = described.list_at(&["items"]);
    if items.is_empty() {
        let file = |(path, data)| FileEntry { path, mode: default_mode, data };
        return Ok(contents.into_iter().map(file).collect());
    }
    let mut files = Vec::new();
    for item in items {
        let key = item.str_at(&["key"]);
        match contents.remove(key) {
            Some(data) => files.push(FileEntry {
                path: item.str_at(&["path"]).to_owned(),
                mode: mode(item.at(&["mode"]), default_mode),
                data,
            }),
            None if optional => {}
            None => return Err(format!("references non-existent {word} key: {key}")),
        }
    }
    Ok(files)
}

fn downward_files(
    pod: &Value,
    described: &Value,
    default_mode: u32,
    place: Place<'_>,
) -> Result<Vec<FileEntry>, String> {
    let file = |item: &Value| {
        let text = match item.at(&["resourceFieldRef"]) {
            Some(field) => Ok(resource_value(pod, &Value::Null, field)),
            None => field_value(pod, item.str_at(&["fieldRef", "fieldPath"]), place),
        };
        Ok(FileEntry {
            path: item.str_at(&["path"]).to_owned(),
            mode: mode(item.at(&["mode"]), default_mode),
            data: text.map_err(|error: Error| error.to_string())?.into_bytes(),
        })
    };
    described.list_at(&["items"]).iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    struct Objects;

    impl Source for Objects {
        fn config_map(&self, name: &str) -> Option<Arc<Value>> {
            (name == "settings")
                .then(|| Arc::new(json!({"kind": "ConfigMap", "data": {"a.conf": "x", "b": "y"}})))
        }
        fn secret(&self, name: &str) -> Option<Arc<Value>> {
            (name == "key")
                .then(|| Arc::new(json!({"kind": "Secret", "data": {"token": "c2VjcmV0"}})))
        }
        fn services(&self) -> Vec<Arc<Value>> {
            Vec::new()
        }
    }

    fn check(volume: &Value, sub_path: &str) -> Result<MountSource, String> {
        let pod = json!({"metadata": {"labels": {"app": "web"}}});
        content(&pod, volume, Place::default(), &Objects).map(|c| below(c, sub_path))
    }

    #[test]
    fn files_come_from_the_objects() {
        let entry = |path: &str, mode: u32, data: &str| FileEntry {
            path: path.to_owned(),
            mode,
            data: data.into(),
        };
        let volume = json!({"name": "v", "configMap": {"name": "settings", "items": [{"key": "b", "path": "d/b", "mode": 256}]}});
        assert_eq!(check(&volume, ""), Ok(MountSource::Files(vec![entry("d/b", 0o400, "y")])));
        let volume = json!({"name": "v", "configMap": {"name": "settings"}});
        assert_eq!(check(&volume, "a.conf"), Ok(MountSource::Files(vec![entry("", 0o644, "x")])));
        let volume = json!({"name": "v", "secret": {"secretName": "key", "defaultMode": 288}});
        assert_eq!(
            check(&volume, ""),
            Ok(MountSource::Files(vec![entry("token", 0o440, "secret")]))
        );
        let volume = json!({"name": "v", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}});
        assert_eq!(
            check(&volume, ""),
            Ok(MountSource::Files(vec![entry("l", 0o644, "app=\"web\"")]))
        );
    }

    #[test]
    fn what_is_missing_is_said_in_upstreams_words() {
        for (volume, message) in [
            (json!({"name": "v", "secret": {"secretName": "no"}}), "secrets \"no\" not found"),
            (json!({"name": "v", "configMap": {"name": "no"}}), "configmaps \"no\" not found"),
            (
                json!({"name": "v", "secret": {"secretName": "key", "items": [{"key": "k"}]}}),
                "references non-existent secret key: k",
            ),
        ] {
            assert_eq!(check(&volume, ""), Err(message.to_owned()));
        }
        let optional = json!({"name": "v", "secret": {"secretName": "no", "optional": true}});
        assert_eq!(check(&optional, ""), Ok(MountSource::Files(Vec::new())));
    }
}
