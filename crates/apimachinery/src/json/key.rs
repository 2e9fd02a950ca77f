//! Names of members: the long ones that recur are there once.
//!
//! Invariant: nothing is kept beyond a fixed number of names a thread.

use std::cell::RefCell;

use super::Text;
use crate::hash::fnv32a;

/// Names up to this length need no memory of their own.
const SHORT: usize = 15;
/// Names longer than this are hardly those of fields.
const LONG: usize = 64;
/// How many long names a thread keeps.
const KEPT: usize = 512;

thread_local! {
    static NAMES: RefCell<Texts<KEPT>> = const { RefCell::new(Texts::new()) };
}

/// A few texts, of which equal ones that are asked for later have the memory.
#[derive(Debug)]
pub struct Texts<const N: usize>([Text; N]);

impl<const N: usize> Texts<N> {
    /// Keeps nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { Text::new() }; N])
    }

    /// The text, in the memory of an equal one if there was one a short while ago.
    pub fn shared(&mut self, text: &str) -> Text {
        let kept = &mut self.0[fnv32a(text.as_bytes()) as usize % N];
        if *kept != text {
            *kept = Text::from(text);
        }
        kept.clone()
    }
}

impl<const N: usize> Default for Texts<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a member's name can be made of.
pub trait Name {
    /// The name.
    fn name(self) -> Text;
}

impl Name for Text {
    fn name(self) -> Text {
        self
    }
}

impl Name for &Text {
    fn name(self) -> Text {
        self.clone()
    }
}

impl Name for &str {
    fn name(self) -> Text {
        shared(self)
    }
}

impl Name for String {
    fn name(self) -> Text {
        shared(&self)
    }
}

impl Name for &String {
    fn name(self) -> Text {
        shared(self)
    }
}

impl Name for &&str {
    fn name(self) -> Text {
        shared(self)
    }
}

impl Name for std::borrow::Cow<'_, str> {
    fn name(self) -> Text {
        shared(&self)
    }
}

/// The name, in the memory of an equal one if there was one a short while ago.
pub(super) fn shared(name: &str) -> Text {
    if name.len() <= SHORT || name.len() > LONG {
        return Text::from(name);
    }
    NAMES.with_borrow_mut(|names| names.shared(name))
}
