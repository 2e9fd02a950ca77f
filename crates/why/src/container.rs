//! What a container of a pod waits for, and how it ended.
//!
//! Invariant: what is proposed fits the reason: nobody is sent to the log of a container that never ran.

use apimachinery::{ObjectExt as _, Value};

use crate::facts::{Facts, count, title};
use crate::finding::Finding;
use crate::pod::starting;

const RESTARTS: &str = "A container that ends is started again after 10 s, then 20 s, 40 s and so \
                        on, at most 5 min (restartPolicy)";
const PULLS: &str = "A container starts when its image is there; a pull that failed is tried again \
                     after 10 s, then 20 s, 40 s and so on, at most 5 min";
const READINESS: &str =
    "A pod is ready, and gets traffic, when every container has passed its readiness probe";

/// A container that is not (yet) as it should be.
pub(crate) fn look(facts: &Facts, pod: &Value, status: &Value) -> Finding {
    let name = status.str_at(&["name"]);
    let state = |field: &str| status.at(&["state", field]);
    if let Some(waiting) = state("waiting") {
        return not_started(facts, pod, status, waiting);
    }
    if let Some(end) = state("terminated") {
        let finding = Finding::waiting(title(pod), format!("container {name:?} {}", ending(end)));
        return helped(finding.rule(RESTARTS), pod, name, end, false);
    }
    if state("running").is_none() {
        return starting(facts, pod, format!("container {name:?} has not started yet"));
    }
    let of = pod.list_at(&["spec", "containers"]).iter();
    let spec = { of }.find(|container| container.str_at(&["name"]) == name);
    let probe = spec.and_then(|container| container.at(&["readinessProbe"]));
    let Some(probe) = probe else {
        let says = match spec {
            Some(_) => format!("container {name:?} has just started"),
            None => format!("init container {name:?} has not ended yet"),
        };
        return Finding::waiting(title(pod), says);
    };
    let failed = facts.told(pod, &["Unhealthy"]).map(|event| event.str_at(&["message"]));
    let failed = failed.filter(|text| text.starts_with("Readiness"));
    let period = probe.int_at(&["periodSeconds"]).unwrap_or(10);
    let delay = probe.int_at(&["initialDelaySeconds"]).unwrap_or(0);
    let after = if delay > 0 { format!(", from {delay} s after the start") } else { String::new() };
    let rule = format!("{READINESS}; this one is asked every {period} s{after}");
    match failed {
        Some(text) => {
            let says = format!("container {name:?} runs and is not ready: {text}");
            Finding::waiting(title(pod), says).rule(rule).help(logs(pod, name, false))
        }
        None => {
            let says = format!("container {name:?} runs and has not passed its readiness probe");
            Finding::waiting(title(pod), says).rule(rule)
        }
    }
}

/// A container of a pod that has failed.
pub(crate) fn failed(pod: &Value, status: &Value) -> Finding {
    let name = status.str_at(&["name"]);
    let Some(end) = status.at(&["state", "terminated"]) else {
        return Finding::failed(title(pod), "it ended as failed");
    };
    let finding = Finding::failed(title(pod), format!("container {name:?} {}", ending(end)));
    helped(finding, pod, name, end, false)
}

/// How a container ended, after its name.
fn ending(end: &Value) -> String {
    let code = end.int_at(&["exitCode"]).unwrap_or(0);
    match end.str_at(&["reason"]) {
        "" | "Error" | "Completed" => format!("ended with exit code {code}"),
        "OOMKilled" => "ended because it used more memory than its limit (OOMKilled)".to_owned(),
        "ContainerCannotRun" => match end.str_at(&["message"]) {
            "" => format!("could not be run (exit code {code})"),
            message => format!("could not be run: {message}"),
        },
        reason => format!("ended with exit code {code} ({reason})"),
    }
}

