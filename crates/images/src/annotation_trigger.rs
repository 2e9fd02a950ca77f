//! Image triggers of Kubernetes' own kinds: the annotation `image.openshift.io/triggers` names stream
//! tags and the containers that follow them.
//!
//! Unlike a `DeploymentConfig`'s, each trigger stands for itself: one that points to nothing holds up
//! no other.
//!
//! Invariant: [`plan`] gives `None` when nothing would change.
//!
//! Mirrors: `openshift/origin pkg/image/trigger/annotations/annotations.go`.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use api::Resource;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use controller_runtime::{
    Caches, Change, Context, Controller, Error, Key, Requeue, Watching, same_key,
};

use crate::stream::resolve_pull_spec;

/// The annotation.
pub const TRIGGERS: &str = "image.openshift.io/triggers";

/// Where the pod templates of the kinds stand.
const POD_SPECS: [&str; 3] = ["spec.template.spec", "spec.jobTemplate.spec.template.spec", "spec"];

/// Why the triggers of an object cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The annotation is no list of triggers.
    #[error("unable to decode {TRIGGERS} annotation: {0}")]
    Annotation(String),
    /// Two triggers write one field.
    #[error("duplicate field path {0:?}")]
    Duplicate(String),
    /// A field path of another shape.
    #[error("field path {0:?} is not supported")]
    FieldPath(String),
    /// The field path names no container that is there.
    #[error("no such container: {0}")]
    NoContainer(String),
}

/// One trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trigger {
    namespace: String,
    stream: String,
    tag: String,
    field_path: String,
    paused: bool,
}

/// The field that a trigger writes: the list, and which of its containers.
#[derive(Debug, PartialEq, Eq)]
struct Target<'a> {
    pod_spec: &'a str,
    list: &'a str,
    container: Selected<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Selected<'a> {
    Index(usize),
    Name(&'a str),
}

/// The triggers of an object; those that follow no tag are left out.
fn triggers(object: &Value) -> Result<Vec<Trigger>, Invalid> {
    let Some(text) = object.annotation(TRIGGERS).filter(|text| !text.is_empty()) else {
        return Ok(Vec::new());
    };
    let list: Vec<Value> =
        serde_json::from_str(text).map_err(|error| Invalid::Annotation(error.to_string()))?;
    let mut paths = BTreeSet::new();
    let mut found = Vec::new();
    for entry in &list {
        let field_path = entry.str_at(&["fieldPath"]).to_owned();
        if !paths.insert(field_path.clone()) {
            return Err(Invalid::Duplicate(field_path));
        }
        let named = entry.str_at(&["from", "name"]).split_once(':');
        let (Some((stream, tag)), "ImageStreamTag") = (named, entry.str_at(&["from", "kind"]))
        else {
            continue;
        };
        let namespace = match entry.str_at(&["from", "namespace"]) {
            "" => object.namespace(),
            other => other,
        };
        found.push(Trigger {
            namespace: namespace.to_owned(),
            stream: stream.to_owned(),
            tag: tag.to_owned(),
            field_path,
            // Older clients wrote the flag as a text.
            paused: entry.bool_at(&["paused"]) || entry.str_at(&["paused"]) == "true",
        });
    }
    Ok(found)
}

/// Reads `<pod spec>.containers[<index> or ?(@.name=="<name>")].image`.
fn target(path: &str) -> Option<Target<'_>> {
    let inner = path.strip_suffix("].image")?;
    let (list_path, selector) = inner.split_once('[')?;
    let (pod_spec, list) = list_path.rsplit_once('.')?;
    if !POD_SPECS.contains(&pod_spec) || !matches!(list, "containers" | "initContainers") {
        return None;
    }
    let named = selector.strip_prefix("?(@.name==\"").and_then(|rest| rest.strip_suffix("\")"));
    let container = match named {
        Some(name) => Selected::Name(name),
        None => Selected::Index(selector.parse().ok()?),
    };
    Some(Target { pod_spec, list, container })
}

