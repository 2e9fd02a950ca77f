//! The rollout strategies: how pods of one rollout replace those of another.
//!
//! A strategy is a resumable planner. It is shown what is there ([`Observed`]), answers with
//! [`Action`]s and remembers only where it stands and since when. The deployer asks it again when
//! something changed or its [`Action::Wake`] is due. While a hook runs it is not asked.
//!
//! Invariant: a strategy never acts; it cannot see anything but [`Observed`].
//! Invariant: the post hook runs only when everything before it went well.

pub mod recreate;
pub mod rolling;

use std::time::Duration;

use apimachinery::{ObjectExt as _, Value, int_or_string};
use world::Time;

use crate::hook::Moment;

/// One of the two rollouts a strategy moves pods between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The rollout that served until now.
    From,
    /// The new rollout.
    To,
}

/// What a strategy sees of a `ReplicationController`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Controller {
    /// Its name.
    pub name: String,
    /// `spec.replicas`.
    pub replicas: i64,
    /// `status.replicas`: pods that exist.
    pub created: i64,
    /// `status.availableReplicas`.
    pub available: i64,
}

impl Controller {
    /// Reads a `ReplicationController`.
    #[must_use]
    pub fn read(rc: &Value) -> Self {
        let number = |path: &[&str]| rc.int_at(path).unwrap_or(0);
        Self {
            name: rc.name().to_owned(),
            replicas: number(&["spec", "replicas"]),
            created: number(&["status", "replicas"]),
            available: number(&["status", "availableReplicas"]),
        }
    }

    fn is_synced_at(&self, replicas: i64) -> bool {
        self.replicas == replicas && self.created == replicas
    }
}

/// What a strategy sees.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The present.
    pub now: Time,
    /// Namespace of both rollouts.
    pub namespace: String,
    /// The newest complete rollout before this one.
    pub from: Option<Controller>,
    /// This rollout.
    pub to: Controller,
    /// Pods wanted in the end.
    pub desired: i64,
    /// Pods of the old rollout that have not ended yet, terminating ones included.
    pub old_pods: usize,
    /// How the hook ended that the last [`Action::RunHook`] asked for; told once.
    pub hook: Option<Result<(), String>>,
}

/// What a strategy wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A line of the deployer's log.
    Print(String),
    /// Sets `spec.replicas`.
    Scale(Side, i64),
    /// Marks the beginning of a rolling update on both controllers.
    BeginUpdate,
    /// Removes the marks from the new controller.
    EndUpdate,
    /// Runs this hook; the next question comes with its outcome.
    RunHook(Moment),
    /// Asks again then, if nothing happens before.
    Wake(Time),
    /// The rollout succeeded.
    Succeed,
    /// The condition is reached up to which the deployer was to go, with what to say.
    Reached(String),
    /// The rollout failed, with the error to print.
    Fail(String),
}

/// How far a deployer is to go: `openshift-deploy --until=<condition>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Before anything is done.
    Start,
    /// After the pre hook.
    Pre,
    /// After the mid hook.
    Mid,
    /// When so many per cent of the pods are new.
    Percent(i64),
}

impl Until {
    /// Reads `start`, `pre`, `mid` or `<n>%`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "start" => Some(Self::Start),
            "pre" => Some(Self::Pre),
            "mid" => Some(Self::Mid),
            other => {
                let percent = other.strip_suffix('%')?.parse().ok()?;
                (0..=100).contains(&percent).then_some(Self::Percent(percent))
            }
        }
    }
}

/// The interval between looks at a scale that is under way.
pub(crate) const POLL: Duration = Duration::from_secs(1);

/// Seconds of a strategy parameter.
pub(crate) fn seconds(params: Option<&Value>, field: &str, default: u64) -> Duration {
    let given = params.and_then(|params| params.int_at(&[field]));
    Duration::from_secs(given.and_then(|n| u64::try_from(n).ok()).unwrap_or(default))
}

