//! The commands of a recorded transcript, sent as `oc` 3.11 sends them.
//!
//! Invariant: what `oc` works out by itself before it asks the server is worked out here from what the
//! server says, so that its refusals can be compared as well.

use apimachinery::json;
use apimachinery::yaml::load_documents;
use apimachinery::{ObjectExt as _, Reason, Status, Value};
use apiserver::{Client, DeleteOptions, PatchKind};

/// One user's `oc` in one project, run from the folder of a recording.
#[derive(Debug)]
pub(super) struct Oc<'a> {
    pub(super) client: &'a Client,
    pub(super) project: String,
    pub(super) folder: &'a std::path::Path,
}

/// What a command prints: its output, or the error.
pub(super) type Printed = Result<String, String>;

/// What came of a command.
#[derive(Debug)]
pub(super) enum Answer {
    Text(String),
    /// Something asked for with `-o yaml`.
    Object(Value),
}

/// What a command is about.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) resource: &'static api::Resource,
    /// As `oc` names the kind.
    pub(super) kind: &'static str,
    pub(super) name: String,
}

impl Target {
    /// `dc/x`, `deploy/x`, `rc/x`, `svc/x`; a deployment config without a prefix.
    pub(super) fn of(word: &str) -> Self {
        let (kind, name) = word.split_once('/').unwrap_or(("dc", word));
        let (resource, kind) = match kind {
            "rc" => (&api::REPLICATION_CONTROLLERS, "replicationcontroller"),
            "deploy" | "deployment" => {
                let resource = api::find_kind("extensions", "v1beta1", "Deployment");
                (resource.unwrap(), "deployment.extensions")
            }
            _ => (&api::DEPLOYMENT_CONFIGS, "deploymentconfig.apps.openshift.io"),
        };
        Self { resource, kind, name: name.to_owned() }
    }

    pub(super) fn is_config(&self) -> bool {
        self.kind.starts_with("deploymentconfig")
    }
}

/// A refusal as `oc` prints it.
pub(super) fn refused(status: &Status) -> String {
    match status.reason {
        Reason::Invalid => format!("The {}", status.message),
        reason => format!("Error from server ({reason:?}): {}", status.message),
    }
}

fn error(text: String) -> String {
    if text.starts_with("Error ") || text.starts_with("The ") {
        text
    } else {
        format!("error: {text}")
    }
}

