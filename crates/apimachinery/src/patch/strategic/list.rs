//! Lists that merge: elements found by key, and the order of the result.
//!
//! Elements of the patch come in the order of the patch (or of `$setElementOrder`), the others in
//! the order they had. Where both orders leave a choice, an element of the patch comes first,
//! unless the document had the other one before it.

use std::collections::BTreeMap;

use crate::{Map, Value};

use super::{
    DIRECTIVE, ELEMENT_ORDER, Error, FieldSchema, ListStrategy, PatchSchema, go_list, go_map,
    go_value, lookup, merge_map, type_name,
};

/// What makes two elements the same: the value of the key, or the scalar itself.
fn identity(element: &Value, key: Option<&str>) -> Result<String, Error> {
    let Some(key) = key else { return Ok(element.to_string()) };
    let map = as_map(element)?;
    map.get(key).map(Value::to_string).ok_or_else(|| Error::merge_key(map, key))
}

fn as_map(element: &Value) -> Result<&Map, Error> {
    element.as_object().ok_or_else(|| Error::Type { expected: "map", actual: type_name(element) })
}

/// The first place of each element.
fn places(list: &[Value], key: Option<&str>) -> Result<BTreeMap<String, usize>, Error> {
    let mut places = BTreeMap::new();
    for (place, element) in list.iter().enumerate() {
        places.entry(identity(element, key)?).or_insert(place);
    }
    Ok(places)
}

/// The merge key of a list, `None` for scalars.
fn merge_key<'a>(field: FieldSchema<'a>) -> Option<&'a str> {
    match field.strategy {
        ListStrategy::Merge { key } => Some(key),
        _ => None,
    }
}

/// Merges a list by key or as a set.
pub(super) fn merge(
    original: Vec<Value>,
    patch: Vec<Value>,
    name: &str,
    field: FieldSchema<'_>,
) -> Result<Vec<Value>, Error> {
    let Some(key) = merge_key(field) else {
        check_scalars(&original, name)?;
        check_scalars(&patch, name)?;
        let mut merged = original.clone();
        merged.extend(patch.iter().cloned());
        return order(unique(merged), &patch, &original, None);
    };
    let (original, patch) = carry_out_directives(original, patch, key)?;
    let merged = merge_elements(original.clone(), patch.clone(), key, field.element)?;
    order(merged, &patch, &original, Some(key))
}

fn check_scalars(list: &[Value], name: &str) -> Result<(), Error> {
    match list.iter().find(|element| element.is_object() || element.is_array()) {
        None => Ok(()),
        Some(Value::Array(_)) => Err(Error::ListOfLists),
        Some(_) => Err(Error::NoMergeKey(name.to_owned())),
    }
}

fn unique(list: Vec<Value>) -> Vec<Value> {
    let mut seen = BTreeMap::new();
    list.into_iter().filter(|element| seen.insert(element.to_string(), ()).is_none()).collect()
}

/// Carries out `$patch` in elements: gives the document's list without what is deleted, and the
/// patch without the directives.
fn carry_out_directives(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), Error> {
    let mut plain = Vec::new();
    let mut deleted = BTreeMap::new();
    let mut replace = false;
    for element in patch {
        let map = as_map(&element)?;
        let Some(directive) = map.get(DIRECTIVE) else {
            plain.push(element);
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                deleted.insert(identity(&element, Some(key))?, ());
            }
            Some("replace") => replace = true,
            Some("merge") => return Err(Error::MergeDirective),
            _ => {
                let directive = go_value(directive);
                return Err(Error::Directive { directive, map: go_map(map) });
            }
        }
    }
    if replace {
        return Ok((plain, Vec::new()));
    }
    if !deleted.is_empty() {
        original.retain(|element| {
            identity(element, Some(key)).map_or(true, |value| !deleted.contains_key(&value))
        });
    }
    Ok((original, plain))
}

fn merge_elements(
    mut merged: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
    schema: Option<&dyn PatchSchema>,
) -> Result<Vec<Value>, Error> {
    let mut have = BTreeMap::new();
    for (place, element) in merged.iter().enumerate() {
        if let Some(value) = as_map(element)?.get(key) {
            have.entry(value.to_string()).or_insert(place);
        }
    }
    for element in patch {
        let value = identity(&element, Some(key))?;
        let Value::Object(element) = element else { continue };
        match have.get(&value) {
            Some(place) => {
                let original = match merged[*place].take() {
                    Value::Object(map) => map,
                    _ => Map::new(),
                };
                merged[*place] = Value::Object(merge_map(original, element, schema)?);
            }
            None => {
                have.insert(value, merged.len());
                merged.push(Value::Object(merge_map(Map::new(), element, schema)?));
            }
        }
    }
    Ok(merged)
}

