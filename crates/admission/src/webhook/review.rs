//! The question to a webhook and its answer: `AdmissionReview` of `admission.k8s.io`.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Reason, Status, Value};
use apiserver::{AdmissionRequest, Operation};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{convert, rule};

const GROUP: &str = "admission.k8s.io";

/// What a webhook decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    allowed: bool,
    status: Value,
    /// The JSON patch to apply.
    pub(super) patch: Option<Value>,
}

/// The review, in the first version that the webhook knows.
#[must_use]
pub(super) fn question(request: &AdmissionRequest<'_>, webhook: &Value) -> Value {
    let call = request.call;
    let resource = call.resource;
    let known = webhook.list_at(&["admissionReviewVersions"]).iter().filter_map(Value::as_str);
    let version = known.into_iter().find(|v| matches!(*v, "v1" | "v1beta1")).unwrap_or("v1beta1");
    let kind = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
    let plural =
        json!({"group": resource.group, "version": resource.version, "resource": resource.plural});
    let shown = |object: &Value| {
        let mut object = object.clone();
        convert(&mut object, api::storage_of(resource), resource);
        object
    };
    let deletes = request.operation == Operation::Delete;
    let object = if deletes { Value::Null } else { shown(request.object) };
    let name = if call.name.is_empty() { request.object.name() } else { call.name };
    let mut asked = json!({
        "uid": request.server.world().uid(),
        "kind": kind,
        "resource": plural,
        "requestKind": kind,
        "requestResource": plural,
        "name": name,
        "namespace": call.namespace,
        "operation": rule::operation(request),
        "userInfo": {"username": call.user.name, "uid": call.user.uid, "groups": call.user.groups},
        "object": object,
        "oldObject": request.old.map(shown),
        "dryRun": call.options.dry_run,
    });
    if !call.subresource.is_empty() {
        asked["subResource"] = json!(call.subresource);
        asked["requestSubResource"] = json!(call.subresource);
    }
    json!({"apiVersion": format!("{GROUP}/{version}"), "kind": "AdmissionReview", "request": asked})
}

/// Reads the answer to a question.
pub(super) fn answer(question: &Value, body: &[u8]) -> Result<Verdict, String> {
    let review: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let Some(response) = review.get("response").filter(|it| it.is_object()) else {
        return Err("webhook response was absent".to_owned());
    };
    let asked = question.str_at(&["request", "uid"]);
    if question.api_version().ends_with("/v1") && response.str_at(&["uid"]) != asked {
        let got = response.str_at(&["uid"]);
        return Err(format!(
            "received invalid webhook response: expected response.uid={asked:?}, got {got:?}"
        ));
    }
    let patch = match response.str_at(&["patch"]) {
        "" => None,
        text => {
            let bytes = STANDARD.decode(text).map_err(|error| error.to_string())?;
            Some(serde_json::from_slice(&bytes).map_err(|error| error.to_string())?)
        }
    };
    let status = response.get("status").cloned().unwrap_or(Value::Null);
    Ok(Verdict { allowed: response.bool_at(&["allowed"]), status, patch })
}

impl Verdict {
    /// What the client is told; `None` when the request may go on.
    #[must_use]
    pub(super) fn refusal(&self, webhook: &str) -> Option<Status> {
        if self.allowed {
            return None;
        }
        let denied = format!("admission webhook {webhook:?} denied the request");
        let text = match (self.status.str_at(&["message"]), self.status.str_at(&["reason"])) {
            ("", "") => format!("{denied} without explanation"),
            ("", reason) => format!("{denied}: {reason}"),
            (message, _) => format!("{denied}: {message}"),
        };
        let code = self.status.int_at(&["code"]).and_then(|code| u16::try_from(code).ok());
        let code = code.filter(|code| *code >= 400).unwrap_or(400);
        let reason = match code {
            403 => Reason::Forbidden,
            422 => Reason::Invalid,
            _ => Reason::Unknown,
        };
        Some(Status { code, ..Status::new(reason, text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(response: &Value) -> String {
        let question = json!({"apiVersion": "admission.k8s.io/v1", "request": {"uid": "u"}});
        let body = json!({"response": response}).to_string();
        match answer(&question, body.as_bytes()) {
            Err(text) => text,
            Ok(verdict) => verdict
                .refusal("w")
                .map_or_else(String::new, |status| format!("{} {}", status.code, status.message)),
        }
    }

    #[test]
    fn refusals_name_the_webhook() {
        assert_eq!(told(&json!({"uid": "u", "allowed": true})), "");
        assert_eq!(
            told(&json!({"uid": "u"})),
            "400 admission webhook \"w\" denied the request without explanation"
        );
        assert_eq!(
            told(&json!({"uid": "u", "status": {"code": 403, "message": "no"}})),
            "403 admission webhook \"w\" denied the request: no"
        );
        assert_eq!(
            told(&json!({"uid": "x"})),
            "received invalid webhook response: expected response.uid=\"u\", got \"x\""
        );
        assert_eq!(told(&Value::Null), "webhook response was absent");
    }
}
