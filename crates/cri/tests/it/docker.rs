//! The runtime on a Docker engine. Without an engine (or without a static busybox for the test image)
//! these tests pass unseen, unless `REHEARSE_DOCKER_TESTS` is `require`.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use cri::conformance::{self, Harness, Program};
use cri::docker::{DockerConfig, DockerEngine, DockerRuntime, pause_program};
use cri::{
    Command, ContainerConfig, ContainerRuntime, Event, FileEntry, LogOptions, Mount,
    PodSandboxConfig, PodVolume, Reply, VolumeSource,
};
use futures_util::StreamExt as _;
use world::World;

const BUSYBOX: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];

struct Docker {
    tokio: tokio::runtime::Runtime,
    runtime: DockerRuntime,
    engine: DockerEngine,
    image: String,
    woken: Arc<(Mutex<bool>, Condvar)>,
    patience: u32,
}

#[expect(clippy::disallowed_methods, reason = "the switch of the test lane")]
fn required() -> bool {
    std::env::var("REHEARSE_DOCKER_TESTS").is_ok_and(|value| value == "require")
}

impl Docker {
    fn connect(cluster: &str) -> Option<Self> {
        Self::connect_through(tokio::runtime::Runtime::new().unwrap(), cluster, None)
    }

    fn connect_through(
        tokio: tokio::runtime::Runtime,
        cluster: &str,
        socket: Option<String>,
    ) -> Option<Self> {
        let busybox = BUSYBOX.iter().find_map(|path| std::fs::read(path).ok());
        let usable = tokio.block_on(cri::docker::available(None)) && busybox.is_some();
        if !usable {
            assert!(!required(), "a Docker engine and a static busybox are required");
            return None;
        }
        let config = DockerConfig { cluster: format!("{cluster}-{}", std::process::id()), socket };
        let connected = tokio.block_on(DockerRuntime::connect(World::real(), config));
        let mut runtime = connected.unwrap();
        let engine = runtime.engine();
        let woken = Arc::new((Mutex::new(false), Condvar::new()));
        let wake = Arc::clone(&woken);
        runtime.set_wake(Arc::new(move || {
            *wake.0.lock().unwrap() = true;
            wake.1.notify_all();
        }));
        let pause = pause_program(std::env::consts::ARCH).unwrap();
        let files = [
            ("bin/busybox".to_owned(), busybox.unwrap()),
            ("bin/pause".to_owned(), pause),
            ("www/index.html".to_owned(), b"hello".to_vec()),
        ];
        let tag = format!("rehearse/conformance:{cluster}");
        let id = tokio.block_on(engine.build_scratch_image(&tag, &files, &["/bin/pause"])).unwrap();
        // Named by an id that no registry knows, under any repository.
        let image = format!("nowhere.example/conformance@{id}");
        Some(Self { tokio, runtime, engine, image, woken, patience: 300 })
    }

    fn until(&mut self, wanted: impl Fn(&Event) -> bool) {
        while !self.runtime.poll().iter().any(&wanted) {
            assert!(self.wait(), "the event comes");
        }
    }

    fn call(&mut self, command: Command) -> Reply {
        self.runtime.submit(1, command);
        loop {
            for event in self.runtime.poll() {
                if let Event::Done { ticket: 1, result } = event {
                    return result.unwrap();
                }
            }
            assert!(self.wait(), "the engine answers");
        }
    }
}

