//! Completion indexes: the pods of a job with `completionMode: Indexed` are numbered from 0, and the
//! job is complete when each number has succeeded once.
//!
//! Invariant: of an index at most one pod is kept active; an index that is done stays done, whatever
//! becomes of its pod.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/job/indexed_job_utils.go`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use api::views::pod::phase;
use apimachinery::json;
use apimachinery::{ObjectExt as _, Value};

/// Annotation and label of a pod that hold its index.
pub(super) const ANNOTATION: &str = "batch.kubernetes.io/job-completion-index";
/// The environment variable that tells a container its index.
const VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// Whether the job numbers its pods.
#[must_use]
pub(super) fn is_indexed(job: &Value) -> bool {
    job.str_at(&["spec", "completionMode"]) == "Indexed"
}

/// A set of indexes; as text, runs are written by their ends: `0,2-4`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Indexes(BTreeSet<i64>);

impl Indexes {
    /// Reads `0,2-4`; what cannot be read counts as nothing.
    fn parse(text: &str) -> Self {
        let runs = text.split(',').filter_map(|run| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            Some(first.parse::<i64>().ok()?..=last.parse().ok()?)
        });
        Self(runs.flatten().collect())
    }

    pub(super) fn len(&self) -> i64 {
        i64::try_from(self.0.len()).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Indexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while let Some(next) = rest.next_if_eq(&(last + 1)) {
                last = next;
            }
            write!(f, "{separator}{first}")?;
            match last - first {
                0 => {}
                1 => write!(f, ",{last}")?,
                _ => write!(f, "-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

/// The index of a pod, if it has one that the job gives out.
fn index_of(job: &Value, pod: &Value) -> Option<i64> {
    let index: i64 = pod.annotation(ANNOTATION)?.parse().ok()?;
    let completions = job.int_at(&["spec", "completions"]).unwrap_or(0);
    (0..completions).contains(&index).then_some(index)
}

/// The indexes that have succeeded, now or as the status remembers.
pub(super) fn completed(job: &Value, pods: &[Arc<Value>]) -> Indexes {
    let completions = job.int_at(&["spec", "completions"]).unwrap_or(0);
    let mut done = Indexes::parse(job.str_at(&["status", "completedIndexes"]));
    done.0.retain(|index| *index < completions);
    let succeeded = pods.iter().filter(|pod| phase(pod) == "Succeeded");
    done.0.extend(succeeded.filter_map(|pod| index_of(job, pod)));
    done
}

/// Active pods that are of no use (without index, of one that is done, second ones), and the others.
pub(super) fn sort(
    job: &Value,
    active: &[Arc<Value>],
    done: &Indexes,
) -> (Vec<Arc<Value>>, Vec<Arc<Value>>) {
    let mut taken = done.0.clone();
    let useful = |pod: &Arc<Value>| index_of(job, pod).is_some_and(|index| taken.insert(index));
    let (useful, useless) = active.iter().cloned().partition(useful);
    (useless, useful)
}

/// The indexes that are neither done nor run, ascending.
pub(super) fn free<'a>(
    job: &'a Value,
    active: &[Arc<Value>],
    done: &'a Indexes,
) -> impl Iterator<Item = i64> + use<'a> {
    let running: BTreeSet<i64> = active.iter().filter_map(|pod| index_of(job, pod)).collect();
    let completions = job.int_at(&["spec", "completions"]).unwrap_or(0);
    (0..completions).filter(move |index| !done.0.contains(index) && !running.contains(index))
}

/// Gives a pod its index: in its name, its host name, an annotation, a label and its environment.
pub(super) fn number(job: &Value, pod: &mut Value, index: i64) {
    let name = format!("{}-{index}", job.name());
    pod.set(&["metadata", "generateName"], json!(format!("{name}-")));
    pod.set(&["metadata", "labels", ANNOTATION], json!(index.to_string()));
    pod.set_annotation(ANNOTATION, &index.to_string());
    pod.set(&["spec", "hostname"], json!(name));
    let field = format!("metadata.annotations['{ANNOTATION}']");
    let variable = json!({
        "name": VARIABLE, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": field}},
    });
    for list in ["initContainers", "containers"] {
        let Some(containers) = pod.pointer_mut(&format!("/spec/{list}")) else { continue };
        for container in containers.as_array_mut().into_iter().flatten() {
            let known = container.list_at(&["env"]);
            if known.iter().all(|entry| entry.str_at(&["name"]) != VARIABLE) {
                let env: Vec<Value> = known.iter().cloned().chain([variable.clone()]).collect();
                container.set(&["env"], Value::from(env));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_written_in_runs() {
        for text in ["", "0", "0,1", "0-2", "1,3-5,7,8"] {
            assert_eq!(Indexes::parse(text).to_string(), text);
        }
        assert_eq!(Indexes::parse("3-5,4,x,9-").to_string(), "3-5");
    }

    #[test]
    fn a_pod_knows_its_index() {
        let job = json!({"metadata": {"name": "sum"}, "spec": {"completions": 3}});
        let own = json!([{"name": VARIABLE, "value": "7"}]);
        let mut pod = json!({"metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "main"}, {"name": "own", "env": own}]}});
        number(&job, &mut pod, 2);
        assert_eq!(pod["metadata"]["generateName"], "sum-2-");
        assert_eq!((index_of(&job, &pod), pod.label("a")), (Some(2), "b"));
        assert_eq!(pod["spec"]["hostname"], "sum-2");
        let from = &pod["spec"]["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["fieldPath"];
        assert_eq!(from, "metadata.annotations['batch.kubernetes.io/job-completion-index']");
        assert_eq!(pod["spec"]["containers"][1]["env"], own);
        pod.set_annotation(ANNOTATION, "3");
        assert_eq!(index_of(&job, &pod), None, "beyond the completions");
    }
}
