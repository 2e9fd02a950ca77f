//! How the asynchronous edges (HTTP, Docker) spawn, sleep and time out.
//!
//! Only code that runs on tokio in a real world calls these; the synchronous core requeues keys
//! instead. Keeping them here leaves one place to look at when a task outlives its owner.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;

/// Spawns `future` on the current tokio runtime.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

/// Sleeps for `duration` of the host's time.
#[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Waits for `future`, at most for `duration`; `None` when the time was up first.
#[expect(clippy::disallowed_methods, reason = "the one place that times out")]
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(duration, future).await.ok()
}
