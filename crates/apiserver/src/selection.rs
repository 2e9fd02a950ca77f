//! Which objects a list or watch shows: label and field selectors, checked against the kind.
//!
//! Mirrors: `kubernetes/pkg/apis/*/v1/conversion.go` (`AddFieldLabelConversionFunc`).

use api::Resource;
use apimachinery::Value;
use apimachinery::selector::{FieldSelector, LabelSelector};
use apimachinery::{ObjectExt as _, Status};

use crate::call::ListOptions;
use crate::stored::Stored;

/// Parsed selectors of one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    pub(crate) fn parse(resource: &Resource, options: &ListOptions) -> Result<Self, Status> {
        Self::parse_with(resource, &[], options)
    }

    /// As [`Self::parse`], for a resource that says itself what else it can be selected by.
    pub(crate) fn parse_with(
        resource: &Resource,
        selectable: &[String],
        options: &ListOptions,
    ) -> Result<Self, Status> {
        let bad = |error: apimachinery::selector::Error| Status::bad_request(error.to_string());
        let labels = LabelSelector::parse(&options.label_selector).map_err(bad)?;
        let fields = FieldSelector::parse(&options.field_selector).map_err(bad)?;
        for requirement in fields.requirements() {
            if !selectable.contains(&requirement.field) {
                check_field(resource, &requirement.field)?;
            }
        }
        Ok(Self { labels, fields })
    }

    /// Whether every object is selected.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The only name that can be selected, when there is one.
    pub(crate) fn only_name(&self) -> Option<&str> {
        self.fields.required_value("metadata.name").filter(|name| !name.is_empty())
    }

    /// Whether a stored object is selected; it is looked at only when there is something to compare.
    pub(crate) fn selects(&self, stored: &Stored) -> bool {
        self.is_everything() || self.matches(&stored.value())
    }

    fn matches(&self, object: &Value) -> bool {
        (self.labels.is_empty() || self.labels.matches(object.labels()))
            && (self.fields.is_empty() || self.fields.matches(|field| read(object, field)))
    }
}

/// The fields beyond name and namespace that objects of a resource can be selected by.
fn fields_of(resource: &Resource) -> Option<&'static [&'static str]> {
    Some(match (resource.storage.0, resource.plural) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("" | "events.k8s.io", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("audit.k8s.io", "events") => &[
            "verb",
            "user.username",
            "impersonatedUser.username",
            "objectRef.apiGroup",
            "objectRef.resource",
            "objectRef.subresource",
            "objectRef.namespace",
            "objectRef.name",
            "responseStatus.code",
        ],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "secrets") => &["type"],
        ("", "namespaces") | (_, "projects") => &["status.phase"],
        ("", "replicationcontrollers") => &["status.replicas"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("apps", "replicasets") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        (_, "builds") => &["status", "podName"],
        (_, "routes") => &["spec.path", "spec.host", "spec.to.name"],
        (_, "imagestreams") => &["spec.dockerImageRepository", "status.dockerImageRepository"],
        (_, "identities") => &["providerName", "providerUserName", "user.name", "user.uid"],
        (_, "oauthaccesstokens") => &["clientName", "userName", "userUID", "authorizeToken"],
        (_, "oauthauthorizetokens" | "oauthclientauthorizations") => {
            &["clientName", "userName", "userUID"]
        }
        _ => return None,
    })
}

fn check_field(resource: &Resource, field: &str) -> Result<(), Status> {
    if field == "metadata.name" || field == "metadata.namespace" {
        return Ok(());
    }
    match fields_of(resource) {
        Some(fields) if fields.contains(&field) => Ok(()),
        Some(_) => Err(Status::bad_request(format!("field label not supported: {field}"))),
        None => Err(Status::bad_request(format!(
            "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        ))),
    }
}

/// The text of a field; the value that upstream's typed structs have where it is absent.
fn read(object: &Value, field: &str) -> String {
    let place = match field {
        "source" => "source.component",
        "podName" => {
            return object.annotation("openshift.io/build.pod-name").unwrap_or_default().to_owned();
        }
        "status" if object.kind() == "Build" => "status.phase",
        other => other,
    };
    let value = place.split('.').try_fold(object, |value, key| value.as_object()?.get(key));
    match value {
        Some(Value::String(text)) => text.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        _ if field == "spec.unschedulable" || field == "spec.hostNetwork" => "false".to_owned(),
        _ if field == "status.replicas" || field == "status.successful" => "0".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn select(resource: &Resource, fields: &str) -> Result<Selection, Status> {
        let options = ListOptions { field_selector: fields.to_owned(), ..ListOptions::default() };
        Selection::parse(resource, &options)
    }

    #[test]
    fn unknown_fields_are_refused_in_upstreams_words() {
        let pods = select(&api::PODS, "spec.nosuch=1").unwrap_err();
        assert_eq!(pods.message, "field label not supported: spec.nosuch");
        let configs = select(&api::DEPLOYMENT_CONFIGS, "status.x=1").unwrap_err();
        assert_eq!(
            configs.message,
            "\"status.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        );
    }

    #[test]
    fn absent_fields_read_as_zero() {
        let node = json!({"kind": "Node"});
        assert!(select(&api::NODES, "spec.unschedulable=false").unwrap().matches(&node));
        assert!(!select(&api::NODES, "spec.unschedulable=true").unwrap().matches(&node));
    }

    #[test]
    fn labels_and_fields_must_both_match() {
        let pod =
            json!({"metadata": {"name": "a", "labels": {"app": "web"}}, "spec": {"nodeName": "n"}});
        let options = ListOptions {
            field_selector: "spec.nodeName=n".to_owned(),
            label_selector: "app in (web)".to_owned(),
            ..ListOptions::default()
        };
        assert!(Selection::parse(&api::PODS, &options).unwrap().matches(&pod));
        let other = ListOptions { label_selector: "app!=web".to_owned(), ..options };
        assert!(!Selection::parse(&api::PODS, &other).unwrap().matches(&pod));
    }
}
