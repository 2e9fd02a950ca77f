//! Tar archives: files for containers, and images out of nothing.
//!
//! Invariant: same input, same bytes.

use std::collections::{BTreeMap, BTreeSet};

use apimachinery::json;

use crate::config::FileEntry;
use crate::digest::sha256_hex;

/// A tar archive in the making; parent directories are made as they are needed.
pub(super) struct Archive {
    builder: tar::Builder<Vec<u8>>,
    made: BTreeSet<String>,
    user: u32,
    group: u32,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("made", &self.made).finish_non_exhaustive()
    }
}

impl Archive {
    /// Nothing yet; all entries belong to root and `group`.
    pub(super) fn new(group: u32) -> Self {
        Self::owned(0, group)
    }

    /// Nothing yet; all entries belong to `user` and `group`.
    pub(super) fn owned(user: u32, group: u32) -> Self {
        let builder = tar::Builder::new(Vec::new());
        Self { builder, made: BTreeSet::new(), user, group }
    }

    fn parents(&mut self, path: &str) {
        for (slash, _) in path.match_indices('/') {
            if self.made.insert(path[..slash].to_owned()) {
                self.add(&path[..slash], tar::EntryType::Directory, 0o755, &[]);
            }
        }
    }

    pub(super) fn file(&mut self, path: &str, mode: u32, data: &[u8]) {
        let path = path.trim_matches('/');
        self.parents(path);
        self.add(path, tar::EntryType::Regular, mode, data);
    }

    pub(super) fn directory(&mut self, path: &str, mode: u32) {
        let path = path.trim_matches('/');
        self.parents(path);
        self.made.insert(path.to_owned());
        self.add(path, tar::EntryType::Directory, mode, &[]);
    }

    /// A symbolic link at `path` that says `target`.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        let path = path.trim_matches('/');
        self.parents(path);
        let mut header = self.header(tar::EntryType::Symlink, 0o777, 0);
        self.builder.append_link(&mut header, path, target).expect("writing to memory succeeds");
    }

    /// The files of a volume at `root` in a new version: its directory `..<version>`, `..data` that
    /// leads to it, and a link for every name at the top, so that a reader sees all of it or nothing.
    ///
    /// Mirrors: `pkg/volume/util/atomic_writer.go`.
    pub(super) fn version(&mut self, root: &str, version: &str, files: &[FileEntry]) {
        let root = root.trim_matches('/');
        self.directory(&format!("{root}/..{version}"), 0o755);
        for file in files {
            self.file(&format!("{root}/..{version}/{}", file.path), file.mode, &file.data);
        }
        self.link(&format!("{root}/..data"), &format!("..{version}"));
        let tops: BTreeSet<&str> =
            files.iter().filter_map(|file| file.path.trim_matches('/').split('/').next()).collect();
        for top in tops {
            self.link(&format!("{root}/{top}"), &format!("..data/{top}"));
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.builder.into_inner().expect("writing to memory succeeds")
    }

    fn header(&self, kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(u64::from(self.user));
        header.set_gid(u64::from(self.group));
        header.set_mtime(0);
        header.set_size(u64::try_from(size).expect("memory is smaller than 2^64"));
        header
    }

    fn add(&mut self, path: &str, kind: tar::EntryType, mode: u32, data: &[u8]) {
        let mut header = self.header(kind, mode, data.len());
        self.builder.append_data(&mut header, path, data).expect("writing to memory succeeds");
    }
}

/// A tar archive of `files` with their parent directories.
fn tar(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut archive = Archive::new(0);
    for (path, mode, data) in files {
        archive.file(path, *mode, data);
    }
    archive.finish()
}

/// What `docker load` reads: an image of one layer.
pub(super) fn image(
    tag: &str,
    files: &[(String, Vec<u8>)],
    entrypoint: &[&str],
    labels: &BTreeMap<String, String>,
    architecture: &str,
) -> Vec<u8> {
    let entries: Vec<(&str, u32, &[u8])> =
        files.iter().map(|(path, data)| (path.as_str(), 0o755, data.as_slice())).collect();
    let layer = tar(&entries);
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": entrypoint, "Labels": labels, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256_hex(&layer))]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "rehearse"}],
    })
    .to_string();
    let config_name = format!("{}.json", sha256_hex(config.as_bytes()));
    let manifest = json!([{"Config": config_name, "RepoTags": [tag], "Layers": ["layer.tar"]}]);
    tar(&[
        (&config_name, 0o644, config.as_bytes()),
        ("layer.tar", 0o644, &layer),
        ("manifest.json", 0o644, manifest.to_string().as_bytes()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_switched_to_its_new_version_by_one_link() {
        let file = |path: &str| FileEntry {
            path: path.to_owned(),
            mode: 0o640,
            data: b"x".as_slice().into(),
        };
        let mut made = Archive::new(7);
        made.version("/k8s/v/", "1", &[file("a/b"), file("c")]);
        let bytes = made.finish();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                let target = entry.link_name().unwrap().map(|to| format!(" -> {}", to.display()));
                let (mode, group) = (header.mode().unwrap(), header.gid().unwrap());
                format!("{path} {mode:o} {group}{}", target.unwrap_or_default())
            })
            .collect();
        let expected = [
            "k8s 755 7",
            "k8s/v 755 7",
            "k8s/v/..1 755 7",
            "k8s/v/..1/a 755 7",
            "k8s/v/..1/a/b 640 7",
            "k8s/v/..1/c 640 7",
            "k8s/v/..data 777 7 -> ..1",
            "k8s/v/a 777 7 -> ..data/a",
            "k8s/v/c 777 7 -> ..data/c",
        ];
        assert_eq!(entries, expected);
    }

    #[test]
    fn an_image_is_the_same_bytes_every_time() {
        let files = [("app".to_owned(), b"program".to_vec())];
        let build = || image("hello:1", &files, &["/app"], &BTreeMap::new(), "amd64");
        assert_eq!(build(), build());
    }
}
