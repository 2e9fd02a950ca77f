//! Many threads, one truth.

use std::collections::BTreeSet;
use std::thread;

use apimachinery::ObjectExt as _;
use apimachinery::json;
use apiserver::PatchKind;

use crate::{cluster, configmap};

const THREADS: usize = 4;
const ROUNDS: usize = 50;

#[test]
fn no_update_is_lost() {
    let client = cluster();
    client.create(&api::CONFIG_MAPS, "test", configmap("counter")).unwrap();
    let count = || loop {
        let mut object = (*client.get(&api::CONFIG_MAPS, "test", "counter").unwrap()).clone();
        let value: usize = object.annotation("count").map_or(0, |text| text.parse().unwrap());
        object.set_annotation("count", &(value + 1).to_string());
        match client.update(&api::CONFIG_MAPS, object) {
            Ok(_) => break,
            Err(status) => assert!(status.is_conflict(), "{status}"),
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..ROUNDS).for_each(|_| count()));
        }
    });
    let counted = client.get(&api::CONFIG_MAPS, "test", "counter").unwrap();
    assert_eq!(counted.annotation("count"), Some((THREADS * ROUNDS).to_string().as_str()));
}

#[test]
fn unconditional_patches_all_arrive() {
    let client = cluster();
    client.create(&api::CONFIG_MAPS, "test", configmap("a")).unwrap();
    thread::scope(|scope| {
        for thread in 0..2 {
            let client = &client;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let patch = json!({"data": {format!("{thread}-{round}"): "x"}});
                    let send = || {
                        let (kind, patch) = (PatchKind::Merge, patch.clone());
                        client.patch(&api::CONFIG_MAPS, "test", "a", kind, patch)
                    };
                    // The server tries several times; under constant fire it may still give up.
                    while let Err(status) = send() {
                        assert!(status.is_conflict(), "{status}");
                    }
                }
            });
        }
    });
    let patched = client.get(&api::CONFIG_MAPS, "test", "a").unwrap();
    assert_eq!(patched["data"].as_object().unwrap().len(), 2 * ROUNDS + 1);
}

#[test]
fn no_address_is_given_twice() {
    let client = cluster();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let service = json!({"metadata": {"name": format!("s{thread}-{round}")},
                        "spec": {"type": "NodePort", "ports": [{"port": 80}]}});
                    client.create(&api::SERVICES, "test", service).unwrap();
                }
            });
        }
    });
    let services = client.list(&api::SERVICES, "test").unwrap();
    let ips: BTreeSet<&str> = services.iter().map(|s| s.str_at(&["spec", "clusterIP"])).collect();
    let ports: BTreeSet<i64> =
        services.iter().filter_map(|s| s["spec"]["ports"][0]["nodePort"].as_i64()).collect();
    assert_eq!((ips.len(), ports.len()), (THREADS * ROUNDS, THREADS * ROUNDS));
}
