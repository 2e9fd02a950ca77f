//! Whom a proxied request is for: `[scheme:]name[:port]` of a pod or a service.
//!
//! Mirrors: `kubernetes/pkg/registry/core/{pod,service}` (`ResourceLocation`),
//! `k8s.io/apimachinery/pkg/util/net` (`SplitSchemeNamePort`).

use apimachinery::Value;
use apimachinery::status::Reason;
use apimachinery::{ObjectExt as _, Status};

use crate::{ApiServer, Call};

/// An address inside the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) ip: String,
    pub(super) port: u16,
}

/// A name taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name<'a> {
    scheme: &'a str,
    name: &'a str,
    port: &'a str,
}

impl<'a> Name<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let words: Vec<&str> = text.split(':').collect();
        let (scheme, name, port) = match words[..] {
            [name] => ("", name, ""),
            [name, port] => ("", name, port),
            [scheme, name, port] => (scheme, name, port),
            _ => return None,
        };
        let known = ["", "http", "https"].contains(&scheme) && !name.is_empty();
        known.then_some(Self { scheme, name, port })
    }
}

impl Target {
    /// `ip:port` as it stands in URLs.
    pub(super) fn authority(&self) -> String {
        match self.ip.contains(':') {
            true => format!("[{}]:{}", self.ip, self.port),
            false => format!("{}:{}", self.ip, self.port),
        }
    }

    /// The address that a call on `pods/proxy` or `services/proxy` means.
    pub(super) fn find(api: &ApiServer, call: &Call<'_>) -> Result<Self, Status> {
        let singular = call.resource.singular;
        let Some(name) = Name::parse(call.name) else {
            return Err(Status::bad_request(format!("invalid {singular} request {:?}", call.name)));
        };
        if name.scheme == "https" {
            return Err(super::unreachable("https to a pod is not supported"));
        }
        let object = api.get(&Call { name: name.name, subresource: "", ..call.clone() })?.value();
        if call.resource.plural == "pods" {
            return of_pod(&object, name.port);
        }
        let endpoints =
            Call { resource: &api::ENDPOINTS, name: name.name, subresource: "", ..call.clone() };
        let endpoints = match api.get(&endpoints) {
            Ok(found) => (*found.value()).clone(),
            Err(status) if status.is_not_found() => Value::Null,
            Err(status) => return Err(status),
        };
        let choose = |count: usize| pick(api, count);
        of_service(&object, &endpoints, name, choose)
    }
}

/// One of `count`, drawn.
fn pick(api: &ApiServer, count: usize) -> usize {
    match u64::try_from(count) {
        Ok(count @ 1..) => usize::try_from(api.world().random_below(count)).unwrap_or(0),
        _ => 0,
    }
}

fn of_pod(pod: &Value, port: &str) -> Result<Target, Status> {
    let containers = pod.list_at(&["spec", "containers"]).iter();
    let mut declared = containers
        .filter_map(|container| container.list_at(&["ports"]).first()?.int_at(&["containerPort"]));
    let port = match port {
        "" => declared.next().unwrap_or(80).to_string(),
        port => port.to_owned(),
    };
    let ip = pod.str_at(&["status", "podIP"]).to_owned();
    if ip.is_empty() {
        return Err(Status::bad_request("address not allowed"));
    }
    number(&port, &ip).map(|port| Target { ip, port })
}

fn number(port: &str, ip: &str) -> Result<u16, Status> {
    let number = port.parse().ok().filter(|port| *port > 0);
    number.ok_or_else(|| super::unreachable(&format!("dial tcp {ip}:{port}: unknown port")))
}

fn of_service(
    service: &Value,
    endpoints: &Value,
    wanted: Name<'_>,
    choose: impl Fn(usize) -> usize,
) -> Result<Target, Status> {
    let unavailable = |text: String| Status::new(Reason::ServiceUnavailable, text);
    let ports = service.list_at(&["spec", "ports"]);
    let port = match (wanted.port, wanted.port.parse::<i64>()) {
        ("", _) if ports.len() == 1 => ports[0].str_at(&["name"]),
        (_, Ok(number)) => {
            let found = ports.iter().find(|port| port.int_at(&["port"]) == Some(number));
            let text = || format!("no service port {number} found for service {:?}", wanted.name);
            found.ok_or_else(|| unavailable(text()))?.str_at(&["name"])
        }
        (name, _) => name,
    };
    let none = || unavailable(format!("no endpoints available for service {:?}", wanted.name));
    let ready: Vec<(&str, i64)> = endpoints
        .list_at(&["subsets"])
        .iter()
        .filter_map(|subset| {
            let named = |entry: &&Value| entry.str_at(&["name"]) == port;
            let number = subset.list_at(&["ports"]).iter().find(named)?.int_at(&["port"])?;
            let addresses = subset.list_at(&["addresses"]).iter();
            Some(addresses.map(move |address| (address.str_at(&["ip"]), number)))
        })
        .flatten()
        .collect();
    let (ip, port) = *ready.get(choose(ready.len())).ok_or_else(none)?;
    number(&port.to_string(), ip).map(|port| Target { ip: ip.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn names_may_have_a_scheme_and_a_port() {
        let parsed = |text| Name::parse(text).map(|n| (n.scheme, n.name, n.port));
        assert_eq!(parsed("web"), Some(("", "web", "")));
        assert_eq!(parsed("web:80"), Some(("", "web", "80")));
        assert_eq!(parsed("https:web:main"), Some(("https", "web", "main")));
        assert_eq!(parsed("ftp:web:1"), None);
        assert_eq!(parsed(":80"), None);
        assert_eq!(parsed("a:b:c:d"), None);
    }

    #[test]
    fn a_pod_is_reached_at_its_first_port() {
        let pod = |ports: Value| {
            json!({"spec": {"containers": [{"name": "a"}, {"name": "b", "ports": ports}]},
                "status": {"podIP": "10.1.0.1"}})
        };
        let port = |pod: &Value, word| of_pod(pod, word).map(|target| target.port);
        assert_eq!(port(&pod(json!([{"containerPort": 8080}])), ""), Ok(8080));
        assert_eq!(port(&pod(json!([])), ""), Ok(80));
        assert_eq!(port(&pod(json!([])), "99"), Ok(99));
        let status = of_pod(&json!({}), "80").unwrap_err();
        assert_eq!((status.code, status.message.as_str()), (400, "address not allowed"));
    }

    #[test]
    fn a_service_is_reached_at_a_ready_endpoint() {
        let service = json!({"spec": {"ports": [
            {"name": "http", "port": 80}, {"name": "admin", "port": 81},
        ]}});
        let endpoints = json!({"subsets": [{
            "addresses": [{"ip": "10.1.0.1"}, {"ip": "10.1.0.2"}],
            "notReadyAddresses": [{"ip": "10.1.0.3"}],
            "ports": [{"name": "http", "port": 8080}],
        }]});
        let find = |text: &'static str| {
            let name = Name::parse(text).unwrap();
            of_service(&service, &endpoints, name, |count| count.saturating_sub(1))
        };
        let second = Target { ip: "10.1.0.2".to_owned(), port: 8080 };
        assert_eq!(find("web:80"), Ok(second.clone()));
        assert_eq!(find("web:http"), Ok(second));
        let none = "no endpoints available for service \"web\"";
        for text in ["web", "web:81", "web:nosuch"] {
            let status = find(text).unwrap_err();
            assert_eq!((status.code, status.message.as_str()), (503, none), "{text}");
        }
        let status = find("web:82").unwrap_err();
        assert_eq!(status.message, "no service port 82 found for service \"web\"");
    }
}
