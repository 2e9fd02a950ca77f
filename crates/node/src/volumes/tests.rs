//! What volumes hold, and what is said about those that cannot be set up.

use std::sync::Arc;

use apimachinery::json;

use super::*;

struct Objects;

impl Source for Objects {
    fn config_map(&self, name: &str) -> Option<Arc<Value>> {
        (name == "settings")
            .then(|| Arc::new(json!({"kind": "ConfigMap", "data": {"a.conf": "x", "b": "y"}})))
    }
    fn secret(&self, name: &str) -> Option<Arc<Value>> {
        (name == "key").then(|| Arc::new(json!({"kind": "Secret", "data": {"token": "c2VjcmV0"}})))
    }
    fn services(&self) -> Vec<Arc<Value>> {
        Vec::new()
    }
    fn claim(&self, name: &str) -> Option<Arc<Value>> {
        let bound = json!({"spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}});
        match name {
            "bound" => Some(Arc::new(bound)),
            "waits" => Some(Arc::new(json!({"status": {"phase": "Pending"}}))),
            _ => None,
        }
    }
    fn persistent_volume(&self, _: &str) -> Option<Arc<Value>> {
        Some(Arc::new(json!({"spec": {"hostPath": {"path": "/srv/pv"}}})))
    }
}

fn check(volume: &Value) -> Result<VolumeSource, String> {
    let pod = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "1500m"}}}]},
    });
    content(&pod, volume, Place { allocatable: (4000, 1 << 30), ..Place::default() }, &Objects)
}

fn files(entries: &[(&str, u32, &str)]) -> Result<VolumeSource, String> {
    let entry = |(path, mode, data): &(&str, u32, &str)| FileEntry {
        path: (*path).to_owned(),
        mode: *mode,
        data: data.as_bytes().into(),
    };
    Ok(VolumeSource::Files(entries.iter().map(entry).collect()))
}

#[test]
fn files_come_from_the_objects() {
    let items = json!([{"key": "b", "path": "d/b", "mode": 256}]);
    for (volume, expected) in [
        (json!({"configMap": {"name": "settings", "items": items}}), files(&[("d/b", 0o400, "y")])),
        (
            json!({"configMap": {"name": "settings"}}),
            files(&[("a.conf", 0o644, "x"), ("b", 0o644, "y")]),
        ),
        (
            json!({"secret": {"secretName": "key", "defaultMode": 288}}),
            files(&[("token", 0o440, "secret")]),
        ),
        (
            json!({"downwardAPI": {"items": [
                {"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}},
                {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}},
                {"path": "mem", "resourceFieldRef":
                    {"containerName": "c", "resource": "limits.memory", "divisor": "1Mi"}},
            ]}}),
            files(&[("l", 0o644, "app=\"web\""), ("cpu", 0o644, "2"), ("mem", 0o644, "1024")]),
        ),
        (
            json!({"projected": {"sources": [
                {"secret": {"name": "key"}},
                {"configMap": {"name": "settings", "items": [{"key": "b", "path": "token"}]}},
                {"configMap": {"name": "none", "optional": true}},
            ]}}),
            files(&[("token", 0o644, "y")]),
        ),
        (json!({"secret": {"secretName": "no", "optional": true}}), files(&[])),
    ] {
        assert_eq!(check(&volume), expected, "{volume}");
    }
}

#[test]
fn other_sources() {
    let host = |path: &str, kind: &str| {
        Ok(VolumeSource::HostPath { path: path.to_owned(), kind: kind.to_owned() })
    };
    let lasting = Ok(VolumeSource::Lasting { name: "data".to_owned() });
    for (volume, expected) in [
        (json!({"name": "v"}), Ok(VolumeSource::Scratch { memory: false })),
        (json!({"emptyDir": {"medium": "Memory"}}), Ok(VolumeSource::Scratch { memory: true })),
        (json!({"hostPath": {"path": "/x", "type": "Socket"}}), host("/x", "Socket")),
        (
            json!({"persistentVolumeClaim": {"claimName": "bound"}}),
            host("/srv/pv", "DirectoryOrCreate"),
        ),
        (json!({"persistentVolumeClaim": {"claimName": "waits"}}), Err(String::new())),
        (json!({"persistentVolumeClaim": {"claimName": "none"}}), Err(String::new())),
        (
            json!({"flexVolume": {"driver": ENGINE_VOLUME_DRIVER, "options": {"name": "data"}}}),
            lasting.clone(),
        ),
        (json!({"csi": {"driver": ENGINE_VOLUME_DRIVER, "volumeHandle": "data"}}), lasting),
        (
            json!({"gitRepo": {"repository": "x"}}),
            Err("volume source gitRepo is not supported by this node".to_owned()),
        ),
    ] {
        assert_eq!(check(&volume), expected, "{volume}");
    }
}

#[test]
fn what_is_missing_is_said_in_upstreams_words() {
    for (volume, message) in [
        (json!({"secret": {"secretName": "no"}}), "secrets \"no\" not found"),
        (json!({"configMap": {"name": "no"}}), "configmaps \"no\" not found"),
        (
            json!({"secret": {"secretName": "key", "items": [{"key": "k"}]}}),
            "references non-existent secret key: k",
        ),
        (
            json!({"configMap": {"name": "settings", "items": [{"key": "k"}]}}),
            "references non-existent config key: k",
        ),
    ] {
        assert_eq!(check(&volume), Err(message.to_owned()));
    }
}

#[test]
fn a_container_mounts_what_it_names() {
    let pod = json!({"spec": {"volumes": [
        {"name": "conf", "configMap": {"name": "settings"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "c", "readOnly": true}},
        {"name": "tmp"},
    ]}});
    let container = json!({"volumeMounts": [
        {"name": "conf", "mountPath": "/etc/app", "subPath": "a.conf/"},
        {"name": "data", "mountPath": "/data", "mountPropagation": "HostToContainer"},
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "none", "mountPath": "/none"},
    ]});
    let mounts = mounts(&pod, &container);
    let shown: Vec<String> = mounts
        .iter()
        .map(|m| {
            format!("{} {} {} {} {}", m.volume, m.sub_path, m.path, m.read_only, m.propagation)
        })
        .collect();
    assert_eq!(
        shown,
        ["conf a.conf /etc/app true ", "data  /data true rslave", "tmp  /tmp false "]
    );
}
