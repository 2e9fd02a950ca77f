//! `certificatesigningrequests/approval`: says whether a certificate may be signed, nothing else.
//!
//! Mirrors: `kubernetes/pkg/registry/certificates/certificates` (`csrApprovalStrategy`).

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use crate::call::Written;
use crate::error;
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;
use crate::update::check_names;

#[derive(Debug)]
pub(super) struct Approval;

impl RestHandler for Approval {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        cx.server.get(&cx.redirect(cx.call.resource, ""))
    }

    fn update(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        check_names(cx.call, &body)?;
        let mut call = cx.redirect(cx.call.resource, "status");
        "approval".clone_into(&mut call.options.through);
        let now = cx.server.world().now().rfc3339();
        let mut conditions = body.list_at(&["status", "conditions"]).to_vec();
        for condition in &mut conditions {
            for field in ["lastUpdateTime", "lastTransitionTime"] {
                if condition.str_at(&[field]).is_empty() {
                    condition.set(&[field], json!(now));
                }
            }
            if condition.str_at(&["status"]).is_empty() {
                condition.set(&["status"], json!("True"));
            }
        }
        cx.server.modify(&call, &mut |old| {
            let version = body.resource_version();
            if !version.is_empty() && version != old.resource_version() {
                return Err(error::modified(cx.call.resource, cx.call.name));
            }
            let mut new = old.clone();
            new.set(&["status", "conditions"], Value::from(conditions.clone()));
            Ok(new)
        })
    }
}
