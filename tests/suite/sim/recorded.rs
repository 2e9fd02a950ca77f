//! Rollouts of a recorded OpenShift 3.11, replayed: the same commands at the same seconds give the
//! same steps, events, phases, annotations, messages and logs.
//!
//! `GOLDEN_DIR` names the recordings; without it there is nothing to compare with. What differs is
//! listed in [`KNOWN`] with the reason, and must differ.

mod oc;
mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use apimachinery::{ObjectExt as _, Value};
use apiserver::{Call, Client, LogOptions, LogStream, Stored};
use futures_core::Stream as _;
use store::{EventKind, Watcher};
use world::Time;

use self::oc::Oc;
use self::story::{Seen, Story, tell};
use crate::harness::simulated::Simulated;

/// The recordings that are replayed.
const SCENARIOS: [&str; 10] = [
    "a2_rolling_default_probe",
    "a2_run2_rolling_default_probe",
    "b2_rolling_surge1_unavail0_probe",
    "c2_rolling_surge0_unavail1_probe",
    "d2_recreate_plain",
    "d_recreate_hooks",
    "e_rolling_hooks_tagimages",
    "f_hooks_abort",
    "g_badimage_timeout",
    "j_configchange",
];

/// What differs: scenario, topic, and why it may.
const KNOWN: [(&str, &str, &str); 10] = [
    ("a2_rolling_default_probe", "Progressing of hello", DEPLOYER_FIRST),
    ("a2_run2_rolling_default_probe", "Progressing of hello", DEPLOYER_FIRST),
    ("b2_rolling_surge1_unavail0_probe", "Progressing of hello", DEPLOYER_FIRST),
    ("c2_rolling_surge0_unavail1_probe", "Progressing of hello", DEPLOYER_FIRST),
    ("f_hooks_abort", "Progressing of mid-abort", DEPLOYER_FIRST),
    ("g_badimage_timeout", "Available of hello", CRASHES),
    ("j_configchange", "Available of hello", REVERTED),
    ("j_configchange", "number of SuccessfulCreate of hello-4", REVERTED),
    ("j_configchange", "number of SuccessfulDelete of hello-4", REVERTED),
    ("j_configchange", "number of SuccessfulDelete of hello-5", REVERTED),
];

const DEPLOYER_FIRST: &str = "the recorded deployer scaled before the loaded kubelet had reported \
                              that it runs, so that the phase was still Pending when pods came";
const CRASHES: &str = "when a pod that crashes every two seconds is seen ready hangs on the second";
const REVERTED: &str = "a controller scaled by hand is set back at once; the recorded master had made \
                        or deleted pods before";

/// Where a replay ends when not with the recording: commands that the loaded master got while a
/// rollout was under way would find it ended here.
const ENDS: [(&str, f64); 1] = [("j_configchange", 214.0)];

#[expect(clippy::disallowed_methods, reason = "the recordings live outside the project")]
fn recordings() -> Option<PathBuf> {
    std::env::var("GOLDEN_DIR").ok().filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// A command of a transcript: when, what, and what it printed (an error begins with `error: `).
#[derive(Debug)]
struct Command {
    at: f64,
    line: String,
    printed: String,
}

fn commands(folder: &Path) -> Vec<Command> {
    let text = std::fs::read_to_string(folder.join("transcript.txt")).unwrap();
    let mut commands: Vec<Command> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some((at, rest)) = line.strip_prefix("[t=").and_then(|rest| rest.split_once(']')) {
            inside = false;
            if let Some(command) = rest.strip_prefix(" $ ").filter(|rest| !rest.contains(" &  ")) {
                let (at, line) = (at.parse().unwrap(), command.to_owned());
                commands.push(Command { at, line, printed: String::new() });
            }
        } else if line.starts_with("--- ") {
            inside = line.starts_with("--- std");
        } else if let Some(command) = commands.last_mut().filter(|_| inside && !line.is_empty()) {
            command.printed.push_str(line);
            command.printed.push('\n');
        }
    }
    commands
}

