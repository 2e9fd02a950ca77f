//! The rules of [`crate::stream`] plugged into the API server.
//!
//! Invariant: other streams are read with the rights of the caller.

use std::sync::Arc;

use api::Verb;
use apimachinery::field::{self, ErrorList, Path};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{ApiServer, Attributes, Call, Strategy, StrategyContext, User};

use crate::allowed_registries::AllowedRegistries;
use crate::limits;
use crate::stream::{self, Streams};

const GROUP: &str = "image.openshift.io";
const KIND: &str = "ImageStream";

/// The storage rules of `imagestreams`.
#[derive(Debug)]
pub struct ImageStreamStrategy {
    allowed: AllowedRegistries,
}

impl ImageStreamStrategy {
    /// Streams may point to allowed registries.
    #[must_use]
    pub fn new(allowed: AllowedRegistries) -> Self {
        Self { allowed }
    }
}

/// Reads streams through the API server.
struct Server<'a> {
    server: &'a ApiServer,
    user: &'a User,
}

impl Streams for Server<'_> {
    fn stream(&self, namespace: &str, name: &str) -> Option<Arc<Value>> {
        read_stream(self.server, self.user, namespace, name).ok()
    }

    fn may_pull(&self, namespace: &str, name: &str) -> bool {
        self.server.allows(&Attributes {
            user: self.user,
            verb: Verb::Get,
            resource: &api::IMAGE_STREAMS,
            subresource: "layers",
            namespace,
            name,
        })
    }
}

/// The program's own user for imports: what it writes is status as well as spec.
const IMPORTER: &str = "system:serviceaccount:openshift-infra:image-import-controller";

/// The user that [`IMPORTER`] names.
pub(crate) fn importer() -> User {
    User::system(IMPORTER)
}

/// The image stream `namespace`/`name`.
pub(crate) fn read_stream(
    server: &ApiServer,
    user: &User,
    namespace: &str,
    name: &str,
) -> Result<Arc<Value>, Status> {
    let call = Call::new(user, &api::IMAGE_STREAMS).within(namespace).named(name);
    server.get(&call).map(|stored| stored.value())
}

impl Strategy for ImageStreamStrategy {
    fn prepare_for_create(
        &self,
        cx: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        let streams = Server { server: cx.server, user: cx.user };
        let imported = object.remove(&["status", "tags"]);
        stream::prepare_for_create(object, &streams, &cx.now.rfc3339())
            .map_err(|errors| invalid(object.name(), &errors))?;
        if let Some(tags) = imported.filter(|_| cx.user.name == IMPORTER) {
            object.set(&["status", "tags"], tags);
        }
        limits::check(cx, object).map_err(|inner| wrapped(object.name(), &inner))
    }

    fn prepare_for_update(
        &self,
        cx: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        let streams = Server { server: cx.server, user: cx.user };
        let status = if cx.user.name == IMPORTER { new.get("status") } else { old.get("status") };
        let status = status.cloned();
        stream::prepare_for_update(new, old, status, &streams, &cx.now.rfc3339())
            .map_err(|errors| invalid(old.name(), &errors))?;
        limits::check(cx, new).map_err(|inner| wrapped(old.name(), &inner))
    }

    fn prepare_for_status_update(
        &self,
        cx: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        apiserver::strategy::keep_all_but_status(new, old);
        stream::settle_status(new);
        limits::check(cx, new).map_err(|inner| {
            let error = field::Error::forbidden(&Path::new("imageStream"), &inner);
            Status::invalid(GROUP, KIND, old.name(), &[error])
        })
    }

    fn validate_create(&self, _: &StrategyContext<'_>, object: &Value) -> ErrorList {
        self.allowed.check_stream(object, None)
    }

    fn validate_update(&self, _: &StrategyContext<'_>, new: &Value, old: &Value) -> ErrorList {
        self.allowed.check_stream(new, Some(old))
    }
}

/// Tag errors are wrapped once by OpenShift: an internal error at the empty path.
fn invalid(name: &str, errors: &[field::Error]) -> Status {
    wrapped(name, &Status::invalid("", "imagestreams", name, errors).message)
}

fn wrapped(name: &str, inner: &str) -> Status {
    let error = field::Error::internal(&Path::new("[]"), inner);
    Status::invalid(GROUP, KIND, name, &[error])
}
