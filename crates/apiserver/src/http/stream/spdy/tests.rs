//! What peers may send, in any pieces and however broken, and what they get back.

use bytes::BufMut as _;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::DuplexStream;

use super::header_block::Packer;
use super::*;

/// A peer that opens streams.
struct Peer {
    packer: Packer,
    decoder: Decoder,
    bytes: BytesMut,
}

impl Peer {
    fn new() -> Self {
        Self { packer: Packer::new(), decoder: Decoder::new(), bytes: BytesMut::new() }
    }

    fn syn(&mut self, id: u32, kind: &str) -> Vec<u8> {
        let headers = Headers::from([("streamtype".to_owned(), kind.to_owned())]);
        let block = self.packer.pack(&headers);
        let mut frame = head(1, 10 + block.len());
        frame.put_u32(id);
        frame.put_slice(&[0; 6]);
        frame.put_slice(&block);
        frame
    }

    /// The next frame from the server that is not a window's update.
    async fn next(&mut self, io: &mut DuplexStream) -> Option<Frame> {
        loop {
            match self.decoder.next(&mut self.bytes).unwrap() {
                Some(Frame::WindowUpdate { .. }) => {}
                Some(frame) => return Some(frame),
                None if io.read_buf(&mut self.bytes).await.unwrap() == 0 => return None,
                None => {}
            }
        }
    }
}

fn head(kind: u16, length: usize) -> Vec<u8> {
    let mut frame = vec![0x80, 3];
    frame.put_u16(kind);
    frame.put_u32(u32::try_from(length).unwrap());
    frame
}

fn pair(kind: u16, words: &[u32]) -> Vec<u8> {
    let mut frame = head(kind, 4 * words.len());
    words.iter().for_each(|word| frame.put_u32(*word));
    frame
}

fn data(id: u32, bytes: &[u8], fin: bool) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.put_u32(id);
    frame.put_u32(u32::from(fin) << 24 | u32::try_from(bytes.len()).unwrap());
    frame.put_slice(bytes);
    frame
}

/// Every stream gives back what it gets.
async fn echo(mut streams: mpsc::Receiver<Stream>) {
    let mut running = futures_util::stream::FuturesUnordered::new();
    loop {
        tokio::select! {
            stream = streams.recv() => {
                let Some(Stream { mut inlet, mut outlet, .. }) = stream else { return };
                running.push(async move {
                    while let Some(bytes) = inlet.next().await {
                        if outlet.send(bytes).await.is_err() {
                            return;
                        }
                    }
                    outlet.end().await;
                });
            }
            Some(()) = futures_util::StreamExt::next(&mut running) => {}
        }
    }
}

/// A server that echoes, and the way to it.
fn server() -> DuplexStream {
    let (near, far) = tokio::io::duplex(256 * 1024);
    world::edge::spawn(serve(far, echo));
    near
}

fn text(id: u32, text: &'static str, fin: bool) -> Option<Frame> {
    Some(Frame::Data { id, bytes: Bytes::from_static(text.as_bytes()), fin })
}

#[tokio::test]
async fn streams_run_side_by_side() {
    let (mut io, mut peer) = (server(), Peer::new());
    for id in [1, 3] {
        io.write_all(&peer.syn(id, "data")).await.unwrap();
        assert_eq!(peer.next(&mut io).await, Some(Frame::Other), "the reply");
    }
    io.write_all(&data(3, b"three", false)).await.unwrap();
    assert_eq!(peer.next(&mut io).await, text(3, "three", false));
    io.write_all(&data(1, b"one", true)).await.unwrap();
    assert_eq!(peer.next(&mut io).await, text(1, "one", false));
    assert_eq!(peer.next(&mut io).await, text(1, "", true));
    io.write_all(&pair(6, &[7])).await.unwrap();
    assert_eq!(peer.next(&mut io).await, Some(Frame::Ping(7)));
    // Unknown streams and answers to nothing are passed over.
    io.write_all(&[data(99, b"x", true), pair(3, &[41, 1]), pair(6, &[2])].concat()).await.unwrap();
    io.write_all(&data(3, b"", true)).await.unwrap();
    assert_eq!(peer.next(&mut io).await, text(3, "", true));
}

