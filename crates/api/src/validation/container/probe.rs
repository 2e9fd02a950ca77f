//! Probes and lifecycle handlers.

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::validation;
use apimachinery::{ObjectExt as _, Value};

use super::checks;

pub(super) fn check(probe: &Value, path: &Path, errors: &mut ErrorList) {
    handler(probe, path, errors);
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        checks::non_negative(probe, path, field, errors);
    }
}

pub(super) fn handler(handler: &Value, path: &Path, errors: &mut ErrorList) {
    let mut count = 0;
    for kind in ["exec", "httpGet", "tcpSocket"] {
        let Some(action) = handler.get(kind).filter(|value| !value.is_null()) else { continue };
        let path = path.child(kind);
        count += 1;
        if count > 1 {
            errors.push(Error::forbidden(&path, "may not specify more than 1 handler type"));
            continue;
        }
        match kind {
            "exec" if action.list_at(&["command"]).is_empty() => {
                errors.push(Error::required(&path.child("command"), ""));
            }
            "httpGet" => http_get(action, &path, errors),
            "tcpSocket" => {
                checks::port_number_or_name(action.get("port"), &path.child("port"), errors);
            }
            _ => {}
        }
    }
    if count == 0 {
        errors.push(Error::required(path, "must specify a handler type"));
    }
}

fn http_get(action: &Value, path: &Path, errors: &mut ErrorList) {
    checks::required(action, path, "path", errors);
    checks::port_number_or_name(action.get("port"), &path.child("port"), errors);
    checks::one_of(action, path, "scheme", &["HTTP", "HTTPS"], errors);
    for header in action.list_at(&["httpHeaders"]) {
        let name = header.str_at(&["name"]);
        let complaints = validation::http_header_name(name);
        checks::invalid(&path.child("httpHeaders"), name, &complaints, errors);
    }
}
