//! What a simulated image does, as data.
//!
//! Invariant: every field has a default; the default image starts within about a second, is ready at
//! once, answers 200 to every HTTP request, writes nothing and runs for ever.

use std::collections::BTreeMap;
use std::time::Duration;

use apimachinery::quantity::Quantity;
use serde::{Deserialize, Serialize};
use world::Time;

use crate::logs::Line;

/// The script of one image. Times are in seconds and count from the start of the container unless a
/// field says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Behaviour {
    /// How long a pull takes. Without it the image is present from the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_seconds: Option<f64>,
    /// The image cannot be pulled because the registry does not have it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
    /// The image cannot be pulled, for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_error: Option<String>,
    /// How many pulls fail, for `pullError` or as `missing`, before one succeeds; all of them without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_failures: Option<u32>,
    /// What the registry wants to be shown before it hands the image out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_credentials: Option<Login>,
    /// How long the engine takes to start the container; 1 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_seconds: Option<f64>,
    /// The container cannot be started, for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_error: Option<String>,
    /// From when on probes and requests are answered; at once without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_after_seconds: Option<f64>,
    /// From when on every probe and request fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_after_seconds: Option<f64>,
    /// Whether probes and requests are answered, from some times on; before the first, and without
    /// any, as the two fields above say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<HealthAt>,
    /// How long probes and requests take to be answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_seconds: Option<f64>,
    /// When and how the process ends; it runs for ever without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// How the first, second … instance of a container ends, instead of `exit`; the last entry holds
    /// for all later ones, `null` runs for ever.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<Option<Exit>>,
    /// When the kernel ends the process for want of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_after_seconds: Option<f64>,
    /// How long the process takes to obey SIGTERM; a tenth of a second without it. Longer than the
    /// grace period means that it is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_seconds: Option<f64>,
    /// Exit code after SIGTERM; 143 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_code: Option<i64>,
    /// What it writes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
    /// HTTP answers by path. A path that is not named gives 404; with no path named at all, 200.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub http: BTreeMap<String, HttpAnswer>,
    /// What commands run in it answer, the first entry that fits; without one, a few usual programs
    /// are there (`sh -c`, `echo`, `cat`, `env`, `tar` …). A container that is started with such a
    /// command writes its answer and ends.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<ExecAnswer>,
    /// What a container is started with that names no command itself: a program that `exec` answers
    /// for, or `[sh, -c, <script>]`. A script that calls `openshift-deploy` or `oc` is run as the
    /// deployer of a rollout.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// CPU in use, as a quantity, e.g. `100m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Memory in use, as a quantity, e.g. `64Mi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// CPU and memory in use from some times on, instead of `cpu` and `memory`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<UsageAt>,
    /// The user the image runs as; root without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A registry's user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// Name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// Whether a process answers from some time on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthAt {
    /// From when on.
    #[serde(default)]
    pub after_seconds: f64,
    /// Whether it answers.
    pub answers: bool,
}

/// The end of a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exit {
    /// Exit code.
    #[serde(default)]
    pub code: i64,
    /// When; at once without it.
    #[serde(default)]
    pub after_seconds: f64,
    /// What it leaves as its termination message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Whether the kernel ends it for want of memory; the code is 137 then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom: bool,
}

impl Exit {
    /// The end of a process by `code`, now and without a message.
    pub(super) fn now(code: i64) -> Self {
        Self { code, after_seconds: 0.0, message: String::new(), oom: false }
    }
}

/// Something written to the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LogLine {
    /// A line at the start.
    Text(String),
    /// A line at some time.
    At(LineAt),
    /// A line again and again.
    Every(LineEvery),
}

/// A line at some time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LineAt {
    /// When.
    pub at_seconds: f64,
    /// The text.
    pub line: String,
}

/// A line again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LineEvery {
    /// The period; the first line comes after one period.
    pub every_seconds: f64,
    /// The text.
    pub line: String,
}

/// What is in use from some time on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UsageAt {
    /// From when on.
    #[serde(default)]
    pub after_seconds: f64,
    /// CPU as a quantity; as before without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// Memory as a quantity; as before without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpAnswer {
    /// Status code; 200 without it.
    #[serde(default = "ok")]
    pub status: u16,
    /// Body.
    #[serde(default)]
    pub body: String,
    /// Other answers from some times on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<HttpAnswerAt>,
}

/// Another HTTP answer from some time on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpAnswerAt {
    /// From when on.
    pub after_seconds: f64,
    /// Status code; 200 without it.
    #[serde(default = "ok")]
    pub status: u16,
    /// Body.
    #[serde(default)]
    pub body: String,
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecAnswer {
    /// The words that the command begins with.
    pub command: Vec<String>,
    /// What it writes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// What it writes to its error output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// Exit code.
    #[serde(default)]
    pub code: i64,
    /// How long it takes: on the host's clock for users, on the virtual one for probes and hooks.
    #[serde(default)]
    pub after_seconds: f64,
    /// From which age of the process on this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_seconds: Option<f64>,
    /// Until which age of the process this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_seconds: Option<f64>,
}

