//! What went wrong with the pods of a rollout, told at its end in the deployer's log and as events of
//! the config, where users look.
//!
//! Mirrors: `openshift/origin pkg/apps/strategy/util/util.go` (`RecordConfigWarnings`).

use apimachinery::{ObjectExt as _, Value};
use apiserver::ListOptions;
use controller_runtime::{Context, EventType};

use super::Log;
use super::rollouts::Rollouts;
use crate::rollout::deployer_pod_name;

/// Tells the warnings about both rollouts.
pub(super) fn tell(cx: &mut Context<'_>, rollouts: &Rollouts, log: Log<'_>) {
    let component = deployer_pod_name(rollouts.to.name());
    let sides = [Some(&rollouts.to), rollouts.from.as_ref()];
    for rc in sides.into_iter().flatten() {
        for event in warnings_about(cx, rc) {
            let (reason, text) = (event.str_at(&["reason"]), event.str_at(&["message"]));
            log.print(&format!("-->  {reason}: {} {text}", rc.name()));
            if let Ok(config) = rollouts.config() {
                cx.recorder.event(&component, &config, EventType::Warning, reason, text);
            }
        }
    }
}

fn warnings_about(cx: &Context<'_>, rc: &Value) -> Vec<std::sync::Arc<Value>> {
    let field_selector = format!("involvedObject.uid={},type=Warning", rc.uid());
    let options = ListOptions { field_selector, ..ListOptions::default() };
    let list = cx.client.list_with(&api::EVENTS, rc.namespace(), &options);
    list.map(|list| list.items.into_iter().map(|item| item.value()).collect()).unwrap_or_default()
}
