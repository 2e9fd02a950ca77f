//! Documents written out in code: [`json!`](crate::json!).

use serde::Serialize;

use super::key::Name;
use super::{List, Map, Text, Value};

/// A document as it is written: `json!({"kind": "Pod", "spec": {"containers": [container]}})`.
///
/// Expressions stand for anything that serde can write; documents among them are taken as they are. A
/// name is a literal, a variable or other path, a call, or an expression in parentheses.
///
/// # Panics
/// When an expression has no form in JSON.
#[macro_export]
macro_rules! json {
    (@members $made:ident) => {};
    (@members $made:ident $name:tt : null $(, $($rest:tt)*)?) => {
        $made.add($name, $crate::json::Value::Null);
        $crate::json!(@members $made $($($rest)*)?);
    };
    (@members $made:ident $name:tt : [$($items:tt)*] $(, $($rest:tt)*)?) => {
        $made.add($name, $crate::json!([$($items)*]));
        $crate::json!(@members $made $($($rest)*)?);
    };
    (@members $made:ident $name:tt : {$($members:tt)*} $(, $($rest:tt)*)?) => {
        $made.add($name, $crate::json!({$($members)*}));
        $crate::json!(@members $made $($($rest)*)?);
    };
    (@members $made:ident $name:tt : $value:expr $(, $($rest:tt)*)?) => {
        $made.add($name, $crate::json!($value));
        $crate::json!(@members $made $($($rest)*)?);
    };
    (@members $made:ident $($part:ident)::+ : $($rest:tt)*) => {
        $crate::json!(@members $made ($($part)::+) : $($rest)*);
    };
    (@members $made:ident $of:ident ($($arguments:tt)*) : $($rest:tt)*) => {
        $crate::json!(@members $made ($of($($arguments)*)) : $($rest)*);
    };
    (@members $made:ident $of:ident ! ($($arguments:tt)*) : $($rest:tt)*) => {
        $crate::json!(@members $made ($of!($($arguments)*)) : $($rest)*);
    };
    (@members $made:ident $of:ident . $method:ident ($($arguments:tt)*) : $($rest:tt)*) => {
        $crate::json!(@members $made ($of.$method($($arguments)*)) : $($rest)*);
    };
    (@items $made:ident) => {};
    (@items $made:ident null $(, $($rest:tt)*)?) => {
        $made.add($crate::json::Value::Null);
        $crate::json!(@items $made $($($rest)*)?);
    };
    (@items $made:ident [$($items:tt)*] $(, $($rest:tt)*)?) => {
        $made.add($crate::json!([$($items)*]));
        $crate::json!(@items $made $($($rest)*)?);
    };
    (@items $made:ident {$($members:tt)*} $(, $($rest:tt)*)?) => {
        $made.add($crate::json!({$($members)*}));
        $crate::json!(@items $made $($($rest)*)?);
    };
    (@items $made:ident $value:expr $(, $($rest:tt)*)?) => {
        $made.add($crate::json!($value));
        $crate::json!(@items $made $($($rest)*)?);
    };
    (null) => { $crate::json::Value::Null };
    ([]) => { $crate::json::Value::Array($crate::json::List::new()) };
    ([$($items:tt)+]) => {{
        let mut made = $crate::json::Items::default();
        $crate::json!(@items made $($items)+);
        made.done()
    }};
    ({}) => { $crate::json::Value::Object($crate::json::Map::new()) };
    ({$($members:tt)+}) => {{
        let mut made = $crate::json::Members::default();
        $crate::json!(@members made $($members)+);
        made.done()
    }};
    ($value:expr) => {{
        use $crate::json::prelude::*;
        (&$crate::json::Lift(&$value)).lift()
    }};
}

/// The members of a map that is being written out.
#[derive(Debug, Default)]
pub struct Members(Vec<(Text, Value)>);

impl Members {
    /// Adds one.
    pub fn add(&mut self, name: impl Name, value: Value) {
        self.0.push((name.name(), value));
    }

    /// The map; of two members with one name the later one holds.
    #[must_use]
    pub fn done(self) -> Value {
        Value::Object(Map::of(self.0))
    }
}

/// The items of a list that is being written out.
#[derive(Debug, Default)]
pub struct Items(Vec<Value>);

impl Items {
    /// Adds one.
    pub fn add(&mut self, item: Value) {
        self.0.push(item);
    }

    /// The list.
    #[must_use]
    pub fn done(self) -> Value {
        Value::Array(List::from(self.0))
    }
}

/// Something that becomes part of a document. What is one already, or nearly, goes by [`LiftValue`];
/// the compiler prefers that to [`LiftSerialize`], which takes everything else.
#[derive(Debug)]
pub struct Lift<'a, T: ?Sized>(pub &'a T);

/// Becomes part of a document without being written out.
pub trait LiftValue {
    /// The document.
    fn lift(&self) -> Value;
}

/// Becomes part of a document by serde.
pub trait LiftSerialize {
    /// The document.
    fn lift(&self) -> Value;
}

impl<T: Serialize + ?Sized> LiftSerialize for &Lift<'_, T> {
    fn lift(&self) -> Value {
        super::to_value(self.0).expect("a literal has a form in JSON")
    }
}

macro_rules! lift {
    ($($of:ty, $value:ident => $made:expr;)*) => {$(
        impl LiftValue for Lift<'_, $of> {
            fn lift(&self) -> Value {
                let $value = self.0;
                $made
            }
        }
    )*};
}

lift! {
    Value, value => value.clone();
    &Value, value => (*value).clone();
    Option<Value>, value => value.clone().unwrap_or_default();
    Option<&Value>, value => value.cloned().unwrap_or_default();
    Vec<Value>, items => Value::Array(items.iter().cloned().collect());
    &[Value], items => Value::Array(items.iter().cloned().collect());
    [Value], items => Value::Array(items.iter().cloned().collect());
    std::sync::Arc<Value>, value => (**value).clone();
    &std::sync::Arc<Value>, value => (***value).clone();
    Map, members => Value::Object(members.clone());
    &Map, members => Value::Object((*members).clone());
    Option<Map>, members => members.clone().map_or(Value::Null, Value::Object);
    Option<&Map>, members => members.cloned().map_or(Value::Null, Value::Object);
    List, items => Value::Array(items.clone());
    &List, items => Value::Array((*items).clone());
    str, text => Value::from(text);
    &str, text => Value::from(*text);
    &&str, text => Value::from(**text);
    String, text => Value::from(text.as_str());
    &String, text => Value::from(text.as_str());
    Text, text => Value::from(text);
    &Text, text => Value::from(*text);
    bool, truth => Value::Bool(*truth);
    i64, number => Value::from(*number);
    i32, number => Value::from(*number);
    u64, number => Value::from(*number);
    u32, number => Value::from(*number);
    u16, number => Value::from(*number);
    usize, number => Value::from(*number);
}

impl<const N: usize> LiftValue for Lift<'_, [Value; N]> {
    fn lift(&self) -> Value {
        Value::Array(self.0.iter().cloned().collect())
    }
}
