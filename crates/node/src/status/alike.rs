//! What the statuses of many pods have alike, kept once: pods of one template wait for the same, and
//! much becomes so in one second.
//!
//! Invariant: what is remembered follows from its key alone, and is what would be made anew.

use std::cell::RefCell;

use apimachinery::{List, Recent, Text, Value};
use world::Time;

use super::conditions::Verdict;

thread_local! {
    static TIMES: RefCell<Recent<i64, Text>> = const { RefCell::new(Recent::new()) };
    static RUNNING: RefCell<Recent<Text, Value>> = const { RefCell::new(Recent::new()) };
    static WAITING: RefCell<Recent<Waiting, Value>> = const { RefCell::new(Recent::new()) };
    static CONDITIONS: RefCell<Recent<(Verdict, Text), Value>> = const { RefCell::new(Recent::new()) };
    static LISTS: RefCell<Recent<List, List>> = const { RefCell::new(Recent::new()) };
}

/// `at` as documents have it.
pub(super) fn time(at: Time) -> Text {
    let second = at.unix_seconds();
    TIMES.with_borrow_mut(|times| {
        let known = times.get(|known| *known == second);
        known.unwrap_or_else(|| times.put(second, Text::from(at.rfc3339())))
    })
}

/// The state that `make` gives, which follows from `since` alone.
pub(super) fn running(since: Text, make: impl FnOnce(Text) -> Value) -> Value {
    RUNNING.with_borrow_mut(|states| {
        let known = states.get(|known| *known == since);
        known.unwrap_or_else(|| states.put(since.clone(), make(since)))
    })
}

/// A container that waits for its first start: its name, its image and why it waits.
#[derive(PartialEq)]
pub(super) struct Waiting {
    pub(super) name: Text,
    pub(super) image: Text,
    pub(super) reason: &'static str,
}

/// The status that `make` gives, which follows from `of` alone.
pub(super) fn waiting(of: Waiting, make: impl FnOnce(&Waiting) -> Value) -> Value {
    WAITING.with_borrow_mut(|statuses| {
        let known = statuses.get(|known| *known == of);
        known.unwrap_or_else(|| {
            let made = make(&of);
            statuses.put(of, made)
        })
    })
}

/// The condition that `make` gives, which follows from `verdict` and `since` alone.
pub(super) fn condition(
    verdict: &Verdict,
    since: &str,
    make: impl FnOnce(&Verdict, Text) -> Value,
) -> Value {
    CONDITIONS.with_borrow_mut(|conditions| {
        let known = conditions.get(|(of, at)| at == since && of == verdict);
        known.unwrap_or_else(|| {
            let since = Text::from(since);
            let made = make(verdict, since.clone());
            conditions.put((verdict.clone(), since), made)
        })
    })
}

/// A list of these.
pub(super) fn list(items: Vec<Value>) -> List {
    LISTS.with_borrow_mut(|lists| {
        let known = lists.get(|known| known.as_slice() == items);
        known.unwrap_or_else(|| {
            let list = List::from(items);
            lists.put(list.clone(), list)
        })
    })
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn what_is_alike_is_there_once() {
        let at = |nanos| Time::from_unix_seconds(1) + std::time::Duration::from_nanos(nanos);
        assert_eq!(time(at(1)), "1970-01-01T00:00:01Z");
        assert!(std::ptr::eq(time(at(1)).as_str(), time(at(2)).as_str()), "one second, one text");
        let (one, equal) = (list(vec![json!({"a": 1})]), list(vec![json!({"a": 1})]));
        assert!(std::ptr::eq(one.as_slice(), equal.as_slice()));
        let since = |at: &str| running(Text::from(at), |at| json!({"running": {"startedAt": at}}));
        assert_eq!((since("a"), since("b")), (since("a"), since("b")));
        assert_ne!(since("a"), since("b"));
    }
}
