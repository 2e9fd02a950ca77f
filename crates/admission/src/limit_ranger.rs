//! `LimitRanger`: defaults and bounds of what containers, pods and claims may ask for.
//!
//! Deviation: bounds of one `LimitRange` are checked in the order of the resources' names; upstream
//! goes through a Go map, in no order.
//!
//! Mirrors: `kubernetes/plugin/pkg/admission/limitranger`.

mod bound;
pub mod image;

use std::collections::BTreeMap;

use apimachinery::json;
use apimachinery::quantity::{Format, Quantity};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, Operation};

use self::bound::{ask, at_least, at_most, ratio, request_at_most};
use crate::pod::containers_mut;
use crate::request::{aggregate, all, refuse, same};

const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Amounts by the name of the resource.
type Amounts = BTreeMap<String, Quantity>;

/// Admission of pods and claims: `LimitRanger`.
#[derive(Debug)]
pub struct LimitRanger;

impl Admission for LimitRanger {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let call = request.call;
        let is_pod = same(call.resource, &api::PODS) && request.operation == Operation::Create;
        let is_claim = same(call.resource, &api::PERSISTENT_VOLUME_CLAIMS)
            && request.operation != Operation::Delete;
        if !call.subresource.is_empty() || !(is_pod || is_claim) {
            return Ok(());
        }
        let ranges = all(request.server, &api::LIMIT_RANGES, call.namespace);
        if is_pod {
            for range in &ranges {
                fill_in(request.object, range);
            }
        }
        for range in &ranges {
            let errors = if is_pod {
                check_pod(request.object, range)
            } else {
                check_claim(request.object, range)
            };
            if !errors.is_empty() {
                return Err(refuse(request, &aggregate(&errors)));
            }
        }
        Ok(())
    }
}

fn amounts(list: Option<&Value>) -> Amounts {
    let entries = list.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(name, text)| Some((name.to_string(), Quantity::from_json(text).ok()?)))
        .collect()
}

/// The limits of one type in a range.
fn limits_of<'a>(range: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    range.list_at(&["spec", "limits"]).iter().filter(move |limit| limit.str_at(&["type"]) == kind)
}

/// Gives containers the default requests and limits that they lack, and says so in an annotation.
fn fill_in(pod: &mut Value, range: &Value) {
    let (mut requests, mut limits) = (json!({}), json!({}));
    for limit in limits_of(range, "Container") {
        for (from, to) in [("defaultRequest", &mut requests), ("default", &mut limits)] {
            for (name, amount) in limit.map_at(&[from]).into_iter().flatten() {
                to[name] = amount.clone();
            }
        }
    }
    let mut told = Vec::new();
    for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
        for container in containers_mut(pod, list) {
            for (defaults, field, word) in
                [(&requests, "requests", "request"), (&limits, "limits", "limit")]
            {
                let set = fill_in_list(container, field, defaults);
                if !set.is_empty() {
                    let name = container.str_at(&["name"]);
                    told.push(format!("{} {word} for {what} {name}", set.join(", ")));
                }
            }
        }
    }
    if !told.is_empty() {
        pod.set_annotation(ANNOTATION, &format!("LimitRanger plugin set: {}", told.join("; ")));
    }
}

/// The names of the resources that were set.
fn fill_in_list(container: &mut Value, field: &str, defaults: &Value) -> Vec<String> {
    let mut set = Vec::new();
    for (name, amount) in defaults.as_object().into_iter().flatten() {
        let path = ["resources", field, name.as_str()];
        if container.at(&path).is_none() {
            container.set(&path, amount.clone());
            set.push(name.to_string());
        }
    }
    set
}

/// What is wrong with a pod in a namespace with this range.
#[must_use]
pub fn check_pod(pod: &Value, range: &Value) -> Vec<String> {
    let mut errors = Vec::new();
    for limit in range.list_at(&["spec", "limits"]) {
        match limit.str_at(&["type"]) {
            "Container" => {
                for list in ["containers", "initContainers"] {
                    for container in pod.list_at(&["spec", list]) {
                        let requests = amounts(container.at(&["resources", "requests"]));
                        let limits = amounts(container.at(&["resources", "limits"]));
                        check_bounds(&mut errors, limit, &requests, &limits);
                    }
                }
            }
            "Pod" => {
                let (requests, limits) = (pod_total(pod, "requests"), pod_total(pod, "limits"));
                check_bounds(&mut errors, limit, &requests, &limits);
            }
            _ => {}
        }
    }
    errors
}

fn check_bounds(errors: &mut Vec<String>, limit: &Value, requests: &Amounts, limits: &Amounts) {
    let kind = limit.str_at(&["type"]);
    for (field, check) in
        [("min", at_least as bound::Check), ("max", at_most), ("maxLimitRequestRatio", ratio)]
    {
        for (name, enforced) in amounts(limit.get(field)) {
            let asked = ask(kind, &name, requests.get(&name), limits.get(&name));
            errors.extend(check(&asked, &enforced));
        }
    }
}

/// What the containers ask for together, of resources that all of them ask for, or what the
/// hungriest init container asks for where that is more.
fn pod_total(pod: &Value, field: &str) -> Amounts {
    let read = |container: &Value| amounts(container.at(&["resources", field]));
    let lists: Vec<Amounts> = pod.list_at(&["spec", "containers"]).iter().map(read).collect();
    let mut total = Amounts::new();
    for name in lists.iter().flat_map(BTreeMap::keys) {
        let each: Option<Vec<&Quantity>> = lists.iter().map(|list| list.get(name)).collect();
        if let Some(each) = each {
            let sum = if name == "cpu" {
                Quantity::from_millis(each.iter().map(|amount| amount.milli_value()).sum())
            } else {
                Quantity::new(each.iter().map(|amount| amount.value()).sum(), Format::DecimalSi)
            };
            total.insert(name.clone(), sum);
        }
    }
    for container in pod.list_at(&["spec", "initContainers"]) {
        for (name, amount) in read(container) {
            let known = total.entry(name).or_insert_with(|| amount.clone());
            if *known < amount {
                *known = amount;
            }
        }
    }
    total
}

/// What is wrong with a claim in a namespace with this range.
#[must_use]
pub fn check_claim(claim: &Value, range: &Value) -> Vec<String> {
    let kind = "PersistentVolumeClaim";
    let requests = amounts(claim.at(&["spec", "resources", "requests"]));
    let mut errors = Vec::new();
    for limit in limits_of(range, kind) {
        for (field, check) in [("min", at_least as bound::Check), ("max", request_at_most)] {
            for (name, enforced) in amounts(limit.get(field)) {
                errors.extend(check(&ask(kind, &name, requests.get(&name), None), &enforced));
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests;
