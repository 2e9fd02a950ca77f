//! Rolling: scale the new rollout up and the old one down in turns, within the bounds.
//!
//! One turn: scale up as far as surge allows and wait until those pods exist; sleep the update
//! period; scale down as far as availability allows and wait again. It is over when the new rollout
//! has all replicas and the old one none.
//!
//! Worked example: 2 replicas, 25 %/25 %: surge 1, unavailable 0. New 1, wait until it is available,
//! old 1, new 2, wait, old 0.
//!
//! Invariant: `old + new` never exceeds `desired + surge`, and the old rollout only shrinks while at
//! least `desired - unavailable` pods stay, counting every old pod as available.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/kubectl/rolling_updater.go`, `openshift/origin
//! pkg/apps/strategy/rolling`.

use std::time::Duration;

use apimachinery::Value;
use world::Time;

use super::{Action, Controller, Observed, POLL, Side, Until, resolve_fenceposts, seconds};

/// A rolling update under way.
#[derive(Debug)]
pub struct Rolling {
    params: Option<Value>,
    update_period: Duration,
    interval: Duration,
    timeout: Duration,
    step: Step,
    /// The end of the last turn that changed something.
    last_progress: Time,
    changed_in_turn: bool,
    /// New pods at the beginning.
    begun_with: i64,
    /// How far to go.
    pub(super) until: Option<Until>,
}

/// Where in its turn the update stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin,
    ScaleUp,
    Await { side: Side, replicas: i64, check_at: Time, give_up_at: Time },
    Sleep { until: Time },
    ScaleDown,
    Finish { check_at: Time, give_up_at: Time },
    Over,
}

impl Rolling {
    /// An update with the given `rollingParams`, not begun.
    #[must_use]
    pub fn new(params: Option<&Value>) -> Self {
        Self {
            params: params.cloned(),
            update_period: seconds(params, "updatePeriodSeconds", 1).max(POLL),
            interval: seconds(params, "intervalSeconds", 1).max(POLL),
            timeout: seconds(params, "timeoutSeconds", 600),
            step: Step::Begin,
            last_progress: Time::default(),
            changed_in_turn: false,
            begun_with: 0,
            until: None,
        }
    }

    /// The next actions. See [`super::Strategy::next`].
    pub fn next(&mut self, observed: &Observed) -> Vec<Action> {
        let Some(from) = &observed.from else {
            return vec![Action::Fail("a rolling update needs a predecessor".to_owned())];
        };
        let mut actions = Vec::new();
        while !self.turn(observed, from, &mut actions) {}
        actions
    }

    /// Takes one step; true when nothing more can be done now.
    fn turn(&mut self, observed: &Observed, from: &Controller, actions: &mut Vec<Action>) -> bool {
        let now = observed.now;
        match self.step {
            Step::Begin => {
                self.last_progress = now;
                self.begun_with = observed.to.replicas;
                actions.push(Action::BeginUpdate);
                actions.push(Action::Print(self.plan_line(observed, from)));
                self.step = Step::ScaleUp;
                false
            }
            Step::ScaleUp => self.scale_up(observed, from, actions),
            Step::Await { side, replicas, check_at, give_up_at } => {
                let controller = if side == Side::To { &observed.to } else { from };
                if now < check_at {
                    actions.push(Action::Wake(check_at));
                    return true;
                }
                if controller.is_synced_at(replicas) {
                    self.after_scale(side, now);
                    return self.reached(observed, actions);
                }
                if now >= give_up_at {
                    let text = format!("timed out waiting for {:?} to be synced", controller.name);
                    return self.fail(text, actions);
                }
                let check_at = now + self.interval;
                self.step = Step::Await { side, replicas, check_at, give_up_at };
                false
            }
            Step::Sleep { until } if now < until => {
                actions.push(Action::Wake(until));
                true
            }
            Step::Sleep { .. } => {
                self.step = Step::ScaleDown;
                false
            }
            Step::ScaleDown => self.scale_down(observed, from, actions),
            Step::Finish { check_at, .. } if now < check_at => {
                actions.push(Action::Wake(check_at));
                true
            }
            Step::Finish { give_up_at, .. } => {
                if observed.to.is_synced_at(observed.to.replicas) || now >= give_up_at {
                    self.step = Step::Over;
                    actions.push(Action::Succeed);
                    return true;
                }
                self.step = Step::Finish { check_at: now + POLL, give_up_at };
                false
            }
            Step::Over => true,
        }
    }

