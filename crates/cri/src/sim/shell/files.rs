//! The files of a simulated container, as far as commands in it have written any.
//!
//! Invariant: bounded; what does not fit is refused.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::sync::Arc;

use parking_lot::Mutex;

/// The most that the files of one container hold.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The most files and directories of one container.
const MOST_FILES: usize = 10_000;
/// What is there from the beginning.
const DIRECTORIES: [&str; 6] = ["/", "/tmp", "/bin", "/etc", "/var", "/home"];

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    File(Vec<u8>),
    Directory,
}

/// The files of one container; a shared handle.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Files {
    entries: Arc<Mutex<BTreeMap<String, Entry>>>,
}

/// `path` as seen from `directory`, without `.` and `..`.
pub(super) fn join(directory: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

impl Files {
    /// Puts a file of a volume there.
    pub(in super::super) fn put(&self, path: &str, bytes: &[u8]) {
        self.write(path, bytes.to_vec(), false);
    }

    /// Makes the directory that a volume is mounted at.
    pub(in super::super) fn put_directory(&self, path: &str) {
        self.make_directory(path.trim_end_matches('/'));
    }

    pub(super) fn get(&self, path: &str) -> Option<Entry> {
        if DIRECTORIES.contains(&path) {
            return Some(Entry::Directory);
        }
        let entries = self.entries.lock();
        let below = format!("{path}/");
        let parent = || entries.keys().any(|key| key.starts_with(&below));
        entries.get(path).cloned().or_else(|| parent().then_some(Entry::Directory))
    }

    /// Writes a file; gives whether it fits.
    pub(super) fn write(&self, path: &str, bytes: Vec<u8>, append: bool) -> bool {
        let mut entries = self.entries.lock();
        let size = |entry: &Entry| match entry {
            Entry::File(bytes) => bytes.len(),
            Entry::Directory => 0,
        };
        let used: usize = entries.values().map(size).sum();
        if used + bytes.len() > MOST_BYTES || entries.len() >= MOST_FILES {
            return false;
        }
        match entries.get_mut(path) {
            Some(Entry::File(old)) if append => old.extend(bytes),
            _ => drop(entries.insert(path.to_owned(), Entry::File(bytes))),
        }
        true
    }

    pub(super) fn make_directory(&self, path: &str) -> bool {
        let mut entries = self.entries.lock();
        if entries.len() >= MOST_FILES {
            return false;
        }
        entries.entry(path.to_owned()).or_insert(Entry::Directory);
        true
    }

    /// Removes `path` and what is below it; gives whether there was anything.
    pub(super) fn remove(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let mut entries = self.entries.lock();
        let before = entries.len();
        entries.retain(|key, _| key != path && !key.starts_with(&below));
        entries.len() < before
    }

    /// Names right below `path`, in order.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        let below = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        let entries = self.entries.lock();
        let known = DIRECTORIES.iter().copied().filter(|name| *name != "/");
        let names = entries.keys().map(String::as_str).chain(known);
        let mut names: Vec<String> = names
            .filter_map(|key| key.strip_prefix(&below))
            .map(|rest| rest.split('/').next().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Unpacks an archive below `directory`; the error is what `tar` says.
    pub(super) fn unpack(&self, directory: &str, archive: &[u8]) -> Result<(), String> {
        let mut archive = tar::Archive::new(Cursor::new(archive));
        let entries = archive.entries().map_err(|error| error.to_string())?;
        for entry in entries {
            let mut entry = entry.map_err(|error| error.to_string())?;
            let name = entry.path().map_err(|error| error.to_string())?;
            // Never out of the directory.
            let path = join(directory, join("/", &name.to_string_lossy()).trim_start_matches('/'));
            let kind = entry.header().entry_type();
            let fits = if kind.is_dir() {
                self.make_directory(&path)
            } else if kind.is_file() {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
                self.write(&path, bytes, false)
            } else {
                true
            };
            if !fits {
                return Err(format!("{path}: No space left on device"));
            }
        }
        Ok(())
    }

    /// An archive of `names` below `directory`; the error names one that is not there.
    pub(super) fn pack(&self, directory: &str, names: &[String]) -> Result<Vec<u8>, String> {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            let top = join(directory, name);
            if self.get(&top).is_none() {
                return Err(format!("{name}: Cannot stat: No such file or directory"));
            }
            let below = format!("{top}/");
            let entries = self.entries.lock().clone();
            let inside = entries.iter().filter(|(key, _)| **key == top || key.starts_with(&below));
            for (key, entry) in inside {
                let shown = format!("{}{}", name.trim_start_matches('/'), &key[top.len()..]);
                append(&mut builder, &shown, entry).map_err(|error| error.to_string())?;
            }
        }
        builder.into_inner().map_err(|error| error.to_string())
    }
}

fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, entry: &Entry) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    let bytes: &[u8] = match entry {
        Entry::File(bytes) => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(0o644);
            bytes
        }
        Entry::Directory => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            &[]
        }
    };
    header.set_size(bytes.len() as u64);
    builder.append_data(&mut header, name, bytes)
}
