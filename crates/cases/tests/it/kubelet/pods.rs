//! What is done with pods, and what their statuses, probes and containers come to.

use apimachinery::ObjectExt as _;
use apimachinery::{Text, Value, json};
use cri::{ContainerConfig, HttpGet, Image};
use node::container;
use node::env::{Place, Source};
use node::plan::{Action, plan};
use node::record::{
    ContainerRecord, Exit, Instance, PodRecord, RestartPolicy, Sandbox, container_hash, field_path,
};
use node::status::conditions::{self, Verdict};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use world::Time;

use crate::harness::{Outcome, Row, Suites, same};

pub(super) fn register(suites: &mut Suites) {
    plans(suites);
    statuses(suites);
    probes(suites);
    scores(suites);
    security(suites);
    containers(suites);
}

/// A container's instance as the kubelet's own status describes it.
fn instance(status: &Value, container: Option<&Value>) -> Instance {
    let state = status.str_at(&["State"]);
    let exit = (state == "exited").then(|| {
        let code = status.int_at(&["ExitCode"]).unwrap_or_default();
        let (reason, message, finished_at) = ("", String::new(), Time::default());
        Box::new(Exit { code, reason, message, finished_at })
    });
    let started = matches!(state, "running" | "exited");
    // Upstream's test changes one hash to this number.
    let changed = status.int_at(&["Hash"]) == Some(432_423_432);
    Instance {
        id: status.str_at(&["ID", "ID"]).into(),
        attempt: 0,
        image: Text::new(),
        image_id: Text::new(),
        created_at: Time::default(),
        started_at: started.then(Time::default),
        exit,
        hash: container.filter(|_| !changed).map_or(0, container_hash),
    }
}

fn record_of(pod: &Value, status: &Value) -> PodRecord {
    let mut record = PodRecord::new(Time::default());
    if let Some(sandbox) = status.list_at(&["SandboxStatuses"]).first() {
        let id = sandbox.str_at(&["id"]).into();
        let ip = sandbox.str_at(&["network", "ip"]).into();
        let attempt = sandbox.int_at(&["metadata", "attempt"]).unwrap_or_default();
        record.sandboxes = u32::try_from(attempt).expect("a small number") + 1;
        record.sandbox = match sandbox.int_at(&["state"]) {
            Some(1) => Sandbox::Stopped { id, ip },
            _ => Sandbox::Ready { id, ip },
        };
    }
    for status in status.list_at(&["ContainerStatuses"]) {
        let name = status.str_at(&["Name"]);
        let lists = ["containers", "initContainers"];
        let mut all = lists.iter().flat_map(|list| pod.list_at(&["spec", list]));
        let container = all.find(|container| container.str_at(&["name"]) == name);
        let known = record.container_mut(name);
        if known.current.is_none() {
            known.current = Some(instance(status, container));
        }
    }
    record
}

/// A message without the numbers of hashes.
fn without_hashes(message: &str) -> String {
    match (message.find('('), message.find(')')) {
        (Some(open), Some(close)) => format!("{}{}", &message[..open], &message[close + 1..]),
        _ => message.to_owned(),
    }
}

