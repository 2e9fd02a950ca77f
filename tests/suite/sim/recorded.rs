//! Rollouts of a recorded OpenShift 3.11, replayed: the same commands at the same seconds give the
//! same steps, events, phases, annotations, messages and logs.
//!
//! `GOLDEN_DIR` names the recordings; without it there is nothing to compare with. What differs is
//! listed in [`KNOWN`] with the reason, and must differ.

mod application;
mod names;
mod oc;
mod rollout;
mod story;
mod stream;
mod triggers;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use apimachinery::yaml::load_documents;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{Call, Client, LogOptions, LogStream, Stored};
use futures_core::Stream as _;
use store::{EventKind, Watcher};
use world::Time;

use self::names::Names;
use self::oc::{Answer, Oc};
use self::story::{Seen, Story, tell};
use crate::harness::simulated::Simulated;

/// The recordings that are replayed.
const SCENARIOS: [&str; 16] = [
    "a2_rolling_default_probe",
    "a2_run2_rolling_default_probe",
    "b2_rolling_surge1_unavail0_probe",
    "c2_rolling_surge0_unavail1_probe",
    "d2_recreate_plain",
    "d_recreate_hooks",
    "e_rolling_hooks_tagimages",
    "f_hooks_abort",
    "g_badimage_timeout",
    "h2_two_triggers",
    "h3_registry_push",
    "h_ict",
    "i_promotion",
    "j_configchange",
    "k3_deployment_image_trigger",
    "k_deployment",
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
const ENDS: [(&str, f64); 2] = [("i_promotion", 152.5), ("j_configchange", 214.0)];

#[expect(clippy::disallowed_methods, reason = "the recordings live outside the project")]
fn recordings() -> Option<PathBuf> {
    std::env::var("GOLDEN_DIR").ok().filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

/// A command of a transcript: when, what, and what it printed.
#[derive(Debug)]
struct Command {
    at: f64,
    line: String,
    /// What was posted, where `oc` was not used.
    body: String,
    printed: String,
}

impl Command {
    /// Its parts, if they are several, spread over the time it took.
    fn parts(self, took: f64) -> Vec<Self> {
        let lines: Vec<&str> = self.line.split("; oc ").collect();
        let share = took / f64::from(u32::try_from(lines.len()).unwrap());
        let mut parts = Vec::new();
        let mut at = self.at;
        for line in &lines {
            let line = format!("oc {}", line.trim_start_matches("oc "));
            let body = self.body.clone();
            // All of them print into one text: the last one is compared with it.
            parts.push(Self { at, line, body, printed: "not compared".to_owned() });
            at += share;
        }
        parts.last_mut().unwrap().printed = self.printed;
        parts
    }
}

fn commands(folder: &Path) -> Vec<Command> {
    let text = std::fs::read_to_string(folder.join("transcript.txt")).unwrap();
    let mut commands: Vec<Command> = Vec::new();
    let mut inside = "";
    for line in text.lines() {
        if let Some((at, rest)) = line.strip_prefix("[t=").and_then(|rest| rest.split_once(']')) {
            inside = "";
            let command = rest.strip_prefix(" $ ").filter(|rest| !rest.contains(" &  "));
            let posted = rest.strip_prefix(" POST ").map(|_| rest.trim_start());
            if let Some(line) = command.or(posted) {
                let (at, line) = (at.parse().unwrap(), line.to_owned());
                let (body, printed) = (String::new(), String::new());
                commands.push(Command { at, line, body, printed });
            }
        } else if let Some(part) = line.strip_prefix("--- ") {
            let took = part.split_once("(took ").and_then(|part| part.1.strip_suffix("s)"));
            if let Some(took) =
                took.filter(|_| commands.last().is_some_and(|c| c.line.contains("; oc ")))
            {
                let several = commands.pop().unwrap();
                commands.extend(several.parts(took.parse().unwrap()));
            }
            let part = part.split(' ').next().unwrap_or_default();
            inside = if part.starts_with("std") || part == "response" { "printed" } else { part };
        } else if let Some(command) = commands.last_mut().filter(|_| !line.is_empty()) {
            let text = match inside {
                "request" => &mut command.body,
                "printed" => &mut command.printed,
                _ => continue,
            };
            text.push_str(line);
            text.push('\n');
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
    /// What the commands gave.
    answers: Vec<(Command, Answer)>,
}

/// The images of the recorded engine and registry.
fn add_images(sim: &Simulated) {
    let quick = r#"{"startSeconds": 1.5, "stopSeconds": 0.2}"#;
    for version in ["v1", "v2", "v3"] {
        for repository in ["hello", "localhost:35000/demo/hello"] {
            sim.image(&format!("{repository}:{version}"), &version_of(quick, version));
        }
    }
    sim.image("bad:1", r#"{"exit": {"code": 1, "afterSeconds": 2}}"#);
    sim.image("never:1", r#"{"startSeconds": 1.5, "readyAfterSeconds": 1000000}"#);
    sim.image("localhost:35000/demo/slow:1", r#"{"startSeconds": 1.5, "readyAfterSeconds": 15}"#);
    let never = r#"{"startSeconds": 1.5, "readyAfterSeconds": 1000000}"#;
    sim.image("localhost:35000/demo/never:1", never);
    sim.image("127.0.0.1:35000/demo/hello:nosuchtag", r#"{"missing": true}"#);
    sim.image("localhost:35000/demo/nothere:1", r#"{"missing": true}"#);
    let nowhere = "Get \"https://registry.invalid/v2/\": dial tcp: lookup registry.invalid on \
                   10.255.255.53:53: no such host";
    let nowhere = serde_json::json!({"pullError": nowhere});
    sim.image("registry.invalid/x/y:1", &nowhere.to_string());
}

/// Images that do the same are told apart by a line of their logs.
fn version_of(behaviour: &str, version: &str) -> String {
    let mut behaviour: Value = serde_json::from_str(behaviour).unwrap();
    behaviour["logs"] = serde_json::json!([version]);
    behaviour.to_string()
}

fn replay(folder: &Path, until: f64) -> Replayed {
    let mut sim = Simulated::with_nodes(1, |_| {});
    add_images(&sim);
    let name = folder.file_name().unwrap().to_string_lossy().replace('_', "-");
    let mut project = format!("golden-{name}");
    sim.create(&project, "");
    sim.run_for(30);
    let mut follower = Follower::new(&sim);
    let mut answers = Vec::new();
    for command in commands(folder).into_iter().filter(|command| command.at <= until) {
        run_to(&mut sim, &mut follower, command.at);
        let mut oc = Oc { client: &sim.client(), project, folder };
        let answer = oc.run(&command.line, &command.body);
        project = oc.project;
        answers.extend(answer.map(|answer| (command, answer)));
    }
    run_to(&mut sim, &mut follower, until);
    let logs = follower.log_lines();
    let mut writes = follower.writes;
    writes.retain(|write| {
        let object = write.new.as_ref().or(write.old.as_ref());
        let system = ["", "default", "openshift", "openshift-infra", "kube-system"];
        object.is_some_and(|object| !system.contains(&object.namespace()))
    });
    Replayed { writes, logs, answers }
}

/// The commands that gave something else than was recorded.
fn differing(answers: &[(Command, Answer)], was: &Names, is: &Names) -> Vec<String> {
    let differing = answers.iter().filter_map(|(command, answer)| {
        let (recorded, now) = match answer {
            Answer::Text(_) if command.printed == "not compared" => return None,
            // What is in the images is not described here.
            Answer::Text(text) => {
                let (about, image) =
                    command.printed.split_once("Image Name:").unwrap_or((&command.printed, ""));
                let error = image.lines().find(|line| line.starts_with("error: ")).unwrap_or("");
                (was.plain(&format!("{about}{error}")), is.plain(text))
            }
            Answer::Object(object) => {
                let recorded = load_documents(&command.printed).unwrap().remove(0).value;
                (
                    format!("{:#}", without_contents(was.plain_object(&recorded))),
                    format!("{:#}", without_contents(is.plain_object(object))),
                )
            }
        };
        (recorded != now)
            .then(|| format!("[t={}] {}:{}", command.at, command.line, unlike(&recorded, &now)))
    });
    differing.collect()
}

/// The lines of two texts from where they part to where they meet again.
fn unlike(recorded: &str, now: &str) -> String {
    let (was, is): (Vec<&str>, Vec<&str>) = (recorded.lines().collect(), now.lines().collect());
    let head = was.iter().zip(&is).take_while(|(was, is)| was == is).count();
    let (was, is) = (&was[head..], &is[head..]);
    let tail = was.iter().rev().zip(is.iter().rev()).take_while(|(was, is)| was == is).count();
    let (was, is) = (&was[..was.len() - tail], &is[..is.len() - tail]);
    format!("\n  recorded {was:#?}\n  now {is:#?}")
}

/// An image of the simulated catalogue has no layers and little to tell of itself.
fn without_contents(mut object: Value) -> Value {
    for field in ["dockerImageLayers", "dockerImageManifestMediaType", "dockerImageMetadata"] {
        object.remove(&["image", field]);
    }
    object
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
    let (called, calls) = (Names::of(&recorded), Names::of(&replayed.writes));
    let (mut was, mut is) = (tell(&recorded, &called), tell(&replayed.writes, &calls));
    let mut logs = recorded_logs(&folder);
    if end.is_some() {
        logs.truncate(replayed.logs.len());
    }
    was.insert("logs".to_owned(), logs);
    is.insert("logs".to_owned(), replayed.logs);
    for text in differing(&replayed.answers, &called, &calls) {
        is.entry(text).or_default().push("differs".to_owned());
    }
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
