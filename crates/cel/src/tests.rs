//! Expressions, what they give and what is said of wrong ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

fn variables() -> (BTreeMap<String, Type>, BTreeMap<String, Value>) {
    let fields = [
        ("name", Type::String),
        ("replicas", Type::Int),
        ("tags", Type::List(Arc::new(Type::String))),
        ("labels", Type::Map(Arc::new(Type::String))),
        ("missing", Type::Int),
        ("any", Type::Dyn),
    ];
    let types = fields.into_iter().map(|(name, of)| (name.to_owned(), of)).collect();
    let tags = ["b", "a", "c"].into_iter().map(Value::from).collect();
    let labels = BTreeMap::from([(Key::String("app".into()), Value::from("web"))]);
    let values = [
        ("name", Value::from("shop")),
        ("replicas", Value::Int(3)),
        ("tags", Value::list(tags)),
        ("labels", Value::Map(Arc::new(labels))),
        ("any", Value::from("text")),
    ];
    let object =
        values.into_iter().map(|(name, value)| (Key::String(name.into()), value)).collect();
    (
        BTreeMap::from([("self".to_owned(), Type::Object(Arc::new(types)))]),
        BTreeMap::from([("self".to_owned(), Value::Map(Arc::new(object)))]),
    )
}

fn run(source: &str) -> Result<Value, String> {
    let (types, values) = variables();
    let program = Program::compile(source, &types)?;
    program.run(&values, &mut Budget::new(1_000_000)).map_err(|error| error.to_string())
}

#[test]
fn expressions_hold() {
    for source in [
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9",
        "-7 / 2 == -3 && -7 % 2 == -1 && 7.0 / 2.0 == 3.5",
        "dyn(1) == 1.0 || true",
        "self.replicas > 2 ? true : false",
        "!has(self.missing) && has(self.name)",
        "has(self.missing) && self.missing > 1 || true",
        "self.tags.size() == 3 && size(self.name) == 4",
        "self.tags.all(t, t.size() == 1) && self.tags.exists(t, t == 'a')",
        "self.tags.exists_one(t, t > 'b')",
        "self.tags.filter(t, t != 'b') == ['a', 'c']",
        "self.tags.map(t, t + '!') == ['b!', 'a!', 'c!']",
        "self.tags.map(t, t > 'a', t) == ['b', 'c']",
        "'app' in self.labels && self.labels['app'] == 'web' && self.labels.app == 'web'",
        "self.labels.all(k, self.labels[k].startsWith('w'))",
        "'b' in self.tags && !('z' in self.tags)",
        "self.name.matches('^[a-z]+$') && self.name.contains('ho') && self.name.endsWith('p')",
        "self.name.upperAscii() == 'SHOP' && self.name.charAt(0) == 's'",
        "'a,b,c'.split(',').join('-') == 'a-b-c' && 'abc'.substring(1, 2) == 'b'",
        "'tacocat'.indexOf('c') == 2 && 'tacocat'.lastIndexOf('c') == 4",
        "'a b a'.replace('a', 'x') == 'x b x' && '  x '.trim() == 'x'",
        "'abc 123 def 456'.find('[0-9]+') == '123' && 'a1b2'.findAll('[0-9]') == ['1', '2']",
        "[1, 2, 3].sum() == 6 && [3, 1].min() == 1 && [3, 1].max() == 3 && [1, 2].isSorted()",
        "string(5) == '5' && int('5') == 5 && double(2) == 2.0 && bool('true')",
        "type(1) == int && type('a') == string",
        "duration('1h30m') > duration('89m') && duration('90s').getSeconds() == 90",
        "timestamp('2024-02-29T12:30:00Z').getFullYear() == 2024",
        "timestamp('2024-02-29T00:00:00Z').getMonth() == 1",
        "timestamp('2024-02-29T00:00:00Z') + duration('24h') == timestamp('2024-03-01T00:00:00Z')",
        "quantity('1Gi').isGreaterThan(quantity('1000Mi')) && isQuantity('5m') && !isQuantity('x')",
        "{'a': 1}['a'] == 1 && {'a': 1}.size() == 1",
        "r'\\d' == '\\\\d' && 'a\\u0041' == 'aA' && \"\"\"a\nb\"\"\" == 'a\\nb'",
        "0x10 == 16 && 1u + 2u == 3u && 1e3 == 1000.0",
        "self.any == 'text' && dyn(self.name) == 'shop'",
        "null == null && self.tags != [] // a remark",
        "false && 1 / 0 == 1 || true",
        "1 / 0 == 1 || true",
    ] {
        assert_eq!(run(source), Ok(Value::Bool(true)), "{source}");
    }
}

