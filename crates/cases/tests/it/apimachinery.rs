//! Selectors, quantities, patches, metadata and small texts.

mod patches;
mod quantities;
mod selectors;

use apimachinery::Value;
use apimachinery::image_reference::ImageReference;
use apimachinery::{duration, gvk, int_or_string, yaml};

use crate::harness::{Outcome, Row, Suites, same};

const META: &str = "apimachinery/meta-v1.json";

pub(crate) fn register(suites: &mut Suites) {
    selectors::register(suites);
    quantities::register(suites);
    patches::register(suites);
    suites.add("apimachinery/intstr.json", "TestGetValueFromIntOrPercent.L161", |row| {
        let total = row.arg("total").as_i64().expect("a number");
        let got = int_or_string::resolve(row.arg("input"), total, row.arg("roundUp") == true);
        same(&got.as_ref().is_err(), &(row.arg("expectErr") == true)).and(|| {
            got.map_or(Outcome::Pass, |got| same(&Some(got), &row.arg("expectVal").as_i64()))
        })
    });
    suites.add("apimachinery/yaml.json", "TestYAMLOrJSONDecoder.L273", documents);
    suites.add("apimachinery/parsers.json", "ParseImageName", |row| {
        image(row.text("image"), [row.result(0), row.result(1), row.result(2)])
    });
    suites.add("apimachinery/parsers.json", "TestParseImageName.L42", |row| {
        image(row.text("Input"), [row.arg("Repo"), row.arg("Tag"), row.arg("Digest")])
    });
    for test in ["TestDurationUnmarshalJSON.L116", "TestDurationUnmarshalYAML.L68"] {
        suites.add(META, test, go_duration);
    }
    for test in [
        "TestDurationMarshalJSON.L89",
        "TestDurationMarshalJSONUnmarshalYAML.L137",
        "TestDurationMarshalYAML.L41",
    ] {
        suites.add(META, test, |row| {
            let text = row.text("input");
            same(&duration::go_parse(text).map(duration::go_format).as_deref(), &Some(text))
        });
    }
    suites.add(META, "TestGroupVersionMarshalJSON.L69", |row| {
        let (group, version) =
            row.text("input").split_once('/').unwrap_or_else(|| ("", row.text("input")));
        same(
            &format!("{{\"val\":\"{}\"}}", gvk::api_version(group, version)).as_str(),
            &row.text("expect"),
        )
    });
}

/// The document that one line of YAML or JSON holds under `d`.
fn go_duration(row: &Row<'_>) -> Outcome {
    let document = yaml::load_documents(row.text("input")).expect("readable");
    let text = document[0].value["d"].as_str().expect("a duration");
    same(&duration::go_parse(text).map(duration::go_format).as_deref(), &Some(row.text("result")))
}

fn documents(row: &Row<'_>) -> Outcome {
    // A buffer too small to tell JSON from YAML is upstream's business.
    if row.arg("buffer").as_i64() < Some(3) && row.arg("isJSON") == false {
        return Outcome::Skip;
    }
    let got = yaml::load_documents(row.text("input"));
    if row.arg("err") == true {
        return same(&got.is_err(), &true);
    }
    let values: Vec<Value> = match got {
        Ok(documents) => documents.into_iter().map(|document| document.value).collect(),
        Err(error) => return Outcome::Fail(error.to_string()),
    };
    // Upstream's decoder hands out an empty document for nothing but a separator.
    let want: Vec<&Value> =
        row.arg("out").as_array().into_iter().flatten().filter(|value| !value.is_null()).collect();
    same(&values.iter().collect::<Vec<_>>(), &want)
}

/// Repository, tag and digest that a container runtime sees in a pull spec.
fn image(text: &str, want: [&Value; 3]) -> Outcome {
    let Ok(parsed) = ImageReference::parse(text) else {
        return same(&"", &want[0].as_str().unwrap_or_default());
    };
    let full = parsed.docker_client_defaults();
    let repository =
        ImageReference { tag: String::new(), id: String::new(), ..full.clone() }.exact();
    let tag = if parsed.id.is_empty() { full.tag } else { parsed.tag };
    let got = [repository.as_str(), tag.as_str(), parsed.id.as_str()];
    same(&got, &want.map(|value| value.as_str().unwrap_or_default()))
}
