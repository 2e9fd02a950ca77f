//! Probes: what is asked, when, and what the answers mean.
//!
//! Mirrors: `pkg/kubelet/prober`.

use std::time::Duration;

use apimachinery::ObjectExt as _;
use apimachinery::Value;
use cri::{Command, Error, HttpGet, Id, Reply};
use world::Time;

use crate::expansion::expand;

/// Which question a probe answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Should the container be restarted?
    Liveness,
    /// Should it get traffic?
    Readiness,
    /// Has it come up? Until then the other two are not asked.
    Startup,
}

impl Kind {
    /// All, in the order in which their phases are drawn.
    pub const ALL: [Self; 3] = [Self::Liveness, Self::Readiness, Self::Startup];

    /// The word that events begin with.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
            Self::Startup => "Startup",
        }
    }

    /// The field of the container that describes the probe.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::Liveness => "livenessProbe",
            Self::Readiness => "readinessProbe",
            Self::Startup => "startupProbe",
        }
    }
}

/// How one probing went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The container is well.
    Success,
    /// It is not, and what it said.
    Failure(String),
    /// It could not be asked.
    Errored(String),
}

/// The schedule and the running count of one probe of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Which question.
    pub kind: Kind,
    /// When the next probing is due; probings lie on a grid whose phase was drawn once.
    pub next_at: Time,
    /// Whether an answer is awaited.
    pub in_flight: bool,
    /// Tries left when the container cannot be asked.
    pub tries: u32,
    period: Duration,
    initial_delay: Duration,
    failure_threshold: i64,
    success_threshold: i64,
    last: Option<bool>,
    run: i64,
}

/// How often a container that could not be asked is asked again at once.
pub const TRIES: u32 = 3;

impl Probe {
    /// The probe of `kind` that `container` describes, with its grid beginning at `first`.
    #[must_use]
    pub fn new(container: &Value, kind: Kind, first: Time) -> Option<Self> {
        let probe = container.at(&[kind.field()])?;
        let number =
            |name: &str, default: i64| probe.int_at(&[name]).filter(|n| *n > 0).unwrap_or(default);
        let seconds = |n: i64| Duration::from_secs(u64::try_from(n).unwrap_or_default());
        Some(Self {
            kind,
            next_at: first,
            in_flight: false,
            tries: TRIES,
            period: seconds(number("periodSeconds", 10)),
            initial_delay: seconds(number("initialDelaySeconds", 0)),
            failure_threshold: number("failureThreshold", 3),
            success_threshold: number("successThreshold", 1),
            last: None,
            run: 0,
        })
    }

    /// The period of `container`'s probe of `kind`.
    #[must_use]
    pub fn period_of(container: &Value, kind: Kind) -> Option<Duration> {
        Self::new(container, kind, Time::default()).map(|probe| probe.period)
    }

    /// Moves on to the first point of the grid that is after `now` and not before the initial delay
    /// of a container started at `started`.
    pub fn schedule(&mut self, started: Time, now: Time) {
        let earliest = started + self.initial_delay;
        while self.next_at < earliest || self.next_at <= now {
            self.next_at = self.next_at + self.period;
        }
    }

    /// Begins anew for a container started at `started`.
    pub fn restart(&mut self, started: Time) {
        self.in_flight = false;
        self.tries = TRIES;
        self.last = None;
        self.run = 0;
        let earliest = started + self.initial_delay;
        while self.next_at < earliest {
            self.next_at = self.next_at + self.period;
        }
    }

    /// Counts one answer; gives the new verdict when a threshold is reached.
    pub fn count(&mut self, success: bool) -> Option<bool> {
        self.run = if self.last == Some(success) { self.run + 1 } else { 1 };
        self.last = Some(success);
        let threshold = if success { self.success_threshold } else { self.failure_threshold };
        (self.run >= threshold).then_some(success)
    }
}

