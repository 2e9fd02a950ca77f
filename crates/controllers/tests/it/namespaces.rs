//! Deleting a namespace empties it.

use api::{CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, SECRETS, SERVICES};
use apimachinery::ObjectExt as _;
use apimachinery::json;
use apiserver::DeleteOptions;

use crate::cluster::{Cluster, NS, template};

#[test]
fn a_deleted_namespace_is_emptied_and_goes() {
    for seed in 0..10 {
        let mut cluster = Cluster::new(seed);
        let template = template("web", "web:1");
        let selector = json!({"matchLabels": {"app": "web"}});
        let spec = json!({"replicas": 3, "selector": selector, "template": template});
        cluster.create(&DEPLOYMENTS, json!({"metadata": {"name": "web"}, "spec": spec}));
        cluster.create(&SECRETS, json!({"metadata": {"name": "s"}}));
        cluster.create(&CONFIG_MAPS, json!({"metadata": {"name": "c"}}));
        let spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
        cluster.create(&SERVICES, json!({"metadata": {"name": "web"}, "spec": spec}));
        cluster.client.create(&NAMESPACES, "", json!({"metadata": {"name": "other"}})).unwrap();
        let other = json!({"metadata": {"name": "stays"}});
        cluster.client.create(&CONFIG_MAPS, "other", other).unwrap();
        cluster.settle(seed * 5);

        cluster.client.delete(&NAMESPACES, "", NS, DeleteOptions::default()).unwrap();
        let refused = cluster.client.create(&CONFIG_MAPS, NS, json!({"metadata": {"name": "d"}}));
        assert_eq!(refused.unwrap_err().code, 403, "a terminating namespace takes nothing new");
        cluster.settle(60);
        let left: Vec<String> = cluster
            .client
            .list(&NAMESPACES, "")
            .unwrap()
            .iter()
            .map(|namespace| namespace.name().to_owned())
            .collect();
        assert!(!left.iter().any(|name| name == NS), "seed {seed}: {left:?}");
        for resource in [&DEPLOYMENTS, &PODS, &SECRETS, &SERVICES, &CONFIG_MAPS] {
            assert!(cluster.list(resource).is_empty(), "{}", resource.plural);
        }
        assert!(cluster.client.get(&CONFIG_MAPS, "other", "stays").is_ok());
        cluster.assert_quiet();
    }
}
