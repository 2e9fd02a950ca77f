//! The hash by which a deployment names and labels the replica set of a template.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller` (`ComputeHash`) in shape: the label is the decimal
//! number, the name its characters mapped to the alphabet of generated names.
//! Deviation: upstream hashes a Go dump of the template; here the canonical JSON is hashed, so the
//! numbers differ and clients cannot tell.

use apimachinery::Value;
use apimachinery::hash::{fnv32a, fnv32a_continue, safe_encode};

/// The decimal hash of `template` (salted by the collisions so far) and the end of a name.
pub(crate) fn of(template: &Value, collisions: Option<i64>) -> (String, String) {
    let mut hash = fnv32a(template.to_string().as_bytes());
    if let Some(collisions) = collisions {
        hash = fnv32a_continue(hash, &collisions.to_le_bytes());
    }
    let label = hash.to_string();
    let suffix = safe_encode(&label);
    (label, suffix)
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    #[test]
    fn a_collision_changes_label_and_name() {
        let template = json!({"spec": {"containers": []}});
        let (first, second) = (of(&template, None), of(&template, Some(1)));
        assert_ne!(first, second);
        assert_ne!(first.1, second.1);
    }
}