/// The command that asks container `id` of the pod at `ip`; `None` for a probe without handler.
///
/// # Errors
/// Why it cannot be asked, e.g. for a port that the container does not have.
pub fn command(
    container: &Value,
    kind: Kind,
    id: &str,
    ip: &str,
) -> Option<Result<Command, String>> {
    let probe = container.at(&[kind.field()])?;
    let timeout = probe.int_at(&["timeoutSeconds"]).filter(|n| *n > 0).unwrap_or(1);
    let timeout = Duration::from_secs(u64::try_from(timeout).unwrap_or(1));
    if let Some(exec) = probe.at(&["exec"]) {
        // Only what the container's own `env` says plainly is known to the prober.
        let plain = container.list_at(&["env"]).iter();
        let values = plain
            .map(|env| (env.str_at(&["name"]).to_owned(), env.str_at(&["value"]).to_owned()))
            .collect();
        let words = exec.list_at(&["command"]).iter().filter_map(Value::as_str);
        let command = words.map(|word| expand(word, &values)).collect();
        return Some(Ok(Command::ExecSync { id: Id::from(id), command }));
    }
    if let Some(get) = probe.at(&["httpGet"]) {
        return Some(http_get(container, get, ip, timeout).map(|mut request| {
            let agent = |(name, _): &(String, String)| name.eq_ignore_ascii_case("user-agent");
            if !request.headers.iter().any(agent) {
                request.headers.push(("User-Agent".to_owned(), "kube-probe/1.11".to_owned()));
            }
            Command::HttpGet { id: Id::from(id), request: Box::new(request) }
        }));
    }
    let tcp = probe.at(&["tcpSocket"])?;
    Some(port(container, tcp.at(&["port"])).map(|port| {
        let host = host(tcp, ip);
        Command::TcpConnect { id: Id::from(id), host, port, timeout }
    }))
}

fn host(of: &Value, ip: &str) -> String {
    Some(of.str_at(&["host"])).filter(|host| !host.is_empty()).unwrap_or(ip).to_owned()
}

fn http_get(
    container: &Value,
    get: &Value,
    ip: &str,
    timeout: Duration,
) -> Result<HttpGet, String> {
    let headers = get.list_at(&["httpHeaders"]).iter();
    let headers = headers
        .map(|h| (h.str_at(&["name"]).to_owned(), h.str_at(&["value"]).to_owned()))
        .collect();
    let scheme = get.str_at(&["scheme"]).to_lowercase();
    Ok(HttpGet {
        scheme: if scheme.is_empty() { "http".to_owned() } else { scheme },
        host: host(get, ip),
        port: port(container, get.at(&["port"]))?,
        path: path(get.str_at(&["path"])),
        headers,
        timeout,
    })
}

/// A path as a URL has it.
#[must_use]
pub fn path(text: &str) -> String {
    let whole = text.is_empty() || text.starts_with(['/', '?']);
    if whole { text.to_owned() } else { format!("/{text}") }
}

/// The command of a lifecycle hook of container `id` in the pod at `ip`.
///
/// Mirrors: `pkg/kubelet/lifecycle/handlers.go`.
///
/// # Errors
/// Why it cannot be carried out; `tcpSocket` never can.
pub fn hook(container: &Value, handler: &Value, id: &str, ip: &str) -> Result<Command, String> {
    const LIMIT: Duration = Duration::from_secs(3600);
    let id = Id::from(id);
    if let Some(exec) = handler.at(&["exec"]) {
        let words = exec.list_at(&["command"]).iter().filter_map(Value::as_str);
        return Ok(Command::ExecSync { id, command: words.map(str::to_owned).collect() });
    }
    let Some(get) = handler.at(&["httpGet"]) else {
        return Err(format!("Invalid handler: {handler}"));
    };
    let port = match get.at(&["port"]) {
        Some(Value::String(empty)) if empty.is_empty() => 80,
        Some(Value::String(name)) => {
            named_port(container, name).ok_or_else(|| format!("no such port: {name}"))?
        }
        Some(number) => number.as_u64().and_then(|n| u16::try_from(n).ok()).unwrap_or(80),
        None => 80,
    };
    let request = HttpGet {
        scheme: "http".to_owned(),
        host: host(get, ip),
        port,
        path: path(get.str_at(&["path"])),
        headers: Vec::new(),
        timeout: LIMIT,
    };
    Ok(Command::HttpGet { id, request: Box::new(request) })
}

fn named_port(container: &Value, name: &str) -> Option<u16> {
    let ports = container.list_at(&["ports"]);
    let named = ports.iter().find(|port| port.str_at(&["name"]) == name)?;
    named.int_at(&["containerPort"]).and_then(|n| u16::try_from(n).ok())
}

/// A port number, or the number of the container port of that name.
///
/// Mirrors: `extractPort` of `pkg/kubelet/prober/prober.go`.
///
/// # Errors
/// When there is no such port.
pub fn port(container: &Value, value: Option<&Value>) -> Result<u16, String> {
    let number = match value {
        Some(Value::String(name)) => match named_port(container, name) {
            Some(port) => i64::from(port),
            None => name
                .parse()
                .map_err(|_| format!("strconv.Atoi: parsing {name:?}: invalid syntax"))?,
        },
        Some(number) => number.as_i64().unwrap_or_default(),
        None => 0,
    };
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("invalid port number: {number}")),
    }
}

