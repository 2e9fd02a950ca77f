//! Layers and configs: whole or in part.
//!
//! Invariant: bytes are shown through a repository that received them or whose stream has, or had,
//! an image made of them.

use http::{HeaderMap, StatusCode};

use super::manifest::each_shown;
use super::{State, set, text};
use crate::digest::Digest;
use crate::error::Error;
use crate::reply::{self, Reply};
use crate::repository::Repository;
use crate::storage::Shown;

pub(super) fn get(
    state: &State,
    repository: &Repository,
    digest: &Digest,
    headers: &HeaderMap,
) -> Result<Reply, Error> {
    let unknown = || Error::blob_unknown(digest);
    if !is_shown(state, repository, digest)? {
        return Err(unknown());
    }
    let etag = format!("\"{digest}\"");
    if text(headers, "if-none-match") == etag {
        return Ok(reply::empty(StatusCode::NOT_MODIFIED));
    }
    let (file, length) = state.storage.open_blob(digest)?.ok_or_else(unknown)?;
    let mut reply = match range(text(headers, "range"), length) {
        Range::Whole => reply::file(StatusCode::OK, file, 0, length)?,
        Range::Part(start, end) => {
            let part = reply::file(StatusCode::PARTIAL_CONTENT, file, start, end - start + 1);
            let mut part = part?;
            set(&mut part, "content-range", &format!("bytes {start}-{end}/{length}"));
            part
        }
        Range::Nothing => {
            let mut refusal = reply::empty(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut refusal, "content-range", &format!("bytes */{length}"));
            return Ok(refusal);
        }
    };
    set(&mut reply, "accept-ranges", "bytes");
    set(&mut reply, "cache-control", "max-age=31536000");
    set(&mut reply, "docker-content-digest", &digest.to_string());
    set(&mut reply, "etag", &etag);
    Ok(reply)
}

/// Whether `repository` shows these bytes, itself or through an image of its stream.
pub(super) fn is_shown(
    state: &State,
    repository: &Repository,
    digest: &Digest,
) -> Result<bool, Error> {
    if state.storage.shows(repository, Shown::Blob, digest) {
        return Ok(true);
    }
    let mut found = false;
    each_shown(state, repository, &mut |_, manifest| {
        found |= manifest.blobs().any(|blob| blob == digest);
        found
    })?;
    Ok(found)
}

/// Takes the bytes out of one repository.
pub(super) fn delete(
    state: &State,
    repository: &Repository,
    digest: &Digest,
) -> Result<Reply, Error> {
    if state.storage.hide(repository, Shown::Blob, digest)? {
        return Ok(reply::empty(StatusCode::ACCEPTED));
    }
    Err(Error::blob_unknown(digest))
}

/// Removes the bytes for good; image pruning does so once no image needs them.
pub(super) fn remove(state: &State, digest: &Digest) -> Result<Reply, Error> {
    let _guard = state.manifests.lock();
    if state.storage.remove(digest)? {
        return Ok(reply::empty(StatusCode::NO_CONTENT));
    }
    Err(Error::blob_unknown(digest))
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// First and last byte.
    Part(u64, u64),
    Nothing,
}

/// Reads one range; several, or anything else, get the whole.
fn range(header: &str, length: u64) -> Range {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|text| text.split_once('-'))
    else {
        return Range::Whole;
    };
    let end = length.saturating_sub(1);
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(start), Ok(last)) if start <= last => (start, last.min(end)),
        (Ok(start), Err(_)) if last.is_empty() => (start, end),
        (Err(_), Ok(count)) if first.is_empty() && count > 0 => (length.saturating_sub(count), end),
        _ => return Range::Whole,
    };
    if start < length { Range::Part(start, end) } else { Range::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(range("bytes=0-3", 10), Range::Part(0, 3));
        assert_eq!(range("bytes=4-", 10), Range::Part(4, 9));
        assert_eq!(range("bytes=4-99", 10), Range::Part(4, 9));
        assert_eq!(range("bytes=-3", 10), Range::Part(7, 9));
        assert_eq!(range("bytes=-30", 10), Range::Part(0, 9));
        assert_eq!(range("bytes=10-", 10), Range::Nothing);
        assert_eq!(range("bytes=0-", 0), Range::Nothing);
        for whole in ["", "bytes=", "bytes=5-4", "bytes=0-1,3-4", "items=0-1"] {
            assert_eq!(range(whole, 10), Range::Whole, "{whole}");
        }
    }
}
