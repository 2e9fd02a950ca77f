//! Which volume suits a claim.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller/volume/persistentvolume/index.go`.

use std::sync::Arc;

use apimachinery::quantity::Quantity;
use apimachinery::selector::LabelSelector;
use apimachinery::{ObjectExt as _, Value};

const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// The storage class of a claim or a volume; empty when it has none.
#[must_use]
pub fn class_of(object: &Value) -> &str {
    object
        .annotation(CLASS_ANNOTATION)
        .unwrap_or_else(|| object.str_at(&["spec", "storageClassName"]))
}

/// Whether the volume was meant for this claim, by a user or by a binding that was cut short.
#[must_use]
pub fn is_reserved_for(volume: &Value, claim: &Value) -> bool {
    let reference = &volume["spec"]["claimRef"];
    let uid = reference.str_at(&["uid"]);
    reference.is_object()
        && reference.str_at(&["name"]) == claim.name()
        && reference.str_at(&["namespace"]) == claim.namespace()
        && (uid.is_empty() || uid == claim.uid())
}

fn size(value: Option<&Value>) -> Option<Quantity> {
    value.and_then(|value| Quantity::from_json(value).ok())
}

fn requested(claim: &Value) -> Option<Quantity> {
    size(claim.at(&["spec", "resources", "requests", "storage"]))
}

fn capacity(volume: &Value) -> Option<Quantity> {
    size(volume.at(&["spec", "capacity", "storage"]))
}

fn mode(object: &Value) -> &str {
    Some(object.str_at(&["spec", "volumeMode"]))
        .filter(|mode| !mode.is_empty())
        .unwrap_or("Filesystem")
}

fn has_modes(volume: &Value, claim: &Value) -> bool {
    let modes = volume.list_at(&["spec", "accessModes"]);
    claim.list_at(&["spec", "accessModes"]).iter().all(|mode| modes.contains(mode))
}

/// Why a claim cannot have the volume that its user named.
#[must_use]
pub fn mismatch(volume: &Value, claim: &Value) -> Option<&'static str> {
    if capacity(volume) < requested(claim) {
        Some("requested PV is too small")
    } else if class_of(volume) != class_of(claim) {
        Some("storageClassName does not match")
    } else if mode(volume) != mode(claim) {
        Some("incompatible volumeMode")
    } else if !has_modes(volume, claim) {
        Some("incompatible accessMode")
    } else {
        None
    }
}

/// The volume of `open` that suits `claim` best: one reserved for it, else the one with the fewest
/// access modes, and of those the smallest. With `waits` only a reserved one is taken.
#[must_use]
pub fn best_match<'a>(
    open: &'a [Arc<Value>],
    claim: &Value,
    waits: bool,
) -> Option<&'a Arc<Value>> {
    let big_enough =
        |volume: &&Arc<Value>| capacity(volume) >= requested(claim) && mode(volume) == mode(claim);
    let mut reserved = open.iter().filter(|volume| is_reserved_for(volume, claim));
    if let Some(volume) = reserved.find(big_enough) {
        return Some(volume);
    }
    if waits {
        return None;
    }
    let selector = match claim.at(&["spec", "selector"]) {
        Some(selector) if selector.is_object() => LabelSelector::from_json(selector).ok()?,
        _ => LabelSelector::everything(),
    };
    let free = open.iter().filter(|volume| {
        !volume["spec"]["claimRef"].is_object()
            && volume.deletion_timestamp().is_none()
            && volume.str_at(&["status", "phase"]) == "Available"
            && selector.matches_object(volume)
            && class_of(volume) == class_of(claim)
            && has_modes(volume, claim)
    });
    let rank = |volume: &&Arc<Value>| {
        let modes = volume.list_at(&["spec", "accessModes"]).len();
        (modes, capacity(volume).map(|size| size.value()), volume.name().to_owned())
    };
    free.filter(big_enough).min_by_key(rank)
}

#[cfg(test)]
mod tests {
    use apimachinery::json;

    use super::*;

    fn volume(name: &str, size: &str, modes: &[&str], class: &str) -> Arc<Value> {
        Arc::new(json!({
            "metadata": {"name": name, "labels": {"disk": name}},
            "spec": {"capacity": {"storage": size}, "accessModes": modes, "storageClassName": class},
            "status": {"phase": "Available"},
        }))
    }

