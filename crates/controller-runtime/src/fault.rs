//! Death in the middle of work: for simulations of components that are killed.
//!
//! A component that is killed writes nothing from then on and loses what it knows. [`Faults`] is an
//! admission rule that counts the writes of components and refuses the chosen one and all that
//! follow it in the same call; the driver notices, forgets the call's outcome and tells by
//! [`crate::Driver::take_killed`] whom to start anew.
//!
//! Invariant: writes of anyone but the driver's controllers are let through and not counted.

use std::sync::Arc;

use apimachinery::Status;
use apiserver::{Admission, AdmissionRequest};
use parking_lot::Mutex;

/// A handle; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether a controller is at work.
    inside: bool,
    /// Writes that are still let through; `None` lets all through.
    left: Option<u64>,
    dead: bool,
}

impl Faults {
    /// Kills the component that tries the write after `writes` more.
    pub fn arm(&self, writes: u64) {
        self.0.lock().left = Some(writes);
    }

    /// Kills nobody any more.
    pub fn disarm(&self) {
        self.0.lock().left = None;
    }

    /// A controller's call begins.
    pub(crate) fn enter(&self) {
        self.0.lock().inside = true;
    }

    /// A controller's call is over; gives whether it was killed.
    pub(crate) fn leave(&self) -> bool {
        let mut state = self.0.lock();
        state.inside = false;
        std::mem::take(&mut state.dead)
    }
}

impl Admission for Faults {
    fn admit(&self, _: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let mut state = self.0.lock();
        if state.inside {
            match state.left {
                _ if state.dead => {}
                Some(0) => (state.left, state.dead) = (None, true),
                Some(left) => state.left = Some(left - 1),
                None => {}
            }
        }
        if state.dead { Err(Status::internal("the component was killed")) } else { Ok(()) }
    }
}
