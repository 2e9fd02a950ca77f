//! Requests on objects: from method, path and parameters to a [`Call`], and the answer back.
//!
//! Mirrors: `k8s.io/apiserver/pkg/endpoints/installer.go` and `…/handlers/*.go`.

use std::sync::Arc;
use std::time::Duration;

use api::{Resource, Subresource, Verb};
use apimachinery::Value;
use apimachinery::field::{Error as FieldError, Path as FieldPath};
use apimachinery::managed_fields::managers::MAX_MANAGER;
use apimachinery::status::{Reason, qualified};
use apimachinery::{ObjectExt as _, Status};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Method, StatusCode, header};

use super::accept::{self, Accepted, Encoding, Shape};
use super::content::{self, Format};
use super::path::ResourcePath;
use super::query::Query;
use super::respond::{self, Answer};
use super::route::Asked;
use super::server::State;
use super::shape::{IncludeObject, Shaper};
use super::watch::{self, WatchTerms};
use super::{body, log, personal, proxy, stream};
use crate::custom::columns::columns as custom_columns;
use crate::selection::Selection;
use crate::user::{NO_MATCH, UnknownTarget};
use crate::{
    ApiServer, Call, DeleteOptions, Deleted, FieldValidation, ListOptions, Stored, User,
    WriteOptions, Written, legacy,
};

/// A request on a known resource.
struct Request<'a> {
    state: &'a Arc<State>,
    call: Call<'a>,
    asked: &'a Asked,
    accepted: Accepted,
    shaper: Shaper,
}

/// Answers a request on an object or a collection.
pub(crate) async fn serve(
    state: &Arc<State>,
    user: &User,
    path: &ResourcePath,
    mut asked: Asked,
    incoming: &mut Option<Incoming>,
) -> Result<Answer, Status> {
    let (resource, sub) = match find(&state.api, path) {
        Ok(found) => found,
        Err(missing) => {
            authorize_unknown(&state.api, user, path, &asked)?;
            return Err(missing);
        }
    };
    let verb = verb(path, &asked)?;
    let mut call = Call {
        user,
        resource,
        namespace: &path.namespace,
        name: &path.name,
        subresource: &path.subresource,
        options: match path.subresource.as_str() {
            // Its parameters are for whoever is behind it.
            "proxy" => WriteOptions::default(),
            _ => write_options(&asked)?,
        },
    };
    if path.subresource == "proxy" {
        state.api.authorize(&call, verb)?;
        return proxy::serve(state, &call, &mut asked, incoming).await;
    }
    if let Some(kind) = stream::Kind::of(resource.plural, &path.subresource) {
        state.api.authorize(&call, verb)?;
        return stream::serve(state, &call, kind, &mut asked);
    }
    let early = personal::early(resource, verb);
    let early = if early { Some(body::read(incoming).await?) } else { None };
    let of_caller = early.as_deref().is_some_and(|bytes| personal::is_of_caller(&asked, bytes));
    if of_caller {
        state.api.authorize(&personal::asked_as(&call), verb)?;
    } else {
        authorize(&state.api, &mut call, verb, &asked)?;
    }
    supported(resource, sub, verb)?;
    let request = Request::new(state, call, &asked)?;
    match verb {
        Verb::Get if path.subresource == "log" => request.log().await,
        Verb::Watch => request.watch(path),
        _ => {
            let _permit = state.in_flight.try_acquire().map_err(|_| too_many())?;
            match verb {
                Verb::Get => request.get(),
                Verb::List => request.list(),
                _ => {
                    let bytes = match early {
                        Some(bytes) => bytes,
                        None => body::read(incoming).await?,
                    };
                    request.write(verb, bytes)
                }
            }
        }
    }
}

