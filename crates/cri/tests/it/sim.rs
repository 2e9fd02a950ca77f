//! The simulated runtime.

use std::time::Duration;

use cri::conformance::{self, Harness, Program};
use cri::sim::{Behaviour, SimImages, SimRuntime, Strain};
use cri::{Command, ContainerConfig, ContainerRuntime, Event, PodSandboxConfig, Reply};
use world::World;

struct Sim {
    world: World,
    runtime: SimRuntime,
}

impl Harness for Sim {
    fn runtime(&mut self) -> &mut dyn ContainerRuntime {
        &mut self.runtime
    }

    fn wait(&mut self) -> bool {
        let Some(next) = self.runtime.next_event_at() else { return false };
        self.world.advance_to(next);
        true
    }

    fn program(&self, program: Program) -> (String, Vec<String>) {
        (format!("{program:?}").to_lowercase(), Vec::new())
    }
}

fn behaviour(text: &str) -> Behaviour {
    serde_json::from_str(text).unwrap()
}

fn images() -> SimImages {
    let images = SimImages::new();
    for (name, text) in [
        ("ignores", r#"{"stopSeconds": 1000}"#),
        ("fails", r#"{"exit": {"code": 3}}"#),
        (
            "prints",
            r#"{"logs": ["one", {"atSeconds": 1, "line": "two"}, {"atSeconds": 2, "line": "three"}],
                "exit": {"afterSeconds": 3}}"#,
        ),
        ("serves", r#"{"http": {"/": {"body": "hello"}}, "cpu": "10m", "memory": "8Mi"}"#),
        ("explains", r#"{"exit": {"code": 4, "message": "why"}}"#),
        ("missing", r#"{"missing": true}"#),
        ("broken", r#"{"startError": "Error response from daemon: no such file"}"#),
    ] {
        images.add(name, behaviour(text));
    }
    images
}

#[test]
fn conforms() {
    for (name, case) in conformance::CASES {
        let world = World::simulated(11);
        let runtime = SimRuntime::new(world.clone(), images());
        let mut sim = Sim { world, runtime };
        if let Err(error) = conformance::run(*case, &mut sim) {
            panic!("{name}: {error}");
        }
    }
}

fn events_of_one_run(seed: u64) -> Vec<String> {
    let world = World::simulated(seed);
    let mut runtime = SimRuntime::new(world.clone(), images());
    let mut trace = Vec::new();
    let mut sandbox = cri::Id::default();
    for ticket in 0..20 {
        let command = if ticket % 2 == 0 {
            Command::RunPodSandbox { config: Box::new(PodSandboxConfig::default()) }
        } else {
            let config = ContainerConfig { image: "prints".into(), ..ContainerConfig::default() };
            Command::CreateContainer { sandbox: sandbox.clone(), config: Box::new(config) }
        };
        runtime.submit(ticket, command);
        while let Some(next) = runtime.next_event_at() {
            world.advance_to(next);
            for event in runtime.poll() {
                trace.push(format!("{} {event:?}", world.now().rfc3339_nano()));
                match event {
                    Event::Done { result: Ok(Reply::Sandbox(status)), .. } => sandbox = status.id,
                    Event::Done { result: Ok(Reply::Container(id)), .. } => {
                        runtime.submit(100 + ticket, Command::StartContainer { id });
                    }
                    _ => {}
                }
            }
        }
    }
    trace
}

#[test]
fn one_seed_gives_one_history() {
    let once = events_of_one_run(5);
    assert!(once.len() > 30, "{once:?}");
    assert_eq!(once, events_of_one_run(5));
    assert_ne!(once, events_of_one_run(6));
}

#[test]
fn an_engine_that_went_away_refuses_and_comes_back() {
    let world = World::simulated(1);
    let mut runtime = SimRuntime::new(world, SimImages::new());
    runtime.control().set_engine(Some("gone"));
    let event = Event::EngineUnavailable { message: "gone".to_owned() };
    assert_eq!(runtime.poll(), [event]);
    runtime.submit(1, Command::List);
    let refused =
        Event::Done { ticket: 1, result: Err(cri::Error::Unavailable("gone".to_owned())) };
    assert_eq!(runtime.poll(), [refused]);
    runtime.control().set_engine(None);
    assert_eq!(runtime.poll(), [Event::EngineAvailable]);
}

#[test]
fn an_engine_under_strain_answers_late_and_out_of_order_and_refuses() {
    let world = World::simulated(1);
    let mut runtime = SimRuntime::new(world.clone(), SimImages::new());
    let strain = Strain::new(World::simulated(2), Duration::from_secs(20));
    runtime.control().set_strain(Some(strain));
    for ticket in 0..40 {
        let config = Box::new(PodSandboxConfig::default());
        runtime.submit(ticket, Command::RunPodSandbox { config });
    }
    runtime.control().set_strain(None);
    let start = world.now();
    let (mut answered, mut refused) = (Vec::new(), 0);
    while let Some(next) = runtime.next_event_at() {
        world.advance_to(next);
        for event in runtime.poll() {
            let Event::Done { ticket, result } = event else { panic!("{event:?}") };
            answered.push(ticket);
            refused += usize::from(result.is_err());
        }
    }
    assert!(!answered.is_sorted());
    answered.sort_unstable();
    assert!(answered.iter().copied().eq(0..40), "each is answered once: {answered:?}");
    let made = runtime.control().inventory().0.len();
    // Some are made in spite of the refusal.
    assert!(made < 40 && refused + made > 40, "{refused} refused, {made} made");
    let took = world.now() - start;
    assert!((10..21).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn a_pull_takes_its_time_and_stays() {
    let world = World::simulated(1);
    let images = SimImages::new();
    images.add("big:1", behaviour(r#"{"pullSeconds": 30}"#));
    let mut runtime = SimRuntime::new(world.clone(), images);
    let image = || "big:1".to_owned();
    runtime.submit(1, Command::ImageStatus { image: image() });
    assert_eq!(runtime.poll(), [Event::Done { ticket: 1, result: Ok(Reply::Image(None)) }]);
    runtime.submit(2, Command::PullImage { image: image(), credentials: Vec::new() });
    let start = world.now();
    world.advance_to(runtime.next_event_at().unwrap());
    assert_eq!(world.now() - start, Duration::from_secs(30));
    runtime.poll();
    runtime.submit(3, Command::ImageStatus { image: image() });
    let present = matches!(
        runtime.poll().as_slice(),
        [Event::Done { result: Ok(Reply::Image(Some(_))), .. }]
    );
    assert!(present);
}
