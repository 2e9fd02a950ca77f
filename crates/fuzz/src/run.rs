//! Trying inputs: in a loop, for a while, with what is found shrunk and printed.
//!
//! Inputs are tried on a thread with the stack that a request gets, so that recursion without bound
//! ends the process here as it would there.
//!
//! Invariant: a target is tried by one thread at a time; what it answers depends on the input alone.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use world::World;

use crate::mutate::Mutator;
use crate::target::Target;

/// No input may take longer; far more than any should, since the machine is shared.
const SLOW: Duration = Duration::from_secs(2);
/// The stack of the threads on which requests are answered.
const STACK: usize = 2 * 1024 * 1024;
/// What is kept besides the samples a target has.
const MAX_SAMPLES: usize = 2_000;
/// A target is left after so many.
const MAX_FINDINGS: usize = 5;
/// Attempts at shrinking a finding.
const SHRINKS: usize = 2_000;

/// What to try.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) time: Duration,
    pub(crate) trace: Option<PathBuf>,
}

/// How an input was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// As it should be; the text tells kinds of answers apart.
    Fine(String),
    /// What does not hold.
    Wrong(String),
}

/// Tries one target; gives the number of findings.
pub(crate) fn run(target: &'static Target, plan: &Plan) -> Result<usize> {
    let plan = plan.clone();
    let thread = std::thread::Builder::new().stack_size(STACK);
    let handle = thread.spawn(move || Session::new(target, &plan).run(plan.time))?;
    Ok(handle.join().expect("a session catches what its target panics with"))
}

/// Tries one input; says whether it is a finding.
pub(crate) fn once(target: &'static Target, input: &[u8]) -> bool {
    let plan = Plan { seed: 1, time: Duration::ZERO, trace: None };
    let (answer, took) = Session::new(target, &plan).answer(input);
    println!("{}: {answer:?} in {took:?}", target.name);
    matches!(answer, Answer::Wrong(_))
}

struct Session {
    target: &'static Target,
    host: World,
    mutator: Mutator,
    samples: Vec<Vec<u8>>,
    seen: BTreeSet<u64>,
    found: BTreeSet<String>,
    trace: Option<PathBuf>,
    seed: u64,
}

impl Session {
    fn new(target: &'static Target, plan: &Plan) -> Self {
        Self {
            target,
            host: World::real(),
            mutator: Mutator::new(plan.seed, target.words),
            samples: (target.samples)(),
            seen: BTreeSet::new(),
            found: BTreeSet::new(),
            trace: plan.trace.clone(),
            seed: plan.seed,
        }
    }

    fn run(mut self, time: Duration) -> usize {
        let start = self.host.now();
        let mut tried = 0_u64;
        for sample in self.samples.clone() {
            self.attempt(&sample);
        }
        while self.host.now() - start < time && self.found.len() < MAX_FINDINGS {
            // Looking at the clock is dear next to some parsers.
            for _ in 0..16 {
                let input = self.mutator.mutate(&self.samples, self.target.max);
                self.attempt(&input);
                tried += 1;
            }
        }
        let (samples, found) = (self.samples.len(), self.found.len());
        println!("{}: {tried} inputs, {samples} samples, {found} findings", self.target.name);
        found
    }

    fn attempt(&mut self, input: &[u8]) {
        if let Some(trace) = &self.trace {
            drop(std::fs::write(trace, input));
        }
        let (answer, took) = self.answer(input);
        match answer {
            Answer::Wrong(what) => self.report(input, &what),
            // Once more: something else on the machine may have been in the way.
            Answer::Fine(_) if took > SLOW && self.answer(input).1 > SLOW => {
                self.report(input, "slow");
            }
            Answer::Fine(kind) => {
                let mut hasher = DefaultHasher::new();
                kind.hash(&mut hasher);
                if self.seen.insert(hasher.finish()) && self.samples.len() < MAX_SAMPLES {
                    self.samples.push(input.to_vec());
                }
            }
        }
    }

    fn answer(&self, input: &[u8]) -> (Answer, Duration) {
        let start = self.host.now();
        let answer = caught(|| (self.target.attempt)(input));
        (answer, self.host.now() - start)
    }

    fn report(&mut self, input: &[u8], what: &str) {
        if !self.found.insert(what.lines().next().unwrap_or_default().to_owned()) {
            return;
        }
        let input = if what == "slow" { input.to_vec() } else { self.shrink(input, what) };
        let (name, seed) = (self.target.name, self.seed);
        println!("FINDING in {name} (seed {seed}): {what}");
        println!("  input: \"{}\"", input.escape_ascii());
    }

    /// A smaller input that is answered the same.
    fn shrink(&self, input: &[u8], what: &str) -> Vec<u8> {
        let wanted = Answer::Wrong(what.to_owned());
        let mut best = input.to_vec();
        let mut left = SHRINKS;
        let mut size = best.len().div_ceil(2);
        while size > 0 && left > 0 {
            let mut at = 0;
            while at < best.len() && left > 0 {
                let mut smaller = best.clone();
                smaller.drain(at..smaller.len().min(at + size));
                left -= 1;
                if self.answer(&smaller).0 == wanted {
                    best = smaller;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        best
    }
}

/// Runs `attempt`; a panic is an answer as well.
fn caught(attempt: impl FnOnce() -> Result<String, String>) -> Answer {
    let said = Arc::new(Mutex::new(String::new()));
    let place = Arc::clone(&said);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if let Ok(mut said) = place.lock() {
            *said = info.to_string();
        }
    }));
    let outcome = panic::catch_unwind(AssertUnwindSafe(attempt));
    panic::set_hook(before);
    match outcome {
        Ok(Ok(kind)) => Answer::Fine(kind),
        Ok(Err(what)) => Answer::Wrong(what),
        Err(_) => {
            let said = said.lock().map(|said| said.clone()).unwrap_or_default();
            Answer::Wrong(format!("panic: {}", said.replace('\n', " ")))
        }
    }
}