fn recorded_writes(folder: &Path) -> Vec<Seen> {
    let file = std::fs::File::open(folder.join("watch.jsonl.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut events: Vec<(i64, f64, Value, bool)> = Vec::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let object = entry["ev"]["object"].clone();
        let version = object.resource_version().parse().unwrap_or(0);
        let deleted = entry["ev"]["type"] == "DELETED";
        let known = ["ADDED", "MODIFIED", "DELETED"].map(Value::from);
        if known.contains(&entry["ev"]["type"]) {
            events.push((version, entry["t"].as_f64().unwrap() / 1000.0, object, deleted));
        }
    }
    events.sort_by_key(|event| event.0);
    let mut last: BTreeMap<(String, String), Value> = BTreeMap::new();
    let mut writes = Vec::new();
    for (_, at, object, deleted) in events {
        let key = (object.kind().to_owned(), object.name().to_owned());
        let old = last.get(&key).cloned();
        if deleted {
            last.remove(&key);
        } else {
            last.insert(key, object.clone());
        }
        writes.push(Seen { at, old, new: (!deleted).then_some(object) });
    }
    writes
}

/// The logs of the deployer pods, oldest first, without times.
fn recorded_logs(folder: &Path) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(folder.join("podlogs")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let deployers = files.iter().filter(|file| file.to_string_lossy().ends_with("-deploy.log"));
    let mut lines = Vec::new();
    for file in deployers {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        lines.push(format!("# {}", name.split_once('-').unwrap().1));
        let text = std::fs::read_to_string(file).unwrap();
        let shown = text.lines().filter(|line| !line.contains("code = Unknown desc = "));
        lines.extend(shown.map(|line| line.split_once(' ').map_or("", |line| line.1).to_owned()));
    }
    lines
}

/// Everything that a simulated cluster writes, and the logs of its deployer pods as they grow.
struct Follower {
    client: Client,
    begin: Time,
    watcher: Watcher<Stored>,
    writes: Vec<Seen>,
    logs: Vec<(String, Option<LogStream>, Vec<u8>)>,
    followed: BTreeSet<String>,
}

impl Follower {
    fn new(sim: &Simulated) -> Self {
        let store = sim.cluster.server().store();
        let watcher = store.watch("/registry/", store.revision()).unwrap();
        let (client, begin) = (sim.client(), sim.cluster.world().now());
        let followed = BTreeSet::new();
        Self { client, begin, watcher, writes: Vec::new(), logs: Vec::new(), followed }
    }

    fn look(&mut self, now: Time) {
        let at = now.since(self.begin).as_secs_f64();
        while let Some(event) = self.watcher.try_next().unwrap() {
            let old = event.prev.as_ref().map(|kv| Value::clone(&kv.value.value()));
            let new = (event.kind == EventKind::Put).then(|| Value::clone(&event.kv.value.value()));
            if let Some(pod) = new.as_ref().filter(|new| new.kind() == "Pod") {
                self.follow(pod);
            }
            self.writes.push(Seen { at, old, new });
        }
        let mut task = Context::from_waker(Waker::noop());
        for (_, stream, text) in &mut self.logs {
            while let Some(open) = stream {
                match Pin::new(open).poll_next(&mut task) {
                    Poll::Ready(Some(piece)) => text.extend_from_slice(&piece),
                    Poll::Ready(None) => *stream = None,
                    Poll::Pending => break,
                }
            }
        }
    }

    fn follow(&mut self, pod: &Value) {
        let phase = pod.str_at(&["status", "phase"]);
        let started = matches!(phase, "Running" | "Succeeded" | "Failed");
        if !pod.name().ends_with("-deploy") || !started || self.followed.contains(pod.uid()) {
            return;
        }
        let call = Call::new(self.client.user(), &api::PODS).within(pod.namespace());
        let call = call.named(pod.name()).subresource("log");
        let options = LogOptions { follow: true, ..LogOptions::default() };
        if let Ok(stream) = self.client.server().log(&call, &options) {
            self.followed.insert(pod.uid().to_owned());
            self.logs.push((pod.name().to_owned(), Some(stream), Vec::new()));
        }
    }

    fn log_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, _, text) in &self.logs {
            lines.push(format!("# {name}"));
            lines.extend(String::from_utf8_lossy(text).lines().map(str::to_owned));
        }
        lines
    }
}

/// What came of a replay.
struct Replayed {
    writes: Vec<Seen>,
    logs: Vec<String>,
    /// Commands that printed something else.
    differing: Vec<String>,
}

