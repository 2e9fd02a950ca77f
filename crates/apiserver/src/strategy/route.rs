//! Routes: a host for those that name none.
//!
//! Mirrors: `openshift/origin/pkg/route/apiserver/registry/route/strategy.go`.

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use super::{Strategy, StrategyContext, keep_status, reset_status};

/// The domain of generated hosts (`routingConfig.subdomain`) when nobody has chosen one.
const SUBDOMAIN: &str = "router.default.svc.cluster.local";

/// Tells that the host was made up.
const GENERATED: &str = "openshift.io/host.generated";

#[derive(Debug)]
pub(super) struct RouteStrategy;

impl Strategy for RouteStrategy {
    fn prepare_for_create(
        &self,
        cx: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        reset_status(cx.resource, object);
        let wildcard = object.str_at(&["spec", "wildcardPolicy"]) == "Subdomain";
        if object.str_at(&["spec", "host"]).is_empty() && !wildcard {
            let host = format!("{}-{}.{SUBDOMAIN}", object.name(), cx.namespace);
            object.set(&["spec", "host"], json!(host));
            object.set_annotation(GENERATED, "true");
        }
        Ok(())
    }

    fn prepare_for_update(
        &self,
        cx: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        keep_status(cx.resource, new, old);
        if new.str_at(&["spec", "host"]).is_empty() {
            new.set(&["spec", "host"], json!(old.str_at(&["spec", "host"])));
        }
        Ok(())
    }
}
