//! Validation and defaults: whole objects, updates, parts of objects, names.
//!
//! A function that upstream calls for a part of an object is reached by putting the part into an
//! otherwise valid object and keeping the errors below its place.

mod core;
mod groups;
mod names;
mod parts;

use api::Resource;
use apimachinery::field::Error;
use apimachinery::{Value, json};

use crate::errors::{agree, agree_on, below, path};
use crate::harness::{Outcome, Row, Suites};

pub(crate) fn register(suites: &mut Suites) {
    names::register(suites);
    core::register(suites);
    groups::register(suites);
    parts::register(suites);
}

/// Tests that switch off what OpenShift 3.11 has switched on.
fn switches_off(row: &Row<'_>) -> bool {
    let tests = [
        "TestAlphaHugePagesIsolation",
        "TestValidateLimitRangeForLocalStorage",
        "TestValidateVolumeBindingModeAlphaDisabled",
        "TestValidateAllowedTopologies",
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
        if is_lost(row) {
            return Outcome::Skip;
        }
        let mut got = api::validation::create(served(resource, row.arg(arg)), row.arg(arg));
        // The server checks the names of events apart from what upstream calls here.
        got.retain(|error| {
            resource.kind != "Event" || !error.field.to_string().starts_with("metadata.")
        });
        // The server has filled it in before.
        let filled = |text: &str| text != "volumeBindingMode: Required value";
        agree_on(&got, row.result(0), filled)
    });
}

/// Rows whose recording lacks what the test is about: a field that `v1` cannot say, or an empty struct.
fn is_lost(row: &Row<'_>) -> bool {
    let lost = [
        "may not set both a target raw value and a target utilization",
        "additionalProperties and properties are mutual exclusive",
    ];
    let want = row.result(0).to_string();
    lost.iter().any(|text| want.contains(text))
}

/// The resource of the version that the object was recorded in, where that is another group's.
fn served(resource: &'static Resource, object: &Value) -> &'static Resource {
    let (group, version) =
        object["apiVersion"].as_str().and_then(|text| text.split_once('/')).unwrap_or_default();
    let known = api::resources::find_kind(group, version, resource.kind);
    known.filter(|_| group == "events.k8s.io").unwrap_or(resource)
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
        got.retain(|error| !alone.contains(error) || wants(row.result(0), error));
        // Upstream calls this apart from the check of metadata.
        if resource.kind == "PodDisruptionBudget" {
            got.retain(|error| error.field.to_string() != "metadata.generation");
        }
        // A server gives these fields a value before it looks.
        let given = ["spec.templateGeneration", "field is immutable after creation"];
        let resized = row.key == "TestValidatePersistentVolumeClaimUpdate" && got.is_empty();
        if row.result(0).to_string().contains(given[0])
            || resized && row.result(0).to_string().contains(given[1])
        {
            return Outcome::Skip;
        }
        // Whether a version is required is decided by the server's strategies.
        agree_on(&got, row.result(0), |text| !text.starts_with("metadata.resourceVersion: "))
    });
}

fn wants(errors: &Value, got: &Error) -> bool {
    let same =
        |error: &Value| error["field"] == got.field.to_string() && error["detail"] == got.detail;
    errors.as_array().into_iter().flatten().any(same)
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
    if switches_off(row) || is_emptied(row, arg) {
        return Outcome::Skip;
    }
    let mut object = (place.base)();
    put(&mut object, place.pointer, row.arg(arg).clone());
    let to = path(row.arg(path_arg)).map_or_else(String::new, |path| path.to_string());
    let errors = api::validation::create(place.resource, &object);
    agree(&below(errors, place.field, &to), row.result(result))
}

/// Rows about an empty struct or a pointer to `false`, which the recording leaves out, or about
/// clusters without privileged containers, which OpenShift's are not.
fn is_emptied(row: &Row<'_>, arg: &str) -> bool {
    let want = row.result(0).to_string();
    let asks = |text: &str| want.contains(text);
    let bare = |entry: &Value, most: usize| entry.as_object().is_some_and(|map| map.len() <= most);
    let entries = || row.arg(arg).as_array().into_iter().flatten();
    match arg {
        "spec" => asks("http.paths: Required value"),
        "vars" if asks(".valueFrom: ") => entries().any(|entry| bare(entry, 1)),
        "vars" if asks("Ref.name: ") => entries().any(|entry| bare(entry, 0)),
        "sc" => {
            asks("disallowed by cluster policy")
                || asks("CAP_SYS_ADMIN") && row.arg(arg)["allowPrivilegeEscalation"].is_null()
        }
        _ => false,
    }
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
