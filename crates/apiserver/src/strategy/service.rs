//! Services: addresses and node ports out of the cluster's ranges.
//!
//! An address or port is a [`Claim`], so it is taken and given back in the very transaction that
//! writes the service; nothing has to be repaired after a crash.
//!
//! Mirrors: `kubernetes/pkg/registry/core/service`.

use std::net::Ipv4Addr;

use apimachinery::field::{Error, ErrorList, Path};
use apimachinery::{ObjectExt as _, Status};
use apimachinery::{Value, json};
use store::Range;

use super::{Claim, Strategy, StrategyContext, keep_status};
use crate::key;
use crate::server::ApiServer;

/// The address of the service `default/kubernetes`, the first of the network.
pub(crate) const KUBERNETES_SERVICE_IP: &str = "172.30.0.1";

const IPS: &str = "serviceips";
const NODE_PORTS: &str = "servicenodeports";
/// 172.30.0.0/16
const NETWORK: u32 = u32::from_be_bytes([172, 30, 0, 0]);
const NETWORK_SIZE: u32 = 1 << 16;
const NODE_PORTS_FULL: &str = "failed to allocate a nodePort: range is full";
const HEALTH_CHECK: &[&str] = &["spec", "healthCheckNodePort"];
const FIRST_NODE_PORT: i64 = 30_000;
const LAST_NODE_PORT: i64 = 32_767;
/// Random picks before the free items are counted one by one.
const RANDOM_PICKS: usize = 32;

#[derive(Debug)]
pub(super) struct ServiceStrategy;

impl Strategy for ServiceStrategy {
    fn prepare_for_create(
        &self,
        cx: &StrategyContext<'_>,
        object: &mut Value,
    ) -> Result<(), Status> {
        object.set(&["status"], json!({"loadBalancer": {}}));
        allocate(cx, object, None)
    }

    fn prepare_for_update(
        &self,
        cx: &StrategyContext<'_>,
        new: &mut Value,
        old: &Value,
    ) -> Result<(), Status> {
        keep_status(cx.resource, new, old);
        if has_address(new) && has_address(old) && cluster_ip(new).is_empty() {
            new.set(&["spec", "clusterIP"], json!(cluster_ip(old)));
        }
        if !has_address(new) && has_address(old) && cluster_ip(new) == cluster_ip(old) {
            new.remove(&["spec", "clusterIP"]);
        }
        keep_node_ports(new, old);
        if !needs_health_check(new) && new.at(HEALTH_CHECK) == old.at(HEALTH_CHECK) {
            new.remove(HEALTH_CHECK);
        }
        allocate(cx, new, Some(old))
    }

    fn validate_update(&self, _: &StrategyContext<'_>, new: &Value, old: &Value) -> ErrorList {
        let (wanted, had) = (cluster_ip(new), cluster_ip(old));
        if wanted == had || had.is_empty() || !has_address(new) || !has_address(old) {
            return ErrorList::new();
        }
        vec![Error::invalid(&ip_path(), wanted, "field is immutable")]
    }

    fn has_claims(&self) -> bool {
        true
    }

    fn claims(&self, object: &Value) -> Vec<Claim> {
        let ip = Some(cluster_ip(object)).filter(|ip| has_address(object) && is_address(ip));
        let ip = ip.map(|ip| Claim { range: IPS, item: ip.to_owned() });
        let mut claims: Vec<Claim> = ip.into_iter().chain(node_port_claims(object)).collect();
        claims.sort_unstable();
        claims.dedup();
        claims
    }
}

fn ip_path() -> Path {
    Path::new("spec").child("clusterIP")
}

fn cluster_ip(service: &Value) -> &str {
    service.str_at(&["spec", "clusterIP"])
}

fn is_address(ip: &str) -> bool {
    !ip.is_empty() && ip != "None"
}

fn service_type(service: &Value) -> &str {
    match service.str_at(&["spec", "type"]) {
        "" => "ClusterIP",
        other => other,
    }
}

fn has_address(service: &Value) -> bool {
    service_type(service) != "ExternalName"
}

