//! `refused` and `fails`: steps that are meant not to hold.
//!
//! Invariant: a step that holds although it was meant not to is a failure, told with its place in the
//! rehearsal file.

use crate::load::Plan;
use crate::runner::Error;
use crate::spec::Step;

/// Turns the outcome of a step into whether it was as expected.
pub(super) fn judge(
    step: &Step,
    place: &str,
    plan: &Plan,
    outcome: Result<(), Error>,
) -> Result<(), Error> {
    let told =
        outcome.as_ref().err().map(|error| crate::runner::describe(error)).unwrap_or_default();
    let (field, wrong) = if let Some(refusal) = &step.refused {
        let Err(error) = &outcome else {
            let text = "was to be refused, but was not".to_owned();
            return Err(unexpected(plan, place, "refused", text));
        };
        let reason = error.reason();
        let wanted = refusal.reason.as_deref();
        let contains = refusal.contains.as_deref().unwrap_or_default();
        if wanted.is_some() && wanted != reason {
            let text = format!("was refused as {}: {told}", reason.unwrap_or("something else"));
            ("refused.reason", Some(text))
        } else if told.contains(contains) {
            ("refused", None)
        } else {
            ("refused.contains", Some(format!("was refused with another text: {told}")))
        }
    } else if let Some(failure) = &step.fails {
        match &outcome {
            Ok(()) => ("fails", Some("was to fail, but held".to_owned())),
            Err(_) if told.contains(&failure.contains) => ("fails", None),
            Err(_) => ("fails.contains", Some(format!("failed with another text: {told}"))),
        }
    } else {
        return outcome;
    };
    match wrong {
        Some(text) => Err(unexpected(plan, place, field, text)),
        None => Ok(()),
    }
}

fn unexpected(plan: &Plan, place: &str, field: &str, text: String) -> Error {
    Error::Expectation(Box::new(plan.diagnose(&format!("{place}.{field}"), text)))
}
