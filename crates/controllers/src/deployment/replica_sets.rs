//! The replica sets of a deployment: readings, annotations, and the one for the current template.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/deployment/util/deployment_util.go`.

use std::sync::Arc;

use apimachinery::object::controller_owner_reference;
use apimachinery::{Map, json};
use apimachinery::{ObjectExt as _, Value};

use crate::deployment::{bounds, hash};

/// Revision of a replica set, and of the deployment that follows it.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
/// Former revisions of a replica set that came back.
pub(crate) const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// `spec.replicas` of the deployment when the replica set was last scaled.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// `spec.replicas` plus surge when the replica set was last scaled.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// Revision that a client wants back, 0 for the previous one.
pub(crate) const ROLLBACK_TO: &str = "deprecated.deployment.rollback.to";
/// Label and selector key that tells the replica sets of a deployment apart.
pub(crate) const TEMPLATE_HASH: &str = "pod-template-hash";

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether an annotation of the deployment stays out of its replica sets and back.
pub(crate) fn is_own_annotation(key: &str) -> bool {
    [LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS, ROLLBACK_TO]
        .contains(&key)
}

/// A replica set in the course of a sync: as stored, as it shall become, and what to tell of it.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    /// As stored; `None` when it is to be created.
    pub(crate) stored: Option<Arc<Value>>,
    pub(crate) value: Value,
    /// Messages of `ScalingReplicaSet` events, told after the write.
    pub(crate) scalings: Vec<String>,
}

impl Set {
    pub(crate) fn of(stored: Arc<Value>) -> Self {
        let value = (*stored).clone();
        Self { stored: Some(stored), value, scalings: Vec::new() }
    }

    pub(crate) fn name(&self) -> &str {
        self.value.name()
    }

    /// `spec.replicas`.
    pub(crate) fn replicas(&self) -> i64 {
        self.value.int_at(&["spec", "replicas"]).unwrap_or(1)
    }

    /// One counter of the status.
    pub(crate) fn counted(&self, field: &str) -> i64 {
        self.value.int_at(&["status", field]).unwrap_or(0)
    }

    pub(crate) fn available(&self) -> i64 {
        self.counted("availableReplicas")
    }

    /// The number in an annotation.
    pub(crate) fn number(&self, annotation: &str) -> Option<i64> {
        self.value.annotation(annotation)?.parse().ok()
    }

    /// Orders by age, then name.
    pub(crate) fn age_key(&self) -> (String, String) {
        // One that is yet to be created is the youngest.
        let created = match self.value.creation_timestamp() {
            "" if self.stored.is_none() => "~",
            text => text,
        };
        (created.to_owned(), self.name().to_owned())
    }

    /// Sets `spec.replicas` and the annotations that record the deployment's size. Gives whether
    /// the number changed.
    pub(crate) fn scale(&mut self, replicas: i64, deployment: &Value) -> bool {
        let before = self.replicas();
        self.annotate_size(deployment);
        if before == replicas {
            return false;
        }
        self.value.set(&["spec", "replicas"], json!(replicas));
        let direction = if before < replicas { "up" } else { "down" };
        self.scalings.push(format!("Scaled {direction} replica set {} to {replicas}", self.name()));
        true
    }

    fn annotate_size(&mut self, deployment: &Value) {
        let desired = bounds::desired(deployment);
        let max = desired + bounds::max_surge(deployment);
        self.value.set_annotation(DESIRED_REPLICAS, &desired.to_string());
        self.value.set_annotation(MAX_REPLICAS, &max.to_string());
    }

    /// Brings annotations, revision and `minReadySeconds` in line with the deployment.
    ///
    /// As upstream has it, a revision joins the history also when only some other annotation changed.
    pub(crate) fn follow(&mut self, deployment: &Value, revision: i64) {
        let mut changed = copy_annotations(deployment, &mut self.value);
        let before = self.value.annotation(REVISION).map(str::to_owned);
        let number = before.as_deref().map_or(Some(0), |text| text.parse().ok());
        if number.is_some_and(|number: i64| number < revision) {
            self.value.set_annotation(REVISION, &revision.to_string());
            changed = true;
        }
        if let Some(before) = before.filter(|_| changed) {
            let history = match self.value.annotation(REVISION_HISTORY) {
                Some(history) if !history.is_empty() => format!("{history},{before}"),
                _ => before,
            };
            self.value.set_annotation(REVISION_HISTORY, &history);
        }
        let path = ["spec", "minReadySeconds"];
        let wanted = deployment.int_at(&path).unwrap_or(0);
        if self.value.int_at(&path).unwrap_or(0) != wanted {
            self.value.set(&path, json!(wanted));
        }
    }
}

