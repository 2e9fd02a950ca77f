//! Carries a rehearsal out, step by step, against a cluster.
//!
//! Invariant: the first step that fails ends the run; the report is complete up to there.
//! Invariant: the runner acts through the API only, as any client could.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::views::deployment_config::serves;
use apiserver::{ApiServer, Client};
use cluster::pages::Pages;
use cluster::{Cluster, run_together};
use world::Time;

use crate::images::ImageSource;
use crate::load::Plan;
use crate::observe::{Observer, Violation};
use crate::parity::{StageFacts, Verdict, verdict};
use crate::report::{Report, StepReport};
use crate::step;
use crate::timeline::Entry;

/// Hears what happens while it happens.
pub trait Progress {
    /// A step begins; `index` counts from 0.
    fn step_started(&mut self, index: usize, total: usize, title: &str);
    /// Something happened during the step.
    fn happened(&mut self, entry: &Entry);
    /// The step is over.
    fn step_finished(&mut self, index: usize, total: usize, report: &StepReport);
    /// A person is asked; gives the answer.
    fn approve(&mut self, message: &str) -> bool;
}

/// What a run needs.
#[expect(missing_debug_implementations, reason = "borrows trait objects of its caller")]
pub struct Run<'a> {
    /// The rehearsal.
    pub plan: &'a Plan,
    /// The clusters, fresh, as many as the rehearsal names; simulated ones share one world.
    pub clusters: &'a mut [Cluster],
    /// Where published images come from.
    pub images: &'a mut dyn ImageSource,
    /// `sim` or `docker`, for the report.
    pub runtime: &'a str,
    /// Listens.
    pub progress: &'a mut dyn Progress,
    /// Set from outside to end the run.
    pub interrupted: Arc<AtomicBool>,
}

