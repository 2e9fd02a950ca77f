//! Runs the tables of `CASES_DIR`; see [`harness`] for how a row becomes a call.
//!
//! One module an area: each registers an adapter for every function or table that it can call.

mod apimachinery;
mod apiserver;
mod controllers;
mod cron_jobs;
mod defaults;
mod deployments;
mod discovery;
mod documents;
mod errors;
mod golden;
mod harness;
mod images;
mod kubelet;
mod printers;
mod quota;
mod ratchet;
mod rollout_requests;
mod scheduler;
mod validation;
mod workloads;

use crate::harness::Suites;

fn suites() -> Suites {
    let mut suites = Suites::default();
    apimachinery::register(&mut suites);
    apiserver::register(&mut suites);
    controllers::register(&mut suites);
    cron_jobs::register(&mut suites);
    defaults::register(&mut suites);
    deployments::register(&mut suites);
    images::register(&mut suites);
    kubelet::register(&mut suites);
    printers::register(&mut suites);
    quota::register(&mut suites);
    rollout_requests::register(&mut suites);
    scheduler::register(&mut suites);
    validation::register(&mut suites);
    workloads::register(&mut suites);
    suites
}

#[test]
fn upstream_tables_pass_as_often_as_the_ratchet_says() {
    let Some(dir) = harness::setting("CASES_DIR") else {
        harness::say("skipped: CASES_DIR names no directory of upstream tables");
        return;
    };
    let report = suites().run(&dir);
    ratchet::hold("ratchet.txt", &report);
}

#[test]
fn a_recorded_master_is_answered_alike() {
    let Some(dir) = harness::setting("GOLDEN_DIR") else {
        harness::say("skipped: GOLDEN_DIR names no directory of recordings");
        return;
    };
    ratchet::hold("golden.txt", &golden::replay(&dir));
}
