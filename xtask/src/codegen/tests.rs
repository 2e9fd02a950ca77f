//! The committed facts and table against each other.

use std::path::Path;

use super::{Codegen, facts, read, run};

#[test]
fn the_committed_table_is_what_the_facts_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    run(root, &Codegen { check: true, command: None }).unwrap();
}

#[test]
fn facts_are_written_as_they_were_read() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/api/facts");
    let committed = super::texts(&dir, "facts").unwrap();
    assert_eq!(facts::write(&read(&dir).unwrap()), committed);
}

#[test]
fn a_malformed_fact_names_its_line() {
    let mut facts = facts::Facts::new();
    let text = "package a.v1\ntype Pod v1\n  spec .PodSpec tag=one\n";
    let error = facts::read(&mut facts, text).unwrap_err();
    assert_eq!(error.to_string(), "line 3:   spec .PodSpec tag=one");
}