    fn scale_up(
        &mut self,
        observed: &Observed,
        from: &Controller,
        actions: &mut Vec<Action>,
    ) -> bool {
        let (desired, new, old) = (observed.desired, observed.to.replicas, from.replicas);
        if new == desired && old == 0 {
            actions.push(Action::EndUpdate);
            let now = observed.now;
            self.step = Step::Finish { check_at: now + POLL, give_up_at: now + self.timeout };
            return false;
        }
        self.changed_in_turn = false;
        let (surge, _) = self.bounds(observed, from);
        let increment = if old == 0 { desired - new } else { desired + surge - (old + new) };
        if new < desired && increment > 0 {
            let target = desired.min(new + increment);
            return self.scale(observed, Side::To, target, actions);
        }
        if new > desired {
            return self.scale(observed, Side::To, desired, actions);
        }
        self.step = Step::Sleep { until: observed.now + self.update_period };
        false
    }

    fn scale_down(
        &mut self,
        observed: &Observed,
        from: &Controller,
        actions: &mut Vec<Action>,
    ) -> bool {
        let (desired, new, old) = (observed.desired, observed.to.replicas, from.replicas);
        let (_, unavailable) = self.bounds(observed, from);
        let min_available = (desired - unavailable).max(0);
        let new_available = observed.to.available;
        let decrement = (old + new) - min_available - (new - new_available);
        let mut target = if decrement > 0 { (old - decrement).max(0) } else { old };
        if new == desired && new_available == desired {
            target = 0;
        }
        if target < old {
            return self.scale(observed, Side::From, target, actions);
        }
        if self.changed_in_turn {
            self.last_progress = observed.now;
        } else if observed.now.since(self.last_progress) >= self.timeout {
            let text = "timed out waiting for any update progress to be made".to_owned();
            return self.fail(text, actions);
        }
        self.step = Step::ScaleUp;
        false
    }

    fn scale(
        &mut self,
        observed: &Observed,
        side: Side,
        replicas: i64,
        actions: &mut Vec<Action>,
    ) -> bool {
        let now = observed.now;
        let from = observed.from.as_ref().map_or("", |from| from.name.as_str());
        let text = match side {
            Side::To => format!("    Scaling {} up to {replicas}", observed.to.name),
            Side::From => format!("    Scaling {from} down to {replicas}"),
        };
        self.changed_in_turn = true;
        let check_at = now + self.interval;
        let give_up_at = now + self.timeout;
        self.step = Step::Await { side, replicas, check_at, give_up_at };
        actions.extend([
            Action::Print(text),
            Action::Scale(side, replicas),
            Action::Wake(check_at),
        ]);
        true
    }

    /// Whether as many pods are new as the deployer is to go for. Looked at after every half of a turn.
    ///
    /// Mirrors: `openshift/origin pkg/apps/strategy/rolling/rolling.go` (`rollingUpdater`'s `OnProgress`).
    fn reached(&mut self, observed: &Observed, actions: &mut Vec<Action>) -> bool {
        let Some(Until::Percent(wanted)) = self.until else { return false };
        let (desired, new) = (observed.desired, observed.to.replicas);
        let goal = desired - self.begun_with;
        let percent = if goal > 0 { (goal - (desired - new).abs()) * 100 / goal } else { 100 };
        if percent < wanted {
            return false;
        }
        self.step = Step::Over;
        let text = format!("Reached {wanted}% (currently {percent}%)");
        actions.push(Action::Reached(text));
        true
    }

    fn after_scale(&mut self, side: Side, now: Time) {
        self.step = match side {
            Side::To => Step::Sleep { until: now + self.update_period },
            Side::From => {
                self.last_progress = now;
                Step::ScaleUp
            }
        };
    }

    fn fail(&mut self, text: String, actions: &mut Vec<Action>) -> bool {
        self.step = Step::Over;
        actions.push(Action::Fail(text));
        true
    }

    /// Surge and unavailability; with nothing desired every old pod may go.
    fn bounds(&self, observed: &Observed, from: &Controller) -> (i64, i64) {
        let (surge, unavailable) = resolve_fenceposts(self.params.as_ref(), observed.desired);
        let unavailable = if observed.desired == 0 { from.replicas } else { unavailable };
        (surge, unavailable)
    }

    fn plan_line(&self, observed: &Observed, from: &Controller) -> String {
        let (surge, unavailable) = self.bounds(observed, from);
        let (to, desired) = (&observed.to, observed.desired);
        format!(
            "--> Scaling up {} from {} to {desired}, scaling down {} from {} to 0 (keep {} pods \
             available, don't exceed {} pods)",
            to.name,
            to.replicas,
            from.name,
            from.replicas,
            (desired - unavailable).max(0),
            desired + surge,
        )
    }
}

#[cfg(test)]
mod tests;