/// Whether the caller may do this; what they may not is noted in the options.
///
/// A list or watch of one object by its name is a request for that object. A write that may create an
/// object needs the right to do so when there is none.
fn authorize(
    api: &ApiServer,
    call: &mut Call<'_>,
    verb: Verb,
    asked: &Asked,
) -> Result<(), Status> {
    let named = only_name(call.resource, asked).filter(|_| call.name.is_empty());
    if let (Verb::List | Verb::Watch, Some(name)) = (verb, named) {
        return api.authorize(&Call { name: &name, ..call.clone() }, verb);
    }
    api.authorize(call, verb)?;
    let creates = match verb {
        Verb::Update => api.creates_on_update(call),
        Verb::Patch => applies(asked.header(header::CONTENT_TYPE)),
        _ => false,
    };
    if creates
        && call.subresource.is_empty()
        && let Err(refusal) = api.authorize(call, Verb::Create)
    {
        call.options.forbids_create = true;
        if api.get(call).is_err_and(|status| status.is_not_found()) {
            return Err(refusal);
        }
    }
    Ok(())
}

/// The one name that a field selector asks for.
fn only_name(resource: &'static Resource, asked: &Asked) -> Option<String> {
    let field_selector = asked.query.text("fieldSelector").to_owned();
    if field_selector.is_empty() {
        return None;
    }
    let options = ListOptions { field_selector, ..ListOptions::default() };
    let selection = Selection::parse(resource, &options).ok()?;
    selection.only_name().filter(|name| !name.is_empty()).map(ToOwned::to_owned)
}

fn applies(content_type: &str) -> bool {
    content::patch_kind(content_type) == Ok(crate::PatchKind::Apply)
}

/// Refuses a path below a group that names nothing, as if it did, to those who may not see all paths.
pub(crate) fn authorize_unknown(
    api: &ApiServer,
    user: &User,
    path: &ResourcePath,
    asked: &Asked,
) -> Result<(), Status> {
    let verb = verb(path, asked)?;
    // No role but those for everything has all verbs.
    if api.allows_path(user, "*", asked.parts.uri.path()) && !user.is_anonymous() {
        return Ok(());
    }
    let target = UnknownTarget {
        group: if path.group == legacy::ROOT { "" } else { &path.group },
        plural: &path.plural,
        subresource: &path.subresource,
        namespace: &path.namespace,
        name: &path.name,
    };
    Err(target.refusal(user, verb, NO_MATCH))
}

pub(crate) fn too_many() -> Status {
    let text = "Too many requests, please try again later.";
    let mut status = Status::new(Reason::TooManyRequests, text);
    status.details = apimachinery::json!({"retryAfterSeconds": 1});
    status
}

/// The resource and sub-resource of a path; 404 when there is no such thing in that scope.
fn find(
    api: &ApiServer,
    path: &ResourcePath,
) -> Result<(&'static Resource, Option<&'static Subresource>), Status> {
    let resource = match path.group.as_str() {
        legacy::ROOT => legacy::find(&path.plural),
        group => api.find(group, &path.version, &path.plural),
    };
    let resource = resource.ok_or_else(Status::no_such_path)?;
    let placed = match (resource.namespaced(), path.namespace.is_empty()) {
        (true, true) => path.name.is_empty(),
        (false, false) => false,
        _ => true,
    };
    if !placed {
        return Err(Status::no_such_path());
    }
    let sub = match path.subresource.as_str() {
        "" => None,
        word => Some(resource.subresource(word).ok_or_else(Status::no_such_path)?),
    };
    Ok((resource, sub))
}

/// What a method means on this path.
fn verb(path: &ResourcePath, asked: &Asked) -> Result<Verb, Status> {
    let verb = path.verb(&asked.method, asked.query.flag("watch"));
    verb.ok_or_else(Status::method_not_allowed)
}

/// Refuses what discovery does not announce.
fn supported(resource: &Resource, sub: Option<&Subresource>, verb: Verb) -> Result<(), Status> {
    let verbs = sub.map_or(resource.verbs, |sub| sub.verbs);
    if verbs.contains(&verb) {
        return Ok(());
    }
    if verb == Verb::Watch && verbs.contains(&Verb::List) {
        let what = qualified(resource.plural, resource.group);
        let text = format!("watch is not supported on resources of kind {what:?}");
        let mut status = Status::new(Reason::MethodNotAllowed, text);
        status.details = apimachinery::json!({"group": resource.group, "kind": resource.plural});
        return Err(status);
    }
    Err(Status::method_not_allowed())
}