#[test]
fn what_goes_wrong_at_work_is_told() {
    for (source, text) in [
        ("self.missing > 1", "no such key: missing"),
        ("self.labels['x'] == ''", "no such key: x"),
        ("self.tags[7] == ''", "index out of bounds: 7"),
        ("1 / (self.replicas - 3) == 1", "division by zero"),
        ("9223372036854775807 + self.replicas > 0", "integer overflow"),
        ("self.any > 1", "no such overload"),
        ("int(self.name) > 1", "type conversion error from 'shop' to 'int'"),
        ("true && 1 / 0 == 1", "division by zero"),
    ] {
        assert_eq!(run(source), Err(text.to_owned()), "{source}");
    }
}

#[test]
fn mistakes_have_a_place() {
    for (source, text) in [
        (
            "self.nmae == ''",
            "ERROR: <input>:1:5: undefined field 'nmae'\n | self.nmae == ''\n | ....^",
        ),
        (
            "slef.name == ''",
            "ERROR: <input>:1:1: undeclared reference to 'slef' (in container '')\n | slef.name == ''\n | ^",
        ),
        (
            "self.name == 1",
            "ERROR: <input>:1:11: found no matching overload for '_==_' applied to '(string, int)'\n | self.name == 1\n | ..........^",
        ),
        (
            "self.name.siez() > 1",
            "ERROR: <input>:1:15: undeclared reference to 'siez' (in container '')\n | self.name.siez() > 1\n | ..............^",
        ),
        (
            "self.replicas.all(x, true)",
            "ERROR: <input>:1:5: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)\n | self.replicas.all(x, true)\n | ....^",
        ),
        (
            "true &&\n  (self.name",
            "ERROR: <input>:2:13: Syntax error: mismatched input '<EOF>' expecting ')'\n |   (self.name\n | ............^",
        ),
        (
            "url(self.name) == 1",
            "ERROR: <input>:1:4: undeclared reference to 'url' (in container '')\n | url(self.name) == 1\n | ...^",
        ),
    ] {
        assert_eq!(run(source), Err(text.to_owned()), "{source}");
    }
}

#[test]
fn hostile_expressions_end() {
    let cost = "operation cancelled: actual cost limit exceeded";
    let range = format!("[{}]", vec!["1"; 100].join(","));
    let loops = format!(
        "{range}.all(a, {range}.all(b, {range}.all(c, {range}.all(d, a + b + c + d > 0))))"
    );
    assert_eq!(run(&loops), Err(cost.to_owned()));
    let doubled = format!("['{}']{}.size() > 0", "x".repeat(1000), ".map(a, a + a)".repeat(60));
    assert_eq!(run(&doubled), Err(cost.to_owned()));
    let replaced =
        format!("'{0}'{1}.size() > 0", "x".repeat(999), ".replace('x', 'xxxxxxxxxx')".repeat(9));
    assert_eq!(run(&replaced), Err(cost.to_owned()));
    for deep in ["(".repeat(5000), "[".repeat(5000), "-".repeat(5000), "!".repeat(5000)] {
        assert!(run(&deep).is_err());
    }
    let chain = format!("self{}", ".a".repeat(5000));
    assert!(run(&chain).unwrap_err().contains("recursion limit"));
    let sum = format!("1{}", "+1".repeat(40_000));
    assert!(run(&sum).unwrap_err().contains("recursion limit"));
}
