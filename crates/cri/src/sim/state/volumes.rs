//! The files of pods' volumes, for commands that look at them.
//!
//! Deviation: scratch volumes are not shared between containers, and files that go away in an update
//! stay in containers in which a command has run before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::shell::Files;
use super::State;
use crate::config::{FileEntry, Mount, PodVolume, VolumeSource};
use crate::runtime::{Error, Reply, Ticket};

/// Puts the `inside` of a volume where `mount` says.
pub(super) fn mount(files: &Files, mount: &Mount, inside: &[FileEntry]) {
    let below = mount.sub_path.trim_matches('/');
    files.put_directory(&mount.path);
    for file in inside {
        let rest = match file.path.trim_matches('/').strip_prefix(below) {
            Some("") => "",
            Some(rest) if below.is_empty() => rest,
            Some(rest) if rest.starts_with('/') => &rest[1..],
            _ => continue,
        };
        let path = format!("{}/{rest}", mount.path.trim_end_matches('/'));
        files.put(path.trim_end_matches('/'), &file.data);
    }
}

/// What a container with these mounts finds at its start.
pub(super) fn seen(mounts: &[Mount], volumes: Option<&BTreeMap<String, Vec<FileEntry>>>) -> Files {
    let files = Files::default();
    for at in mounts {
        let inside = volumes.and_then(|all| all.get(&at.volume));
        mount(&files, at, inside.map_or(&[], Vec::as_slice));
    }
    files
}

impl State {
    /// The volumes that have files, with equal contents kept once.
    pub(super) fn kept(&mut self, volumes: Vec<PodVolume>) -> BTreeMap<String, Vec<FileEntry>> {
        let mut kept = BTreeMap::new();
        for volume in volumes {
            if let VolumeSource::Files(files) = volume.source {
                kept.insert(volume.name, self.shared(files));
            }
        }
        kept
    }

    fn shared(&mut self, mut files: Vec<FileEntry>) -> Vec<FileEntry> {
        for file in &mut files {
            match self.contents.get(&file.data) {
                Some(known) => file.data = Arc::clone(known),
                None => drop(self.contents.insert(Arc::clone(&file.data))),
            }
        }
        files
    }

    pub(super) fn write_volume(
        &mut self,
        ticket: Ticket,
        sandbox: &str,
        volume: &str,
        files: Vec<FileEntry>,
    ) {
        let files = self.shared(files);
        let after = self.jittered(20);
        let Some(home) = self.sandboxes.get_mut(sandbox) else {
            let result = Err(Error::NoSuchContainer(sandbox.to_owned()));
            return self.done(ticket, Duration::ZERO, result);
        };
        for container in home.containers.iter().filter_map(|id| self.containers.get(id)) {
            // A subPath keeps what it was mounted with.
            let whole = |mount: &&Mount| mount.volume == volume && mount.sub_path.is_empty();
            for at in container.config.part.mounts.iter().filter(whole) {
                if let Some(seen) = &container.files {
                    mount(seen, at, &files);
                }
            }
        }
        home.volumes.insert(volume.to_owned(), files);
        self.done(ticket, after, Ok(Reply::Done));
    }

    /// The first volume that cannot be set up, by what the simulated host was told to have.
    pub(super) fn refused_volume(&self, volumes: &[PodVolume]) -> Option<Error> {
        volumes.iter().find_map(|volume| {
            let VolumeSource::HostPath { path, kind } = &volume.source else { return None };
            let found = self.host_paths.get(path)?.as_str();
            let what = match kind.as_str() {
                "DirectoryOrCreate" | "FileOrCreate" if found.is_empty() => return None,
                "Directory" | "DirectoryOrCreate" => "directory",
                "File" | "FileOrCreate" => "file",
                "Socket" => "socket file",
                "CharDevice" => "character device",
                "BlockDevice" => "block device",
                _ => return None,
            };
            let message = format!("hostPath type check failed: {path} is not a {what}");
            (found != what).then(|| Error::Volume { volume: volume.name.clone(), message })
        })
    }

    pub(in super::super) fn set_host_path(&mut self, path: &str, what: &str) {
        self.host_paths.insert(path.to_owned(), what.to_owned());
    }
}
