//! A real engine: `docker login`, `push` and `pull`, and pods whose images come out of the registry.
//!
//! Every test works with image names of its own, since the address of its registry is part of them,
//! and removes them at its end.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::up::Up;
use super::{answers, ok, run};

/// A docker client with a home of its own, and the images that it made.
pub(super) struct Docker<'a> {
    up: &'a Up,
    made: std::cell::RefCell<Vec<String>>,
}

impl<'a> Docker<'a> {
    pub(super) fn new(up: &'a Up) -> Self {
        Self { up, made: std::cell::RefCell::default() }
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments).env("DOCKER_CONFIG", self.up.home.path().join("docker"));
        command
    }

    /// The name of `repository:tag` in the registry, to be removed from the engine at the end.
    pub(super) fn name(&self, image: &str) -> String {
        let name = format!("{}/{image}", self.up.registry);
        self.made.borrow_mut().push(name.clone());
        name
    }

    pub(super) fn login(&self, token: &str) -> (bool, String) {
        let arguments = ["login", "-u", "serviceaccount", "--password-stdin", &self.up.registry];
        let mut command = self.command(&arguments);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// Makes an image that sleeps until it is stopped.
    pub(super) fn build(&self, name: &str, version: &str) {
        let root = self.up.home.path().join("root");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(root.join("version"), version).unwrap();
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        let archive = self.up.home.path().join("root.tar");
        ok(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg("."));
        let label = format!("LABEL version={version}");
        let sleep = r#"CMD ["/bin/busybox","sleep","1000"]"#;
        let archive = archive.to_str().unwrap();
        ok(&mut self.command(&["import", "-c", &label, "-c", sleep, archive, name]));
    }

    pub(super) fn remove(&self, name: &str) {
        // Whether or not it is there.
        drop(run(&mut self.command(&["rmi", "--force", name])));
    }
}

impl Drop for Docker<'_> {
    fn drop(&mut self) {
        for name in self.made.take() {
            self.remove(&name);
        }
    }
}

fn cluster(engine: &str) -> Option<Up> {
    let there = answers("docker", &["info"]) && answers("/bin/busybox", &["true"]);
    if there { Up::start(engine) } else { None }
}

#[test]
fn an_engine_logs_in_pushes_and_pulls() {
    let Some(up) = cluster("sim") else { return };
    let builder = up.project("dev", "builder");
    let stranger = up.project("prod", "builder");
    let docker = Docker::new(&up);
    let image = docker.name("dev/app:v1");
    docker.build(&image, "v1");

    let (known, text) = docker.login("made-up");
    assert!(!known && text.contains("unauthorized"), "{text}");
    let (known, text) = docker.login(&stranger);
    assert!(known, "{text}");
    let (pushed, text) = run(&mut docker.command(&["push", &image]));
    assert!(!pushed && text.contains("authentication required"), "{text}");

    let (known, text) = docker.login(&builder);
    assert!(known && text.contains("Login Succeeded"), "{text}");
    ok(&mut docker.command(&["push", &image]));
    let labels =
        "get istag app:v1 -n dev -o jsonpath={.image.dockerImageMetadata.Config.Labels.version}";
    assert_eq!(up.kubectl.ok(labels), "v1");

    docker.remove(&image);
    ok(&mut docker.command(&["pull", &image]));
    let inspected =
        ok(&mut docker.command(&["inspect", "-f", "{{.Config.Labels.version}}", &image]));
    assert_eq!(inspected.trim(), "v1");
    docker.remove(&image);
    ok(&mut docker.command(&["logout", &up.registry]));
    let (pulled, text) = run(&mut docker.command(&["pull", &image]));
    assert!(!pulled && text.contains("authentication required"), "{text}");
}

pub(super) const CONFIG: &str = "
apiVersion: apps.openshift.io/v1
kind: DeploymentConfig
metadata: {name: app, namespace: prod}
spec:
  replicas: 1
  selector: {app: app}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: app}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: app, image: ' '}]
  triggers:
  - type: ImageChange
    imageChangeParams:
      automatic: true
      containerNames: [app]
      from: {kind: ImageStreamTag, name: 'app:live'}
";

#[test]
fn what_is_tagged_and_pushed_into_another_project_runs_there() {
    let Some(up) = cluster("docker") else { return };
    let builder = up.project("dev", "builder");
    let promoter = up.project("prod", "builder");
    up.apply(CONFIG);
    let docker = Docker::new(&up);
    let (built, live) = (docker.name("dev/app:latest"), docker.name("prod/app:live"));
    for (version, rollout) in [("v1", "1"), ("v2", "2")] {
        docker.build(&built, version);
        docker.login(&builder);
        ok(&mut docker.command(&["push", &built]));
        ok(&mut docker.command(&["tag", &built, &live]));
        docker.login(&promoter);
        ok(&mut docker.command(&["push", &live]));
        // What runs was pulled with the secret of the pod's service account.
        docker.remove(&built);
        docker.remove(&live);
        up.wait("deploymentconfig/app -n prod", ".status.latestVersion", rollout);
        up.wait(&format!("rc/app-{rollout} -n prod"), ".status.readyReplicas", "1");
        let version_file =
            up.kubectl.ok(&format!("exec -n prod rc/app-{rollout} -- /bin/busybox cat /version"));
        assert_eq!(version_file, version);
        let ids =
            up.kubectl.ok("get pods -n prod -l app=app -o jsonpath={.items[*].status..imageID}");
        let own = "docker-pullable://docker-registry.default.svc:5000/prod/app@sha256:";
        assert!(ids.contains(own), "{ids}");
    }
}

#[test]
fn a_pod_without_the_right_to_pull_says_so() {
    let Some(up) = cluster("docker") else { return };
    let builder = up.project("dev", "builder");
    drop(up.project("prod", "builder"));
    let docker = Docker::new(&up);
    let image = docker.name("dev/app:v1");
    docker.build(&image, "v1");
    docker.login(&builder);
    ok(&mut docker.command(&["push", &image]));
    docker.remove(&image);
    let pod = |namespace: &str, host: &str| {
        up.apply(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: app, namespace: {namespace}}},
              spec: {{terminationGracePeriodSeconds: 0,
                containers: [{{name: app, image: '{host}/dev/app:v1'}}]}}}}"
        ));
    };
    pod("prod", "docker-registry.default.svc:5000");
    let reason = ".status.containerStatuses[0].state.waiting.reason";
    up.wait("pod/app -n prod", reason, "ErrImagePull");
    let events = up.kubectl.ok("get events -n prod -o jsonpath={.items[*].message}");
    let text = "Failed to pull image \"docker-registry.default.svc:5000/dev/app:v1\": rpc error: \
                code = Unknown desc = Error response from daemon: ";
    assert!(events.contains(text) && events.contains("unauthorized"), "{events}");

    // With the right it runs, under each name of the registry.
    pod("dev", "docker-registry.default.svc.cluster.local:5000");
    up.wait("pod/app -n dev", ".status.phase", "Running");
    up.kubectl.ok("delete pod app -n dev");
    docker.remove(&image);
    pod("dev", &up.registry);
    up.wait("pod/app -n dev", ".status.phase", "Running");
}
