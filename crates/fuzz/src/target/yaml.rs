//! YAML as manifests and apply patches bring it.
//!
//! Holds: what was read can be written and read back the same.

use apimachinery::Value;
use apimachinery::yaml::{load_documents, load_documents_strict, to_yaml};

use super::{Target, check, kind, samples, shape};

pub(super) const TARGET: Target = Target {
    name: "yaml",
    samples: || samples(SAMPLES),
    words: &[
        "---\n",
        "- ",
        ": ",
        "? ",
        "&a ",
        "*a",
        "<<: *a",
        "!!binary ",
        "!!str ",
        "!!int ",
        "|\n  ",
        ">-\n  ",
        "yes",
        "on",
        "~",
        "0o17",
        "0x1f",
        "1_000",
        "1:30",
        ".inf",
        ".nan",
        "2001-01-01",
        "%YAML 1.1\n",
        "# c\n",
        "{a: b}",
        "[a, b]",
        "\n  ",
        "\"\\x41\"",
        "''",
    ],
    max: 60_000,
    attempt,
};

const SAMPLES: &[&str] = &[
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels: {app: web, \"x\": 'y'}\nspec:\n  \
     containers:\n  - name: c\n    image: \"hello:v1\"\n    args: [\"-c\", 'it''s', 0644]\n",
    "---\na: 1\n---\nb: &x {c: [1, 2.5, ~, yes, 0x1f, 1e3]}\nd: *x\ne:\n  <<: *x\n  f: |\n    text\n    \
     more\n  g: >-\n    folded\n    text\n...\n",
    "{\"a\": [1, {\"b\": null}], \"c\": \"\\u00e9\\n\"}",
    "? complex\n: value\nbinary: !!binary aGVsbG8=\ntyped: !!str 12\nempty:\nlast: \"\\x41\\u263a\"\n",
];

fn attempt(input: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(input);
    let read = load_documents(&text);
    let strict = load_documents_strict(&text);
    check(strict.is_err() || read.is_ok(), || "read strictly but not leniently".to_owned())?;
    let documents = match read {
        Ok(documents) => documents,
        Err(error) => return Ok(kind(&error.to_string())),
    };
    let mut shapes = String::new();
    for document in documents {
        shapes.push_str(&shape(&document.value));
        back(&document.value)?;
    }
    Ok(shapes)
}

fn back(value: &Value) -> Result<(), String> {
    let text = to_yaml(value);
    let read = load_documents(&text).map_err(|error| format!("cannot read back: {error}"))?;
    let again = read.into_iter().next().map_or(Value::Null, |document| document.value);
    check(again == *value, || format!("read back differently: {}", kind(&text)))
}
