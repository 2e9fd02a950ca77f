//! `MutatingAdmissionWebhook` and `ValidatingAdmissionWebhook`: rules that run elsewhere.
//!
//! [`rule`] says which requests a webhook wants to see, [`review`] puts the question and reads the
//! answer, [`client`] carries both over HTTP. A call takes the time it takes on the caller's thread.
//!
//! Deviation: mutating webhooks are asked once each (`reinvocationPolicy` is not heeded), validating
//! ones one after the other.
//!
//! Mirrors: `k8s.io/apiserver/pkg/admission/plugin/webhook`.

pub mod client;
pub mod review;
pub mod rule;

use std::sync::Arc;
use std::time::Duration;

use api::{MUTATING_WEBHOOK_CONFIGURATIONS, Resource, VALIDATING_WEBHOOK_CONFIGURATIONS};
use apimachinery::patch::json_patch;
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, ApiServer};

pub use self::client::{Caller, Endpoint, HttpCaller};
use self::review::Verdict;
use crate::request::{all, any};

const TIMEOUT_SECONDS: u64 = 10;

/// Asks the webhooks of all `MutatingWebhookConfiguration`s.
#[derive(Debug)]
pub struct MutatingWebhooks(pub Arc<dyn Caller>);

/// Asks the webhooks of all `ValidatingWebhookConfiguration`s.
#[derive(Debug)]
pub struct ValidatingWebhooks(pub Arc<dyn Caller>);

impl Admission for MutatingWebhooks {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        for webhook in webhooks(request, &MUTATING_WEBHOOK_CONFIGURATIONS) {
            let Some(verdict) = ask(&*self.0, request, &webhook)? else { continue };
            let Some(patch) = verdict.patch else { continue };
            let name = webhook.str_at(&["name"]);
            let (stored, served) = (api::storage_of(request.call.resource), request.call.resource);
            let mut object = request.object.clone();
            convert(&mut object, stored, served);
            let mut object = json_patch(&object, &patch).map_err(|status| {
                failed(name, &format!("could not apply the patch: {}", status.message))
            })?;
            convert(&mut object, served, stored);
            *request.object = object;
        }
        Ok(())
    }

    fn sees_events(&self, server: &ApiServer, _: &str) -> bool {
        any(server, &MUTATING_WEBHOOK_CONFIGURATIONS, "")
    }
}

impl Admission for ValidatingWebhooks {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        for webhook in webhooks(request, &VALIDATING_WEBHOOK_CONFIGURATIONS) {
            ask(&*self.0, request, &webhook)?;
        }
        Ok(())
    }

    fn sees_events(&self, server: &ApiServer, _: &str) -> bool {
        any(server, &VALIDATING_WEBHOOK_CONFIGURATIONS, "")
    }
}

/// The webhooks that want to see the request, in the order of their configurations' names.
fn webhooks(request: &AdmissionRequest<'_>, configurations: &'static Resource) -> Vec<Value> {
    // Nobody may lock themselves out of the configuration.
    if request.call.resource.group == "admissionregistration.k8s.io" {
        return Vec::new();
    }
    let configurations = all(request.server, configurations, "");
    let all = configurations.iter().flat_map(|configuration| configuration.list_at(&["webhooks"]));
    all.filter(|webhook| rule::wants(webhook, request)).cloned().collect()
}

/// `None` when the webhook cannot be reached and that does not matter.
fn ask(
    caller: &dyn Caller,
    request: &AdmissionRequest<'_>,
    webhook: &Value,
) -> Result<Option<Verdict>, Status> {
    let name = webhook.str_at(&["name"]);
    let side_effects = webhook.str_at(&["sideEffects"]);
    if request.call.options.dry_run && !matches!(side_effects, "None" | "NoneOnDryRun") {
        let text = format!("admission webhook {name:?} does not support dry run");
        return Err(Status::bad_request(text));
    }
    let question = review::question(request, webhook);
    let seconds = webhook.int_at(&["timeoutSeconds"]).and_then(|s| u64::try_from(s).ok());
    let timeout = Duration::from_secs(seconds.unwrap_or(TIMEOUT_SECONDS));
    let answer = client::endpoint(request.server, webhook)
        .and_then(|endpoint| caller.post(&endpoint, question.to_string().as_bytes(), timeout))
        .and_then(|body| review::answer(&question, &body));
    match answer {
        Ok(verdict) => match verdict.refusal(name) {
            Some(refusal) => Err(refusal),
            None => Ok(Some(verdict)),
        },
        Err(_) if webhook.str_at(&["failurePolicy"]) == "Ignore" => Ok(None),
        Err(text) => Err(failed(name, &text)),
    }
}

fn failed(name: &str, text: &str) -> Status {
    Status::internal(&format!("failed calling webhook {name:?}: {text}"))
}

fn convert(object: &mut Value, from: &'static Resource, to: &'static Resource) {
    if from.group != to.group || from.version != to.version {
        api::convert(object, from, to);
    }
}
