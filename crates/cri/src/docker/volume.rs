//! The volumes of pods.
//!
//! A pod's sandbox mounts all volumes of its pod below [`ROOT`] for as long as the pod lives, and is
//! the way to their content: the engine unpacks archives into it. Besides, every pod has a directory
//! of its own for what the engine's host would keep of it: `/etc/hosts` and termination messages.
//!
//! Parts of a volume (a `subPath`, a single file of the pod's directory) are mounted by their path on
//! the engine's host.
//!
//! Invariant: scratch volumes carry the cluster's labels and go with the last sandbox of their pod.
//! Deviation: host paths are checked where this program runs, which is the engine's host unless the
//! engine runs in a virtual machine; names that are not in a volume any more stay as links that lead
//! nowhere.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt as _;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{RemoveVolumeOptionsBuilder, UploadToContainerOptionsBuilder};
use std::io::Read as _;

use super::archive::Archive;
use super::{Shared, error, ownership};
use crate::config::{FileEntry, Mount, PodSandboxConfig, PodVolume, VolumeSource};
use crate::runtime::{Error, Reply};

/// Where a sandbox has its pod's volumes.
pub(super) const ROOT: &str = "/k8s";
/// The pod's own directory; no volume of a pod can be called so.
const POD: &str = "_pod";
/// The most that is read of a termination message.
const MOST_MESSAGE: u16 = 4096;

/// The volumes of one pod by their names in the pod.
pub(super) type Places = BTreeMap<String, Place>;

/// Where the engine has a volume.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A volume of the engine: its name, its path on the host, and whether it goes with the pod.
    Volume { name: String, path: String, lasting: bool },
    /// A path of the host.
    Host(String),
}

impl Place {
    fn path(&self) -> &str {
        match self {
            Self::Volume { path, .. } | Self::Host(path) => path,
        }
    }

    /// What a bind of the whole volume begins with.
    fn whole(&self) -> &str {
        match self {
            Self::Volume { name, .. } => name,
            Self::Host(path) => path,
        }
    }
}

/// The engine's name of a pod's volume.
fn volume_name(uid: &str, volume: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' };
    format!("k8s_{}_{uid}", volume.chars().map(plain).collect::<String>())
}

/// Makes what `config` asks for; gives the sandbox's binds.
pub(super) async fn prepare(
    shared: &Shared,
    config: &PodSandboxConfig,
) -> Result<Vec<String>, Error> {
    let pod = (POD.to_owned(), VolumeSource::Scratch { memory: false });
    let all = config.volumes.iter().map(|volume| (volume.name.clone(), volume.source.clone()));
    let mut binds = Vec::new();
    for (name, source) in all.chain([pod]) {
        let known = shared.volumes.lock().get(&*config.uid).and_then(|all| all.get(&name).cloned());
        let place = match known {
            Some(place) => place,
            None => make(shared, &config.uid, &name, &source).await?,
        };
        binds.push(format!("{}:{ROOT}/{name}{}", place.whole(), options(&place, false, "")));
        shared.volumes.lock().entry(config.uid.to_string()).or_default().insert(name, place);
    }
    Ok(binds)
}

/// The options of a bind; the engine would copy an image's files into an empty volume of its own.
fn options(place: &Place, read_only: bool, propagation: &str) -> String {
    let copies = matches!(place, Place::Volume { .. });
    let words = [(read_only, "ro"), (copies, "nocopy"), (!propagation.is_empty(), propagation)];
    let words: Vec<&str> = words.into_iter().filter(|(set, _)| *set).map(|(_, w)| w).collect();
    if words.is_empty() { String::new() } else { format!(":{}", words.join(",")) }
}

