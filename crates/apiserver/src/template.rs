//! `processedtemplates`: a template in, the same template with values, labels and finished objects
//! out. Nothing is stored.
//!
//! Reading order: [`process`], `substitute` (`${NAME}` and `${{NAME}}`), `generate` (values made up
//! from an expression).
//!
//! Mirrors: `openshift/origin/pkg/template/templateprocessing`, `pkg/template/registry/template`.

mod generate;
mod substitute;

use std::collections::BTreeMap;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{Map, Value, json};
use apimachinery::{ObjectExt as _, Status};
use world::World;

use self::substitute::{has_reference, in_document, in_text};
use crate::call::Written;
use crate::handler::{HandlerContext, RestHandler};
use crate::stored::Stored;

const NAME_RULE: &str = "does not match ^[a-zA-Z0-9_]+$";

/// The handler of `processedtemplates`.
#[derive(Debug)]
pub(crate) struct ProcessedTemplates;

impl RestHandler for ProcessedTemplates {
    fn create(&self, cx: &HandlerContext<'_>, body: Value) -> Result<Written, Status> {
        let mut template = body;
        let errors = match check_parameters(&template) {
            errors if errors.is_empty() => process(&mut template, cx.server.world()),
            errors => errors,
        };
        if !errors.is_empty() {
            let name = template.name();
            return Err(Status::invalid("template.openshift.io", "Template", name, &errors));
        }
        Ok(Written::created(Stored::new(template)))
    }
}

fn check_parameters(template: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("parameters");
    for (index, parameter) in template.list_at(&["parameters"]).iter().enumerate() {
        let name = parameter.str_at(&["name"]);
        let path = path.index(index).child("name");
        if name.is_empty() {
            errors.push(Error::required(&path, ""));
        } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            errors.push(Error::invalid(&path, name, NAME_RULE));
        }
    }
    errors
}

/// Fills parameters, labels, message and objects of a template in.
fn process(template: &mut Value, world: &World) -> ErrorList {
    let mut errors = fill_parameters(template, world);
    if !errors.is_empty() {
        return errors;
    }
    let values: BTreeMap<String, String> = template
        .list_at(&["parameters"])
        .iter()
        .map(|one| (one.str_at(&["name"]).to_owned(), one.str_at(&["value"]).to_owned()))
        .collect();
    if let Some(message) = template.get("message").and_then(Value::as_str) {
        let message = in_text(message, &values);
        template.set(&["message"], json!(message));
    }
    let labels: Map = template
        .map_at(&["labels"])
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let value = in_text(value.as_str().unwrap_or_default(), &values);
            (in_text(key, &values), json!(value))
        })
        .collect();
    if !labels.is_empty() {
        template.set(&["labels"], Value::Object(labels.clone()));
    }
    let objects = template.get_mut("objects").and_then(Value::as_array_mut);
    for (index, object) in objects.into_iter().flatten().enumerate() {
        strip_namespace(object);
        *object = in_document(object, &values);
        if let Err(text) = add_labels(object, &labels) {
            let path = Path::new("item").index(index).child("labels");
            let text = format!("label could not be applied: {text}");
            errors.push(Error::invalid(&path, Value::Object(labels.clone()), &text));
        }
    }
    errors
}

/// Makes up the values that are not given.
fn fill_parameters(template: &mut Value, world: &World) -> ErrorList {
    let mut errors = ErrorList::new();
    let parameters = template.get_mut("parameters").and_then(Value::as_array_mut);
    for (index, parameter) in parameters.into_iter().flatten().enumerate() {
        if !parameter.str_at(&["value"]).is_empty() {
            continue;
        }
        let path = Path::new("template.parameters").index(index);
        let name = parameter.str_at(&["name"]).to_owned();
        match parameter.str_at(&["generate"]) {
            "" => {}
            "expression" => match generate::value(parameter.str_at(&["from"]), world) {
                Ok(value) => parameter.set(&["value"], json!(value)),
                Err(text) => errors.push(Error::invalid(&path, parameter.clone(), &text)),
            },
            other => {
                let text = format!("Unknown generator name '{other}' for parameter {name}");
                errors.push(Error::invalid(&path, other, &text));
            }
        }
        if parameter.bool_at(&["required"]) && parameter.str_at(&["value"]).is_empty() {
            let text = format!("{path}: parameter {name} is required and must be specified");
            errors.push(Error::required(&path, &text));
        }
    }
    errors
}

/// Takes a fixed namespace out, so that the objects go where the template is used.
fn strip_namespace(object: &mut Value) {
    let fixed = |value: &Value| !value.as_str().is_some_and(has_reference);
    if object.at(&["metadata", "namespace"]).is_some_and(fixed) {
        object.remove(&["metadata", "namespace"]);
    }
    if object.get("namespace").is_some_and(fixed) {
        object.remove(&["namespace"]);
    }
}

/// Puts the template's labels on an object, over those it has.
fn add_labels(object: &mut Value, labels: &Map) -> Result<(), String> {
    if labels.is_empty() {
        return Ok(());
    }
    if !object.is_object() {
        return Err("the object is not a map".to_owned());
    }
    let rooted = object.get("labels").is_some_and(Value::is_object);
    for (key, value) in labels {
        object.set(&["metadata", "labels", key], value.clone());
        // Only objects that have labels outside their metadata get them there too.
        if rooted {
            object.set(&["labels", key], value.clone());
        }
    }
    let template = ["spec", "template", "metadata", "labels"];
    if object.kind() == "DeploymentConfig" && object.at(&["spec", "template"]).is_some() {
        for (key, value) in labels {
            object.set(&[&template[..], &[key.as_str()]].concat(), value.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