fn write_options(asked: &Asked) -> Result<WriteOptions, Status> {
    let query = &asked.query;
    let dry_run = match query.text("dryRun") {
        "" => false,
        "All" => true,
        other => {
            let text = format!("dryRun: Unsupported value: {other:?}: supported values: \"All\"");
            return Err(Status::bad_request(text));
        }
    };
    let field_validation = match query.text("fieldValidation") {
        "" | "Ignore" => FieldValidation::Ignore,
        "Warn" => FieldValidation::Warn,
        "Strict" => FieldValidation::Strict,
        other => {
            let text = format!(
                "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \
                 \"Strict\", \"Warn\""
            );
            return Err(Status::bad_request(text));
        }
    };
    let field_manager = query.text("fieldManager").to_owned();
    // Read requests need no name for the client.
    let agent = if asked.reads() { "" } else { asked.header(header::USER_AGENT) };
    let agent = agent.split('/').next().unwrap_or_default();
    let user_agent = agent.chars().take(MAX_MANAGER).collect();
    let force = query.flag("force");
    let options = WriteOptions {
        dry_run,
        field_manager,
        user_agent,
        field_validation,
        force,
        through: String::new(),
        forbids_create: false,
    };
    check_manager(asked, &options)?;
    Ok(options)
}

/// The rules for `fieldManager` and `force`.
///
/// Mirrors: `k8s.io/apimachinery/pkg/apis/meta/v1/validation/validation.go`.
fn check_manager(asked: &Asked, options: &WriteOptions) -> Result<(), Status> {
    let mut errors = Vec::new();
    let applies = asked.method == Method::PATCH && applies(asked.header(header::CONTENT_TYPE));
    let force = FieldPath::new("force");
    if !applies && asked.method == Method::PATCH && asked.query.get("force").is_some() {
        errors.push(FieldError::forbidden(&force, "may not be specified for non-apply patch"));
    }
    let manager = FieldPath::new("fieldManager");
    if options.field_manager.len() > MAX_MANAGER {
        errors.push(FieldError::too_long(&manager, options.field_manager.as_str(), MAX_MANAGER));
    }
    if errors.is_empty() {
        return Ok(());
    }
    let kind = match asked.method {
        Method::POST => "CreateOptions",
        Method::PUT => "UpdateOptions",
        _ => "PatchOptions",
    };
    Err(Status::invalid("meta.k8s.io", kind, "", &errors))
}

fn list_options(query: &Query) -> Result<ListOptions, Status> {
    let limit = query.number("limit")?.unwrap_or(0);
    Ok(ListOptions {
        label_selector: query.text("labelSelector").to_owned(),
        field_selector: query.text("fieldSelector").to_owned(),
        limit: usize::try_from(limit).unwrap_or(0),
        continue_token: query.text("continue").to_owned(),
        resource_version: query.text("resourceVersion").to_owned(),
        resource_version_match: query.text("resourceVersionMatch").to_owned(),
        allow_watch_bookmarks: query.flag("allowWatchBookmarks"),
        send_initial_events: query
            .get("sendInitialEvents")
            .map(|_| query.flag("sendInitialEvents")),
    })
}

/// The options of a deletion: from the body when there is one, else from the parameters.
fn delete_options(asked: &Asked, bytes: &[u8], dry_run: bool) -> Result<DeleteOptions, Status> {
    let query = &asked.query;
    let mut options = if bytes.iter().all(u8::is_ascii_whitespace) {
        DeleteOptions {
            grace_period_seconds: query.number("gracePeriodSeconds")?,
            propagation_policy: query.get("propagationPolicy").map(ToOwned::to_owned),
            orphan_dependents: query
                .get("orphanDependents")
                .map(|_| query.flag("orphanDependents")),
            ..DeleteOptions::default()
        }
    } else {
        let format = Format::of(asked.header(header::CONTENT_TYPE))?;
        let document = content::object(format, bytes, "DeleteOptions")?;
        check_delete_options(&document)?;
        DeleteOptions::from_value(&document)
    };
    options.dry_run |= dry_run;
    Ok(options)
}