    fn claim(size: &str, modes: &[&str], class: &str) -> Value {
        json!({"metadata": {"name": "data", "namespace": "dev", "uid": "u"}, "spec": {
            "resources": {"requests": {"storage": size}}, "accessModes": modes,
            "storageClassName": class}})
    }

    #[test]
    fn the_smallest_volume_with_the_fewest_modes_is_taken() {
        let (rwo, rwx) = ("ReadWriteOnce", "ReadWriteMany");
        let open = [
            volume("big", "10Gi", &[rwo], ""),
            volume("both", "1Gi", &[rwo, rwx], ""),
            volume("fast", "1Gi", &[rwo], "fast"),
            volume("small", "2Gi", &[rwo], ""),
        ];
        let best = |claim: &Value| best_match(&open, claim, false).map(|it| it.name().to_owned());
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(best(&claim("1Gi", &[rwo], "")), named("small"));
        assert_eq!(best(&claim("3Gi", &[rwo], "")), named("big"));
        assert_eq!(best(&claim("1Gi", &[rwx], "")), named("both"));
        assert_eq!(best(&claim("1Gi", &[rwo], "fast")), named("fast"));
        assert_eq!(best(&claim("20Gi", &[rwo], "")), None);
        assert_eq!(best_match(&open, &claim("1Gi", &[rwo], ""), true), None);
        let mut choosy = claim("1Gi", &[rwo], "");
        choosy["spec"]["selector"] = json!({"matchLabels": {"disk": "big"}});
        assert_eq!(best(&choosy), named("big"));
    }

    #[test]
    fn a_reserved_volume_goes_to_its_claim_alone() {
        let mut reserved = (*volume("mine", "5Gi", &["ReadWriteOnce"], "")).clone();
        reserved["spec"]["claimRef"] = json!({"namespace": "dev", "name": "data"});
        let open = [Arc::new(reserved), volume("small", "1Gi", &["ReadWriteOnce"], "")];
        let mut claim = claim("1Gi", &["ReadWriteOnce"], "");
        assert_eq!(best_match(&open, &claim, true).unwrap().name(), "mine");
        claim["metadata"]["name"] = json!("other");
        assert_eq!(best_match(&open, &claim, false).unwrap().name(), "small");
    }

    #[test]
    fn volumes_that_are_going_used_or_too_small_are_passed_over() {
        let with = |path: &[&str], value: Value| {
            let mut volume = (*volume("v", "1Gi", &["ReadWriteOnce"], "")).clone();
            volume.set(path, value);
            Arc::new(volume)
        };
        let other = json!({"namespace": "dev", "name": "data", "uid": "somebody else"});
        let own = json!({"namespace": "dev", "name": "data", "uid": "u"});
        for (volume, taken) in [
            (with(&["metadata", "deletionTimestamp"], json!("2018-10-11T12:00:00Z")), false),
            (with(&["status", "phase"], json!("Released")), false),
            (with(&["spec", "claimRef"], other), false),
            (with(&["spec", "claimRef"], own), true),
            (with(&["spec", "capacity", "storage"], json!("1Mi")), false),
            (with(&["spec", "volumeMode"], json!("Block")), false),
            (with(&["spec", "volumeMode"], json!("Filesystem")), true),
        ] {
            let claim = claim("1Gi", &["ReadWriteOnce"], "");
            let open = [volume];
            assert_eq!(best_match(&open, &claim, false).is_some(), taken, "{}", open[0]);
        }
    }

    #[test]
    fn a_named_volume_must_fit() {
        let volume = volume("v", "1Gi", &["ReadWriteOnce"], "");
        let why = |size, modes: &[&str], class| mismatch(&volume, &claim(size, modes, class));
        assert_eq!(why("1Gi", &["ReadWriteOnce"], ""), None);
        assert_eq!(why("2Gi", &["ReadWriteOnce"], ""), Some("requested PV is too small"));
        assert_eq!(why("1Gi", &["ReadWriteOnce"], "x"), Some("storageClassName does not match"));
        assert_eq!(why("1Gi", &["ReadWriteMany"], ""), Some("incompatible accessMode"));
        let mut block = claim("1Gi", &["ReadWriteOnce"], "");
        block["spec"]["volumeMode"] = json!("Block");
        assert_eq!(mismatch(&volume, &block), Some("incompatible volumeMode"));
        // The old annotation comes before the field.
        let mut old = claim("1Gi", &["ReadWriteOnce"], "");
        old.set_annotation(CLASS_ANNOTATION, "x");
        assert_eq!(mismatch(&volume, &old), Some("storageClassName does not match"));
    }
}