fn has_node_ports(service: &Value) -> bool {
    matches!(service_type(service), "NodePort" | "LoadBalancer")
}

fn node_port_claims(service: &Value) -> impl Iterator<Item = Claim> {
    let ports = service.list_at(&["spec", "ports"]).iter();
    let ports = ports.filter_map(|port| port.int_at(&["nodePort"]));
    let ports = ports.chain(service.int_at(HEALTH_CHECK)).filter(|port| *port > 0);
    ports.map(|port| Claim { range: NODE_PORTS, item: port.to_string() })
}

/// Picks what the service needs and checks what it asks for; `old` keeps what it has.
fn allocate(
    cx: &StrategyContext<'_>,
    service: &mut Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let mut errors = ErrorList::new();
    if has_address(service) {
        allocate_ip(cx, service, old, &mut errors);
    }
    if has_node_ports(service) {
        allocate_node_ports(cx, service, old, &mut errors);
    }
    if needs_health_check(service) {
        allocate_health_check(cx, service, old, &mut errors);
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("", "Service", service.name(), &errors))
}

fn taken(server: &ApiServer, range: &'static str, item: &str) -> bool {
    server.store().get(&key::claim(range, item)).is_some()
}

fn allocate_ip(
    cx: &StrategyContext<'_>,
    service: &mut Value,
    old: Option<&Value>,
    errors: &mut ErrorList,
) {
    let wanted = cluster_ip(service).to_owned();
    if wanted == "None" || old.is_some_and(|old| has_address(old) && !cluster_ip(old).is_empty()) {
        return;
    }
    if wanted.is_empty() {
        match free_ip(cx.server) {
            Some(ip) => service.set(&["spec", "clusterIP"], json!(ip)),
            None => errors
                .push(Error::internal(&ip_path(), "failed to allocate a serviceIP: range is full")),
        }
        return;
    }
    // What is no address at all is left to validation.
    let Ok(ip) = wanted.parse::<Ipv4Addr>() else { return };
    let offset = u32::from(ip).wrapping_sub(NETWORK);
    if offset == 0 || offset >= NETWORK_SIZE - 1 {
        let text = "provided IP is not in the valid range. The range of valid IPs is 172.30.0.0/16";
        errors.push(Error::invalid(&ip_path(), wanted, text));
    } else if taken(cx.server, IPS, &wanted) {
        errors.push(Error::invalid(&ip_path(), wanted, "provided IP is already allocated"));
    }
}

/// A random address that no service has. The first is left to the service of the API.
fn free_ip(server: &ApiServer) -> Option<String> {
    let hosts = u64::from(NETWORK_SIZE) - 3;
    let address = |offset: u64| {
        let offset = u32::try_from(offset + 2).unwrap_or_default();
        Ipv4Addr::from(NETWORK + offset).to_string()
    };
    pick(server, IPS, hosts, address)
}

fn free_node_port(server: &ApiServer, also_taken: &[i64]) -> Option<i64> {
    let count = u64::try_from(LAST_NODE_PORT - FIRST_NODE_PORT + 1).unwrap_or_default();
    let port = |offset: u64| FIRST_NODE_PORT + i64::try_from(offset).unwrap_or_default();
    for _ in 0..RANDOM_PICKS {
        let candidate = pick(server, NODE_PORTS, count, |offset| port(offset).to_string())?;
        let candidate = candidate.parse().ok()?;
        if !also_taken.contains(&candidate) {
            return Some(candidate);
        }
    }
    None
}

/// A random item that nobody has claimed, from a random start the next free one if need be.
fn pick(
    server: &ApiServer,
    range: &'static str,
    count: u64,
    item: impl Fn(u64) -> String,
) -> Option<String> {
    for _ in 0..RANDOM_PICKS {
        let candidate = item(server.world().random_below(count));
        if !taken(server, range, &candidate) {
            return Some(candidate);
        }
    }
    let claimed = Range::prefix(key::claim(range, "")).count_only();
    let claimed = server.store().range(&claimed).map_or(0, |response| response.count);
    if u64::try_from(claimed).is_ok_and(|claimed| claimed >= count) {
        return None;
    }
    let start = server.world().random_below(count);
    let candidates = (0..count).map(|step| item((start + step) % count));
    candidates.into_iter().find(|candidate| !taken(server, range, candidate))
}

