//! The items of lists that are owned item by item, under the elements that name them.

use crate::{Map, Value};

use super::schema::{ListKind, Schema};
use super::set::{self, Element};

/// The element that names an item; the text says what is missing in it.
pub(super) fn element_of<S: Schema>(
    schema: S,
    kind: ListKind,
    item: &Value,
) -> Result<Element, String> {
    match kind {
        ListKind::Set => match item {
            Value::Object(_) | Value::Array(_) => Err("associative list without keys has an \
                 element that's a map or list type"
                .to_owned()),
            Value::Null => {
                Err("associative list without keys has an element that's an explicit null"
                    .to_owned())
            }
            item => Ok(set::value(item)),
        },
        ListKind::Map => keyed(schema, item),
    }
}

fn keyed<S: Schema>(schema: S, item: &Value) -> Result<Element, String> {
    let Some(fields) = item.as_object() else {
        return Err(if item.is_null() {
            "associative list with keys may not have a null element".to_owned()
        } else {
            "associative list with keys may not have non-map elements".to_owned()
        });
    };
    let mut keys = Map::new();
    for (name, default) in schema.keys() {
        match fields.get(&name).cloned().or(default) {
            Some(value) => keys.insert(name, value),
            None => {
                return Err(format!(
                    "associative list with keys has an element that omits key field {name:?} (and \
                     doesn't have default value)"
                ));
            }
        };
    }
    Ok(set::key(keys))
}

/// The items with the elements that name them; those that have no name are left out.
pub(super) fn items<'a, S: Schema>(
    schema: S,
    kind: ListKind,
    list: Option<&'a Value>,
) -> Vec<(Element, &'a Value)> {
    let items = list.and_then(Value::as_array).map_or(&[] as &[Value], crate::List::as_slice);
    let named = |item: &'a Value| element_of(schema, kind, item).ok().map(|name| (name, item));
    items.iter().filter_map(named).collect()
}