fn replay(folder: &Path, until: f64) -> Replayed {
    let mut sim = Simulated::with_nodes(1, |_| {});
    for version in ["v1", "v2", "v3"] {
        sim.image(&format!("hello:{version}"), r#"{"startSeconds": 1.5, "stopSeconds": 0.2}"#);
    }
    sim.image("bad:1", r#"{"exit": {"code": 1, "afterSeconds": 2}}"#);
    sim.image("127.0.0.1:35000/demo/hello:nosuchtag", r#"{"missing": true}"#);
    let name = folder.file_name().unwrap().to_string_lossy().replace('_', "-");
    let project = format!("golden-{name}");
    sim.create(&project, "");
    sim.run_for(30);
    let mut follower = Follower::new(&sim);
    let mut differing = Vec::new();
    for command in commands(folder).iter().filter(|command| command.at <= until) {
        run_to(&mut sim, &mut follower, command.at);
        let oc = Oc { client: &sim.client(), project: &project, folder };
        let Some(printed) = oc.run(&command.line) else { continue };
        let printed = printed.unwrap_or_else(|text| format!("error: {text}"));
        let same = |text: &str| command.printed.lines().any(|line| line.trim_end() == text);
        if !printed.lines().all(same) {
            let (line, recorded) = (&command.line, &command.printed);
            differing.push(format!("{line}: recorded {recorded:?}, now {printed:?}"));
        }
    }
    run_to(&mut sim, &mut follower, until);
    let logs = follower.log_lines();
    let mut writes = follower.writes;
    writes.retain(|write| {
        let object = write.new.as_ref().or(write.old.as_ref());
        object.is_some_and(|object| object.namespace() == project)
    });
    Replayed { writes, logs, differing }
}

fn run_to(sim: &mut Simulated, follower: &mut Follower, at: f64) {
    let deadline = follower.begin + Duration::from_secs_f64(at);
    let world = sim.cluster.world().clone();
    sim.cluster.run_until(deadline, &mut || {
        follower.look(world.now());
        false
    });
    follower.look(world.now());
}

/// The topics in which `now` differs from `recorded`.
fn differences(recorded: &Story, now: &Story) -> BTreeMap<String, String> {
    let topics: BTreeSet<&String> = recorded.keys().chain(now.keys()).collect();
    let none = Vec::new();
    let mut differing = BTreeMap::new();
    for topic in topics {
        let (was, is) = (recorded.get(topic).unwrap_or(&none), now.get(topic).unwrap_or(&none));
        if was != is {
            let at = was.iter().zip(is).take_while(|(was, is)| was == is).count();
            let text = format!(
                "{topic}, from line {at}\n  recorded {:#?}\n  now {:#?}",
                &was[at..],
                &is[at..]
            );
            differing.insert(topic.clone(), text);
        }
    }
    differing
}

fn compare(dir: &Path, scenario: &str) -> BTreeMap<String, String> {
    let folder = dir.join(scenario);
    let recorded = recorded_writes(&folder);
    let end = ENDS.iter().find(|end| end.0 == scenario).map(|end| end.1);
    let until = end.unwrap_or_else(|| recorded.last().map_or(0.0, |write| write.at));
    let mut recorded = recorded;
    recorded.retain(|write| write.at <= until);
    let replayed = replay(&folder, until);
    let (mut was, mut is) = (tell(&recorded), tell(&replayed.writes));
    let mut logs = recorded_logs(&folder);
    if end.is_some() {
        logs.truncate(replayed.logs.len());
    }
    was.insert("logs".to_owned(), logs);
    is.insert("logs".to_owned(), replayed.logs);
    is.insert("commands".to_owned(), replayed.differing);
    differences(&was, &is)
}

#[test]
fn recorded_rollouts_go_the_same_way() {
    let Some(dir) = recordings() else { return };
    let mut wrong = Vec::new();
    for scenario in SCENARIOS {
        let differing = compare(&dir, scenario);
        let known: BTreeSet<&str> =
            KNOWN.iter().filter(|known| known.0 == scenario).map(|known| known.1).collect();
        let news = differing.iter().filter(|(topic, _)| !known.contains(topic.as_str()));
        wrong.extend(news.map(|(_, text)| format!("{scenario}: {text}")));
        let gone = known.iter().filter(|topic| !differing.contains_key(**topic));
        wrong.extend(gone.map(|topic| format!("{scenario}: {topic} does not differ any more")));
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
