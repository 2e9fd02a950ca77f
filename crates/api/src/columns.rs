//! How objects look as rows of a table, as `kubectl get` and `oc get` show them.
//!
//! Kubernetes kinds have typed cells (integers for counts), OpenShift kinds texts only. A column of a
//! priority above 0 is shown with `-o wide`.
//!
//! Mirrors: `pkg/printers/internalversion` of Kubernetes 1.11 and `pkg/oc/lib/printers` of OpenShift
//! 3.11.
//! Deviation: the wide forms of image stream tags and images list each column once.
//!
//! Invariant: [`cells`] gives exactly one cell for each of [`columns`].

mod core;
mod image;
mod openshift;
mod platform;
mod pod;
mod text;
mod workload;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};
use world::Time;

use crate::Resource;

/// One column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Header; clients show it in capitals.
    pub name: &'static str,
    /// `string`, `integer`, `boolean` or `date`.
    pub kind: &'static str,
    /// `name` for the column that names the object, else empty.
    pub format: &'static str,
    pub description: &'static str,
    /// Above 0: only with `-o wide`.
    pub priority: i32,
}

const fn column(name: &'static str, kind: &'static str) -> Column {
    Column { name, kind, format: "", description: "", priority: 0 }
}

const fn string(name: &'static str) -> Column {
    column(name, "string")
}

const fn integer(name: &'static str) -> Column {
    column(name, "integer")
}

const fn wide(name: &'static str) -> Column {
    Column { priority: 1, ..string(name) }
}

/// The first column. OpenShift's headers are in capitals already.
const fn named(name: &'static str) -> Column {
    Column { format: "name", description: "The name of the object.", ..string(name) }
}

const NAME: Column = named("Name");
const AGE: Column = string("Age");

/// Columns of a kind and what makes its cells.
struct Printer {
    columns: &'static [Column],
    cells: fn(&Value, Time) -> Vec<Value>,
}

/// Kinds without a printer of their own.
static PLAIN: Printer = Printer {
    columns: &[NAME, column("Created At", "date")],
    cells: |object, _| vec![json!(object.name()), json!(object.creation_timestamp())],
};

fn printer(resource: &Resource) -> &'static Printer {
    let kind = resource.kind;
    let found = match resource.group {
        "" if kind == "Pod" => Some(&pod::POD),
        "" => core::printer(kind).or_else(|| workload::printer(kind)),
        "events.k8s.io" => core::printer(kind),
        "apps" | "extensions" | "batch" => {
            workload::printer(kind).or_else(|| platform::printer(kind))
        }
        "image.openshift.io" => image::printer(kind),
        group if group.ends_with(".openshift.io") => openshift::printer(kind),
        _ => platform::printer(kind),
    };
    let constraints = kind == "SecurityContextConstraints";
    found.or_else(|| constraints.then(|| openshift::printer(kind)).flatten()).unwrap_or(&PLAIN)
}

/// The columns of a resource's table.
#[must_use]
pub fn columns(resource: &Resource) -> &'static [Column] {
    printer(resource).columns
}

/// The row of `object`; `now` is what ages are counted from.
#[must_use]
pub fn cells(resource: &Resource, object: &Value, now: Time) -> Vec<Value> {
    (printer(resource).cells)(object, now)
}

/// The conditions of the row: pods that ended say `Completed`.
#[must_use]
pub fn conditions(resource: &Resource, object: &Value) -> Vec<Value> {
    if resource.kind != "Pod" {
        return Vec::new();
    }
    let (reason, message) = match object.str_at(&["status", "phase"]) {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return Vec::new(),
    };
    let condition =
        json!({"type": "Completed", "status": "True", "reason": reason, "message": message});
    vec![condition]
}

#[cfg(test)]
mod tests;
