//! A `rehearse up` with roles, projects in it and tokens of its service accounts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use crate::binary::rehearse;
use crate::harness::kubectl::{Kubectl, MAIN};

/// A running cluster and its kubectl.
pub(super) struct Up {
    /// The process and what it prints; the first of several clusters in one process has it.
    process: Option<(Child, BufReader<ChildStdout>)>,
    pub(super) kubectl: Kubectl,
    /// Where the registry listens.
    pub(super) registry: String,
    pub(super) home: TempDir,
}

/// An answer of the registry.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }
}

impl Up {
    /// Starts a cluster on `engine` (`sim` or `docker`); `None` without a kubectl.
    pub(super) fn start(engine: &str) -> Option<Self> {
        let home = TempDir::new().unwrap();
        let data = home.path().join("images");
        Self::start_in(engine, home, &["--registry-data", data.to_str().unwrap()])
    }

    /// Starts a cluster that is given `arguments` too and has `home` for its files.
    pub(super) fn start_in(engine: &str, home: TempDir, arguments: &[&str]) -> Option<Self> {
        let kubeconfig = home.path().join("kubeconfig");
        Self::all_in(engine, home, &kubeconfig, &[], arguments).map(|mut all| all.remove(0))
    }

    /// Starts clusters of these names in one process.
    pub(super) fn start_named(engine: &str, names: &[&str]) -> Option<Vec<Self>> {
        let home = TempDir::new().unwrap();
        let data = home.path().join("images");
        let kubeconfig = home.path().join("kubeconfig");
        let arguments = ["--registry-data", data.to_str().unwrap()];
        Self::all_in(engine, home, &kubeconfig, names, &arguments)
    }

    /// Starts clusters of these names, or one without a name, in one process.
    pub(super) fn all_in(
        engine: &str,
        home: TempDir,
        kubeconfig: &Path,
        names: &[&str],
        arguments: &[&str],
    ) -> Option<Vec<Self>> {
        let program = Command::new(rehearse());
        Self::all_of(program, engine, home, kubeconfig, names, arguments)
    }

    /// Starts a cluster whose registry has a disk of `size` (as `mount -o size=` takes it), in a
    /// namespace of its own; gives where its images are seen from here, too.
    pub(super) fn start_on_disk(size: &str) -> Option<(Self, PathBuf)> {
        let home = TempDir::new().unwrap();
        let (data, kubeconfig) = (home.path().join("images"), home.path().join("kubeconfig"));
        std::fs::create_dir(&data).unwrap();
        let mut program = Command::new("unshare");
        let mount = format!("mount -t tmpfs -o size={size} tmpfs \"$0\" && exec \"$@\"");
        program.args(["-Urm", "sh", "-c", &mount]).arg(&data).arg(rehearse());
        let arguments = ["--registry-data", data.to_str().unwrap()];
        let mut all = Self::all_of(program, "sim", home, &kubeconfig, &[], &arguments)?;
        let up = all.remove(0);
        let (child, _) = up.process.as_ref().unwrap();
        let root = PathBuf::from(format!("/proc/{}/root", child.id()));
        Some((up, root.join(data.strip_prefix("/").unwrap())))
    }

    fn all_of(
        mut program: Command,
        engine: &str,
        home: TempDir,
        kubeconfig: &Path,
        names: &[&str],
        arguments: &[&str],
    ) -> Option<Vec<Self>> {
        drop(Kubectl::find(MAIN, kubeconfig)?);
        let mut child = program
            .args(["up", "--on", engine, "--listen", "127.0.0.1:0", "--registry", "127.0.0.1:0"])
            .args(["--token", "of-nobody=nobody", "--kubeconfig"])
            .arg(kubeconfig)
            .args(names.iter().flat_map(|name| ["--name", name]))
            .args(arguments)
            .current_dir(home.path())
            .env("TMPDIR", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut registries = Vec::new();
        while registries.len() < names.len().max(1) {
            let mut line = String::new();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "it ended before it served");
            if line.starts_with("registry ") {
                registries.push(line.trim().rsplit(' ').next().unwrap().to_owned());
            }
        }
        let mut process = Some((child, stdout));
        let mut home = Some(home);
        let all = registries.into_iter().enumerate().map(|(at, registry)| Self {
            process: process.take(),
            kubectl: Kubectl::find(MAIN, kubeconfig).unwrap().in_context(names.get(at).copied()),
            registry,
            home: home.take().unwrap_or_else(|| TempDir::new().unwrap()),
        });
        Some(all.collect())
    }