/// The image that a trigger writes.
fn image_mut<'a>(object: &'a mut Value, path: &str) -> Result<&'a mut Value, Invalid> {
    let target = target(path).ok_or_else(|| Invalid::FieldPath(path.to_owned()))?;
    let mut place = Some(object);
    for key in target.pod_spec.split('.').chain([target.list]) {
        place = place.and_then(|value| value.get_mut(key));
    }
    let list = place.and_then(Value::as_array_mut);
    let container = list.and_then(|list| match target.container {
        Selected::Index(index) => list.get_mut(index),
        Selected::Name(name) => list.iter_mut().find(|one| one.str_at(&["name"]) == name),
    });
    let container = container.and_then(Value::as_object_mut);
    let container = container.ok_or_else(|| Invalid::NoContainer(path.to_owned()))?;
    Ok(container.entry("image").or_insert_with(|| json!("")))
}

/// The object with every trigger's image filled in; `None` when that changes nothing.
///
/// # Errors
/// When the annotation is not what it should be; then nothing is written.
pub fn plan(
    object: &Value,
    resolve: &dyn Fn(&str, &str, &str) -> Option<String>,
) -> Result<Option<Value>, Invalid> {
    let mut updated = object.clone();
    let mut changed = false;
    for trigger in triggers(object)?.iter().filter(|trigger| !trigger.paused) {
        let image = image_mut(&mut updated, &trigger.field_path)?;
        let Some(wanted) = resolve(&trigger.namespace, &trigger.stream, &trigger.tag) else {
            continue;
        };
        if image.as_str() != Some(&wanted) {
            *image = json!(wanted);
            changed = true;
        }
    }
    Ok(changed.then_some(updated))
}

/// A kind whose pod template may have triggers.
pub trait Triggered: Debug + Send + 'static {
    /// The resource, in its storage version.
    fn resource() -> &'static Resource;
    /// The name of the controller's queue.
    const NAME: &'static str;
}

macro_rules! triggered {
    ($($kind:ident $resource:ident $name:literal),*) => {$(
        #[doc = concat!("Triggers of ", $name, ".")]
        #[derive(Debug)]
        pub struct $kind;

        impl Triggered for $kind {
            const NAME: &'static str = concat!("image-trigger-", $name);
            fn resource() -> &'static Resource {
                &api::$resource
            }
        }
    )*};
}

triggered!(
    Deployments DEPLOYMENTS "deployments",
    StatefulSets STATEFUL_SETS "statefulsets",
    DaemonSets DAEMON_SETS "daemonsets",
    CronJobs CRON_JOBS "cronjobs"
);

/// Keeps the images of one kind at what their triggers' tags point to.
#[derive(Debug)]
pub struct AnnotationTriggers<K>(PhantomData<K>);

impl<K> Default for AnnotationTriggers<K> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// The controllers of all kinds.
#[must_use]
pub fn controllers() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(AnnotationTriggers::<Deployments>::default()),
        Box::new(AnnotationTriggers::<StatefulSets>::default()),
        Box::new(AnnotationTriggers::<DaemonSets>::default()),
        Box::new(AnnotationTriggers::<CronJobs>::default()),
    ]
}

/// The longest wait after a write that was refused.
const MAX_WAIT: Duration = Duration::from_secs(30);

impl<K: Triggered> Controller for AnnotationTriggers<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn watches(&self) -> Vec<Watching> {
        vec![
            Watching::new(K::resource(), same_key),
            Watching::new(&api::IMAGE_STREAMS, followers::<K>),
        ]
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        let Some(object) = cx.caches.get_key(K::resource(), key) else {
            return Ok(Requeue::Done);
        };
        if object.deletion_timestamp().is_some() || object.annotation(TRIGGERS).is_none() {
            return Ok(Requeue::Done);
        }
        let resolve = |namespace: &str, name: &str, tag: &str| {
            let stream = cx.caches.get(&api::IMAGE_STREAMS, namespace, name)?;
            resolve_pull_spec(&stream, tag)
        };
        match plan(&object, &resolve) {
            Err(invalid) => Err(Error::Terminal(invalid.to_string())),
            Ok(None) => Ok(Requeue::Done),
            Ok(Some(updated)) => match cx.client.update(K::resource(), updated) {
                Ok(_) => Ok(Requeue::Done),
                // A refusal may end when something else changes, e.g. a quota.
                Err(status) if status.code == 403 || status.code == 422 => {
                    Ok(Requeue::After(MAX_WAIT))
                }
                Err(status) => Err(status.into()),
            },
        }
    }
}

