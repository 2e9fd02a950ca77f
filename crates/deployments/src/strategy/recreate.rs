//! Recreate: the old rollout goes to zero before the new one begins.
//!
//! With a predecessor one new pod must prove itself available before the rest is made; without one
//! all of them must. The first rollout of a Rolling config runs this as well. The mid hook runs while
//! there is no pod of either, on the first rollout too.
//!
//! Invariant: no new pod is made while an old one still runs, unless waiting for that timed out.
//!
//! Mirrors: `openshift/origin pkg/apps/strategy/recreate/recreate.go`.

use std::time::Duration;

use apimachinery::Value;
use world::Time;

use super::{Action, Observed, POLL, Side, Until, hook_outcome, seconds};
use crate::hook::Moment;

/// A recreate rollout under way.
#[derive(Debug)]
pub struct Recreate {
    timeout: Duration,
    mid: bool,
    step: Step,
    /// Whether there is no predecessor.
    first: bool,
    /// How far to go.
    pub(super) until: Option<Until>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin,
    AwaitZero { check_at: Time, give_up_at: Time },
    AwaitGone { check_at: Time, give_up_at: Time },
    Mid,
    AwaitMid,
    ScaleUp,
    AwaitScale { replicas: i64, then: Then, check_at: Time, give_up_at: Time },
    Accept { then: Then, give_up_at: Time },
    ScaleToDesired,
    Over,
}

/// What follows once pods exist or are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The first pod of several is checked before the rest is made.
    AcceptFirst,
    /// All pods are checked.
    AcceptAll,
    /// Nothing is left to check.
    Succeed,
}

impl Recreate {
    /// A rollout with the given `recreateParams` (or `rollingParams`), not begun.
    #[must_use]
    pub fn new(params: Option<&Value>) -> Self {
        let mid = params.and_then(|params| params.get("mid")).is_some_and(Value::is_object);
        Self {
            timeout: seconds(params, "timeoutSeconds", 600),
            mid,
            step: Step::Begin,
            first: false,
            until: None,
        }
    }

    /// The next actions. See [`super::Strategy::next`].
    pub fn next(&mut self, observed: &Observed) -> Vec<Action> {
        let mut actions = Vec::new();
        while !self.turn(observed, &mut actions) {}
        actions
    }

    /// Takes one step; true when nothing more can be done now.
    fn turn(&mut self, observed: &Observed, actions: &mut Vec<Action>) -> bool {
        let now = observed.now;
        match self.step {
            Step::Begin => {
                let Some(from) = &observed.from else {
                    self.first = true;
                    self.step = Step::Mid;
                    return false;
                };
                actions.push(Action::Print(format!("--> Scaling {} down to zero", from.name)));
                actions.push(Action::Scale(Side::From, 0));
                let (check_at, give_up_at) = (now + POLL, now + self.timeout);
                self.step = Step::AwaitZero { check_at, give_up_at };
                wake(check_at, actions)
            }
            Step::AwaitZero { check_at, .. }
            | Step::AwaitGone { check_at, .. }
            | Step::AwaitScale { check_at, .. }
                if now < check_at =>
            {
                wake(check_at, actions)
            }
            Step::AwaitZero { give_up_at, .. } => self.await_zero(observed, give_up_at, actions),
            Step::AwaitGone { give_up_at, .. } => self.await_gone(observed, give_up_at, actions),
            Step::Mid if self.until == Some(Until::Percent(0)) => {
                self.reached("Reached 0% (no running pods)".to_owned(), actions)
            }
            Step::Mid if self.mid => {
                self.step = Step::AwaitMid;
                actions.push(Action::RunHook(Moment::Mid));
                true
            }
            Step::Mid => self.after_mid(actions),
            Step::AwaitMid => self.await_mid(observed, actions),
            Step::ScaleUp => self.scale_up(observed, actions),
            Step::AwaitScale { replicas, then, give_up_at, .. } => {
                self.await_scale(observed, replicas, then, give_up_at, actions)
            }
            Step::Accept { then, give_up_at } => self.accept(observed, then, give_up_at, actions),
            Step::ScaleToDesired if observed.to.replicas == observed.desired => {
                self.succeed(actions)
            }
            Step::ScaleToDesired => self.scale_to_desired(observed, Then::Succeed, actions),
            Step::Over => true,
        }
    }

    fn await_zero(
        &mut self,
        observed: &Observed,
        give_up_at: Time,
        actions: &mut Vec<Action>,
    ) -> bool {
        let now = observed.now;
        let Some(from) = &observed.from else {
            self.step = Step::Mid;
            return false;
        };
        if from.created == 0 {
            let (check_at, give_up_at) = (now, now + self.timeout);
            self.step = Step::AwaitGone { check_at, give_up_at };
        } else if now >= give_up_at {
            let text =
                format!("couldn't scale {} to 0: timed out waiting for the condition", from.name);
            return self.fail(text, actions);
        } else {
            self.step = Step::AwaitZero { check_at: now + POLL, give_up_at };
        }
        false
    }

