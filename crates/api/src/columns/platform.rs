//! Rows of the other Kubernetes groups.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use super::text::{self, NONE, or_none};
use super::{AGE, NAME, Printer, integer, string, wide};
use crate::resources::{current_metrics, metrics};

pub(super) fn printer(kind: &str) -> Option<&'static Printer> {
    Some(match kind {
        "Ingress" => &INGRESS,
        "HorizontalPodAutoscaler" => &AUTOSCALER,
        "PodDisruptionBudget" => &DISRUPTION_BUDGET,
        "NetworkPolicy" => &NETWORK_POLICY,
        "StorageClass" => &STORAGE_CLASS,
        "Role" | "ClusterRole" => &ROLE,
        "RoleBinding" | "ClusterRoleBinding" => &ROLE_BINDING,
        "CertificateSigningRequest" => &CERTIFICATE_SIGNING_REQUEST,
        "PodSecurityPolicy" => &POD_SECURITY_POLICY,
        "Lease" => &LEASE,
        "EndpointSlice" => &ENDPOINT_SLICE,
        _ => return None,
    })
}

static INGRESS: Printer = Printer {
    columns: &[NAME, string("Hosts"), string("Address"), string("Ports"), AGE],
    cells: |ingress, now| {
        let rules = ingress.list_at(&["spec", "rules"]);
        let hosts: Vec<&str> =
            rules.iter().map(|r| r.str_at(&["host"])).filter(|host| !host.is_empty()).collect();
        let hosts = if hosts.is_empty() { "*".to_owned() } else { hosts.join(",") };
        let addresses: Vec<&str> = ingress
            .list_at(&["status", "loadBalancer", "ingress"])
            .iter()
            .map(|entry| match entry.str_at(&["ip"]) {
                "" => entry.str_at(&["hostname"]),
                ip => ip,
            })
            .collect();
        let tls = !ingress.list_at(&["spec", "tls"]).is_empty();
        vec![
            json!(ingress.name()),
            json!(hosts),
            json!(addresses.join(",")),
            json!(if tls { "80, 443" } else { "80" }),
            text::age(ingress, now),
        ]
    },
};

/// Mirrors: `printEndpointSlice` of 1.21, which is where the kind comes from.
static ENDPOINT_SLICE: Printer = Printer {
    columns: &[NAME, string("AddressType"), string("Ports"), string("Endpoints"), AGE],
    cells: |slice, now| {
        let ports = slice.list_at(&["ports"]).iter().map(|port| match port.int_at(&["port"]) {
            Some(number) => number.to_string(),
            None if port.str_at(&["name"]).is_empty() => "*".to_owned(),
            None => port.str_at(&["name"]).to_owned(),
        });
        let endpoints = slice.list_at(&["endpoints"]).iter();
        let addresses = endpoints.flat_map(|endpoint| endpoint.list_at(&["addresses"]));
        let addresses = addresses.filter_map(Value::as_str).map(str::to_owned);
        vec![
            json!(slice.name()),
            json!(slice.str_at(&["addressType"])),
            json!(first_three(ports.collect())),
            json!(first_three(addresses.collect())),
            text::age(slice, now),
        ]
    },
};

fn first_three(mut list: Vec<String>) -> String {
    const SHOWN: usize = 3;
    let more = list.len().saturating_sub(SHOWN);
    list.truncate(SHOWN);
    match (list.join(","), more) {
        (text, 0) if text.is_empty() => "<unset>".to_owned(),
        (text, 0) => text,
        (text, more) => format!("{text} + {more} more..."),
    }
}

static AUTOSCALER: Printer = Printer {
    columns: &[
        NAME,
        string("Reference"),
        string("Targets"),
        string("MinPods"),
        string("MaxPods"),
        string("Replicas"),
        AGE,
    ],
    cells: |scaler, now| {
        let target = |field: &str| scaler.str_at(&["spec", "scaleTargetRef", field]);
        let minimum = text::plain(scaler.at(&["spec", "minReplicas"]));
        vec![
            json!(scaler.name()),
            json!(format!("{}/{}", target("kind"), target("name"))),
            json!(autoscaler_targets(scaler)),
            json!(minimum.as_deref().unwrap_or("<unset>")),
            text::count(scaler, &["spec", "maxReplicas"]),
            text::count(scaler, &["status", "currentReplicas"]),
            text::age(scaler, now),
        ]
    },
};

fn autoscaler_targets(scaler: &Value) -> String {
    const SHOWN: usize = 2;
    let measured = current_metrics(scaler);
    let mut targets: Vec<String> = metrics(scaler)
        .iter()
        .enumerate()
        .map(|(index, metric)| autoscaler_target(metric, measured.get(index)))
        .collect();
    let more = targets.len().saturating_sub(SHOWN);
    targets.truncate(SHOWN);
    let list = targets.join(", ");
    if more > 0 { format!("{list} + {more} more...") } else { or_none(&list).to_owned() }
}

