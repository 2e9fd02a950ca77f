//! Images and bytes that nobody needs any more, on request: an `ImagePruning` of `registry.rehearse/v1`
//! is posted with what to keep in its `spec` and comes back with what went, or would go, in its
//! `status`.
//!
//! [`images::prune`] decides which images go; here they are taken out of the history of streams, then
//! removed, then the bytes that no image is made of any more. The requests that `oc adm prune images`
//! sends come to the same (see `handler`), but clients cannot know which bytes belong to no image at
//! all.
//!
//! Invariant: nothing goes unless the request says `confirm`.
//! Invariant: bytes that an image which stays is made of stay, whoever pushed them.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use api::{IMAGE_STREAMS, IMAGES, Resource, Verb};
use apimachinery::json;
use apimachinery::{ObjectExt as _, Reason, Status, Value};
use apiserver::server::Builder;
use apiserver::{Call, Client, DeleteOptions, HandlerContext, RestHandler, Stored, User, Written};
use images::prune::{HOLDERS, Keep, Observed, Plan, plan, without};
use world::Time;

use crate::digest::Digest;
use crate::handler::State;
use crate::manifest::Manifest;

/// Prunings.
pub static IMAGE_PRUNINGS: Resource = Resource::in_cluster(
    "registry.rehearse",
    "v1",
    "imageprunings",
    "imagepruning",
    "ImagePruning",
)
.only(&[Verb::Create]);

/// How often a stream that others write too is read again.
const ATTEMPTS: usize = 5;

/// Serves prunings once its registry is up; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Prunings(Arc<OnceLock<Weak<State>>>);

/// What of the registry's bytes goes.
#[derive(Debug, Default)]
struct Sweep {
    blobs: BTreeSet<Digest>,
    bytes: u64,
}

impl Prunings {
    /// Plugs it into an API server under construction.
    #[must_use]
    pub fn extend(&self, builder: Builder) -> Builder {
        builder.extension(&IMAGE_PRUNINGS, Box::new(self.clone()))
    }

    /// From now on it is about the bytes of this registry.
    pub(crate) fn serve(&self, state: &Arc<State>) {
        // A registry is started once.
        drop(self.0.set(Arc::downgrade(state)));
    }
}

impl RestHandler for Prunings {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let state = self.0.get().and_then(Weak::upgrade);
        let state = state
            .ok_or_else(|| Status::new(Reason::ServiceUnavailable, "the registry is not up"))?;
        cx.server.authorize(&Call::new(cx.call.user, &IMAGES), Verb::Delete)?;
        let stream_status = Call::new(cx.call.user, &IMAGE_STREAMS).subresource("status");
        cx.server.authorize(&stream_status, Verb::Update)?;
        let keep = keep(&body)?;
        let now = cx.server.world().now();
        let client = Client::new(cx.server.clone(), User::system_admin());
        let plan = plan(&observe(&client)?, keep, now);
        // No manifest is stored meanwhile.
        let _guard = state.manifests.lock();
        if body.bool_at(&["spec", "confirm"]) {
            forget(&client, &plan)?;
            for image in &plan.images {
                match client.delete(&IMAGES, "", image, DeleteOptions::default()) {
                    Err(status) if !status.is_not_found() => return Err(status),
                    _ => {}
                }
            }
        }
        let sweep = sweep(&state, &client, &plan, keep.younger_than, now)?;
        if body.bool_at(&["spec", "confirm"]) {
            remove(&state, &sweep).map_err(|error| failed(&error))?;
        }
        body.set(&["status"], told(&plan, &sweep));
        Ok(Written::created(Stored::new(body)))
    }
}

