//! How long the parts of a rollout took, and by how much ours may differ from the recorded ones.
//!
//! Invariant: one function reads both sides; a part is named by what it begins and ends with.

use std::collections::BTreeMap;

use apimachinery::{ObjectExt as _, Value};

use super::story::{PHASE, Seen, size};

const POLLS: &str = "a deployer looks once a second; the loaded machine added up to half a second";
const ENDS: &str = "an update ends with one or two looks, between which the loaded machine wavered";
const TIMEOUT: &str =
    "the timeout ends with a look; thirty looks of the loaded machine took a second more";
const AT_ONCE: &str = "nothing is waited for; the loaded machine took that long";
const PODS: &str =
    "hangs on when pods of the loaded machine were ready, and on which second that was seen";
const GONE: &str = "pods of the loaded machine took up to thirteen seconds to go";
const HOOKS: &str = "hangs on when a hook's container started and ended on the loaded machine";
const STARTS: &str = "a deployer is a container that starts; ours needs no image and no process";
const CONTROLLERS: &str =
    "the end of a deployer is seen by the kubelet and two controllers in turn";

/// By how many seconds a part may be shorter or longer than the recorded one, and why.
const ALLOWED: [(&str, f64, f64, &str); 30] = [
    ("log: plan to up", 0.1, 0.1, AT_ONCE),
    ("log: plan to down", 0.1, 0.1, POLLS),
    ("log: down to up", 0.5, 0.0, POLLS),
    ("log: down to end", 0.5, 0.7, ENDS),
    ("log: down to hook", 1.1, 0.0, ENDS),
    ("log: up to end", 0.5, 0.0, ENDS),
    ("log: up to error", 1.0, 0.0, TIMEOUT),
    ("log: hook over to all", 0.3, 0.0, AT_ONCE),
    ("log: hook over to end", 0.3, 0.0, AT_ONCE),
    ("log: hook over to error", 0.3, 0.0, AT_ONCE),
    ("log: hook over to hook", 0.3, 0.0, AT_ONCE),
    ("log: hook over to one", 0.3, 0.0, AT_ONCE),
    ("log: hook over to zero", 0.3, 0.0, AT_ONCE),
    ("log: hook over to plan", 1.2, 0.0, AT_ONCE),
    ("log: hook to hook over", 5.5, 0.0, HOOKS),
    ("log: up to down", 8.0, 2.0, PODS),
    ("log: all to end", 8.0, 0.1, PODS),
    ("log: all to hook", 1.5, 0.0, PODS),
    ("log: one to all", 2.5, 0.7, PODS),
    ("log: zero to hook", 13.0, 0.0, GONE),
    ("log: zero to one", 13.0, 0.0, GONE),
    ("made to Pending", 1.0, 0.0, AT_ONCE),
    ("Pending to scaled up", 9.0, 0.0, STARTS),
    ("Pending to scaled down", 6.0, 0.0, STARTS),
    ("Pending to Failed", 6.0, 0.0, STARTS),
    ("scaled up to scaled up", 2.5, 0.7, PODS),
    ("scaled down to Failed", 15.0, 0.0, HOOKS),
    ("scaled up to Failed", 8.0, 0.0, CONTROLLERS),
    ("scaled up to Complete", 9.0, 0.0, CONTROLLERS),
    ("scaled down to Complete", 4.0, 0.0, CONTROLLERS),
];

/// The parts whose lengths are not within what is allowed.
pub(super) fn differing(
    was: &BTreeMap<String, Vec<Part>>,
    is: &BTreeMap<String, Vec<Part>>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, parts) in was {
        let ours = is.get(name).map_or(&[][..], Vec::as_slice);
        for ((what, recorded), (ours_what, now)) in parts.iter().zip(ours) {
            // That the parts are the same is seen by sizes, phases and logs; the steps between are
            // told by the logs as well, and more exactly.
            if what != ours_what {
                break;
            }
            if what.ends_with("scaled up to scaled down")
                || what.starts_with("scaled down to scaled")
            {
                continue;
            }
            let allowed = ALLOWED.iter().find(|allowed| allowed.0 == what);
            let (sooner, later) = allowed.map_or((0.0, 0.0), |allowed| (allowed.1, allowed.2));
            if *now < recorded - sooner || *now > recorded + later {
                wrong.push(format!("{name}: {what}: recorded {recorded:.2} s, now {now:.2} s"));
            }
        }
    }
    wrong
}

