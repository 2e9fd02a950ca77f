//! `imagestreamimports`: images from outside become tags of a stream. `oc import-image`, the import
//! controller and scheduled imports all POST them.
//!
//! Reading order: this file (the request), [`fetch`] (asking the source), [`tags`] (which tags of a
//! repository, in which order), [`apply`] (what the answers do to the stream).
//!
//! Invariant: a stream that nothing changes is not written.
//!
//! Mirrors: `openshift/origin pkg/image/apiserver/registry/imagestreamimport/rest.go`.

pub mod apply;
pub mod fetch;
pub mod tags;

use std::sync::Arc;

use api::Verb;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Reason, Status, Value};
use apiserver::{
    ApiServer, Attributes, Call, HandlerContext, ListOptions, RestHandler, Stored, User,
    WriteOptions, Written,
};
use tokio::runtime::{Handle, RuntimeFlavor};

use self::apply::{apply, refused};
use self::fetch::{Answers, Asking, Platforms};
use crate::allowed_registries::AllowedRegistries;
use crate::history::spec_tag;
use crate::source::keyring::{Keyring, is_for_imports};
use crate::source::{Platform, Source};
use crate::strategy::importer;

const GROUP: &str = "image.openshift.io";
const PREFER_ARCHITECTURE: &str = "importer.image.openshift.io/prefer-arch";
const PREFER_OS: &str = "importer.image.openshift.io/prefer-os";

/// How often an import is applied again when the stream changes under it.
const ATTEMPTS: usize = 5;

/// Serves `imagestreamimports`.
#[derive(Debug)]
pub struct ImageStreamImports {
    source: Arc<dyn Source>,
    allowed: AllowedRegistries,
}

impl ImageStreamImports {
    /// Imports from `source`, as far as the registries are allowed.
    #[must_use]
    pub fn new(source: Arc<dyn Source>, allowed: AllowedRegistries) -> Self {
        Self { source, allowed }
    }
}

impl ImageStreamImports {
    /// Who may create images directly may import them from anywhere.
    fn check_registries(&self, cx: &HandlerContext<'_>, import: &Value) -> Result<(), Status> {
        let errors = self.allowed.check_import(import);
        if errors.is_empty() {
            return Ok(());
        }
        let may_create = |resource| {
            let user = cx.call.user;
            let (subresource, namespace, name) = ("", "", "");
            let verb = Verb::Create;
            cx.server.allows(&Attributes { user, verb, resource, subresource, namespace, name })
        };
        // Upstream asks for `imagestreammapping`, which is no resource: only all of them fit.
        if may_create(&api::IMAGES) {
            return Ok(());
        }
        Err(Status::invalid(GROUP, "ImageStreamImport", import.name(), &errors))
    }
}

/// The platforms that the tags of a stream prefer.
#[derive(Debug)]
struct Preferences<'a>(Option<&'a Value>);

impl Platforms for Preferences<'_> {
    fn of(&self, name: &str) -> Platform {
        let tag = self.0.and_then(|stream| spec_tag(stream, name));
        let wish = |key: &str| {
            tag.map(|tag| tag.str_at(&["annotations", key]).to_owned()).unwrap_or_default()
        };
        Platform { architecture: wish(PREFER_ARCHITECTURE), os: wish(PREFER_OS) }
    }
}

impl RestHandler for ImageStreamImports {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        if body.namespace().is_empty() {
            body.set(&["metadata", "namespace"], json!(cx.call.namespace));
        }
        let errors = api::validation::create(&api::IMAGE_STREAM_IMPORTS, &body);
        if !errors.is_empty() {
            return Err(Status::invalid(GROUP, "ImageStreamImport", body.name(), &errors));
        }
        cx.admit(&mut body)?;
        self.check_registries(cx, &body)?;
        let stream = existing(cx.server, cx.call.namespace, &body)?;
        let keyring = keyring(cx.server, cx.call.namespace)?;
        let platforms = Preferences(stream.as_deref());
        let source = &*self.source;
        let asking = Asking { source, keyring: &keyring, platform: &platforms };
        let answers = off_the_workers(source.is_remote(), || asking.all(&body));
        let mut status = answers.shown();
        if body.bool_at(&["spec", "import"]) && !cx.call.options.dry_run {
            let stored = store(cx, &body, &answers)?;
            status["import"] = (*stored).clone();
        }
        body["status"] = status;
        Ok(Written::created(Stored::new(body)))
    }
}

/// Runs what may take long without holding up the requests that share this thread.
fn off_the_workers<T>(long: bool, work: impl FnOnce() -> T) -> T {
    let shared = Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if long && shared { tokio::task::block_in_place(work) } else { work() }
}

