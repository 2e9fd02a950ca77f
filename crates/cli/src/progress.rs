//! Shows a run while it happens: a line that changes on a terminal, plain lines otherwise.
//!
//! Invariant: what goes to standard output is the same on a terminal and in a pipe; only the
//! changing line, on standard error, is left out of a pipe.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use rehearsal::Progress;
use rehearsal::report::StepReport;
use rehearsal::timeline::Entry;

/// Writes steps to standard output.
#[derive(Debug)]
pub(crate) struct Lines {
    live: bool,
    ask: bool,
    silent: bool,
    current: String,
}

impl Lines {
    /// `ask` says whether a person may be asked for approvals; `silent` writes nothing.
    pub(crate) fn new(ask: bool, silent: bool) -> Self {
        let live = !silent && std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
        Self { live, ask, silent, current: String::new() }
    }

    fn show(&self, detail: &str) {
        if self.live {
            let mut stderr = std::io::stderr().lock();
            // A terminal that is gone is not worth failing for.
            drop(write!(stderr, "\r\x1b[2K  … {}{detail}", self.current));
            drop(stderr.flush());
        }
    }

    fn clear(&self) {
        if self.live {
            let mut stderr = std::io::stderr().lock();
            drop(write!(stderr, "\r\x1b[2K"));
            drop(stderr.flush());
        }
    }
}

impl Progress for Lines {
    fn step_started(&mut self, _index: usize, _total: usize, title: &str) {
        title.clone_into(&mut self.current);
        self.show("");
    }

    fn happened(&mut self, entry: &Entry) {
        self.show(&format!(" ({} {}: {})", entry.project, entry.object, entry.text));
    }

    fn step_finished(&mut self, index: usize, total: usize, report: &StepReport) {
        self.clear();
        if self.silent {
            return;
        }
        let mark = if report.error.is_none() { "ok" } else { "FAILED" };
        let number = index + 1;
        out!("{number:>3}/{total} {:<58} {:>9}s  {mark}", report.title, report.took);
        if let Some(error) = &report.error {
            for line in error.lines() {
                out!("       {line}");
            }
        }
    }

    fn approve(&mut self, message: &str) -> bool {
        if !self.ask {
            return true;
        }
        self.clear();
        eprint!("approve: {message} [y/N] ");
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }
}
