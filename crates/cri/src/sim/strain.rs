//! An engine under strain: slow to do what it is asked, slow to say that it is done, failing now and
//! then.
//!
//! Starts are never refused, as that counts as the end of a container; probes are answered in time, as
//! a late answer counts as none.
//!
//! Invariant: what happens depends on the dice alone.

use std::time::Duration;

use world::World;

use crate::runtime::{Command, Error};

/// How an engine behaves while it is under strain.
#[derive(Debug, Clone)]
pub struct Strain {
    dice: World,
    longest: Duration,
}

/// What becomes of a command.
#[derive(Debug)]
pub(super) enum Fate {
    /// Done and answered as ever.
    Well,
    /// Done later than that.
    Late(Duration),
    /// Done at once and answered later.
    AnsweredLate(Duration),
    /// Not done, and answered with an error that goes away.
    Refused(Duration, Error),
    /// Done, and answered with an error all the same.
    DoneAndRefused(Duration, Error),
}

impl Strain {
    /// Delays of up to `longest`, which `dice` deal out.
    #[must_use]
    pub fn new(dice: World, longest: Duration) -> Self {
        Self { dice, longest }
    }

    fn delay(&self) -> Duration {
        let most = u64::try_from(self.longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.dice.random_below(most.max(1)))
    }

    pub(super) fn fate_of(&self, command: &Command) -> Fate {
        let starts = match command {
            Command::HttpGet { .. } | Command::TcpConnect { .. } | Command::ExecSync { .. } => {
                return Fate::Well;
            }
            Command::StartContainer { .. } => true,
            _ => false,
        };
        match self.dice.random_below(8) {
            0..3 => Fate::Late(self.delay()),
            // A container must not end before its start is answered.
            3 | 4 if !starts => Fate::AnsweredLate(self.delay()),
            5 if !starts => Fate::Refused(self.delay(), too_late()),
            6 if matches!(command, Command::RunPodSandbox { .. }) => {
                Fate::DoneAndRefused(self.delay(), too_late())
            }
            _ => Fate::Well,
        }
    }
}

fn too_late() -> Error {
    Error::Engine("Error response from daemon: context deadline exceeded".to_owned())
}