    fn await_gone(
        &mut self,
        observed: &Observed,
        give_up_at: Time,
        actions: &mut Vec<Action>,
    ) -> bool {
        let now = observed.now;
        if observed.old_pods == 0 {
            self.step = Step::Mid;
        } else if now >= give_up_at {
            let text = "--> Failed to wait for old pods to be terminated: timed out waiting for the \
                        condition\nNew pods may be scaled up before old pods get terminated!";
            actions.push(Action::Print(text.to_owned()));
            self.step = Step::Mid;
        } else {
            self.step = Step::AwaitGone { check_at: now + POLL, give_up_at };
        }
        false
    }

    fn await_mid(&mut self, observed: &Observed, actions: &mut Vec<Action>) -> bool {
        match hook_outcome(Moment::Mid, observed) {
            Some(Ok(())) => self.after_mid(actions),
            Some(Err(text)) => self.fail(text, actions),
            None => true,
        }
    }

    fn after_mid(&mut self, actions: &mut Vec<Action>) -> bool {
        if self.until == Some(Until::Mid) {
            return self.reached("mid hook succeeded".to_owned(), actions);
        }
        self.step = Step::ScaleUp;
        false
    }

    fn reached(&mut self, text: String, actions: &mut Vec<Action>) -> bool {
        self.step = Step::Over;
        actions.push(Action::Reached(text));
        true
    }

    fn scale_up(&mut self, observed: &Observed, actions: &mut Vec<Action>) -> bool {
        let to = &observed.to.name;
        if observed.desired == 0 {
            return self.succeed(actions);
        }
        if observed.from.is_none() {
            if observed.to.replicas == observed.desired {
                self.begin_accept(Then::AcceptAll, observed.now);
                return false;
            }
            return self.scale_to_desired(observed, Then::AcceptAll, actions);
        }
        let text = format!("--> Scaling {to} to 1 before performing acceptance check");
        actions.push(Action::Print(text));
        self.scale(observed, 1, Then::AcceptFirst, actions)
    }

    fn scale_to_desired(
        &mut self,
        observed: &Observed,
        then: Then,
        actions: &mut Vec<Action>,
    ) -> bool {
        let text = format!("--> Scaling {} to {}", observed.to.name, observed.desired);
        actions.push(Action::Print(text));
        self.scale(observed, observed.desired, then, actions)
    }

    fn scale(
        &mut self,
        observed: &Observed,
        replicas: i64,
        then: Then,
        actions: &mut Vec<Action>,
    ) -> bool {
        let (check_at, give_up_at) = (observed.now + POLL, observed.now + self.timeout);
        actions.push(Action::Scale(Side::To, replicas));
        self.step = Step::AwaitScale { replicas, then, check_at, give_up_at };
        wake(check_at, actions)
    }

    fn await_scale(
        &mut self,
        observed: &Observed,
        replicas: i64,
        then: Then,
        give_up_at: Time,
        actions: &mut Vec<Action>,
    ) -> bool {
        let now = observed.now;
        if observed.to.is_synced_at(replicas) {
            match then {
                Then::Succeed => return self.succeed(actions),
                Then::AcceptFirst | Then::AcceptAll => self.begin_accept(then, now),
            }
        } else if now >= give_up_at {
            let text = format!(
                "couldn't scale {} to {replicas}: timed out waiting for the condition",
                observed.to.name
            );
            return self.fail(text, actions);
        } else {
            let check_at = now + POLL;
            self.step = Step::AwaitScale { replicas, then, check_at, give_up_at };
        }
        false
    }

    fn begin_accept(&mut self, then: Then, now: Time) {
        self.step = Step::Accept { then, give_up_at: now + self.timeout };
    }

    fn accept(
        &mut self,
        observed: &Observed,
        then: Then,
        give_up_at: Time,
        actions: &mut Vec<Action>,
    ) -> bool {
        let to = &observed.to;
        if to.available == to.replicas {
            if then == Then::AcceptAll {
                return self.succeed(actions);
            }
            if let Some(Until::Percent(wanted @ 1..=99)) = self.until {
                return self.reached(format!("Reached {wanted}%"), actions);
            }
            self.step = Step::ScaleToDesired;
            return false;
        }
        if observed.now >= give_up_at {
            let (name, seconds) = (&to.name, self.timeout.as_secs());
            let rc = format!("{}/{name}", observed.namespace);
            let text = format!(
                "update acceptor rejected {name}: pods for rc '{rc}' took longer than {seconds} \
                 seconds to become available"
            );
            return self.fail(text, actions);
        }
        wake(give_up_at, actions)
    }

    fn succeed(&mut self, actions: &mut Vec<Action>) -> bool {
        if let Some(Until::Percent(wanted)) = self.until
            && (wanted == 100 || (self.first && wanted > 0))
        {
            return self.reached(format!("Reached {wanted}%"), actions);
        }
        self.step = Step::Over;
        actions.push(Action::Succeed);
        true
    }

    fn fail(&mut self, text: String, actions: &mut Vec<Action>) -> bool {
        self.step = Step::Over;
        actions.push(Action::Fail(text));
        true
    }
}

fn wake(at: Time, actions: &mut Vec<Action>) -> bool {
    actions.push(Action::Wake(at));
    true
}

#[cfg(test)]
mod tests;
