//! Bytes on disk, named by their digest.
//!
//! ```text
//! blobs/<2 digits>/<digest>            the bytes of a layer, a config or a manifest
//! manifests/<digest>                   the media type of those bytes that are a manifest
//! repositories/<project>/<stream>/blobs/<digest>      which repository shows which bytes
//! repositories/<project>/<stream>/manifests/<digest>
//! uploads/<id>                         bytes on their way in
//! .lock                                held by the process whose directory this is
//! ```
//!
//! Invariant: a file gets its name under `blobs` by one rename, after its digest was computed.
//! Invariant: one registry at a time writes here; the lock goes with its process, however that ends.
//!
//! Deviation: files are not synced. What the registry holds goes away with the cluster, whose
//! objects are in memory; a rename that a power cut undoes loses nothing that would be found again.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Digest;
use crate::repository::Repository;

/// What a repository shows under a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Blob,
    Manifest,
}

impl Shown {
    fn directory(self) -> &'static str {
        match self {
            Self::Blob => "blobs",
            Self::Manifest => "manifests",
        }
    }
}

/// The directory of a registry.
#[derive(Debug, Clone)]
pub struct Storage {
    root: PathBuf,
    _lock: Arc<File>,
}

impl Storage {
    /// Opens the directory, which is made if need be; uploads that were never finished are removed.
    ///
    /// # Errors
    /// When the directory cannot be written, or another registry uses it.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let lock = File::create(root.join(".lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another registry uses it"),
            TryLockError::Error(error) => error,
        })?;
        let storage = Self { root: root.to_owned(), _lock: Arc::new(lock) };
        match fs::remove_dir_all(storage.uploads()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        for directory in ["blobs", "manifests", "repositories", "uploads"] {
            fs::create_dir_all(root.join(directory))?;
        }
        Ok(storage)
    }

    fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// Where the bytes of an upload are collected.
    pub(crate) fn upload(&self, id: &str) -> PathBuf {
        self.uploads().join(id)
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join("blobs").join(&hex[..2]).join(hex)
    }

    fn media_type_file(&self, digest: &Digest) -> PathBuf {
        self.root.join("manifests").join(digest.hex())
    }

    fn link(&self, repository: &Repository, shown: Shown, digest: &Digest) -> PathBuf {
        let Repository { namespace, name } = repository;
        let directory = self.root.join("repositories").join(namespace).join(name);
        directory.join(shown.directory()).join(digest.hex())
    }

    /// Gives the complete file at `from`, whose digest the caller computed, its name.
    pub(crate) fn adopt(&self, from: &Path, digest: &Digest) -> io::Result<()> {
        let to = self.blob(digest);
        make_parent(&to)?;
        fs::rename(from, to)
    }

    /// Stores a manifest and its media type.
    pub(crate) fn put_manifest(
        &self,
        id: &str,
        bytes: &[u8],
        media_type: &str,
    ) -> io::Result<Digest> {
        let digest = Digest::of(bytes);
        for (to, content) in
            [(self.blob(&digest), bytes), (self.media_type_file(&digest), media_type.as_bytes())]
        {
            let path = self.upload(id);
            let written = make_parent(&to).and_then(|()| fs::write(&path, content));
            if let Err(error) = written.and_then(|()| fs::rename(&path, to)) {
                drop(fs::remove_file(&path));
                return Err(error);
            }
        }
        Ok(digest)
    }

    /// Opens the bytes of a digest; `None` when they are not here.
    pub(crate) fn open_blob(&self, digest: &Digest) -> io::Result<Option<(File, u64)>> {
        let Some(file) = found(File::open(self.blob(digest)))? else { return Ok(None) };
        let length = file.metadata()?.len();
        Ok(Some((file, length)))
    }

    /// The length of the bytes of a digest; `None` when they are not here.
    pub(crate) fn length(&self, digest: &Digest) -> io::Result<Option<u64>> {
        Ok(found(fs::metadata(self.blob(digest)))?.map(|metadata| metadata.len()))
    }

    /// The bytes and the media type of a manifest; `None` when it is not here.
    pub(crate) fn manifest(&self, digest: &Digest) -> io::Result<Option<(Vec<u8>, String)>> {
        let Some(media_type) = found(fs::read_to_string(self.media_type_file(digest)))? else {
            return Ok(None);
        };
        Ok(found(fs::read(self.blob(digest)))?.map(|bytes| (bytes, media_type)))
    }

    /// Lets `repository` show the bytes of a digest.
    pub(crate) fn show(
        &self,
        repository: &Repository,
        shown: Shown,
        digest: &Digest,
    ) -> io::Result<()> {
        let link = self.link(repository, shown, digest);
        make_parent(&link)?;
        File::create(link).map(drop)
    }

    /// Whether `repository` itself shows the bytes of a digest.
    pub(crate) fn shows(&self, repository: &Repository, shown: Shown, digest: &Digest) -> bool {
        self.link(repository, shown, digest).exists()
    }

    /// Takes a digest out of a repository; gives whether it was there.
    pub(crate) fn hide(
        &self,
        repository: &Repository,
        shown: Shown,
        digest: &Digest,
    ) -> io::Result<bool> {
        Ok(found(fs::remove_file(self.link(repository, shown, digest)))?.is_some())
    }

    /// The digests of all bytes here, with their lengths and when they came, in seconds since 1970.
    pub(crate) fn all(&self) -> io::Result<Vec<(Digest, u64, i64)>> {
        let mut found = Vec::new();
        for directory in fs::read_dir(self.root.join("blobs"))? {
            for file in fs::read_dir(directory?.path())? {
                let file = file?;
                let name = format!("sha256:{}", file.file_name().to_string_lossy());
                let Ok(digest) = name.parse() else { continue };
                let metadata = file.metadata()?;
                found.push((digest, metadata.len(), metadata.mtime()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Takes digests that are gone out of every repository.
    pub(crate) fn forget(&self, gone: &BTreeSet<Digest>) -> io::Result<()> {
        let names: BTreeSet<&str> = gone.iter().map(Digest::hex).collect();
        for project in fs::read_dir(self.root.join("repositories"))? {
            for repository in fs::read_dir(project?.path())? {
                let repository = repository?.path();
                for shown in [Shown::Blob, Shown::Manifest] {
                    let Some(links) = found(fs::read_dir(repository.join(shown.directory())))?
                    else {
                        continue;
                    };
                    for link in links {
                        let link = link?;
                        if names.contains(&*link.file_name().to_string_lossy()) {
                            found(fs::remove_file(link.path()))?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes the bytes of a digest; gives whether they were there.
    pub(crate) fn remove(&self, digest: &Digest) -> io::Result<bool> {
        found(fs::remove_file(self.media_type_file(digest)))?;
        Ok(found(fs::remove_file(self.blob(digest)))?.is_some())
    }
}

/// `None` for what does not exist.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_by_their_digest_after_a_restart_and_uploads_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::open(directory.path()).unwrap();
        let digest = storage.put_manifest("u1", b"{}", "text/json").unwrap();
        fs::write(storage.upload("u2"), b"half").unwrap();
        let second = Storage::open(directory.path()).unwrap_err();
        assert_eq!(second.to_string(), "another registry uses it");
        drop(storage);

        let storage = Storage::open(directory.path()).unwrap();
        let manifest = storage.manifest(&digest).unwrap().unwrap();
        assert_eq!(manifest, (b"{}".to_vec(), "text/json".to_owned()));
        assert_eq!(storage.length(&digest).unwrap(), Some(2));
        assert!(!storage.upload("u2").exists());
    }

    #[test]
    fn a_repository_shows_what_it_was_told_to() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::open(directory.path()).unwrap();
        let repository = Repository::parse("dev/app").unwrap();
        let digest = Digest::of(b"x");
        assert!(!storage.shows(&repository, Shown::Blob, &digest));
        storage.show(&repository, Shown::Blob, &digest).unwrap();
        assert!(storage.shows(&repository, Shown::Blob, &digest));
        assert!(!storage.shows(&repository, Shown::Manifest, &digest));
        assert!(storage.hide(&repository, Shown::Blob, &digest).unwrap());
        assert!(!storage.hide(&repository, Shown::Blob, &digest).unwrap());
        assert!(!storage.remove(&digest).unwrap());
    }
}
