//! From a request to a document.
//!
//! Invariant: fields that do not apply are absent.

use apimachinery::{Map, Value, json};
use apiserver::User;
use apiserver::audit::{Reference, Request};

/// What stands in an event besides what the request tells.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) id: String,
}

/// The event of a request.
pub(crate) fn event(request: &Request<'_>, label: &Label) -> Value {
    let mut event = json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "metadata": {
            "name": label.name,
            "creationTimestamp": request.answered.rfc3339(),
        },
        "level": "Metadata",
        "auditID": label.id,
        "stage": "ResponseComplete",
        "requestURI": request.uri,
        "verb": request.verb,
        "user": request.user.map(user).unwrap_or_else(|| json!({})),
        "objectRef": object(request.object),
        "responseStatus": status(request),
        "requestReceivedTimestamp": request.received.rfc3339_micro(),
        "stageTimestamp": request.answered.rfc3339_micro(),
        "annotations": {
            "authorization.k8s.io/decision": if request.code == 403 { "forbid" } else { "allow" },
        },
    });
    if let Some(impersonated) = request.impersonated {
        event["impersonatedUser"] = user(impersonated);
    }
    if !request.user_agent.is_empty() {
        event["userAgent"] = json!(request.user_agent);
    }
    event
}

fn user(user: &User) -> Value {
    let mut said = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        said["uid"] = json!(user.uid);
    }
    if !user.extra.is_empty() {
        said["extra"] = json!(user.extra);
    }
    said
}

fn object(of: &Reference) -> Value {
    let fields = [
        ("apiGroup", &of.group),
        ("apiVersion", &of.version),
        ("resource", &of.resource),
        ("subresource", &of.subresource),
        ("namespace", &of.namespace),
        ("name", &of.name),
        ("uid", &of.uid),
        ("resourceVersion", &of.resource_version),
    ];
    let said = fields.into_iter().filter(|(_, text)| !text.is_empty());
    said.map(|(field, text)| (field.to_owned(), json!(text))).collect::<Map>().into()
}

fn status(request: &Request<'_>) -> Value {
    match request.failure {
        Some((reason, message)) => json!({
            "metadata": {}, "status": "Failure", "reason": reason, "message": message,
            "code": request.code,
        }),
        None => json!({"metadata": {}, "code": request.code}),
    }
}

#[cfg(test)]
mod tests {
    use world::Time;

    use super::*;

    #[test]
    fn a_refused_request_says_by_whom_and_why() {
        let alice = User::with_groups("alice", &["system:authenticated"]);
        let about = Reference {
            version: "v1".to_owned(),
            resource: "secrets".to_owned(),
            namespace: "shop".to_owned(),
            name: "password".to_owned(),
            ..Reference::default()
        };
        let request = Request {
            received: Time::from_unix_nanos(1_000_000_000),
            answered: Time::from_unix_nanos(1_500_042_000),
            user: Some(&alice),
            impersonated: None,
            verb: "delete",
            uri: "/api/v1/namespaces/shop/secrets/password",
            user_agent: "kubectl",
            object: &about,
            code: 403,
            failure: Some(("Forbidden", "no")),
        };
        let event = event(&request, &Label { name: "1".to_owned(), id: "x".to_owned() });
        assert_eq!(
            event,
            json!({
                "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
                "metadata": {"name": "1", "creationTimestamp": "1970-01-01T00:00:01Z"},
                "auditID": "x", "stage": "ResponseComplete", "verb": "delete",
                "requestURI": "/api/v1/namespaces/shop/secrets/password",
                "user": {"username": "alice", "groups": ["system:authenticated"]},
                "userAgent": "kubectl",
                "objectRef": {"apiVersion": "v1", "resource": "secrets", "namespace": "shop",
                    "name": "password"},
                "responseStatus": {"metadata": {}, "status": "Failure", "reason": "Forbidden",
                    "message": "no", "code": 403},
                "requestReceivedTimestamp": "1970-01-01T00:00:01.000000Z",
                "stageTimestamp": "1970-01-01T00:00:01.500042Z",
                "annotations": {"authorization.k8s.io/decision": "forbid"},
            })
        );
    }
}
