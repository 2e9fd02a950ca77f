//! Carries a rehearsal out, step by step, against a cluster.
//!
//! Invariant: the first step that fails ends the run; the report is complete up to there.
//! Invariant: the runner acts through the API only, as any client could.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::views::deployment_config::serves;
use apiserver::Client;
use cluster::Cluster;
use world::Time;

use crate::load::Plan;
use crate::observe::Observer;
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

/// Where images come from when a rehearsal publishes one.
pub trait ImageSource {
    /// Makes the image `reference` of `plan` available to the cluster's runtime; gives its digest.
    ///
    /// # Errors
    /// A sentence on why there is no such image.
    fn publish(&mut self, plan: &Plan, reference: &str) -> Result<String, String>;
}

/// Images of a simulated cluster.
impl ImageSource for cri::sim::SimImages {
    fn publish(&mut self, plan: &Plan, reference: &str) -> Result<String, String> {
        let image = plan.spec.images.get(reference);
        let behaviour = image.map(|image| image.simulate.clone()).unwrap_or_default();
        Ok(self.add(reference, behaviour))
    }
}

/// What a run needs.
#[expect(missing_debug_implementations, reason = "borrows trait objects of its caller")]
pub struct Run<'a> {
    /// The rehearsal.
    pub plan: &'a Plan,
    /// The cluster, fresh.
    pub cluster: &'a mut Cluster,
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
    #[error("{0}")]
    Manifest(Box<crate::Diagnostic>),
    /// What was waited for did not happen.
    #[error("{0}")]
    NotHeld(String),
    /// There is no such image to publish.
    #[error("cannot publish {reference}: {reason}")]
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

/// The cluster as steps see it.
pub(crate) struct Stage<'a, 'b> {
    pub(crate) run: &'a mut Run<'b>,
    pub(crate) observer: Observer,
    told: usize,
}

impl Stage<'_, '_> {
    pub(crate) fn client(&self) -> Client {
        self.run.cluster.client().clone()
    }

    pub(crate) fn now(&self) -> Time {
        self.run.cluster.world().now()
    }

    /// Lets the cluster run until `holds` (asked again after every write) or for `patience`.
    ///
    /// # Errors
    /// When the run is interrupted or history was lost.
    pub(crate) fn run_until(
        &mut self,
        patience: Duration,
        holds: &mut dyn FnMut(&Client) -> bool,
    ) -> Result<bool, Error> {
        let deadline = self.now() + patience;
        let client = self.client();
        let interrupted = Arc::clone(&self.run.interrupted);
        let (observer, told) = (&mut self.observer, &mut self.told);
        let progress = &mut *self.run.progress;
        let mut seen = None;
        let mut outcome = Ok(false);
        let reached = self.run.cluster.run_until(deadline, &mut || {
            if interrupted.load(Ordering::Relaxed) {
                outcome = Err(Error::Interrupted);
                return true;
            }
            let revision = client.server().store().revision();
            if seen == Some(revision) {
                return false;
            }
            seen = Some(revision);
            if let Err(error) = observer.catch_up() {
                outcome = Err(error.into());
                return true;
            }
            tell(observer, told, progress);
            holds(&client)
        });
        outcome.map(|_| reached)
    }

    /// Lets everything happen that is ready to happen now.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        self.run_until(Duration::ZERO, &mut |_| false).map(|_| ())
    }
}

fn tell(observer: &Observer, told: &mut usize, progress: &mut dyn Progress) {
    for entry in &observer.entries[*told..] {
        progress.happened(entry);
    }
    *told = observer.entries.len();
}

/// Carries the rehearsal out.
///
/// # Errors
/// When the cluster cannot be followed at all; a step that fails is in the report.
pub fn run(mut run: Run<'_>) -> Result<Report, store::Error> {
    let observer = Observer::new(run.cluster.world(), run.cluster.server())?;
    let plan = run.plan;
    let mut stage = Stage { run: &mut run, observer, told: 0 };
    let steps = run_steps(plan, &mut stage);
    stage.observer.catch_up()?;
    let observer = stage.observer;
    let stages = observe_stages(plan, &run);
    let held = steps.len() == plan.spec.steps.len() && steps.iter().all(|s| s.error.is_none());
    let parity = plan.spec.parity.as_ref().filter(|_| held).map(|_| verdict(&stages));
    let same = parity.as_ref().is_none_or(|verdict| matches!(verdict, Verdict::Parity { .. }));
    Ok(Report {
        rehearsal: plan.spec.name.clone(),
        runtime: run.runtime.to_owned(),
        seed: run.cluster.world().seed(),
        passed: held && same && observer.violations.is_empty(),
        steps,
        timeline: observer.entries,
        violations: observer.violations,
        stages,
        parity,
    })
}

fn run_steps(plan: &Plan, stage: &mut Stage<'_, '_>) -> Vec<StepReport> {
    let total = plan.spec.steps.len();
    let start = stage.observer.start();
    let mut reports = Vec::new();
    for (index, step) in plan.spec.steps.iter().enumerate() {
        let title = step::title(step);
        stage.run.progress.step_started(index, total, &title);
        let began = stage.now();
        let outcome = step::run(step, plan, stage).and_then(|()| stage.settle());
        let broken = stage.observer.violations.first().map(|violation| {
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
fn describe(error: &dyn std::error::Error) -> String {
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
    let client = run.cluster.client();
    let facts = plan.order.iter().map(|project| {
        let dc = client.get(&api::DEPLOYMENT_CONFIGS, project, &parity.deployment_config);
        let pods = client.list(&api::PODS, project).unwrap_or_default();
        match dc {
            Ok(dc) => StageFacts::observe(project, &dc, pods.iter().map(|pod| &**pod)),
            Err(_) => StageFacts {
                stage: project.clone(),
                digests: BTreeMap::new(),
                ready: 0,
                replicas: 0,
            },
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
