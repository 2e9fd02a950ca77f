//! Rows of what runs pods.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use super::text::{self, NONE, count};
use super::{AGE, Column, NAME, Printer, column, integer, string, wide};

const CONTAINERS: Column = wide("Containers");
const IMAGES: Column = wide("Images");
const SELECTOR: Column = wide("Selector");

pub(super) fn printer(kind: &str) -> Option<&'static Printer> {
    Some(match kind {
        "ReplicationController" | "ReplicaSet" => &REPLICA_SET,
        "Deployment" => &DEPLOYMENT,
        "DaemonSet" => &DAEMON_SET,
        "StatefulSet" => &STATEFUL_SET,
        "Job" => &JOB,
        "CronJob" => &CRON_JOB,
        "ControllerRevision" => &CONTROLLER_REVISION,
        "PodTemplate" => &POD_TEMPLATE,
        _ => return None,
    })
}

fn selector(object: &Value) -> Value {
    let selector = object.at(&["spec", "selector"]);
    if object.kind() == "ReplicationController" {
        return json!(text::labels(selector));
    }
    json!(text::label_selector(selector))
}

fn template_cells(object: &Value) -> [Value; 3] {
    let [names, images] = text::containers(object.at(&["spec", "template"]));
    [names, images, selector(object)]
}

static REPLICA_SET: Printer = Printer {
    columns: &[
        NAME,
        integer("Desired"),
        integer("Current"),
        integer("Ready"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |set, now| {
        let mut cells = vec![
            json!(set.name()),
            count(set, &["spec", "replicas"]),
            count(set, &["status", "replicas"]),
            count(set, &["status", "readyReplicas"]),
            text::age(set, now),
        ];
        cells.extend(template_cells(set));
        cells
    },
};

static DEPLOYMENT: Printer = Printer {
    columns: &[
        NAME,
        string("Desired"),
        string("Current"),
        string("Up-to-date"),
        string("Available"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |deployment, now| {
        let mut cells = vec![
            json!(deployment.name()),
            count(deployment, &["spec", "replicas"]),
            count(deployment, &["status", "replicas"]),
            count(deployment, &["status", "updatedReplicas"]),
            count(deployment, &["status", "availableReplicas"]),
            text::age(deployment, now),
        ];
        cells.extend(template_cells(deployment));
        cells
    },
};

static DAEMON_SET: Printer = Printer {
    columns: &[
        NAME,
        integer("Desired"),
        integer("Current"),
        integer("Ready"),
        integer("Up-to-date"),
        integer("Available"),
        string("Node Selector"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: |set, now| {
        let mut cells = vec![
            json!(set.name()),
            count(set, &["status", "desiredNumberScheduled"]),
            count(set, &["status", "currentNumberScheduled"]),
            count(set, &["status", "numberReady"]),
            count(set, &["status", "updatedNumberScheduled"]),
            count(set, &["status", "numberAvailable"]),
            json!(text::labels(set.at(&["spec", "template", "spec", "nodeSelector"]))),
            text::age(set, now),
        ];
        cells.extend(template_cells(set));
        cells
    },
};

static STATEFUL_SET: Printer = Printer {
    columns: &[NAME, string("Desired"), string("Current"), AGE, CONTAINERS, IMAGES],
    cells: |set, now| {
        let [names, images] = text::containers(set.at(&["spec", "template"]));
        vec![
            json!(set.name()),
            count(set, &["spec", "replicas"]),
            count(set, &["status", "replicas"]),
            text::age(set, now),
            names,
            images,
        ]
    },
};

static JOB: Printer = Printer {
    columns: &[NAME, integer("Desired"), integer("Successful"), AGE, CONTAINERS, IMAGES, SELECTOR],
    cells: |job, now| {
        let completions = text::plain(job.at(&["spec", "completions"]));
        let mut cells = vec![
            json!(job.name()),
            json!(completions.as_deref().unwrap_or(NONE)),
            count(job, &["status", "succeeded"]),
            text::age(job, now),
        ];
        cells.extend(template_cells(job));
        cells
    },
};

static CRON_JOB: Printer = Printer {
    columns: &[
        NAME,
        string("Schedule"),
        column("Suspend", "boolean"),
        integer("Active"),
        string("Last Schedule"),
        AGE,
        CONTAINERS,
        IMAGES,
        SELECTOR,
    ],
    cells: cron_job,
};

fn cron_job(job: &Value, now: Time) -> Vec<Value> {
    let last = job.str_at(&["status", "lastScheduleTime"]);
    let last = if last.is_empty() { NONE.to_owned() } else { text::since(last, now) };
    let suspended = if job.bool_at(&["spec", "suspend"]) { "True" } else { "False" };
    let [names, images] = text::containers(job.at(&["spec", "jobTemplate", "spec", "template"]));
    vec![
        json!(job.name()),
        json!(job.str_at(&["spec", "schedule"])),
        json!(suspended),
        json!(job.list_at(&["status", "active"]).len()),
        json!(last),
        text::age(job, now),
        names,
        images,
        json!(text::label_selector(job.at(&["spec", "jobTemplate", "spec", "selector"]))),
    ]
}

static CONTROLLER_REVISION: Printer = Printer {
    columns: &[NAME, string("Controller"), string("Revision"), AGE],
    cells: |revision, now| {
        let controller = revision.controller_ref().map(|owner| {
            let kind = owner.str_at(&["kind"]).to_lowercase();
            let group = owner.api_version().split_once('/').map_or("", |(group, _)| group);
            let dot = if group.is_empty() { "" } else { "." };
            format!("{kind}{dot}{group}/{}", owner.str_at(&["name"]))
        });
        vec![
            json!(revision.name()),
            json!(controller.as_deref().unwrap_or(NONE)),
            count(revision, &["revision"]),
            text::age(revision, now),
        ]
    },
};

static POD_TEMPLATE: Printer = Printer {
    columns: &[NAME, string("Containers"), string("Images"), string("Pod Labels")],
    cells: |template, _| {
        let [names, images] = text::containers(template.at(&["template"]));
        let labels = text::labels(template.at(&["template", "metadata", "labels"]));
        vec![json!(template.name()), names, images, json!(labels)]
    },
};
