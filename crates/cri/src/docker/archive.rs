//! Tar archives: files for containers, and images out of nothing.
//!
//! Invariant: same input, same bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::config::FileEntry;
use crate::digest::sha256_hex;

/// A tar archive of `files` with their parent directories, below `root`.
pub(super) fn tar(root: &str, files: &[FileEntry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut made = BTreeSet::new();
    for file in files {
        let path = format!("{}/{}", root.trim_matches('/'), file.path);
        let path = path.trim_matches('/');
        for (slash, _) in path.match_indices('/') {
            if made.insert(path[..slash].to_owned()) {
                add(&mut builder, &path[..slash], tar::EntryType::Directory, 0o755, &[]);
            }
        }
        add(&mut builder, path, tar::EntryType::Regular, file.mode, &file.data);
    }
    builder.into_inner().expect("writing to memory succeeds")
}

/// A tar archive that, unpacked into the root, makes the directory `path` writable for everyone.
pub(super) fn open_directory(path: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    add(&mut builder, path.trim_matches('/'), tar::EntryType::Directory, 0o777, &[]);
    builder.into_inner().expect("writing to memory succeeds")
}

fn add(
    builder: &mut tar::Builder<Vec<u8>>,
    path: &str,
    kind: tar::EntryType,
    mode: u32,
    data: &[u8],
) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(u64::try_from(data.len()).expect("memory is smaller than 2^64"));
    builder.append_data(&mut header, path, data).expect("writing to memory succeeds");
}

/// What `docker load` reads: an image of one layer.
pub(super) fn image(
    tag: &str,
    files: &[(String, Vec<u8>)],
    entrypoint: &[&str],
    labels: &BTreeMap<String, String>,
    architecture: &str,
) -> Vec<u8> {
    let entry = |(path, data): &(String, Vec<u8>)| FileEntry {
        path: path.clone(),
        mode: 0o755,
        data: data.clone(),
    };
    let layer = tar("", &files.iter().map(entry).collect::<Vec<_>>());
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
    let file = |path: &str, data: &[u8]| FileEntry {
        path: path.to_owned(),
        mode: 0o644,
        data: data.to_vec(),
    };
    let parts = [
        file(&config_name, config.as_bytes()),
        file("layer.tar", &layer),
        file("manifest.json", manifest.to_string().as_bytes()),
    ];
    tar("", &parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_before_their_files() {
        let file =
            |path: &str| FileEntry { path: path.to_owned(), mode: 0o640, data: b"x".to_vec() };
        let bytes = tar("/etc/app/", &[file("a/b"), file("c")]);
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries: Vec<(String, u32)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                (path, entry.header().mode().unwrap())
            })
            .collect();
        let expected = [
            ("etc", 0o755),
            ("etc/app", 0o755),
            ("etc/app/a", 0o755),
            ("etc/app/a/b", 0o640),
            ("etc/app/c", 0o640),
        ];
        assert_eq!(entries, expected.map(|(path, mode)| (path.to_owned(), mode)));
    }

    #[test]
    fn an_image_is_the_same_bytes_every_time() {
        let files = [("app".to_owned(), b"program".to_vec())];
        let build = || image("hello:1", &files, &["/app"], &BTreeMap::new(), "amd64");
        assert_eq!(build(), build());
    }
}
