//! Rollouts of a recorded OpenShift 3.11, replayed: the same commands at the same seconds give the
//! same steps, events, phases, annotations, messages and logs.
//!
//! `GOLDEN_DIR` names the recordings; without it there is nothing to compare with. What differs is
//! listed in [`KNOWN`] with the reason, and must differ.

mod application;
mod names;
mod oc;
mod outside;
mod rollout;
mod story;
mod stream;
mod times;
mod transcript;
mod triggers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use apimachinery::yaml::load_documents;
use apimachinery::{ObjectExt as _, Value};
use apiserver::{Call, Client, LogOptions, LogStream, Stored, User};
use cluster::Runtime;
use futures_core::Stream as _;
use images::source::sim::Catalogue;
use store::{EventKind, Watcher};
use world::Time;

use self::names::Names;
use self::oc::{Answer, Oc};
use self::outside::{Outside, add_images};
use self::story::{Seen, Story, tell};
use self::transcript::{
    Command, DeployerLogs, commands, recorded_logs, recorded_writes, stamped, without_times,
};
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
const KNOWN: [(&str, &str, &str); 15] = [
    ("e_rolling_hooks_tagimages", "spec of hello", NOT_TRIED),
    ("e_rolling_hooks_tagimages", "status of hello", NOT_TRIED),
    ("e_rolling_hooks_tagimages", "[t=53.27] oc describe is hello", NOT_TRIED),
    ("h3_registry_push", "[t=2.398] oc get istag app:latest -o yaml", OLDER),
    (
        "h2_two_triggers",
        "times of two's deploymentconfig-controller Normal DeploymentAwaitingCancellation: Deployment \
         of version 4 awaiting cancellation of older running deployments",
        AWAITED,
    ),
    ("h3_registry_push", "events of app", STALE),
    (
        "h3_registry_push",
        "times of app's deployer-controller Warning FailedCreate: Error creating deployer pod: pods \
         \"app-2-deploy\" already exists",
        STALE,
    ),
    ("k3_deployment_image_trigger", "Progressing of hello", REFUSED),
    ("k3_deployment_image_trigger", "annotations of hello-<set 1>", REFUSED),
    ("k3_deployment_image_trigger", "annotations of hello-<set 3>", REFUSED),
    ("g_badimage_timeout", "Available of hello", CRASHES),
    ("j_configchange", "Available of hello", REVERTED),
    ("j_configchange", "number of SuccessfulCreate of hello-4", REVERTED),
    ("j_configchange", "number of SuccessfulDelete of hello-4", REVERTED),
    ("j_configchange", "number of SuccessfulDelete of hello-5", REVERTED),
];

const NOT_TRIED: &str = "the recorded master did not import the tag that a hook had set within the \
                         twelve seconds that were left; Docker Hub was out of reach anyway";
const AWAITED: &str = "is told again after waits that double; the recorded deployer took six seconds to \
                       end, ours half a second";
const OLDER: &str = "the pushed image had been imported before: it was there, and without the \
                     annotation that a push brings";
const STALE: &str = "the recorded deployer controller tried to make a pod that its cache did not show \
                     yet";
const REFUSED: &str = "the recorded trigger controller wrote a version that was no longer the newest, \
                       and again after a second; in between the deployment controller acted on the \
                       annotation alone";
const CRASHES: &str = "when a pod that crashes every two seconds is seen ready hangs on the second";
const REVERTED: &str = "a controller scaled by hand is set back at once; the recorded master had made \
                        or deleted pods before";

/// Reasons that hang on the second or on who comes first: they need not show.
const RACES: [&str; 2] = [CRASHES, REVERTED];

/// Where a replay ends when not with the recording: commands that the loaded master got while a
/// rollout was under way would find it ended here.
const ENDS: [(&str, f64); 2] = [("i_promotion", 152.5), ("j_configchange", 214.0)];

#[expect(clippy::disallowed_methods, reason = "the recordings live outside the project")]
fn recordings() -> Option<PathBuf> {
    std::env::var("GOLDEN_DIR").ok().filter(|dir| !dir.is_empty()).map(PathBuf::from)
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
        let options = LogOptions { follow: true, timestamps: true, ..LogOptions::default() };
        if let Ok(stream) = self.client.server().log(&call, &options) {
            self.followed.insert(pod.uid().to_owned());
            self.logs.push((pod.name().to_owned(), Some(stream), Vec::new()));
        }
    }

    fn logs(&self) -> DeployerLogs {
        let logs = self.logs.iter();
        logs.map(|(name, _, text)| (name.clone(), stamped(&String::from_utf8_lossy(text))))
            .collect()
    }
}

/// What came of a replay.
struct Replayed {
    writes: Vec<Seen>,
    logs: DeployerLogs,
    /// What the commands gave.
    answers: Vec<(Command, Answer)>,
}

fn replay(folder: &Path, until: f64, recorded: &[Seen]) -> Replayed {
    let mut sim = Simulated::with(1, |config| {
        let Runtime::Sim(images) = &config.runtime else { unreachable!("it is simulated") };
        config.image_source = Some(Arc::new(Outside(Catalogue(images.clone()))));
    });
    add_images(&sim);
    let name = folder.file_name().unwrap().to_string_lossy().replace('_', "-");
    let mut project = format!("golden-{name}");
    sim.create(&project, "");
    sim.run_for(30);
    let mut follower = Follower::new(&sim);
    let mut answers = Vec::new();
    let mut client = sim.client();
    for command in commands(folder, recorded).into_iter().filter(|command| command.at <= until) {
        run_to(&mut sim, &mut follower, command.at);
        if command.line.contains(" -u developer ") {
            let user = User::with_groups("developer", &["system:authenticated"]);
            client = Client::new(sim.client().server().clone(), user);
        }
        let mut oc = Oc { client: &client, project, folder };
        let answer = oc.run(&command.line, &command.body);
        project = oc.project;
        answers.extend(answer.map(|answer| (command, answer)));
    }
    run_to(&mut sim, &mut follower, until);
    let logs = follower.logs();
    let mut writes = follower.writes;
    writes.retain(|write| {
        let object = write.new.as_ref().or(write.old.as_ref());
        let system = ["", "default", "openshift", "openshift-infra", "kube-system"];
        object.is_some_and(|object| !system.contains(&object.namespace()))
    });
    Replayed { writes, logs, answers }
}

