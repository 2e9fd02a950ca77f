//! The API in process, for controllers: a fixed user, the storage version, no bytes.

use std::sync::Arc;

use api::Resource;
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};

use crate::call::{Call, DeleteOptions, Deleted, ListOptions, ObjectList, PatchKind};
use crate::server::ApiServer;
use crate::user::User;
use crate::watch::Watch;

/// Calls an [`ApiServer`] as one user; clones share it.
///
/// Every method answers errors as HTTP clients would get them.
#[derive(Debug, Clone)]
pub struct Client {
    server: ApiServer,
    user: Arc<User>,
}

#[expect(clippy::missing_errors_doc, reason = "said once for all methods")]
impl Client {
    /// A client of `server` that acts as `user`.
    #[must_use]
    pub fn new(server: ApiServer, user: User) -> Self {
        Self { server, user: Arc::new(user) }
    }

    /// The server called.
    #[must_use]
    pub fn server(&self) -> &ApiServer {
        &self.server
    }

    /// The user it acts as.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.user
    }

    fn call<'a>(&'a self, resource: &'static Resource, ns: &'a str, name: &'a str) -> Call<'a> {
        Call::new(&self.user, resource).within(ns).named(name)
    }

    /// Reads one object.
    pub fn get(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
    ) -> Result<Arc<Value>, Status> {
        Ok(self.server.get(&self.call(resource, ns, name))?.value())
    }

    /// Reads one object if it exists.
    pub fn find(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
    ) -> Result<Option<Arc<Value>>, Status> {
        match self.get(resource, ns, name) {
            Ok(object) => Ok(Some(object)),
            Err(status) if status.is_not_found() => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// Reads all objects of a namespace, or of all with `""`.
    pub fn list(&self, resource: &'static Resource, ns: &str) -> Result<Vec<Arc<Value>>, Status> {
        let list = self.list_with(resource, ns, &ListOptions::default())?;
        Ok(list.items.into_iter().map(|item| item.value()).collect())
    }

    /// Reads the objects that `options` select.
    pub fn list_with(
        &self,
        resource: &'static Resource,
        ns: &str,
        options: &ListOptions,
    ) -> Result<ObjectList, Status> {
        self.server.list(&self.call(resource, ns, ""), options)
    }

    /// Follows the objects that `options` select.
    pub fn watch(
        &self,
        resource: &'static Resource,
        ns: &str,
        options: &ListOptions,
    ) -> Result<Watch, Status> {
        self.server.watch(&self.call(resource, ns, ""), options)
    }

    /// Creates an object.
    pub fn create(
        &self,
        resource: &'static Resource,
        ns: &str,
        object: Value,
    ) -> Result<Arc<Value>, Status> {
        Ok(self.server.create(&self.call(resource, ns, ""), object)?.object.value())
    }

    /// Replaces an object; with a resource version in it, exactly that version.
    pub fn update(&self, resource: &'static Resource, object: Value) -> Result<Arc<Value>, Status> {
        self.update_sub(resource, "", object)
    }

    /// Replaces the status of an object.
    pub fn update_status(
        &self,
        resource: &'static Resource,
        object: Value,
    ) -> Result<Arc<Value>, Status> {
        self.update_sub(resource, "status", object)
    }

    /// Gives `old`, as it was read, another status; cheaper than [`Self::update_status`] with the whole.
    pub fn replace_status(
        &self,
        resource: &'static Resource,
        old: &Value,
        status: Value,
    ) -> Result<Arc<Value>, Status> {
        let call = self.call(resource, old.namespace(), old.name()).subresource("status");
        Ok(self.server.replace_status(&call, old, status)?.object.value())
    }

    /// Replaces what a sub-resource shows.
    pub fn update_sub(
        &self,
        resource: &'static Resource,
        subresource: &str,
        object: Value,
    ) -> Result<Arc<Value>, Status> {
        let (ns, name) = (object.namespace().to_owned(), object.name().to_owned());
        let call = self.call(resource, &ns, &name).subresource(subresource);
        Ok(self.server.update(&call, object)?.object.value())
    }

    /// Patches an object.
    pub fn patch(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        kind: PatchKind,
        patch: Value,
    ) -> Result<Arc<Value>, Status> {
        Ok(self.server.patch(&self.call(resource, ns, name), kind, patch)?.object.value())
    }

    /// Patches the status of an object.
    pub fn patch_status(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        kind: PatchKind,
        patch: Value,
    ) -> Result<Arc<Value>, Status> {
        let call = self.call(resource, ns, name).subresource("status");
        Ok(self.server.patch(&call, kind, patch)?.object.value())
    }

    /// Sets the number of replicas through `scale`; returns the `Scale`.
    pub fn update_scale(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        replicas: i64,
    ) -> Result<Value, Status> {
        let call = self.call(resource, ns, name).subresource("scale");
        let patch = json!({"spec": {"replicas": replicas}});
        Ok(self.server.patch(&call, PatchKind::Merge, patch)?.object.into_value())
    }

    /// Deletes an object.
    pub fn delete(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        options: DeleteOptions,
    ) -> Result<Deleted, Status> {
        self.server.delete(&self.call(resource, ns, name), options)
    }

    /// Deletes every object of a namespace that `selected` selects.
    pub fn delete_collection(
        &self,
        resource: &'static Resource,
        ns: &str,
        options: DeleteOptions,
        selected: &ListOptions,
    ) -> Result<ObjectList, Status> {
        self.server.delete_collection(&self.call(resource, ns, ""), options, selected)
    }

    /// Posts to a sub-resource, e.g. `binding` or `instantiate`.
    pub fn subresource_create(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        subresource: &str,
        body: Value,
    ) -> Result<Arc<Value>, Status> {
        let call = self.call(resource, ns, name).subresource(subresource);
        Ok(self.server.create(&call, body)?.object.value())
    }

    /// Reads a sub-resource, e.g. `scale`.
    pub fn subresource_get(
        &self,
        resource: &'static Resource,
        ns: &str,
        name: &str,
        subresource: &str,
    ) -> Result<Arc<Value>, Status> {
        Ok(self.server.get(&self.call(resource, ns, name).subresource(subresource))?.value())
    }
}
