//! Log requests: their parameters and their stream.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use api::Resource;
use apimachinery::Status;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::watch::Receiver;

use super::body::Chunks;
use super::query::Query;
use crate::{ApiServer, Call, ListOptions, LogOptions, LogStream, Watch};

/// Parameters with fields of their own in [`LogOptions`].
const KNOWN: &[&str] = &[
    "container",
    "follow",
    "previous",
    "timestamps",
    "sinceSeconds",
    "sinceTime",
    "tailLines",
    "limitBytes",
];

/// Reads the parameters of a log request.
pub(crate) fn options(query: &Query) -> Result<LogOptions, Status> {
    let more: BTreeMap<String, String> = query
        .pairs()
        .filter(|(key, _)| !KNOWN.contains(key))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    Ok(LogOptions {
        container: query.text("container").to_owned(),
        follow: query.flag("follow"),
        previous: query.flag("previous"),
        timestamps: query.flag("timestamps"),
        since_seconds: query.number("sinceSeconds")?,
        since_time: query.get("sinceTime").filter(|text| !text.is_empty()).map(ToOwned::to_owned),
        tail_lines: query.number("tailLines")?,
        limit_bytes: query.number("limitBytes")?,
        more,
    })
}

/// How long a log that is not there yet is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until there is a log to open, or for long enough.
pub(crate) async fn wait(api: &ApiServer, call: &Call<'_>, options: &LogOptions) {
    let resources = api.log_waits_for(call, options);
    if resources.is_empty() {
        return;
    }
    let of_namespace = |resource| Call::new(call.user, resource).within(call.namespace);
    let watch = |resource: &&'static Resource| {
        api.watch(&of_namespace(resource), &ListOptions::default()).ok()
    };
    let mut watches: Vec<Watch> = resources.iter().filter_map(watch).collect();
    let waiting = async {
        while !api.log_waits_for(call, options).is_empty() {
            poll_fn(|cx| {
                let happened = watches.iter_mut().any(|watch| watch.poll_next(cx).is_ready());
                if happened { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    };
    world::edge::timeout(PATIENCE, waiting).await;
}

/// A log that ends with the server.
pub(crate) fn until_stop(log: LogStream, stop: Receiver<bool>) -> Chunks {
    Box::pin(stream::unfold((log, stop), |(mut log, mut stop)| async move {
        if *stop.borrow() {
            return None;
        }
        let chunk = tokio::select! {
            chunk = log.next() => chunk,
            _ = stop.changed() => None,
        };
        chunk.map(|chunk| (chunk, (log, stop)))
    }))
}
