//! Manifests read and printed as Go does.

use crate::json;

use super::*;

fn load_one(text: &str) -> Value {
    let documents = load_documents(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    documents.into_iter().next().map(|document| document.value).unwrap_or_default()
}

fn failure(text: &str) -> String {
    load_documents(text).unwrap_err().to_string()
}

#[test]
fn scalars_resolve_as_in_go() {
    for (text, value) in [
        ("0644", json!(420)),
        ("0o644", json!(420)),
        ("0o17", json!(15)),
        ("0777777", json!(262_143)),
        ("0b11", json!(3)),
        ("0x1F", json!(31)),
        ("-0x1F", json!(-31)),
        ("1_000", json!(1000)),
        ("yes", json!(true)),
        ("Y", json!(true)),
        ("off", json!(false)),
        ("1e3", json!(1000)),
        (".5", json!(0.5)),
        ("+.5", json!(0.5)),
        ("1.", json!(1)),
        ("1:30", json!("1:30")),
        ("2020-01-01", json!("2020-01-01")),
        ("08", json!(8)),
        ("=", json!("=")),
        ("Null", json!(null)),
        ("12345678901234567890", json!(12_345_678_901_234_567_000.0)),
        ("\"yes\"", json!("yes")),
        ("'1'", json!("1")),
        ("!!str 5", json!("5")),
        ("!!int \"5\"", json!(5)),
        ("!custom 5", json!("5")),
        ("0x", json!("0x")),
        ("-", json!([null])),
        ("yEs", json!("yEs")),
        ("1e400", json!("1e400")),
        ("0o9", json!("0o9")),
        ("...", json!(null)),
    ] {
        assert_eq!(load_one(text), value, "{text}");
    }
    assert!(failure("!!binary a").contains("!!binary value contains invalid base64 data"));
    assert_eq!(load_one("!!binary aGVsbG8="), json!("hello"));
}

#[test]
fn keys_become_texts() {
    let text = "n: a\ny: b\n1: c\n1.5: d\n0x10: e\n'2': f\n";
    let expected = json!({"false": "a", "true": "b", "1": "c", "1.5": "d", "16": "e", "2": "f"});
    assert_eq!(load_one(text), expected);
    assert_eq!(
        failure("a: 1\n~: x"),
        "line 2, column 1: a map key must be a text, a number or a boolean"
    );
}

#[test]
fn anchors_and_merges_are_expanded() {
    let text = "base: &b {image: a, tag: x}\nlist: [*b, &n 7, *n]\nc:\n  <<: *b\n  tag: z\n\
                d:\n  <<: [{tag: first}, *b]\n";
    assert_eq!(
        load_one(text),
        json!({
            "base": {"image": "a", "tag": "x"},
            "list": [{"image": "a", "tag": "x"}, 7, 7],
            "c": {"image": "a", "tag": "z"},
            "d": {"image": "a", "tag": "first"},
        })
    );
    assert_eq!(
        failure("a: {<<: 1}"),
        "line 1, column 9: map merge requires map or sequence of maps as the value"
    );
    assert!(failure("a: &a [*a]").contains("alias of an unknown anchor"));
}

#[test]
fn hostile_documents_are_errors() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = level - 1;
        let items = vec![format!("*a{below}"); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(failure(&bomb).contains("excessive aliasing"));
    assert!(failure(&"- ".repeat(5000)).contains("nesting is deeper than 100 levels"));
    assert!(failure(&"[".repeat(5000)).contains("recursion limit exceeded"));
    assert!(failure(&"{a: ".repeat(5000)).contains("recursion limit exceeded"));
}

#[test]
fn several_documents_and_json_are_read() {
    let documents = load_documents("# nothing\n---\na: 1\n---\n---\nb: 2\n...\n").unwrap();
    let values: Vec<Value> = documents.into_iter().map(|document| document.value).collect();
    assert_eq!(values, [json!({"a": 1}), json!({"b": 2})]);
    assert_eq!(load_one("\u{feff}{\"a\": [1, \"\\/\"]}"), json!({"a": [1, "/"]}));
    assert_eq!(load_one("{\n\t\"a\": \"\\ud83d\\ude00\"\n}"), json!({"a": "😀"}));
    assert_eq!(load_documents("{\"1\":2}{\"3\":4}").unwrap().len(), 2);
}

#[test]
fn duplicate_keys_are_errors_only_when_strict() {
    let text = "a: 1\nb: 2\na: 3\n";
    assert_eq!(load_one(text), json!({"a": 3, "b": 2}));
    let error = load_documents_strict(text).unwrap_err();
    assert_eq!(error.to_string(), "line 3, column 1: key \"a\" already set in map");
}

#[test]
fn errors_have_a_place() {
    let error = load_documents("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
    assert!(matches!(error.problem, Problem::Syntax(_)), "{error}");
    assert_eq!(error.position.line, 3);
    assert!(failure("a: .inf").contains("line 1, column 4: unsupported value: +Inf"));
    assert!(failure("a: !!int x").contains("cannot decode \"x\" as a !!int"));
}

#[test]
fn fields_know_their_place() {
    let text = "---\nkind: Pod\nmetadata:\n  labels:\n    a.b/c: d\nspec:\n  containers:\n  - name: \
                x\n    image:\n";
    let document = load_documents(text).unwrap().remove(0);
    for (path, place) in [
        ("kind", "2:7"),
        ("/kind", "2:7"),
        ("metadata.labels[a.b/c]", "5:12"),
        ("/metadata/labels/a.b~1c", "5:12"),
        ("spec.containers[0].name", "8:11"),
        ("spec.containers[0]", "8:5"),
        ("spec.containers[0].image", "9:5"),
        ("spec.containers[0].ports", "8:5"),
        ("spec", "6:1"),
        ("", "2:1"),
    ] {
        assert_eq!(document.position(path).to_string(), place, "{path:?}");
    }
}

#[track_caller]
fn check_emitted(value: &Value, text: &str) {
    assert_eq!(to_yaml(value), text);
    assert_eq!(&load_one(text), value, "{text}");
}

#[test]
fn documents_print_in_gos_style() {
    check_emitted(
        &json!({
            "list": [{"b": [], "a": 1}, {}, [[1, 2], [3]], null, "x"],
            "empty": {}, "n": "y", "1": "int key", "true": "bool key", ">": "a>",
            "y9": "a\"b", "y10": true,
        }),
        "'>': a>\n\"1\": int key\nempty: {}\nlist:\n- a: 1\n  b: []\n- {}\n- - - 1\n    - 2\n  - - \
         3\n- null\n- x\n\"n\": \"y\"\n\"true\": bool key\ny9: a\"b\ny10: true\n",
    );
}

#[test]
fn texts_are_quoted_only_where_needed() {
    for (text, printed) in [
        ("yes", "\"yes\""),
        ("0644", "\"0644\""),
        ("1e3", "\"1e3\""),
        ("~", "\"~\""),
        ("", "\"\""),
        ("2020-01-01", "\"2020-01-01\""),
        ("2026-11-20T11:03:10Z", "\"2026-11-20T11:03:10Z\""),
        ("1:30", "\"1:30\""),
        ("+1", "\"+1\""),
        ("a: b", "'a: b'"),
        (" lead", "' lead'"),
        ("trail ", "'trail '"),
        ("#x", "'#x'"),
        ("a #b", "'a #b'"),
        ("*a", "'*a'"),
        ("- a", "'- a'"),
        ("-", "'-'"),
        ("?", "'?'"),
        ("it's: x", "'it''s: x'"),
        ("a:b", "a:b"),
        ("a'b", "a'b"),
        ("é", "é"),
        ("=", "="),
        ("<<", "<<"),
        ("\\n", "\\n"),
        ("100m", "100m"),
        ("tab\tx", "\"tab\\tx\""),
        ("a\r\nb", "\"a\\r\\nb\""),
        ("\u{1}", "\"\\x01\""),
        ("😀", "\"\\U0001F600\""),
    ] {
        check_emitted(&json!({"k": text}), &format!("k: {printed}\n"));
    }
}

#[test]
fn times_are_plain_in_3_11() {
    let value = json!({"at": "2026-11-20T11:03:10Z", "on": "1:30"});
    assert_eq!(to_yaml_3_11(&value), "at: 2026-11-20T11:03:10Z\n\"on\": \"1:30\"\n");
}

#[test]
fn long_and_multi_line_texts_are_laid_out() {
    check_emitted(&json!({"i": "multi\nline\n"}), "i: |\n  multi\n  line\n");
    check_emitted(&json!({"i": "multi\n\nline"}), "i: |-\n  multi\n\n  line\n");
    check_emitted(&json!({"i": " lead\nx\n\n"}), "i: |2+\n   lead\n  x\n\n");
    check_emitted(&json!({"i": "trail \nx\n"}), "i: \"trail \\nx\\n\"\n");
    let (x, y) = ("x".repeat(90), "y".repeat(60));
    check_emitted(
        &json!({"data": {"big": format!("{x} {y} z")}}),
        &format!("data:\n  big: {x}\n    {y} z\n"),
    );
    let words = "word ".repeat(20);
    let printed = to_yaml(&json!({"data": {"long": words}}));
    assert_eq!(
        printed,
        "data:\n  long: 'word word word word word word word word word word word word word word \
         word\n    word word word word word '\n"
    );
    let key = "k".repeat(200);
    check_emitted(&json!({key.as_str(): {"a": 1}}), &format!("? {key}\n: a: 1\n"));
}

#[test]
fn numbers_print_as_go_prints_them() {
    for (number, printed) in [
        (json!(1.0), "1"),
        (json!(1.5e10), "15000000000"),
        (json!(0.5), "0.5"),
        (json!(1_234_567.5), "1.2345675e+06"),
        (json!(1e-7), "1e-07"),
        (json!(1e21), "1e+21"),
        (json!(-3), "-3"),
    ] {
        assert_eq!(to_yaml(&number), format!("{printed}\n"));
    }
}

#[test]
fn what_is_printed_is_read_back() {
    let pieces = [
        "a", " ", "\n", ":", "-", "#", "'", "\"", "\\", "\t", "0", "1", "é", "{", "~", "\u{2028}",
        "word ", "\r",
    ];
    let mut state: u64 = 1;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 40).unwrap() % below
    };
    for _ in 0..2_000 {
        let mut text = || -> String { (0..draw(40)).map(|_| pieces[draw(pieces.len())]).collect() };
        let value = json!({text(): [text(), {text(): text()}], text(): {text(): [[text()]]}});
        let printed = to_yaml(&value);
        let read = load_documents(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
        assert_eq!(read[0].value, value, "{printed}");
        drop(load_documents(&text()));
    }
}
