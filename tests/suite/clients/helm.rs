//! helm: a chart is installed, upgraded, rolled back and uninstalled.

use std::process::Command;

use tempfile::TempDir;

use super::{find, run};
use crate::harness::fixture_argument;
use crate::harness::served::Served;

#[test]
fn a_release_goes_through_its_life() {
    let Some(program) = find("helm") else {
        eprintln!("helm is not on this machine: not tested");
        return;
    };
    let cluster = Served::start();
    cluster.image("web:1", "{}");
    let home = TempDir::new().unwrap();
    let chart = fixture_argument("charts/web");
    let helm = |arguments: &str| {
        let arguments = arguments.replace("CHART", &chart);
        run(&cluster, home.path(), Command::new(&program).args(arguments.split(' ')))
    };
    assert!(helm("install shop CHART --wait --timeout 60s").contains("STATUS: deployed"));
    let upgraded = helm("upgrade shop CHART --set replicas=2,greeting=hi --wait --timeout 60s");
    assert!(upgraded.contains("REVISION: 2"), "{upgraded}");
    assert!(helm("get manifest shop").contains("greeting: \"hi\""));
    assert!(helm("rollback shop 1 --wait --timeout 60s").contains("Rollback was a success"));
    let history = helm("history shop");
    assert!(history.contains("Rollback to 1"), "{history}");
    assert!(helm("list").contains("shop"));
    assert!(helm("uninstall shop --wait --timeout 60s").contains("uninstalled"));
    assert!(!helm("list --all").contains("shop"));
}
