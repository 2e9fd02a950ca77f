//! `serviceaccounts/token`: tokens that expire.
//!
//! Mirrors: `kubernetes/pkg/registry/core/serviceaccount/storage/token.go`.

use std::sync::Arc;

use apimachinery::field::{Error, Path};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{HandlerContext, RestHandler, Stored, Written};
use world::Time;

use super::token::{self, Claims, LIFETIME, SHORTEST};
use crate::request::find;

/// Serves `serviceaccounts/token`.
#[derive(Debug)]
pub struct TokenRequests {
    /// Whether an account must exist; where nobody makes accounts its name is enough.
    pub strict: bool,
}

impl RestHandler for TokenRequests {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let (ns, name) = (cx.call.namespace, cx.call.name);
        let account = match find(cx.server, &api::SERVICE_ACCOUNTS, ns, name) {
            Some(account) => account,
            None if self.strict => return Err(Status::not_found("", "serviceaccounts", name)),
            None => Arc::new(json!({"metadata": {"name": name, "namespace": ns, "uid": ""}})),
        };
        let seconds = lifetime(&body).map_err(|error| {
            Status::invalid("authentication.k8s.io", "TokenRequest", "", &[error])
        })?;
        let bound = bound_object(cx, &body)?;
        let now = cx.server.world().now();
        let issued = now.unix_nanos() / 1_000_000_000;
        let expires = issued + seconds;
        let audiences = match body.list_at(&["spec", "audiences"]) {
            [] => vec![json!("https://kubernetes.default.svc")],
            given => given.to_vec(),
        };
        let claims = Claims::expiring(&account, &audiences, (issued, expires), bound.as_deref());
        body.set(&["spec", "audiences"], json!(audiences));
        body.set(&["spec", "expirationSeconds"], json!(seconds));
        let until = Time::from_unix_nanos(expires * 1_000_000_000).rfc3339();
        let signed = token::sign(cx.server, &claims)?;
        body.set(&["status"], json!({"token": signed, "expirationTimestamp": until}));
        body.set(&["metadata", "name"], json!(name));
        body.set(&["metadata", "namespace"], json!(ns));
        body.set(&["metadata", "creationTimestamp"], json!(now.rfc3339()));
        Ok(Written::created(Stored::new(body)))
    }
}

fn lifetime(body: &Value) -> Result<i64, Error> {
    let secs =
        |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let Some(asked) = body.int_at(&["spec", "expirationSeconds"]) else {
        return Ok(secs(LIFETIME));
    };
    let path = Path::new("spec").child("expirationSeconds");
    if asked < secs(SHORTEST) {
        return Err(Error::invalid(
            &path,
            asked,
            "may not specify a duration less than 10 minutes",
        ));
    }
    if asked > 1 << 32 {
        return Err(Error::invalid(
            &path,
            asked,
            "may not specify a duration larger than 2^32 seconds",
        ));
    }
    Ok(asked)
}

/// The pod or secret that the token is to live with.
fn bound_object(cx: &HandlerContext<'_>, body: &Value) -> Result<Option<Arc<Value>>, Status> {
    let Some(reference) = body.at(&["spec", "boundObjectRef"]).filter(|it| it.is_object()) else {
        return Ok(None);
    };
    let resource = match (reference.api_version(), reference.kind()) {
        ("v1", "Pod") => &api::PODS,
        ("v1", "Secret") => &api::SECRETS,
        (version, kind) => {
            let gvk = apimachinery::Gvk::from_api_version(version, kind);
            return Err(Status::bad_request(format!(
                "cannot bind token for serviceaccount {:?} to object {}/{}, Kind={kind}",
                cx.call.name, gvk.group, gvk.version
            )));
        }
    };
    let name = reference.str_at(&["name"]);
    let object = find(cx.server, resource, cx.call.namespace, name)
        .ok_or_else(|| Status::not_found("", resource.plural, name))?;
    let uid = reference.str_at(&["uid"]);
    if !uid.is_empty() && uid != object.uid() {
        let text = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The \
             object might have been deleted and then recreated"
        );
        return Err(Status::conflict("", resource.plural, name, &text));
    }
    Ok(Some(object))
}
