//! The tree of a stored object: asked for, and given only while it is needed.

use apimachinery::json;
use store::Value as _;

use super::*;

fn pod() -> Value {
    json!({"kind": "Pod", "metadata": {"name": "a", "labels": {"text": "ü \" \\ \u{1}"}}, "spec": {"n": -7}})
}

fn is_packed(stored: &Stored) -> bool {
    matches!(*stored.0.form.lock(), Form::Packed { .. })
}

#[test]
fn a_packed_document_says_what_it_said() {
    let stored = Stored::new(pod());
    let json = stored.json();
    stored.cool();
    assert!(is_packed(&stored));
    assert_eq!(*stored.value(), pod());
    assert_eq!(stored.json(), json);
    assert_eq!(stored.into_value(), pod());
}

#[test]
fn a_packed_document_is_in_memory_once_while_somebody_holds_it() {
    let stored = Stored::new(pod());
    let held = stored.value();
    stored.cool();
    assert!(Arc::ptr_eq(&held, &stored.clone().value()));
    drop(held);
    let (one, other) = (stored.value(), stored.value());
    assert!(Arc::ptr_eq(&one, &other));
}

#[test]
fn a_revision_is_stamped_on_a_copy_of_its_own() {
    let revision = |stored: &Stored| stored.value().resource_version().to_owned();
    let mut first = Stored::new(pod());
    first.committed(3);
    for was_packed in [false, true] {
        assert_eq!(is_packed(&first), was_packed);
        let mut second = first.clone();
        second.deleted(4);
        assert_eq!((revision(&first), revision(&second)), ("3".to_owned(), "4".to_owned()));
        assert!(!second.json().is_empty());
        first.cool();
    }
}

#[test]
fn what_its_text_would_not_tell_exactly_stays_a_tree() {
    let deep = (0..120).fold(json!(1), |inner, _| json!([inner]));
    for value in [json!({"share": 0.1}), deep] {
        let stored = Stored::new(value.clone());
        stored.cool();
        assert!(!is_packed(&stored));
        assert_eq!(*stored.value(), value);
    }
}
