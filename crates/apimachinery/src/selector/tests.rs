//! Selectors read, matched and printed.

use crate::{Value, json};

use super::*;

fn labels(text: &str) -> String {
    match LabelSelector::parse(text) {
        Ok(selector) => selector.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn label_selectors_are_read_and_printed() {
    for (text, printed) in [
        ("", ""),
        ("x=a,a=x", "a=x,x=a"),
        ("x==a, y != b", "x==a,y!=b"),
        ("x= ,z= ", "x=,z="),
        ("x>1,z<5", "x>1,z<5"),
        ("notin=in", "notin=in"),
        ("\rx", "x"),
        ("!x", "!x"),
        ("x in (b,a,b)", "x in (a,b)"),
        ("x notin\n (abc)", "x notin (abc)"),
        ("x in ()", "x in ()"),
        ("x in (abc,)", "x in (,abc)"),
        ("x notin (, a)", "x notin (,a)"),
        ("x notin (abc,,def),bar,z in (),w", "bar,w,x notin (,abc,def),z in ()"),
        ("a in (in,notin)", "a in (in,notin)"),
        ("0.1.2.domain/99 notin (10.10.100.1, b)", "0.1.2.domain/99 notin (10.10.100.1,b)"),
        ("x,,y", "error: found ',', expected: identifier after ','"),
        ("a in (xyz),", "error: found '', expected: identifier after ','"),
        ("a in (x)b notin ()", "error: found 'b', expected: ',' or 'end of string'"),
        ("!x=a", "error: found '=', expected: ',' or 'end of string'"),
        ("(", "error: found '(', expected: !, identifier, or 'end of string'"),
        (
            "a notin(",
            "error: unable to parse requirement: found '', expected: ',', ')' or identifier",
        ),
        (
            "a (",
            "error: unable to parse requirement: found '(', expected: '=', '!=', '==', 'in', notin'",
        ),
        ("a in b", "error: unable to parse requirement: found 'b' expected: '('"),
        (
            "x<a",
            "error: unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an \
             integer",
        ),
    ] {
        assert_eq!(labels(text), printed, "{text:?}");
        if !printed.starts_with("error") {
            assert_eq!(labels(printed), printed, "round trip of {text:?}");
        }
    }
    let text = labels("x=a||y=b");
    assert!(
        text.starts_with(
            "error: unable to parse requirement: invalid label value: \"a||y\": a valid label"
        ),
        "{text}"
    );
}

fn matches(text: &str, labels: &Value) -> bool {
    LabelSelector::parse(text).unwrap().matches(labels.as_object())
}

#[test]
fn label_selectors_match() {
    let set = json!({"x": "foo", "y": "7"});
    for text in ["", "x", "x=foo", "x in (foo,bar)", "z!=a", "z notin (a)", "!z", "y>6", "y<8"] {
        assert!(matches(text, &set), "{text}");
    }
    for text in ["z", "x=bar", "x!=foo", "!x", "x notin (foo)", "y>7", "x>1", "z<1", "z="] {
        assert!(!matches(text, &set), "{text}");
    }
    assert!(LabelSelector::parse("!x").unwrap().matches(None));
}

#[test]
fn json_selectors_tell_nothing_from_everything() {
    let nothing = LabelSelector::from_json(&Value::Null).unwrap();
    assert!(!nothing.matches(None) && !nothing.is_empty() && nothing.is_nothing());
    let everything = LabelSelector::from_json(&json!({})).unwrap();
    assert!(everything.matches(None) && everything.is_empty());
    let selector = LabelSelector::from_json(&json!({
        "matchLabels": {"b": "c"},
        "matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}],
    }));
    assert_eq!(selector.unwrap().to_string(), "a in (x,y),b=c");
    let error = |expression: Value| {
        LabelSelector::from_json(&json!({"matchExpressions": [expression]}))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(json!({"key": "a", "operator": "Exists", "values": ["x"]})),
        "values set must be empty for exists and does not exist"
    );
    assert_eq!(
        error(json!({"key": "a", "operator": "Near"})),
        "\"Near\" is not a valid pod selector operator"
    );
}

#[test]
fn maps_select_by_equality() {
    let selector = LabelSelector::from_map(json!({"b": "2", "a": "1"}).as_object().unwrap());
    assert_eq!(selector.to_string(), "a=1,b=2");
    assert!(selector.matches_object(&json!({"metadata": {"labels": {"a": "1", "b": "2"}}})));
}

#[test]
fn plain_label_lists_are_read() {
    let labels = parse_labels(" x = a , y=b ").unwrap();
    assert_eq!(labels["x"], "a");
    assert_eq!(parse_labels("x=a||y=b").unwrap_err().to_string(), "invalid selector: [x a||y b]");
    assert_eq!(parse_labels(",").unwrap_err().to_string(), "invalid selector: []");
}

fn fields(text: &str) -> String {
    match FieldSelector::parse(text) {
        Ok(selector) => selector.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn field_selectors_are_read_and_printed() {
    for (text, printed) in [
        ("", ""),
        ("x=a,a==x,c!=d", "a=x,c!=d,x=a"),
        (",a=a", "a=a"),
        (r"x=a||y\=b", r"x=a||y\=b"),
        (r"complex=\=value\\\,\\", r"complex=\=value\\\,\\"),
        ("x=a,b", "error: invalid selector: 'x=a,b'; can't understand 'b'"),
        ("x!y", "error: invalid selector: 'x!y'; can't understand 'x!y'"),
        ("x==a==b", "error: invalid field selector: unescaped character in value: 61"),
        (r"x=\a", r"error: invalid field selector: invalid escape sequence: \a"),
    ] {
        assert_eq!(fields(text), printed, "{text:?}");
    }
}

#[test]
fn field_selectors_match() {
    let selector = FieldSelector::parse("metadata.name=a,status.phase!=Failed").unwrap();
    let read = |field: &str| if field == "metadata.name" { "a".to_owned() } else { String::new() };
    assert!(selector.matches(read));
    assert!(!selector.matches(|_| "Failed".to_owned()));
    assert_eq!(selector.required_value("metadata.name"), Some("a"));
    assert_eq!(selector.required_value("status.phase"), None);
}

/// Texts of up to twelve pieces, each drawn from `pieces` by a fixed sequence of pseudo-random
/// numbers: enough to find a parser that panics.
fn mixtures(pieces: &'static [&'static str]) -> impl Iterator<Item = String> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut draw = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 40).unwrap() % below
    };
    (0..5000).map(move |_| (0..draw(12)).map(|_| pieces[draw(pieces.len())]).collect())
}

#[test]
fn no_text_makes_the_parsers_panic_and_accepted_ones_round_trip() {
    let pieces =
        &["a", "in", "notin", " ", "(", ")", ",", "=", "!", "<", ">", "\\", "\0", "é", "1", "/"];
    for text in mixtures(pieces) {
        if let Ok(selector) = LabelSelector::parse(&text) {
            assert_eq!(
                LabelSelector::parse(&selector.to_string()).as_ref(),
                Ok(&selector),
                "{text}"
            );
        }
        if let Ok(selector) = FieldSelector::parse(&text) {
            assert_eq!(
                FieldSelector::parse(&selector.to_string()).as_ref(),
                Ok(&selector),
                "{text}"
            );
        }
    }
}
