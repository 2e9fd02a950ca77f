//! Names, labels and metadata.

use apimachinery::Value;
use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation::{self, object_meta};

use crate::errors::{agree, path};
use crate::harness::{Outcome, Row, Suites, same};

const UTIL: &str = "validation-and-defaults/validation-util.json";
const META: &str = "validation-and-defaults/validation-meta.json.gz";
const META_V1: &str = "validation-and-defaults/validation-meta-v1.json";
const CORE: &str = "validation-and-defaults/core-validation.json.gz";

/// Complaints as upstream returns them: null or a list of texts.
fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn name(
    suites: &mut Suites,
    file: &'static str,
    name: &'static str,
    arg: &'static str,
    rule: fn(&str) -> Vec<String>,
) {
    suites.add(file, name, move |row| {
        let got = rule(row.text(arg));
        same(&got.iter().map(String::as_str).collect(), &texts(row.result(0)))
    });
}

fn number(
    suites: &mut Suites,
    name: &'static str,
    arg: &'static str,
    rule: fn(i64) -> Vec<String>,
) {
    suites.add(UTIL, name, move |row| {
        let got = rule(row.arg(arg).as_i64().expect("a number"));
        same(&got.iter().map(String::as_str).collect(), &texts(row.result(0)))
    });
}

/// A rule with a path, for a text: complaints become errors of an invalid value.
fn at_path(
    suites: &mut Suites,
    file: &'static str,
    name: &'static str,
    arg: &'static str,
    rule: fn(&str) -> Vec<String>,
) {
    suites.add(file, name, move |row| {
        let (text, path) = (row.text(arg), here(row));
        let got: ErrorList =
            rule(text).iter().map(|why| Error::invalid(&path, text, why)).collect();
        agree(&got, row.result(0))
    });
}

fn here(row: &Row<'_>) -> Path {
    path(row.arg("fldPath")).expect("a path")
}

/// A table whose rows are all good, or all bad, values of one rule.
fn verdict(suites: &mut Suites, name: &'static str, rule: fn(&str) -> Vec<String>, good: bool) {
    suites.add(UTIL, name, move |row| {
        let text = row.input.as_str().or_else(|| row.input["input"].as_str()).expect("a text");
        same(&rule(text).is_empty(), &good)
    });
}

pub(super) fn register(suites: &mut Suites) {
    util(suites);
    util_tables(suites);
    metadata(suites);
    for (file, prefixed, rule) in [
        (META, "NameIsDNSLabel", object_meta::name_is_dns_label as object_meta::NameRule),
        (META, "NameIsDNSSubdomain", object_meta::name_is_dns_subdomain),
        (CORE, "NameIsDNSSubdomain", object_meta::name_is_dns_subdomain),
        (CORE, "NameIsDNS1035Label", object_meta::name_is_dns1035_label),
        (
            "validation-and-defaults/rbac-validation.json",
            "ValidateRBACName",
            object_meta::name_is_path_segment,
        ),
        (
            "validation-and-defaults/apps-validation.json",
            "ValidateStatefulSetName",
            object_meta::name_is_dns_subdomain,
        ),
    ] {
        suites.add(file, prefixed, move |row| {
            let got = rule(row.text("name"), row.arg("prefix") == true);
            same(&got.iter().map(String::as_str).collect(), &texts(row.result(0)))
        });
    }
    at_path(suites, CORE, "ValidateDNS1123Label", "value", validation::dns1123_label);
    at_path(suites, CORE, "ValidateDNS1123Subdomain", "value", validation::dns1123_subdomain);
    at_path(suites, META_V1, "ValidateLabelName", "labelName", validation::qualified_name);
    at_path(suites, META, "ValidateFinalizerName", "stringValue", validation::qualified_name);
}

fn util(suites: &mut Suites) {
    for (function, rule) in [
        ("IsCIdentifier", validation::c_identifier as fn(&str) -> Vec<String>),
        ("IsConfigMapKey", validation::config_map_key),
        ("IsDNS1035Label", validation::dns1035_label),
        ("IsDNS1123Label", validation::dns1123_label),
        ("IsDNS1123Subdomain", validation::dns1123_subdomain),
        ("IsHTTPHeaderName", validation::http_header_name),
        ("IsQualifiedName", validation::qualified_name),
        ("IsValidIP", validation::ip_address),
        ("IsValidLabelValue", validation::label_value),
        ("IsWildcardDNS1123Subdomain", validation::wildcard_dns1123_subdomain),
    ] {
        name(suites, UTIL, function, "value", rule);
    }
    name(suites, UTIL, "IsValidPercent", "percent", validation::percent);
    name(suites, UTIL, "IsValidPortName", "port", validation::port_name);
    number(suites, "IsValidGroupID", "gid", validation::user_id);
    number(suites, "IsValidUserID", "uid", validation::user_id);
    number(suites, "IsValidPortNum", "port", validation::port_number);
    suites.add(UTIL, "IsInRange", |row| {
        let [value, min, max] =
            ["value", "min", "max"].map(|arg| row.arg(arg).as_i64().expect("a number"));
        let got = validation::in_range(value, min, max);
        same(&got.iter().map(String::as_str).collect(), &texts(row.result(0)))
    });
    suites.add(UTIL, "IsFullyQualifiedName", |row| {
        // The recorded path is Go's nil path, which prints as `[]`.
        let path = Path::new("[]");
        agree(&validation::fully_qualified_name(row.text("name"), &path), row.result(0))
    });
}

