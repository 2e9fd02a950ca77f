//! Rows of the other core kinds: services, nodes, events, volumes, data.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use super::text::{self, NONE, or_none};
use super::{AGE, NAME, Printer, string, wide};
use crate::views::pod::condition;

pub(super) fn printer(kind: &str) -> Option<&'static Printer> {
    Some(match kind {
        "Service" => &SERVICE,
        "Endpoints" => &ENDPOINTS,
        "Node" => &NODE,
        "Event" => &EVENT,
        "Namespace" => &NAMESPACE,
        "Secret" => &SECRET,
        "ServiceAccount" => &SERVICE_ACCOUNT,
        "ConfigMap" => &CONFIG_MAP,
        "PersistentVolume" => &PERSISTENT_VOLUME,
        "PersistentVolumeClaim" => &PERSISTENT_VOLUME_CLAIM,
        "ComponentStatus" => &COMPONENT_STATUS,
        _ => return None,
    })
}

static SERVICE: Printer = Printer {
    columns: &[
        NAME,
        string("Type"),
        string("Cluster-IP"),
        string("External-IP"),
        string("Port(s)"),
        AGE,
        wide("Selector"),
    ],
    cells: |service, now| {
        vec![
            json!(service.name()),
            json!(service.str_at(&["spec", "type"])),
            json!(or_none(service.str_at(&["spec", "clusterIP"]))),
            json!(external_ip(service)),
            json!(service_ports(service)),
            text::age(service, now),
            json!(text::labels(service.at(&["spec", "selector"]))),
        ]
    },
};

fn external_ip(service: &Value) -> String {
    let mut addresses = text::strings(service.list_at(&["spec", "externalIPs"]));
    match service.str_at(&["spec", "type"]) {
        "ExternalName" => service.str_at(&["spec", "externalName"]).to_owned(),
        "LoadBalancer" => {
            let ingress = service.list_at(&["status", "loadBalancer", "ingress"]);
            for entry in ingress {
                let ip = entry.str_at(&["ip"]);
                addresses.push(if ip.is_empty() { entry.str_at(&["hostname"]) } else { ip });
            }
            if addresses.is_empty() { "<pending>".to_owned() } else { addresses.join(",") }
        }
        _ => or_none(&addresses.join(",")).to_owned(),
    }
}

fn service_ports(service: &Value) -> String {
    let ports: Vec<String> = service
        .list_at(&["spec", "ports"])
        .iter()
        .map(|port| {
            let number = port.int_at(&["port"]).unwrap_or(0);
            let protocol = port.str_at(&["protocol"]);
            match port.int_at(&["nodePort"]).unwrap_or(0) {
                0 => format!("{number}/{protocol}"),
                node_port => format!("{number}:{node_port}/{protocol}"),
            }
        })
        .collect();
    or_none(&ports.join(",")).to_owned()
}

static ENDPOINTS: Printer = Printer {
    columns: &[NAME, string("Endpoints"), AGE],
    cells: |endpoints, now| {
        vec![json!(endpoints.name()), json!(endpoint_list(endpoints)), text::age(endpoints, now)]
    },
};

fn endpoint_list(endpoints: &Value) -> String {
    const SHOWN: usize = 3;
    let mut all = Vec::new();
    for subset in endpoints.list_at(&["subsets"]) {
        let addresses = subset.list_at(&["addresses"]);
        let ports = subset.list_at(&["ports"]);
        if ports.is_empty() {
            all.extend(addresses.iter().map(|address| address.str_at(&["ip"]).to_owned()));
        }
        for port in ports {
            let number = port.int_at(&["port"]).unwrap_or(0);
            all.extend(addresses.iter().map(|a| format!("{}:{number}", a.str_at(&["ip"]))));
        }
    }
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    let list = all.join(",");
    if more > 0 { format!("{list} + {more} more...") } else { or_none(&list).to_owned() }
}