/// What was measured over what is wanted.
fn autoscaler_target(metric: &Value, measured: Option<&Value>) -> String {
    let kind = metric.str_at(&["type"]).to_lowercase();
    let wanted = |field: &str| text::plain(metric.at(&[&kind, field]));
    let found = |field: &str| measured.and_then(|metric| text::plain(metric.at(&[&kind, field])));
    let ratio = |now: Option<String>, target: &str| {
        format!("{}/{target}", now.as_deref().unwrap_or("<unknown>"))
    };
    if let Some(target) = wanted("targetAverageValue") {
        let per_pod = if kind == "external" { " (avg)" } else { "" };
        return format!("{}{per_pod}", ratio(found("currentAverageValue"), &target));
    }
    if kind == "resource" {
        let percent = |value: Option<String>| value.map(|value| format!("{value}%"));
        let target = percent(wanted("targetAverageUtilization"));
        let now = percent(found("currentAverageUtilization"));
        return ratio(now, target.as_deref().unwrap_or("<auto>"));
    }
    match wanted("targetValue") {
        Some(target) => ratio(found("currentValue"), &target),
        None => "<unknown type>".to_owned(),
    }
}

static DISRUPTION_BUDGET: Printer = Printer {
    columns: &[
        NAME,
        string("Min Available"),
        string("Max Unavailable"),
        integer("Allowed Disruptions"),
        AGE,
    ],
    cells: |budget, now| {
        let limit =
            |field| text::plain(budget.at(&["spec", field])).unwrap_or_else(|| "N/A".to_owned());
        vec![
            json!(budget.name()),
            json!(limit("minAvailable")),
            json!(limit("maxUnavailable")),
            text::count(budget, &["status", "disruptionsAllowed"]),
            text::age(budget, now),
        ]
    },
};

static NETWORK_POLICY: Printer = Printer {
    columns: &[NAME, string("Pod-Selector"), AGE],
    cells: |policy, now| {
        let selector = text::label_selector(policy.at(&["spec", "podSelector"]));
        vec![json!(policy.name()), json!(selector), text::age(policy, now)]
    },
};

static STORAGE_CLASS: Printer = Printer {
    columns: &[NAME, string("Provisioner"), AGE],
    cells: |class, now| {
        let default = ["storageclass.kubernetes.io", "storageclass.beta.kubernetes.io"]
            .iter()
            .any(|prefix| class.annotation(&format!("{prefix}/is-default-class")) == Some("true"));
        let suffix = if default { " (default)" } else { "" };
        let provisioner = json!(class.str_at(&["provisioner"]));
        vec![json!(format!("{}{suffix}", class.name())), provisioner, text::age(class, now)]
    },
};

static ROLE: Printer = Printer {
    columns: &[NAME, AGE],
    cells: |role, now| vec![json!(role.name()), text::age(role, now)],
};

static ROLE_BINDING: Printer = Printer {
    columns: &[NAME, AGE, wide("Role"), wide("Users"), wide("Groups"), wide("ServiceAccounts")],
    cells: role_binding,
};

fn role_binding(binding: &Value, now: Time) -> Vec<Value> {
    let role = |field: &str| binding.str_at(&["roleRef", field]);
    let subjects = |kind: &str| {
        let subjects = binding.list_at(&["subjects"]).iter();
        let names =
            subjects.filter(|subject| subject.str_at(&["kind"]) == kind).map(
                |subject| match kind {
                    "ServiceAccount" => {
                        format!("{}/{}", subject.str_at(&["namespace"]), subject.str_at(&["name"]))
                    }
                    _ => subject.str_at(&["name"]).to_owned(),
                },
            );
        json!(names.collect::<Vec<_>>().join(", "))
    };
    vec![
        json!(binding.name()),
        text::age(binding, now),
        json!(format!("{}/{}", role("kind"), role("name"))),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

static CERTIFICATE_SIGNING_REQUEST: Printer = Printer {
    columns: &[NAME, AGE, string("Requestor"), string("Condition")],
    cells: |request, now| {
        let conditions = request.list_at(&["status", "conditions"]);
        let has = |kind: &str| conditions.iter().any(|c| c.str_at(&["type"]) == kind);
        let mut condition = match (has("Denied"), has("Approved")) {
            (true, _) => "Denied",
            (false, true) => "Approved",
            (false, false) => "Pending",
        }
        .to_owned();
        if !request.str_at(&["status", "certificate"]).is_empty() {
            condition.push_str(",Issued");
        }
        let requestor = json!(request.str_at(&["spec", "username"]));
        vec![json!(request.name()), text::age(request, now), requestor, json!(condition)]
    },
};

static POD_SECURITY_POLICY: Printer = Printer {
    columns: &[
        NAME,
        string("Priv"),
        string("Caps"),
        string("SELinux"),
        string("RunAsUser"),
        string("FsGroup"),
        string("SupGroup"),
        string("ReadOnlyRootFs"),
        string("Volumes"),
    ],
    cells: |policy, _| {
        let rule = |field: &str| json!(policy.str_at(&["spec", field, "rule"]));
        let flag = |field: &str| json!(policy.bool_at(&["spec", field]).to_string());
        let list = |field: &str| json!(text::strings(policy.list_at(&["spec", field])).join(","));
        vec![
            json!(policy.name()),
            flag("privileged"),
            list("allowedCapabilities"),
            rule("seLinux"),
            rule("runAsUser"),
            rule("fsGroup"),
            rule("supplementalGroups"),
            flag("readOnlyRootFilesystem"),
            list("volumes"),
        ]
    },
};

static LEASE: Printer = Printer {
    columns: &[NAME, string("Holder"), AGE],
    cells: |lease, now| {
        let holder = lease.str_at(&["spec", "holderIdentity"]);
        let holder = if holder.is_empty() { NONE } else { holder };
        vec![json!(lease.name()), json!(holder), text::age(lease, now)]
    },
};
