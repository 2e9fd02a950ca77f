//! `ExternalIPRanger` and `RestrictedEndpointsAdmission`: addresses that users may not take.
//!
//! Mirrors: `openshift/origin:pkg/network/admission/externalipranger`,
//! `openshift/origin:pkg/network/admission/restrictedendpoints`.

use std::net::IpAddr;

use api::Verb;
use apimachinery::field::{Error, Path};
use apimachinery::{ObjectExt as _, Status, Value};
use apiserver::{Admission, AdmissionRequest, Attributes};

use crate::request::{refuse, writes};

/// A block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `10.128.0.0/14`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (address, bits): (IpAddr, u32) = (address.parse().ok()?, bits.parse().ok()?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self { address, bits })
    }

    /// Whether the address is inside.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let shared = |one: u128, other: u128, width: u32| {
            let shift = width - self.bits;
            shift >= width || one >> shift == other >> shift
        };
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => shared(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => shared(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

/// Services take external addresses out of these networks only: `ExternalIPRanger`.
#[derive(Debug, Clone, Default)]
pub struct ExternalIpRanger {
    /// Allowed networks (`networkConfig.externalIPNetworkCIDRs`).
    pub admitted: Vec<Network>,
    /// Networks that are refused although a larger one is allowed (entries with `!`).
    pub rejected: Vec<Network>,
}

impl Admission for ExternalIpRanger {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        if !writes(request, &api::SERVICES) {
            return Ok(());
        }
        let path = ["spec", "externalIPs"];
        let addresses = request.object.list_at(&path);
        if request.old.is_some_and(|old| old.list_at(&path) == addresses) {
            return Ok(());
        }
        let allowed = |address: IpAddr| {
            self.admitted.iter().any(|network| network.contains(address))
                && !self.rejected.iter().any(|network| network.contains(address))
        };
        let mut errors = Vec::new();
        for (index, address) in addresses.iter().enumerate() {
            let at = Path::new("spec").child("externalIPs").index(index);
            let parsed = address.as_str().and_then(|text| text.parse().ok());
            match parsed {
                None => errors.push(Error::forbidden(&at, "externalIPs must be a valid address")),
                Some(address) if !allowed(address) => {
                    errors.push(Error::forbidden(&at, "externalIP is not allowed"));
                }
                Some(_) => {}
            }
        }
        if errors.is_empty() {
            return Ok(());
        }
        Err(Status::invalid("", "Service", request.object.name(), &errors))
    }
}

/// Users do not point services at the cluster's own networks: `RestrictedEndpointsAdmission`.
#[derive(Debug, Clone, Default)]
pub struct RestrictedEndpoints {
    /// The networks of pods and services.
    pub networks: Vec<Network>,
}

impl Admission for RestrictedEndpoints {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let changed = |old: &Value| old.get("subsets") != request.object.get("subsets");
        if !writes(request, &api::ENDPOINTS) || !request.old.is_none_or(changed) {
            return Ok(());
        }
        let Some(address) = self.restricted(request.object) else { return Ok(()) };
        let attributes = Attributes {
            user: request.call.user,
            verb: Verb::Create,
            resource: &api::ENDPOINTS,
            subresource: "restricted",
            namespace: request.call.namespace,
            name: request.object.name(),
        };
        if request.server.allows(&attributes) {
            return Ok(());
        }
        Err(refuse(request, &format!("endpoint address {address} is not allowed")))
    }
}

impl RestrictedEndpoints {
    /// The first address in one of the networks.
    fn restricted(&self, endpoints: &Value) -> Option<String> {
        let lists = endpoints.list_at(&["subsets"]).iter().flat_map(|subset| {
            ["addresses", "notReadyAddresses"].into_iter().flat_map(|list| subset.list_at(&[list]))
        });
        let mut texts = lists.map(|address| address.str_at(&["ip"]));
        let inside = |text: &&str| {
            text.parse().is_ok_and(|ip| self.networks.iter().any(|network| network.contains(ip)))
        };
        texts.find(inside).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        let inside = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(inside("10.128.0.0/14", "10.131.255.255"));
        assert!(!inside("10.128.0.0/14", "10.132.0.0"));
        assert!(inside("0.0.0.0/0", "1.2.3.4") && inside("1.2.3.4/32", "1.2.3.4"));
        assert!(!inside("0.0.0.0/0", "::1") && inside("fe80::/10", "fe80::1"));
        assert_eq!(Network::parse("10.0.0.0/33"), None);
    }

    #[test]
    fn the_first_restricted_address_is_named() {
        let networks = vec![Network::parse("172.30.0.0/16").unwrap()];
        let plugin = RestrictedEndpoints { networks };
        let subset =
            json!({"addresses": [{"ip": "1.1.1.1"}], "notReadyAddresses": [{"ip": "172.30.0.9"}]});
        assert_eq!(plugin.restricted(&json!({"subsets": [subset]})).as_deref(), Some("172.30.0.9"));
        assert_eq!(plugin.restricted(&json!({})), None);
    }
}
