//! Ingresses: backends by `serviceName`, or by `service.name`.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::rename;
use crate::Resource;

pub(super) fn convert(object: &mut Value, to: &Resource) {
    let old = to.group == "extensions";
    let change = if old { to_old_backend } else { to_new_backend };
    if old {
        rename(object, &["spec", "defaultBackend"], &["spec", "backend"]);
    } else {
        rename(object, &["spec", "backend"], &["spec", "defaultBackend"]);
    }
    let default = if old { "backend" } else { "defaultBackend" };
    let Some(spec) = object.get_mut("spec") else { return };
    if let Some(backend) = spec.get_mut(default) {
        change(backend);
    }
    let rules = spec.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten();
    for rule in rules {
        let paths = rule.pointer_mut("/http/paths").and_then(Value::as_array_mut);
        for path in paths.into_iter().flatten() {
            if !old && path.str_at(&["pathType"]).is_empty() {
                path.set(&["pathType"], json!("ImplementationSpecific"));
            }
            if let Some(backend) = path.get_mut("backend") {
                change(backend);
            }
        }
    }
}

fn to_new_backend(backend: &mut Value) {
    rename(backend, &["serviceName"], &["service", "name"]);
    match backend.remove(&["servicePort"]) {
        Some(Value::String(name)) => backend.set(&["service", "port", "name"], json!(name)),
        Some(number) => backend.set(&["service", "port", "number"], number),
        None => {}
    }
}

fn to_old_backend(backend: &mut Value) {
    let Some(service) = backend.remove(&["service"]) else { return };
    backend.set(&["serviceName"], json!(service.str_at(&["name"])));
    let port = service.at(&["port", "number"]).or_else(|| service.at(&["port", "name"]));
    backend.set(&["servicePort"], port.cloned().unwrap_or_else(|| json!(0)));
}
