//! How many replicas the load of the pods asks for.
//!
//! Pods without figures are thought idle when growing and busy when shrinking, and pods that are not
//! ready idle when growing, so that neither can turn the direction.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/podautoscaler/replica_calculator.go`.

/// Within this share of the target nothing changes.
const TOLERANCE: f64 = 0.1;

/// What is known about one pod of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Namespace and name, for messages.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Requests in thousandths, or the first container without a request.
    pub request: Result<i64, String>,
    /// Running and ready.
    pub ready: bool,
    /// Ended with a failure.
    pub failed: bool,
    /// What it uses in thousandths, when every container was measured.
    pub usage: Option<i64>,
}

/// How many replicas a metric asks for, and what it was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    /// The number.
    pub replicas: i64,
    /// Average use as a percentage of the requests, where the target is one.
    pub utilization: Option<i64>,
    /// Average use of a pod in thousandths.
    pub average: i64,
}

/// One pod that counts: what it uses and what it is measured against.
type Entry = (i64, i64);

/// Pods by how they count.
#[derive(Debug, Default)]
struct Groups<'a> {
    measured: Vec<&'a Sample>,
    unready: Vec<&'a Sample>,
    missing: Vec<&'a Sample>,
}

fn groups<'a>(samples: &'a [Sample], resource: &str) -> Result<Groups<'a>, String> {
    if samples.iter().all(|sample| sample.usage.is_none()) {
        return Err(format!(
            "unable to get metrics for resource {resource}: no metrics returned from resource \
             metrics API"
        ));
    }
    let mut groups = Groups::default();
    for sample in samples {
        match sample.usage {
            _ if !sample.ready && sample.failed => {}
            _ if !sample.ready => groups.unready.push(sample),
            None => groups.missing.push(sample),
            Some(_) => groups.measured.push(sample),
        }
    }
    Ok(groups)
}

/// The replicas that bring the average use to `percent` of the requests.
///
/// # Errors
/// The text of why there is no number.
pub fn by_utilization(
    samples: &[Sample],
    resource: &str,
    current: i64,
    percent: i64,
) -> Result<Proposal, String> {
    let groups = groups(samples, resource)?;
    let request = |sample: &Sample| {
        sample.request.clone().map_err(|container| {
            format!(
                "missing request for {resource} on container {container} in pod {}/{}",
                sample.namespace, sample.name
            )
        })
    };
    for sample in samples {
        request(sample)?;
    }
    if groups.measured.is_empty() {
        return Err("did not receive metrics for any ready pods".to_owned());
    }
    let entry = |sample: &Sample, usage: Option<i64>| -> Entry {
        let request = sample.request.clone().unwrap_or(0);
        (usage.unwrap_or(request), request)
    };
    let ratio = |entries: &[Entry]| {
        let usage: i64 = entries.iter().map(|(usage, _)| usage).sum();
        let request: i64 = entries.iter().map(|(_, request)| request).sum();
        if request == 0 {
            return Err("no metrics returned matched known pods".to_owned());
        }
        let used = usage * 100 / request;
        Ok((share(used, percent), used, usage / count(entries.len())))
    };
    propose(&groups, current, &entry, &ratio).map(|(replicas, used, average)| Proposal {
        replicas,
        utilization: Some(used),
        average,
    })
}

/// The replicas that bring the average use to `target` thousandths.
///
/// # Errors
/// The text of why there is no number.
pub fn by_value(
    samples: &[Sample],
    resource: &str,
    current: i64,
    target: i64,
) -> Result<Proposal, String> {
    let groups = groups(samples, resource)?;
    if groups.measured.is_empty() {
        return Err("did not receive metrics for any ready pods".to_owned());
    }
    let entry = |_: &Sample, usage: Option<i64>| -> Entry { (usage.unwrap_or(target), target) };
    let ratio = |entries: &[Entry]| {
        let usage: i64 = entries.iter().map(|(usage, _)| usage).sum();
        let average = usage / count(entries.len());
        Ok((share(average, target), average, average))
    };
    propose(&groups, current, &entry, &ratio).map(|(replicas, _, average)| Proposal {
        replicas,
        utilization: None,
        average,
    })
}

#[expect(clippy::cast_precision_loss, reason = "figures of pods are far below 2^52")]
fn share(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "numbers of pods are far below 2^52"
)]
fn scaled(ratio: f64, pods: usize) -> i64 {
    (ratio * pods as f64).ceil() as i64
}

fn is_close(ratio: f64) -> bool {
    (1.0 - ratio).abs() <= TOLERANCE
}

/// How far the use is from the target, the use in all and in the middle; or why it cannot be told.
type Ratio = Result<(f64, i64, i64), String>;