static NODE: Printer = Printer {
    columns: &[
        NAME,
        string("Status"),
        string("Roles"),
        AGE,
        string("Version"),
        wide("Internal-IP"),
        wide("External-IP"),
        wide("OS-Image"),
        wide("Kernel-Version"),
        wide("Container-Runtime"),
    ],
    cells: node,
};

fn node(node: &Value, now: Time) -> Vec<Value> {
    let info = |field: &str| match node.str_at(&["status", "nodeInfo", field]) {
        "" => json!("<unknown>"),
        text => json!(text),
    };
    let address = |kind: &str| {
        let addresses = node.list_at(&["status", "addresses"]);
        let found = addresses.iter().find(|address| address.str_at(&["type"]) == kind);
        json!(found.map_or(NONE, |address| address.str_at(&["address"])))
    };
    vec![
        json!(node.name()),
        json!(node_status(node)),
        json!(node_roles(node)),
        text::age(node, now),
        json!(node.str_at(&["status", "nodeInfo", "kubeletVersion"])),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

fn node_status(node: &Value) -> String {
    let ready = match condition(node, "Ready").map(|ready| ready.str_at(&["status"])) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let cordoned = node.bool_at(&["spec", "unschedulable"]);
    format!("{ready}{}", if cordoned { ",SchedulingDisabled" } else { "" })
}

fn node_roles(node: &Value) -> String {
    let mut roles: Vec<&str> = Vec::new();
    for (key, value) in node.labels().into_iter().flatten() {
        match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) if !role.is_empty() => roles.push(role),
            None if key == "kubernetes.io/role" => {
                roles.extend(value.as_str().filter(|role| !role.is_empty()));
            }
            _ => {}
        }
    }
    roles.sort_unstable();
    roles.dedup();
    or_none(&roles.join(",")).to_owned()
}

static EVENT: Printer = Printer {
    columns: &[
        string("Last Seen"),
        string("First Seen"),
        string("Count"),
        NAME,
        string("Kind"),
        string("Subobject"),
        string("Type"),
        string("Reason"),
        string("Source"),
        string("Message"),
    ],
    cells: event,
};