/// What helps against such an end.
fn helped(finding: Finding, pod: &Value, name: &str, end: &Value, previous: bool) -> Finding {
    match end.str_at(&["reason"]) {
        "ContainerCannotRun" => finding.help(
            "Correct the container's command, working directory or mounts, or name an image that \
             has that command",
        ),
        "OOMKilled" => finding
            .help("Raise resources.limits.memory of the container, or let it use less")
            .help(logs(pod, name, previous)),
        _ => finding.help(logs(pod, name, previous)),
    }
}

fn logs(pod: &Value, container: &str, previous: bool) -> String {
    let previous = if previous { " --previous" } else { "" };
    let (name, ns) = (pod.name(), pod.namespace());
    format!("See what it said: kubectl -n {ns} logs {name} -c {container}{previous}")
}

fn not_started(facts: &Facts, pod: &Value, status: &Value, waiting: &Value) -> Finding {
    let name = status.str_at(&["name"]);
    let (reason, message) = (waiting.str_at(&["reason"]), waiting.str_at(&["message"]));
    match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable" => without_image(facts, pod, status, waiting),
        "CrashLoopBackOff" => {
            let restarts = count(status.int_at(&["restartCount"]).unwrap_or(0), "time");
            let end = status.at(&["lastState", "terminated"]);
            let ended = end.map_or_else(|| "ended again and again".to_owned(), ending);
            let says = format!(
                "container {name:?} {ended}, was started again {restarts} and waits for its next \
                 turn"
            );
            let finding = Finding::held(title(pod), says).rule(RESTARTS);
            helped(finding, pod, name, end.unwrap_or(&Value::Null), true)
        }
        "" | "ContainerCreating" | "PodInitializing" => {
            starting(facts, pod, format!("container {name:?} is being started"))
        }
        _ => {
            let says = format!("container {name:?} cannot be started: {reason}: {message}");
            refused(Finding::held(title(pod), says), reason, message)
        }
    }
}

/// What helps a container that is not started for `reason`.
fn refused(finding: Finding, reason: &str, message: &str) -> Finding {
    match reason {
        "CreateContainerConfigError" if message.contains("root") => finding
            .rule("With runAsNonRoot no container runs as user 0, and the user must be a number")
            .help("Set securityContext.runAsUser, or name an image with another user"),
        "CreateContainerConfigError" => {
            finding.help("Make the config map, secret or key that the container names")
        }
        "RunContainerError" => {
            finding.help("Correct the container's command, or name an image that has that command")
        }
        _ if reason.starts_with("PostStartHookError") => finding
            .rule(
                "A container whose postStart hook fails is ended and started again (restartPolicy)",
            )
            .help("Mend what lifecycle.postStart of the container runs"),
        _ => finding,
    }
}

fn without_image(facts: &Facts, pod: &Value, status: &Value, waiting: &Value) -> Finding {
    let (name, image) = (status.str_at(&["name"]), status.str_at(&["image"]));
    let told = facts.said(pod, "Failed to pull image");
    let told = told.and_then(|text| Some(text.split_once("\": ")?.1));
    let why = told.unwrap_or_else(|| waiting.str_at(&["message"]));
    let colon = if why.is_empty() { "" } else { ": " };
    let says = format!("container {name:?} cannot get its image {image}{colon}{why}");
    let finding = Finding::held(title(pod), says);
    let unreachable =
        ["no such host", "connection refused", "i/o timeout", "network is unreachable"];
    match waiting.str_at(&["reason"]) {
        "InvalidImageName" => finding
            .rule("An image is named [registry/]repository[:tag] or [registry/]repository@digest, in lower case")
            .help("Correct the image's name"),
        "ErrImageNeverPull" => finding
            .rule("With imagePullPolicy Never a container starts only when its node has the image")
            .help("Bring the image to the node (docker build, docker pull, docker load), or set imagePullPolicy to IfNotPresent"),
        _ if unreachable.iter().any(|words| why.contains(words)) => finding
            .rule(PULLS)
            .help("The registry cannot be reached: bring the image to the node (docker build, docker load), or name a registry that answers"),
        _ => finding
            .rule(PULLS)
            .help("Correct the image's name, push it, or give the pod a pull secret"),
    }
}
