//! What a node's kubelet answers: whether it is well, and the pods it has.
//!
//! Deviation: there is no kubelet that listens; the pages are made here from what the API knows, and
//! other pages (`/logs`, `/metrics`, `/run`) are not found.

use apimachinery::Status;
use apimachinery::json;
use hyper::StatusCode;

use super::super::respond::{self, Answer, Wishes};
use super::super::server::State;
use crate::{Call, ListOptions};

pub(super) fn serve(state: &State, call: &Call<'_>, rest: &str) -> Result<Answer, Status> {
    // `name:port` names the kubelet's port.
    let name = call.name.split(':').next().unwrap_or_default();
    state.api.get(&Call { name, subresource: "", ..call.clone() })?;
    match rest.trim_matches('/') {
        "healthz" => Ok(respond::plain(StatusCode::OK, "ok")),
        "pods" | "runningpods" => {
            let pods = Call { resource: &api::PODS, name: "", subresource: "", ..call.clone() };
            let of_node = ListOptions {
                field_selector: format!("spec.nodeName={name}"),
                ..ListOptions::default()
            };
            let list = state.api.list(&pods, &of_node)?;
            let items: Vec<_> = list.items.into_iter().map(crate::Stored::into_value).collect();
            let list =
                json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items});
            Ok(respond::json(StatusCode::OK, &list, Wishes::default()))
        }
        _ => Ok(respond::plain(StatusCode::NOT_FOUND, "404 page not found\n")),
    }
}
