//! Comparing lists of validation errors with upstream's.
//!
//! Errors are compared as sets with counts: upstream walks maps in random order. Where upstream prints
//! a Go struct as the offending value (whose text holds pointers), place, kind and detail must agree.

use apimachinery::Value;
use apimachinery::field::{Error, ErrorList, Path};

use crate::harness::{Outcome, same};

/// Upstream's path document (`name` or `index`, with `parent`) as a path.
pub(crate) fn path(document: &Value) -> Option<Path> {
    let name = document["name"].as_str().filter(|name| !name.is_empty());
    let parent = document.get("parent").and_then(path);
    match (name, document["index"].as_str(), parent) {
        (Some(name), _, Some(parent)) => Some(parent.child(name)),
        (Some(name), _, None) => Some(Path::new(name)),
        (None, Some(index), Some(parent)) => Some(parent.key(index)),
        _ => None,
    }
}

fn expected(errors: &Value) -> impl Iterator<Item = &Value> {
    errors.as_array().into_iter().flatten()
}

/// Compares `got` with upstream's list.
pub(crate) fn agree(got: &[Error], want: &Value) -> Outcome {
    agree_on(got, want, |_| true)
}

/// Compares `got` with those of upstream's errors whose text `counts`.
pub(crate) fn agree_on(got: &[Error], want: &Value, counts: impl Fn(&str) -> bool) -> Outcome {
    if depends_on_gates(got, want) {
        return Outcome::Skip;
    }
    let mut wanted: Vec<String> = expected(want)
        .filter(|error| counts(text_of(error)))
        .map(|error| comparable(text_of(error), error["detail"].as_str().unwrap_or_default()))
        .collect();
    let mut found: Vec<String> = got
        .iter()
        .map(|error| {
            let text = error.to_string();
            let short = without_value(&text, &error.detail);
            if wanted.contains(&short) { short } else { text }
        })
        .collect();
    wanted.sort();
    found.sort();
    same(&found, &wanted)
}

/// Whether the row ran with a feature switched on that OpenShift 3.11 has switched off.
fn depends_on_gates(got: &[Error], want: &Value) -> bool {
    // The volume mode is dropped before it could be refused.
    if expected(want).any(|error| text_of(error).contains("volumeMode")) {
        return true;
    }
    let gate =
        |text: &str| text.contains("feature-gate") || text.contains("feature is not enabled");
    got.iter().any(|error| gate(&error.detail)) && !expected(want).any(|error| gate(text_of(error)))
}

fn text_of(error: &Value) -> &str {
    error["error"].as_str().unwrap_or_default()
}

fn comparable(text: &str, detail: &str) -> String {
    // A refused change of a pod comes with a dump of its fields.
    if let Some((first, dump)) = text.split_once('\n')
        && dump.starts_with('{')
    {
        return first.to_owned();
    }
    let is_struct = value_of(text, detail).is_some_and(|value| {
        value.contains('{') && !value.starts_with(['"', 'm']) || value.contains(" m=+")
    });
    if is_struct { without_value(text, detail) } else { text.to_owned() }
}

fn value_of<'a>(text: &'a str, detail: &str) -> Option<&'a str> {
    let text = text.strip_suffix(detail)?;
    let (_, rest) = text.split_once(" value: ")?;
    Some(rest.strip_suffix(": ").unwrap_or(rest))
}

fn without_value(text: &str, detail: &str) -> String {
    match value_of(text, detail) {
        Some(value) => format!("{} … {detail}", text.split(value).next().unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Those errors at or below `at`, with `at` renamed to `to`.
pub(crate) fn below(errors: ErrorList, at: &str, to: &str) -> Vec<Error> {
    let mut kept = Vec::new();
    for mut error in errors {
        let field = error.field.to_string();
        if let Some(rest) = field.strip_prefix(at)
            && (rest.is_empty() || rest.starts_with(['.', '[']) || to.is_empty())
        {
            let renamed = format!("{to}{rest}");
            error.field = Path::new(renamed.strip_prefix('.').unwrap_or(&renamed));
            kept.push(error);
        }
    }
    kept
}
