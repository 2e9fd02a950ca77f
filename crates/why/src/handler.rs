//! How explanations are asked for: an `Explanation` of `why.rehearse/v1` is posted with the question
//! in its `spec` and comes back with the answer in its `status`, as access reviews do.
//!
//! Invariant: nobody is told about an object that they may not read, nor about nodes by name unless
//! they may list nodes.

use std::sync::LazyLock;

use api::{CLUSTER_ROLES, NODES, Resource, Verb};
use apimachinery::{ObjectExt as _, Reason, Status};
use apimachinery::{Value, json};
use apiserver::server::Builder;
use apiserver::{Call, Client, HandlerContext, RestHandler, Stored, User, Written};
use scheduler::Profile;

use crate::explain::{Question, explain, known_resources, resource_named};

/// Explanations.
pub static EXPLANATIONS: Resource =
    Resource::in_namespace("why.rehearse", "v1", "explanations", "explanation", "Explanation")
        .only(&[Verb::Create]);

/// Serves explanations of what `profile` decides.
#[must_use]
pub fn register(builder: Builder, profile: Profile) -> Builder {
    builder.extension(&EXPLANATIONS, Box::new(Explanations(profile)))
}

/// Lets those who view, edit or administer a project ask.
///
/// # Errors
/// When the role cannot be made.
pub fn bootstrap(client: &Client) -> Result<(), Status> {
    let aggregate = |role: &str| format!("rbac.authorization.k8s.io/aggregate-to-{role}");
    let role = json!({
        "metadata": {
            "name": "system:aggregated-explanations",
            "labels": {
                aggregate("view"): "true",
                aggregate("edit"): "true",
                aggregate("admin"): "true",
            },
        },
        "rules": [{
            "apiGroups": ["why.rehearse"], "resources": ["explanations"], "verbs": ["create"],
        }],
    });
    match client.create(&CLUSTER_ROLES, "", role) {
        Err(status) if status.reason != Reason::AlreadyExists => Err(status),
        _ => Ok(()),
    }
}

#[derive(Debug)]
struct Explanations(Profile);

impl RestHandler for Explanations {
    fn create(&self, cx: &HandlerContext<'_>, mut body: Value) -> Result<Written, Status> {
        let text = |field: &str| body.str_at(&["spec", field]);
        let (resource, name) = (text("resource"), text("name"));
        let Some(resource) = resource_named(resource) else {
            let known = known_resources();
            return Err(Status::bad_request(format!(
                "spec.resource: nothing to say about {resource:?}, only about {known}"
            )));
        };
        if name.is_empty() {
            return Err(Status::bad_request("spec.name: must not be empty"));
        }
        let may = |resource: &'static Resource, namespace: &str, name: &str, verb: Verb| {
            let call = Call::new(cx.call.user, resource).within(namespace).named(name);
            cx.server.authorize(&call, verb)
        };
        may(resource, cx.call.namespace, name, Verb::Get)?;
        let policy = match text("policy") {
            "" => None,
            policy => Some(match scheduler::policy::named(policy) {
                Some(profile) => profile,
                None => scheduler::policy::parse(policy)
                    .map_err(|error| Status::bad_request(format!("spec.policy: {error}")))?,
            }),
        };
        let veiled = may(&NODES, "", "", Verb::List).is_err();
        let question = Question {
            policy: policy.as_ref(),
            veiled,
            ..Question::new(resource, cx.call.namespace, name)
        };
        let client = Client::new(cx.server.clone(), (*OWNER).clone());
        let answer = explain(&client, &self.0, question)?;
        let text = answer.text();
        let mut status = json::to_value(&answer).unwrap_or_default();
        status.set(&["text"], json!(text));
        body.set(&["status"], status);
        Ok(Written::created(Stored::new(body)))
    }
}

/// Facts are read with all rights; what is told of them depends on the caller's.
static OWNER: LazyLock<User> = LazyLock::new(User::system_admin);
