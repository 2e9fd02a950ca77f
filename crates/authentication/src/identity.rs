//! From an identity, which a provider vouches for, to the user it stands for.
//!
//! By default the first login makes both: the identity `<provider>:<name>` claims the user of that
//! name unless another identity has. With `lookup` an administrator has made and mapped them.
//!
//! Mirrors: `openshift/origin:pkg/oauthserver/userregistry/identitymapper`.
//!
//! Invariant: an identity leads to a user only while each names the other.

use std::sync::Arc;

use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use apiserver::Client;

use crate::token::texts;

/// Attempts when others make the same user or identity at the same moment.
const ATTEMPTS: usize = 4;

/// How an identity that is new gets its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MappingMethod {
    /// The user of its name, made if need be; refused when another identity has it.
    #[default]
    Claim,
    /// None: identities and users are made by an administrator.
    Lookup,
    /// The user of its name, made if need be, besides other identities.
    Add,
}

/// Why an identity leads to no user.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user belongs to another identity.
    #[error("user {user:?} cannot be claimed by identity {identity:?} because it is already mapped to [{}]", mapped.join(" "))]
    Claimed {
        /// The user.
        user: String,
        /// The identity that came too late.
        identity: String,
        /// The identities of the user.
        mapped: Vec<String>,
    },
    /// Nobody has mapped it.
    #[error("lookup of user for {identity:?} failed: {}", .cause.message)]
    Lookup {
        /// The identity.
        identity: String,
        /// Why.
        cause: Status,
    },
    /// What the API answered.
    #[error("{}", .0.message)]
    Api(Status),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Api(status)
    }
}

/// An identity that a provider vouches for.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The name it knows the person by.
    pub user: &'a str,
}

impl Identity<'_> {
    /// The name of the object.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.provider, self.user)
    }

    /// The `User` object behind the identity.
    ///
    /// # Errors
    /// When there is none and the method makes none, or another identity has it.
    pub fn user(&self, client: &Client, method: MappingMethod) -> Result<Arc<Value>, Error> {
        if method == MappingMethod::Lookup {
            let identity = self.name();
            let lookup = |cause| Error::Lookup { identity: identity.clone(), cause };
            let stored = client.get(&api::IDENTITIES, "", &identity).map_err(lookup)?;
            return mapped(client, &stored).map_err(lookup);
        }
        let mut outcome = self.provisioned(client, method);
        for _ in 1..ATTEMPTS {
            match &outcome {
                Err(Error::Api(status)) if status.is_already_exists() || status.is_conflict() => {
                    outcome = self.provisioned(client, method);
                }
                _ => break,
            }
        }
        outcome
    }

    fn provisioned(&self, client: &Client, method: MappingMethod) -> Result<Arc<Value>, Error> {
        if let Some(identity) = client.find(&api::IDENTITIES, "", &self.name())? {
            return Ok(mapped(client, &identity)?);
        }
        let user = self.user_for_new(client, method)?;
        let identity = json!({
            "metadata": {"name": self.name()},
            "providerName": self.provider,
            "providerUserName": self.user,
            "user": {"name": user.name(), "uid": user.uid()},
        });
        client.create(&api::IDENTITIES, "", identity)?;
        Ok(user)
    }

    fn user_for_new(&self, client: &Client, method: MappingMethod) -> Result<Arc<Value>, Error> {
        let identity = self.name();
        let Some(user) = client.find(&api::USERS, "", self.user)? else {
            let user = json!({
                "metadata": {"name": self.user},
                "identities": [identity],
                "groups": null,
            });
            return Ok(client.create(&api::USERS, "", user)?);
        };
        let mut identities = texts(&user, "identities");
        if identities.contains(&identity) {
            return Ok(user);
        }
        if !identities.is_empty() && method == MappingMethod::Claim {
            let user = self.user.to_owned();
            return Err(Error::Claimed { user, identity, mapped: identities });
        }
        identities.push(identity);
        let mut user = (*user).clone();
        user["identities"] = json!(identities);
        Ok(client.update(&api::USERS, user)?)
    }
}

/// The user that an identity and that names the identity.
fn mapped(client: &Client, identity: &Value) -> Result<Arc<Value>, Status> {
    let missing = || Status::not_found("user.openshift.io", "useridentitymapping", identity.name());
    let name = identity.str_at(&["user", "name"]);
    if name.is_empty() {
        return Err(missing());
    }
    let user = client.get(&api::USERS, "", name)?;
    let named = texts(&user, "identities").iter().any(|own| own == identity.name());
    if user.uid() != identity.str_at(&["user", "uid"]) || !named {
        return Err(missing());
    }
    Ok(user)
}