async fn make(
    shared: &Shared,
    uid: &str,
    volume: &str,
    source: &VolumeSource,
) -> Result<Place, Error> {
    let (name, memory, lasting) = match source {
        VolumeSource::HostPath { path, kind } => {
            return match check(path, kind) {
                Ok(()) => Ok(Place::Host(path.clone())),
                Err(message) => Err(Error::Volume { volume: volume.to_owned(), message }),
            };
        }
        VolumeSource::Lasting { name } => (name.clone(), false, true),
        VolumeSource::Scratch { memory } => (volume_name(uid, volume), *memory, false),
        VolumeSource::Files(_) => (volume_name(uid, volume), false, false),
    };
    let tmpfs = [("type", "tmpfs"), ("device", "tmpfs"), ("o", "mode=1777")];
    let driver = tmpfs.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let request = VolumeCreateRequest {
        name: Some(name.clone()),
        driver_opts: memory.then(|| driver.into_iter().collect()),
        labels: Some(shared.labels().into_iter().collect()),
        ..VolumeCreateRequest::default()
    };
    let made = shared.docker.create_volume(request).await.map_err(error::from_engine)?;
    Ok(Place::Volume { name, path: made.mountpoint, lasting })
}

/// Whether `path` is of `kind`; makes what `…OrCreate` allows to make.
///
/// Mirrors: `pkg/volume/host_path/host_path.go`.
fn check(path: &str, kind: &str) -> Result<(), String> {
    let found = std::fs::metadata(path).map(|found| found.file_type());
    let failed = |error: std::io::Error| error.to_string();
    match (kind, &found) {
        ("DirectoryOrCreate", Err(_)) => return std::fs::create_dir_all(path).map_err(failed),
        ("FileOrCreate", Err(_)) => return std::fs::write(path, []).map_err(failed),
        _ => {}
    }
    let is = |wanted: fn(&std::fs::FileType) -> bool| found.as_ref().is_ok_and(wanted);
    let (fits, what) = match kind {
        "Directory" | "DirectoryOrCreate" => (is(std::fs::FileType::is_dir), "directory"),
        "File" | "FileOrCreate" => (is(std::fs::FileType::is_file), "file"),
        "Socket" => (is(|kind| kind.is_socket()), "socket file"),
        "CharDevice" => (is(|kind| kind.is_char_device()), "character device"),
        "BlockDevice" => (is(|kind| kind.is_block_device()), "block device"),
        _ => return Ok(()),
    };
    if fits { Ok(()) } else { Err(format!("hostPath type check failed: {path} is not a {what}")) }
}

pub(super) async fn upload(
    shared: &Shared,
    sandbox: &str,
    path: &str,
    archive: Archive,
) -> Result<(), Error> {
    let options = UploadToContainerOptionsBuilder::default().path(path).build();
    let body = bollard::body_full(archive.finish().into());
    let uploaded = shared.docker.upload_to_container(sandbox, Some(options), body).await;
    uploaded.map_err(error::from_engine)
}

/// A name for a version of a volume's files, as upstream forms it.
fn version(shared: &Shared) -> String {
    let now = shared.world.now().rfc3339_nano();
    now.trim_end_matches('Z').replace(['-', ':', 'T'], "_")
}

/// Writes the files of a sandbox that has just been started, and its `/etc/hosts`.
pub(super) async fn fill(
    shared: &Shared,
    sandbox: &str,
    config: &PodSandboxConfig,
    hosts: &str,
) -> Result<(), Error> {
    let group = config.fs_group.unwrap_or_default();
    let mut archive = Archive::new(group);
    for volume in &config.volumes {
        let path = volume.name.as_str();
        match &volume.source {
            VolumeSource::Files(files) => archive.version(path, &version(shared), files),
            VolumeSource::Scratch { .. } if config.attempt == 0 => {
                archive.directory(path, if config.fs_group.is_some() { 0o2777 } else { 0o777 });
            }
            _ => {}
        }
    }
    archive.file(&format!("{POD}/hosts"), 0o644, hosts.as_bytes());
    upload(shared, sandbox, ROOT, archive).await?;
    let Some(group) = config.fs_group else { return Ok(()) };
    let lasting = |volume: &&PodVolume| matches!(volume.source, VolumeSource::Lasting { .. });
    for volume in config.volumes.iter().filter(lasting) {
        ownership::give(shared, sandbox, &volume.name, group).await?;
    }
    Ok(())
}

/// Replaces the files of a volume.
pub(super) async fn write(
    shared: &Shared,
    sandbox: &str,
    volume: &str,
    files: &[FileEntry],
    fs_group: Option<u32>,
) -> Result<Reply, Error> {
    let mut archive = Archive::new(fs_group.unwrap_or_default());
    archive.version(volume, &version(shared), files);
    upload(shared, sandbox, ROOT, archive).await.map(|()| Reply::Done)
}

