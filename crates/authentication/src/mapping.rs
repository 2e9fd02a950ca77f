//! `useridentitymappings`: a view of an identity and its user that changes both.
//!
//! Mirrors: `openshift/origin:pkg/user/apiserver/registry/useridentitymapping`.
//!
//! Invariant: nothing is stored here; the mapping exists while identity and user name each other.

use std::sync::Arc;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::{
    Client, DeleteOptions, Deleted, HandlerContext, RestHandler, Stored, User, Written,
};

use crate::token::texts;
use crate::validation;

const GROUP: &str = "user.openshift.io";
const WORD: &str = "useridentitymapping";
const KIND: &str = "UserIdentityMapping";

/// Serves `useridentitymappings`.
#[derive(Debug)]
pub struct UserIdentityMappings;

impl RestHandler for UserIdentityMappings {
    fn get(&self, cx: &HandlerContext<'_>) -> Result<Stored, Status> {
        let related = Related::find(&owner(cx), cx.call.name)?;
        related.mapping(cx.call.name).map(Stored::new)
    }

    fn create(&self, cx: &HandlerContext<'_>, mapping: Value) -> Result<Written, Status> {
        write(cx, &mapping, true)
    }

    fn update(&self, cx: &HandlerContext<'_>, mapping: Value) -> Result<Written, Status> {
        write(cx, &mapping, false)
    }

    fn delete(&self, cx: &HandlerContext<'_>, options: &DeleteOptions) -> Result<Deleted, Status> {
        let client = owner(cx);
        let related = Related::find(&client, cx.call.name)?;
        related.mapping(cx.call.name)?;
        if !options.dry_run
            && let Related { identity: Some(identity), user: Some(user) } = related
        {
            forget(&client, &user, identity.name())?;
            let mut identity = (*identity).clone();
            identity["user"] = json!({});
            client.update(&api::IDENTITIES, identity)?;
        }
        let success =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
        Ok(Deleted::Status(success))
    }
}

/// Who may write mappings may write what they stand for.
fn owner(cx: &HandlerContext<'_>) -> Client {
    Client::new(cx.server.clone(), User::system_admin())
}

/// An identity with the user it names.
struct Related {
    identity: Option<Arc<Value>>,
    /// The user when identity and user name each other.
    user: Option<Arc<Value>>,
}

impl Related {
    fn find(client: &Client, name: &str) -> Result<Self, Status> {
        let identity = client.find(&api::IDENTITIES, "", name)?;
        let named = identity.as_ref().map_or("", |identity| identity.str_at(&["user", "name"]));
        let user = if named.is_empty() { None } else { client.find(&api::USERS, "", named)? };
        let user = user.filter(|user| {
            let uid = identity.as_ref().map_or("", |identity| identity.str_at(&["user", "uid"]));
            user.uid() == uid && texts(user, "identities").iter().any(|own| own == name)
        });
        Ok(Self { identity, user })
    }

    fn mapping(&self, name: &str) -> Result<Value, Status> {
        match (&self.identity, &self.user) {
            (Some(identity), Some(user)) => Ok(mapping_of(user, identity)),
            _ => Err(Status::not_found(GROUP, WORD, name)),
        }
    }
}

fn mapping_of(user: &Value, identity: &Value) -> Value {
    json!({
        "kind": KIND,
        "apiVersion": "user.openshift.io/v1",
        "metadata": {
            "name": identity.name(),
            "uid": identity.uid(),
            "resourceVersion": identity.resource_version(),
            "creationTimestamp": null,
        },
        "identity": {"name": identity.name(), "uid": identity.uid()},
        "user": {"name": user.name(), "uid": user.uid()},
    })
}

fn write(cx: &HandlerContext<'_>, mapping: &Value, create: bool) -> Result<Written, Status> {
    let client = owner(cx);
    let mut mapping = mapping.clone();
    let given = mapping.str_at(&["identity", "name"]).to_owned();
    // The name says which identity it is.
    if mapping.name().is_empty() {
        mapping.set(&["metadata", "name"], json!(given));
    }
    let name = mapping.name().to_owned();
    let related = Related::find(&client, &name)?;
    let creating = create || related.user.is_none();
    refuse(&name, &validation::mapping(&mapping))?;
    match &related.user {
        Some(_) if create => return Err(Status::already_exists(GROUP, WORD, &name)),
        Some(user) => {
            let old = related.mapping(&name)?;
            let version = mapping.resource_version();
            if !version.is_empty() && version != old.resource_version() {
                let text = format!("the resource was updated to {}", old.resource_version());
                return Err(Status::conflict(GROUP, WORD, &name, &text));
            }
            if user.name() == mapping.str_at(&["user", "name"]) {
                return Ok(Written::ok(Stored::new(old)));
            }
        }
        None if !mapping.resource_version().is_empty() => {
            return Err(Status::not_found(GROUP, WORD, &name));
        }
        None => {}
    }
    let absent = |of: &str, value: &str| {
        let text = format!("referenced {of} does not exist");
        let error = Error::invalid(&Path::new(of).child("name"), value, &text);
        Status::invalid(GROUP, KIND, &name, &[error])
    };
    let Some(identity) = &related.identity else { return Err(absent("identity", &given)) };
    let wanted = mapping.str_at(&["user", "name"]);
    let user = client.find(&api::USERS, "", wanted)?.ok_or_else(|| absent("user", wanted))?;
    if cx.call.options.dry_run {
        return Ok(written(creating, mapping_of(&user, identity)));
    }
    let (user, identity) = join(&client, &user, identity)?;
    if let Some(old) = &related.user {
        forget(&client, old, &name)?;
    }
    Ok(written(creating, mapping_of(&user, &identity)))
}

fn written(creating: bool, mapping: Value) -> Written {
    let stored = Stored::new(mapping);
    if creating { Written::created(stored) } else { Written::ok(stored) }
}

/// Lets user and identity name each other.
fn join(
    client: &Client,
    user: &Value,
    identity: &Value,
) -> Result<(Arc<Value>, Arc<Value>), Status> {
    let mut identities = texts(user, "identities");
    if !identities.iter().any(|own| own == identity.name()) {
        identities.push(identity.name().to_owned());
        identities.sort();
    }
    let mut user = user.clone();
    user["identities"] = json!(identities);
    let user = client.update(&api::USERS, user)?;
    let mut identity = identity.clone();
    identity["user"] = json!({"name": user.name(), "uid": user.uid()});
    Ok((user, client.update(&api::IDENTITIES, identity)?))
}

/// Takes an identity from a user.
fn forget(client: &Client, user: &Value, identity: &str) -> Result<(), Status> {
    let mut identities = texts(user, "identities");
    identities.retain(|own| own != identity);
    let mut user = user.clone();
    user["identities"] = json!(identities);
    client.update(&api::USERS, user).map(drop)
}

fn refuse(name: &str, errors: &ErrorList) -> Result<(), Status> {
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid(GROUP, KIND, name, errors)) }
}
