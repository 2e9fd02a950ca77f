//! Ctrl-C and SIGTERM: a flag that the loop looks at, and a wake-up so that it looks at once.
//!
//! Invariant: the first signal asks for an orderly end; a second one ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Handle;

/// Sets the flag that is returned, and calls `wake`, when the process is asked to end.
pub(crate) fn listen(handle: &Handle, wake: Arc<dyn Fn() + Send + Sync>) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    let _guard = handle.enter();
    drop(world::edge::spawn(async move {
        loop {
            wait_for_signal().await;
            if set.swap(true, Ordering::SeqCst) {
                end_at_once();
            }
            wake();
        }
    }));
    flag
}

#[cfg(unix)]
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return interrupt().await;
    };
    tokio::select! {
        biased;
        () = interrupt() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn wait_for_signal() {
    interrupt().await;
}

async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals there is nothing to wait for; the flag is never set.
        std::future::pending::<()>().await;
    }
}

#[expect(clippy::exit, reason = "a second signal must not wait for anything")]
fn end_at_once() {
    std::process::exit(130);
}
