//! Which list options go together.
//!
//! Mirrors: `k8s.io/apimachinery/pkg/apis/meta/internalversion/validation`.

use apimachinery::Status;
use apimachinery::field::{Error, ErrorList, Path};

use crate::call::ListOptions;

const EXACT: &str = "Exact";
const NOT_OLDER_THAN: &str = "NotOlderThan";

/// Checks the options of a list.
pub(crate) fn check_list(options: &ListOptions) -> Result<(), Status> {
    let matching = options.resource_version_match.as_str();
    let mut errors = ErrorList::new();
    if !matching.is_empty() {
        if options.resource_version.is_empty() {
            errors.push(forbid(
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        check_continue(options, &mut errors);
        if matching != EXACT && matching != NOT_OLDER_THAN {
            errors.push(Error::not_supported(&path(), matching, &[EXACT, NOT_OLDER_THAN, ""]));
        }
        if matching == EXACT && options.resource_version == "0" {
            let text = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            errors.push(forbid(text));
        }
    }
    if options.send_initial_events.is_some() {
        let path = Path::new("sendInitialEvents");
        errors.push(Error::forbidden(&path, "sendInitialEvents is forbidden for list"));
    }
    finish(&errors)
}

/// Checks the options of a watch.
pub(crate) fn check_watch(options: &ListOptions) -> Result<(), Status> {
    let matching = options.resource_version_match.as_str();
    let initial = options.send_initial_events.is_some();
    let mut errors = ErrorList::new();
    if initial && matching != NOT_OLDER_THAN {
        errors.push(forbid(
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    if !matching.is_empty() {
        if !initial {
            let text =
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            errors.push(forbid(text));
        }
        if matching != NOT_OLDER_THAN {
            errors.push(Error::not_supported(&path(), matching, &[NOT_OLDER_THAN]));
        }
        check_continue(options, &mut errors);
    }
    finish(&errors)
}

fn path() -> Path {
    Path::new("resourceVersionMatch")
}

fn forbid(text: &str) -> Error {
    Error::forbidden(&path(), text)
}

fn check_continue(options: &ListOptions, errors: &mut ErrorList) {
    if !options.continue_token.is_empty() {
        errors.push(forbid("resourceVersionMatch is forbidden when continue is provided"));
    }
}

fn finish(errors: &[Error]) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("meta.k8s.io", "ListOptions", "", errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(version: &str, matching: &str, initial: Option<bool>) -> ListOptions {
        ListOptions {
            resource_version: version.to_owned(),
            resource_version_match: matching.to_owned(),
            send_initial_events: initial,
            ..ListOptions::default()
        }
    }

    #[test]
    fn what_does_not_go_together_is_invalid() {
        let refused = check_list(&options("", "Exact", None)).unwrap_err();
        assert_eq!(
            refused.message,
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: \
             resourceVersionMatch is forbidden unless resourceVersion is provided"
        );
        assert!(check_list(&options("0", "Exact", None)).is_err());
        assert!(check_list(&options("5", "Newer", None)).is_err());
        assert!(check_list(&options("0", "NotOlderThan", None)).is_ok());
        assert!(check_watch(&options("", "NotOlderThan", Some(true))).is_ok());
        assert!(check_watch(&options("", "", Some(true))).is_err());
        assert!(check_watch(&options("", "NotOlderThan", None)).is_err());
    }
}