fn check_delete_options(document: &Value) -> Result<(), Status> {
    let refused = |field: &str, wanted: &str| {
        Err(Status::bad_request(format!(
            "DeleteOptions in version \"v1\" cannot be handled as a DeleteOptions: json: cannot \
             unmarshal value into Go struct field DeleteOptions.{field} of type {wanted}"
        )))
    };
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or("DeleteOptions");
    if !document.is_object() || kind != "DeleteOptions" {
        return Err(Status::bad_request(format!(
            "the object provided is unrecognized (must be of type DeleteOptions): {kind}"
        )));
    }
    let grace = document.get("gracePeriodSeconds").filter(|value| !value.is_null());
    if grace.is_some_and(|value| !value.is_i64()) {
        return refused("gracePeriodSeconds", "int64");
    }
    let policy = document.get("propagationPolicy").filter(|value| !value.is_null());
    if policy.is_some_and(|value| !value.is_string()) {
        return refused("propagationPolicy", "v1.DeletionPropagation");
    }
    Ok(())
}

impl<'a> Request<'a> {
    fn new(state: &'a Arc<State>, call: Call<'a>, asked: &'a Asked) -> Result<Self, Status> {
        // Logs are text whatever the client says it accepts.
        let accepted = if call.subresource == "log" {
            Accepted::JSON
        } else {
            accept::negotiate(asked.accept())?
        };
        let include = match accepted.shape {
            Shape::Table(_) => IncludeObject::parse(asked.query.text("includeObject"))?,
            Shape::Object | Shape::Metadata(_) => IncludeObject::Metadata,
        };
        let world = state.api.world().clone();
        let custom = state.api.definition(call.resource);
        let custom = custom.map(|of| custom_columns(&of, call.resource.version).into());
        let shaper = Shaper::new(call.resource, accepted.shape, include, world).columns(custom);
        Ok(Self { state, call, asked, accepted, shaper })
    }

    fn api(&self) -> &ApiServer {
        &self.state.api
    }

    fn get(&self) -> Result<Answer, Status> {
        let object = self.api().get(&self.call)?;
        Ok(self.object(StatusCode::OK, &object))
    }

    fn list(&self) -> Result<Answer, Status> {
        let options = list_options(&self.asked.query)?;
        let mut list = self.api().list(&self.call, &options)?;
        if let Some(document) = &list.instead {
            return Ok(respond::json_bytes(StatusCode::OK, document.json(), self.asked.wishes));
        }
        for item in &mut list.items {
            if let Some(legacy) = legacy::answer(self.call.resource, item) {
                *item = legacy;
            }
        }
        if self.accepted.encoding == Encoding::Json
            && let Some(parts) = self.shaper.parts(&list)
        {
            return Ok(respond::json_parts(parts, self.asked.wishes));
        }
        if self.accepted.encoding == Encoding::Json
            && self.shaper.tabulates(&list)
            && self.asked.wishes.lazily(list.items.len())
        {
            let pieces = self.shaper.clone().table_pieces(list);
            return Ok(respond::json_lazily(pieces.into_iter().flatten()));
        }
        Ok(self.bytes(StatusCode::OK, self.shaper.list(&list)))
    }