#[tokio::test]
async fn a_peers_window_is_kept_once_it_has_one() {
    let (mut io, mut peer) = (server(), Peer::new());
    // SETTINGS: initial window of 10 bytes.
    io.write_all(&pair(4, &[1, 7, 10])).await.unwrap();
    io.write_all(&peer.syn(1, "data")).await.unwrap();
    io.write_all(&data(1, b"0123456789abcdef", true)).await.unwrap();
    assert_eq!(peer.next(&mut io).await, Some(Frame::Other));
    assert_eq!(peer.next(&mut io).await, text(1, "0123456789", false));
    io.write_all(&pair(6, &[1])).await.unwrap();
    assert_eq!(peer.next(&mut io).await, Some(Frame::Ping(1)), "nothing in between");
    io.write_all(&pair(9, &[1, 4])).await.unwrap();
    assert_eq!(peer.next(&mut io).await, text(1, "abcd", false));
    io.write_all(&pair(9, &[1, 100])).await.unwrap();
    assert_eq!(peer.next(&mut io).await, text(1, "ef", false));
    assert_eq!(peer.next(&mut io).await, text(1, "", true));
}

#[tokio::test]
async fn broken_frames_end_the_connection() {
    let twice = |peer: &mut Peer| [peer.syn(5, "a"), peer.syn(5, "b")].concat();
    let even = |peer: &mut Peer| peer.syn(2, "a");
    let version = |_: &mut Peer| vec![0x80, 9, 0, 1, 0, 0, 0, 0];
    let long = |_: &mut Peer| head(1, 0x00ff_ffff);
    let short = |_: &mut Peer| head(9, 0);
    let rubbish = |_: &mut Peer| [head(2, 20), vec![0xa5; 20]].concat();
    let cases: [fn(&mut Peer) -> Vec<u8>; 6] = [twice, even, version, long, short, rubbish];
    for case in cases {
        let (mut io, mut peer) = (server(), Peer::new());
        let bytes = case(&mut peer);
        io.write_all(&bytes).await.unwrap();
        while peer.next(&mut io).await.is_some() {}
    }
}

#[tokio::test]
async fn too_many_streams_are_refused() {
    let (mut io, mut peer) = (server(), Peer::new());
    for index in 0..=u32::try_from(MAX_STREAMS).unwrap() {
        let id = 2 * index + 1;
        io.write_all(&peer.syn(id, "data")).await.unwrap();
        let expected =
            if index as usize == MAX_STREAMS { Frame::Reset { id } } else { Frame::Other };
        assert_eq!(peer.next(&mut io).await, Some(expected));
    }
}

#[tokio::test]
async fn who_does_not_read_is_not_read_from() {
    let (mut io, mut peer) = (server(), Peer::new());
    io.write_all(&peer.syn(1, "data")).await.unwrap();
    let piece = data(1, &vec![0; 64 * 1024], false);
    let mut written = 0;
    while let Some(sent) =
        world::edge::timeout(Duration::from_millis(300), io.write_all(&piece)).await
    {
        sent.unwrap();
        written += piece.len();
        assert!(written < 16 * 1024 * 1024, "the server takes {written} bytes that nobody reads");
    }
}

/// All frames of `bytes` in pieces of the sizes given, data frames of one stream put together.
fn frames(bytes: &[u8], sizes: &[usize]) -> (Vec<Frame>, bool) {
    let (mut decoder, mut buffer, mut all) = (Decoder::new(), BytesMut::new(), Vec::new());
    let mut rest = bytes;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        rest = after;
        buffer.extend_from_slice(piece);
        loop {
            match decoder.next(&mut buffer) {
                Ok(Some(frame)) => join(&mut all, frame),
                Ok(None) => break,
                Err(_) => return (all, true),
            }
        }
    }
    (all, false)
}

fn join(all: &mut Vec<Frame>, frame: Frame) {
    if let (Some(Frame::Data { id, bytes, fin }), Frame::Data { id: next, bytes: more, fin: end }) =
        (all.last_mut(), &frame)
        && id == next
        && !*fin
    {
        *bytes = [&bytes[..], more].concat().into();
        *fin = *end;
        return;
    }
    all.push(frame);
}

fn a_frame() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (1..20_u32, "[a-z]{0,12}").prop_map(|(id, kind)| Peer::new().syn(id, &kind)),
        (0..5_u32, vec(any::<u8>(), 0..50), any::<bool>())
            .prop_map(|(id, bytes, fin)| data(id, &bytes, fin)),
        (2..12_u16, vec(any::<u32>(), 0..5)).prop_map(|(kind, words)| pair(kind, &words)),
        (0..12_u16, vec(any::<u8>(), 0..40)).prop_map(|(kind, rest)| [
            head(kind, rest.len()),
            rest
        ]
        .concat()),
        vec(any::<u8>(), 0..30),
    ]
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_mean_the_same(
        frames_in in vec(a_frame(), 0..8),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        sizes in vec(1..40_usize, 1..6),
    ) {
        let mut bytes = frames_in.concat();
        for (index, byte) in flips {
            if !bytes.is_empty() {
                let place = index.index(bytes.len());
                bytes[place] ^= byte;
            }
        }
        let whole = frames(&bytes, &[usize::MAX]);
        prop_assert_eq!(whole, frames(&bytes, &sizes));
    }
}
