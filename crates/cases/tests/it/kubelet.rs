//! What the node agent works out: variables, fields, volumes, conditions, quality of service.

mod pods;
mod volumes;

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::{Value, json};
use node::env::{self, Place, Source};
use node::expansion::expand;

use crate::documents::same_document;
use crate::harness::{Outcome, Row, Suites, same};

pub(crate) fn register(suites: &mut Suites) {
    suites.add("kubelet/expansion.json", "Expand", |row| {
        // The variables of upstream's two tests.
        let values: &[(&str, &str)] = if row.name() == "TestMapReference" {
            &[("FOO", "bar"), ("ZOO", "$(FOO)-1"), ("BLU", "$(ZOO)-2")]
        } else {
            &[
                ("VAR_A", "A"),
                ("VAR_B", "B"),
                ("VAR_C", "C"),
                ("VAR_REF", "$(VAR_A)"),
                ("VAR_EMPTY", ""),
            ]
        };
        if row.name() == "TestMapReference" {
            // Upstream's mapping expands while it looks up; ours is told expanded values.
            return Outcome::Skip;
        }
        let values =
            values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        same(&expand(row.text("input"), &values).as_str(), &row.result(0).as_str().expect("a text"))
    });
    fields(suites);
    commands(suites);
    suites.add("kubelet/kubelet-envvars.json", "FromServices", services);
    pods::register(suites);
    volumes::register(suites);
}

fn fields(suites: &mut Suites) {
    const FILE: &str = "kubelet/fieldpath.json";
    suites.add(FILE, "ExtractFieldPathAsString", |row| {
        let got = env::field_value(row.arg("obj"), row.text("fieldPath"), Place::default());
        match (got, row.result(1)["error"].as_str()) {
            (Ok(got), None) => same(&got.as_str(), &row.result(0).as_str().expect("a text")),
            (Err(_), Some(_)) => Outcome::Pass,
            (got, want) => Outcome::Fail(format!("{got:?}, want error {want:?}")),
        }
    });
    let split = |row: &Row<'_>| {
        env::split_subscript(row.text("fieldPath")).map(|(p, k)| (p.to_owned(), k.to_owned()))
    };
    suites.add(FILE, "SplitMaybeSubscriptedPath", move |row| {
        let want = row.result(2).as_bool().expect("a truth").then(|| {
            let text = |at: usize| row.result(at).as_str().expect("a text").to_owned();
            (text(0), text(1))
        });
        same(&split(row), &want)
    });
    suites.add(FILE, "TestSplitMaybeSubscriptedPath.L228", move |row| {
        let want = row.arg("expectedOK").as_bool().expect("a truth").then(|| {
            (row.text("expectedPath").to_owned(), row.text("expectedSubscript").to_owned())
        });
        same(&split(row), &want)
    });
    suites.add(FILE, "TestExtractFieldPathAsString.L142", |row| {
        let got = env::field_value(row.arg("obj"), row.text("fieldPath"), Place::default());
        match got {
            Ok(got) => same(&got.as_str(), &row.text("expectedValue")),
            Err(_) => same(&row.text("expectedMessageFragment").is_empty(), &false),
        }
    });
}

fn commands(suites: &mut Suites) {
    const FILE: &str = "kubelet/kubelet-container.json";
    let values = |row: &Row<'_>| -> BTreeMap<String, String> {
        let entry = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            (text("Name"), text("Value"))
        };
        row.arg("envs").as_array().into_iter().flatten().map(entry).collect()
    };
    let expanded = |list: &Value, values: &BTreeMap<String, String>| -> Value {
        let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        let words: Vec<String> = words.map(|word| expand(word, values)).collect();
        if words.is_empty() { Value::Null } else { json!(words) }
    };
    suites.add(FILE, "ExpandContainerCommandAndArgs", move |row| {
        let values = values(row);
        let container = row.arg("container");
        let got = [expanded(&container["command"], &values), expanded(&container["args"], &values)];
        same(&got, &[row.result(0).clone(), row.result(1).clone()])
    });
    suites.add(FILE, "TestExpandCommandAndArgs.L127", move |row| {
        let values = values(row);
        let container = row.arg("container");
        let got = [expanded(&container["command"], &values), expanded(&container["args"], &values)];
        same(&got, &[row.arg("expectedCommand").clone(), row.arg("expectedArgs").clone()])
    });
    suites.add(FILE, "TestExpandVolumeMountsWithSubpath.L237", move |row| {
        let mount = &row.arg("container")["volumeMounts"][0];
        let got = expand(mount["subPath"].as_str().unwrap_or_default(), &values(row));
        same(&got.as_str(), &row.text("expectedSubPath"))
    });
    suites.add(FILE, "ExpandContainerVolumeMounts", move |row| {
        let got = expand(row.arg("mount")["subPath"].as_str().unwrap_or_default(), &values(row));
        same(&json!(got), row.result(0))
    });
}

/// Services, and nothing else, as containers are told of them.
#[derive(Debug)]
struct Services(Vec<Arc<Value>>);

impl Source for Services {
    fn config_map(&self, _: &str) -> Option<Arc<Value>> {
        None
    }

    fn secret(&self, _: &str) -> Option<Arc<Value>> {
        None
    }

    fn services(&self) -> Vec<Arc<Value>> {
        self.0.clone()
    }
}

fn services(row: &Row<'_>) -> Outcome {
    let list = row.arg("services").as_array().into_iter().flatten();
    let source = Services(list.cloned().map(Arc::new).collect());
    let pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"containers": [{"name": "c"}]}});
    let got = env::environment(&pod, &pod["spec"]["containers"][0], Place::default(), &source);
    let got = got.expect("an environment").values;
    let want = row.result(0).as_array().into_iter().flatten();
    let want: BTreeMap<String, String> = want
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            (text("name"), text("value"))
        })
        .collect();
    same_document(&json!(got), &json!(want))
}
