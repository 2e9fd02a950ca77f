//! Documents by themselves: what they say, what they share, how they are written.

use std::collections::BTreeMap;

use super::{List, Map, Value};
use crate::json;

#[test]
fn what_is_written_comes_back_with_members_in_order() {
    let text = r#"{"b":[1,-2,2.5,18446744073709551615,null,true],"a":{"":"é\n\"x","terminationGracePeriodSeconds":30},"c":{},"d":[]}"#;
    let read: Value = text.parse().unwrap();
    let sorted = r#"{"a":{"":"é\n\"x","terminationGracePeriodSeconds":30},"b":[1,-2,2.5,18446744073709551615,null,true],"c":{},"d":[]}"#;
    assert_eq!(read.to_string(), sorted);
    assert_eq!(read, sorted.parse::<Value>().unwrap());
    let theirs: serde_json::Value = read.clone().into();
    assert_eq!(theirs.to_string(), sorted);
    assert_eq!(Value::from(theirs), read);
    assert_eq!(
        format!("{:?}", read["a"]),
        format!("{:?}", serde_json::Value::from(read["a"].clone()))
    );
}

#[test]
fn of_members_with_one_name_the_last_holds() {
    let read: Value = r#"{"b":1,"a":2,"b":3,"a":{"x":1}}"#.parse().unwrap();
    assert_eq!(read, json!({"a": {"x": 1}, "b": 3}));
    assert_eq!(json!({"a": 1, "a": 2}), json!({"a": 2}));
}

#[test]
fn literals_take_what_serde_can_write_and_documents_as_they_are() {
    #[derive(serde::Serialize)]
    struct Point {
        x: i32,
    }
    let (name, part, none) = ("n", json!({"deep": [1]}), None::<String>);
    let list = vec!["a".to_owned()];
    let made = json!({
        name: "variable", ("k".to_owned() + "ey"): null, "part": part, "list": list,
        "array": [null, [], {}, Point { x: 3 }.x + 1, Point { x: 7 }, [1, 2].len()], "none": none,
        "map": BTreeMap::from([("k", 1.5)]), "text": format!("{name}!"), "arc": std::sync::Arc::new(json!(1)),
    });
    let expected = r#"{"arc":1,"array":[null,[],{},4,{"x":7},2],"key":null,"list":["a"],"map":{"k":1.5},"n":"variable","none":null,"part":{"deep":[1]},"text":"n!"}"#;
    assert_eq!(made.to_string(), expected);
    let (Value::Object(a), Value::Object(b)) = (&made["part"], &part) else { panic!("maps") };
    assert!(a.is_same(b));
}

#[test]
fn a_change_is_seen_by_its_holder_alone() {
    let original = json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}]}});
    let mut changed = original.clone();
    changed["metadata"]["name"] = json!("b");
    changed["metadata"]["labels"]["app"] = json!("web");
    assert_eq!(
        original,
        json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}]}})
    );
    assert_eq!(changed["metadata"], json!({"name": "b", "labels": {"app": "web"}}));
    let part = |value: &Value| value["spec"].as_object().unwrap().clone();
    assert!(part(&original).is_same(&part(&changed)), "what was not changed is shared");
    changed["spec"]["containers"][0]["name"] = json!("d");
    assert_eq!(original["spec"]["containers"][0]["name"], "c");
}

#[test]
fn maps_of_any_size_find_insert_and_remove() {
    for size in [0_usize, 1, 15, 16, 17, 200] {
        let names: Vec<String> = (0..size).map(|n| format!("name-{:03}", n * 7 % 211)).collect();
        let mut map = Map::new();
        for (n, name) in names.iter().enumerate() {
            assert_eq!(map.insert(name, json!(n)), None);
        }
        assert!(map.keys().is_sorted());
        for (n, name) in names.iter().enumerate() {
            assert_eq!(map.get(name), Some(&json!(n)));
            assert_eq!(map.insert(name, json!("new")), Some(json!(n)));
        }
        assert_eq!(map.get("name"), None);
        let mut left = map.clone();
        left.retain(|name, _| name.ends_with('1'));
        assert!(left.keys().all(|name| name.ends_with('1')));
        for name in &names {
            assert_eq!(map.remove(name), Some(json!("new")));
        }
        assert!(map.is_empty() && map.remove("name").is_none());
    }
}

#[test]
fn entries_and_places_make_what_is_missing() {
    let mut value = Value::Null;
    value["a"]["b"] = json!([1]);
    assert_eq!(value["a"]["b"][0], 1);
    assert!(value["a"]["c"].is_null() && value["a"]["b"][7].is_null() && value["x"]["y"].is_null());
    let map = value.as_object_mut().unwrap();
    *map.entry("a").or_insert(json!("unused")) = json!(2);
    assert_eq!(map.entry("z").or_insert_with(|| json!("made")), &json!("made"));
    assert_eq!(value, json!({"a": 2, "z": "made"}));
    assert_eq!(value.get_mut("z").unwrap().take(), "made");
}

#[test]
fn pointers_name_parts() {
    let mut value = json!({"a/b": [{"~": 1}], "": 2});
    assert_eq!(value.pointer("/a~1b/0/~0"), Some(&json!(1)));
    assert_eq!(value.pointer("/"), Some(&json!(2)));
    assert_eq!(value.pointer(""), Some(&value));
    for wrong in ["a", "/a~1b/1", "/a~1b/00", "/a~1b/+0", "/x"] {
        assert_eq!(value.pointer(wrong), None, "{wrong}");
    }
    *value.pointer_mut("/a~1b/0").unwrap() = json!(null);
    assert_eq!(value, json!({"a/b": [null], "": 2}));
}

#[test]
fn numbers_compare_by_value_and_not_across_kinds() {
    assert_eq!(json!(3), 3_u8);
    assert_eq!(json!(-3), -3_i64);
    assert_eq!(json!(u64::MAX), u64::MAX);
    assert_ne!(json!(u64::MAX), -1_i64);
    assert_ne!(json!(3.0), json!(3));
    assert_eq!(Value::from(f64::NAN), Value::Null);
}

#[test]
fn lists_change_alone_too() {
    let original = List::from(vec![json!(1), json!(2), json!(3)]);
    let mut changed = original.clone();
    changed.retain(|item| *item != 2);
    changed.push(json!(4));
    changed[0] = json!(0);
    changed.insert(1, json!("x"));
    assert_eq!(changed.iter().map(Value::to_string).collect::<Vec<_>>(), ["0", "\"x\"", "3", "4"]);
    assert_eq!(original, List::from(vec![json!(1), json!(2), json!(3)]));
}

#[test]
fn names_of_every_length_are_told_apart() {
    for length in 0..24 {
        let name = "n".repeat(length);
        let map: Map = [(name.as_str(), json!(1))].into_iter().collect();
        assert_eq!(map.get(&name), Some(&json!(1)));
        for place in 0..length {
            let other = format!("{}m{}", &name[..place], &name[place + 1..]);
            assert_eq!(map.get(&other), None, "{other}");
        }
    }
}
