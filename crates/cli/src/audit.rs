//! `rehearse audit`: who changed what in a cluster that is up, and who was refused.
//!
//! Invariant: a line each, oldest first; with `-o json` every event as the API shows it.

use anyhow::Result;
use apimachinery::{ObjectExt as _, Value};
use clap::{Args, ValueEnum};

use crate::api_client::Chosen;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    cluster: Chosen,
    /// Only what this user did, under their own name or as someone else.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only what happened in this namespace.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    /// Only what was done with this verb: create, update, patch, delete …
    #[arg(long, value_name = "VERB")]
    verb: Option<String>,
    /// Only what was done with this resource, e.g. `deployments` or `deployments/web`.
    #[arg(long, value_name = "RESOURCE[/NAME]")]
    resource: Option<String>,
    /// Only what was refused.
    #[arg(long)]
    refused: bool,
    /// How to print.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A line for each event.
    Table,
    /// A list of `audit.k8s.io/v1` events.
    Json,
}

/// Prints the trail.
pub(crate) fn audit(options: &Options) -> Result<bool> {
    let client = options.cluster.client()?;
    let selector = selector(options);
    let query =
        if selector.is_empty() { String::new() } else { format!("?fieldSelector={selector}") };
    let mut list = client.get(&format!("/apis/audit.k8s.io/v1/events{query}"))?;
    if let Some(items) = list.pointer_mut("/items").and_then(Value::as_array_mut) {
        items.retain(|event| fits(options, event));
    }
    if options.output == Output::Json {
        out!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(true);
    }
    let events = list.list_at(&["items"]);
    if events.is_empty() {
        out!("nothing was changed or refused that fits");
        return Ok(true);
    }
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(events.iter().map(row));
    for line in aligned(&rows) {
        out!("{line}");
    }
    Ok(true)
}

/// What the server can choose by.
fn selector(options: &Options) -> String {
    let resource = options.resource.as_deref().unwrap_or_default();
    let (resource, name) = resource.split_once('/').unwrap_or((resource, ""));
    let wanted = [
        ("verb", options.verb.as_deref().unwrap_or_default()),
        ("objectRef.namespace", options.namespace.as_deref().unwrap_or_default()),
        ("objectRef.resource", resource),
        ("objectRef.name", name),
    ];
    let wanted = wanted.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> =
        wanted.map(|(field, value)| format!("{field}%3D{}", encoded(value))).collect();
    pairs.join("%2C")
}

/// Percent-encodes everything but what needs it nowhere.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn fits(options: &Options, event: &Value) -> bool {
    let user = options.user.as_deref().is_none_or(|user| {
        let names = [&["user", "username"], &["impersonatedUser", "username"]];
        names.iter().any(|path| event.str_at(&path[..]) == user)
    });
    user && (!options.refused || event.int_at(&["responseStatus", "code"]) >= Some(400))
}

const HEAD: [&str; 6] = ["TIME", "USER", "VERB", "OBJECT", "NAMESPACE", "CODE"];

fn row(event: &Value) -> [String; 6] {
    let text = |path: &[&str]| event.str_at(path).to_owned();
    let mut user = text(&["user", "username"]);
    let acted = text(&["impersonatedUser", "username"]);
    if !acted.is_empty() {
        user = format!("{user} as {acted}");
    }
    let of = |field: &str| text(&["objectRef", field]);
    let mut object = of("resource");
    if !of("apiGroup").is_empty() {
        object = format!("{object}.{}", of("apiGroup"));
    }
    for part in [of("name"), of("subresource")] {
        if !part.is_empty() {
            object = format!("{object}/{part}");
        }
    }
    let code = event.int_at(&["responseStatus", "code"]).unwrap_or_default();
    let reason = text(&["responseStatus", "reason"]);
    let code = if reason.is_empty() { code.to_string() } else { format!("{code} {reason}") };
    [text(&["stageTimestamp"]), user, text(&["verb"]), object, of("namespace"), code]
}

/// Columns padded to their widest cell.
fn aligned(rows: &[[String; 6]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn a_line_says_who_did_what_to_which_object() {
        let event = json!({
            "verb": "patch", "stageTimestamp": "2026-01-01T00:00:00.000000Z",
            "user": {"username": "ann"}, "impersonatedUser": {"username": "bob"},
            "objectRef": {"apiGroup": "apps", "resource": "deployments", "namespace": "shop",
                "name": "web", "subresource": "scale"},
            "responseStatus": {"code": 403, "reason": "Forbidden"},
        });
        assert_eq!(
            aligned(&[row(&event)]),
            [
                "2026-01-01T00:00:00.000000Z   ann as bob   patch   deployments.apps/web/scale   shop   \
             403 Forbidden"
            ]
        );
    }
}
