//! The real kubectl against the server alone (no controllers): what a user types and reads.
//!
//! Every version found on the machine is run; with none the tests pass empty, which they say.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use apiserver::ApiServer;
use apiserver::http::{Config, Server, kubeconfig};
use tokio::runtime::Runtime;
use world::World;

const VERSIONS: &[&str] = &["1.28", "1.30", "1.32", "1.33"];

const MANIFEST: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: example/web:1
        ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: alone, labels: {app: alone}}
spec:
  containers: [{name: c, image: 'example/alone:1'}]
";

const CRON_TABS: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, kind: CronTab, shortNames: [ct]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns:
    - {name: Cron, type: string, jsonPath: .spec.cron}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              cron: {type: string}
              replicas: {type: integer, minimum: 1}
";

const CRON_TAB: &str = "\
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: one}
spec: {cron: '5', replicas: 2}
";

/// A server in the background, and a directory of its own for the client's files.
struct Fixture {
    runtime: Runtime,
    server: Server,
    directory: PathBuf,
    kubectl: PathBuf,
}

impl Fixture {
    fn start(kubectl: PathBuf, name: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let api = ApiServer::builder(World::real()).build();
        apiserver::bootstrap(&api).unwrap();
        let server =
            runtime.block_on(async { Server::start(api, Config::local().unwrap()) }).unwrap();
        let directory =
            std::env::temp_dir().join(format!("apiserver-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        kubeconfig::write(&directory.join("config"), server.kubeconfig()).unwrap();
        std::fs::write(directory.join("a.yaml"), MANIFEST).unwrap();
        let changed = MANIFEST.replace("replicas: 2", "replicas: 3").replace("web:1", "web:2");
        std::fs::write(directory.join("b.yaml"), changed).unwrap();
        std::fs::write(directory.join("bad.yaml"), MANIFEST.replace("image:", "imagex:")).unwrap();
        std::fs::write(directory.join("crd.yaml"), CRON_TABS).unwrap();
        std::fs::write(directory.join("tab.yaml"), CRON_TAB).unwrap();
        Self { runtime, server, directory, kubectl }
    }

    /// Runs one command line; gives what it printed, the warning of version skew left out.
    fn run(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        let lines = text.lines().filter(|line| !line.contains("version difference"));
        lines.map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    fn check(&self, line: &str, expected: &str) {
        assert_eq!(self.run(line), expected, "{} {line}", self.kubectl.display());
    }

    fn check_contains(&self, line: &str, expected: &str) {
        let text = self.run(line);
        assert!(text.contains(expected), "{} {line}: {text}", self.kubectl.display());
    }

    fn end(self) {
        self.runtime.block_on(self.server.shutdown());
        std::fs::remove_dir_all(&self.directory).unwrap();
    }

    /// Starts a command line that does not end by itself; gives its lines as they come.
    fn follow(&self, line: &str) -> Followed {
        let mut child = self.command(line).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Followed { child, lines }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.kubectl);
        command
            .args(line.split(' '))
            .arg(format!("--cache-dir={}", self.directory.join("cache").display()))
            .env("KUBECONFIG", self.directory.join("config"))
            .current_dir(&self.directory);
        command
    }
}

/// A kubectl that goes on until it is dropped.
struct Followed {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn find(version: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let known = Path::new("/usr/lib/google-cloud-sdk/bin").to_path_buf();
    std::env::split_paths(&path)
        .chain([known])
        .map(|directory| directory.join(format!("kubectl.{version}")))
        .find(|file| file.is_file())
}

/// Runs `scenario` with every kubectl found, side by side.
#[expect(clippy::print_stdout, reason = "says what was not tested")]
fn with_every_kubectl(name: &str, scenario: fn(&Fixture)) {
    std::thread::scope(|scope| {
        for version in VERSIONS {
            let Some(kubectl) = find(version) else {
                println!("kubectl {version} is not here: not tested");
                continue;
            };
            scope.spawn(move || {
                let fixture = Fixture::start(kubectl, &format!("{name}-{version}"));
                scenario(&fixture);
                fixture.end();
            });
        }
    });
}

#[test]
fn objects_are_created_applied_changed_and_deleted() {
    with_every_kubectl("objects", |kubectl| {
        let created = "service/web created\ndeployment.apps/web created\npod/alone created";
        kubectl.check("apply -f a.yaml", created);
        let unchanged = "service/web unchanged\ndeployment.apps/web unchanged\npod/alone unchanged";
        kubectl.check("apply -f a.yaml", unchanged);
        let changed = "service/web unchanged\ndeployment.apps/web configured\npod/alone unchanged";
        kubectl.check("apply -f b.yaml", changed);
        let path = "jsonpath={.spec.replicas},{.spec.template.spec.containers[*].image}";
        kubectl.check(&format!("get deploy web -o {path}"), "3,example/web:2");
        kubectl.check("scale deploy web --replicas=5", "deployment.apps/web scaled");
        kubectl.check("label pod alone tier=front", "pod/alone labeled");
        kubectl.check("annotate pod alone note=hello", "pod/alone annotated");
        kubectl.check(
            r#"patch deploy web -p {"spec":{"template":{"spec":{"containers":[{"name":"main","tty":true}]}}}}"#,
            "deployment.apps/web patched",
        );
        kubectl.check(&format!("get deploy web -o {path}"), "5,example/web:2");
        kubectl.check("get pods -l tier=front -o name", "pod/alone");
        kubectl.check(
            "wait --for=jsonpath={.metadata.labels.tier}=front pod/alone",
            "pod/alone condition met",
        );
        kubectl.check_contains("describe pod alone", "Image:        example/alone:1");
        kubectl.check_contains("apply -f bad.yaml", "unknown field \"spec.containers[0].imagex\"");
        kubectl.check("create configmap c --from-literal=a=b", "configmap/c created");
        kubectl.check("create namespace n", "namespace/n created");
        kubectl.check(
            "delete service,deployment web",
            "service \"web\" deleted\ndeployment.apps \"web\" deleted",
        );
        kubectl.check_contains("get deploy web", "deployments.apps \"web\" not found");
    });
}

#[test]
fn tables_and_discovery_are_read() {
    with_every_kubectl("tables", |kubectl| {
        kubectl.run("create -f a.yaml");
        let table = kubectl.run("get pods");
        let words: Vec<&str> = table.split_whitespace().take(9).collect();
        let expected =
            ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "alone", "0/1", "Pending", "0"];
        assert_eq!(words, expected);
        kubectl.check_contains("get deploy -o wide", "example/web:1");
        kubectl.check_contains("get all", "service/web");
        kubectl.check_contains("get pods -A --show-labels", "app=alone");
        kubectl.check("get pods -l app=nosuch", "No resources found in default namespace.");
        kubectl.check_contains("get nosuch", "the server doesn't have a resource type \"nosuch\"");
        kubectl.check_contains("api-resources", "deploymentconfigs");
        kubectl.check_contains("api-versions", "image.openshift.io/v1");
        kubectl.check_contains("explain deployment.spec.replicas", "replicas <integer>");
        kubectl.check_contains("version", "v1.11.0+d4cacc0");
        kubectl.check("get --raw /readyz", "ok");
    });
}

#[test]
fn a_watch_prints_what_happens() {
    with_every_kubectl("watch", |kubectl| {
        kubectl.run("create -f a.yaml");
        let mut watch =
            kubectl.follow("get pods -w --show-labels --no-headers --request-timeout=60s");
        let mut next = || watch.lines.next().unwrap().unwrap();
        assert!(next().ends_with("app=alone"));
        kubectl.run("label pod alone tier=front");
        assert!(next().ends_with("app=alone,tier=front"));
        kubectl.run("run second --image=x:1 --labels=app=second");
        assert!(next().starts_with("second"));
    });
}

#[test]
fn server_side_apply_owns_fields_until_it_is_forced() {
    with_every_kubectl("ssa", |kubectl| {
        let applied = "service/web serverside-applied\ndeployment.apps/web serverside-applied\n\
                       pod/alone serverside-applied";
        kubectl.check("apply --server-side -f a.yaml", applied);
        kubectl.check("apply --server-side -f a.yaml", applied);
        kubectl.check_contains("diff --server-side -f b.yaml", "+  replicas: 3");
        kubectl.check("scale deployment web --replicas=7", "deployment.apps/web scaled");
        let refused = kubectl.run("apply --server-side -f b.yaml");
        assert!(refused.contains("Apply failed with 1 conflict: conflict with "), "{refused}");
        assert!(
            refused.contains("subresource \"scale\" using apps/v1: .spec.replicas"),
            "{refused}"
        );
        kubectl.check_contains("apply --server-side --force-conflicts -f b.yaml", "web serverside");
        kubectl.check("get deployment web -o jsonpath={.spec.replicas}", "3");
        assert!(!kubectl.run("get deployment web -o yaml").contains("managedFields"));
        let shown = kubectl.run("get deployment web -o yaml --show-managed-fields");
        assert!(shown.contains("operation: Apply"), "{shown}");
    });
}

#[test]
fn client_side_apply_becomes_server_side() {
    with_every_kubectl("upgrade", |kubectl| {
        kubectl.run("apply -f a.yaml");
        kubectl.check_contains("apply --server-side -f b.yaml", "deployment.apps/web serverside");
        let shown = kubectl.run("get deployment web -o yaml --show-managed-fields");
        assert!(!shown.contains("manager: kubectl-client-side-apply"), "{shown}");
        kubectl.check_contains("apply -f a.yaml", "deployment.apps/web configured");
        kubectl
            .check_contains("apply -f a.yaml --dry-run=server", "web unchanged (server dry run)");
    });
}

#[test]
fn custom_resources_are_like_any_other() {
    with_every_kubectl("crd", |kubectl| {
        kubectl.run("apply -f crd.yaml");
        kubectl.check_contains("wait --for=condition=established crd --all --timeout=5s", "met");
        kubectl.check("apply -f tab.yaml", "crontab.stable.example.com/one created");
        kubectl.check("apply -f tab.yaml", "crontab.stable.example.com/one unchanged");
        kubectl.check("scale ct/one --replicas=3", "crontab.stable.example.com/one scaled");
        kubectl.check("get ct", "NAME   CRON   REPLICAS\none    5      3");
        kubectl.check_contains("explain crontab.spec.replicas", "<integer>");
        kubectl.check_contains(
            "patch ct one --type=merge -p {\"spec\":{\"replicas\":0}}",
            "spec.replicas in body should be greater than or equal to 1",
        );
        // No controller here that would empty it.
        kubectl.run("delete -f crd.yaml --wait=false");
        kubectl.run("patch crd crontabs.stable.example.com --type=merge -p {\"metadata\":{\"finalizers\":[]}}");
        kubectl.check_contains("get ct", "the server could not find the requested resource");
    });
}
