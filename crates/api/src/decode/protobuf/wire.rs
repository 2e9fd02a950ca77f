//! The wire format of protobuf: keys, varints, lengths.
//!
//! Invariant: every read advances or fails.

use super::super::Error;

/// A value before its meaning is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// Reads fields from the bytes of a message.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next field number and value; nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Wire<'a>)>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let tag = u32::try_from(key >> 3).map_err(|_| malformed("illegal tag"))?;
        if tag == 0 {
            return Err(malformed("illegal tag 0 (wire type 0)"));
        }
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| unexpected_end())?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(malformed(&format!("illegal wireType {other}"))),
        };
        Ok(Some((tag, value)))
    }

    pub(super) fn varint(&mut self) -> Result<u64, Error> {
        let mut out = 0_u64;
        for (index, byte) in self.rest.iter().enumerate().take(10) {
            out |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Ok(out);
            }
        }
        Err(if self.rest.len() < 10 { unexpected_end() } else { malformed("integer overflow") })
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(unexpected_end)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(N)?.try_into().map_err(|_| unexpected_end())
    }
}

/// The last value of one length-delimited field.
pub(super) fn single(bytes: &[u8], wanted: u32) -> Result<Option<&[u8]>, Error> {
    let mut out = None;
    let mut reader = Reader::new(bytes);
    while let Some((tag, value)) = reader.next()? {
        if let (true, Wire::Bytes(bytes)) = (tag == wanted, value) {
            out = Some(bytes);
        }
    }
    Ok(out)
}

fn malformed(what: &str) -> Error {
    Error::Type(format!("proto: {what}"))
}

fn unexpected_end() -> Error {
    Error::Type("unexpected EOF".to_owned())
}
