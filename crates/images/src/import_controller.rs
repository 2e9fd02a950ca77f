//! The import controllers: streams whose tags point outside are imported when they ask for it, and
//! again and again when they are scheduled.
//!
//! In a simulated world the answer is there at once. In a real one the request runs on a thread of its
//! own, at most one for a stream, and the loop goes on.
//!
//! Invariant: [`plan`] is pure and asks for nothing that was answered, well or badly, in the
//! generation that asked for it.
//!
//! Mirrors: `openshift/origin pkg/image/controller/{imagestream_controller,scheduled_image_controller}.go`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::Client;
use controller_runtime::{Context, Controller, Error, Key, Requeue, Watching, same_key};
use parking_lot::Mutex;
use world::Time;

use crate::history::{latest, status_tag};
use crate::import::apply::CHECKED;

pub(crate) const INSECURE: &str = "openshift.io/image.insecureRepository";

/// How often a scheduled tag is looked at.
const INTERVAL: Duration = Duration::from_secs(15 * 60);

/// Imports that run at once.
const MAX_RUNNING: usize = 10;

/// Wakes the loop from another thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What becomes of imports on other threads.
type Results = Arc<Mutex<BTreeMap<Key, Result<(), Status>>>>;

/// Runs imports: at once, or on threads.
#[derive(Clone)]
struct Runner {
    wake: Option<Wake>,
    running: BTreeMap<Key, ()>,
    results: Results,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("running", &self.running.len()).finish_non_exhaustive()
    }
}

impl Runner {
    fn new(wake: Option<Wake>) -> Self {
        Self { wake, running: BTreeMap::new(), results: Results::default() }
    }

    /// Whether an import of the stream is on its way.
    fn is_running(&self, key: &Key) -> bool {
        self.running.contains_key(key)
    }

    /// The keys whose imports have ended since the last call.
    fn ended(&mut self) -> Vec<Key> {
        let ended: Vec<Key> = {
            let results = self.results.lock();
            self.running.keys().filter(|key| results.contains_key(key)).cloned().collect()
        };
        for key in &ended {
            self.running.remove(key);
        }
        ended
    }

    /// What became of the last import of the stream, said once.
    fn result(&mut self, key: &Key) -> Result<(), Status> {
        self.results.lock().remove(key).unwrap_or(Ok(()))
    }

    /// POSTs an import; where it runs on a thread its result comes later.
    fn run(&mut self, client: &Client, key: &Key, import: Value) -> Result<Requeue, Error> {
        let Some(wake) = self.wake.clone() else {
            client.create(&api::IMAGE_STREAM_IMPORTS, key.namespace(), import)?;
            return Ok(Requeue::Done);
        };
        if self.running.len() >= MAX_RUNNING {
            return Ok(Requeue::After(Duration::from_secs(1)));
        }
        let (client, own, results) = (client.clone(), key.clone(), Arc::clone(&self.results));
        let work = move || {
            let result = client.create(&api::IMAGE_STREAM_IMPORTS, own.namespace(), import);
            results.lock().insert(own, result.map(drop));
            wake();
        };
        let thread = std::thread::Builder::new().name("import".to_owned()).spawn(work);
        thread.map_err(|error| Error::Retry(Status::internal(&error.to_string())))?;
        self.running.insert(key.clone(), ());
        Ok(Requeue::Done)
    }
}

/// Imports streams that ask for it.
#[derive(Debug)]
pub struct ImportController(Runner);

impl ImportController {
    /// With `wake`, imports run on threads and wake the loop when they end.
    #[must_use]
    pub fn new(wake: Option<Wake>) -> Self {
        Self(Runner::new(wake))
    }
}

impl Controller for ImportController {
    fn name(&self) -> &'static str {
        "image-import"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&api::IMAGE_STREAMS, same_key)]
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Option<Vec<Key>> {
        Some(self.0.ended())
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        if self.0.is_running(key) {
            return Ok(Requeue::Done);
        }
        self.0.result(key)?;
        let Some(stream) = cx.caches.get_key(&api::IMAGE_STREAMS, key) else {
            return Ok(Requeue::Done);
        };
        match plan(&stream) {
            Some(import) => self.0.run(cx.client, key, import),
            None => Ok(Requeue::Done),
        }
    }
}

/// Whether a spec tag is imported.
fn is_importable(tag: &Value) -> bool {
    tag.str_at(&["from", "kind"]) == "DockerImage" && !tag.bool_at(&["reference"])
}

/// Whether a spec tag is imported periodically.
fn is_scheduled(tag: &Value) -> bool {
    is_importable(tag) && tag.bool_at(&["importPolicy", "scheduled"])
}