    /// Makes a project with its service accounts; gives a token of `account` in it.
    pub(super) fn project(&self, name: &str, account: &str) -> String {
        self.kubectl.ok(&format!("create namespace {name}"));
        let of = format!("get serviceaccount {account} -n {name} -o jsonpath={{.secrets}}");
        let until = |command: &str, wanted: &str| {
            for _ in 0..200 {
                let output = self.kubectl.run(&crate::harness::kubectl::words(command));
                if output.stdout.contains(wanted) {
                    return;
                }
                std::thread::park_timeout(std::time::Duration::from_millis(50));
            }
            panic!("{command} never has {wanted}");
        };
        until(&of, "-token-");
        until(&format!("get serviceaccount default -n {name} -o yaml"), "-dockercfg-");
        let template = format!(
            "{{{{range .items}}}}{{{{if eq .type \"kubernetes.io/service-account-token\"}}}}\
             {{{{if eq (index .metadata.annotations \"kubernetes.io/service-account.name\") \
             \"{account}\"}}}}{{{{.data.token}}}} {{{{end}}}}{{{{end}}}}{{{{end}}}}"
        );
        let arguments =
            ["get", "secrets", "-n", name, "-o", "go-template", "--template", &template];
        let output = self.kubectl.run(&arguments);
        let encoded = output.stdout.split(' ').next().unwrap().to_owned();
        let decoded = Command::new("sh")
            .args(["-c", "printf %s \"$0\" | base64 -d", &encoded])
            .output()
            .unwrap();
        let token = String::from_utf8(decoded.stdout).unwrap();
        assert!(token.starts_with("eyJ"), "{output:?}");
        token
    }

    /// Creates what the YAML says.
    pub(super) fn apply(&self, yaml: &str) {
        let path = self.home.path().join("applied.yaml");
        // kubectl takes what begins with a brace for JSON.
        std::fs::write(&path, format!("# YAML\n{yaml}")).unwrap();
        self.kubectl.ok(&format!("create -f {}", path.display()));
    }

    /// Waits until `jsonpath` of an object is `wanted`.
    pub(super) fn wait(&self, object: &str, jsonpath: &str, wanted: &str) {
        let wait = format!("wait {object} --for=jsonpath={{{jsonpath}}}={wanted} --timeout=120s");
        self.kubectl.ok(&wait);
    }

    /// Sends `bytes` on a connection of its own and leaves it open.
    pub(super) fn raw(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.registry).unwrap();
        let _refused_early = stream.write_all(bytes);
        stream
    }

    /// Sends a request as the holder of `token`.
    pub(super) fn send(&self, token: &str, method: &str, path: &str, body: &[u8]) -> Answer {
        self.send_as(token, method, path, "application/octet-stream", body)
    }

    pub(super) fn send_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Answer {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Type: {media_type}\r\n\
             Content-Length: {}\r\n\r\n",
            self.registry,
            body.len()
        );
        let mut stream = self.raw(&[head.as_bytes(), body].concat());
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let text = String::from_utf8_lossy(&all);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        Answer { code, head: head.to_owned(), body: body.to_owned() }
    }

    /// Sends a signal by its name.
    pub(super) fn signal(&self, name: &str) {
        let signal = format!("-{name}");
        let (child, _) = self.process.as_ref().unwrap();
        let sent = Command::new("kill").args([&signal, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end; gives the exit code and the home.
    pub(super) fn ended(mut self) -> (Option<i32>, TempDir) {
        let mut rest = String::new();
        let (mut child, mut stdout) = self.process.take().unwrap();
        stdout.read_to_string(&mut rest).unwrap();
        let code = child.wait().unwrap().code();
        (code, std::mem::replace(&mut self.home, TempDir::new().unwrap()))
    }
}

impl Drop for Up {
    /// In order, so that nothing is left on an engine.
    fn drop(&mut self) {
        let Some((mut child, stdout)) = self.process.take() else { return };
        if child.try_wait().is_ok_and(|status| status.is_none()) {
            drop(Command::new("kill").args(["-TERM", &child.id().to_string()]).status());
        }
        drop(child.wait());
        drop(stdout);
    }
}

/// The paths of the files under `directory`, relative to it.
pub(super) fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let path = path.strip_prefix(directory).unwrap();
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}
