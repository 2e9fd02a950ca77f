//! How many connections there may be at once: as many as the process may have open, less what the rest
//! of it needs.
//!
//! Mirrors: the Go runtime, which raises the soft limit of open files to the hard one as well.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than this are of no use to anybody.
const MOST: u64 = 20_000;
/// Left to files, sockets of the engine and streams of the simulated world.
const RESERVED: u64 = 256;
/// Served in any case.
const LEAST: u64 = 64;

/// Raises the limit of open files as far as that needs no rights, and gives the number of connections.
pub(super) fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(MOST + RESERVED);
    let mut current = limit.current.unwrap_or(u64::MAX);
    if current < wanted {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => current = wanted,
            Err(error) => tracing::debug!(%error, "cannot raise the limit of open files"),
        }
    }
    usize::try_from(current.saturating_sub(RESERVED).clamp(LEAST, MOST)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_as_many_as_files_may_be_open() {
        let connections = super::connections();
        assert!((64..=20_000).contains(&connections), "{connections}");
    }
}