/// Why a step did not hold.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API refused.
    #[error("{0}")]
    Refused(#[from] apimachinery::Status),
    /// A manifest was refused, at this place.
    #[error("{diagnostic}")]
    Manifest {
        /// Where.
        diagnostic: Box<crate::Diagnostic>,
        /// The reason of the API's status.
        reason: String,
    },
    /// The step did not come to what the rehearsal expects of it.
    #[error("{0}")]
    Expectation(Box<crate::Diagnostic>),
    /// What was waited for did not happen.
    #[error("{0}")]
    NotHeld(String),
    /// An image could not be made, pulled or pushed.
    #[error("cannot move {reference}: {reason}")]
    Image {
        /// The image.
        reference: String,
        /// Why.
        reason: String,
    },
    /// The history needed for watching was gone.
    #[error("cannot follow the cluster")]
    Store(#[from] store::Error),
    /// Someone ended the run.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// The reason that the API gave, when it was the API that refused.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(status) => Some(status.reason.as_str()),
            Self::Manifest { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

/// The clusters as steps see them.
pub(crate) struct Stage<'a, 'b> {
    pub(crate) run: &'a mut Run<'b>,
    /// One a cluster.
    pub(crate) observers: Vec<Observer>,
    /// What the integration environment has: digests by the names they were pulled or pushed by.
    pub(crate) local: BTreeMap<String, String>,
    entries: Vec<Entry>,
    start: Time,
}

impl Stage<'_, '_> {
    pub(crate) fn client(&self, cluster: usize) -> Client {
        self.run.clusters[cluster].client().clone()
    }

    pub(crate) fn pages(&self, cluster: usize) -> Pages {
        self.run.clusters[cluster].pages().clone()
    }

    pub(crate) fn now(&self) -> Time {
        self.run.clusters.first().map_or(self.start, |cluster| cluster.world().now())
    }

    /// Lets the clusters run until `holds` (asked again after every write, with a client of
    /// `cluster`) or for `patience`.
    ///
    /// # Errors
    /// When the run is interrupted or history was lost.
    pub(crate) fn run_until(
        &mut self,
        cluster: usize,
        patience: Duration,
        holds: &mut dyn FnMut(&Client) -> bool,
    ) -> Result<bool, Error> {
        let deadline = self.now() + patience;
        let client = self.client(cluster);
        let servers: Vec<ApiServer> =
            self.run.clusters.iter().map(|cluster| cluster.server().clone()).collect();
        let interrupted = Arc::clone(&self.run.interrupted);
        let (observers, entries) = (&mut self.observers, &mut self.entries);
        let progress = &mut *self.run.progress;
        let mut seen = Vec::new();
        let mut outcome = Ok(false);
        let reached = run_together(self.run.clusters, deadline, &mut || {
            if interrupted.load(Ordering::Relaxed) {
                outcome = Err(Error::Interrupted);
                return true;
            }
            let changed = servers.len() != seen.len()
                || servers
                    .iter()
                    .zip(&seen)
                    .any(|(server, seen)| server.store().revision() != *seen);
            if !changed {
                return false;
            }
            seen.clear();
            seen.extend(servers.iter().map(|server| server.store().revision()));
            if let Err(error) = take_in(observers, entries, progress) {
                outcome = Err(error.into());
                return true;
            }
            holds(&client)
        });
        outcome.map(|_| reached)
    }

    /// Lets everything happen that is ready to happen now.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        self.run_until(0, Duration::ZERO, &mut |_| false).map(|_| ())
    }

    fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.observers.iter().flat_map(|observer| &observer.violations)
    }
}

/// Takes in what was written in all clusters, and tells of it.
fn take_in(
    observers: &mut [Observer],
    entries: &mut Vec<Entry>,
    progress: &mut dyn Progress,
) -> Result<(), store::Error> {
    for observer in observers {
        observer.catch_up()?;
        for entry in observer.entries.drain(..) {
            progress.happened(&entry);
            entries.push(entry);
        }
    }
    Ok(())
}

/// Carries the rehearsal out.
///
/// # Errors
/// When a cluster cannot be followed at all; a step that fails is in the report.
pub fn run(mut run: Run<'_>) -> Result<Report, store::Error> {
    let plan = run.plan;
    let names = plan.spec.cluster_names();
    let observers = run.clusters.iter().zip(names).map(|(cluster, name)| {
        Observer::new(cluster.world(), cluster.server()).map(|observer| observer.named(name))
    });
    let observers = observers.collect::<Result<Vec<_>, _>>()?;
    let start = observers.first().map_or(world::SIMULATION_EPOCH, Observer::start);
    let (local, entries) = (BTreeMap::new(), Vec::new());
    let mut stage = Stage { run: &mut run, observers, local, entries, start };
    let steps = run_steps(plan, &mut stage);
    let Stage { mut observers, mut entries, run, .. } = stage;
    take_in(&mut observers, &mut entries, run.progress)?;
    let violations: Vec<Violation> =
        observers.iter_mut().flat_map(|observer| observer.violations.drain(..)).collect();
    let stages = observe_stages(plan, run);
    let held = steps.len() == plan.spec.steps.len() && steps.iter().all(|s| s.error.is_none());
    let parity = plan.spec.parity.as_ref().filter(|_| held).map(|_| verdict(&stages));
    let same = parity.as_ref().is_none_or(|verdict| matches!(verdict, Verdict::Parity { .. }));
    Ok(Report {
        rehearsal: plan.spec.name.clone(),
        runtime: run.runtime.to_owned(),
        seed: run.clusters.first().and_then(|cluster| cluster.world().seed()),
        passed: held && same && violations.is_empty(),
        steps,
        timeline: entries,
        rollouts: observers.iter().flat_map(|one| one.rollouts.rollouts().cloned()).collect(),
        violations,
        stages,
        parity,
    })
}

fn run_steps(plan: &Plan, stage: &mut Stage<'_, '_>) -> Vec<StepReport> {
    let total = plan.spec.steps.len();
    let start = stage.start;
    let mut reports = Vec::new();
    for (index, step) in plan.spec.steps.iter().enumerate() {
        let title = step::title(step);
        stage.run.progress.step_started(index, total, &title);
        let began = stage.now();
        let place = format!("steps[{index}]");
        let outcome = step::run(step, &place, plan, stage).and_then(|()| stage.settle());
        let broken = stage.violations().next().map(|violation| {
            Error::NotHeld(format!(
                "{} had {} ready pods at {} s, at least {} are promised",
                violation.deployment_config, violation.ready, violation.at, violation.at_least
            ))
        });
        let error = outcome.err().or(broken).map(|error| describe(&error));
        let report = StepReport {
            title,
            at: format!("{:.3}", began.since(start).as_secs_f64()),
            took: format!("{:.3}", stage.now().since(began).as_secs_f64()),
            error,
        };
        stage.run.progress.step_finished(index, total, &report);
        let failed = report.error.is_some();
        reports.push(report);
        if failed {
            break;
        }
    }
    reports
}

/// The error and what caused it, on one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn observe_stages(plan: &Plan, run: &Run<'_>) -> Vec<StageFacts> {
    let Some(parity) = &plan.spec.parity else { return Vec::new() };
    let facts = plan.order.iter().map(|number| {
        let stage = &plan.spec.stages[*number];
        let (name, project) = (stage.name(), &stage.project);
        let nothing =
            || StageFacts { stage: name.clone(), digests: BTreeMap::new(), ready: 0, replicas: 0 };
        let Ok(cluster) = plan.spec.cluster_of(&stage.cluster, project) else { return nothing() };
        let client = run.clusters[cluster].client();
        let dc = client.get(&api::DEPLOYMENT_CONFIGS, project, &parity.deployment_config);
        let pods = client.list(&api::PODS, project).unwrap_or_default();
        match dc {
            Ok(dc) => StageFacts::observe(&name, &dc, pods.iter().map(|pod| &**pod)),
            Err(_) => nothing(),
        }
    });
    facts.collect()
}

/// Number of ready, not terminating pods of a `DeploymentConfig`.
pub(crate) fn ready_pods(client: &Client, project: &str, dc: &str) -> u64 {
    let pods = client.list(&api::PODS, project).unwrap_or_default();
    let ready = pods.iter().filter(|pod| serves(pod, dc));
    ready.count() as u64
}