/// Gives whether there was anything new.
fn copy_annotations(deployment: &Value, set: &mut Value) -> bool {
    let mut changed = false;
    let annotations = deployment.map_at(&["metadata", "annotations"]).into_iter().flatten();
    for (key, value) in annotations.filter(|(key, _)| !is_own_annotation(key)) {
        let path = ["metadata", "annotations", key];
        if set.at(&path) != Some(value) {
            set.set(&path, value.clone());
            changed = true;
        }
    }
    changed
}

/// The replica set to create for the deployment's template, without pods yet.
pub(crate) fn new_set(deployment: &Value, revision: i64) -> Set {
    let collisions = deployment.int_at(&["status", "collisionCount"]);
    let mut template = deployment.at(&["spec", "template"]).cloned().unwrap_or_default();
    let (label, suffix) = hash::of(&template, collisions);
    template.set(&["metadata", "labels", TEMPLATE_HASH], json!(label));
    let mut selector = deployment.at(&["spec", "selector"]).cloned().unwrap_or_default();
    selector.set(&["matchLabels", TEMPLATE_HASH], json!(label));
    let labels = template.at(&["metadata", "labels"]).cloned().unwrap_or_default();
    let value = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{suffix}", deployment.name()),
            "namespace": deployment.namespace(),
            "labels": labels,
            "ownerReferences": [controller_owner_reference(deployment)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": deployment.int_at(&["spec", "minReadySeconds"]).unwrap_or(0),
            "selector": selector,
            "template": template,
        },
    });
    let mut set = Set { stored: None, value, scalings: Vec::new() };
    set.follow(deployment, revision);
    set.annotate_size(deployment);
    set
}

/// Whether two pod templates are equal but for the label that tells replica sets apart.
pub(crate) fn same_template(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => bare(a) == bare(b),
        _ => false,
    }
}

/// The template without the hash label and without empty metadata.
pub(crate) fn bare(template: &Value) -> Value {
    let mut template = template.clone();
    template.remove(&["metadata", "labels", TEMPLATE_HASH]);
    if let Some(Value::Object(metadata)) = template.get_mut("metadata") {
        metadata.retain(|_, value| !value.is_null() && value.as_object() != Some(&Map::new()));
    }
    template
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "dev", "uid": "u", "annotations":
                {"team": "a", REVISION: "7", LAST_APPLIED: "{}"}},
            "spec": {"replicas": 4, "minReadySeconds": 3,
                "selector": {"matchLabels": {"app": "web"}},
                "strategy": {"type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}},
        })
    }

    #[test]
    fn a_new_set_is_named_labelled_and_annotated() {
        let set = new_set(&deployment(), 3);
        let hash = set.value.label(TEMPLATE_HASH);
        assert!(hash.parse::<u32>().is_ok(), "{hash}");
        assert_eq!(set.value.str_at(&["spec", "selector", "matchLabels", TEMPLATE_HASH]), hash);
        assert_eq!(
            set.value.at(&["spec", "template", "metadata", "labels"]),
            set.value.at(&["metadata", "labels"])
        );
        assert!(set.name().starts_with("web-") && set.name().len() == 4 + hash.len());
        assert_eq!(
            set.value["metadata"]["annotations"],
            json!({"team": "a", REVISION: "3", DESIRED_REPLICAS: "4", MAX_REPLICAS: "5"})
        );
        assert_eq!(new_set(&deployment(), 9).name(), set.name(), "names depend on the template");
    }

    #[test]
    fn a_set_that_comes_back_remembers_its_revisions() {
        let mut set = new_set(&deployment(), 1);
        set.follow(&deployment(), 3);
        set.follow(&deployment(), 3);
        set.follow(&deployment(), 5);
        assert_eq!(set.value.annotation(REVISION), Some("5"));
        assert_eq!(set.value.annotation(REVISION_HISTORY), Some("1,3"));
        set.follow(&deployment(), 2);
        assert_eq!(set.value.annotation(REVISION), Some("5"), "revisions never go back");
        let mut renamed = deployment();
        renamed.set_annotation("team", "b");
        set.follow(&renamed, 5);
        assert_eq!(set.value.annotation(REVISION_HISTORY), Some("1,3,5"), "as upstream does");
    }

    #[test]
    fn templates_are_compared_without_the_hash() {
        let with = |labels: Value| json!({"metadata": {"labels": labels}, "spec": {}});
        for (a, b, same) in [
            (with(json!({"a": "b", TEMPLATE_HASH: "1"})), with(json!({"a": "b"})), true),
            (
                with(json!({"a": "b", TEMPLATE_HASH: "1"})),
                with(json!({"a": "b", TEMPLATE_HASH: "2"})),
                true,
            ),
            (with(json!({"a": "b"})), with(json!({"a": "c"})), false),
            (with(json!({"a": "b", "c": "d"})), with(json!({"a": "b"})), false),
            (
                with(json!({TEMPLATE_HASH: "1"})),
                json!({"metadata": {"creationTimestamp": null}, "spec": {}}),
                true,
            ),
        ] {
            assert_eq!(same_template(Some(&a), Some(&b)), same, "{a} {b}");
        }
    }
}
