//! What extenders were asked about which pod, and what they have answered so far.
//!
//! Invariant: an answer to a question about a pod that was changed or placed meanwhile is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use apimachinery::Value;
use controller_runtime::Key;
use parking_lot::Mutex;

use crate::extender::{Answers, Caller, Done, Question, Verb};
use crate::profile::Profile;

type Wake = Arc<dyn Fn() + Send + Sync>;

struct Letter {
    key: Key,
    session: u64,
    from: (usize, Verb),
    answer: Result<Value, String>,
}

#[derive(Debug, Default)]
struct Session {
    number: u64,
    asked: BTreeSet<(usize, Verb)>,
    answers: Answers,
}

/// The extenders' side.
#[derive(Default)]
pub(super) struct Outside {
    edge: Option<(Arc<dyn Caller>, Wake)>,
    inbox: Arc<Mutex<Vec<Letter>>>,
    sessions: BTreeMap<Key, Session>,
    count: u64,
    none: Answers,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

impl Outside {
    pub(super) fn new(caller: Arc<dyn Caller>, wake: Wake) -> Self {
        Self { edge: Some((caller, wake)), ..Self::default() }
    }

    /// The answers about a pod that are in.
    pub(super) fn answers(&self, key: &Key) -> &Answers {
        self.sessions.get(key).map_or(&self.none, |session| &session.answers)
    }

    /// One answer about a pod.
    pub(super) fn answer(
        &self,
        key: &Key,
        extender: usize,
        verb: Verb,
    ) -> Option<&Result<Value, String>> {
        self.answers(key).get(&(extender, verb))
    }

    /// Asks, unless that was done.
    pub(super) fn ask(&mut self, profile: &Profile, key: &Key, question: &Question) {
        let count = &mut self.count;
        let session = self.sessions.entry(key.clone()).or_insert_with(|| {
            *count += 1;
            Session { number: *count, ..Session::default() }
        });
        let from = (question.extender, question.verb);
        if !session.asked.insert(from) {
            return;
        }
        let (inbox, key, session) = (Arc::clone(&self.inbox), key.clone(), session.number);
        let wake = self.edge.as_ref().map(|(_, wake)| Arc::clone(wake));
        let done: Done = Box::new(move |answer| {
            inbox.lock().push(Letter { key, session, from, answer });
            if let Some(wake) = wake {
                wake();
            }
        });
        let extender = &profile.extenders[question.extender];
        match (&self.edge, extender.url(question.verb)) {
            (Some((caller, _)), Some(url)) => caller.post(extender, &url, &question.body, done),
            _ => done(Err("extenders are not reachable from here".to_owned())),
        }
    }

    /// Takes in what has arrived. Gives the pods that it is about.
    pub(super) fn take_in(&mut self) -> Vec<Key> {
        let letters = std::mem::take(&mut *self.inbox.lock());
        let mut keys = Vec::new();
        for letter in letters {
            let session = self.sessions.get_mut(&letter.key);
            if let Some(session) = session.filter(|session| session.number == letter.session) {
                session.answers.insert(letter.from, letter.answer);
                if session.asked.len() == session.answers.len() {
                    keys.push(letter.key);
                }
            }
        }
        keys
    }

    /// Drops all that was asked about a pod.
    pub(super) fn forget(&mut self, key: &Key) {
        self.sessions.remove(key);
    }
}