/// Replicas, and the figures of the pods that were really measured.
fn propose(
    groups: &Groups<'_>,
    current: i64,
    entry: &dyn Fn(&Sample, Option<i64>) -> Entry,
    ratio: &dyn Fn(&[Entry]) -> Ratio,
) -> Result<(i64, i64, i64), String> {
    let mut entries: Vec<Entry> =
        groups.measured.iter().map(|sample| entry(sample, sample.usage)).collect();
    let (first, used, average) = ratio(&entries)?;
    let with_unready = !groups.unready.is_empty() && first > 1.0;
    if !with_unready && groups.missing.is_empty() {
        let replicas = if is_close(first) { current } else { scaled(first, entries.len()) };
        return Ok((replicas, used, average));
    }
    // Exactly on target nothing is assumed about those without figures.
    if first < 1.0 {
        entries.extend(groups.missing.iter().map(|sample| entry(sample, None)));
    } else if first > 1.0 {
        entries.extend(groups.missing.iter().map(|sample| entry(sample, Some(0))));
    }
    if with_unready {
        entries.extend(groups.unready.iter().map(|sample| entry(sample, Some(0))));
    }
    let (second, ..) = ratio(&entries)?;
    let turned = first < 1.0 && second > 1.0 || first > 1.0 && second < 1.0;
    let replicas = if is_close(second) || turned { current } else { scaled(second, entries.len()) };
    Ok((replicas, used, average))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `r200` is ready and uses 200 of 1000, `u200` not ready, `f200` failed, `m` has no figures.
    fn pods(text: &str) -> Vec<Sample> {
        let sample = |(index, word): (usize, &str)| Sample {
            namespace: "dev".to_owned(),
            name: format!("p{index}"),
            request: Ok(1000),
            ready: !word.starts_with(['u', 'f']),
            failed: word.starts_with('f'),
            usage: word[1..].parse().ok(),
        };
        text.split_whitespace().enumerate().map(sample).collect()
    }

    #[test]
    fn replicas_follow_the_utilization() {
        // (pods, current, target in percent) -> replicas, utilization
        for (text, current, percent, replicas, utilization) in [
            ("r300 r500 r700", 3, 30, 5, 50),
            ("r300 u500 u700", 3, 30, 3, 30),
            ("r500 r700 u0", 3, 30, 4, 60),
            ("r100 r300 r500 r250 r250", 5, 50, 3, 28),
            ("r100 u300 u500 r250 r250", 5, 50, 2, 20),
            ("r1010 r1030 r1020", 3, 100, 3, 102),
            ("r400 m m m", 4, 100, 4, 40),
            ("r1000 m", 2, 50, 2, 100),
            ("r1000 m", 2, 33, 4, 100),
            ("m r400", 2, 100, 2, 40),
            ("r100 m m", 3, 100, 3, 10),
            ("r50 u450", 2, 50, 1, 5),
            // A failed pod will never be ready and counts for nothing.
            ("r500 r700 f0", 3, 30, 4, 60),
            ("r500 r700 f0", 3, 15, 8, 60),
            // A tenth more or less is close enough.
            ("r540", 1, 50, 1, 54),
            ("r560", 1, 50, 2, 56),
            ("r450 r450", 2, 50, 2, 45),
            ("r240 r240", 2, 50, 1, 24),
            // What is assumed of the others turns the direction, so nothing changes.
            ("r600 u0 u0 u0", 4, 50, 4, 60),
        ] {
            let got = by_utilization(&pods(text), "cpu", current, percent).unwrap();
            assert_eq!((got.replicas, got.utilization), (replicas, Some(utilization)), "{text}");
        }
    }

    #[test]
    fn replicas_follow_an_average_value() {
        for (text, current, target, replicas, average) in [
            ("r300 r500 r700", 3, 300, 5, 500),
            ("r190 r210", 2, 200, 2, 200),
            ("r500 u500", 2, 300, 2, 500),
            ("r100 m", 2, 300, 2, 100),
        ] {
            let got = by_value(&pods(text), "cpu", current, target).unwrap();
            assert_eq!((got.replicas, got.average), (replicas, average), "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut bare = pods("r100");
        bare[0].request = Err("main".to_owned());
        let why = |samples: &[Sample]| by_utilization(samples, "cpu", 1, 50).unwrap_err();
        assert_eq!(why(&bare), "missing request for cpu on container main in pod dev/p0");
        assert_eq!(
            why(&pods("m m")),
            "unable to get metrics for resource cpu: no metrics returned from resource metrics API"
        );
        assert_eq!(why(&pods("u100")), "did not receive metrics for any ready pods");
    }
}