/// What the commands gave, recorded and now.
fn given(
    answers: &[(Command, Answer)],
    was: &Names,
    is: &Names,
) -> Vec<[(String, Vec<String>); 2]> {
    let given = answers.iter().filter_map(|(command, answer)| {
        let (recorded, now) = match answer {
            Answer::Text(text) if command.silent || is_part(command, text, was, is) => return None,
            // What is in the images is not described here.
            Answer::Text(text) => {
                let printed = &command.printed;
                let (about, image) = printed.split_once("Image Name:").unwrap_or((printed, ""));
                let error = image.lines().find(|line| line.starts_with("error: ")).unwrap_or("");
                (was.plain(&format!("{about}{error}")), is.plain(text))
            }
            Answer::Object(object) => {
                let recorded = load_documents(&command.printed).unwrap().remove(0).value;
                let (mut was, mut is) = (was.plain_object(&recorded), is.plain_object(object));
                without_contents(&mut was, &mut is);
                (format!("{was:#}"), format!("{is:#}"))
            }
        };
        let topic = format!("[t={}] {}", command.at, command.line);
        Some([recorded, now].map(|text| (topic.clone(), text.lines().map(str::to_owned).collect())))
    });
    given.collect()
}

/// Whether it printed a part of what was printed.
fn is_part(command: &Command, text: &str, was: &Names, is: &Names) -> bool {
    let recorded = was.plain(&command.printed);
    let now = is.plain(text);
    recorded.lines().count() > 1
        && now.lines().count() == 1
        && recorded.lines().any(|line| line == now)
}

/// An image of the simulated catalogue has no layers and little to tell of itself.
fn without_contents(was: &mut Value, is: &mut Value) {
    if is.at(&["image"]).is_none() || !is.list_at(&["image", "dockerImageLayers"]).is_empty() {
        return;
    }
    for field in ["dockerImageLayers", "dockerImageManifestMediaType", "dockerImageMetadata"] {
        was.remove(&["image", field]);
        is.remove(&["image", field]);
    }
    was.remove(&["image", "metadata", "annotations"]);
    is.remove(&["image", "metadata", "annotations"]);
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

/// A deployer races with the kubelet, which reports that it runs. One that scaled before (`early`, in
/// the recording or here) made the pods while the phase was Pending; where nothing moved afterwards,
/// nothing was said to be progressing.
fn forgive(was: &mut Story, is: &mut Story, early: &BTreeSet<String>) {
    for (topic, lines) in is {
        let Some(recorded) = was.get_mut(topic).filter(|_| topic.contains("Progressing of "))
        else {
            continue;
        };
        for controller in early {
            let line = format!(
                "True ReplicationControllerUpdated: replication controller \"{controller}\" is progressing"
            );
            if recorded.contains(&line) != lines.contains(&line) {
                recorded.retain(|was| *was != line);
                lines.retain(|now| *now != line);
            }
        }
    }
}

fn compare(dir: &Path, scenario: &str) -> BTreeMap<String, String> {
    let folder = dir.join(scenario);
    let recorded = recorded_writes(&folder);
    let end = ENDS.iter().find(|end| end.0 == scenario).map(|end| end.1);
    let until = end.unwrap_or_else(|| recorded.last().map_or(0.0, |write| write.at));
    let mut recorded = recorded;
    recorded.retain(|write| write.at <= until);
    let replayed = replay(&folder, until, &recorded);
    let (called, calls) = (Names::of(&recorded), Names::of(&replayed.writes));
    let (mut was, mut is) = (tell(&recorded, &called), tell(&replayed.writes, &calls));
    let (were, are) = (times::parts(&recorded), times::parts(&replayed.writes));
    let mut early = story::acted_before_running(&recorded);
    early.extend(story::acted_before_running(&replayed.writes));
    forgive(&mut was, &mut is, &early);
    // The bindings of one project only were watched.
    is.retain(|topic, _| !topic.ends_with(": bindings") || was.contains_key(topic));
    let logs = recorded_logs(&folder);
    let mut lines = without_times(&logs);
    let now = without_times(&replayed.logs);
    if end.is_some() {
        lines.truncate(now.len());
    }
    was.insert("logs".to_owned(), lines);
    is.insert("logs".to_owned(), now);
    let mut times = times::differing(&were, &are);
    times.extend(times::differing(&times::log_parts(&logs), &times::log_parts(&replayed.logs)));
    is.insert("times that differ".to_owned(), times);
    for [recorded, now] in given(&replayed.answers, &called, &calls) {
        was.extend([recorded]);
        is.extend([now]);
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
        let races = KNOWN.iter().filter(|known| RACES.contains(&known.2)).map(|known| known.1);
        let races: BTreeSet<&str> = races.collect();
        let gone = known.difference(&races).filter(|topic| !differing.contains_key(**topic));
        wrong.extend(gone.map(|topic| format!("{scenario}: {topic} does not differ any more")));
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
