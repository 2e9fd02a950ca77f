//! The commands of a recorded transcript, sent as `oc` 3.11 sends them.
//!
//! Invariant: what `oc` works out by itself before it asks the server is worked out here from what the
//! server says, so that its refusals can be compared as well.

use apimachinery::yaml::load_documents;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{Client, DeleteOptions, PatchKind};
use serde_json::json;

const CANCELLED: &str = "openshift.io/deployment.cancelled";
const PHASE: &str = "openshift.io/deployment.phase";
const REASON: &str = "openshift.io/deployment.status-reason";
const VERSION: &str = "openshift.io/deployment-config.latest-version";
const CONFIG: &str = "openshift.io/deployment-config.name";
const FOR: &str = "openshift.io/deployer-pod-for.name";

/// One user's `oc` in one project, run from the folder of a recording.
#[derive(Debug)]
pub(super) struct Oc<'a> {
    pub(super) client: &'a Client,
    pub(super) project: &'a str,
    pub(super) folder: &'a std::path::Path,
}

/// What a command prints: its output, or the error.
type Printed = Result<String, String>;

impl Oc<'_> {
    /// Runs `command`; `None` for one that only reads.
    pub(super) fn run(&self, command: &str) -> Option<Printed> {
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let flag = |name: &str| {
            let prefix = format!("--{name}=");
            words.iter().find_map(|word| word.strip_prefix(prefix.as_str()))
        };
        let dc = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
        Some(match words[1..] {
            ["create", "-f", file] => self.create(file),
            ["set", "image", target, image] => {
                let (container, image) = image.split_once('=').unwrap();
                let containers = json!([{"name": container, "image": image}]);
                self.patch_template(&dc(target), &containers, "image updated")
            }
            ["set", "env", _, "--list"] => return None,
            ["set", "env", target, setting] => self.set_env(&dc(target), setting),
            ["patch", target, "-p", patch] => {
                let patch = serde_json::from_str(patch).unwrap();
                self.patch(&dc(target), patch, "patched")
            }
            ["label", target, label] => {
                let (key, value) = label.split_once('=').unwrap();
                self.patch(&dc(target), json!({"metadata": {"labels": {key: value}}}), "labeled")
            }
            ["annotate", target, annotation] => {
                let (key, value) = annotation.split_once('=').unwrap();
                let patch = json!({"metadata": {"annotations": {key: value}}});
                self.patch(&dc(target), patch, "annotated")
            }
            ["scale", target, ..] => {
                let replicas = flag("replicas").unwrap().parse().unwrap();
                self.scale(target, replicas, flag("current-replicas"))
            }
            ["rollout", "latest", target] => self.latest(&dc(target)),
            ["rollout", "cancel", target] => self.cancel(&dc(target)),
            ["rollout", "retry", target] => self.retry(&dc(target)),
            ["rollout", "pause", target] => self.pause(&dc(target), true),
            ["rollout", "resume", target] => self.pause(&dc(target), false),
            ["rollout", "undo", target, ..] => {
                self.undo(&dc(target), flag("to-revision").map_or(0, |n| n.parse().unwrap()))
            }
            ["rollout", "history", target] => self.history(&dc(target)),
            ["delete", "pod", "--all"] => self.delete_pods(),
            ["delete", target] => self.delete(target),
            ["set", "deployment-hook", target, ..] => self.set_hook(&dc(target), &words),
            _ => return None,
        })
    }

    fn read(&self, name: &str) -> Value {
        Value::clone(&self.client.get(&api::DEPLOYMENT_CONFIGS, self.project, name).unwrap())
    }

    fn rollouts(&self, dc: &str) -> Vec<Value> {
        let all = self.client.list(&api::REPLICATION_CONTROLLERS, self.project).unwrap();
        let own = all.iter().filter(|rc| rc.label(CONFIG) == dc);
        let mut own: Vec<Value> = own.map(|rc| Value::clone(rc)).collect();
        own.sort_by_key(|rc| rc.annotation(VERSION).and_then(|n| n.parse::<i64>().ok()));
        own
    }

    fn create(&self, file: &str) -> Printed {
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap();
        let mut lines = Vec::new();
        for document in load_documents(&text).unwrap() {
            let mut object = document.value;
            // The oldest spelling of the API stands for the group.
            if object.kind() == "DeploymentConfig" {
                object["apiVersion"] = json!("apps.openshift.io/v1");
            }
            let version = object.str_at(&["apiVersion"]);
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let resource = api::find_kind(group, version, object.kind()).unwrap();
            let kind = object.kind().to_lowercase();
            let kind = if group.is_empty() { kind } else { format!("{kind}.{group}") };
            let made = self.client.create(resource, self.project, object);
            let made = made.map_err(|status| status.message)?;
            lines.push(format!("{kind}/{} created", made.name()));
        }
        Ok(lines.join("\n"))
    }

    fn done(dc: &str, what: &str) -> String {
        format!("deploymentconfig.apps.openshift.io/{dc} {what}")
    }

    fn patch(&self, dc: &str, patch: Value, what: &str) -> Printed {
        let kind = PatchKind::Strategic;
        let patched = self.client.patch(&api::DEPLOYMENT_CONFIGS, self.project, dc, kind, patch);
        patched.map(|_| Self::done(dc, what)).map_err(|status| status.message)
    }

    fn patch_template(&self, dc: &str, containers: &Value, what: &str) -> Printed {
        let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        self.patch(dc, patch, what)
    }

    fn set_env(&self, dc: &str, setting: &str) -> Printed {
        let config = self.read(dc);
        let name = &config["spec"]["template"]["spec"]["containers"][0]["name"];
        let variable = match setting.split_once('=') {
            Some((key, value)) => json!({"name": key, "value": value}),
            None => json!({"name": setting.trim_end_matches('-'), "$patch": "delete"}),
        };
        self.patch_template(dc, &json!([{"name": name, "env": [variable]}]), "updated")
    }

    fn scale(&self, target: &str, replicas: i64, expected: Option<&str>) -> Printed {
        let (kind, name) = target.split_once('/').unwrap();
        let (resource, kind) = match kind {
            "rc" => (&api::REPLICATION_CONTROLLERS, "replicationcontroller"),
            _ => (&api::DEPLOYMENT_CONFIGS, "deploymentconfig.apps.openshift.io"),
        };
        let scale = self.client.subresource_get(resource, self.project, name, "scale").unwrap();
        let current = scale["spec"]["replicas"].as_i64().unwrap_or(0);
        if let Some(expected) = expected.filter(|expected| *expected != current.to_string()) {
            return Err(format!("Expected replicas to be {expected}, was {current}"));
        }
        let scaled = self.client.update_scale(resource, self.project, name, replicas);
        scaled.map(|_| format!("{kind}/{name} scaled")).map_err(|status| status.message)
    }

    fn latest(&self, dc: &str) -> Printed {
        let config = self.read(dc);
        if config.bool_at(&["spec", "paused"]) {
            return Err("cannot deploy a paused deployment config".to_owned());
        }
        let version = config.int_at(&["status", "latestVersion"]).unwrap_or(0);
        let name = format!("{dc}-{version}");
        let found = self.client.find(&api::REPLICATION_CONTROLLERS, self.project, &name).unwrap();
        let phase = found.and_then(|rc| rc.annotation(PHASE).map(str::to_owned));
        if let Some(phase) = phase.filter(|phase| phase != "Complete" && phase != "Failed") {
            return Err(format!("#{version} is already in progress ({phase})."));
        }
        let request = json!({
            "kind": "DeploymentRequest", "apiVersion": "apps.openshift.io/v1",
            "name": dc, "latest": true, "force": true});
        let made = self.client.subresource_create(
            &api::DEPLOYMENT_CONFIGS,
            self.project,
            dc,
            "instantiate",
            request,
        );
        made.map(|_| Self::done(dc, "rolled out")).map_err(|status| status.message)
    }

    fn cancel(&self, dc: &str) -> Printed {
        let place = format!("{}/{dc}", self.project);
        if self.read(dc).bool_at(&["spec", "paused"]) {
            return Err(format!("unable to cancel paused deployment {place}"));
        }
        for rc in self.rollouts(dc) {
            let phase = rc.annotation(PHASE).unwrap_or_default();
            if matches!(phase, "New" | "Pending" | "Running") && rc.annotation(CANCELLED).is_none()
            {
                let patch = json!({"metadata": {"annotations": {
                    CANCELLED: "true", REASON: "cancelled by the user"}}});
                let (resource, kind) = (&api::REPLICATION_CONTROLLERS, PatchKind::Strategic);
                self.client.patch(resource, self.project, rc.name(), kind, patch).unwrap();
            }
        }
        Ok(String::new())
    }

    fn retry(&self, dc: &str) -> Printed {
        let config = self.read(dc);
        if config.bool_at(&["spec", "paused"]) {
            return Err(format!("unable to retry paused deployment config {dc:?}"));
        }
        let version = config.int_at(&["status", "latestVersion"]).unwrap_or(0);
        if version == 0 {
            return Err(format!("no rollouts found for {dc:?}"));
        }
        let name = format!("{dc}-{version}");
        let rc = self.client.get(&api::REPLICATION_CONTROLLERS, self.project, &name).unwrap();
        assert_eq!(rc.annotation(PHASE), Some("Failed"), "only such are retried here");
        for pod in self.client.list(&api::PODS, self.project).unwrap() {
            if pod.label(FOR) == name {
                let options =
                    DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
                self.client.delete(&api::PODS, self.project, pod.name(), options).unwrap();
            }
        }
        let patch =
            json!({"metadata": {"annotations": {PHASE: "New", REASON: null, CANCELLED: null}}});
        let (resource, kind) = (&api::REPLICATION_CONTROLLERS, PatchKind::Strategic);
        self.client.patch(resource, self.project, &name, kind, patch).unwrap();
        Ok(Self::done(dc, &format!("retried rollout #{version}")))
    }

    fn pause(&self, dc: &str, paused: bool) -> Printed {
        if self.read(dc).bool_at(&["spec", "paused"]) == paused {
            let state = if paused { "already paused" } else { "not paused" };
            return Err(format!("deploymentconfigs.apps.openshift.io {dc:?} is {state}"));
        }
        let what = if paused { "paused" } else { "resumed" };
        self.patch(dc, json!({"spec": {"paused": paused}}), what)
    }

    fn undo(&self, dc: &str, revision: i64) -> Printed {
        if self.read(dc).bool_at(&["spec", "paused"]) {
            return Err(format!(
                "cannot rollback a paused config; resume it first with 'rollout resume dc/{dc}' and \
                 try again"
            ));
        }
        let request = json!({
            "kind": "DeploymentConfigRollback", "apiVersion": "apps.openshift.io/v1", "name": dc,
            "spec": {"from": {}, "revision": revision, "includeTemplate": true}});
        let resource = &api::DEPLOYMENT_CONFIGS;
        let rolled =
            self.client.subresource_create(resource, self.project, dc, "rollback", request);
        let rolled = rolled.map_err(|status| status.message)?;
        let written = self.client.update(resource, Value::clone(&rolled));
        written.map(|_| Self::done(dc, "rolled back")).map_err(|status| status.message)
    }

    fn history(&self, dc: &str) -> Printed {
        let mut text = format!("deploymentconfigs {dc:?}\nREVISION\tSTATUS\t\tCAUSE");
        for rc in self.rollouts(dc) {
            let of = |key: &str| rc.annotation(key).filter(|text| !text.is_empty());
            let (version, phase) = (of(VERSION).unwrap_or("?"), of(PHASE).unwrap_or("?"));
            let tabs = if phase.len() < 8 { "\t\t" } else { "\t" };
            let why = of(REASON).unwrap_or("<unknown>");
            text.push_str(&format!("\n{version}\t\t{phase}{tabs}{why}"));
        }
        Ok(text)
    }

    fn delete(&self, target: &str) -> Printed {
        let (_, name) = target.split_once('/').unwrap();
        let (resource, options) = (&api::REPLICATION_CONTROLLERS, DeleteOptions::background());
        let deleted = self.client.delete(resource, self.project, name, options);
        let line = format!("replicationcontroller {name:?} deleted");
        deleted.map(|_| line).map_err(|status| status.message)
    }

    fn delete_pods(&self) -> Printed {
        for pod in self.client.list(&api::PODS, self.project).unwrap() {
            let options = DeleteOptions::background();
            self.client.delete(&api::PODS, self.project, pod.name(), options).unwrap();
        }
        Ok(String::new())
    }

    /// `oc set deployment-hook`, for Rolling.
    fn set_hook(&self, dc: &str, words: &[&str]) -> Printed {
        let moment = if words.contains(&"--pre") { "pre" } else { "post" };
        let hook = words.iter().position(|word| *word == "--").map_or(Value::Null, |end| {
            let after =
                |name: &str| words.iter().position(|word| *word == name).map(|at| words[at + 1]);
            let (key, value) = after("-e").unwrap().split_once('=').unwrap();
            json!({"failurePolicy": "Ignore", "execNewPod": {
                "containerName": after("-c"), "command": words[end + 1..],
                "env": [{"name": key, "value": value}]}})
        });
        let patch = json!({"spec": {"strategy": {"rollingParams": {moment: hook}}}});
        let kind = PatchKind::Merge;
        let resource = &api::DEPLOYMENT_CONFIGS;
        let patched = self.client.patch(resource, self.project, dc, kind, patch);
        patched.map(|_| Self::done(dc, "hooks updated")).map_err(|status| status.message)
    }
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
