//! Containers' logs for the pods' `log` sub-resource.

use std::sync::Arc;
use std::time::Duration;

use apimachinery::Value;
use apimachinery::{ObjectExt as _, Reason, Status};
use apiserver::{LogOptions, LogStream, PodLogs};
use cri::Logs;
use world::{Time, World};

/// Finds the container of a pod by its status and opens its log at the runtime.
#[derive(Debug, Clone)]
pub struct RuntimeLogs {
    world: World,
    logs: Arc<dyn Logs>,
}

impl RuntimeLogs {
    /// Reads from `logs`, see [`cri::ContainerRuntime::logs`].
    #[must_use]
    pub fn new(world: World, logs: Arc<dyn Logs>) -> Self {
        Self { world, logs }
    }

    fn options(&self, options: &LogOptions) -> cri::LogOptions {
        let count = |n: Option<i64>| n.and_then(|n| usize::try_from(n).ok());
        let seconds = options.since_seconds.and_then(|n| u64::try_from(n).ok());
        let back = seconds.map(|seconds| {
            let nanos = Duration::from_secs(seconds).as_nanos();
            let now = self.world.now().unix_nanos();
            Time::from_unix_nanos(now.saturating_sub(i64::try_from(nanos).unwrap_or(i64::MAX)))
        });
        let since = options.since_time.as_deref().and_then(Time::parse_rfc3339);
        cri::LogOptions {
            follow: options.follow,
            timestamps: options.timestamps,
            since: back.or(since),
            tail_lines: count(options.tail_lines),
            limit_bytes: count(options.limit_bytes),
        }
    }
}

/// The runtime's id of `container` (or of its instance before), as the pod's status tells it.
#[must_use]
pub fn container_id(pod: &Value, container: &str, previous: bool) -> Option<String> {
    let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let all = lists.iter().flat_map(|list| pod.list_at(&["status", list]));
    let status = all.into_iter().find(|status| status.str_at(&["name"]) == container)?;
    let last = status.str_at(&["lastState", "terminated", "containerID"]);
    let waiting = status.at(&["state", "waiting"]).is_some();
    let id = match (previous, waiting) {
        (true, _) => last,
        // While it waits to be started again, what ran last is what there is to read.
        (false, true) if !last.is_empty() => last,
        (false, _) => status.str_at(&["containerID"]),
    };
    id.split_once("://").map(|(_, id)| id.to_owned()).filter(|id| !id.is_empty())
}

impl PodLogs for RuntimeLogs {
    fn open(
        &self,
        pod: &Value,
        container: &str,
        options: &LogOptions,
    ) -> Result<LogStream, Status> {
        let Some(id) = container_id(pod, container, options.previous) else {
            let name = pod.name();
            let text = if options.previous {
                format!("previous terminated container {container:?} in pod {name:?} not found")
            } else {
                format!(
                    "container {container:?} in pod {name:?} is waiting to start: ContainerCreating"
                )
            };
            return Err(Status::bad_request(text));
        };
        self.logs.open(&id, &self.options(options)).map_err(|error| {
            Status::new(Reason::InternalError, format!("rpc error: code = Unknown desc = {error}"))
        })
    }
}
