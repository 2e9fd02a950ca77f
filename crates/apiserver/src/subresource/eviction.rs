//! `pods/eviction`: a polite deletion.
//!
//! Deviation: disruption budgets are not looked at yet; every eviction is granted.

use apimachinery::Status;
use serde_json::Value;

use crate::call::{DeleteOptions, Written};
use crate::error;
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;

#[derive(Debug)]
pub(super) struct PodEviction;

impl RestHandler for PodEviction {
    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        let mut options =
            DeleteOptions::from_value(body.get("deleteOptions").unwrap_or(&Value::Null));
        options.dry_run |= cx.call.options.dry_run;
        cx.server.delete(&cx.redirect(&api::PODS, ""), options)?;
        Ok(Written::created(Stored::new(error::success(201))))
    }
}
