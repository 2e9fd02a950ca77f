//! Header blocks: names and values, deflated with the dictionary that both sides know.
//!
//! Invariant: one direction of a connection has one stream of deflated data; every block must be
//! unpacked, wanted or not.

use std::collections::BTreeMap;

use bytes::{Buf as _, BufMut as _};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Names and values; names are in lower case.
pub(crate) type Headers = BTreeMap<String, String>;

/// The most that one block may unpack to.
pub(super) const MAX_HEADERS: usize = 64 * 1024;

/// Names that the dictionary begins with, each preceded by its length.
const NAMES: &str = "options head post put delete trace accept accept-charset accept-encoding \
    accept-language accept-ranges age allow authorization cache-control connection content-base \
    content-encoding content-language content-length content-location content-md5 content-range \
    content-type date etag expect expires from host if-match if-modified-since if-none-match \
    if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate \
    proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
    user-agent vary via warning www-authenticate method get status";
/// More of them, of which one has a space in it.
const MORE_NAMES: [&str; 8] =
    ["200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"];
/// What the dictionary ends with.
const TEXTS: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416\
    417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad \
    Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not \
    Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 \
    Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,\
    application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,\
    deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// Why a block cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("header block that is not deflated as agreed")]
    Deflate,
    #[error("header block of more than {MAX_HEADERS} bytes")]
    TooLarge,
    #[error("header block that ends early")]
    Short,
}

fn dictionary() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1423);
    for name in NAMES.split(' ').chain(MORE_NAMES) {
        put_text(&mut bytes, name);
    }
    bytes.extend_from_slice(TEXTS.as_bytes());
    bytes
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
    bytes.extend_from_slice(text.as_bytes());
}

/// Unpacks the blocks of one direction.
#[derive(Debug)]
pub(super) struct Inflater {
    inflate: Decompress,
}

impl Inflater {
    pub(super) fn new() -> Self {
        Self { inflate: Decompress::new(true) }
    }

    pub(super) fn unpack(&mut self, block: &[u8]) -> Result<Headers, Error> {
        parse(&self.inflate(block)?)
    }

    fn inflate(&mut self, mut block: &[u8]) -> Result<Vec<u8>, Error> {
        let mut text = Vec::with_capacity(1024);
        while !block.is_empty() || text.len() == text.capacity() {
            if text.len() > MAX_HEADERS {
                return Err(Error::TooLarge);
            }
            if text.len() == text.capacity() {
                text.reserve(text.len());
            }
            let before = self.inflate.total_in();
            let written = text.len();
            let result = self.inflate.decompress_vec(block, &mut text, FlushDecompress::Sync);
            let read = usize::try_from(self.inflate.total_in() - before).unwrap_or(block.len());
            block = block.get(read..).ok_or(Error::Deflate)?;
            match result {
                Ok(Status::StreamEnd) if !block.is_empty() => return Err(Error::Deflate),
                Ok(_) if read == 0 && text.len() == written => break,
                Ok(_) => {}
                Err(error) if error.needs_dictionary().is_some() => {
                    let set = self.inflate.set_dictionary(&dictionary());
                    set.map_err(|_| Error::Deflate)?;
                }
                Err(_) => return Err(Error::Deflate),
            }
        }
        if text.len() > MAX_HEADERS { Err(Error::TooLarge) } else { Ok(text) }
    }
}

fn parse(mut text: &[u8]) -> Result<Headers, Error> {
    let mut headers = Headers::new();
    let count = take_number(&mut text)?;
    for _ in 0..count {
        let name = take_text(&mut text)?;
        let value = take_text(&mut text)?;
        headers.insert(name.to_ascii_lowercase(), value);
    }
    Ok(headers)
}

fn take_number(text: &mut &[u8]) -> Result<u32, Error> {
    if text.len() < 4 { Err(Error::Short) } else { Ok(text.get_u32()) }
}

fn take_text(text: &mut &[u8]) -> Result<String, Error> {
    let length = take_number(text)? as usize;
    let (word, rest) = text.split_at_checked(length).ok_or(Error::Short)?;
    *text = rest;
    Ok(String::from_utf8_lossy(word).into_owned())
}

/// Packs the blocks of one direction.
#[derive(Debug)]
pub(super) struct Packer {
    deflate: Compress,
}

impl Packer {
    pub(super) fn new() -> Self {
        let mut deflate = Compress::new(Compression::default(), true);
        deflate.set_dictionary(&dictionary()).expect("a new stream takes a dictionary");
        Self { deflate }
    }

    pub(super) fn pack(&mut self, headers: &Headers) -> Vec<u8> {
        let mut text = Vec::new();
        text.put_u32(u32::try_from(headers.len()).unwrap_or(u32::MAX));
        for (name, value) in headers {
            put_text(&mut text, name);
            put_text(&mut text, value);
        }
        // Deflated data is never this much longer than the text.
        let mut block = Vec::with_capacity(text.len() + text.len() / 8 + 64);
        self.deflate
            .compress_vec(&text, &mut block, FlushCompress::Sync)
            .expect("deflating has no bad input");
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_the_one_of_the_standard() {
        let (mut low, mut high) = (1_u32, 0_u32);
        for byte in dictionary() {
            low = (low + u32::from(byte)) % 65521;
            high = (high + low) % 65521;
        }
        assert_eq!((dictionary().len(), high << 16 | low), (1423, 0xe3c6_a7c2));
    }

    #[test]
    fn blocks_of_one_connection_lean_on_each_other() {
        let (mut packer, mut inflater) = (Packer::new(), Inflater::new());
        for kind in ["error", "stdin", "stdout"] {
            let headers = Headers::from([("streamtype".to_owned(), kind.to_owned())]);
            assert_eq!(inflater.unpack(&packer.pack(&headers)), Ok(headers));
        }
        assert_eq!(inflater.unpack(&packer.pack(&Headers::new())), Ok(Headers::new()));
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut packer = Packer::new();
        let headers = Headers::from([("a".to_owned(), "x".repeat(10 * MAX_HEADERS))]);
        let mut block = Vec::with_capacity(1 << 20);
        let mut text = vec![0, 0, 0, 1];
        put_text(&mut text, "a");
        put_text(&mut text, &headers["a"]);
        packer.deflate.compress_vec(&text, &mut block, FlushCompress::Sync).unwrap();
        assert!(block.len() < 8192, "{}", block.len());
        assert_eq!(Inflater::new().unpack(&block), Err(Error::TooLarge));
    }
}
