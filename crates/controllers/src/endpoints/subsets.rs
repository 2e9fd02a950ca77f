//! Packing addresses and ports into subsets: every address once per distinct set of ports.
//!
//! Invariant: the result depends on the set of entries only, not on their order.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/api/v1/endpoints` (`RepackSubsets`).
//! Deviation: upstream sorts ports and subsets by a hash of their contents, here by the contents.

use std::collections::BTreeMap;

use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

/// An address that offers a port; a service without ports has addresses with none.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) address: Value,
    pub(crate) port: Option<Value>,
    pub(crate) ready: bool,
}

/// IP and uid of the pod: what tells addresses apart.
type AddressKey = (String, String);
/// Port, protocol, name: what ports are told apart and sorted by.
type PortKey = (i64, String, String);

/// The addresses that offer a port, and whether each is ready.
type Offered = BTreeMap<AddressKey, bool>;

fn address_key(address: &Value) -> AddressKey {
    let uid = address.str_at(&["targetRef", "uid"]);
    (address.str_at(&["ip"]).to_owned(), uid.to_owned())
}

fn port_key(port: &Value) -> PortKey {
    let number = port.int_at(&["port"]).unwrap_or(0);
    (number, port.str_at(&["protocol"]).to_owned(), port.str_at(&["name"]).to_owned())
}

/// The subsets that offer exactly `entries`. An address not ready in one entry of a port is not
/// ready there.
pub(crate) fn pack(entries: Vec<Entry>) -> Vec<Value> {
    let mut addresses: BTreeMap<AddressKey, Value> = BTreeMap::new();
    let mut ports: BTreeMap<Option<PortKey>, (Option<Value>, Offered)> = BTreeMap::new();
    for entry in entries {
        let key = address_key(&entry.address);
        addresses.entry(key.clone()).or_insert(entry.address);
        let of_port = ports.entry(entry.port.as_ref().map(port_key));
        let (_, offered) = of_port.or_insert_with(|| (entry.port, Offered::new()));
        *offered.entry(key).or_insert(true) &= entry.ready;
    }
    let mut subsets: BTreeMap<Offered, Vec<Value>> = BTreeMap::new();
    for (port, offered) in ports.into_values() {
        subsets.entry(offered).or_default().extend(port);
    }
    let subset = |(offered, ports)| subset(&addresses, &offered, ports);
    subsets.into_iter().map(subset).collect()
}

/// The same subsets with every address once per set of ports.
///
/// Mirrors: `RepackSubsets`.
#[must_use]
pub fn repack(subsets: &[Value]) -> Vec<Value> {
    let mut entries = Vec::new();
    for subset in subsets {
        let ports = subset.list_at(&["ports"]);
        let ports = if ports.is_empty() { vec![None] } else { ports.iter().map(Some).collect() };
        for (list, ready) in [("addresses", true), ("notReadyAddresses", false)] {
            for address in subset.list_at(&[list]) {
                entries.extend(ports.iter().map(|port| Entry {
                    address: address.clone(),
                    port: port.cloned(),
                    ready,
                }));
            }
        }
    }
    pack(entries)
}

fn subset(addresses: &BTreeMap<AddressKey, Value>, offered: &Offered, ports: Vec<Value>) -> Value {
    let having = |ready: bool| -> Vec<Value> {
        let keys = offered.iter().filter(|(_, is_ready)| **is_ready == ready);
        keys.filter_map(|(key, _)| addresses.get(key).cloned()).collect()
    };
    let mut subset = json!({});
    let fields =
        [("addresses", having(true)), ("notReadyAddresses", having(false)), ("ports", ports)];
    for (field, values) in fields.into_iter().filter(|(_, values)| !values.is_empty()) {
        subset[field] = Value::from(values);
    }
    subset
}

/// The subsets without the resource versions of the pods they point to.
pub(crate) fn without_versions(subsets: &[Value]) -> Vec<Value> {
    let mut subsets = subsets.to_vec();
    for subset in &mut subsets {
        for list in ["addresses", "notReadyAddresses"] {
            for address in subset.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
            {
                address.remove(&["targetRef", "resourceVersion"]);
            }
        }
    }
    subsets
}