impl ExecAnswer {
    /// Whether it is about `command` in a process of this `age`.
    pub(super) fn answers(&self, command: &[String], age: Duration) -> bool {
        !self.command.is_empty()
            && command.starts_with(&self.command)
            && self.from_seconds.is_none_or(|from| age >= seconds(from))
            && self.until_seconds.is_none_or(|until| age < seconds(until))
    }
}

fn ok() -> u16 {
    200
}

/// At most this many lines of one `everySeconds` entry are kept.
const MOST_LINES: u32 = 10_000;

pub(super) fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value.max(0.0)).unwrap_or(Duration::MAX / 4)
}

impl Behaviour {
    /// How instance number `attempt` ends by itself: when, and the exit.
    pub(super) fn exit_of(&self, attempt: u32) -> Option<(Duration, Exit, bool)> {
        let index = usize::try_from(attempt).unwrap_or(usize::MAX).min(self.exits.len().max(1) - 1);
        let exit = self.exits.get(index).map_or(self.exit.as_ref(), Option::as_ref);
        let ends = exit.map(|exit| {
            let code = if exit.oom { 137 } else { exit.code };
            (seconds(exit.after_seconds), Exit { code, ..exit.clone() }, exit.oom)
        });
        let killed = Exit::now(137);
        let oom = self.oom_after_seconds.map(|after| (seconds(after), killed, true));
        match (ends, oom) {
            (Some(ends), Some(oom)) => Some(if oom.0 < ends.0 { oom } else { ends }),
            (ends, oom) => ends.or(oom),
        }
    }

    /// Whether anything says how it ends by itself.
    pub(super) fn ends(&self) -> bool {
        self.exit.is_some() || !self.exits.is_empty() || self.oom_after_seconds.is_some()
    }

    /// Whether its use of memory changes, which may press on a node.
    pub(super) fn presses(&self) -> bool {
        self.usage.iter().any(|entry| entry.memory.is_some())
    }

    /// Billionths of a CPU and bytes of memory in use `age` after the start; a quantity that cannot
    /// be read counts as nothing.
    pub(super) fn usage_at(&self, age: Duration) -> (u64, u64) {
        let (mut cpu, mut memory) = (self.cpu.as_deref(), self.memory.as_deref());
        for entry in self.usage.iter().filter(|entry| seconds(entry.after_seconds) <= age) {
            cpu = entry.cpu.as_deref().or(cpu);
            memory = entry.memory.as_deref().or(memory);
        }
        let read = |text: Option<&str>| text.and_then(|text| Quantity::parse(text).ok());
        let positive = |n: i64| u64::try_from(n).unwrap_or_default();
        let cpu = read(cpu).map_or(0, |q| positive(q.milli_value()) * 1_000_000);
        (cpu, read(memory).map_or(0, |q| positive(q.value())))
    }

    /// Whether the process answers probes and requests `age` after its start.
    pub(super) fn answers(&self, age: Duration) -> bool {
        let told = self.health.iter().rev().find(|entry| seconds(entry.after_seconds) <= age);
        if let Some(told) = told {
            return told.answers;
        }
        self.ready_after_seconds.is_none_or(|after| age >= seconds(after))
            && self.unhealthy_after_seconds.is_none_or(|after| age < seconds(after))
    }

    /// The answer to a request for `path` by a process of this `age`.
    pub(super) fn http_answer(&self, path: &str, age: Duration) -> HttpAnswer {
        let path = path.split('?').next().unwrap_or_default();
        let (status, body) = match self.http.get(path) {
            Some(answer) => {
                let due = |entry: &&HttpAnswerAt| seconds(entry.after_seconds) <= age;
                match answer.later.iter().rev().find(due) {
                    Some(later) => (later.status, later.body.clone()),
                    None => (answer.status, answer.body.clone()),
                }
            }
            None if self.http.is_empty() => (200, String::new()),
            None => (404, "404 page not found\n".to_owned()),
        };
        HttpAnswer { status, body, later: Vec::new() }
    }

    /// The lines written from `start` until `end`, both included, in order.
    pub(super) fn lines(&self, start: Time, end: Time) -> Vec<Line> {
        let mut lines = Vec::new();
        for entry in &self.logs {
            match entry {
                LogLine::Text(text) => lines.push(Line { time: start, text: text.clone() }),
                LogLine::At(at) => {
                    lines
                        .push(Line { time: start + seconds(at.at_seconds), text: at.line.clone() });
                }
                LogLine::Every(every) => repeat(&mut lines, every, start, end),
            }
        }
        lines.retain(|line| line.time <= end);
        lines.sort_by_key(|line| line.time);
        lines
    }

