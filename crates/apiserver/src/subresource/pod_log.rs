//! `pods/log`: finds the container that is meant and whether it has anything to say.
//!
//! Mirrors: `kubernetes/pkg/registry/core/pod/strategy.go` (`LogLocation`),
//! `kubernetes/pkg/kubelet/kubelet_pods.go` (`validateContainerLogStatus`).

use apimachinery::Value;
use apimachinery::{ObjectExt as _, Status};

use crate::call::LogOptions;
use crate::handler::{HandlerContext, RestHandler};
use crate::log::LogStream;

#[derive(Debug)]
pub(super) struct PodLog;

impl RestHandler for PodLog {
    fn log(&self, cx: &HandlerContext<'_>, options: &LogOptions) -> Result<LogStream, Status> {
        let current = cx.server.current(cx.call)?;
        let pod = &*current.value.value();
        let container = choose(pod, &options.container).map_err(Status::bad_request)?;
        if pod.str_at(&["spec", "nodeName"]).is_empty() {
            // Not placed yet: upstream answers with an empty log.
            return Ok(Box::pin(futures_util::stream::empty()));
        }
        check_started(pod, container, options.previous).map_err(Status::bad_request)?;
        let Some(logs) = cx.server.pod_logs() else {
            return Err(Status::internal("no container runtime gives logs to this server"));
        };
        logs.open(pod, container, options)
    }
}

fn names(pod: &Value, list: &str) -> Vec<String> {
    pod.list_at(&["spec", list]).iter().map(|it| it.str_at(&["name"]).to_owned()).collect()
}

/// The container asked for, or the only one.
pub(crate) fn choose<'a>(pod: &'a Value, wanted: &'a str) -> Result<&'a str, String> {
    let containers = names(pod, "containers");
    let inits = names(pod, "initContainers");
    if !wanted.is_empty() {
        let ephemeral = names(pod, "ephemeralContainers");
        let known = containers.iter().chain(&inits).chain(&ephemeral).any(|name| name == wanted);
        let complaint = || format!("container {wanted} is not valid for pod {}", pod.name());
        return if known { Ok(wanted) } else { Err(complaint()) };
    }
    if let [only] = pod.list_at(&["spec", "containers"]) {
        return Ok(only.str_at(&["name"]));
    }
    let mut text = format!(
        "a container name must be specified for pod {}, choose one of: [{}]",
        pod.name(),
        containers.join(" ")
    );
    if !inits.is_empty() {
        text.push_str(&format!(" or one of the init containers: [{}]", inits.join(" ")));
    }
    Err(text)
}

fn status_of<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"]
        .iter()
        .flat_map(|list| pod.list_at(&["status", list]))
        .find(|status| status.str_at(&["name"]) == container)
}

/// Whether the container runs now, as far as the pod's status tells.
pub(crate) fn runs(pod: &Value, container: &str) -> bool {
    let status = status_of(pod, container).and_then(|status| status.at(&["state", "running"]));
    status.is_some_and(|running| !running.is_null())
}

/// A container has a log once it has run.
fn check_started(pod: &Value, container: &str, previous: bool) -> Result<(), String> {
    let pod_name = pod.name();
    let Some(status) = status_of(pod, container) else {
        return Err(format!("container {container:?} in pod {pod_name:?} is not available"));
    };
    let has_run_before = !status.str_at(&["lastState", "terminated", "containerID"]).is_empty();
    if previous {
        return if has_run_before {
            Ok(())
        } else {
            Err(format!(
                "previous terminated container {container:?} in pod {pod_name:?} not found"
            ))
        };
    }
    let state = |name: &str| status.at(&["state", name]).is_some_and(|state| !state.is_null());
    if state("running") || state("terminated") || has_run_before {
        return Ok(());
    }
    let complaint = match status.str_at(&["state", "waiting", "reason"]) {
        "ErrImagePull" => "trying and failing to pull image",
        "ImagePullBackOff" => "image can't be pulled",
        "" => return Err(format!("container {container:?} in pod {pod_name:?} is not available")),
        reason => reason,
    };
    Err(format!("container {container:?} in pod {pod_name:?} is waiting to start: {complaint}"))
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn pod() -> Value {
        json!({
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "x"}]},
            "status": {"containerStatuses": [
                {"name": "a", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
                {"name": "b", "state": {"running": {}}},
            ]},
        })
    }

    #[test]
    fn several_containers_must_be_chosen_from() {
        assert_eq!(
            choose(&pod(), "").unwrap_err(),
            "a container name must be specified for pod p, choose one of: [a b] or one of the init \
             containers: [x]"
        );
        assert_eq!(choose(&pod(), "z").unwrap_err(), "container z is not valid for pod p");
        assert_eq!(choose(&pod(), "x"), Ok("x"));
    }

    #[test]
    fn what_has_not_run_has_no_log() {
        assert_eq!(
            check_started(&pod(), "a", false).unwrap_err(),
            "container \"a\" in pod \"p\" is waiting to start: image can't be pulled"
        );
        assert_eq!(check_started(&pod(), "b", false), Ok(()));
        assert_eq!(
            check_started(&pod(), "b", true).unwrap_err(),
            "previous terminated container \"b\" in pod \"p\" not found"
        );
    }
}
