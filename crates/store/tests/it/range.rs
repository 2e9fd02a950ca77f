//! Ranges: order, bounds, pages, and reading the past.

use store::{Error, Range, Store};

use crate::{new_store, text};

fn keys(store: &Store<String>, range: &Range) -> Vec<String> {
    store.range(range).expect("readable").kvs.iter().map(|kv| kv.key.to_string()).collect()
}

#[test]
fn bounds() {
    let store = new_store();
    for key in ["a", "a/", "a/1", "a/2", "a0", "b", "\u{e9}", "\u{e9}/1"] {
        store.put(key, text("x"));
    }
    let cases: [(Range, &[&str]); 10] = [
        (Range::prefix("a/"), &["a/", "a/1", "a/2"]),
        (Range::prefix("\u{e9}"), &["\u{e9}", "\u{e9}/1"]),
        (Range::prefix("c"), &[]),
        (Range::key("a/"), &["a/"]),
        (Range::between("a/1", "b"), &["a/1", "a/2", "a0"]),
        (Range::between("b", "a"), &[]),
        (Range::prefix("a/").after("a/1"), &["a/2"]),
        (Range::prefix("a/").after("a"), &["a/", "a/1", "a/2"]),
        (Range::prefix("a/").starting_at("a/1"), &["a/1", "a/2"]),
        (Range::prefix("a/").after("a/1").starting_at("a/1"), &["a/2"]),
    ];
    for (range, expected) in cases {
        assert_eq!(keys(&store, &range), expected, "{range:?}");
    }
    assert_eq!(keys(&store, &Range::all()).len(), 8);
}

#[test]
fn pages_read_one_revision_while_the_store_moves_on() {
    let store = new_store();
    for n in 0..10 {
        store.put(&format!("p/{n}"), text("x"));
    }
    let first = store.range(&Range::prefix("p/").limit(4)).unwrap();
    assert_eq!((first.kvs.len(), first.more, first.count, first.remaining), (4, true, 10, 6));
    store.delete("p/5", None).unwrap();
    store.put("p/55", text("new"));
    let rest = Range::prefix("p/").after(&*first.kvs[3].key).at(first.revision).limit(100);
    let rest = store.range(&rest).unwrap();
    assert_eq!((rest.kvs.len(), rest.more, rest.count, rest.remaining), (6, false, 6, 0));
    assert_eq!(&*rest.kvs[1].key, "p/5");
    assert_eq!(rest.revision, first.revision);
}

#[test]
fn count_only_returns_no_keys() {
    let store = new_store();
    store.put("a", text("x"));
    store.put("b", text("x"));
    let counted = store.range(&Range::all().count_only()).unwrap();
    assert_eq!((counted.kvs.len(), counted.count, counted.more), (0, 2, false));
}

#[test]
fn a_key_reads_as_it_was() {
    let store = new_store();
    store.put("a", text("1")); // revision 2
    store.put("a", text("2")); // revision 3
    store.delete("a", None).unwrap(); // revision 4
    store.put("a", text("3")); // revision 5
    let at = |revision| {
        let kv = store.get_at("a", revision).unwrap()?;
        Some((kv.value.clone(), kv.create_revision, kv.mod_revision, kv.version))
    };
    assert_eq!(at(1), None);
    assert_eq!(at(2), Some((text("1"), 2, 2, 1)));
    assert_eq!(at(3), Some((text("2"), 2, 3, 2)));
    assert_eq!(at(4), None);
    assert_eq!(at(5), Some((text("3"), 5, 5, 1)));
    let future = Error::FutureRevision { requested: 6, current: 5 };
    assert_eq!(store.get_at("a", 6), Err(future.clone()));
    assert_eq!(store.range(&Range::all().at(6)), Err(future));
}

#[test]
fn a_directory_has_the_keys_that_stand_in_it_and_no_deeper_ones() {
    let store = new_store();
    store.put("a/b/c", text("x"));
    let have = |store: &Store<String>| ["a/", "a/b/", "a/b/c/", "b/"].map(|dir| store.has_in(dir));
    assert_eq!(have(&store), [false, true, false, false]);
    store.put("a/z", text("x"));
    store.delete("a/b/c", None).expect("deleted");
    assert_eq!(have(&store), [true, false, false, false]);
}
