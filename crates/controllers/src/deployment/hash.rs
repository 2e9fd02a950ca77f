//! The hash by which a deployment names and labels the replica set of a template.
//!
//! Mirrors: `k8s.io/kubernetes/pkg/controller` (`ComputeHash`) in shape: the label is the decimal
//! number, the name its characters mapped to the alphabet of generated names.
//! Deviation: upstream hashes a Go dump of the template; here the canonical JSON is hashed, so the
//! numbers differ and clients cannot tell.

use apimachinery::Value;

const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The decimal hash of `template` (salted by the collisions so far) and the end of a name.
pub(crate) fn of(template: &Value, collisions: Option<i64>) -> (String, String) {
    let mut hash = fnv32a(0x811c_9dc5, template.to_string().as_bytes());
    if let Some(collisions) = collisions {
        hash = fnv32a(hash, &collisions.to_le_bytes());
    }
    let label = hash.to_string();
    let letter = |byte: u8| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]);
    let suffix = label.bytes().map(letter).collect();
    (label, suffix)
}

fn fnv32a(start: u32, bytes: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(start, step)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fnv_has_its_published_values() {
        assert_eq!(fnv32a(0x811c_9dc5, b""), 0x811c_9dc5);
        assert_eq!(fnv32a(0x811c_9dc5, b"a"), 0xe40c_292c);
        assert_eq!(fnv32a(0x811c_9dc5, b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn a_collision_changes_label_and_name() {
        let template = json!({"spec": {"containers": []}});
        let (first, second) = (of(&template, None), of(&template, Some(1)));
        assert_ne!(first, second);
        assert!(first.1.bytes().all(|byte| ALPHABET.contains(&byte)));
    }
}
