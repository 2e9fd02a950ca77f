//! Identities of objects as numbers, and as the texts that clients see.

use std::fmt;

/// A version 4 UUID; written as `0f36b5a2-1f2d-4c7e-9d1a-3b9a6c0e8f11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(u128);

/// Letters of the text.
const LENGTH: usize = 36;
/// Where the text has dashes.
const DASHES: [usize; 4] = [8, 13, 18, 23];

impl Uuid {
    /// The one made of 128 random bits, of which version and variant take six.
    pub(crate) fn from_random(high: u64, low: u64) -> Self {
        let high = (high & !0xf000) | 0x4000;
        let low = (low & (u64::MAX >> 4)) | ((8 + (low >> 62)) << 60);
        Self(u128::from(high) << 64 | u128::from(low))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'-'; LENGTH];
        let mut left = self.0;
        for place in (0..LENGTH).rev().filter(|place| !DASHES.contains(place)) {
            text[place] = b"0123456789abcdef"[(left & 0xf) as usize];
            left >>= 4;
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_and_variant_are_set() {
        let text = |high, low| Uuid::from_random(high, low).to_string();
        assert_eq!(text(0, 0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(text(u64::MAX, u64::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            text(0x0123_4567_89ab_cdef, 0x4edc_ba98_7654_3210),
            "01234567-89ab-4def-9edc-ba9876543210"
        );
    }
}
