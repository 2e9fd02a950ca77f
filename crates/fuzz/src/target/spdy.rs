//! SPDY/3.1 frames of `exec`, `attach` and `port-forward`.
//!
//! Holds: frames are the same however their bytes are cut; the decoder holds no more than one frame.

use apiserver::http::spdy::{Decoder, Frame};
use bytes::BytesMut;

use super::{Target, check, kind};

pub(super) const TARGET: Target = Target {
    name: "spdy",
    samples,
    words: &["\u{0}\u{0}\u{0}", "streamtype", "stdin", "\u{7f}\u{7f}"],
    max: 200_000,
    attempt,
};

fn control(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("samples are short").to_be_bytes();
    let mut frame = vec![0x80, 3, 0, kind, flags, length[1], length[2], length[3]];
    frame.extend_from_slice(body);
    frame
}

/// A block of headers, deflated without being compressed: stored, after the head that asks for the
/// dictionary.
fn headers(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut text = u32::try_from(pairs.len()).unwrap_or_default().to_be_bytes().to_vec();
    for word in pairs.iter().flat_map(|(name, value)| [name, value]) {
        text.extend(u32::try_from(word.len()).unwrap_or_default().to_be_bytes());
        text.extend_from_slice(word.as_bytes());
    }
    let length = u16::try_from(text.len()).unwrap_or_default();
    let mut block = vec![0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2, 0];
    block.extend(length.to_le_bytes());
    block.extend((!length).to_le_bytes());
    block.extend(text);
    // An empty stored block ends what belongs to this frame.
    block.extend([0, 0, 0, 0xff, 0xff]);
    block
}

fn samples() -> Vec<Vec<u8>> {
    let mut open = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    open.extend(headers(&[("streamtype", "stdin"), ("port", "8080")]));
    let mut all = control(1, 0, &open);
    all.extend([0, 0, 0, 1, 0, 0, 0, 5]);
    all.extend(b"hello");
    all.extend(control(6, 0, &[0, 0, 0, 2]));
    all.extend(control(4, 0, &[0, 0, 0, 1, 0, 0, 0, 7, 0, 1, 0, 0]));
    all.extend(control(9, 0, &[0, 0, 0, 1, 0, 1, 0, 0]));
    all.extend([0, 0, 0, 1, 1, 0, 0, 0]);
    all.extend(control(3, 0, &[0, 0, 0, 1, 0, 0, 0, 5]));
    all.extend(control(7, 0, &[0, 0, 0, 1, 0, 0, 0, 0]));
    vec![all, control(1, 1, &open), control(2, 0, &open[..4]), control(8, 0, &open)]
}

/// The frames of `input`, which comes in pieces of `size`, with the parts of data put together.
fn frames(input: &[u8], size: usize) -> Result<(Vec<Frame>, String), String> {
    let (mut decoder, mut bytes, mut frames) =
        (Decoder::new(), BytesMut::new(), Vec::<Frame>::new());
    for piece in input.chunks(size.max(1)) {
        bytes.extend_from_slice(piece);
        loop {
            match decoder.next(&mut bytes) {
                Ok(Some(frame)) => push(&mut frames, frame),
                Ok(None) => break,
                Err(error) => return Ok((frames, error.to_string())),
            }
        }
        check(bytes.len() <= 70_000 + size, || format!("holds {} bytes", bytes.len()))?;
    }
    Ok((frames, String::new()))
}

fn push(frames: &mut Vec<Frame>, frame: Frame) {
    if let (Some(Frame::Data { id, bytes, fin }), Frame::Data { id: next, bytes: more, fin: last }) =
        (frames.last_mut(), &frame)
        && id == next
        && !*fin
        && !bytes.is_empty()
    {
        *bytes = [&bytes[..], &more[..]].concat().into();
        *fin = *last;
        return;
    }
    frames.push(frame);
}

fn attempt(input: &[u8]) -> Result<String, String> {
    let (whole, error) = frames(input, input.len())?;
    let (parted, parted_error) = frames(input, 7)?;
    check(error == parted_error, || format!("{error:?} in one piece, {parted_error:?} in many"))?;
    // Empty data may stand alone or follow: only what they carry counts.
    let carried = |frames: &[Frame]| -> Vec<u8> {
        let data = frames.iter().filter_map(|frame| match frame {
            Frame::Data { bytes, .. } => Some(&bytes[..]),
            _ => None,
        });
        data.flatten().copied().collect()
    };
    check(carried(&whole) == carried(&parted), || "data differs by its pieces".to_owned())?;
    let others = |frames: &[Frame]| {
        let control = frames.iter().filter(|frame| !matches!(frame, Frame::Data { .. }));
        control.cloned().collect::<Vec<_>>()
    };
    check(others(&whole) == others(&parted), || "frames differ by their pieces".to_owned())?;
    let kinds: Vec<_> = whole.iter().take(8).map(|frame| kind(&format!("{frame:?}"))).collect();
    Ok(format!("{kinds:?}{error}"))
}
