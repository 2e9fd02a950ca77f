//! What a URL, a method and an `Accept` header ask for.

use api::Verb;
use apimachinery::selector::{FieldSelector, LabelSelector};
use apimachinery::{Value, json};
use apiserver::http::accept::{Encoding, clauses, negotiate};
use apiserver::http::path::{ResourcePath, Target};
use hyper::Method;

use crate::harness::{Outcome, Row, Suites, same};

const REQUEST: &str = "apiserver/endpoints-request.json";
const NEGOTIATION: &str = "apiserver/endpoints-negotiation.json";
const STORAGE: &str = "apiserver/storage.json";

fn parse(url: &str) -> (Target, &str) {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    (Target::parse(path), query)
}

fn asks_to_watch(query: &str) -> bool {
    query.split('&').any(|pair| matches!(pair, "watch" | "watch=1" | "watch=true"))
}

fn is_resource(url: &str) -> bool {
    matches!(parse(url).0, Target::Resource(_))
}

pub(super) fn register(suites: &mut Suites) {
    suites.add(REQUEST, "TestGetAPIRequestInfo.L94", request_info);
    suites.add(REQUEST, "TestGetAPIRequestInfo.L135", |row| same(&is_resource(row.word()), &false));
    suites.add(REQUEST, "TestGetNonAPIRequestInfo.L173", |row| {
        same(&json!(is_resource(row.text("url"))), row.arg("expected"))
    });
    suites.add(REQUEST, "TestFieldSelectorParsing.L249", |row| {
        let (target, query) = parse(row.text("url"));
        let Target::Resource(path) = target else {
            return Outcome::Fail("no resource".to_owned());
        };
        let selector = query.split('&').find_map(|pair| pair.strip_prefix("fieldSelector="));
        let selector = FieldSelector::parse(selector.unwrap_or_default()).unwrap_or_default();
        let name = selector.required_value("metadata.name").unwrap_or_default();
        same(&name, &row.text("expectedName")).and(|| {
            let verb = path.verb(&Method::GET, asks_to_watch(query)).map(Verb::as_str);
            same(&verb, &Some(row.text("expectedVerb")))
        })
    });
    suites.add(NEGOTIATION, "TestNegotiate.L228", negotiated);
    suites.add(NEGOTIATION, "NegotiateMediaTypeOptions", |row| {
        // The other encoding is chosen before, by its own name.
        if row.text("header") == "application/protobuf" || row.arg("accepted").is_null() {
            return Outcome::Skip;
        }
        let header = row.text("header");
        let pretty = clauses(Some(header)).iter().any(|clause| clause.parameter("pretty") == "1");
        same(&json!(negotiate(Some(header)).is_ok()), row.result(1))
            .and(|| same(&json!(pretty), &row.result(0)["Pretty"]))
    });
    suites.add(STORAGE, "TestSelectionPredicate.L100", |row| {
        // Initializers do not exist here, and no object is of another type than its store.
        if row.arg("uninitialized") == true || row.arg("err").is_object() {
            return Outcome::Skip;
        }
        let labels = LabelSelector::parse(row.text("labelSelector")).expect("a selector");
        let fields = FieldSelector::parse(row.text("fieldSelector")).expect("a selector");
        let read = |field: &str| row.arg("fields")[field].as_str().unwrap_or_default().to_owned();
        let matches = labels.matches(row.arg("labels").as_object()) && fields.matches(read);
        same(&json!(matches), row.arg("shouldMatch"))
    });
}

fn request_info(row: &Row<'_>) -> Outcome {
    let (target, query) = parse(row.text("url"));
    // The verb `proxy` before the path went out of use with Kubernetes 1.4 and is not served.
    if row.text("expectedVerb") == "proxy" {
        return Outcome::Skip;
    }
    let Target::Resource(path) = target else { return Outcome::Fail("no resource".to_owned()) };
    let method = Method::from_bytes(row.text("method").as_bytes()).expect("a method");
    let verb = path.verb(&method, asks_to_watch(query)).map(Verb::as_str);
    let ResourcePath { group, version, namespace, plural, name, subresource, rest, .. } = path;
    // Upstream gives a Namespace itself as its namespace.
    let namespace = if plural == "namespaces" { name.clone() } else { namespace };
    let parts: Vec<Value> = [&plural, &name, &subresource, &rest]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(|part| json!(part))
        .collect();
    let got = [group.as_str(), &version, &namespace, &plural, &name, &subresource];
    let want = [
        "expectedAPIGroup",
        "expectedAPIVersion",
        "expectedNamespace",
        "expectedResource",
        "expectedName",
        "expectedSubresource",
    ];
    same(&verb, &Some(row.text("expectedVerb")))
        .and(|| same(&got, &want.map(|field| row.text(field))))
        .and(|| same(&json!(parts), row.arg("expectedParts")))
}

fn negotiated(row: &Row<'_>) -> Outcome {
    let offered = row.arg("ns")["types"].as_array();
    let offers_json = offered.is_some_and(|types| types.contains(&json!("application/json")));
    // A server without JSON does not exist here; the other encoding is chosen before, by its name.
    if !offers_json || row.text("accept") == "application/protobuf" {
        return Outcome::Skip;
    }
    let got = negotiate(Some(row.text("accept"))).map(|accepted| accepted.encoding);
    same(&got.ok(), &Some(Encoding::Json))
        .and(|| same(&row.text("contentType"), &"application/json"))
}
