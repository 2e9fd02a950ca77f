//! Documents of every kind, right and wrong.

use apimachinery::{Map, Value, json};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use crate::decode::fit::fit;
use crate::decode::{Mode, from_slice, from_value};
use crate::schema::{FieldKind, Type, type_of};

/// Takes choices from a list of bytes; the first choice of all when they run out.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, end: u8) -> u8 {
        self.0.next().copied().unwrap_or(0) % end
    }

    fn text(&mut self) -> &'static str {
        ["", "a", "1", "2018-10-11T12:00:00Z", "500m", "YWJj", "é"][usize::from(self.below(7))]
    }
}

fn document(of: &'static Type, choices: &mut Choices<'_>, depth: u8) -> Value {
    let mut out = Map::new();
    if depth < 8 {
        for field in of.fields {
            if choices.below(4) == 1 {
                out.insert(field.name.to_owned(), value(field.kind, choices, depth));
            }
        }
    }
    if choices.below(16) == 1 {
        out.insert("surelyUnknown".to_owned(), json!(1));
    }
    Value::Object(out)
}

fn value(kind: FieldKind, choices: &mut Choices<'_>, depth: u8) -> Value {
    match choices.below(64) {
        1 => return Value::Null,
        2 => return json!([1]),
        3 => return json!({"a": "b"}),
        4 => return choices.text().into(),
        _ => {}
    }
    match kind {
        FieldKind::String => choices.text().into(),
        FieldKind::Integer { .. } => choices.below(3).into(),
        FieldKind::Number => json!(0.5),
        FieldKind::Boolean => (choices.below(2) == 1).into(),
        FieldKind::IntOrString if choices.below(2) == 1 => "50%".into(),
        FieldKind::IntOrString => 80.into(),
        FieldKind::Quantity => ["1", "0.5", "1024Mi", "100m"][usize::from(choices.below(4))].into(),
        FieldKind::Time => "2018-10-11T14:00:00+02:00".into(),
        FieldKind::MicroTime => "2018-10-11T12:00:00.000001Z".into(),
        FieldKind::Bytes => "YWJj".into(),
        FieldKind::Object(of) => document(of, choices, depth + 1),
        FieldKind::Map(of) => {
            let keys = ["a", "b"].into_iter().take(usize::from(choices.below(3)));
            keys.map(|key| (key.to_owned(), value(*of, choices, depth))).collect::<Map>().into()
        }
        FieldKind::Array(of) => (0..choices.below(3)).map(|_| value(*of, choices, depth)).collect(),
        FieldKind::RawExtension | FieldKind::Any => json!({"kind": "Pod", "x": null}),
    }
}

proptest! {
    #[test]
    fn what_is_decoded_decodes_to_itself(
        index in any::<usize>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let resources = crate::resources();
        let resource = resources[index % resources.len()];
        let of = type_of(resource.group, resource.version, resource.kind).unwrap();
        let body = document(of, &mut Choices(bytes.iter()), 0);
        let once = from_slice(of, body.to_string().as_bytes(), Mode::Warn);
        prop_assert_eq!(&from_value(of, body, Mode::Warn), &once);
        if let Ok(once) = once {
            let mut fitted = once.value.clone();
            prop_assert!(fit(of, &mut fitted), "{}", once.value);
            prop_assert_eq!(&fitted, &once.value);
            let again = from_value(of, once.value.clone(), Mode::Strict);
            prop_assert!(again.is_ok(), "{again:?}");
            prop_assert_eq!(again.unwrap().value, once.value);
        }
    }

    #[test]
    fn bytes_never_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let of = type_of("", "v1", "Pod").unwrap();
        drop(from_slice(of, &bytes, Mode::Strict));
        drop(crate::decode::interpret(&bytes));
        drop(crate::decode::parse_json(&bytes));
    }
}