/// The stream as it is; refuses an import that was meant for another state of it.
fn existing(
    server: &ApiServer,
    namespace: &str,
    import: &Value,
) -> Result<Option<Arc<Value>>, Status> {
    let (user, name) = (importer(), import.name());
    let call = Call::new(&user, &api::IMAGE_STREAMS).within(namespace).named(name);
    let (uid, version) = (import.uid(), import.resource_version());
    let missing = || Status::not_found(GROUP, "imagestreams", name);
    let stream = match server.get(&call) {
        Ok(stored) => stored.value(),
        Err(status) if !status.is_not_found() => return Err(status),
        Err(_) if uid.is_empty() && version.is_empty() => return Ok(None),
        Err(_) => return Err(missing()),
    };
    let current = stream.resource_version();
    if !version.is_empty() && version != current {
        let text = format!("the image stream was updated from {version:?} to {current:?}");
        return Err(Status::conflict(GROUP, "imagestreams", name, &text));
    }
    if !uid.is_empty() && uid != stream.uid() {
        return Err(missing());
    }
    Ok(Some(stream))
}

fn keyring(server: &ApiServer, namespace: &str) -> Result<Keyring, Status> {
    let user = User::system_admin();
    let call = Call::new(&user, &api::SECRETS).within(namespace);
    let secrets = server.list(&call, &ListOptions::default())?;
    let values: Vec<Arc<Value>> = secrets.items.iter().map(Stored::value).collect();
    let values = values.iter().map(|secret| &**secret);
    Ok(Keyring::of_secrets(values.filter(|secret| is_for_imports(secret))))
}

/// Writes images and stream; gives the stream.
fn store(cx: &HandlerContext<'_>, import: &Value, answers: &Answers) -> Result<Arc<Value>, Status> {
    store_images(cx, answers)?;
    let now = cx.server.world().now().rfc3339();
    let mut last = Status::internal("the image stream kept changing");
    for _ in 0..ATTEMPTS {
        let current = existing(cx.server, cx.call.namespace, import)?;
        match write(cx, import, current, answers, &now) {
            Err(status) if status.is_conflict() || status.is_already_exists() => last = status,
            result => return result,
        }
    }
    Err(last)
}

fn write(
    cx: &HandlerContext<'_>,
    import: &Value,
    current: Option<Arc<Value>>,
    answers: &Answers,
    now: &str,
) -> Result<Arc<Value>, Status> {
    let name = import.name();
    let mut stream = current.as_deref().cloned().unwrap_or_else(|| {
        json!({
            "apiVersion": "image.openshift.io/v1", "kind": "ImageStream",
            "metadata": {"name": name, "namespace": cx.call.namespace},
        })
    });
    if !apply(&mut stream, answers, now)
        && let Some(current) = current
    {
        return Ok(current);
    }
    let user = importer();
    let mut call = Call::new(&user, &api::IMAGE_STREAMS).within(cx.call.namespace);
    call.options = WriteOptions {
        field_manager: cx.call.options.field_manager.clone(),
        ..WriteOptions::default()
    };
    let Some(current) = current else {
        return Ok(cx.server.create(&call, stream)?.object.value());
    };
    let call = call.named(name);
    let outcome = cx.server.update(&call, stream.clone());
    if let Err(status) = &outcome
        && status.message.contains("exceeds the maximum limit per")
    {
        let mut told = (*current).clone();
        refused(&mut told, &stream, status, now);
        // Noting it is a courtesy: the refusal itself is what counts.
        let _noted = cx.server.update(&call, told);
    }
    Ok(outcome?.object.value())
}

/// Makes the Images that are not there; one that lacks its manifest gets it.
fn store_images(cx: &HandlerContext<'_>, answers: &Answers) -> Result<(), Status> {
    let of_repository = answers.repository.iter().flatten().flatten();
    let user = importer();
    for image in answers.images.iter().chain(of_repository).filter_map(|a| a.image.as_ref().ok()) {
        let call = Call::new(&user, &api::IMAGES);
        match cx.server.create(&call, image.clone()) {
            Err(status) if status.is_already_exists() => complete(cx.server, &user, image)?,
            result => {
                result?;
            }
        }
    }
    Ok(())
}

fn complete(server: &ApiServer, user: &User, image: &Value) -> Result<(), Status> {
    let call = Call::new(user, &api::IMAGES).named(image.name());
    let stored = server.get(&call)?;
    let given = |image: &Value| !image.str_at(&["dockerImageManifest"]).is_empty();
    let kept = stored.value().annotation(crate::image::MANIFEST_STORED) == Some("true");
    if given(&stored.value()) || kept || !given(image) {
        return Ok(());
    }
    let mut changed = (*stored.value()).clone();
    for field in ["dockerImageManifest", "dockerImageManifestMediaType", "dockerImageConfig"] {
        changed[field] = image.get(field).cloned().unwrap_or_default();
    }
    match server.update(&call, changed) {
        Err(status) if status.reason != Reason::Conflict => Err(status),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