/// Puts a merged list in order: see the top of this file.
fn order(
    merged: Vec<Value>,
    wanted: &[Value],
    original: &[Value],
    key: Option<&str>,
) -> Result<Vec<Value>, Error> {
    let wanted = places(wanted, key)?;
    let had = places(original, key)?;
    let mut first = Vec::new();
    let mut others = Vec::new();
    for element in merged {
        let id = identity(&element, key)?;
        let before = had.get(&id).copied();
        match wanted.get(&id) {
            Some(place) => first.push((*place, before, element)),
            None => others.push((before.unwrap_or(usize::MAX), before, element)),
        }
    }
    first.sort_by_key(|(place, ..)| *place);
    others.sort_by_key(|(place, ..)| *place);
    let mut first = first.into_iter().peekable();
    let mut others = others.into_iter().peekable();
    let mut ordered = Vec::new();
    loop {
        let stays_before = match (others.peek(), first.peek()) {
            (Some((_, Some(other), _)), Some((_, Some(patched), _))) => other < patched,
            (Some(_), None) => true,
            _ => false,
        };
        let next = if stays_before { others.next() } else { first.next() };
        match next {
            Some((.., element)) => ordered.push(element),
            None => return Ok(ordered),
        }
    }
}

/// Carries out every `$setElementOrder/<list>`, together with the list of that name.
pub(super) fn merge_ordered(
    original: &mut Map,
    patch: &mut Map,
    schema: Option<&dyn PatchSchema>,
) -> Result<(), Error> {
    let directives: Vec<crate::Text> =
        patch.keys().filter(|key| key.starts_with(ELEMENT_ORDER)).cloned().collect();
    for directive in directives {
        let wanted = take_list(patch, &directive)?.unwrap_or_default();
        let name = directive[ELEMENT_ORDER.len()..].strip_prefix('/');
        let name = name.ok_or(Error::ElementOrderFormat)?;
        let field = lookup(schema, name);
        // A list that does not merge has the order of the patch anyway.
        let merges =
            matches!(field.strategy, ListStrategy::Merge { .. } | ListStrategy::MergePrimitive);
        if !merges || patch.get(name).is_some_and(Value::is_null) {
            continue;
        }
        let patched = take_list(patch, name)?;
        let had = take_list(original, name)?;
        if let Some(list) = &patched {
            check_order(list, &wanted, merge_key(field))?;
        }
        let merged = match (had.clone(), patched) {
            (None, None) => continue,
            (Some(had), None) => had,
            (had, Some(patched)) => merge(had.unwrap_or_default(), patched, name, field)?,
        };
        let ordered = order(merged, &wanted, &had.unwrap_or_default(), merge_key(field))?;
        original.insert(name.to_owned(), Value::from(ordered));
    }
    Ok(())
}

fn take_list(map: &mut Map, key: &str) -> Result<Option<Vec<Value>>, Error> {
    match map.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list.into())),
        Some(other) => Err(Error::Type { expected: "slice", actual: type_name(&other) }),
    }
}

/// The elements of the patch must be listed in `wanted`, in the same order.
fn check_order(patch: &[Value], wanted: &[Value], key: Option<&str>) -> Result<(), Error> {
    let mut rest = wanted.iter();
    for element in patch.iter().filter(|element| element.get(DIRECTIVE).is_none()) {
        let id = identity(element, key)?;
        let mut found = false;
        for candidate in rest.by_ref() {
            if identity(candidate, key)? == id {
                found = true;
                break;
            }
        }
        if !found {
            return Err(Error::ElementOrder { patch: go_list(patch), order: go_list(wanted) });
        }
    }
    Ok(())
}

/// Removes scalars from a list; no list, nothing to remove.
pub(super) fn delete_primitives(
    original: &mut Map,
    name: &str,
    deleted: &Value,
) -> Result<(), Error> {
    let Value::Array(deleted) = deleted else {
        return Err(Error::Type { expected: "slice", actual: type_name(deleted) });
    };
    let deleted = places(deleted, None)?;
    if let Some(Value::Array(list)) = original.get_mut(name) {
        list.retain(|element| !deleted.contains_key(&element.to_string()));
    }
    Ok(())
}
