//! Bytes on their way in: one file and one digest per upload.
//!
//! Invariant: the file of an upload holds exactly the bytes that its digest covers; when a write
//! fails the upload is gone and so is its file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;
use world::{Time, World};

use crate::digest::{Digest, Hasher};
use crate::error::Error;
use crate::repository::Repository;
use crate::storage::Storage;

/// How long an upload may rest between two requests.
const IDLE: Duration = Duration::from_secs(3600);

/// How much of a body is hashed and written at once, in bytes.
const BATCH: usize = 1 << 20;

/// The uploads under way.
#[derive(Debug)]
pub(crate) struct Uploads {
    storage: Storage,
    world: World,
    open: Mutex<BTreeMap<String, Entry>>,
}

#[derive(Debug)]
struct Entry {
    repository: Repository,
    touched: Time,
    upload: Arc<AsyncMutex<Upload>>,
}

/// One upload; who holds its lock is the only one who writes.
#[derive(Debug)]
pub(crate) struct Upload {
    path: PathBuf,
    written: Option<Written>,
}

#[derive(Debug)]
struct Written {
    file: File,
    hasher: Hasher,
    offset: u64,
}

impl Uploads {
    pub(crate) fn new(storage: Storage, world: World) -> Self {
        Self { storage, world, open: Mutex::default() }
    }

    /// A name for a file that nobody else writes.
    pub(crate) fn id(&self) -> String {
        self.world.uid()
    }

    /// Begins an upload to `repository`; gives its id. Uploads that nobody continued go.
    pub(crate) fn begin(&self, repository: &Repository) -> io::Result<String> {
        let id = self.id();
        let path = self.storage.upload(&id);
        let file = File::options().create(true).write(true).truncate(true).open(&path)?;
        let written = Some(Written { file, hasher: Hasher::default(), offset: 0 });
        let upload = Arc::new(AsyncMutex::new(Upload { path, written }));
        let touched = self.world.now();
        let entry = Entry { repository: repository.clone(), touched, upload };
        let mut open = self.open.lock();
        open.retain(|_, entry| entry.touched + IDLE > touched || entry.upload.try_lock().is_err());
        open.insert(id.clone(), entry);
        Ok(id)
    }

    /// The upload of that id, when it belongs to `repository`.
    pub(crate) fn find(
        &self,
        repository: &Repository,
        id: &str,
    ) -> Result<Arc<AsyncMutex<Upload>>, Error> {
        let mut open = self.open.lock();
        let entry = open.get_mut(id).filter(|entry| entry.repository == *repository);
        let entry = entry.ok_or_else(Error::upload_unknown)?;
        entry.touched = self.world.now();
        Ok(Arc::clone(&entry.upload))
    }

    /// Forgets an upload; its file goes with the last who holds it.
    pub(crate) fn forget(&self, id: &str) {
        self.open.lock().remove(id);
    }
}

impl Upload {
    /// How many bytes are written.
    pub(crate) fn offset(&self) -> Result<u64, Error> {
        self.written.as_ref().map(|written| written.offset).ok_or_else(Error::upload_unknown)
    }

    /// Appends the pieces of a body as they come. When the body ends early, what came of it stays.
    pub(crate) async fn append(&mut self, body: &mut dyn Pieces) -> Result<(), Error> {
        loop {
            let mut batch = Vec::new();
            let mut length = 0;
            let mut end = None;
            while length < BATCH && end.is_none() {
                match body.next().await {
                    Some(Ok(piece)) => {
                        length += piece.len();
                        batch.push(piece);
                    }
                    Some(Err(error)) => end = Some(Err(error)),
                    None => end = Some(Ok(())),
                }
            }
            self.write(batch).await?;
            if let Some(end) = end {
                return end;
            }
        }
    }

    async fn write(&mut self, batch: Vec<Bytes>) -> Result<(), Error> {
        let mut written = self.written.take().ok_or_else(Error::upload_unknown)?;
        let work = tokio::task::spawn_blocking(move || {
            for piece in batch {
                written.hasher.update(&piece);
                written.file.write_all(&piece)?;
                written.offset += piece.len() as u64;
            }
            Ok::<_, io::Error>(written)
        });
        match work.await.map_err(io::Error::other).and_then(|result| result) {
            Ok(written) => {
                self.written = Some(written);
                Ok(())
            }
            Err(error) => {
                self.discard();
                Err(error.into())
            }
        }
    }

    /// Ends the upload under its digest, which must be `expected`. Either way nothing is left.
    pub(crate) fn finish(&mut self, storage: &Storage, expected: &Digest) -> Result<(), Error> {
        let written = self.written.take().ok_or_else(Error::upload_unknown)?;
        let actual = written.hasher.digest();
        drop(written.file);
        if actual != *expected {
            self.discard();
            return Err(Error::digest_invalid(&format!("{expected} is not {actual}")));
        }
        storage.adopt(&self.path, &actual).map_err(|error| {
            self.discard();
            error.into()
        })
    }

    fn discard(&mut self) {
        self.written = None;
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "cannot remove the file of an upload");
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.written.is_some() {
            self.discard();
        }
    }
}

/// The pieces of a request body.
pub(crate) trait Pieces: Send {
    /// The next piece; `None` at the end.
    fn next(&mut self) -> Next<'_>;
}

/// What [`Pieces::next`] gives.
pub(crate) type Next<'a> =
    std::pin::Pin<Box<dyn Future<Output = Option<Result<Bytes, Error>>> + Send + 'a>>;