fn plans(suites: &mut Suites) {
    suites.add("kubelet/kuberuntime.json.gz", "computePodActions", |row| {
        let (pod, status) = (row.arg("pod"), row.arg("podStatus"));
        let actions = plan(pod, &record_of(pod, status), false);
        let want = row.result(0);
        let sandbox = actions.iter().find_map(|action| match action {
            Action::CreateSandbox { attempt } => Some(i64::from(*attempt)),
            _ => None,
        });
        let creates = want.bool_at(&["CreateSandbox"]);
        let starts = |wanted: bool| -> BTreeSet<&str> {
            let started = actions.iter().filter_map(|action| match action {
                Action::Start { name, init } if *init == wanted => Some(name.as_str()),
                _ => None,
            });
            started.collect()
        };
        let names = pod.list_at(&["spec", "containers"]);
        let indices = want.list_at(&["ContainersToStart"]).iter().filter_map(Value::as_u64);
        let indices = indices.filter_map(|at| usize::try_from(at).ok());
        let wanted: BTreeSet<&str> = indices.map(|at| names[at].str_at(&["name"])).collect();
        let next = want.str_at(&["NextInitContainerToStart", "name"]);
        let killed: Vec<String> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Kill { message, .. } => Some(without_hashes(message)),
                _ => None,
            })
            .collect();
        let to_kill = want.map_at(&["ContainersToKill"]).into_iter().flatten();
        let to_kill: Vec<String> =
            to_kill.map(|(_, kill)| without_hashes(kill.str_at(&["message"]))).collect();
        // Upstream kills whatever may be left before it makes a sandbox; here only what is known.
        let kills = !creates && actions.contains(&Action::KillPod);
        let attempt = creates.then(|| want.int_at(&["Attempt"]).unwrap_or_default());
        same(&sandbox, &attempt)
            .and(|| same(&starts(false), &wanted))
            .and(|| same(&starts(true).into_iter().collect::<String>().as_str(), &next))
            .and(|| same(&killed, &to_kill))
            .and(|| same(&kills, &(want.bool_at(&["KillPod"]) && !creates)))
    });
    suites.add("kubelet/kubelet-container.json", "ShouldContainerBeRestarted", |row| {
        let (pod, name) = (row.arg("pod"), row.arg("container").str_at(&["name"]));
        let history = row.arg("podStatus").list_at(&["ContainerStatuses"]);
        let newest = history.iter().find(|status| status.str_at(&["Name"]) == name);
        let current = newest.map(|status| instance(status, None));
        let record = ContainerRecord { current, ..ContainerRecord::default() };
        let got = RestartPolicy::of(pod).restarts(Some(&record));
        same(&json!(got), row.result(0))
    });
    suites.add("kubelet/kubelet-container.json", "TestFieldPath.L47", |row| {
        let got = field_path(row.arg("pod"), row.arg("container").str_at(&["name"]));
        let want = row.arg("success").as_bool().expect("a truth").then(|| row.text("path"));
        same(&got.as_deref(), &want)
    });
    suites.add("kubelet/kubelet-types.json", "TestIsCriticalPodBasedOnPriority.L197", |row| {
        let priority = row.arg("priority").as_i64().expect("a number");
        same(&json!(node::admission::is_critical_priority(priority)), row.arg("expected"))
    });
}

/// Holds a verdict against the kubelet's condition.
fn same_condition(got: &Verdict, want: &Value) -> Outcome {
    let status = if got.status { "True" } else { "False" };
    let want_told = [want.str_at(&["status"]), want.str_at(&["reason"]), want.str_at(&["message"])];
    same(&[status, got.reason, got.message.as_str()], &want_told)
}

fn known<'a>(row: &'a Row<'_>) -> Option<&'a [Value]> {
    row.arg("containerStatuses").as_array().map(apimachinery::List::as_slice)
}

fn statuses(suites: &mut Suites) {
    const FILE: &str = "kubelet/kubelet-status.json";
    let containers_ready = |row: &Row<'_>| {
        conditions::containers_ready(row.arg("spec"), known(row), row.text("podPhase"))
    };
    suites.add(FILE, "GenerateContainersReadyCondition", move |row| {
        same_condition(&containers_ready(row), row.result(0))
    });
    suites.add(FILE, "TestGenerateContainersReadyCondition.L111", move |row| {
        same_condition(&containers_ready(row), row.arg("expectReady"))
    });
    let ready = |row: &Row<'_>| {
        let told = row.arg("conditions").as_array().cloned().unwrap_or_default();
        conditions::ready(row.arg("spec"), &told, known(row), row.text("podPhase"))
    };
    suites.add(FILE, "GeneratePodReadyCondition", move |row| {
        same_condition(&ready(row), row.result(0))
    });
    suites.add(FILE, "TestGeneratePodReadyCondition.L308", move |row| {
        same_condition(&ready(row), row.arg("expectReady"))
    });
    let initialized =
        |row: &Row<'_>| conditions::initialized(row.arg("spec"), known(row), row.text("podPhase"));
    suites.add(FILE, "GeneratePodInitializedCondition", move |row| {
        same_condition(&initialized(row), row.result(0))
    });
    suites.add(FILE, "TestGeneratePodInitializedCondition.L410", move |row| {
        let got = initialized(row);
        let want = row.arg("expected");
        let status = if got.status { "True" } else { "False" };
        same(&[status, got.reason], &[want.str_at(&["status"]), want.str_at(&["reason"])])
    });
    suites.add(FILE, "TestUpdateLastTransitionTime.L823", |row| {
        let before = Some(row.arg("oldCondition")).filter(|old| !old.is_null());
        let kept = conditions::since(before, row.arg("condition").str_at(&["status"]));
        same(&json!(kept.is_none()), row.arg("expectUpdate"))
    });
}

