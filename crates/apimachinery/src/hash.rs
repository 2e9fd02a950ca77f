//! Hashes that become parts of names.
//!
//! Mirrors: `hash/fnv` of Go, `k8s.io/apimachinery/pkg/util/rand.SafeEncodeString`.

const OFFSET: u32 = 2_166_136_261;
const PRIME: u32 = 16_777_619;
/// Letters and digits that spell no words and cannot be confused.
const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// FNV-1 of 32 bits.
#[must_use]
pub fn fnv32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(OFFSET, |hash, byte| hash.wrapping_mul(PRIME) ^ u32::from(*byte))
}

/// FNV-1a of 32 bits.
#[must_use]
pub fn fnv32a(bytes: &[u8]) -> u32 {
    fnv32a_continue(OFFSET, bytes)
}

/// Continues an FNV-1a hash with further bytes.
#[must_use]
pub fn fnv32a_continue(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(PRIME))
}

/// Replaces every byte by one that is safe in names, e.g. the decimal hash of a pod template in the
/// name of its replica set.
#[must_use]
pub fn safe_encode(text: &str) -> String {
    text.bytes().map(|byte| char::from(SAFE[usize::from(byte) % SAFE.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_fnv() {
        for (text, fnv1, fnv1a) in [
            ("", 0x811c_9dc5, 0x811c_9dc5),
            ("a", 0x050c_5d7e, 0xe40c_292c),
            ("foobar", 0x31f0_b262, 0xbf9c_f968),
        ] {
            assert_eq!((fnv32(text.as_bytes()), fnv32a(text.as_bytes())), (fnv1, fnv1a), "{text}");
        }
        assert_eq!(fnv32a_continue(fnv32a(b"foo"), b"bar"), fnv32a(b"foobar"));
    }

    #[test]
    fn digits_become_safe_letters() {
        assert_eq!(safe_encode("0123456789"), "456789bcdf");
    }
}
