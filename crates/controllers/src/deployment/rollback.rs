//! Going back to the template of an earlier revision.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/deployment/rollback.go`.

use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};

use crate::deployment::replica_sets::{
    REVISION, ROLLBACK_TO, TEMPLATE_HASH, is_own_annotation, same_template,
};
use crate::deployment::sync::{Action, Note, Sync};

/// Takes the deployment back to `revision`, 0 meaning the one before the current.
pub(crate) fn to(sync: &mut Sync<'_>, revision: i64) {
    sync.ensure_new();
    let mut deployment = sync.deployment.clone();
    deployment.remove(&["metadata", "annotations", ROLLBACK_TO]);
    let note = apply(sync, &mut deployment, revision);
    sync.closing.push(Action::UpdateDeployment(deployment));
    sync.closing.push(Action::Event(note));
}

/// Puts the template of `revision` into `deployment`; gives what to tell.
fn apply(sync: &Sync<'_>, deployment: &mut Value, revision: i64) -> Note {
    let not_found =
        |text: &str| Note::warning("DeploymentRollbackRevisionNotFound", text.to_owned());
    let revision = if revision == 0 { last_revision(sync) } else { revision };
    if revision == 0 {
        return not_found("Unable to find last revision.");
    }
    let of_revision = sync.sets.iter().find(|set| set.number(REVISION) == Some(revision));
    let Some(set) = of_revision else {
        return not_found("Unable to find the revision to rollback to.");
    };
    let template = ["spec", "template"];
    let name = deployment.name().to_owned();
    if same_template(deployment.at(&template), set.value.at(&template)) {
        let message = format!(
            "The rollback revision contains the same template as current deployment {name:?}"
        );
        return Note::warning("DeploymentRollbackTemplateUnchanged", message);
    }
    let mut wanted = set.value.at(&template).cloned().unwrap_or_default();
    wanted.remove(&["metadata", "labels", TEMPLATE_HASH]);
    deployment.set(&template, wanted);
    take_annotations(deployment, &set.value);
    let message = format!("Rolled back deployment {name:?} to revision {revision}");
    Note::normal("DeploymentRollback", message)
}

/// The second highest revision; 0 when there is none.
fn last_revision(sync: &Sync<'_>) -> i64 {
    let mut revisions: Vec<i64> = sync.sets.iter().filter_map(|set| set.number(REVISION)).collect();
    revisions.sort_unstable();
    revisions.len().checked_sub(2).map_or(0, |second| revisions[second])
}

/// Replaces the deployment's annotations by those of the replica set, but for each one's own.
fn take_annotations(deployment: &mut Value, set: &Value) {
    let path = ["metadata", "annotations"];
    let of = |object: &Value, own: bool| -> Map {
        let annotations = object.map_at(&path).into_iter().flatten();
        annotations
            .filter(|(key, _)| is_own_annotation(key) == own)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let mut annotations = of(deployment, true);
    annotations.extend(of(set, false));
    deployment.set(&path, json!(annotations));
}