fn util_tables(suites: &mut Suites) {
    for (test, rule, good) in [
        ("TestIsCIdentifier.L123", validation::c_identifier as fn(&str) -> Vec<String>, true),
        ("TestIsCIdentifier.L136", validation::c_identifier, false),
        ("TestIsConfigMapKey.L433", validation::config_map_key, true),
        ("TestIsConfigMapKey.L447", validation::config_map_key, false),
        ("TestIsDNS1035Label.L96", validation::dns1035_label, true),
        ("TestIsDNS1035Label.L111", validation::dns1035_label, false),
        ("TestIsDNS1123Label.L32", validation::dns1123_label, true),
        ("TestIsDNS1123Label.L46", validation::dns1123_label, false),
        ("TestIsDNS1123Subdomain.L64", validation::dns1123_subdomain, true),
        ("TestIsDNS1123Subdomain.L84", validation::dns1123_subdomain, false),
        ("TestIsHTTPHeaderName.L366", validation::http_header_name, true),
        ("TestIsHTTPHeaderName.L378", validation::http_header_name, false),
        ("TestIsQualifiedName.L267", validation::qualified_name, true),
        ("TestIsQualifiedName.L285", validation::qualified_name, false),
        ("TestIsValidIP.L338", validation::ip_address, true),
        ("TestIsValidIP.L351", validation::ip_address, false),
        ("TestIsValidLabelValue.L302", validation::label_value, true),
        ("TestIsValidLabelValue.L318", validation::label_value, false),
        ("TestIsValidPercent.L395", validation::percent, true),
        ("TestIsValidPercent.L414", validation::percent, false),
        ("TestIsValidPortName.L233", validation::port_name, true),
        ("TestIsValidPortName.L240", validation::port_name, false),
        ("TestIsWildcardDNS1123Subdomain.L460", validation::wildcard_dns1123_subdomain, true),
        ("TestIsWildcardDNS1123Subdomain.L473", validation::wildcard_dns1123_subdomain, false),
    ] {
        verdict(suites, test, rule, good);
    }
}

fn metadata(suites: &mut Suites) {
    suites.add(META_V1, "ValidateLabels", |row| {
        agree(
            &object_meta::validate_labels(row.arg("labels").as_object(), &here(row)),
            row.result(0),
        )
    });
    for file in [META, CORE] {
        suites.add(file, "ValidateAnnotations", |row| {
            let annotations = row.arg("annotations").as_object();
            agree(&object_meta::validate_annotations(annotations, &here(row)), row.result(0))
        });
    }
    suites.add(META, "ValidateOwnerReferences", |row| {
        let owners =
            row.arg("ownerReferences").as_array().map_or(&[][..], apimachinery::List::as_slice);
        agree(&object_meta::validate_owner_references(owners, &here(row)), row.result(0))
    });
    for (file, function) in [
        (META, "ValidateObjectMeta"),
        (META, "ValidateObjectMetaAccessor"),
        (CORE, "ValidateObjectMeta"),
    ] {
        suites.add(file, function, created);
    }
    for (file, function) in [
        (META, "ValidateObjectMetaUpdate"),
        (META, "ValidateObjectMetaAccessorUpdate"),
        (CORE, "ValidateObjectMetaUpdate"),
    ] {
        suites.add(file, function, |row| {
            let (new, old) = (row.arg("newMeta"), row.arg("oldMeta"));
            agree(&object_meta::validate_object_meta_update(new, old, &here(row)), row.result(0))
        });
    }
}

fn created(row: &Row<'_>) -> Outcome {
    let function = row
        .text("nameFn")
        .trim_end_matches('>')
        .rsplit_once("validation.")
        .map_or("", |(_, name)| name);
    let rule: object_meta::NameRule = match function {
        "NameIsDNSSubdomain" => object_meta::name_is_dns_subdomain,
        "NameIsDNSLabel" => object_meta::name_is_dns_label,
        "NameIsDNS1035Label" => object_meta::name_is_dns1035_label,
        // The test's own function, whose body the recording does not hold.
        "TestValidateObjectMetaCustomName.func1" => return Outcome::Skip,
        _ => |_, _| Vec::new(),
    };
    let meta = if row.arg("meta").is_null() { row.arg("objMeta") } else { row.arg("meta") };
    let namespaced = row.arg("requiresNamespace") == true;
    agree(&object_meta::validate_object_meta(meta, namespaced, rule, &here(row)), row.result(0))
}
