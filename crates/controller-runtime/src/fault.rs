//! Death in the middle of work: for simulations of components that are killed.
//!
//! A component that is killed writes nothing from then on and loses what it knows. [`Faults`] is an
//! admission rule that counts the writes of components and refuses the chosen one, or lets it through
//! as the last without an answer, and refuses all that follow it in the same call; the driver notices,
//! forgets the call's outcome and tells by [`crate::Driver::take_killed`] whom to start anew.
//!
//! Less than death is a lost race: [`Faults::refuse`] answers a change of an object with a conflict,
//! once. So is a request that times out, done ([`Faults::unanswer`]) or not ([`Faults::lose`]).
//!
//! An old instance that goes on beside its successor ([`crate::Driver::usurp`]) has a few writes left.
//!
//! Invariant: writes of anyone but the driver's controllers are let through and not counted.

use std::sync::Arc;

use apimachinery::{ObjectExt as _, Status};
use apiserver::{Admission, AdmissionRequest, ApiServer, Operation};
use parking_lot::Mutex;

/// A handle; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The controller that is at work.
    inside: Option<usize>,
    /// What happens, and at which write.
    next: Option<(Fault, u64)>,
    /// How many writes the controller at work still makes, when it has a successor already.
    left: Option<u64>,
    dead: bool,
}

#[derive(Debug)]
enum Fault {
    /// Death at a write of anyone's, which does not happen.
    Before,
    /// Death after a write of this one's, or of anyone's, before its answer.
    After(Option<usize>),
    /// A change of anyone's is answered with a conflict, and does not happen.
    Conflict,
    /// A write of anyone's does not happen, and times out.
    Lost,
    /// A write of anyone's happens, and times out.
    Unanswered,
}

impl Fault {
    /// Whether it strikes when the write is done.
    fn is_late(&self) -> bool {
        matches!(self, Self::After(_) | Self::Unanswered)
    }

    /// Whether it may strike a write of controller number `index`.
    fn concerns(&self, index: usize) -> bool {
        !matches!(self, Self::After(Some(component)) if *component != index)
    }
}

impl State {
    /// Counts a write before (or `late`: after) it is done; gives what strikes it.
    fn count(&mut self, inside: usize, late: bool) -> Option<Fault> {
        let due = |fault: &Fault| fault.is_late() == late && fault.concerns(inside);
        match &mut self.next {
            Some((fault, left)) if due(fault) && *left > 0 => {
                *left -= 1;
                None
            }
            Some((fault, _)) if due(fault) => self.next.take().map(|(fault, _)| fault),
            _ => None,
        }
    }
}

fn killed() -> Status {
    Status::internal("the component was killed")
}

fn timed_out() -> Status {
    Status::internal("etcdserver: request timed out")
}

impl Faults {
    fn set(&self, fault: Fault, writes: u64) {
        self.0.lock().next = Some((fault, writes));
    }

    /// Kills the component that tries the write after `writes` more.
    pub fn arm(&self, writes: u64) {
        self.set(Fault::Before, writes);
    }

    /// Kills component number `component` when it has written `writes` times more, once at least.
    pub fn arm_after(&self, component: usize, writes: u64) {
        self.set(Fault::After(Some(component)), writes.saturating_sub(1));
    }

    /// Kills the component that makes the write after `writes` more, before it hears of the outcome.
    pub fn arm_answer(&self, writes: u64) {
        self.set(Fault::After(None), writes);
    }

    /// Answers the change of an object after `changes` more with a conflict, as if somebody else had
    /// changed it a moment before.
    pub fn refuse(&self, changes: u64) {
        self.set(Fault::Conflict, changes);
    }

    /// Loses the write after `writes` more: it is not done, and answered as timed out.
    pub fn lose(&self, writes: u64) {
        self.set(Fault::Lost, writes);
    }

    /// Answers the write after `writes` more as timed out although it is done.
    pub fn unanswer(&self, writes: u64) {
        self.set(Fault::Unanswered, writes);
    }

    /// Does nothing any more; gives whether there was still something to do.
    pub fn disarm(&self) -> bool {
        self.0.lock().next.take().is_some()
    }

    /// Whether the component at work was killed; it must do nothing any more.
    #[must_use]
    pub fn has_killed(&self) -> bool {
        self.0.lock().dead
    }

    /// A call of controller number `index` begins.
    pub(crate) fn enter(&self, index: usize) {
        self.0.lock().inside = Some(index);
    }

    /// A call of controller number `index` begins, which has a successor and `writes` writes left.
    pub(crate) fn enter_last(&self, index: usize, writes: u64) {
        let mut state = self.0.lock();
        state.inside = Some(index);
        state.left = Some(writes);
    }

    /// A controller's call is over; gives whether it was killed.
    pub(crate) fn leave(&self) -> bool {
        let mut state = self.0.lock();
        state.inside = None;
        state.left = None;
        std::mem::take(&mut state.dead)
    }
}

impl Admission for Faults {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let mut state = self.0.lock();
        let Some(inside) = state.inside else { return Ok(()) };
        if state.dead || state.left == Some(0) {
            return Err(killed());
        }
        if state.left.is_some() {
            return Ok(());
        }
        let change = request.operation == Operation::Update;
        if !change && matches!(state.next, Some((Fault::Conflict, _))) {
            return Ok(());
        }
        match state.count(inside, false) {
            Some(Fault::Conflict) => {
                let (group, resource) = (request.call.resource.group, request.call.resource.plural);
                Err(Status::modified(group, resource, request.object.name()))
            }
            Some(Fault::Lost) => Err(timed_out()),
            Some(Fault::Before) => {
                state.dead = true;
                Err(killed())
            }
            _ => Ok(()),
        }
    }

    fn sees_events(&self, _: &ApiServer, _: &str) -> bool {
        true
    }

    fn answer(&self) -> Result<(), Status> {
        let mut state = self.0.lock();
        let Some(inside) = state.inside else { return Ok(()) };
        if let Some(left) = &mut state.left {
            *left = left.saturating_sub(1);
            return Ok(());
        }
        match state.count(inside, true) {
            Some(Fault::After(_)) => {
                state.dead = true;
                Err(killed())
            }
            Some(Fault::Unanswered) => Err(timed_out()),
            _ => Ok(()),
        }
    }
}
