//! In which form the store keeps documents is nobody's business.

use apiserver::DeleteOptions;
use cluster::Access;
use store::Options;

use crate::harness::simulated::Simulated;

/// Every write of a cluster that starts every kind of workload and loses some pods.
fn writes(options: Options) -> Vec<String> {
    let mut cluster = Simulated::with(7, |config| {
        config.access = Access::Policy;
        config.store = options;
    });
    drop(cluster.image("web:1", r#"{"cpu": "80m"}"#));
    drop(cluster.image("work:1", r#"{"exit": {"code": 0, "afterSeconds": 2}}"#));
    drop(cluster.image("fails:1", r#"{"exit": {"code": 1, "afterSeconds": 2}}"#));
    cluster.create("shop", include_str!("../../../fixtures/manifests/workloads/every-kind.yaml"));
    cluster.run_for(600);
    let client = cluster.client();
    for pod in client.list(&api::PODS, "shop").unwrap().iter().step_by(2) {
        let name = pod["metadata"]["name"].as_str().unwrap();
        drop(client.delete(&api::PODS, "shop", name, DeleteOptions::default()).unwrap());
    }
    cluster.run_for(600);
    let writes = cluster.history().iter();
    writes.map(|write| format!("{:?} -> {:?}", write.old, write.new)).collect()
}

#[test]
fn a_cluster_whose_documents_are_packed_at_once_does_the_same() {
    let packed = Options { warm_revisions: 0, ..Options::default() };
    let (trees, packed) = (writes(Options::default()), writes(packed));
    assert!(trees.len() > 200, "{} writes", trees.len());
    for (number, (tree, packed)) in trees.iter().zip(&packed).enumerate() {
        assert_eq!(tree, packed, "write {number}");
    }
    assert_eq!(trees.len(), packed.len());
}
