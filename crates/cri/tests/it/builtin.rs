//! Containers that run in process.

use std::time::Duration;

use cri::builtin::{Builtin, WithBuiltins};
use cri::sim::{SimImages, SimRuntime};
use cri::{
    Command, ContainerConfig, ContainerRuntime as _, Event, LogOptions, PodSandboxConfig, Reply,
};
use world::World;

const IMAGE: &str = "openshift/origin-deployer:v3.11";

struct Fixture {
    world: World,
    builtin: Builtin,
    runtime: WithBuiltins<SimRuntime>,
}

impl Fixture {
    fn new() -> Self {
        let world = World::simulated(1);
        let builtin = Builtin::new(world.clone());
        builtin.register(IMAGE);
        let sim = SimRuntime::new(world.clone(), SimImages::new());
        Self { runtime: WithBuiltins::new(sim, builtin.clone()), world, builtin }
    }

    fn call(&mut self, command: Command) -> Reply {
        self.runtime.submit(1, command);
        loop {
            for event in self.runtime.poll() {
                if let Event::Done { result, .. } = event {
                    return result.unwrap();
                }
            }
            self.world.advance_to(self.runtime.next_event_at().unwrap());
        }
    }

    fn started(&mut self) -> cri::Id {
        let sandbox = match self
            .call(Command::RunPodSandbox { config: Box::new(PodSandboxConfig::default()) })
        {
            Reply::Sandbox(status) => status.id,
            other => panic!("{other:?}"),
        };
        let config = Box::new(ContainerConfig {
            image: IMAGE.into(),
            pod_uid: "u".into(),
            env: [("A".to_owned(), "1".to_owned())].into(),
            ..ContainerConfig::default()
        });
        let id = match self.call(Command::CreateContainer { sandbox, config }) {
            Reply::Container(id) => id,
            other => panic!("{other:?}"),
        };
        self.call(Command::StartContainer { id: id.clone() });
        id
    }
}

#[test]
fn a_controller_prints_and_ends_it() {
    let mut fixture = Fixture::new();
    let id = fixture.started();
    let running = fixture.builtin.running();
    assert_eq!(running.len(), 1);
    assert_eq!(running[0].env, [("A".to_owned(), "1".to_owned())]);
    fixture.builtin.print("u", "--> Scaling");
    fixture.builtin.exit("u", 0);
    let events = fixture.runtime.poll();
    assert!(
        matches!(&events[..], [Event::ContainerExited(exit)] if exit.exit_code == 0),
        "{events:?}"
    );
    assert!(fixture.builtin.running().is_empty());

    let logs = fixture.runtime.logs();
    let stream = logs.open(&id, &LogOptions { follow: true, ..LogOptions::default() }).unwrap();
    let pieces = futures_util::StreamExt::collect::<Vec<_>>(stream);
    let mut pieces = std::pin::pin!(pieces);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let text = match Future::poll(pieces.as_mut(), &mut context) {
        std::task::Poll::Ready(pieces) => pieces.concat(),
        std::task::Poll::Pending => panic!("the log of an ended container ends"),
    };
    assert_eq!(text, b"--> Scaling\n");
}

#[test]
fn a_stop_is_announced_and_enforced() {
    let mut fixture = Fixture::new();
    let id = fixture.started();
    let grace = Duration::from_secs(10);
    let asked = fixture.world.now();
    fixture.runtime.submit(9, Command::StopContainer { id, grace });
    assert!(fixture.builtin.stopping("u"));
    assert!(fixture.runtime.poll().is_empty());
    assert_eq!(fixture.runtime.next_event_at(), Some(asked + grace));
    fixture.world.advance_to(asked + grace);
    let events = fixture.runtime.poll();
    assert!(
        matches!(&events[..], [Event::ContainerExited(exit), Event::Done { ticket: 9, .. }]
            if exit.exit_code == 143),
        "{events:?}"
    );
}
