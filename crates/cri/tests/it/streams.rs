//! Talking to containers, the same on every runtime.

use std::sync::Arc;

use bytes::Bytes;
use cri::sim::{SimImages, SimRuntime};
use cri::stream::{Process, Stdio, Streams};
use cri::{Command, ContainerConfig, ContainerRuntime as _, Event, PodSandboxConfig, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::Receiver;
use world::World;

const ALL: Stdio = Stdio { stdin: true, stdout: true, stderr: true, tty: false };

async fn read(mut from: Receiver<Bytes>) -> String {
    let mut all = Vec::new();
    while let Some(bytes) = from.recv().await {
        all.extend_from_slice(&bytes);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Both outputs and the exit of a process that is sent `input`.
async fn talk(process: Process, input: &'static str) -> (String, String, Result<i64, String>) {
    let Process { stdin, stdout, stderr, resize, exit } = process;
    let feed = async move {
        if !input.is_empty() {
            stdin.send(Bytes::from_static(input.as_bytes())).await.ok();
        }
        drop(stdin);
    };
    let (out, errors, ()) = tokio::join!(read(stdout), read(stderr), feed);
    drop(resize);
    (out, errors, exit.await.unwrap().map_err(|error| error.to_string()))
}

/// Holds a runtime to its side: container `id` has `shell`, its pod answers HTTP on 8080.
pub(crate) async fn check(streams: Arc<dyn Streams>, id: &str, ip: &str, shell: &[&str]) {
    let run = async |script: &str, input| {
        let command: Vec<String> = shell.iter().chain(&[script]).map(ToString::to_string).collect();
        talk(streams.exec(id, &command, ALL).unwrap(), input).await
    };
    let text = |text: &str| text.to_owned();
    let both = run("echo out; echo err >&2; exit 7", "").await;
    assert_eq!(both, (text("out\n"), text("err\n"), Ok(7)));
    let cat = if shell.len() == 3 { format!("{} cat", shell[0]) } else { text("cat") };
    let cat = run(&cat, "in\n").await;
    assert_eq!(cat, (text("in\n"), String::new(), Ok(0)), "the end of the input is passed on");
    let terminal = Stdio { stderr: false, tty: true, ..ALL };
    let command: Vec<String> = shell.iter().chain(&["echo a"]).map(ToString::to_string).collect();
    let shown = talk(streams.exec(id, &command, terminal).unwrap(), "").await;
    assert!(shown.0.contains("a\r\n"), "{shown:?}");
    let missing = talk(streams.exec(id, &[text("/nosuch")], ALL).unwrap(), "").await;
    assert!(missing.0.contains("/nosuch") && missing.2 == Ok(126), "{missing:?}");

    let mut connection = streams.connect(ip, 8080).await.unwrap();
    connection.write_all(b"GET / HTTP/1.0\r\nHost: pod\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.") && answer.ends_with("hello"), "{answer}");
}

fn call(runtime: &mut SimRuntime, world: &World, command: Command) -> Reply {
    runtime.submit(1, command);
    loop {
        for event in runtime.poll() {
            if let Event::Done { ticket: 1, result } = event {
                return result.unwrap();
            }
        }
        world.advance_to(runtime.next_event_at().unwrap());
    }
}

#[tokio::test]
async fn a_simulated_container_is_talked_to() {
    let world = World::simulated(3);
    let images = SimImages::new();
    let script = r#"{"http": {"/": {"body": "hello"}}, "exit": {"afterSeconds": 100},
        "logs": ["early", {"atSeconds": 50, "line": "late"}],
        "exec": [{"command": ["rails", "db:migrate"], "stdout": "migrated\n"}]}"#;
    images.add("web", serde_json::from_str(script).unwrap());
    let mut runtime = SimRuntime::new(world.clone(), images);
    let streams = runtime.streams();
    let config = Box::<PodSandboxConfig>::default();
    let run = Command::RunPodSandbox { config };
    let Reply::Sandbox(sandbox) = call(&mut runtime, &world, run) else { panic!("no sandbox") };
    let config = Box::new(ContainerConfig { image: "web".into(), ..ContainerConfig::default() });
    let create = Command::CreateContainer { sandbox: sandbox.id, config };
    let Reply::Container(id) = call(&mut runtime, &world, create) else { panic!("no container") };
    assert!(streams.exec(&id, &["true".to_owned()], ALL).is_err(), "it does not run yet");
    assert!(streams.connect(&sandbox.ip, 8080).await.is_err(), "nobody answers yet");
    call(&mut runtime, &world, Command::StartContainer { id: id.clone() });
    check(Arc::clone(&streams), &id, &sandbox.ip, &["sh", "-c"]).await;
    let command = ["rails", "db:migrate", "--trace"].map(str::to_owned);
    let scripted = talk(streams.exec(&id, &command, ALL).unwrap(), "").await;
    assert_eq!(scripted, ("migrated\n".to_owned(), String::new(), Ok(0)));
    // Joined now: what was written before is not seen again.
    let joined = tokio::join!(talk(streams.attach(&id, ALL).unwrap(), ""), async {
        loop {
            tokio::task::yield_now().await;
            let Some(next) = runtime.next_event_at() else { return };
            world.advance_to(next);
            if runtime.poll().iter().any(|event| matches!(event, Event::ContainerExited(_))) {
                return;
            }
        }
    });
    assert_eq!(joined.0, ("late\n".to_owned(), String::new(), Ok(0)));
}