/// A part of a rollout and the seconds it took.
pub(super) type Part = (String, f64);

/// The parts of every rollout, by project and controller.
pub(super) fn parts(writes: &[Seen]) -> BTreeMap<String, Vec<Part>> {
    let mut rollouts: BTreeMap<String, Rollout> = BTreeMap::new();
    for write in writes {
        let Some(new) = write.new.as_ref().filter(|new| new.kind() == "ReplicationController")
        else {
            continue;
        };
        let place = |name: &str| format!("{}/{name}", new.namespace());
        if write.old.is_none() {
            let rollout = Rollout { last: ("made".to_owned(), write.at), parts: Vec::new() };
            rollouts.insert(place(new.name()), rollout);
            continue;
        }
        for what in changes(write.old.as_ref().unwrap_or(&Value::Null), new) {
            // An old controller shrinks as a part of the rollout that is under way.
            let under_way = rollouts.iter_mut().rfind(|(name, rollout)| {
                let own = **name == place(new.name());
                own || (what.starts_with("scaled")
                    && !rollout.is_over()
                    && name.starts_with(&place("")))
            });
            if let Some((_, rollout)) = under_way {
                rollout.went_on(what, write.at);
            }
        }
    }
    rollouts.into_iter().map(|(name, rollout)| (name, rollout.parts)).collect()
}

struct Rollout {
    last: (String, f64),
    parts: Vec<Part>,
}

impl Rollout {
    fn is_over(&self) -> bool {
        matches!(self.last.0.as_str(), "Complete" | "Failed")
    }

    fn went_on(&mut self, what: &str, at: f64) {
        // When the phase is seen to be Running hangs on the kubelet, not on the deployer.
        if what == "Running" || self.is_over() {
            return;
        }
        self.parts.push((format!("{} to {what}", self.last.0), at - self.last.1));
        self.last = (what.to_owned(), at);
    }
}

fn changes(old: &Value, new: &Value) -> Vec<&'static str> {
    let mut found = Vec::new();
    let phase = new.annotation(PHASE).unwrap_or_default();
    match size(new) - size(old) {
        0 => {}
        difference if difference > 0 => found.push("scaled up"),
        _ => found.push("scaled down"),
    }
    if old.annotation(PHASE) != Some(phase) {
        let phases = ["New", "Pending", "Running", "Complete", "Failed"];
        found.extend(phases.into_iter().find(|known| *known == phase));
    }
    found
}

/// A line of a log and the second it was written at.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) at: f64,
    pub(super) text: String,
}

/// The parts of the logs of deployers, one entry for every log.
pub(super) fn log_parts(logs: &[(String, Vec<Line>)]) -> BTreeMap<String, Vec<Part>> {
    let mut found: BTreeMap<String, Vec<Part>> = BTreeMap::new();
    for (number, (name, lines)) in logs.iter().enumerate() {
        let told = lines.iter().filter_map(|line| Some((kind(&line.text)?, line.at)));
        let told: Vec<(&str, f64)> = told.collect();
        let parts = told.windows(2).map(|pair| {
            let ((one, from), (two, to)) = (pair[0], pair[1]);
            (format!("log: {one} to {two}"), to - from)
        });
        found.insert(format!("{number} {name}"), parts.collect());
    }
    found
}

/// What a line says; nothing for what hooks write.
fn kind(line: &str) -> Option<&'static str> {
    let ends = |end: &str| line.ends_with(end);
    Some(match line {
        _ if line.starts_with("    Scaling ") && line.contains(" up to ") => "up",
        _ if line.starts_with("    Scaling ") => "down",
        _ if line.starts_with("--> Scaling up ") => "plan",
        _ if line.starts_with("--> Scaling ") && ends(" down to zero") => "zero",
        _ if line.starts_with("--> Scaling ") && ends(" acceptance check") => "one",
        _ if line.starts_with("--> Scaling ") => "all",
        "--> Success" => "end",
        _ if line.starts_with("--> ") && ends(": Running hook pod ...") => "hook",
        _ if line.starts_with("--> ") && (ends(": Success") || ends(": Failed")) => "hook over",
        _ if line.starts_with("error: ") => "error",
        _ => return None,
    })
}