fn keep(body: &Value) -> Result<Keep, Status> {
    let number = |field: &str, usual: u64| match body.at(&["spec", field]) {
        None | Some(Value::Null) => Ok(usual),
        Some(value) => value.as_u64().ok_or_else(|| {
            Status::bad_request(format!("spec.{field}: must be a number and not negative"))
        }),
    };
    let usual = Keep::default();
    let revisions = number("keepTagRevisions", usual.tag_revisions as u64)?;
    let seconds = number("keepYoungerThanSeconds", usual.younger_than.as_secs())?;
    Ok(Keep {
        tag_revisions: usize::try_from(revisions).unwrap_or(usize::MAX),
        // A century is as good as for ever, and times stay within bounds.
        younger_than: Duration::from_secs(seconds.min(100 * 365 * 24 * 3600)),
    })
}

fn observe(client: &Client) -> Result<Observed, Status> {
    let mut holders = Vec::new();
    for resource in HOLDERS {
        holders.extend(client.list(resource, "")?);
    }
    Ok(Observed {
        images: client.list(&IMAGES, "")?,
        streams: client.list(&IMAGE_STREAMS, "")?,
        holders,
    })
}

/// Takes the revisions out of their streams.
fn forget(client: &Client, plan: &Plan) -> Result<(), Status> {
    for ((namespace, name), revisions) in &plan.streams {
        let mut outcome = Ok(());
        for _ in 0..ATTEMPTS {
            let Some(stream) = client.find(&IMAGE_STREAMS, namespace, name)? else { break };
            let written = client.update_status(&IMAGE_STREAMS, without(&stream, revisions));
            outcome = written.map(drop);
            if !outcome.as_ref().is_err_and(Status::is_conflict) {
                break;
            }
        }
        outcome?;
    }
    Ok(())
}

/// The bytes that no image is made of which is not in `plan`, and that are old enough.
fn sweep(
    state: &State,
    client: &Client,
    plan: &Plan,
    younger_than: Duration,
    now: Time,
) -> Result<Sweep, Status> {
    let mut used: BTreeSet<Digest> = BTreeSet::new();
    let images = client.list(&IMAGES, "")?;
    let stay = images.iter().filter(|image| {
        plan.images.binary_search_by(|one| one.as_str().cmp(image.name())).is_err()
    });
    let mut waiting: Vec<Digest> = stay.filter_map(|image| image.name().parse().ok()).collect();
    while let Some(digest) = waiting.pop() {
        if !used.insert(digest.clone()) {
            continue;
        }
        let stored = state.storage.manifest(&digest).map_err(|error| failed(&error))?;
        let stored = stored.or_else(|| state.streams.kept_manifest(&digest));
        let Some((bytes, media_type)) = stored else { continue };
        let Ok(manifest) = Manifest::parse(&bytes, &media_type) else { continue };
        used.extend(manifest.blobs().cloned());
        waiting.extend(manifest.manifests);
    }
    let limit = now.unix_seconds().saturating_sub_unsigned(younger_than.as_secs());
    let old = |came: i64| younger_than.is_zero() || came <= limit;
    let mut sweep = Sweep::default();
    for (digest, length, came) in state.storage.all().map_err(|error| failed(&error))? {
        if old(came) && !used.contains(&digest) {
            sweep.bytes += length;
            sweep.blobs.insert(digest);
        }
    }
    Ok(sweep)
}

fn remove(state: &State, sweep: &Sweep) -> io::Result<()> {
    state.storage.forget(&sweep.blobs)?;
    sweep.blobs.iter().try_for_each(|digest| state.storage.remove(digest).map(drop))
}

fn told(plan: &Plan, sweep: &Sweep) -> Value {
    let revisions = plan.streams.iter().flat_map(|((namespace, name), revisions)| {
        revisions.iter().map(move |one| {
            json!({"namespace": namespace, "stream": name, "tag": one.tag, "image": one.image})
        })
    });
    let blobs: Vec<String> = sweep.blobs.iter().map(Digest::to_string).collect();
    json!({
        "images": plan.images,
        "revisions": revisions.collect::<Vec<_>>(),
        "blobs": blobs,
        "bytes": sweep.bytes,
    })
}

fn failed(error: &io::Error) -> Status {
    Status::internal(&format!("the registry's storage: {error}"))
}