/// `maxSurge` (percentages round up) and `maxUnavailable` (round down) of `desired`; when both come
/// to 0 one pod may be unavailable.
///
/// Mirrors: `k8s.io/kubernetes/pkg/controller/deployment/util` (`ResolveFenceposts`).
#[must_use]
pub fn resolve_fenceposts(params: Option<&Value>, desired: i64) -> (i64, i64) {
    let resolve = |field: &str, round_up: bool| {
        let value = params.and_then(|params| params.get(field));
        value.and_then(|v| int_or_string::resolve(v, desired, round_up).ok()).unwrap_or(0)
    };
    let (surge, unavailable) = (resolve("maxSurge", true), resolve("maxUnavailable", false));
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// The strategy of one rollout, with its memory.
#[derive(Debug)]
pub struct Strategy {
    body: Body,
    pre: bool,
    post: bool,
    stage: Stage,
    until: Option<Until>,
}

/// What happens between the hooks.
#[derive(Debug)]
enum Body {
    /// Replaces pods a few at a time.
    Rolling(rolling::Rolling),
    /// Removes all old pods before it makes new ones; also the first rollout of Rolling.
    Recreate(recreate::Recreate),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    AwaitPre,
    Body,
    AwaitPost,
    Over,
}

impl Strategy {
    /// The strategy that the rollout's config asks for.
    ///
    /// # Errors
    /// The text to fail with when the type is not one that runs in process.
    pub fn for_config(config: &Value, has_predecessor: bool) -> Result<Self, String> {
        let strategy = config.at(&["spec", "strategy"]);
        let params = |field: &str| strategy.and_then(|strategy| strategy.get(field));
        let (params, rolls) = match config.str_at(&["spec", "strategy", "type"]) {
            "Rolling" => (params("rollingParams"), has_predecessor),
            "Recreate" => (params("recreateParams"), false),
            other => return Err(format!("unsupported strategy type: {other}")),
        };
        let has = |moment: Moment| {
            params.and_then(|params| params.get(moment.label())).is_some_and(Value::is_object)
        };
        let body = if rolls {
            Body::Rolling(rolling::Rolling::new(params))
        } else {
            Body::Recreate(recreate::Recreate::new(params))
        };
        let (pre, post, stage) = (has(Moment::Pre), has(Moment::Post), Stage::Begin);
        Ok(Self { body, pre, post, stage, until: None })
    }

    /// The same, up to a condition.
    #[must_use]
    pub fn until(mut self, until: Option<Until>) -> Self {
        self.until = until;
        match &mut self.body {
            Body::Rolling(rolling) => rolling.until = until,
            Body::Recreate(recreate) => recreate.until = until,
        }
        self
    }

    /// The next actions; the memory moves on as if they were carried out.
    pub fn next(&mut self, observed: &Observed) -> Vec<Action> {
        match self.stage {
            Stage::Begin if self.pre => self.run_hook(Moment::Pre, Stage::AwaitPre),
            Stage::Begin => self.begin_body(observed),
            Stage::AwaitPre => match hook_outcome(Moment::Pre, observed) {
                Some(Ok(())) => self.begin_body(&Observed { hook: None, ..observed.clone() }),
                Some(Err(text)) => self.end(Action::Fail(text)),
                None => Vec::new(),
            },
            Stage::Body => self.run_body(observed),
            Stage::AwaitPost => match hook_outcome(Moment::Post, observed) {
                Some(Ok(())) => self.end(Action::Succeed),
                Some(Err(text)) => self.end(Action::Fail(text)),
                None => Vec::new(),
            },
            Stage::Over => Vec::new(),
        }
    }

    fn begin_body(&mut self, observed: &Observed) -> Vec<Action> {
        let rolls = matches!(self.body, Body::Rolling(_));
        let reached = match self.until {
            Some(Until::Pre) => "pre hook succeeded",
            Some(Until::Percent(0)) if rolls => "Reached 0% (before rollout)",
            _ => return self.run_body(observed),
        };
        self.end(Action::Reached(reached.to_owned()))
    }

    fn run_body(&mut self, observed: &Observed) -> Vec<Action> {
        self.stage = Stage::Body;
        let mut actions = match &mut self.body {
            Body::Rolling(rolling) => rolling.next(observed),
            Body::Recreate(recreate) => recreate.next(observed),
        };
        match actions.last() {
            Some(Action::Succeed) if self.post => {
                actions.pop();
                actions.extend(self.run_hook(Moment::Post, Stage::AwaitPost));
            }
            Some(Action::Succeed | Action::Reached(_) | Action::Fail(_)) => {
                self.stage = Stage::Over;
            }
            _ => {}
        }
        actions
    }

    fn run_hook(&mut self, moment: Moment, stage: Stage) -> Vec<Action> {
        self.stage = stage;
        vec![Action::RunHook(moment)]
    }

    fn end(&mut self, action: Action) -> Vec<Action> {
        self.stage = Stage::Over;
        vec![action]
    }
}

/// How the hook of `moment` ended, with the text that the rollout fails with.
pub(crate) fn hook_outcome(moment: Moment, observed: &Observed) -> Option<Result<(), String>> {
    let failed = |text: &String| format!("{} hook failed: {text}", moment.label());
    observed.hook.as_ref().map(|outcome| outcome.as_ref().map_err(failed).copied())
}

#[cfg(test)]
mod tests;
