//! The program `rehearse` as its users start it, and what the kernel says of its processes.
//!
//! Invariant: a process that was started is ended when its owner is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// Where `rehearse` is: next to this program, where cargo puts both.
pub(crate) fn rehearse() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("rehearse");
    ensure!(path.is_file(), "there is no {}; build it with `-p cli`", path.display());
    Ok(path)
}

/// A process that runs until it is dropped.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts `command` with its output at hand.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Ok(Self(child.context("cannot start the program")?))
    }

    /// Resident memory in MB (of 1,000,000 bytes).
    pub(crate) fn resident_megabytes(&self) -> Result<f64> {
        let status = fs::read_to_string(self.proc().join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kibibytes: f64 = kibibytes.context("no VmRSS in the status")?.trim().parse()?;
        Ok(kibibytes * 1024.0 / 1e6)
    }

    /// Time on a processor so far, of all threads; finer than the ticks of `stat`.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let tasks = fs::read_dir(self.proc().join("task"))?;
        tasks.map(|task| on_processor(&task?.path())).sum()
    }

    fn proc(&self) -> PathBuf {
        Path::new("/proc").join(self.0.id().to_string())
    }
}

/// Time on a processor of the calling thread so far, which other programs on the machine lengthen
/// much less than the time on the wall.
pub(crate) fn thread_cpu() -> Result<Duration> {
    on_processor(Path::new("/proc/thread-self"))
}

fn on_processor(task: &Path) -> Result<Duration> {
    let text = fs::read_to_string(task.join("schedstat"))?;
    let nanoseconds = text.split_whitespace().next().context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the process has ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
