//! What there was outside the recorded cluster: images, and registries in and out of reach.
//!
//! Invariant: an image that was pulled there is pulled here.

use apimachinery::Value;
use apimachinery::json;
use images::source::sim::Catalogue;
use images::source::{Error, Fetched, Source, Wanted};

use crate::harness::simulated::Simulated;

/// What could be imported where the recordings were made: all but what is on Docker Hub.
#[derive(Debug)]
pub(super) struct Outside(pub(super) Catalogue);

impl Outside {
    fn reach(wanted: &Wanted<'_>) -> Result<(), Error> {
        if !wanted.reference.registry.is_empty() {
            return Ok(());
        }
        let why = "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io on \
                   10.255.255.53:53: no such host";
        Err(Error::Failed(why.to_owned()))
    }
}

impl Source for Outside {
    fn image(&self, wanted: &Wanted<'_>) -> Result<Fetched, Error> {
        Self::reach(wanted).and_then(|()| self.0.image(wanted))
    }

    fn tags(&self, wanted: &Wanted<'_>) -> Result<Vec<String>, Error> {
        Self::reach(wanted).and_then(|()| self.0.tags(wanted))
    }

    fn is_remote(&self) -> bool {
        self.0.is_remote()
    }
}

/// The images of the recorded engine and registry.
pub(super) fn add_images(sim: &Simulated) {
    let quick = r#"{"startSeconds": 1.5, "stopSeconds": 0.2}"#;
    for version in ["v1", "v2", "v3"] {
        for repository in ["hello", "localhost:35000/demo/hello"] {
            sim.image(&format!("{repository}:{version}"), &version_of(quick, version));
        }
    }
    sim.image("bad:1", r#"{"exit": {"code": 1, "afterSeconds": 2}}"#);
    sim.image("never:1", r#"{"startSeconds": 1.5, "readyAfterSeconds": 1000000}"#);
    sim.image("localhost:35000/demo/slow:1", r#"{"startSeconds": 1.5, "readyAfterSeconds": 15}"#);
    let never = r#"{"startSeconds": 1.5, "readyAfterSeconds": 1000000}"#;
    sim.image("localhost:35000/demo/never:1", never);
    sim.image("127.0.0.1:35000/demo/hello:nosuchtag", r#"{"missing": true}"#);
    sim.image("localhost:35000/demo/nothere:1", r#"{"missing": true}"#);
    let nowhere = "Get \"https://registry.invalid/v2/\": dial tcp: lookup registry.invalid on \
                   10.255.255.53:53: no such host";
    let nowhere = json!({"pullError": nowhere});
    sim.image("registry.invalid/x/y:1", &nowhere.to_string());
}

/// Images that do the same are told apart by a line of their logs.
fn version_of(behaviour: &str, version: &str) -> String {
    let mut behaviour: Value = serde_json::from_str(behaviour).unwrap();
    behaviour["logs"] = json!([version]);
    behaviour.to_string()
}