/// The objects of the kind that follow a tag of the changed stream.
fn followers<K: Triggered>(caches: &Caches, change: &Change) -> Vec<Key> {
    let stream = change.object();
    let follows = |object: &Value| {
        object.annotation(TRIGGERS).is_some()
            && triggers(object).unwrap_or_default().iter().any(|trigger| {
                trigger.namespace == stream.namespace() && trigger.stream == stream.name()
            })
    };
    let all = caches.iter(K::resource(), "");
    all.filter(|(_, object)| follows(object)).map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(triggers: &Value) -> Value {
        json!({
            "metadata": {"name": "web", "namespace": "p", "annotations": {TRIGGERS: triggers.to_string()}},
            "spec": {"template": {"spec": {
                "containers": [{"name": "web", "image": "x"}, {"name": "log"}],
                "initContainers": [{"name": "init", "image": "x"}],
            }}},
        })
    }

    fn trigger(tag: &str, path: &str) -> Value {
        json!({"from": {"kind": "ImageStreamTag", "name": tag}, "fieldPath": path})
    }

    fn resolve(namespace: &str, name: &str, tag: &str) -> Option<String> {
        (name == "app").then(|| format!("r/{namespace}/app@{tag}"))
    }

    #[test]
    fn every_trigger_that_resolves_is_written() {
        let web = "spec.template.spec.containers[?(@.name==\"web\")].image";
        let entries = json!([
            trigger("app:1", web),
            trigger("app:2", "spec.template.spec.initContainers[0].image"),
            trigger("gone:1", "spec.template.spec.containers[1].image"),
        ]);
        let updated = plan(&object(&entries), &resolve).unwrap().unwrap();
        let spec = &updated["spec"]["template"]["spec"];
        assert_eq!(spec["containers"][0]["image"], "r/p/app@1");
        assert_eq!(spec["initContainers"][0]["image"], "r/p/app@2");
        assert_eq!(plan(&updated, &resolve), Ok(None));
    }

    #[test]
    fn a_paused_trigger_is_not_followed() {
        for paused in [json!(true), json!("true")] {
            let mut entry = trigger("app:1", "spec.template.spec.containers[0].image");
            entry["paused"] = paused;
            assert_eq!(plan(&object(&json!([entry])), &resolve), Ok(None));
        }
    }

    #[test]
    fn a_cron_jobs_template_lies_deeper() {
        let path = "spec.jobTemplate.spec.template.spec.containers[?(@.name==\"a\")].image";
        let mut cron = object(&json!([trigger("app:1", path)]));
        cron["spec"] = json!({"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}}});
        let updated = plan(&cron, &resolve).unwrap().unwrap();
        let spec = &updated["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        assert_eq!(spec["containers"][0]["image"], "r/p/app@1");
    }

    #[test]
    fn what_is_wrong_with_one_trigger_stops_all_of_them() {
        let good = trigger("app:1", "spec.template.spec.containers[0].image");
        let check = |entries: Value| plan(&object(&entries), &resolve).unwrap_err().to_string();
        let path = "spec.template.spec.containers[?(@.name==\"no\")].image";
        assert_eq!(
            check(json!([good, trigger("app:1", path)])),
            format!("no such container: {path}")
        );
        assert!(check(json!([good, good])).starts_with("duplicate field path"));
        for path in [
            "",
            "image",
            "spec.template.spec.containers[0]",
            "spec.template.spec.volumes[0].image",
            "spec.template.spec.containers[@.name=web].image",
            "status.containers[0].image",
            "spec.template.spec.containers[-1].image",
        ] {
            let text = check(json!([good, trigger("app:1", path)]));
            assert!(text.ends_with("is not supported"), "{path}: {text}");
        }
        let mut broken = object(&json!([]));
        broken.set_annotation(TRIGGERS, "{");
        assert!(matches!(plan(&broken, &resolve), Err(Invalid::Annotation(_))));
    }
}
