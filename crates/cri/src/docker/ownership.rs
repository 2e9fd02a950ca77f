//! Who owns the directories of a pod's volumes.
//!
//! The engine tells and sets owners by archives: the first entry of a directory's archive is the
//! directory itself, and an entry that is unpacked over a directory changes its owner and mode.
//!
//! Invariant: a directory that is there keeps its user, and loses no permission.
//! Deviation: with an `fsGroup` a lasting volume's top directory is given to the group, and through
//! its setgid bit what is made in it later; what lay in it before stays as it was, as with
//! `fsGroupChangePolicy: OnRootMismatch` of later releases.

use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder,
};
use futures_util::StreamExt as _;

use super::archive::Archive;
use super::volume::{ROOT, upload};
use super::{Shared, error};
use crate::runtime::Error;

/// Enough of a directory's archive for its first entry.
const FIRST_ENTRY: usize = 8192;
/// What a group gets that a volume belongs to: to read, write and enter it, and to own what is made.
const GROUP_MASK: u32 = 0o2770;
const SETGID: u32 = 0o2000;

/// Owner and permissions.
#[derive(Debug, Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
    mode: u32,
}

/// The archive of `path` in `sandbox` up to about `most` bytes.
pub(super) async fn beginning(
    shared: &Shared,
    sandbox: &str,
    path: &str,
    most: usize,
) -> Result<Vec<u8>, Error> {
    let query = DownloadFromContainerOptionsBuilder::default().path(path).build();
    let mut pieces = std::pin::pin!(shared.docker.download_from_container(sandbox, Some(query)));
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend_from_slice(&piece.map_err(error::from_engine)?);
        if bytes.len() > most {
            break;
        }
    }
    Ok(bytes)
}

async fn owner(shared: &Shared, sandbox: &str, path: &str) -> Result<Owner, Error> {
    let bytes = beginning(shared, sandbox, path, FIRST_ENTRY).await?;
    first(&bytes).ok_or_else(|| Error::Engine(format!("the engine tells no owner of {path}")))
}

/// The owner of an archive's first entry.
fn first(bytes: &[u8]) -> Option<Owner> {
    let mut archive = tar::Archive::new(bytes);
    let entry = archive.entries().ok()?.next()?.ok()?;
    let header = entry.header();
    Some(Owner {
        user: header.uid().ok()?.try_into().ok()?,
        group: header.gid().ok()?.try_into().ok()?,
        mode: header.mode().ok()? & 0o7777,
    })
}

/// Lets `group` work in `volume` of the sandbox.
///
/// Mirrors: `SetVolumeOwnership` of `pkg/volume/volume_linux.go`; the group may enter, as in later
/// releases.
pub(super) async fn give(
    shared: &Shared,
    sandbox: &str,
    volume: &str,
    group: u32,
) -> Result<(), Error> {
    let found = owner(shared, sandbox, &format!("{ROOT}/{volume}")).await?;
    let mode = found.mode | GROUP_MASK;
    if found.group == group && found.mode == mode {
        return Ok(());
    }
    let mut archive = Archive::owned(found.user, group);
    archive.directory(volume, mode);
    upload(shared, sandbox, ROOT, archive).await
}

/// Makes directory `below` of the volume at `root`, with those above it, where they are not there.
///
/// Mirrors: `SafeMakeDir` of `pkg/util/mount` as `makeMounts` of the kubelet calls it: with the
/// permissions of the volume.
pub(super) async fn make_directory(
    shared: &Shared,
    sandbox: &str,
    root: &str,
    below: &str,
) -> Result<(), Error> {
    if is_there(shared, sandbox, &format!("{root}/{below}")).await {
        return Ok(());
    }
    let ends: Vec<usize> =
        below.match_indices('/').map(|(at, _)| at).chain([below.len()]).collect();
    let mut there = 0_usize;
    for end in &ends {
        if !is_there(shared, sandbox, &format!("{root}/{}", &below[..*end])).await {
            break;
        }
        there += 1;
    }
    let of = owner(shared, sandbox, root).await?;
    let inherits = of.mode & SETGID != 0;
    // A base that is there is named in the path, not in the archive, which would change its owner.
    let base = there.checked_sub(1).map_or(0, |last| ends[last] + 1);
    let mut archive = Archive::owned(0, if inherits { of.group } else { 0 });
    for end in &ends[there..] {
        archive.directory(&below[base..*end], of.mode & (SETGID | 0o777));
    }
    upload(shared, sandbox, &format!("{root}/{}", &below[..base]), archive).await
}

async fn is_there(shared: &Shared, sandbox: &str, path: &str) -> bool {
    let query = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
    let found = shared.docker.get_container_archive_info(sandbox, Some(query)).await;
    !found.is_err_and(|missing| error::is_missing(&missing))
}
