//! Replays what a real OpenShift 3.11 master answered to objects that were posted to it.
//!
//! `GOLDEN_DIR/apply/answers.jsonl.gz` holds one line an object. Each is posted in process to the API
//! server of a simulated cluster, into a namespace of its own, and the answers are compared: the code,
//! the causes and message of a refusal, the stored object without what no two servers share.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::{ApiServer, Body, Call, Client, DeleteOptions, FieldValidation, User};
use cluster::{Access, Cluster, Config, Runtime};
use cri::sim::SimImages;
use flate2::read::GzDecoder;
use hyper::body::Bytes;
use world::World;

use crate::discovery;
use crate::documents::{bare, differences};
use crate::harness::{Count, Report, say, setting};

const FILE: &str = "apply/answers.jsonl.gz";

/// Counts of one kind of comparison.
#[derive(Debug, Default)]
struct Tally {
    codes: Count,
    causes: Count,
    messages: Count,
    objects: Count,
    fields: Count,
}

fn note(count: &mut Count, passes: bool) {
    count.applicable += 1;
    count.passes += usize::from(passes);
}

/// Replays every line.
pub(crate) fn replay(dir: &str) -> Report {
    let images = Runtime::Sim(SimImages::new());
    let mut config = Config::new(World::simulated(1), images, 1);
    config.access = Access::Policy;
    let cluster = Cluster::start(config).expect("a cluster starts");
    let user = User::system_admin();
    let client = Client::new(cluster.server().clone(), user.clone());
    let mut report = Report::new();
    discovery::compare(dir, &mut report);
    let mut tally = Tally::default();
    let file = std::fs::File::open(Path::new(dir).join(FILE)).expect("the recording is there");
    for (index, line) in BufReader::new(GzDecoder::new(file)).lines().enumerate() {
        let line = line.expect("readable");
        let row: Value = serde_json::from_str(&line).expect("a line is JSON");
        // Processing a template is another request than creating it.
        if row["process"] == true {
            continue;
        }
        let namespace = format!("ns-{index}");
        client
            .create(&api::NAMESPACES, "", json!({"metadata": {"name": namespace}}))
            .expect("a namespace is made");
        let sent = as_sent(&line);
        let got = post(cluster.server(), &user, &namespace, &row, &sent);
        compare(&mut tally, index, &row, got.as_ref().map_err(Status::clone), &namespace);
        remove(&client, got.ok());
    }
    let Tally { codes, causes, messages, objects, fields } = tally;
    let lines = [
        ("codes", codes),
        ("causes", causes),
        ("messages", messages),
        ("objects", objects),
        ("fields", fields),
    ];
    for (name, count) in lines {
        let share = percent(count);
        say(&format!("{name}: {} of {} ({share:.1} %)", count.passes, count.applicable));
        report.insert((FILE.to_owned(), name.to_owned()), Some(count));
    }
    report
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn percent(count: Count) -> f64 {
    100.0 * count.passes as f64 / count.applicable.max(1) as f64
}

/// The resource that the recorder posted to: group-less OpenShift kinds went to their group.
fn target(row: &Value) -> Option<&'static api::Resource> {
    let (api_version, kind) = (row["apiVersion"].as_str()?, row["kind"].as_str()?);
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let known = api::resources::find_kind(group, version, kind);
    known.or_else(|| {
        let all = api::resources::resources().iter().copied();
        let mut all = all
            .filter(|resource| resource.kind == kind && resource.group.ends_with(".openshift.io"));
        all.find(|_| group.is_empty())
    })
}

/// The body as the recorder wrote it: members in their order, a blank after each comma and colon.
///
/// Refusals of wrong types quote it.
fn as_sent(line: &str) -> String {
    const MEMBER: &str = "\"request\":";
    let start = line.find(MEMBER).expect("a line has a request") + MEMBER.len();
    let mut values = serde_json::Deserializer::from_str(&line[start..]).into_iter::<Value>();
    values.next().expect("a request is there").expect("a request is JSON");
    let (mut out, mut quoted, mut escaped) = (String::new(), false, false);
    for letter in line[start..start + values.byte_offset()].chars() {
        out.push(letter);
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            ',' | ':' if !quoted => out.push(' '),
            _ => {}
        }
    }
    out
}

fn post(
    server: &ApiServer,
    user: &User,
    namespace: &str,
    row: &Value,
    sent: &str,
) -> Result<Value, Status> {
    let resource = target(row).ok_or_else(Status::no_such_path)?;
    let mut call = Call::new(user, resource);
    call.options.field_validation = FieldValidation::Ignore;
    let call = if resource.namespaced() { call.within(namespace) } else { call };
    let mut request = row["request"].clone();
    let mut sent = sent.to_owned();
    if let Some(named) = request["metadata"]["namespace"].as_str() {
        let member = |namespace: &str| format!("\"namespace\": {namespace:?}");
        sent = sent.replacen(&member(named), &member(namespace), 1);
        if resource.namespaced() {
            request["metadata"]["namespace"] = json!(namespace);
        }
    }
    // Where another member of that name comes first, the document has to do.
    let is_same = serde_json::from_str(&sent).is_ok_and(|document: Value| document == request);
    let body = if is_same { Bytes::from(sent).into() } else { Body::from(request) };
    let written = server.create(&call, body)?;
    Ok(serde_json::from_slice(&written.object.json()).expect("stored objects are JSON"))
}

