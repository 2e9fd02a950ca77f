//! Death in the middle of work: for simulations of components that are killed.
//!
//! A component that is killed writes nothing from then on and loses what it knows. [`Faults`] is an
//! admission rule that counts the writes of components and refuses the chosen one, or lets it through
//! as the last, and refuses all that follow it in the same call; the driver notices, forgets the
//! call's outcome and tells by [`crate::Driver::take_killed`] whom to start anew.
//!
//! Less than death is a lost race: [`Faults::refuse`] answers a change of an object with a conflict,
//! once.
//!
//! Invariant: writes of anyone but the driver's controllers are let through and not counted.

use std::sync::Arc;

use apimachinery::{ObjectExt as _, Status};
use apiserver::{Admission, AdmissionRequest, Operation};
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
    dead: bool,
}

#[derive(Debug)]
enum Fault {
    /// Death at a write of anyone's, which does not happen.
    Before,
    /// Death after a write of this one's.
    After(usize),
    /// A change of anyone's is answered with a conflict, and does not happen.
    Conflict,
}

impl Faults {
    /// Kills the component that tries the write after `writes` more.
    pub fn arm(&self, writes: u64) {
        self.0.lock().next = Some((Fault::Before, writes));
    }

    /// Kills component number `component` when it has written `writes` times more, once at least.
    pub fn arm_after(&self, component: usize, writes: u64) {
        self.0.lock().next = Some((Fault::After(component), writes.saturating_sub(1)));
    }

    /// Answers the change of an object after `changes` more with a conflict, as if somebody else had
    /// changed it a moment before.
    pub fn refuse(&self, changes: u64) {
        self.0.lock().next = Some((Fault::Conflict, changes));
    }

    /// Does nothing any more; gives whether there was still something to do.
    pub fn disarm(&self) -> bool {
        self.0.lock().next.take().is_some()
    }

    /// A call of controller number `index` begins.
    pub(crate) fn enter(&self, index: usize) {
        self.0.lock().inside = Some(index);
    }

    /// A controller's call is over; gives whether it was killed.
    pub(crate) fn leave(&self) -> bool {
        let mut state = self.0.lock();
        state.inside = None;
        std::mem::take(&mut state.dead)
    }
}

impl Admission for Faults {
    fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let mut state = self.0.lock();
        let Some(inside) = state.inside else { return Ok(()) };
        let killed = || Err(Status::internal("the component was killed"));
        if state.dead {
            return killed();
        }
        match &mut state.next {
            Some((Fault::After(component), _)) if *component != inside => return Ok(()),
            Some((Fault::Conflict, _)) if request.operation != Operation::Update => return Ok(()),
            Some((_, left)) if *left > 0 => {
                *left -= 1;
                return Ok(());
            }
            _ => {}
        }
        match state.next.take() {
            None => Ok(()),
            Some((Fault::Conflict, _)) => {
                let (group, resource) = (request.call.resource.group, request.call.resource.plural);
                Err(Status::modified(group, resource, request.object.name()))
            }
            Some((Fault::Before, _)) => {
                state.dead = true;
                killed()
            }
            Some((Fault::After(_), _)) => {
                state.dead = true;
                Ok(())
            }
        }
    }
}