/// What the runtime's answer means.
#[must_use]
pub fn outcome(result: Result<Reply, Error>) -> Outcome {
    match result {
        Ok(Reply::Http { status, .. }) if (200..400).contains(&status) => Outcome::Success,
        Ok(Reply::Http { status, .. }) => {
            Outcome::Failure(format!("HTTP probe failed with statuscode: {status}"))
        }
        Ok(Reply::Exec { exit_code: 0, .. }) => Outcome::Success,
        Ok(Reply::Exec { output, .. }) => Outcome::Failure(output),
        Ok(_) => Outcome::Success,
        Err(Error::Connect(text)) => Outcome::Failure(text),
        Err(error) => Outcome::Errored(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn probe(fields: &Value) -> Probe {
        let container = json!({"readinessProbe": fields});
        Probe::new(&container, Kind::Readiness, Time::from_unix_seconds(3)).unwrap()
    }

    #[test]
    fn verdicts_need_their_thresholds() {
        let mut probe = probe(&json!({"failureThreshold": 2, "successThreshold": 2}));
        let answers = [true, true, false, true, false, false, true, true];
        let verdicts: Vec<_> = answers.into_iter().map(|answer| probe.count(answer)).collect();
        let expected = [None, Some(true), None, None, None, Some(false), None, Some(true)];
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn probings_lie_on_a_grid_after_the_initial_delay() {
        let mut probe = probe(&json!({"periodSeconds": 5, "initialDelaySeconds": 12}));
        let at = Time::from_unix_seconds;
        probe.restart(at(2));
        assert_eq!(probe.next_at, at(18));
        probe.schedule(at(2), at(18));
        assert_eq!(probe.next_at, at(23));
        probe.schedule(at(2), at(41));
        assert_eq!(probe.next_at, at(43));
    }

    #[test]
    fn a_named_port_is_the_containers() {
        let container = json!({
            "ports": [{"name": "web", "containerPort": 8080}],
            "livenessProbe": {"httpGet": {"path": "/z", "port": "web", "scheme": "HTTPS"}, "timeoutSeconds": 3},
        });
        let Some(Ok(Command::HttpGet { request, .. })) =
            command(&container, Kind::Liveness, "i", "10.1.2.3")
        else {
            panic!("an HTTP probe asks by HTTP");
        };
        assert_eq!(request.url(), "https://10.1.2.3:8080/z");
        assert_eq!(request.timeout, Duration::from_secs(3));
        assert_eq!(request.headers, [("User-Agent".to_owned(), "kube-probe/1.11".to_owned())]);
    }

    #[test]
    fn ports_that_do_not_exist_are_refused() {
        let container = json!({"ports": [{"name": "web", "containerPort": 8080}]});
        for (value, expected) in [
            (json!(93), Ok(93)),
            (json!("web"), Ok(8080)),
            (json!("93"), Ok(93)),
            (json!(0), Err("invalid port number: 0")),
            (json!(70000), Err("invalid port number: 70000")),
            (json!("x"), Err("strconv.Atoi: parsing \"x\": invalid syntax")),
        ] {
            assert_eq!(port(&container, Some(&value)), expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn hooks_are_commands_or_plain_requests() {
        let container = json!({"ports": [{"name": "web", "containerPort": 8080}]});
        let asked = |handler: Value| match hook(&container, &handler, "i", "10.1.2.3") {
            Ok(Command::HttpGet { request, .. }) => request.url(),
            Ok(Command::ExecSync { command, .. }) => command.join(" "),
            Ok(other) => format!("{other:?}"),
            Err(text) => text,
        };
        for (handler, expected) in [
            (json!({"exec": {"command": ["a", "$(B)"]}}), "a $(B)"),
            (json!({"httpGet": {"path": "x", "port": ""}}), "http://10.1.2.3:80/x"),
            (
                json!({"httpGet": {"path": "/x", "port": "web", "scheme": "HTTPS", "host": "h"}}),
                "http://h:8080/x",
            ),
            (json!({"httpGet": {"port": "no"}}), "no such port: no"),
            (json!({"tcpSocket": {"port": 1}}), "Invalid handler: {\"tcpSocket\":{\"port\":1}}"),
        ] {
            assert_eq!(asked(handler), expected);
        }
    }
}
