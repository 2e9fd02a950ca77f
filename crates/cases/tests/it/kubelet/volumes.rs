//! The files of volumes.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::ObjectExt as _;
use apimachinery::{Map, Value, json};
use cri::FileEntry;
use node::env::{Place, Source};
use node::volumes;

use crate::harness::{Outcome, Row, Suites, same};

/// Path → content and mode, as upstream's payloads have them.
type Payload = BTreeMap<String, (String, u64)>;

fn payload(files: Vec<FileEntry>) -> Payload {
    let entry = |file: FileEntry| {
        let text = String::from_utf8_lossy(&file.data).into_owned();
        (file.path, (text, u64::from(file.mode)))
    };
    files.into_iter().map(entry).collect()
}

fn wanted(value: &Value) -> Payload {
    let entry = |(path, file): (&apimachinery::Text, &Value)| {
        let mode = file["Mode"].as_u64().unwrap_or_default();
        (path.to_string(), (file["Data"].as_str().unwrap_or_default().to_owned(), mode))
    };
    value.as_object().into_iter().flatten().map(entry).collect()
}

/// Compares with a payload, or with a refusal where there is none.
fn compare(got: Result<Vec<FileEntry>, String>, want: Option<&Value>) -> Outcome {
    match (got, want) {
        (Ok(files), Some(want)) => same(&payload(files), &wanted(want)),
        (Err(_), None) => Outcome::Pass,
        (got, want) => Outcome::Fail(format!("{got:?}, want {want:?}")),
    }
}

fn mode(value: &Value) -> u32 {
    value.as_u64().and_then(|mode| u32::try_from(mode).ok()).expect("a mode")
}

/// The object of a row, with the kind that tells how its data is written.
fn object(row: &Row<'_>, kind: &str) -> Value {
    let (field, name) =
        if kind == "secret" { ("secret", "Secret") } else { ("configMap", "ConfigMap") };
    let mut object = row.arg(field).clone();
    object["kind"] = json!(name);
    object
}

pub(super) fn register(suites: &mut Suites) {
    for (file, table, kind) in [
        ("kubelet/volume-configmap.json", "TestMakePayload.L272", "configMap"),
        ("kubelet/volume-secret.json", "TestMakePayload.L243", "secret"),
        ("kubelet/volume-projected.json", "TestCollectDataWithConfigMap.L487", "configMap"),
        ("kubelet/volume-projected.json", "TestCollectDataWithSecret.L240", "secret"),
    ] {
        let optional = |row: &Row<'_>| row.arg("optional").as_bool().unwrap_or_default();
        let succeeds = |row: &Row<'_>| row.arg("success").as_bool() == Some(true);
        if file.contains("projected") {
            suites.add(file, table, move |row| {
                let (items, name) = (row.arg("mappings").clone(), "o");
                let part = json!({"name": name, "items": items, "optional": optional(row)});
                let source = One(object(row, kind));
                let sources = [json!({kind: part})];
                let default = mode(row.arg("mode"));
                let place = Place::default();
                let got = volumes::projection(&json!({}), &sources, default, place, &source);
                compare(got, succeeds(row).then(|| row.arg("payload")))
            });
            continue;
        }
        suites.add(file, table, move |row| {
            let items = row.arg("mappings").as_array().cloned().unwrap_or_default();
            let default = mode(row.arg("mode"));
            let got = volumes::payload(kind, &items, &object(row, kind), default, optional(row));
            compare(got, succeeds(row).then(|| row.arg("payload")))
        });
        suites.add(file, "MakePayload", move |row| {
            let items = row.arg("mappings").as_array().cloned().unwrap_or_default();
            let default = mode(row.arg("defaultMode"));
            let got = volumes::payload(kind, &items, &object(row, kind), default, optional(row));
            let failed = row.result(1).is_object();
            compare(got, (!failed).then(|| row.result(0)))
        });
    }
    downward(suites);
    paths(suites);
}