/// The container of upstream's prober tests.
fn probed() -> Value {
    json!({"ports": [{"name": "found", "containerPort": 93}]})
}

fn probes(suites: &mut Suites) {
    const FILE: &str = "kubelet/kubelet-prober.json";
    suites.add(FILE, "TestFormatURL.L49", |row| {
        let port = row.arg("port").as_u64().and_then(|port| u16::try_from(port).ok());
        let request = HttpGet {
            scheme: row.text("scheme").to_owned(),
            host: row.text("host").to_owned(),
            port: port.expect("a port"),
            path: node::probe::path(row.text("path")),
            headers: Vec::new(),
            timeout: Duration::ZERO,
        };
        same(&request.url().as_str(), &row.text("result"))
    });
    for table in ["TestGetTCPAddrParts.L148", "TestGetURLParts.L95"] {
        suites.add(FILE, table, |row| {
            let got = node::probe::port(&probed(), row.arg("probe").at(&["port"]));
            match row.arg("ok").as_bool() {
                Some(true) => same(&json!(got.ok()), row.arg("port")),
                _ => same(&got.is_err(), &true),
            }
        });
    }
    suites.add(FILE, "TestProbe.L277", |row| {
        let probe = row.arg("probe");
        let container = json!({"env": row.arg("env"), "livenessProbe": probe});
        let asked = node::probe::command(&container, node::probe::Kind::Liveness, "c", "10.0.0.1");
        let wanted = row.arg("expectCommand").as_array();
        match (asked, wanted) {
            (None, _) => same(&json!(true), row.arg("expectError")),
            (Some(Ok(cri::Command::ExecSync { command, .. })), Some(wanted)) => {
                same(&json!(command), &json!(wanted))
            }
            (Some(Ok(_)), None) => {
                let (exit_code, stderr) =
                    (i64::from(row.text("execResult") != "success"), String::new());
                let reply = cri::Reply::Exec { exit_code, output: String::new(), stderr };
                let well = node::probe::outcome(Ok(reply)) == node::probe::Outcome::Success;
                same(&json!(well), row.arg("expectedResult"))
            }
            (other, _) => Outcome::Fail(format!("{other:?}")),
        }
    });
}

fn scores(suites: &mut Suites) {
    const FILE: &str = "kubelet/kubelet-qos.json";
    suites.add(FILE, "GetContainerOOMScoreAdjust", |row| {
        let capacity = row.arg("memoryCapacity").as_i64().expect("a number");
        let got = container::oom_score_adj(row.arg("pod"), row.arg("container"), capacity);
        same(&json!(got), row.result(0))
    });
    suites.add(FILE, "TestGetContainerOOMScoreAdjust.L192", |row| {
        let capacity = row.arg("memoryCapacity").as_i64().expect("a number");
        let pod = row.arg("pod");
        let got = container::oom_score_adj(pod, &pod["spec"]["containers"][0], capacity);
        let bound = |name: &str| row.arg(name).as_i64().expect("a number");
        same(&(bound("lowOOMScoreAdj")..=bound("highOOMScoreAdj")).contains(&got), &true)
    });
}

/// An empty namespace.
#[derive(Debug)]
struct Nothing;

impl Source for Nothing {
    fn config_map(&self, _: &str) -> Option<Arc<Value>> {
        None
    }
    fn secret(&self, _: &str) -> Option<Arc<Value>> {
        None
    }
    fn services(&self) -> Vec<Arc<Value>> {
        Vec::new()
    }
}

fn image(user: &str) -> Image {
    let (id, tag, repo_digest) = (Text::new(), Text::new(), Text::new());
    Image { id, tag, repo_digest, user: user.into() }
}

