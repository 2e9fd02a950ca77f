//! The API's own service comes back.

use api::SERVICES;
use apiserver::DeleteOptions;

use crate::cluster::Cluster;

#[test]
fn the_service_of_the_api_comes_back() {
    let mut cluster = Cluster::new(1);
    cluster.settle(1);
    let get = |cluster: &Cluster| cluster.client.get(&SERVICES, "default", "kubernetes").unwrap();
    let before = get(&cluster);
    assert_eq!(before["spec"]["clusterIP"], "172.30.0.1");
    let options = DeleteOptions::default();
    cluster.client.delete(&SERVICES, "default", "kubernetes", options).unwrap();
    cluster.settle(1);
    let after = get(&cluster);
    assert_eq!(after["spec"], before["spec"]);
    cluster.assert_quiet();
}