/// A namespace with one object, whatever its name.
#[derive(Debug)]
struct One(Value);

impl Source for One {
    fn config_map(&self, _: &str) -> Option<Arc<Value>> {
        Some(Arc::new(self.0.clone()))
    }
    fn secret(&self, _: &str) -> Option<Arc<Value>> {
        Some(Arc::new(self.0.clone()))
    }
    fn services(&self) -> Vec<Arc<Value>> {
        Vec::new()
    }
}

fn downward(suites: &mut Suites) {
    let table = "TestCollectDataWithDownwardAPI.L665";
    suites.add("kubelet/volume-projected.json", table, |row| {
        let items = row.arg("volumeFile").as_array().expect("a list");
        let default = mode(row.arg("mode"));
        let got = volumes::downward_files(row.arg("pod"), items, default, Place::default());
        let succeeds = row.arg("success").as_bool() == Some(true);
        compare(got, succeeds.then(|| row.arg("payload")))
    });
    suites.add("kubelet/volume-downwardapi.json", "TestDownwardAPI.L183", |row| {
        let mut metadata = json!({"name": "test_metadata_name", "namespace": "test_metadata_namespace",
            "labels": row.arg("podLabels"), "annotations": row.arg("podAnnotations")});
        for step in row.arg("steps").as_array().into_iter().flatten() {
            if let Some(labels) = step.at(&["newLabels"]) {
                metadata.set(&["labels"], labels.clone());
            }
        }
        let pod = json!({"metadata": metadata});
        let files = row.arg("files").as_object().expect("files");
        let item = |(path, field): (&apimachinery::Text, &Value)| {
            json!({"path": path, "fieldRef": {"fieldPath": field},
                   "mode": row.arg("modes").get(path).cloned().unwrap_or_else(|| json!(0o644))})
        };
        let items: Vec<Value> = files.iter().map(item).collect();
        let made = volumes::downward_files(&pod, &items, 0o644, Place::default());
        let made = made.and_then(volumes::clean);
        let Ok(made) = made else { return Outcome::Fail(format!("{made:?}")) };
        verify(row, &payload(made))
    });
}

fn verify(row: &Row<'_>, made: &Payload) -> Outcome {
    for step in row.arg("steps").as_array().into_iter().flatten() {
        let Some((content, mode)) = made.get(step.str_at(&["stepName", "name"])) else {
            continue;
        };
        let outcome = match (step.str_at(&["_type"]), &step["expected"]) {
            ("downwardapi.verifyMapInFile", Value::Object(want)) => same(content, &lines(want)),
            ("downwardapi.verifyLinesInFile", Value::String(want)) => {
                same(content, &want.to_string())
            }
            ("downwardapi.verifyMode", want) => same(&json!(mode), want),
            _ => Outcome::Pass,
        };
        if !matches!(outcome, Outcome::Pass) {
            return outcome;
        }
    }
    Outcome::Pass
}

fn lines(map: &Map) -> String {
    let line = |(key, value): (&apimachinery::Text, &Value)| format!("{key}={value}");
    map.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn paths(suites: &mut Suites) {
    suites.add("kubelet/volume-util.json", "TestValidatePath.L118", |row| {
        same(&json!(volumes::check_path(row.text("path")).is_ok()), row.arg("valid"))
    });
    suites.add("kubelet/volume-util.json", "TestValidatePayload.L885", |row| {
        let file = |path: &str| FileEntry { path: path.to_owned(), mode: 0, data: Arc::from([]) };
        let files = row.arg("payload").as_object().into_iter().flatten();
        let got = volumes::clean(files.map(|(path, _)| file(path)).collect());
        let paths = |payload: Payload| payload.into_keys().collect::<Vec<_>>();
        match row.arg("valid").as_bool() {
            Some(true) => same(
                &got.map(|files| paths(payload(files))),
                &Ok(paths(wanted(row.arg("expected")))),
            ),
            _ => same(&got.is_err(), &true),
        }
    });
}