    /// When the next line after `now` is written by a process that started at `start`.
    pub(super) fn next_line_after(&self, start: Time, now: Time) -> Option<Time> {
        let next = |entry: &LogLine| match entry {
            LogLine::Text(_) => None,
            LogLine::At(at) => Some(start + seconds(at.at_seconds)).filter(|time| *time > now),
            LogLine::Every(every) => {
                let period = seconds(every.every_seconds).max(Duration::from_millis(1));
                let periods = now.since(start).as_nanos() / period.as_nanos() + 1;
                Some(start + period * u32::try_from(periods).unwrap_or(u32::MAX))
            }
        };
        self.logs.iter().filter_map(next).min()
    }
}

fn repeat(lines: &mut Vec<Line>, every: &LineEvery, start: Time, end: Time) {
    let period = seconds(every.every_seconds).max(Duration::from_millis(1));
    for n in 1..=MOST_LINES {
        let time = start + period * n;
        if time > end {
            break;
        }
        lines.push(Line { time, text: every.line.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Behaviour {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn unknown_fields_are_refused() {
        let error = serde_json::from_str::<Behaviour>(r#"{"readyAfter": 3}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `readyAfter`"), "{error}");
    }

    #[test]
    fn exits_go_by_instance_and_the_last_holds() {
        let behaviour = parse(r#"{"exits": [{"code": 1, "afterSeconds": 2}, null]}"#);
        let (after, exit, _) = behaviour.exit_of(0).unwrap();
        assert_eq!((after, exit.code), (Duration::from_secs(2), 1));
        assert_eq!(behaviour.exit_of(1), None);
        assert_eq!(behaviour.exit_of(7), None);
        assert_eq!(parse(r#"{"exit": {}}"#).exit_of(3).unwrap().1.code, 0);
    }

    #[test]
    fn the_earlier_of_exit_and_out_of_memory_wins() {
        let both = parse(r#"{"exit": {"afterSeconds": 9}, "oomAfterSeconds": 4}"#);
        let (after, exit, oom) = both.exit_of(0).unwrap();
        assert_eq!((after, exit.code, oom), (Duration::from_secs(4), 137, true));
    }

    #[test]
    fn health_and_answers_go_by_time() {
        let text = r#"{"health": [{"answers": false}, {"afterSeconds": 5, "answers": true},
                        {"afterSeconds": 9, "answers": false}],
                       "http": {"/": {"body": "v1", "later": [{"afterSeconds": 7, "status": 500}]}}}"#;
        let behaviour = parse(text);
        let answers = |age| behaviour.answers(Duration::from_secs(age));
        assert_eq!([0, 4, 5, 8, 9].map(answers), [false, false, true, true, false]);
        let status = |age| behaviour.http_answer("/", Duration::from_secs(age)).status;
        assert_eq!([0, 6, 7].map(status), [200, 200, 500]);
        let oom = parse(r#"{"exits": [{"afterSeconds": 1, "oom": true}]}"#).exit_of(0).unwrap();
        assert_eq!((oom.1.code, oom.2), (137, true));
    }

    #[test]
    fn usage_goes_by_time() {
        let text =
            r#"{"cpu": "100m", "memory": "64Mi", "usage": [{"afterSeconds": 10, "cpu": "2"}]}"#;
        let behaviour = parse(text);
        let mib = 1 << 20;
        assert_eq!(behaviour.usage_at(Duration::from_secs(9)), (100_000_000, 64 * mib));
        assert_eq!(behaviour.usage_at(Duration::from_secs(10)), (2_000_000_000, 64 * mib));
        assert_eq!(parse("{}").usage_at(Duration::ZERO), (0, 0));
    }

    #[test]
    fn lines_come_in_order_of_time() {
        let behaviour = parse(
            r#"{"logs": ["up", {"everySeconds": 2, "line": "t"}, {"atSeconds": 3, "line": "x"}]}"#,
        );
        let start = Time::from_unix_seconds(100);
        let lines = behaviour.lines(start, start + Duration::from_secs(5));
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["up", "t", "x", "t"]);
        let next = behaviour.next_line_after(start, start + Duration::from_secs(4));
        assert_eq!(next, Some(start + Duration::from_secs(6)));
    }

    #[test]
    fn a_named_path_hides_the_others() {
        let behaviour = parse(r#"{"http": {"/": {"body": "v1"}}}"#);
        assert_eq!(behaviour.http_answer("/?q", Duration::ZERO).body, "v1");
        assert_eq!(behaviour.http_answer("/x", Duration::ZERO).status, 404);
        assert_eq!(Behaviour::default().http_answer("/x", Duration::ZERO).status, 200);
    }
}