/// The bind of `mount` in a container of pod `uid`, whose `subPath` is made when it is not there.
pub(super) async fn bind(
    shared: &Shared,
    uid: &str,
    sandbox: &str,
    mount: &Mount,
) -> Result<String, Error> {
    let known = shared.volumes.lock().get(uid).and_then(|all| all.get(&mount.volume).cloned());
    let Some(place) = known else {
        let text = format!("the pod has no volume {:?}", mount.volume);
        return Err(Error::Engine(text));
    };
    let below = mount.sub_path.trim_matches('/');
    if below.is_empty() {
        let options = options(&place, mount.read_only, &mount.propagation);
        return Ok(format!("{}:{}{options}", place.whole(), mount.path));
    }
    let inside = format!("{ROOT}/{}", mount.volume);
    ownership::make_directory(shared, sandbox, &inside, below).await?;
    let host = Place::Host(format!("{}/{below}", place.path()));
    Ok(format!("{}:{}{}", host.path(), mount.path, options(&host, mount.read_only, "")))
}

/// A bind of file `name` of the pod's own directory; `None` for a pod without one.
pub(super) fn own_file(shared: &Shared, uid: &str, name: &str, path: &str) -> Option<String> {
    let volumes = shared.volumes.lock();
    let place = volumes.get(uid)?.get(POD)?;
    Some(format!("{}/{name}:{path}", place.path()))
}

/// Makes the empty file that a container's termination message goes into.
pub(super) async fn make_message(shared: &Shared, sandbox: &str, file: &str) -> Result<(), Error> {
    let mut archive = Archive::new(0);
    archive.file(file, 0o666, &[]);
    upload(shared, sandbox, &format!("{ROOT}/{POD}"), archive).await
}

/// What a container has left in its termination message's `file`.
pub(super) async fn message(shared: &Shared, sandbox: &str, file: &str) -> Option<String> {
    let path = format!("{ROOT}/{POD}/{file}");
    // Some blocks of header before the content.
    let most = usize::from(MOST_MESSAGE) + 2048;
    let bytes = ownership::beginning(shared, sandbox, &path, most).await.ok()?;
    let mut archive = tar::Archive::new(bytes.as_slice());
    let entry = archive.entries().ok()?.next()?.ok()?;
    let mut text = Vec::new();
    entry.take(MOST_MESSAGE.into()).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned()).filter(|text| !text.is_empty())
}

/// Removes the volumes that go with pod `uid`.
pub(super) async fn remove(shared: &Shared, uid: &str) {
    let places = shared.volumes.lock().remove(uid).unwrap_or_default();
    for (volume, place) in places {
        let Place::Volume { name, lasting: false, .. } = &place else { continue };
        let options = RemoveVolumeOptionsBuilder::default().build();
        if let Err(failed) = shared.docker.remove_volume(name, Some(options)).await
            && error::is_conflict(&failed)
        {
            // Still used by another sandbox of this pod; goes with that.
            shared.volumes.lock().entry(uid.to_owned()).or_default().insert(volume, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_paths_are_checked_by_kind() {
        let dir = std::env::temp_dir().join(format!("rehearse-host-path-{}", std::process::id()));
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let (file, sub) = (text(&dir.join("file")), text(&dir.join("a/b")));
        let dir = text(&dir);
        let refused = |path: &str, what: &str| {
            Err(format!("hostPath type check failed: {path} is not a {what}"))
        };
        assert_eq!(check(&dir, ""), Ok(()));
        assert_eq!(check(&dir, "Directory"), refused(&dir, "directory"));
        assert_eq!(check(&sub, "DirectoryOrCreate"), Ok(()));
        assert_eq!(check(&file, "File"), refused(&file, "file"));
        assert_eq!(check(&file, "FileOrCreate"), Ok(()));
        assert_eq!(check(&file, "Directory"), refused(&file, "directory"));
        assert_eq!(check(&file, "Socket"), refused(&file, "socket file"));
        assert_eq!(check("/dev/null", "CharDevice"), Ok(()));
        assert_eq!(check("/dev/null", "BlockDevice"), refused("/dev/null", "block device"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
