//! How fast the API is without HTTP: pods created, bound, listed and watched in one thread.
//!
//! `cargo run --release -p apiserver --example in_process`
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measuring tool for people")]

use std::time::Duration;

use apimachinery::{Value, json};
use apiserver::{ApiServer, Client, ListOptions, PatchKind, User};
use world::{Time, World};

const PODS: u32 = 20_000;

fn pod() -> Value {
    json!({
        "metadata": {
            "generateName": "hello-1-",
            "labels": {"app": "hello", "deployment": "hello-1", "deploymentconfig": "hello"},
            "annotations": {
                "openshift.io/deployment-config.latest-version": "1",
                "openshift.io/deployment-config.name": "hello",
                "openshift.io/deployment.name": "hello-1",
            },
        },
        "spec": {"containers": [{
            "name": "hello",
            "image": "hello:v1",
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "env": [{"name": "A", "value": "b"}],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
            "readinessProbe": {
                "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
                "initialDelaySeconds": 1,
                "periodSeconds": 2,
            },
        }]},
    })
}

fn report(what: &str, took: Duration, count: u32) {
    println!("{what:<32} {:>9.2} us each", took.as_secs_f64() * 1e6 / f64::from(count));
}

fn timed<R>(clock: &World, what: &str, count: u32, run: impl FnOnce() -> R) -> R {
    let begun: Time = clock.now();
    let result = run();
    report(what, clock.now() - begun, count);
    result
}

fn main() {
    let clock = World::real();
    let server = ApiServer::builder(World::simulated(1)).build();
    apiserver::bootstrap(&server).unwrap();
    let client = Client::new(server.clone(), User::system_admin());
    let all = ListOptions::default();
    let mut watches: Vec<_> = (0..3).map(|_| client.watch(&api::PODS, "", &all).unwrap()).collect();

    let bodies: Vec<Value> = (0..PODS).map(|_| pod()).collect();
    let names: Vec<String> = timed(&clock, "create a pod", PODS, || {
        let create = |body| client.create(&api::PODS, "default", body).unwrap();
        bodies
            .into_iter()
            .map(|body| create(body)["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    });
    timed(&clock, "three watchers, per event", PODS * 3, || {
        watches.iter_mut().for_each(|watch| while watch.try_next().is_some() {});
    });
    timed(&clock, "bind a pod", PODS, || {
        for name in &names {
            let binding = json!({"metadata": {"name": name}, "target": {"name": "n1"}});
            client.subresource_create(&api::PODS, "default", name, "binding", binding).unwrap();
        }
    });
    timed(&clock, "patch a status (strategic)", PODS, || {
        for name in &names {
            let patch = json!({"status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2018-10-11T12:00:00Z"}]}});
            client.patch_status(&api::PODS, "default", name, PatchKind::Strategic, patch).unwrap();
        }
    });
    for _ in 0..1000 {
        client.create(&api::PODS, "kube-system", pod()).unwrap();
    }
    let bytes = |what: &str| {
        timed(&clock, what, 1, || {
            let list = client.list_with(&api::PODS, "kube-system", &all).unwrap();
            list.items.iter().map(|item| item.json().len()).sum::<usize>()
        })
    };
    bytes("list 1000 pods to bytes, cold");
    let size = bytes("list 1000 pods to bytes, warm");
    println!("{:<32} {:>9} bytes each", "pod", size / 1000);
    let selected = ListOptions { label_selector: "app=none".to_owned(), ..ListOptions::default() };
    timed(&clock, "select among pods, per pod", PODS, || {
        client.list_with(&api::PODS, "default", &selected).unwrap()
    });
}