/// Whether the tag's generation has been answered neither by an image nor by a failure.
fn is_unanswered(stream: &Value, tag: &Value) -> bool {
    let Some(wanted) = tag.int_at(&["generation"]) else { return true };
    let name = tag.str_at(&["name"]);
    let arrived = latest(stream, name).map_or(0, |event| event.generation);
    let conditions = status_tag(stream, name).map_or(&[][..], |e| e.list_at(&["conditions"]));
    let failed = conditions
        .iter()
        .filter(|condition| condition.str_at(&["type"]) == "ImportSuccess")
        .filter_map(|condition| condition.int_at(&["generation"]))
        .max();
    wanted > arrived.max(failed.unwrap_or(0))
}

/// The import that `stream` asks for; `None` when it asks for none.
#[must_use]
pub fn plan(stream: &Value) -> Option<Value> {
    if stream.deletion_timestamp().is_some() {
        return None;
    }
    let unchecked = stream.annotation(CHECKED).unwrap_or_default().is_empty();
    let repository = stream.str_at(&["spec", "dockerImageRepository"]);
    let full = unchecked && !repository.is_empty();
    let tags: Vec<&Value> = stream
        .list_at(&["spec", "tags"])
        .iter()
        .filter(|tag| is_importable(tag) && (unchecked || is_unanswered(stream, tag)))
        .collect();
    if tags.is_empty() && !full {
        return None;
    }
    let mut import = import_of(stream, &tags);
    if full {
        let insecure = stream.annotation(INSECURE) == Some("true");
        import["spec"]["repository"] = json!({
            "from": {"kind": "DockerImage", "name": repository},
            "importPolicy": if insecure { json!({"insecure": true}) } else { json!({}) },
            "referencePolicy": {"type": "Source"},
        });
    }
    Some(import)
}

/// An import of `tags`, meant for this version of the stream.
fn import_of(stream: &Value, tags: &[&Value]) -> Value {
    let images: Vec<Value> = tags
        .iter()
        .map(|tag| {
            json!({
                "from": {"kind": "DockerImage", "name": tag["from"]["name"]},
                "to": {"name": tag["name"]},
                "importPolicy": tag.get("importPolicy").cloned().unwrap_or_else(|| json!({})),
                "referencePolicy": tag.get("referencePolicy").cloned().unwrap_or_else(|| json!({})),
            })
        })
        .collect();
    let mut spec = json!({"import": true});
    if !images.is_empty() {
        spec["images"] = json!(images);
    }
    json!({
        "apiVersion": "image.openshift.io/v1", "kind": "ImageStreamImport",
        "metadata": {
            "name": stream.name(), "namespace": stream.namespace(), "uid": stream.uid(),
            "resourceVersion": stream.resource_version(),
        },
        "spec": spec,
    })
}

/// Imports the scheduled tags of every stream a quarter of an hour after its last import.
#[derive(Debug)]
pub struct ScheduledImportController {
    runner: Runner,
    /// When each stream's turn comes, and which state of it that was derived from.
    due: BTreeMap<Key, (Time, String)>,
}

impl ScheduledImportController {
    /// With `wake`, imports run on threads and wake the loop when they end.
    #[must_use]
    pub fn new(wake: Option<Wake>) -> Self {
        Self { runner: Runner::new(wake), due: BTreeMap::new() }
    }
}

impl Controller for ScheduledImportController {
    fn name(&self) -> &'static str {
        "image-import-scheduled"
    }

    fn watches(&self) -> Vec<Watching> {
        vec![Watching::new(&api::IMAGE_STREAMS, same_key)]
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Option<Vec<Key>> {
        Some(self.runner.ended())
    }

    fn reconcile(&mut self, cx: &mut Context<'_>, key: &Key) -> Result<Requeue, Error> {
        if self.runner.is_running(key) {
            return Ok(Requeue::Done);
        }
        // What cannot be imported now is tried again when its turn comes.
        let _refused = self.runner.result(key);
        let stream = cx.caches.get_key(&api::IMAGE_STREAMS, key);
        let tags =
            |stream: &Value| -> bool { stream.list_at(&["spec", "tags"]).iter().any(is_scheduled) };
        let Some(stream) = stream.filter(|stream| tags(stream)) else {
            self.due.remove(key);
            return Ok(Requeue::Done);
        };
        let now = cx.world.now();
        // A normal import sends the stream to the end of the line.
        let checked = stream.annotation(CHECKED).unwrap_or_default();
        let known = self.due.get(key).filter(|(_, state)| state == checked).map(|(due, _)| *due);
        let due = known.unwrap_or(now + INTERVAL);
        if now < due {
            self.due.insert(key.clone(), (due, checked.to_owned()));
            return Ok(Requeue::After(due.since(now)));
        }
        self.due.insert(key.clone(), (now + INTERVAL, checked.to_owned()));
        let tags = stream.list_at(&["spec", "tags"]).iter().filter(|tag| is_scheduled(tag));
        let import = import_of(&stream, &tags.collect::<Vec<_>>());
        match self.runner.run(cx.client, key, import) {
            Ok(Requeue::Done) | Err(_) => Ok(Requeue::After(INTERVAL)),
            Ok(later) => {
                self.due.insert(key.clone(), (now, checked.to_owned()));
                Ok(later)
            }
        }
    }
}
