//! `exec`, `attach` and `port-forward` with the real kubectl, against processes made up here.
//!
//! Every version found on the machine is run: the older ones speak SPDY, the newer ones WebSocket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use apimachinery::Status;
use apimachinery::{Value, json};
use apiserver::http::{Config, Server, kubeconfig};
use apiserver::stream::{self, Connecting, Connection, ExecOptions, Process};
use apiserver::{ApiServer, Client, PodStreams, User};
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use world::World;

const VERSIONS: &[&str] = &["1.27", "1.28", "1.29", "1.30", "1.31", "1.32", "1.33"];

/// `cat` copies its input; everything else says how it was called on both outputs and ends with 7.
#[derive(Debug)]
struct Pretended;

impl Pretended {
    fn start(command: Vec<String>, stdio: stream::Stdio) -> Process {
        let (stdin, mut input) = mpsc::channel::<Bytes>(1);
        let (output, stdout) = mpsc::channel(1);
        let (errors, stderr) = mpsc::channel(1);
        let (resize, mut sizes) = mpsc::channel::<stream::TerminalSize>(1);
        let (ended, exit) = oneshot::channel();
        world::edge::spawn(async move {
            if command == ["cat"] {
                while let Some(bytes) = input.recv().await {
                    output.send(bytes).await.ok();
                }
                drop((output, errors));
                return drop(ended.send(Ok(0)));
            }
            if command == ["broken"] {
                return drop(ended.send(Err("no luck".to_owned())));
            }
            let mut text = format!("ran {}", command.join(","));
            if stdio.tty
                && let Some(size) = sizes.recv().await
            {
                text = format!("{text} on {}x{}", size.width, size.height);
            }
            output.send(format!("{text}\n").into()).await.ok();
            if stdio.stderr {
                errors.send(Bytes::from_static(b"complained\n")).await.ok();
            }
            drop((output, errors));
            drop(ended.send(Ok(7)));
        });
        Process { stdin, stdout, stderr, resize, exit }
    }
}

impl PodStreams for Pretended {
    fn exec(&self, _: &Value, _: &str, options: &ExecOptions) -> Result<Process, Status> {
        Ok(Self::start(options.command.clone(), options.stdio))
    }

    fn attach(&self, _: &Value, _: &str, stdio: stream::Stdio) -> Result<Process, Status> {
        Ok(Self::start(vec!["cat".to_owned()], stdio))
    }

    fn connect(&self, _: &Value, port: u16) -> Connecting {
        Box::pin(async move {
            if port != 8080 {
                return Err("connection refused".to_owned());
            }
            let (near, mut far) = tokio::io::duplex(1024);
            world::edge::spawn(async move {
                // Says it all back once the client has ended its half.
                let mut all = Vec::new();
                far.read_to_end(&mut all).await.ok();
                far.write_all(&all).await.ok();
            });
            Ok(Box::new(near) as Box<dyn Connection>)
        })
    }
}

struct Fixture {
    runtime: tokio::runtime::Runtime,
    server: Server,
    directory: PathBuf,
    kubectl: PathBuf,
}

impl Fixture {
    fn start(kubectl: &Path) -> Self {
        let api = ApiServer::builder(World::real()).streams(Arc::new(Pretended)).build();
        apiserver::bootstrap(&api).unwrap();
        let client = Client::new(api.clone(), User::system_admin());
        for (name, state) in [("up", "running"), ("down", "waiting")] {
            let mut pod = super::pod(name);
            pod["spec"]["nodeName"] = json!("node-1");
            let made = client.create(&api::PODS, "default", pod).unwrap();
            let mut pod = (*made).clone();
            pod["status"] = json!({
                "phase": "Running",
                "containerStatuses": [{"name": "c", "image": "hello:v1", "imageID": "",
                    "ready": true, "restartCount": 0, "state": {state: {}}}],
            });
            client.update_status(&api::PODS, pod).unwrap();
        }
        client.create(&api::PODS, "default", super::pod("unplaced")).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server =
            runtime.block_on(async { Server::start(api, Config::local().unwrap()) }).unwrap();
        let version = kubectl.extension().and_then(|text| text.to_str()).unwrap();
        let directory =
            std::env::temp_dir().join(format!("streams-{version}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        kubeconfig::write(&directory.join("config"), server.kubeconfig()).unwrap();
        Self { runtime, server, directory, kubectl: kubectl.to_owned() }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            .arg(format!("--cache-dir={}", self.directory.join("cache").display()))
            .args(line.split(' '))
            .env("KUBECONFIG", self.directory.join("config"));
        command
    }

    fn run(&self, line: &str, input: &[u8]) -> Output {
        let mut child = self
            .command(line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input).ok());
            child.wait_with_output().unwrap()
        })
    }

    fn check(&self, line: &str, input: &[u8], code: i32, stdout: &[u8], stderr: &str) {
        let output = self.run(line, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        let of = self.kubectl.display();
        assert_eq!(output.status.code(), Some(code), "{of} {line}: {errors}");
        assert!(output.stdout == stdout, "{of} {line}: {} bytes", output.stdout.len());
        assert!(errors.contains(stderr), "{of} {line}: {errors}");
    }

    fn port_forward(&self) {
        let mut child = self
            .command("port-forward pod/up :8080")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        // "Forwarding from 127.0.0.1:<port> -> 8080"
        let address = first.split_whitespace().nth(2).unwrap().to_owned();
        let big: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut connections: Vec<TcpStream> =
            (0..3).map(|_| TcpStream::connect(&address).unwrap()).collect();
        for (index, connection) in connections.iter_mut().enumerate() {
            connection.write_all(&big[index..]).unwrap();
            connection.shutdown(std::net::Shutdown::Write).unwrap();
        }
        for (index, connection) in connections.iter_mut().enumerate() {
            let mut back = Vec::new();
            connection.read_to_end(&mut back).unwrap();
            assert!(back == big[index..], "{}: {} bytes", self.kubectl.display(), back.len());
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn every_kubectl_streams() {
    let directories = ["/usr/lib/google-cloud-sdk/bin", "/usr/local/bin", "/usr/bin"];
    let all = VERSIONS.iter().flat_map(|version| {
        directories.map(|directory| Path::new(directory).join(format!("kubectl.{version}")))
    });
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    for kubectl in all.filter(|path| path.exists()) {
        let fixture = Fixture::start(&kubectl);
        fixture.check("exec up -- ls -l", b"", 7, b"ran ls,-l\n", "complained\n");
        fixture.check("exec -i up -- cat", b"hi\n", 0, b"hi\n", "");
        fixture.check("exec -i up -- cat", &big, 0, &big, "");
        fixture.check("attach -i up", b"hello\n", 0, b"hello\n", "");
        let broken = "error executing command in container: no luck";
        fixture.check("exec up -- broken", b"", 1, b"", broken);
        let refusals = [
            ("exec nosuch -- ls", "Error from server (NotFound): pods \"nosuch\" not found"),
            ("exec up -c x -- ls", "container x is not valid for pod up"),
            ("exec down -- ls", "error: unable to upgrade connection: container not found (\"c\")"),
            ("exec unplaced -- ls", "pod unplaced does not have a host assigned"),
        ];
        for (line, expected) in refusals {
            fixture.check(line, b"", 1, b"", expected);
        }
        fixture.port_forward();
        fixture.runtime.block_on(fixture.server.shutdown());
        std::fs::remove_dir_all(&fixture.directory).unwrap();
    }
}