/// Reads both forms of an event: the core one and that of `events.k8s.io`.
fn event(event: &Value, now: Time) -> Vec<Value> {
    let first_of = |paths: &[&[&'static str]]| -> String {
        let texts = paths.iter().map(|path| event.str_at(path));
        texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned()
    };
    let either =
        |field: &'static str| first_of(&[&["involvedObject", field], &["regarding", field]]);
    let last = first_of(&[&["lastTimestamp"], &["deprecatedLastTimestamp"], &["eventTime"]]);
    let first = first_of(&[&["firstTimestamp"], &["deprecatedFirstTimestamp"], &["eventTime"]]);
    let component = first_of(&[
        &["source", "component"],
        &["deprecatedSource", "component"],
        &["reportingComponent"],
        &["reportingController"],
    ]);
    let host = first_of(&[&["source", "host"], &["deprecatedSource", "host"]]);
    let source = if host.is_empty() { component } else { format!("{component}, {host}") };
    let count = event.int_at(&["count"]).or_else(|| event.int_at(&["deprecatedCount"]));
    vec![
        json!(text::since(&last, now)),
        json!(text::since(&first, now)),
        json!(count.unwrap_or(0)),
        json!(event.name()),
        json!(either("kind")),
        json!(either("fieldPath")),
        json!(event.str_at(&["type"])),
        json!(event.str_at(&["reason"])),
        json!(source),
        json!(first_of(&[&["message"], &["note"]]).trim()),
    ]
}

static NAMESPACE: Printer = Printer {
    columns: &[NAME, string("Status"), AGE],
    cells: |namespace, now| {
        let phase = json!(namespace.str_at(&["status", "phase"]));
        vec![json!(namespace.name()), phase, text::age(namespace, now)]
    },
};

fn entries(object: &Value, field: &str) -> usize {
    object.map_at(&[field]).map_or(0, apimachinery::Map::len)
}

static SECRET: Printer = Printer {
    columns: &[NAME, string("Type"), string("Data"), AGE],
    cells: |secret, now| {
        let kind = json!(secret.str_at(&["type"]));
        vec![json!(secret.name()), kind, json!(entries(secret, "data")), text::age(secret, now)]
    },
};

static SERVICE_ACCOUNT: Printer = Printer {
    columns: &[NAME, string("Secrets"), AGE],
    cells: |account, now| {
        let secrets = json!(account.list_at(&["secrets"]).len());
        vec![json!(account.name()), secrets, text::age(account, now)]
    },
};

static CONFIG_MAP: Printer = Printer {
    columns: &[NAME, string("Data"), AGE],
    cells: |map, now| {
        let count = entries(map, "data") + entries(map, "binaryData");
        vec![json!(map.name()), json!(count), text::age(map, now)]
    },
};

fn access_modes(modes: &[Value]) -> String {
    let short = [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX")];
    let given = text::strings(modes);
    let found = short.iter().filter(|(name, _)| given.contains(name)).map(|(_, short)| *short);
    found.collect::<Vec<_>>().join(",")
}

fn phase(object: &Value) -> &str {
    match object.deletion_timestamp() {
        Some(_) => "Terminating",
        None => object.str_at(&["status", "phase"]),
    }
}

/// The class in the field, or in the annotation that came before it.
fn storage_class(object: &Value) -> &str {
    object
        .annotation("volume.beta.kubernetes.io/storage-class")
        .unwrap_or_else(|| object.str_at(&["spec", "storageClassName"]))
}

static PERSISTENT_VOLUME: Printer = Printer {
    columns: &[
        NAME,
        string("Capacity"),
        string("Access Modes"),
        string("Reclaim Policy"),
        string("Status"),
        string("Claim"),
        string("StorageClass"),
        string("Reason"),
        AGE,
    ],
    cells: |volume, now| {
        let claim = |field: &str| volume.str_at(&["spec", "claimRef", field]);
        let claimed = match claim("name") {
            "" => String::new(),
            name => format!("{}/{name}", claim("namespace")),
        };
        vec![
            json!(volume.name()),
            json!(volume.str_at(&["spec", "capacity", "storage"])),
            json!(access_modes(volume.list_at(&["spec", "accessModes"]))),
            json!(volume.str_at(&["spec", "persistentVolumeReclaimPolicy"])),
            json!(phase(volume)),
            json!(claimed),
            json!(storage_class(volume)),
            json!(volume.str_at(&["status", "reason"])),
            text::age(volume, now),
        ]
    },
};

static PERSISTENT_VOLUME_CLAIM: Printer = Printer {
    columns: &[
        NAME,
        string("Status"),
        string("Volume"),
        string("Capacity"),
        string("Access Modes"),
        string("StorageClass"),
        AGE,
    ],
    cells: |claim, now| {
        let volume = claim.str_at(&["spec", "volumeName"]);
        let (capacity, modes) = if volume.is_empty() {
            ("", String::new())
        } else {
            let modes = claim.list_at(&["status", "accessModes"]);
            (claim.str_at(&["status", "capacity", "storage"]), access_modes(modes))
        };
        vec![
            json!(claim.name()),
            json!(phase(claim)),
            json!(volume),
            json!(capacity),
            json!(modes),
            json!(storage_class(claim)),
            text::age(claim, now),
        ]
    },
};

static COMPONENT_STATUS: Printer = Printer {
    columns: &[NAME, string("Status"), string("Message"), string("Error")],
    cells: |component, _| {
        let healthy = component.list_at(&["conditions"]).iter();
        let healthy = healthy.into_iter().find(|c| c.str_at(&["type"]) == "Healthy");
        let field = |name| json!(healthy.map_or("", |condition| condition.str_at(&[name])));
        let status = match healthy.map(|condition| condition.str_at(&["status"])) {
            Some("True") => "Healthy",
            Some("False") => "Unhealthy",
            _ => "Unknown",
        };
        vec![json!(component.name()), json!(status), field("message"), field("error")]
    },
};
