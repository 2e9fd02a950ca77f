//! `OriginPodNodeEnvironment` and `PodNodeSelector`: where a project's pods may run.
//!
//! Mirrors: `openshift/origin:pkg/scheduler/admission/nodeenv`,
//! `kubernetes/plugin/pkg/admission/podnodeselector`.

use std::collections::BTreeMap;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest};

use crate::request::{creates, namespace, refuse};

const PROJECT_SELECTOR: &str = "openshift.io/node-selector";
const NAMESPACE_SELECTOR: &str = "scheduler.alpha.kubernetes.io/node-selector";

type Labels = BTreeMap<String, String>;

/// Adds the project's node selector to its pods: `OriginPodNodeEnvironment`.
#[derive(Debug, Clone, Default)]
pub struct PodNodeEnvironment {
    /// The selector of projects that do not say (`projectConfig.defaultNodeSelector`).
    pub default_selector: String,
}

impl Admission for PodNodeEnvironment {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !creates(request, &api::PODS) {
            return Ok(());
        }
        let Some(project) = namespace(request) else { return Ok(()) };
        if project.annotation(NAMESPACE_SELECTOR).is_some() {
            return Ok(());
        }
        let text = project.annotation(PROJECT_SELECTOR).unwrap_or(&self.default_selector);
        let selector = parse(text).map_err(|text| refuse(request, &text))?;
        merge(request.object, &selector).map_err(|()| {
            let text = "pod node label selector conflicts with its project node label selector";
            refuse(request, text)
        })
    }
}

/// Adds the namespace's node selector to its pods: `PodNodeSelector`.
#[derive(Debug)]
pub struct PodNodeSelector;

impl Admission for PodNodeSelector {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !creates(request, &api::PODS) {
            return Ok(());
        }
        let Some(namespace) = namespace(request) else { return Ok(()) };
        let Some(text) = namespace.annotation(NAMESPACE_SELECTOR) else { return Ok(()) };
        let selector = parse(text).map_err(|text| refuse(request, &text))?;
        merge(request.object, &selector).map_err(|()| {
            let text = "pod node label selector conflicts with its namespace node label selector";
            refuse(request, text)
        })
    }
}

/// Reads `a=b,c=d`.
fn parse(text: &str) -> Result<Labels, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let pair = part.split_once('=').ok_or_else(|| {
                format!("invalid selector, expected: \"key=value\", found: {part:?}")
            })?;
            Ok((pair.0.trim().to_owned(), pair.1.trim_start_matches('=').trim().to_owned()))
        })
        .collect()
}

fn merge(pod: &mut Value, selector: &Labels) -> Result<(), ()> {
    let path = ["spec", "nodeSelector"];
    let mut merged = pod.map_at(&path).cloned().unwrap_or_default();
    for (key, value) in selector {
        let set = merged.entry(key.clone()).or_insert_with(|| json!(value));
        if set != value.as_str() {
            return Err(());
        }
    }
    if !merged.is_empty() {
        pod.set(&path, Value::Object(merged));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_merged_unless_they_conflict() {
        let check = |own: Value, project: &str| {
            let mut pod = json!({"spec": {"nodeSelector": own}});
            merge(&mut pod, &parse(project).unwrap()).map(|()| pod["spec"]["nodeSelector"].clone())
        };
        let merged = Ok(json!({"env": "test", "infra": "false"}));
        assert_eq!(check(json!({"env": "test"}), "infra=false"), merged);
        assert_eq!(check(json!({"infra": "false", "env": "test"}), "infra=false"), merged);
        assert_eq!(check(json!({"infra": "true"}), "infra=false"), Err(()));
        assert_eq!(check(json!({}), ""), Ok(json!({})));
        assert!(parse("what").is_err());
    }
}
