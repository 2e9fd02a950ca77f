//! How far a rolling update may go over and under the wanted number of replicas.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/deployment/util` (`ResolveFenceposts`, `MaxSurge`,
//! `MaxUnavailable`).

use apimachinery::{ObjectExt as _, Value, int_or_string};

/// Whether the deployment replaces pods gradually.
pub(crate) fn is_rolling(deployment: &Value) -> bool {
    deployment.str_at(&["spec", "strategy", "type"]) != "Recreate"
}

/// `spec.replicas`.
pub(crate) fn desired(deployment: &Value) -> i64 {
    deployment.int_at(&["spec", "replicas"]).unwrap_or(1)
}

/// The number that an integer or a percentage of `total` stands for; nonsense stands for 0.
fn scaled(value: Option<&Value>, total: i64, round_up: bool) -> i64 {
    value.and_then(|value| int_or_string::resolve(value, total, round_up).ok()).unwrap_or(0)
}

/// Surge rounded up and unavailability rounded down; when both come to 0, one may be unavailable.
pub(crate) fn fenceposts(
    surge: Option<&Value>,
    unavailable: Option<&Value>,
    desired: i64,
) -> (i64, i64) {
    let surge = scaled(surge, desired, true);
    let unavailable = scaled(unavailable, desired, false);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

fn of(deployment: &Value) -> (i64, i64) {
    let parameter = |name| deployment.at(&["spec", "strategy", "rollingUpdate", name]);
    fenceposts(parameter("maxSurge"), parameter("maxUnavailable"), desired(deployment))
}

/// How many pods there may be beyond `spec.replicas`.
pub(crate) fn max_surge(deployment: &Value) -> i64 {
    if is_rolling(deployment) { of(deployment).0 } else { 0 }
}

/// How many of `spec.replicas` may be unavailable.
pub(crate) fn max_unavailable(deployment: &Value) -> i64 {
    let desired = desired(deployment);
    if !is_rolling(deployment) || desired == 0 {
        return 0;
    }
    of(deployment).1.min(desired)
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn fenceposts_round_surge_up_and_unavailability_down() {
        for (surge, unavailable, desired, expected) in [
            (json!("0%"), json!("0%"), 0, (0, 1)),
            (json!("39%"), json!("39%"), 10, (4, 3)),
            (json!(10), json!("0%"), 0, (10, 0)),
            (json!("10%"), json!("49%"), 2, (1, 0)),
            (json!("40%"), json!("40%"), 4, (2, 1)),
            (json!(1), json!("0%"), 2, (1, 0)),
        ] {
            let got = fenceposts(Some(&surge), Some(&unavailable), desired);
            assert_eq!(got, expected, "{surge} {unavailable} of {desired}");
        }
    }

    #[test]
    fn unavailability_never_exceeds_the_replicas() {
        for (replicas, kind, unavailable, expected) in [
            (5, "RollingUpdate", json!(10), 5),
            (5, "RollingUpdate", json!(5), 5),
            (5, "RollingUpdate", json!(2), 2),
            (0, "RollingUpdate", json!(1), 0),
            (5, "Recreate", json!(null), 0),
            (5, "RollingUpdate", json!("120%"), 5),
            (5, "RollingUpdate", json!("50%"), 2),
        ] {
            let deployment = json!({"spec": {"replicas": replicas, "strategy": {"type": kind,
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": unavailable}}}});
            assert_eq!(max_unavailable(&deployment), expected, "{deployment}");
        }
    }
}
