//! Validation and defaults: whole objects, updates, parts of objects, names.
//!
//! A function that upstream calls for a part of an object is reached by putting the part into an
//! otherwise valid object and keeping the errors below its place.

mod core;
mod groups;
mod names;

use api::Resource;
use serde_json::{Value, json};

use crate::errors::{agree, agree_on, below, path};
use crate::harness::{Outcome, Row, Suites};

pub(crate) fn register(suites: &mut Suites) {
    names::register(suites);
    core::register(suites);
    groups::register(suites);
}

/// Tests that switch off what OpenShift 3.11 has switched on.
fn switches_off(row: &Row<'_>) -> bool {
    let tests = [
        "TestAlphaHugePagesIsolation",
        "TestValidateDisabledSubpath",
        "TestValidateLocalVolumesDisabled",
    ];
    tests.iter().any(|test| row.key == test) && row.result(0).to_string().contains("disabled by")
}

/// `name` validates whole objects of `resource`, given as `arg`.
fn whole(
    suites: &mut Suites,
    file: &'static str,
    name: &'static str,
    arg: &'static str,
    resource: &'static Resource,
) {
    suites.add(file, name, move |row| {
        if switches_off(row) {
            return Outcome::Skip;
        }
        let mut got = api::validation::create(resource, row.arg(arg));
        // The server checks the names of events apart from what upstream calls here.
        got.retain(|error| {
            resource.kind != "Event" || !error.field.to_string().starts_with("metadata.")
        });
        // The server has filled it in before.
        let filled = |text: &str| text != "volumeBindingMode: Required value";
        agree_on(&got, row.result(0), filled)
    });
}

/// `name` validates the change of the object `old` into `new`.
fn change(
    suites: &mut Suites,
    file: &'static str,
    name: &'static str,
    [new, old]: [&'static str; 2],
    resource: &'static Resource,
) {
    suites.add(file, name, move |row| {
        let (new, old) = (named(row.arg(new), resource), named(row.arg(old), resource));
        // Upstream checks the new object apart from the change; the server does both.
        let alone = api::validation::create(resource, &new);
        let mut got = api::validation::update(resource, &new, &old);
        got.retain(|error| !alone.contains(error) || wants(row.result(0), &error.to_string()));
        // Whether a version is required is decided by the server's strategies.
        agree_on(&got, row.result(0), |text| !text.starts_with("metadata.resourceVersion: "))
    });
}

fn wants(errors: &Value, text: &str) -> bool {
    errors.as_array().into_iter().flatten().any(|error| error["error"] == text)
}

/// Gives an object the name and namespace that every stored object has.
fn named(object: &Value, resource: &Resource) -> Value {
    let mut object = object.clone();
    let metadata = &mut object["metadata"];
    if metadata["name"].is_null() {
        metadata["name"] = json!("name");
    }
    if resource.namespaced() && metadata["namespace"].is_null() {
        metadata["namespace"] = json!("namespace");
    }
    object
}

/// Where a part stands in an object.
#[derive(Clone, Copy)]
struct Place {
    resource: &'static Resource,
    /// An object that is valid but for the part.
    base: fn() -> Value,
    /// JSON pointer of the part.
    pointer: &'static str,
    /// The same place as error paths have it.
    field: &'static str,
}

/// `name` validates a part of an object, given as `arg`, and reports it under the path `path_arg`.
fn part(
    suites: &mut Suites,
    file: &'static str,
    name: &'static str,
    args: [&'static str; 2],
    place: Place,
) {
    suites.add(file, name, move |row| check_part(row, args, place, 0));
}

fn check_part(row: &Row<'_>, [arg, path_arg]: [&str; 2], place: Place, result: usize) -> Outcome {
    if switches_off(row) {
        return Outcome::Skip;
    }
    let mut object = (place.base)();
    put(&mut object, place.pointer, row.arg(arg).clone());
    let to = path(row.arg(path_arg)).map_or_else(String::new, |path| path.to_string());
    let errors = api::validation::create(place.resource, &object);
    agree(&below(errors, place.field, &to), row.result(result))
}

/// Writes `value` at `pointer`, making objects on the way; a null removes.
fn put(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    let mut steps = pointer.trim_start_matches('/').split('/').peekable();
    while let Some(step) = steps.next() {
        let last = steps.peek().is_none();
        if last && value.is_null() {
            if let Some(map) = at.as_object_mut() {
                map.remove(step);
            }
            return;
        }
        at = match step.parse::<usize>() {
            Ok(index) if at.is_array() => &mut at[index],
            _ => &mut at[step],
        };
    }
    *at = value;
}
