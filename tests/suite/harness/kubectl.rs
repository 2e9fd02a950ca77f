//! Real `kubectl` binaries: where they are and how they are run.
//!
//! Invariant: a machine without them passes, saying so on standard error.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::served::Served;

/// Where versioned binaries are kept besides `PATH` and where the continuous integration puts what it
/// fetches (`REHEARSE_CLIENT_TOOLS`).
const DIRECTORIES: [&str; 3] = ["/usr/lib/google-cloud-sdk/bin", "/usr/local/bin", "/opt/kubectl"];

/// The version that everything is tested with.
pub(crate) const MAIN: &str = "1.32";

/// The binary of `version`, if this machine has it.
fn find(version: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let fetched =
        std::env::var_os("REHEARSE_CLIENT_TOOLS").map(|dir| PathBuf::from(dir).join("bin"));
    let known = DIRECTORIES.iter().map(PathBuf::from).chain(fetched);
    let name = format!("kubectl.{version}");
    std::env::split_paths(&path).chain(known).map(|dir| dir.join(&name)).find(|file| file.is_file())
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

/// One binary against one cluster, with a discovery cache of its own.
#[derive(Debug)]
pub(crate) struct Kubectl {
    binary: PathBuf,
    kubeconfig: PathBuf,
    context: Option<String>,
    home: TempDir,
}

impl Kubectl {
    /// The binary of `version` against `cluster`; `None`, with a word on standard error, when this
    /// machine has no such binary.
    pub(crate) fn find(version: &str, kubeconfig: &Path) -> Option<Self> {
        let Some(binary) = find(version) else {
            eprintln!("kubectl.{version} is not on this machine: not tested");
            return None;
        };
        let home = TempDir::new().unwrap();
        Some(Self { binary, kubeconfig: kubeconfig.to_owned(), context: None, home })
    }

    /// With this context of the kubeconfig, or the current one.
    pub(crate) fn in_context(mut self, context: Option<&str>) -> Self {
        self.context = context.map(str::to_owned);
        self
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.binary);
        let context = self.context.iter().flat_map(|context| ["--context", context]);
        command
            .args(context)
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null());
        command
    }

    /// Runs to the end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        let output = self.command(arguments).output().unwrap();
        Output {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap_or(-1),
        }
    }

    /// Runs a command that must succeed; gives its standard output.
    pub(crate) fn ok(&self, command: &str) -> String {
        let output = self.run(&words(command));
        assert_eq!(output.code, 0, "kubectl {command}\n{}{}", output.stdout, output.stderr);
        output.stdout
    }

    /// Starts a command that prints lines for as long as it runs.
    pub(crate) fn stream(&self, command: &str) -> Lines {
        let mut child = self.command(&words(command)).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Lines { child, stdout, command: command.to_owned() }
    }
}

/// A command that is still printing; it is ended when dropped.
#[derive(Debug)]
pub(crate) struct Lines {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    command: String,
}

impl Lines {
    /// Reads until a line holds `wanted`; gives all lines read by this call. The command must have a
    /// bound of its own (`--request-timeout`, `--timeout`), so that it ends when the line never
    /// comes.
    pub(crate) fn until(&mut self, wanted: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "kubectl {} never printed {wanted:?}: {seen:#?}", self.command);
            let found = line.contains(wanted);
            seen.push(line.trim_end().to_owned());
            if found {
                return seen;
            }
        }
    }

    /// Reads to the end, which must be a success.
    pub(crate) fn rest(mut self) -> Vec<String> {
        let lines = (&mut self.stdout).lines().map(Result::unwrap).collect();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "kubectl {}: {status}", self.command);
        lines
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // Ended already, or ended now: both are fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Splits a command line at spaces outside of single quotes.
pub(crate) fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in command.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A served cluster and the main kubectl, or `None` when this machine has none.
pub(crate) fn cluster_and_kubectl() -> Option<(Served, Kubectl)> {
    find(MAIN).or_else(|| {
        eprintln!("kubectl.{MAIN} is not on this machine: not tested");
        None
    })?;
    let cluster = Served::start();
    let kubectl = Kubectl::find(MAIN, &cluster.kubeconfig())?;
    Some((cluster, kubectl))
}
