//! `oc rollout` and `oc rollback` for deployment configs.
//!
//! Invariant: as in [`oc`](super::oc).

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{DeleteOptions, PatchKind};

use super::oc::{Oc, Printed, Target, refused};

const CANCELLED: &str = "openshift.io/deployment.cancelled";
const PHASE: &str = "openshift.io/deployment.phase";
const REASON: &str = "openshift.io/deployment.status-reason";
const VERSION: &str = "openshift.io/deployment-config.latest-version";
const CONFIG: &str = "openshift.io/deployment-config.name";
const FOR: &str = "openshift.io/deployer-pod-for.name";

impl Oc<'_> {
    pub(super) fn read(&self, name: &str) -> Value {
        Value::clone(&self.client.get(&api::DEPLOYMENT_CONFIGS, &self.project, name).unwrap())
    }

    fn rollouts(&self, dc: &str) -> Vec<Value> {
        let all = self.client.list(&api::REPLICATION_CONTROLLERS, &self.project).unwrap();
        let own = all.iter().filter(|rc| rc.label(CONFIG) == dc);
        let mut own: Vec<Value> = own.map(|rc| Value::clone(rc)).collect();
        own.sort_by_key(|rc| rc.annotation(VERSION).and_then(|n| n.parse::<i64>().ok()));
        own
    }

    pub(super) fn latest(&self, dc: &str) -> Printed {
        let config = self.read(dc);
        if config.bool_at(&["spec", "paused"]) {
            return Err("cannot deploy a paused deployment config".to_owned());
        }
        let version = config.int_at(&["status", "latestVersion"]).unwrap_or(0);
        let name = format!("{dc}-{version}");
        let found = self.client.find(&api::REPLICATION_CONTROLLERS, &self.project, &name).unwrap();
        let phase = found.and_then(|rc| rc.annotation(PHASE).map(str::to_owned));
        if let Some(phase) = phase.filter(|phase| phase != "Complete" && phase != "Failed") {
            return Err(format!("#{version} is already in progress ({phase})."));
        }
        let request = json!({
            "kind": "DeploymentRequest", "apiVersion": "apps.openshift.io/v1",
            "name": dc, "latest": true, "force": true});
        let made = self.client.subresource_create(
            &api::DEPLOYMENT_CONFIGS,
            &self.project,
            dc,
            "instantiate",
            request,
        );
        made.map(|_| Self::done(dc, "rolled out")).map_err(|status| refused(&status))
    }

    pub(super) fn cancel(&self, dc: &str) -> Printed {
        let place = format!("{}/{dc}", self.project);
        if self.read(dc).bool_at(&["spec", "paused"]) {
            return Err(format!("unable to cancel paused deployment {place}"));
        }
        if self.rollouts(dc).is_empty() {
            return Err(format!("there have been no replication controllers for {place}"));
        }
        let rollouts = self.rollouts(dc);
        let under_way = |rc: &&Value| {
            let phase = rc.annotation(PHASE).unwrap_or_default();
            matches!(phase, "New" | "Pending" | "Running") && rc.annotation(CANCELLED).is_none()
        };
        let (resource, kind) = (&api::REPLICATION_CONTROLLERS, PatchKind::Strategic);
        let mut cancelled = 0;
        for rc in rollouts.iter().filter(under_way) {
            let patch = json!({"metadata": {"annotations": {
                CANCELLED: "true", REASON: "cancelled by the user"}}});
            self.client.patch(resource, &self.project, rc.name(), kind, patch).unwrap();
            cancelled += 1;
        }
        let Some(latest) = rollouts.last().filter(|_| cancelled == 0) else {
            return Ok(String::new());
        };
        let of = |key: &str| latest.annotation(key).unwrap_or_default().to_lowercase();
        let cancelling = if of(CANCELLED).is_empty() { "" } else { " (cancelling)" };
        let (version, phase) = (of(VERSION), of(PHASE));
        Ok(format!(
            "No rollout is in progress (latest rollout #{version} {phase}{cancelling} 1 second ago)"
        ))
    }

    pub(super) fn retry(&self, dc: &str) -> Printed {
        let config = self.read(dc);
        if config.bool_at(&["spec", "paused"]) {
            return Err(format!("unable to retry paused deployment config {dc:?}"));
        }
        let version = config.int_at(&["status", "latestVersion"]).unwrap_or(0);
        if version == 0 {
            return Err(format!("no rollouts found for {dc:?}"));
        }
        let name = format!("{dc}-{version}");
        let rc = self.client.get(&api::REPLICATION_CONTROLLERS, &self.project, &name).unwrap();
        assert_eq!(rc.annotation(PHASE), Some("Failed"), "only such are retried here");
        for pod in self.client.list(&api::PODS, &self.project).unwrap() {
            if pod.label(FOR) == name {
                let options =
                    DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
                self.client.delete(&api::PODS, &self.project, pod.name(), options).unwrap();
            }
        }
        let patch =
            json!({"metadata": {"annotations": {PHASE: "New", REASON: null, CANCELLED: null}}});
        let (resource, kind) = (&api::REPLICATION_CONTROLLERS, PatchKind::Strategic);
        self.client.patch(resource, &self.project, &name, kind, patch).unwrap();
        Ok(Self::done(dc, &format!("retried rollout #{version}")))
    }

    pub(super) fn pause(&self, target: &Target, paused: bool) -> Printed {
        let name = target.name.as_str();
        let object = self.client.get(target.resource, &self.project, name);
        if object.map_err(|status| refused(&status))?.bool_at(&["spec", "paused"]) == paused {
            let state = if paused { "already paused" } else { "not paused" };
            let kind = target.kind.replacen('.', "s.", 1);
            return Err(format!("{kind} {name:?} is {state}"));
        }
        let what = if paused { "paused" } else { "resumed" };
        self.patch(target, json!({"spec": {"paused": paused}}), what)
    }

    pub(super) fn undo(&self, dc: &str, revision: i64) -> Printed {
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
            self.client.subresource_create(resource, &self.project, dc, "rollback", request);
        let rolled = rolled.map_err(|status| refused(&status))?;
        let written = self.client.update(resource, Value::clone(&rolled));
        written.map(|_| Self::done(dc, "rolled back")).map_err(|status| refused(&status))
    }

    pub(super) fn history(&self, dc: &str) -> Printed {
        if self.rollouts(dc).is_empty() {
            return Ok(format!("deploymentconfigs {dc:?}\nNo rollout history found."));
        }
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

    /// `oc set deployment-hook`, for Rolling.
    pub(super) fn set_hook(&self, dc: &str, words: &[&str]) -> Printed {
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
        let patched = self.client.patch(resource, &self.project, dc, kind, patch);
        patched.map(|_| Self::done(dc, "hooks updated")).map_err(|status| refused(&status))
    }

    /// `oc rollback`: what it prints names the controller it chose; what comes is what the server
    /// makes of the version.
    pub(super) fn rollback(&self, name: &str, version: i64) -> Printed {
        let config = self.client.find(&api::DEPLOYMENT_CONFIGS, &self.project, name).unwrap();
        let Some(config) = config else {
            return Err(format!("{name} is not a valid deployment or deployment config"));
        };
        if config.bool_at(&["spec", "paused"]) {
            return Err("cannot rollback a paused deployment config".to_owned());
        }
        let latest = config.int_at(&["status", "latestVersion"]).unwrap_or(0);
        let of = |rc: &Value| rc.annotation(VERSION).and_then(|n| n.parse::<i64>().ok());
        let wanted = |rc: &Value| match version {
            0 => of(rc) < Some(latest) && rc.annotation(PHASE) == Some("Complete"),
            version => of(rc) == Some(version),
        };
        let Some(to) = self.rollouts(name).into_iter().rfind(wanted) else {
            return Err("couldn't find deployment for rollback".to_owned());
        };
        let request = json!({
            "kind": "DeploymentConfigRollback", "apiVersion": "apps.openshift.io/v1", "name": name,
            "spec": {"from": {"name": to.name()}, "revision": version, "includeTriggers": false,
                "includeTemplate": true, "includeReplicationMeta": false, "includeStrategy": false}});
        let resource = &api::DEPLOYMENT_CONFIGS;
        let rolled =
            self.client.subresource_create(resource, &self.project, name, "rollback", request);
        let rolled = rolled.map_err(|status| refused(&status))?;
        let written = self.client.update(resource, Value::clone(&rolled));
        let written = written.map_err(|status| refused(&status))?;
        let mut text =
            Self::done(name, &format!("deployment #{} rolled back to {}", latest + 1, to.name()));
        for trigger in written.list_at(&["spec", "triggers"]) {
            let image = trigger.at(&["imageChangeParams"]);
            if let Some(image) = image.filter(|image| !image.bool_at(&["automatic"])) {
                let from = image.str_at(&["from", "name"]);
                text.push_str(&format!(
                    "\nWarning: the following images triggers were disabled: {from}\n  You can \
                     re-enable them with: oc set triggers dc/{name} --auto"
                ));
            }
        }
        Ok(text)
    }

    /// The kind of before apps/v1 has a sub-resource for it.
    pub(super) fn undo_deployment(&self, target: &Target, revision: i64) -> Printed {
        let name = target.name.as_str();
        let object = self.client.get(target.resource, &self.project, name);
        if object.map_err(|status| refused(&status))?.bool_at(&["spec", "paused"]) {
            return Err(format!(
                "you cannot rollback a paused deployment; resume it first with 'kubectl rollout \
                 resume deployment/{name}' and try again"
            ));
        }
        let request = json!({
            "kind": "DeploymentRollback", "apiVersion": "extensions/v1beta1", "name": name,
            "rollbackTo": {"revision": revision}});
        let undone = self.client.subresource_create(
            target.resource,
            &self.project,
            name,
            "rollback",
            request,
        );
        undone.map(|_| format!("{}/{name}", target.kind)).map_err(|status| refused(&status))
    }

    pub(super) fn deployment_history(&self, name: &str) -> Printed {
        let sets = self.client.list(&api::REPLICA_SETS, &self.project).unwrap();
        let own =
            sets.iter().filter(|set| set.controller_ref().is_some_and(|own| own["name"] == name));
        let mut lines: Vec<(i64, String)> = own
            .map(|set| {
                let revision = set.annotation("deployment.kubernetes.io/revision");
                let revision = revision.and_then(|n| n.parse().ok()).unwrap_or(0);
                let cause = set.annotation("kubernetes.io/change-cause").unwrap_or("<none>");
                (revision, format!("{revision:<10}{cause}"))
            })
            .collect();
        lines.sort();
        let lines: Vec<String> = lines.into_iter().map(|line| line.1).collect();
        Ok(format!("deployments {name:?}\nREVISION  CHANGE-CAUSE\n{}", lines.join("\n")))
    }
}