fn configured(pod: &Value, container: &Value) -> ContainerConfig {
    let place = Place::default();
    let made = container::container_config(pod, container, 0, &image(""), place, &Nothing);
    made.expect("a configuration").0
}

fn security(suites: &mut Suites) {
    suites.add("kubelet/securitycontext.json", "TestAddNoNewPrivileges.L119", |row| {
        let container = json!({"securityContext": row.arg("sc")});
        same(&json!(container::adds_no_privileges(&container)), row.arg("expect"))
    });
    const EFFECTIVE: &str = "TestEffectiveContainerSecurityContextAccessor.L505";
    suites.add("kubelet/securitycontext.json", EFFECTIVE, |row| {
        let pod = json!({"spec": {"securityContext": row.arg("PodSC")}});
        let container = json!({"securityContext": row.arg("SC")});
        let want = row.arg("Effective");
        let shared = ["runAsUser", "runAsGroup", "runAsNonRoot", "seLinuxOptions"];
        let got = |name: &str| container::setting(&pod, &container, name).cloned();
        let all = shared.map(|name| same(&got(name), &want.get(name).cloned()));
        all.into_iter().reduce(|all, one| all.and(|| one)).expect("some settings")
    });
    suites.add("kubelet/kuberuntime.json.gz", "TestVerifyRunAsNonRoot.L51", |row| {
        let user = match (row.arg("uid").as_i64(), row.text("username")) {
            // An image that says nothing is taken for root before this function.
            (None, "") => return Outcome::Skip,
            (Some(uid), _) => uid.to_string(),
            (None, name) => name.to_owned(),
        };
        let container = json!({"securityContext": row.arg("sc")});
        let checked = container::check_non_root(&json!({}), &container, &image(&user));
        same(&json!(checked.is_err()), row.arg("fail"))
    });
    for table in ["TestHasPrivilegedContainer.L352", "TestHasPrivilegedContainer.L366"] {
        suites.add("kubelet/kubelet-container.json", table, |row| {
            let container = json!({"name": "c", "securityContext": row.arg("securityContext")});
            let got = configured(&json!({}), &container).security.privileged;
            same(&json!(got), row.arg("expected"))
        });
    }
    suites.add("kubelet/dockershim.json", "TestGetSeccompSecurityOpts.L56", |row| {
        let key = "container.seccomp.security.alpha.kubernetes.io/c";
        let profile = row.arg("seccompProfile");
        let pod = json!({"metadata": {"annotations": {key: profile}}});
        let got = configured(&pod, &json!({"name": "c"})).security.options.clone();
        let want = row.arg("expectedOpts").as_array().cloned().unwrap_or_default();
        same(&json!(got), &Value::Array(want))
    });
}

fn containers(suites: &mut Suites) {
    suites.add("kubelet/kubelet-container.json", "TestMakePortMappings.L426", |row| {
        let got: Vec<Value> = container::port_mappings(row.arg("container"))
            .into_iter()
            .map(|port| json!([port.container_port, port.host_ip, port.host_port, port.protocol]))
            .collect();
        let want = row.arg("expectedPortMappings").as_array().into_iter().flatten();
        let fields = ["ContainerPort", "HostIP", "HostPort", "Protocol"];
        let want: Vec<Value> =
            want.map(|port| json!(fields.map(|field| port[field].clone()))).collect();
        same(&got, &want)
    });
    for table in ["TestNamespacesForPod.L290", "TestNamespacesForPod.L357"] {
        suites.add("kubelet/kuberuntime.json.gz", table, |row| {
            let pod = row.arg("input");
            if pod.is_null() || table.ends_with("L357") {
                // No pod, and upstream's feature gate for one namespace switched off.
                return Outcome::Skip;
            }
            let got = configured(pod, &json!({"name": "c"}));
            let pid = match (got.host_pid, got.share_pid) {
                (true, _) => 2,
                (false, true) => 0,
                (false, false) => 1,
            };
            let node = |shared: bool| if shared { 2 } else { 0 };
            let want = row.arg("expected");
            let wanted = ["pid", "ipc", "network"].map(|kind| want.int_at(&[kind]).unwrap_or(0));
            same(&[pid, node(got.host_ipc), node(got.host_network)], &wanted)
        });
    }
}