/// Makes room for the next object of the same name, and gives back what it held, e.g. a node port.
fn remove(client: &Client, object: Option<Value>) {
    let Some(object) = object else { return };
    let (group, version) =
        object.api_version().split_once('/').unwrap_or_else(|| ("", object.api_version()));
    if let Some(resource) = api::resources::find_kind(group, version, object.kind()) {
        // What cannot be deleted again was not stored in the first place.
        drop(client.delete(
            resource,
            object.namespace(),
            object.name(),
            DeleteOptions::background(),
        ));
    }
}

fn compare(
    tally: &mut Tally,
    index: usize,
    row: &Value,
    got: Result<&Value, Status>,
    namespace: &str,
) {
    let answer = &row["answer"];
    let code = got.as_ref().map_or_else(|status| status.code, |_| 201);
    note(&mut tally.codes, answer["code"] == code);
    let mut complaints = Vec::new();
    if answer["code"] != code {
        let text =
            got.as_ref().map_or_else(|status| status.message.clone(), |_| "created".to_owned());
        complaints.push(format!(
            "code: want {} {}, got {code} {text}",
            answer["code"], answer["message"]
        ));
    }
    match got {
        Err(mut status) if answer["code"] != 201 => {
            status.message = status.message.replace(namespace, "NS");
            refusal(tally, answer, &status, &mut complaints);
        }
        Ok(object) if answer["code"] == 201 => {
            stored(tally, answer, object, namespace, &mut complaints);
        }
        _ => {}
    }
    let title = format!(
        "{index} {} {}",
        row["apiVersion"].as_str().unwrap_or_default(),
        row["kind"].as_str().unwrap_or_default()
    );
    if !complaints.is_empty()
        && setting("CASES_SHOW").is_some_and(|part| format!("golden {title}").contains(&part))
    {
        say(&format!("golden {title}\n    {}", complaints.join("\n    ")));
    }
}

fn refusal(tally: &mut Tally, answer: &Value, status: &Status, complaints: &mut Vec<String>) {
    let mut got: Vec<Value> = status
        .details
        .list_at(&["causes"])
        .iter()
        .map(|cause| json!([cause["reason"], cause["field"]]))
        .collect();
    let mut want = answer["causes"].as_array().cloned().unwrap_or_default();
    got.sort_by_key(Value::to_string);
    want.sort_by_key(Value::to_string);
    note(&mut tally.causes, got == want);
    // The recorder kept so much of a message.
    const KEPT: usize = 600;
    let message: String = status.message.chars().take(KEPT).collect();
    note(&mut tally.messages, answer["message"] == message);
    if answer["message"] != message {
        complaints.push(format!("want {}\n    got  {}", answer["message"], json!(status.message)));
    }
}

fn stored(
    tally: &mut Tally,
    answer: &Value,
    object: &Value,
    namespace: &str,
    complaints: &mut Vec<String>,
) {
    let want = bare(&answer["object"]);
    let mut got = bare(&named_as_recorded(object, namespace));
    for field in ["uid", "resourceVersion", "creationTimestamp", "selfLink", "generation"] {
        if want["metadata"][field].is_null()
            && let Some(metadata) = got["metadata"].as_object_mut()
        {
            metadata.remove(field);
        }
    }
    if want["status"].is_null() {
        got.as_object_mut().expect("an object").remove("status");
    }
    let mut places = Vec::new();
    differences(&got, &want, "", &mut places);
    // Generations and random ids are left out of the recording, or are what no two servers share.
    let volatile = |place: &str| {
        place.contains(".generation: want null") || place.contains("controller-uid: want \"")
    };
    places.retain(|place| !is_masked(place) && !volatile(place));
    let all = leaves(&want);
    tally.fields.applicable += all;
    tally.fields.passes += all.saturating_sub(places.len());
    note(&mut tally.objects, places.is_empty());
    complaints.extend(places);
}

/// Whether the recording hides the value, and there is one.
fn is_masked(place: &str) -> bool {
    place.contains("MASK") && !place.ends_with("got null")
}

fn named_as_recorded(object: &Value, namespace: &str) -> Value {
    match object {
        Value::String(text) if text.contains(namespace) => json!(text.replace(namespace, "NS")),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), named_as_recorded(value, namespace)))
            .collect(),
        Value::Array(list) => {
            list.iter().map(|value| named_as_recorded(value, namespace)).collect()
        }
        other => other.clone(),
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.values().map(leaves).sum(),
        Value::Array(list) => list.iter().map(leaves).sum(),
        _ => 1,
    }
}
