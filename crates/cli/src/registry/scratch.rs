//! Directories that go with the process: removed at its end, or at the next start of another one.
//!
//! Each holds a file that its process keeps locked. The lock goes with the process however that ends,
//! so a directory whose lock can be had is nobody's.
//!
//! Invariant: a directory in use is never removed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const PREFIX: &str = "rehearse-registry-";
const LOCK: &str = ".lock";

/// How often a directory is made anew when another process took the new one for a leftover.
const ATTEMPTS: usize = 8;

/// A directory of this process.
#[derive(Debug)]
pub(crate) struct Scratch {
    directory: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one under `parent`.
    pub(crate) fn new(parent: &Path) -> io::Result<Self> {
        for _ in 0..ATTEMPTS {
            let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let path = directory.path().join(LOCK);
            let Ok(lock) = File::create_new(&path) else { continue };
            // Between the two lines above and this one somebody may have tidied up.
            if lock.try_lock().is_ok() && path.exists() {
                return Ok(Self { directory, _lock: lock });
            }
        }
        Err(io::Error::other("the directory is removed again and again"))
    }

    /// Where images may be kept.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("images")
    }
}

/// Removes the directories under `parent` whose processes are gone.
pub(crate) fn remove_leftovers(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for entry in ours {
        // What has no lock is being made, or is no directory.
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok()
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::debug!(%error, "cannot remove the images of a process that is gone");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_processes_that_are_gone_are_removed() {
        let parent = TempDir::new().unwrap();
        let used = Scratch::new(parent.path()).unwrap();
        let left = parent.path().join("rehearse-registry-left");
        fs::create_dir(&left).unwrap();
        File::create(left.join(LOCK)).unwrap();
        fs::write(left.join("layer"), b"bytes").unwrap();
        let foreign = parent.path().join("rehearse-registry-foreign");
        fs::create_dir(&foreign).unwrap();

        remove_leftovers(parent.path());
        assert!(used.directory.path().exists() && foreign.exists() && !left.exists());
        let path = used.directory.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }
}