impl Oc<'_> {
    /// Runs `command`; `None` for one whose output is not told here.
    pub(super) fn run(&mut self, command: &str, body: &str) -> Option<Answer> {
        if command.starts_with("POST ") {
            return Some(Answer::Object(self.post(command, body)));
        }
        let mut words = words(command);
        while words.first().is_some_and(|word| word != "oc") {
            drop(words.remove(0));
        }
        let home = self.project.clone();
        if let Some(at) = words.iter().position(|word| word == "-n") {
            self.project = words[at + 1].clone();
            drop(words.drain(at..at + 2));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words.ends_with(&["-o", "yaml"]) && words.get(1) == Some(&"get") {
            let object = self.object(&words[2..words.len() - 2]);
            self.project = home;
            return object.map(Answer::Object);
        }
        let printed = self.text(command, &words);
        if !matches!(words.get(1), Some(&("project" | "new-project"))) {
            self.project = home;
        }
        printed.map(|printed| Answer::Text(printed.unwrap_or_else(error)))
    }

    fn text(&mut self, command: &str, words: &[&str]) -> Option<Printed> {
        let flag = |name: &str| {
            let prefix = format!("--{name}=");
            words.iter().find_map(|word| word.strip_prefix(prefix.as_str()))
        };
        let dc = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
        let number = |name: &str| flag(name).map_or(0, |n| n.parse().unwrap());
        Some(match words[1..] {
            // What it prints hangs on where the user was before.
            ["project", name] => {
                self.go_to(name).unwrap();
                return None;
            }
            ["new-project", name, ..] => self.new_project(name, flag("display-name")),
            ["create", "imagestream", name] => self.create_stream(name),
            ["create", "-f", file] => self.create(file, ""),
            ["create", "-f", file, "--record"] => {
                self.create(file, &format!("oc create --filename={file} --record=true"))
            }
            ["new-app", source] => self.new_app(source.strip_prefix("--image-stream=").unwrap()),
            ["expose", "svc", name] => self.expose(name),
            ["expose", target] => self.expose(&dc(target)),
            ["policy", "add-role-to-group", role, group] => {
                self.add_role(role, &json!({"kind": "Group", "name": group}))
            }
            ["tag", "-d", dest] => self.untag(dest),
            ["tag", ref rest @ ..] => self.tag(rest),
            ["import-image", name, ..] => {
                let insecure = words.contains(&"--insecure");
                self.import_image(name, flag("from").unwrap(), insecure)
            }
            ["describe", "is", name] => self.describe_stream(name),
            ["set", "triggers", target] => self.list_triggers(&Target::of(target)),
            ["set", "triggers", target, ref rest @ ..] => {
                self.set_triggers(&Target::of(target), rest)
            }
            ["set", "image", target, image, ref rest @ ..] => {
                let (container, image) = image.split_once('=').unwrap();
                let mut patch = in_container(&json!({"name": container, "image": image}));
                if rest.contains(&"--record") {
                    patch["metadata"]["annotations"]["kubernetes.io/change-cause"] =
                        json!(format!("{command}=true"));
                }
                self.patch(&Target::of(target), patch, "image updated")
            }
            ["set", "env", _, "--list"] => return None,
            ["set", "env", target, setting] => self.set_env(&dc(target), setting),
            ["set", "deployment-hook", target, ..] => self.set_hook(&dc(target), words),
            ["scale", target, ..] => {
                let replicas = flag("replicas").unwrap().parse().unwrap();
                self.scale(&Target::of(target), replicas, flag("current-replicas"))
            }
            ["rollback", target, ..] => self.rollback(&dc(target), number("to-version")),
            ["rollout", verb, target, ..] => {
                return self.rollout(verb, &Target::of(target), number("to-revision"), words);
            }
            // Prints random names.
            ["delete", "pod", "--all"] => {
                self.delete_pods();
                return None;
            }
            ["delete", "istag", name] => self.delete_tag(name),
            ["delete", target] => self.delete(target),
            _ => return self.change(words),
        })
    }

    /// Patches of what every object has.
    fn change(&self, words: &[&str]) -> Option<Printed> {
        Some(match words[1..] {
            ["patch", target, "-p", patch] => {
                self.patch(&Target::of(target), serde_json::from_str(patch).unwrap(), "patched")
            }
            ["label", target, label] => {
                let (key, value) = label.split_once('=').unwrap();
                let patch = json!({"metadata": {"labels": {key: value}}});
                self.patch(&Target::of(target), patch, "labeled")
            }
            ["annotate", target, annotation] => {
                let (key, value) = annotation.split_once('=').unwrap();
                let patch = json!({"metadata": {"annotations": {key: value}}});
                self.patch(&Target::of(target), patch, "annotated")
            }
            _ => return None,
        })
    }

    fn rollout(
        &self,
        verb: &str,
        target: &Target,
        revision: i64,
        words: &[&str],
    ) -> Option<Printed> {
        let name = target.name.as_str();
        Some(match (verb, target.is_config()) {
            ("pause" | "resume", _) => self.pause(target, verb == "pause"),
            ("latest", true) => self.latest(name),
            ("cancel", true) => self.cancel(name),
            ("retry", true) => self.retry(name),
            ("undo", true) => self.undo(name, revision),
            ("undo", false) => self.undo_deployment(target, revision),
            ("history", true) => self.history(name),
            ("history", false) if words.len() == 4 => self.deployment_history(name),
            _ => return None,
        })
    }

    /// What `oc get <words> -o yaml` shows; nothing for lists.
    fn object(&self, words: &[&str]) -> Option<Value> {
        let [kind, name] = words else { return None };
        let resource = match *kind {
            "is" => &api::IMAGE_STREAMS,
            "istag" => &api::IMAGE_STREAM_TAGS,
            "dc" => &api::DEPLOYMENT_CONFIGS,
            "svc" => &api::SERVICES,
            "deploy" => Target::of("deploy/").resource,
            _ => return None,
        };
        Some(Value::clone(&self.client.get(resource, &self.project, name).unwrap()))
    }

    fn create(&self, file: &str, cause: &str) -> Printed {
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap();
        let mut lines = Vec::new();
        for document in load_documents(&text).unwrap() {
            let mut object = document.value;
            // The oldest spelling of the API stands for the group.
            if object.kind() == "DeploymentConfig" {
                object["apiVersion"] = json!("apps.openshift.io/v1");
            }
            if !cause.is_empty() {
                object["metadata"]["annotations"]["kubernetes.io/change-cause"] = json!(cause);
            }
            let version = object.str_at(&["apiVersion"]);
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let resource = api::find_kind(group, version, object.kind()).unwrap();
            let kind = object.kind().to_lowercase();
            let kind = if group.is_empty() { kind } else { format!("{kind}.{group}") };
            let made = self.client.create(resource, &self.project, object);
            let made = made.map_err(|status| refused(&status))?;
            lines.push(format!("{kind}/{} created", made.name()));
        }
        Ok(lines.join("\n"))
    }

    pub(super) fn done(dc: &str, what: &str) -> String {
        format!("deploymentconfig.apps.openshift.io/{dc} {what}")
    }

    pub(super) fn patch(&self, target: &Target, patch: Value, what: &str) -> Printed {
        let kind = PatchKind::Strategic;
        let patched = self.client.patch(target.resource, &self.project, &target.name, kind, patch);
        let line = format!("{}/{} {what}", target.kind, target.name);
        patched.map(|_| line).map_err(|status| refused(&status))
    }

    fn set_env(&self, dc: &str, setting: &str) -> Printed {
        let config = self.read(dc);
        let name = &config["spec"]["template"]["spec"]["containers"][0]["name"];
        let variable = match setting.split_once('=') {
            Some((key, value)) => json!({"name": key, "value": value}),
            None => json!({"name": setting.trim_end_matches('-'), "$patch": "delete"}),
        };
        let patch = in_container(&json!({"name": name, "env": [variable]}));
        self.patch(&Target::of(dc), patch, "updated")
    }

    fn scale(&self, target: &Target, replicas: i64, expected: Option<&str>) -> Printed {
        let (resource, name) = (target.resource, target.name.as_str());
        let scale = self.client.subresource_get(resource, &self.project, name, "scale").unwrap();
        let current = scale["spec"]["replicas"].as_i64().unwrap_or(0);
        if let Some(expected) = expected.filter(|expected| *expected != current.to_string()) {
            return Err(format!("Expected replicas to be {expected}, was {current}"));
        }
        let scaled = self.client.update_scale(resource, &self.project, name, replicas);
        let line = format!("{}/{name} scaled", target.kind);
        scaled.map(|_| line).map_err(|status| refused(&status))
    }

    fn delete(&self, target: &str) -> Printed {
        let (_, name) = target.split_once('/').unwrap();
        let (resource, options) = (&api::REPLICATION_CONTROLLERS, DeleteOptions::background());
        let deleted = self.client.delete(resource, &self.project, name, options);
        let line = format!("replicationcontroller {name:?} deleted");
        deleted.map(|_| line).map_err(|status| refused(&status))
    }

    fn delete_pods(&self) {
        for pod in self.client.list(&api::PODS, &self.project).unwrap() {
            let options = DeleteOptions::background();
            self.client.delete(&api::PODS, &self.project, pod.name(), options).unwrap();
        }
    }
}

/// A patch of one container of a pod template.
fn in_container(container: &Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": [container]}}}})
}

/// The words of a command line; quotes hold words together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, false);
    for letter in line.chars() {
        match letter {
            '\'' => {
                quote = !quote;
                word.get_or_insert_default();
            }
            ' ' if !quote => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}