/// Balancers that route to local endpoints only ask each node for its health on a port of its own.
fn needs_health_check(service: &Value) -> bool {
    service_type(service) == "LoadBalancer"
        && service.str_at(&["spec", "externalTrafficPolicy"]) == "Local"
}

fn allocate_health_check(
    cx: &StrategyContext<'_>,
    service: &mut Value,
    old: Option<&Value>,
    errors: &mut ErrorList,
) {
    let path = Path::new("spec").child("healthCheckNodePort");
    let had = old.and_then(|old| old.int_at(HEALTH_CHECK)).unwrap_or(0);
    match service.int_at(HEALTH_CHECK).unwrap_or(0) {
        0 if had > 0 => service.set(HEALTH_CHECK, json!(had)),
        0 => {
            let used: Vec<i64> =
                node_port_claims(service).filter_map(|claim| claim.item.parse().ok()).collect();
            match free_node_port(cx.server, &used) {
                Some(free) => service.set(HEALTH_CHECK, json!(free)),
                None => errors.push(Error::internal(&path, NODE_PORTS_FULL)),
            }
        }
        wanted if wanted != had && taken(cx.server, NODE_PORTS, &wanted.to_string()) => {
            errors.push(Error::invalid(&path, wanted, "provided port is already allocated"));
        }
        _ => {}
    }
}

/// A port of the same number and protocol keeps its node port when the client leaves it out.
fn keep_node_ports(new: &mut Value, old: &Value) {
    if !has_node_ports(new) {
        if !has_node_ports(old) {
            return;
        }
        for port in ports_mut(new) {
            let kept = old.list_at(&["spec", "ports"]).iter();
            if kept.clone().any(|had| had.get("nodePort") == port.get("nodePort")) {
                port.remove(&["nodePort"]);
            }
        }
        return;
    }
    for port in ports_mut(new) {
        if port.int_at(&["nodePort"]).unwrap_or(0) != 0 {
            continue;
        }
        let same = |had: &&Value| {
            had.get("port") == port.get("port") && had.get("protocol") == port.get("protocol")
        };
        let had = old.list_at(&["spec", "ports"]).iter().find(same);
        if let Some(node_port) = had.and_then(|had| had.get("nodePort")) {
            port.set(&["nodePort"], node_port.clone());
        }
    }
}

fn ports_mut(service: &mut Value) -> impl Iterator<Item = &mut Value> {
    service.pointer_mut("/spec/ports").and_then(Value::as_array_mut).into_iter().flatten()
}

fn allocate_node_ports(
    cx: &StrategyContext<'_>,
    service: &mut Value,
    old: Option<&Value>,
    errors: &mut ErrorList,
) {
    let own: Vec<Claim> = old.into_iter().flat_map(node_port_claims).collect();
    let mut used: Vec<i64> = service
        .list_at(&["spec", "ports"])
        .iter()
        .filter_map(|port| port.int_at(&["nodePort"]))
        .collect();
    for (index, port) in ports_mut(service).enumerate() {
        let path = Path::new("spec").child("ports").index(index).child("nodePort");
        let wanted = port.int_at(&["nodePort"]).unwrap_or(0);
        if wanted == 0 {
            match free_node_port(cx.server, &used) {
                Some(free) => {
                    used.push(free);
                    port.set(&["nodePort"], json!(free));
                }
                None => errors.push(Error::internal(&path, NODE_PORTS_FULL)),
            }
        } else if !(FIRST_NODE_PORT..=LAST_NODE_PORT).contains(&wanted) {
            let text = "provided port is not in the valid range. The range of valid ports is \
                        30000-32767";
            errors.push(Error::invalid(&path, wanted, text));
        } else if !own.iter().any(|claim| claim.item == wanted.to_string())
            && taken(cx.server, NODE_PORTS, &wanted.to_string())
        {
            errors.push(Error::invalid(&path, wanted, "provided port is already allocated"));
        }
    }
}
