//! A scheduler whose policy names an extender, which answers whenever it likes.

use std::sync::{Arc, Mutex};

use apimachinery::Value;
use apimachinery::json;
use scheduler::Scheduler;
use scheduler::extender::{Caller, Done, Extender};
use scheduler::policy;

use crate::cluster::Cluster;

/// Keeps every question until it is told to answer.
#[derive(Default)]
struct Patient(Mutex<Vec<(String, Value, Done)>>);

impl std::fmt::Debug for Patient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Patient")
    }
}

impl Caller for Patient {
    fn post(&self, _: &Extender, url: &str, body: &Value, done: Done) {
        self.0.lock().expect("no test panics with it").push((url.to_owned(), body.clone(), done));
    }
}

impl Patient {
    /// Answers the only question there is.
    fn answer(&self, url: &str, answer: Value) -> Value {
        let (asked, body, done) =
            self.0.lock().expect("no test panics with it").pop().expect("a question");
        assert_eq!(asked, url);
        done(Ok(answer));
        body
    }
}

const POLICY: &str = "
kind: Policy
apiVersion: v1
extenders:
- {urlPrefix: http://extender, filterVerb: filter, bindVerb: bind, nodeCacheCapable: true}
";

#[test]
fn the_loop_goes_on_while_an_extender_thinks() {
    let patient = Arc::new(Patient::default());
    let caller: Arc<dyn Caller> = patient.clone();
    let profile = policy::parse(POLICY).unwrap();
    let mut cluster =
        Cluster::with(1, Scheduler::new(profile).with_caller(caller, Arc::new(|| {})));
    cluster.add_node("n1", "4");
    cluster.add_node("n2", "4");
    cluster.add_pod("a", "1");
    cluster.settle(10);
    assert_eq!(cluster.node_of("a"), "");
    assert!(cluster.told("a", "FailedScheduling").is_empty(), "nothing has failed yet");

    let body = patient.answer("http://extender/filter", json!({"nodenames": ["n1"]}));
    assert_eq!(body["nodenames"], json!(["n1", "n2"]));
    cluster.settle(1);
    let body = patient.answer("http://extender/bind", json!({"error": ""}));
    assert_eq!((&body["podName"], &body["node"]), (&json!("a"), &json!("n1")));
    cluster.settle(1);
    assert_eq!(cluster.told("a", "Scheduled").len(), 1);
}

#[test]
fn an_extender_that_cannot_be_reached_keeps_the_pod_waiting() {
    let profile = policy::parse(POLICY).unwrap();
    let mut cluster = Cluster::with(2, Scheduler::new(profile));
    cluster.add_node("n1", "4");
    cluster.add_pod("a", "1");
    cluster.settle(1);
    let told = cluster.told("a", "FailedScheduling");
    assert_eq!(told[0].1, "extenders are not reachable from here");
}
