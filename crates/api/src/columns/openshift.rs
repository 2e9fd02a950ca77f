//! Rows of the other OpenShift kinds: deployment configs, projects, routes, builds, templates.

mod access;
mod build;
mod route;

use std::collections::BTreeSet;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::text;
use super::{Printer, named, string};

pub(super) fn printer(kind: &str) -> Option<&'static Printer> {
    let found = match kind {
        "DeploymentConfig" => &DEPLOYMENT_CONFIG,
        "Project" => &PROJECT,
        "Template" => &TEMPLATE,
        "TemplateInstance" => &TEMPLATE_INSTANCE,
        "BrokerTemplateInstance" => &BROKER_TEMPLATE_INSTANCE,
        "Route" => &route::ROUTE,
        "BuildConfig" => &build::BUILD_CONFIG,
        "Build" => &build::BUILD,
        _ => return access::printer(kind),
    };
    Some(found)
}

static DEPLOYMENT_CONFIG: Printer = Printer {
    columns: &[
        named("NAME"),
        string("REVISION"),
        string("DESIRED"),
        string("CURRENT"),
        string("TRIGGERED BY"),
    ],
    cells: |config, _| {
        let number = |path: &[&str]| config.int_at(path).unwrap_or(0);
        let test = if config.bool_at(&["spec", "test"]) { " (during test)" } else { "" };
        vec![
            json!(config.name()),
            json!(number(&["status", "latestVersion"]).to_string()),
            json!(format!("{}{test}", number(&["spec", "replicas"]))),
            json!(number(&["status", "updatedReplicas"]).to_string()),
            json!(triggered_by(config)),
        ]
    },
};

fn triggered_by(config: &Value) -> String {
    let containers: Vec<&str> = config
        .list_at(&["spec", "template", "spec", "containers"])
        .iter()
        .map(|container| container.str_at(&["name"]))
        .collect();
    let mut words = BTreeSet::new();
    for trigger in config.list_at(&["spec", "triggers"]) {
        match trigger.str_at(&["type"]) {
            "ConfigChange" => {
                words.insert("config".to_owned());
            }
            "ImageChange" => {
                let params = trigger.at(&["imageChangeParams"]).unwrap_or(&Value::Null);
                if params.bool_at(&["automatic"]) {
                    words.insert(image_trigger(params, &containers));
                }
            }
            other => {
                words.insert(other.to_owned());
            }
        }
    }
    words.into_iter().collect::<Vec<_>>().join(",")
}

fn image_trigger(params: &Value, containers: &[&str]) -> String {
    let name = params.str_at(&["from", "name"]);
    let listed = text::strings(params.list_at(&["containerNames"]));
    let all = containers.iter().all(|container| listed.contains(container));
    if containers.len() == 1 || all {
        format!("image({name})")
    } else {
        format!("image({}:{name})", listed.join(","))
    }
}

static PROJECT: Printer = Printer {
    columns: &[named("NAME"), string("DISPLAY NAME"), string("STATUS")],
    cells: |project, _| {
        vec![
            json!(project.name()),
            json!(project.annotation("openshift.io/display-name").unwrap_or_default()),
            json!(project.str_at(&["status", "phase"])),
        ]
    },
};

static TEMPLATE: Printer = Printer {
    columns: &[named("NAME"), string("DESCRIPTION"), string("PARAMETERS"), string("OBJECTS")],
    cells: |template, _| {
        vec![
            json!(template.name()),
            json!(template_description(template)),
            json!(template_parameters(template)),
            json!(template.list_at(&["objects"]).len().to_string()),
        ]
    },
};

fn template_description(template: &Value) -> String {
    const WIDTH: usize = 80;
    let text = template.annotation("description").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let cut = line.chars().count() > WIDTH;
    let shown: String = line.chars().take(if cut { WIDTH - 3 } else { WIDTH }).collect();
    if cut || line.len() < text.len() { format!("{shown}...") } else { shown }
}

fn template_parameters(template: &Value) -> String {
    let parameters = template.list_at(&["parameters"]);
    let generated = parameters.iter().filter(|p| !p.str_at(&["generate"]).is_empty()).count();
    let blank = parameters
        .iter()
        .filter(|p| p.str_at(&["generate"]).is_empty() && p.str_at(&["value"]).is_empty())
        .count();
    let total = parameters.len();
    match (blank, generated) {
        (0, 0) => format!("{total} (all set)"),
        (0, generated) => format!("{total} ({generated} generated)"),
        (blank, _) => format!("{total} ({blank} blank)"),
    }
}

static TEMPLATE_INSTANCE: Printer = Printer {
    columns: &[named("NAME"), string("TEMPLATE")],
    cells: |instance, _| {
        let template = instance.str_at(&["spec", "template", "metadata", "name"]);
        vec![json!(instance.name()), json!(template)]
    },
};

static BROKER_TEMPLATE_INSTANCE: Printer = Printer {
    columns: &[named("NAME"), string("TEMPLATEINSTANCE")],
    cells: |instance, _| {
        let part = |field: &str| instance.str_at(&["spec", "templateInstance", field]);
        vec![json!(instance.name()), json!(format!("{}/{}", part("namespace"), part("name")))]
    },
};
