//! The row of a Route.

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

use super::super::{Printer, named, string};
use super::text;

pub(super) static ROUTE: Printer = Printer {
    columns: &[
        named("NAME"),
        string("HOST/PORT"),
        string("PATH"),
        string("SERVICES"),
        string("PORT"),
        string("TERMINATION"),
        string("WILDCARD"),
    ],
    cells: |route, _| {
        let port = text::plain(route.at(&["spec", "port", "targetPort"]));
        vec![
            json!(route.name()),
            json!(host(route)),
            json!(route.str_at(&["spec", "path"])),
            json!(services(route)),
            json!(port.as_deref().unwrap_or("<all>")),
            json!(termination(route)),
            json!(route.str_at(&["spec", "wildcardPolicy"])),
        ]
    },
};

fn host(route: &Value) -> String {
    let ingress = route.at(&["status", "ingress"]).filter(|value| !value.is_null());
    let spec_host = route.str_at(&["spec", "host"]);
    if ingress.is_none() {
        return spec_host.to_owned();
    }
    let (mut admitted, mut rejected) = (Vec::new(), Vec::new());
    for router in route.list_at(&["status", "ingress"]) {
        for condition in router.list_at(&["conditions"]) {
            match (condition.str_at(&["type"]), condition.str_at(&["status"])) {
                ("Admitted", "True") => admitted.push(router.str_at(&["host"])),
                ("Admitted", "False") => rejected.push(condition.str_at(&["reason"])),
                _ => {}
            }
        }
    }
    let own = admitted.iter().find(|host| **host == spec_host).or_else(|| admitted.first());
    match (own, rejected.len()) {
        (None, 0) => "Pending".to_owned(),
        (None, _) => rejected[0].to_owned(),
        (Some(host), 0) if admitted.len() == 1 => (*host).to_owned(),
        (Some(host), 0) => format!("{host} ... {} more", admitted.len() - 1),
        (Some(host), count) => format!("{host} ... {count} rejected"),
    }
}

fn services(route: &Value) -> String {
    let mut backends: Vec<&Value> = route.at(&["spec", "to"]).into_iter().collect();
    backends.extend(route.list_at(&["spec", "alternateBackends"]));
    if let [only] = backends[..] {
        let name = only.str_at(&["name"]);
        let zero = only.int_at(&["weight"]) == Some(0);
        return if zero { format!("{name}(0%)") } else { name.to_owned() };
    }
    let weight = |backend: &Value| backend.int_at(&["weight"]).unwrap_or(0);
    let total: i64 = backends.iter().map(|backend| weight(backend)).sum();
    let share = |backend: &Value| if total == 0 { 0 } else { weight(backend) * 100 / total };
    let texts: Vec<String> = backends
        .iter()
        .map(|backend| format!("{}({}%)", backend.str_at(&["name"]), share(backend)))
        .collect();
    texts.join(",")
}

fn termination(route: &Value) -> String {
    let termination = route.str_at(&["spec", "tls", "termination"]);
    match (termination, route.str_at(&["spec", "tls", "insecureEdgeTerminationPolicy"])) {
        (termination, "") => termination.to_owned(),
        ("", policy) => format!("default/{policy}"),
        (termination, policy) => format!("{termination}/{policy}"),
    }
}
