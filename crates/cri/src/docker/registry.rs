//! The cluster's own registry as the engine reaches it.
//!
//! Inside the cluster the registry has a name, `docker-registry.default.svc:5000`, which this host
//! cannot resolve and to which an engine would speak TLS. On loopback it is plain HTTP, which engines
//! accept there. So the engine is told the one address and everybody else reads the other.

use std::net::SocketAddr;

/// Where the registry is, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegratedRegistry {
    /// Its names in pull specs, with their ports; the first is the usual one.
    pub hosts: Vec<String>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl IntegratedRegistry {
    /// `reference` as the engine can pull it; `None` when it is not one of this registry.
    pub(super) fn reachable(&self, reference: &str) -> Option<String> {
        let (host, rest) = reference.split_once('/')?;
        self.hosts.iter().any(|own| own == host).then(|| format!("{}/{rest}", self.address))
    }

    /// `text` of the engine with the name of the registry in place of its address.
    pub(super) fn named(&self, text: &str, host: &str) -> String {
        text.replace(&format!("{}/", self.address), &format!("{host}/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_registry_become_its_address_and_back() {
        let own = IntegratedRegistry {
            hosts: vec!["docker-registry.default.svc:5000".to_owned()],
            address: ([127, 0, 0, 1], 5001).into(),
        };
        let named = "docker-registry.default.svc:5000/dev/app@sha256:0";
        let reachable = own.reachable(named).unwrap();
        assert_eq!(reachable, "127.0.0.1:5001/dev/app@sha256:0");
        assert_eq!(own.named(&reachable, &own.hosts[0]), named);
        for other in ["dev/app", "docker-registry.default.svc/dev/app", "127.0.0.1:5001/dev/app"] {
            assert_eq!(own.reachable(other), None, "{other}");
        }
    }
}
