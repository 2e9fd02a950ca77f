//! A cluster at rest.

use crate::harness::simulated::Simulated;

/// An hour in which nothing happens writes nothing: no controller fights another or itself.
#[test]
fn nothing_is_written_when_nothing_happens() {
    for seed in 0..10 {
        let mut cluster = Simulated::start(seed);
        for manifests in [
            include_str!("../../../fixtures/manifests/guestbook/cache.yaml"),
            include_str!("../../../fixtures/manifests/guestbook/frontend.yaml"),
            include_str!("../../../fixtures/manifests/openshift-hello/app.yaml"),
        ] {
            cluster.create("shop", manifests);
        }
        cluster.run_for(600);
        let settled = cluster.history().len();
        cluster.run_for(3600);
        let written: Vec<String> = cluster.history()[settled..]
            .iter()
            .map(|write| format!("{} {:?}", write.kind(), write.new))
            .collect();
        assert_eq!(written, Vec::<String>::new(), "seed {seed}");
    }
}
