//! A cluster on scripted containers and the host's clock, served over HTTPS on a free port.
//!
//! Invariant: when it is dropped its thread has ended and its port is free.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use apiserver::User;
use apiserver::http::{self, Server, kubeconfig};
use authentication::Tokens;
use cluster::{Cluster, Config, Runtime};
use cri::sim::{Behaviour, SimImages};
use tempfile::TempDir;
use world::World;

/// The bearer token of `system:admin`.
pub(crate) const ADMIN: &str = "admin";

/// How long the loop runs before it is asked to go on.
const TURN: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct Served {
    images: SimImages,
    directory: TempDir,
    runtime: tokio::runtime::Runtime,
    server: Option<Server>,
    stop: Arc<AtomicBool>,
    wake: Waker,
    driver: Option<JoinHandle<()>>,
}

struct Waker(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waker")
    }
}

impl Served {
    /// A cluster of one node with a namespace `default`.
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// A cluster put together as `change` says.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let images = SimImages::new();
        let mut config = Config::new(World::real(), Runtime::Sim(images.clone()), 1);
        change(&mut config);
        let mut cluster = Cluster::start(config).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let server = {
            let _guard = runtime.enter();
            let mut config = http::Config::local().unwrap();
            config.tokens = vec![(ADMIN.to_owned(), User::system_admin())];
            let tokens = Tokens::new(cluster.server().clone(), cluster::bearers(&[]));
            config.authenticator = Some(Arc::new(tokens));
            Server::start(cluster.server().clone(), config).unwrap()
        };
        let directory = TempDir::new().unwrap();
        kubeconfig::write(&directory.path().join("kubeconfig"), server.kubeconfig()).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let wake = Waker(cluster.waker());
        let stopped = Arc::clone(&stop);
        let driver = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                let deadline = cluster.world().now() + TURN;
                cluster.run_until(deadline, &mut || stopped.load(Ordering::SeqCst));
            }
        });
        let (server, driver) = (Some(server), Some(driver));
        Self { images, directory, runtime, server, stop, wake, driver }
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// Where it serves, and the certificate of who vouches for it.
    pub(crate) fn endpoint(&self) -> (std::net::SocketAddr, String) {
        let server = self.server.as_ref().unwrap();
        (server.addr(), server.authority().certificate().to_owned())
    }

    /// Makes `reference` behave as the JSON `behaviour` says, on top of starting at once; gives the
    /// digest.
    pub(crate) fn image(&self, reference: &str, behaviour: &str) -> String {
        let mut behaviour: Behaviour = serde_json::from_str(behaviour).unwrap();
        behaviour.start_seconds.get_or_insert(0.01);
        behaviour.stop_seconds.get_or_insert(0.01);
        self.images.add(reference, behaviour)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        (self.wake.0)();
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.shutdown());
        }
        if let Some(driver) = self.driver.take() {
            let ended = driver.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the loop panicked");
        }
    }
}