impl Docker {
    /// Waits until container `id` has written a line that begins so.
    fn until_line(&mut self, id: &str, beginning: &str) {
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let mut stream = self.runtime.logs().open(id, &options).unwrap();
        let mut text = String::new();
        while !text.lines().any(|line| line.starts_with(beginning)) {
            let piece = self.tokio.block_on(stream.next()).expect("the line comes");
            text.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    fn start(&mut self, sandbox: &str, config: ContainerConfig) -> cri::Id {
        let create = Command::CreateContainer { sandbox: sandbox.into(), config: Box::new(config) };
        let Reply::Container(id) = self.call(create) else { panic!("a container was asked for") };
        self.call(Command::StartContainer { id: id.clone() });
        id
    }

    /// All that container `id` writes until it ends.
    fn said(&mut self, id: &str) -> String {
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let stream = self.runtime.logs().open(id, &options).unwrap();
        let pieces: Vec<_> = self.tokio.block_on(stream.collect());
        String::from_utf8(pieces.concat()).unwrap()
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        self.tokio.block_on(self.engine.cleanup()).unwrap();
    }
}

impl Harness for Docker {
    fn runtime(&mut self) -> &mut dyn ContainerRuntime {
        &mut self.runtime
    }

    fn wait(&mut self) -> bool {
        let (woken, changed) = &*self.woken;
        let guard = woken.lock().unwrap();
        let limit = Duration::from_millis(200);
        let (mut guard, waited) =
            changed.wait_timeout_while(guard, limit, |woken| !*woken).unwrap();
        *guard = false;
        if waited.timed_out() {
            self.patience -= 1;
        }
        self.patience > 0
    }

    fn program(&self, program: Program) -> (String, Vec<String>) {
        let shell = |script: &str| ["/bin/busybox", "sh", "-c", script].map(str::to_owned).to_vec();
        let image = match program {
            Program::Missing => "127.0.0.1:1/missing:1".to_owned(),
            _ => self.image.clone(),
        };
        let command = match program {
            Program::Obeys | Program::Missing => Vec::new(),
            Program::Ignores => shell("trap '' TERM; while :; do /bin/busybox sleep 1; done"),
            Program::Fails => shell("exit 3"),
            Program::Explains => shell("echo why > /dev/termination-log; exit 4"),
            Program::Prints => shell("echo one; echo two; echo three"),
            Program::Serves => ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
                .map(str::to_owned)
                .to_vec(),
            Program::Broken => vec!["/nowhere".to_owned()],
        };
        (image, command)
    }
}

#[test]
fn conforms() {
    let Some(mut docker) = Docker::connect("conforms") else { return };
    for (name, case) in conformance::CASES {
        docker.patience = 300;
        if let Err(error) = conformance::run(*case, &mut docker) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn files_and_scratch_volumes_reach_the_container() {
    check_mounts("mounts", false);
}

#[test]
fn a_read_only_root_has_its_files_and_volumes_too() {
    check_mounts("read-only", true);
}

fn file(path: &str, text: &str) -> FileEntry {
    FileEntry { path: path.to_owned(), mode: 0o640, data: text.as_bytes().into() }
}

fn mount(volume: &str, sub_path: &str, path: &str) -> Mount {
    Mount {
        volume: volume.to_owned(),
        sub_path: sub_path.to_owned(),
        path: path.to_owned(),
        ..Mount::default()
    }
}

/// A sandbox with files, scratch space on disk and in memory, and names of its own.
fn pod_with_volumes(cluster: &str) -> PodSandboxConfig {
    let volume = |name: &str, source| PodVolume { name: name.to_owned(), source };
    PodSandboxConfig {
        name: "p".into(),
        uid: cluster.into(),
        hostname: "p".into(),
        host_aliases: vec![("10.9.8.7".to_owned(), vec!["a".to_owned(), "b".to_owned()])],
        dns: cri::Dns { options: vec!["ndots:5".to_owned()], ..cri::Dns::default() },
        volumes: vec![
            volume("app", VolumeSource::Files(vec![file("d/x", "X\n"), file("one", "1\n")])),
            volume("tmp", VolumeSource::Scratch { memory: false }),
            volume("mem", VolumeSource::Scratch { memory: true }),
        ],
        ..PodSandboxConfig::default()
    }
}

fn check_mounts(cluster: &str, read_only_root: bool) {
    let Some(mut docker) = Docker::connect(cluster) else { return };
    let config = pod_with_volumes(cluster);
    let Reply::Sandbox(sandbox) = docker.call(Command::RunPodSandbox { config: Box::new(config) })
    else {
        panic!("a sandbox was asked for")
    };
    let script = "b=/bin/busybox; $b stat -L -c %a /etc/app/d/x /scratch; $b cat /etc/app/d/x /etc/one; \
                  $b touch /x 2>&- || echo read-only; echo kept > /scratch/f; $b cat /scratch/f; \
                  echo deep > /sub/g; $b cat /scratch/a/b/g; echo m > /mem/f; $b cat /mem/f; echo $GREETING; \
                  $b grep -c -e Kubernetes-managed -e '10.9.8.7.a.b' /etc/hosts; $b grep ndots /etc/resolv.conf; \
                  $b sleep 2; $b cat /etc/app/d/x";
    let id = docker.image.split_once('@').unwrap().1.to_owned();
    let mounts = [
        mount("app", "", "/etc/app"),
        mount("app", "one", "/etc/one"),
        mount("tmp", "", "/scratch"),
        mount("tmp", "a/b", "/sub"),
        mount("mem", "", "/mem"),
    ];
    let container = ContainerConfig {
        name: "main".into(),
        pod_uid: cluster.into(),
        image: docker.image.as_str().into(),
        image_id: id.into(),
        command: ["/bin/busybox", "sh", "-c", script].map(str::to_owned).into(),
        env: [("GREETING".to_owned(), "hi".to_owned())].into(),
        mounts: mounts.into(),
        security: Arc::new(cri::ContainerSecurity {
            user: "0".to_owned(),
            read_only_root,
            ..cri::ContainerSecurity::default()
        }),
        ..ContainerConfig::default()
    };
    let id = docker.start(&sandbox.id, container);
    let write = Command::WriteVolume {
        sandbox: sandbox.id.clone(),
        volume: "app".to_owned(),
        files: vec![file("d/x", "Y\n")],
        fs_group: None,
    };
    // After the container has read the first version.
    docker.until_line(&id, "options");
    docker.call(write);
    let output = docker.said(&id);
    let lines: Vec<&str> = output.lines().collect();
    let root = if read_only_root { &["read-only"][..] } else { &[] };
    let before = ["640", "777", "X", "1"];
    let after = ["kept", "deep", "m", "hi", "2", "options ndots:5", "Y"];
    assert_eq!(lines, [&before[..], root, &after[..]].concat());
    docker.call(Command::StopPodSandbox { id: sandbox.id.clone() });
    docker.call(Command::RemovePodSandbox { id: sandbox.id });
}

#[test]
fn volumes_belong_to_the_group_of_their_pod() {
    const CLUSTER: &str = "fs-group";
    let Some(mut docker) = Docker::connect(CLUSTER) else { return };
    let volume = |name: &str, source| PodVolume { name: name.to_owned(), source };
    let lasting = VolumeSource::Lasting { name: format!("{CLUSTER}-{}", std::process::id()) };
    let config = PodSandboxConfig {
        name: "p".into(),
        uid: CLUSTER.into(),
        volumes: vec![
            volume("app", VolumeSource::Files(vec![file("x", "X\n")])),
            volume("tmp", VolumeSource::Scratch { memory: false }),
            volume("keep", lasting),
        ],
        fs_group: Some(4321),
        ..PodSandboxConfig::default()
    };
    let Reply::Sandbox(sandbox) = docker.call(Command::RunPodSandbox { config: Box::new(config) })
    else {
        panic!("a sandbox was asked for")
    };
    let user = |uid: &str| {
        Arc::new(cri::ContainerSecurity {
            user: format!("{uid}:{uid}"),
            groups: vec!["4321".to_owned()],
            ..cri::ContainerSecurity::default()
        })
    };
    let image_id = docker.image.split_once('@').unwrap().1.to_owned();
    let container = |name: &str, script: &str, mounts: Vec<Mount>, uid: &str| ContainerConfig {
        name: name.into(),
        pod_uid: CLUSTER.into(),
        image: docker.image.as_str().into(),
        image_id: image_id.as_str().into(),
        command: ["/bin/busybox", "sh", "-c", script].map(str::to_owned).into(),
        mounts: mounts.into(),
        security: user(uid),
        ..ContainerConfig::default()
    };
    let script = "b=/bin/busybox; for d in /keep /deep /tmp /sub; do echo $d > $d/f && $b cat $d/f; done; \
                  $b stat -c '%a %g' /keep /deep /sub; $b mkdir -m 700 /keep/own; $b cat /app/x; \
                  while $b grep -q X /app/x; do $b sleep 0.1; done; $b cat /app/x";
    let mounts = vec![
        mount("app", "", "/app"),
        mount("tmp", "", "/tmp"),
        mount("tmp", "s", "/sub"),
        mount("keep", "", "/keep"),
        mount("keep", "a/b", "/deep"),
    ];
    let first = container("first", script, mounts, "1234");
    // What somebody made in a volume stays as they made it.
    let script = "b=/bin/busybox; $b stat -c '%a %u' /keep/own; echo in > /in/f && $b cat /in/f";
    let mounts = vec![mount("keep", "", "/keep"), mount("keep", "own/in", "/in")];
    let second = container("second", script, mounts, "1234");
    let first = docker.start(&sandbox.id, first);
    docker.until_line(&first, "X");
    docker.call(Command::WriteVolume {
        sandbox: sandbox.id.clone(),
        volume: "app".to_owned(),
        files: vec![file("x", "Y\n")],
        fs_group: Some(4321),
    });
    let said = docker.said(&first);
    let made = ["/keep", "/deep", "/tmp", "/sub", "2775 4321", "2775 4321", "2777 4321", "X", "Y"];
    assert_eq!(said.lines().collect::<Vec<_>>(), made, "{said}");
    let second = docker.start(&sandbox.id, second);
    let said = docker.said(&second);
    assert_eq!(said, "700 1234\nin\n");
    docker.call(Command::StopPodSandbox { id: sandbox.id.clone() });
    docker.call(Command::RemovePodSandbox { id: sandbox.id });
}

/// Ids of all labelled objects of a cluster, by what they are.
fn objects(cluster: &str) -> BTreeMap<&'static str, String> {
    let filter = format!("label=rehearse.cluster={cluster}");
    let list = |args: &[&str]| {
        let output = std::process::Command::new("docker")
            .args(args)
            .args(["-q", "--filter", &filter])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    BTreeMap::from([
        ("containers", list(&["ps", "-a"])),
        ("networks", list(&["network", "ls"])),
        ("images", list(&["images"])),
    ])
}

#[test]
fn nothing_is_left_behind() {
    let Some(mut docker) = Docker::connect("leftovers") else { return };
    let cluster = format!("leftovers-{}", std::process::id());
    docker.call(Command::RunPodSandbox { config: Box::default() });
    if std::process::Command::new("docker").arg("--version").output().is_err() {
        return;
    }
    assert!(objects(&cluster).values().all(|ids| !ids.is_empty()), "{:?}", objects(&cluster));
    drop(docker);
    assert!(objects(&cluster).values().all(String::is_empty), "{:?}", objects(&cluster));
}

#[test]
fn what_a_crashed_process_left_is_removed() {
    let Some(docker) = Docker::connect("living") else { return };
    if std::process::Command::new("docker").arg("--version").output().is_err() {
        return;
    }
    let crashed = format!("crashed-{}", std::process::id());
    let labels =
        [format!("rehearse.cluster={crashed}"), "rehearse.owner=an-earlier-boot/1/1".to_owned()];
    let create = ["network", "create", "--label", &labels[0], "--label", &labels[1], &crashed];
    let status = std::process::Command::new("docker").args(create).output().unwrap().status;
    assert!(status.success());
    docker.tokio.block_on(docker.engine.remove_leftovers()).unwrap();
    assert_eq!(objects(&crashed)["networks"], "");
    let living = format!("living-{}", std::process::id());
    assert_ne!(objects(&living)["networks"], "", "a living process keeps what it has");
}

/// A way to the engine that can be cut.
struct Proxy {
    path: std::path::PathBuf,
    tasks: Arc<Mutex<Vec<tokio::task::JoinHandle<()>>>>,
}

impl Proxy {
    fn open(tokio: &tokio::runtime::Runtime, path: &std::path::Path) -> Self {
        let _context = tokio.enter();
        let listener = tokio::net::UnixListener::bind(path).unwrap();
        let tasks: Arc<Mutex<Vec<_>>> = Arc::default();
        let connections = Arc::clone(&tasks);
        let accept = world::edge::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let connection = world::edge::spawn(async move {
                    let far = tokio::net::UnixStream::connect("/var/run/docker.sock").await;
                    if let Ok(mut far) = far {
                        drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
                    }
                });
                connections.lock().unwrap().push(connection);
            }
        });
        tasks.lock().unwrap().push(accept);
        Self { path: path.to_owned(), tasks }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for task in self.tasks.lock().unwrap().drain(..) {
            task.abort();
        }
        std::fs::remove_file(&self.path).unwrap();
    }
}

#[test]
fn an_engine_that_goes_away_is_noticed_and_found_again() {
    let tokio = tokio::runtime::Runtime::new().unwrap();
    let path = std::env::temp_dir().join(format!("rehearse-proxy-{}.sock", std::process::id()));
    let proxy = Proxy::open(&tokio, &path);
    let socket = Some(path.to_string_lossy().into_owned());
    let Some(mut docker) = Docker::connect_through(tokio, "away", socket) else { return };
    let Reply::Sandbox(sandbox) = docker.call(Command::RunPodSandbox { config: Box::default() })
    else {
        panic!("a sandbox was asked for")
    };
    drop(proxy);
    docker.until(|event| matches!(event, Event::EngineUnavailable { .. }));
    docker.runtime.submit(2, Command::List);
    docker.until(|event| {
        matches!(event, Event::Done { ticket: 2, result: Err(cri::Error::Unavailable(_)) })
    });
    let proxy = Proxy::open(&docker.tokio, &path);
    docker.until(|event| *event == Event::EngineAvailable);
    let listed = docker.call(Command::List);
    let Reply::List { sandboxes, .. } = listed else { panic!("a list was asked for") };
    assert!(sandboxes.iter().any(|found| found.id == sandbox.id && found.running));
    // The fixture cleans up through the proxy.
    drop(docker);
    drop(proxy);
}

#[test]
fn a_real_container_is_talked_to() {
    let Some(mut docker) = Docker::connect("streams") else { return };
    let run = Command::RunPodSandbox { config: Box::default() };
    let Reply::Sandbox(sandbox) = docker.call(run) else { panic!("a sandbox was asked for") };
    let (image, command) = docker.program(Program::Serves);
    let image_id = docker.image.split_once('@').unwrap().1.into();
    let (image, command) = (image.into(), command.into());
    let config = ContainerConfig { image, image_id, command, ..ContainerConfig::default() };
    let create = Command::CreateContainer { sandbox: sandbox.id.clone(), config: Box::new(config) };
    let Reply::Container(id) = docker.call(create) else { panic!("a container was asked for") };
    docker.call(Command::StartContainer { id: id.clone() });
    let shell = ["/bin/busybox", "sh", "-c"];
    let streams = docker.runtime.streams();
    docker.tokio.block_on(crate::streams::check(streams, &id, &sandbox.ip, &shell));
    docker.call(Command::StopPodSandbox { id: sandbox.id.clone() });
    docker.call(Command::RemovePodSandbox { id: sandbox.id });
}

/// The output of `docker` with `arguments`.
fn docker(arguments: &[&str]) -> String {
    let output = std::process::Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_is_in_use_at_first_is_removed_in_the_end() {
    let cluster = "sweep";
    let Some(mut docker_runtime) = Docker::connect(cluster) else { return };
    let config = Box::new(pod_with_volumes(cluster));
    docker_runtime.call(Command::RunPodSandbox { config });
    let label = format!("label=rehearse.cluster={cluster}-{}", std::process::id());
    let volumes = || docker(&["volume", "ls", "-q", "--filter", &label]);
    let found = volumes();
    let mount = format!("{}:/somewhere", found.lines().next().unwrap());
    let image = docker_runtime.image.split_once('@').unwrap().1.to_owned();
    // Containers have the labels of their image.
    let of_others = ["run", "-d", "--rm", "--label", "rehearse.cluster=others", "-v", &mount];
    let sleeps = ["--entrypoint", "/bin/busybox", &image, "sleep", "2"];
    docker(&[&of_others[..], &sleeps].concat());
    docker_runtime.tokio.block_on(docker_runtime.engine.cleanup()).unwrap();
    assert_eq!(volumes(), "");
}
