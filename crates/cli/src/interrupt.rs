//! Ctrl-C, SIGTERM and a closed terminal: a flag that the loop looks at, and a wake-up so that it
//! looks at once.
//!
//! Invariant: the first signal asks for an orderly end; a second one ends the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;

/// Whether the process has been asked to end.
#[derive(Clone, Default)]
pub(crate) struct Interrupt {
    pub(crate) flag: Arc<AtomicBool>,
    wake: Arc<OnceLock<Arc<dyn Fn() + Send + Sync>>>,
}

impl Interrupt {
    /// Listens from now on; called before anything is made that would have to be removed.
    pub(crate) fn listen(handle: &Handle) -> Self {
        let interrupt = Self::default();
        let heard = interrupt.clone();
        let _guard = handle.enter();
        drop(world::edge::spawn(async move {
            loop {
                wait_for_signal().await;
                if heard.flag.swap(true, Ordering::SeqCst) {
                    end_at_once();
                }
                if let Some(wake) = heard.wake.get() {
                    wake();
                }
            }
        }));
        interrupt
    }

    /// Wakes this loop when the process is asked to end.
    pub(crate) fn wakes(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        drop(self.wake.set(wake));
    }

    /// Wakes all these loops when the process is asked to end.
    pub(crate) fn wakes_all(&self, wakers: Vec<Arc<dyn Fn() + Send + Sync>>) {
        self.wakes(Arc::new(move || wakers.iter().for_each(|wake| wake())));
    }

    pub(crate) fn is_set(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }
}

#[cfg(unix)]
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hang_up)) =
        (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return interrupt().await;
    };
    tokio::select! {
        biased;
        () = interrupt() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
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
    eprintln!("ended at once; what is left on the engine is removed at the next start");
    std::process::exit(130);
}