    fn watch(self, path: &ResourcePath) -> Result<Answer, Status> {
        let mut options = list_options(&self.asked.query)?;
        if !path.name.is_empty() {
            let comma = if options.field_selector.is_empty() { "" } else { "," };
            options.field_selector =
                format!("metadata.name={}{comma}{}", path.name, options.field_selector);
        }
        let seconds = self.asked.query.number("timeoutSeconds")?;
        let timeout = seconds.and_then(|seconds| u64::try_from(seconds).ok()).filter(|s| *s > 0);
        let terms = WatchTerms {
            timeout: timeout.map(Duration::from_secs),
            bookmarks: options.allow_watch_bookmarks,
        };
        let call = Call { name: "", ..self.call.clone() };
        let watch = self.api().watch(&call, &options)?;
        let chunks = watch::stream(watch, self.shaper, terms, self.state.stop.clone());
        Ok(respond::stream("application/json", chunks))
    }

    async fn log(&self) -> Result<Answer, Status> {
        let options = log::options(&self.asked.query)?;
        log::wait(self.api(), &self.call, &options).await;
        let chunks = self.api().log(&self.call, &options)?;
        Ok(respond::stream("text/plain", log::until_stop(chunks, self.state.stop.clone())))
    }

    fn write(&self, verb: Verb, bytes: Bytes) -> Result<Answer, Status> {
        let content_type = self.asked.header(header::CONTENT_TYPE);
        match verb {
            Verb::Create => {
                let body = self.decode(content_type, bytes)?;
                self.api().create(&self.call, body).map(|written| self.written(&written))
            }
            Verb::Update => {
                let body = self.decode(content_type, bytes)?;
                self.api().update(&self.call, body).map(|written| self.written(&written))
            }
            Verb::Patch => {
                let kind = content::patch_kind(content_type)?;
                let patch = content::patch(kind, &content::repaired(bytes))?;
                self.api().patch(&self.call, kind, patch).map(|written| self.written(&written))
            }
            Verb::Delete => {
                let options = delete_options(self.asked, &bytes, self.call.options.dry_run)?;
                self.api().delete(&self.call, options).map(|deleted| self.deleted(deleted))
            }
            _ => {
                let options = delete_options(self.asked, &bytes, self.call.options.dry_run)?;
                let which = list_options(&self.asked.query)?;
                let list = self.api().delete_collection(&self.call, options, &which)?;
                Ok(self.bytes(StatusCode::OK, self.shaper.list(&list)))
            }
        }
    }

    /// JSON goes on as it came: only there duplicate fields can be told.
    fn decode(&self, content_type: &str, bytes: Bytes) -> Result<crate::Body, Status> {
        let format = Format::of(content_type)?;
        if format == Format::Json {
            return Ok(content::repaired(bytes).into());
        }
        let sub = self.call.resource.subresource(self.call.subresource);
        let kind = sub.map_or(self.call.resource.kind, |sub| sub.kind);
        content::object(format, &bytes, kind).map(Into::into)
    }

    fn written(&self, written: &Written) -> Answer {
        let code = StatusCode::from_u16(written.code).unwrap_or(StatusCode::OK);
        // There was nothing to be done: no content, not even a Status.
        let nothing = &written.object.value();
        let nothing = nothing.kind() == "Status" && nothing.int_at(&["code"]) == Some(204);
        let mut answer = if nothing {
            respond::finish(StatusCode::NO_CONTENT, "", Bytes::new(), self.asked.wishes)
        } else {
            self.object(code, &written.object)
        };
        respond::warn(&mut answer, &written.warnings);
        answer
    }

    fn deleted(&self, deleted: Deleted) -> Answer {
        self.object(StatusCode::OK, &deleted.into_stored())
    }

    fn object(&self, code: StatusCode, object: &Stored) -> Answer {
        let legacy = legacy::answer(self.call.resource, object);
        self.bytes(code, self.shaper.object(legacy.as_ref().unwrap_or(object)))
    }

    fn bytes(&self, code: StatusCode, bytes: Bytes) -> Answer {
        match self.accepted.encoding {
            Encoding::Json => respond::json_bytes(code, bytes, self.asked.wishes),
            Encoding::Yaml => {
                let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                let text = apimachinery::yaml::to_yaml(&value);
                respond::finish(code, "application/yaml", Bytes::from(text), self.asked.wishes)
            }
        }
    }
}
