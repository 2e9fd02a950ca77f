//! What clients of channels and tunnels see.

use super::*;

const BINARY: Format = Format { base64: false, close: true };
const BASE64: Format = Format { base64: true, close: false };

#[test]
fn messages_name_their_channel() {
    let parse = |format, bytes: &'static [u8]| parse(format, &Bytes::from_static(bytes));
    let data = |channel, bytes: &'static [u8]| Piece::Data(channel, Bytes::from_static(bytes));
    assert_eq!(parse(BINARY, b"\x00hi"), Some(data(0, b"hi")));
    assert_eq!(parse(BINARY, b"\xff\x00"), Some(Piece::Close(0)));
    assert_eq!(parse(BINARY, b"\xff"), None);
    assert_eq!(parse(BINARY, b""), None);
    assert_eq!(parse(BASE64, b"0aGk="), Some(data(0, b"hi")));
    assert_eq!(parse(BASE64, b"0***"), None);
    assert_eq!(parse(BASE64, b"\x00aGk="), None);
}

type Client = WebSocketStream<DuplexStream>;

/// A client of a server that sends channel 0 back on channel 1 until the client ends it.
async fn client(format: Format) -> Client {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let echo = |channels: Vec<Channel>| async move {
        let mut channels = channels.into_iter();
        let (Some(mut from), Some(mut to)) = (channels.next(), channels.next()) else { return };
        while let Some(bytes) = from.inlet.next().await {
            if to.outlet.send(bytes).await.is_err() {
                return;
            }
        }
    };
    world::edge::spawn(serve(far, format, 2, echo));
    WebSocketStream::from_raw_socket(near, Role::Client, None).await
}

async fn next(client: &mut Client) -> Message {
    client.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn both_kinds_of_frames_are_taken_and_the_end_is_normal() {
    let mut client = client(BINARY).await;
    client.send(Message::binary(&b"\x00one"[..])).await.unwrap();
    assert_eq!(next(&mut client).await, Message::binary(&b"\x01one"[..]));
    client.send(Message::text("\0two")).await.unwrap();
    assert_eq!(next(&mut client).await, Message::binary(&b"\x01two"[..]));
    client.send(Message::Ping(Bytes::from_static(b"p"))).await.unwrap();
    assert_eq!(next(&mut client).await, Message::Pong(Bytes::from_static(b"p")));
    // A channel that is not there, and an empty message, harm nothing.
    client.send(Message::binary(&b"\x09x"[..])).await.unwrap();
    client.send(Message::binary(&b""[..])).await.unwrap();
    client.send(Message::binary(&b"\xff\x00"[..])).await.unwrap();
    let Message::Close(Some(frame)) = next(&mut client).await else { panic!("no close") };
    assert_eq!(frame.code, CloseCode::Normal);
}

#[tokio::test]
async fn base64_answers_are_text() {
    let mut client = client(BASE64).await;
    client.send(Message::text("0aGk=")).await.unwrap();
    assert_eq!(next(&mut client).await, Message::text("1aGk="));
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_the_connection() {
    let mut client = client(BINARY).await;
    // The server may stop listening before all of it is sent.
    client.send(Message::binary(vec![0; MAX_MESSAGE + 1])).await.ok();
    while let Some(Ok(message)) = client.next().await {
        assert!(!matches!(message, Message::Binary(_)), "{} bytes", message.len());
    }
}

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways() {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (mut inside, outside) = tokio::io::duplex(64 * 1024);
    let tunnel = world::edge::spawn(tunnel(far, outside));
    let mut client = WebSocketStream::from_raw_socket(near, Role::Client, None).await;
    client.send(Message::binary(&b"in"[..])).await.unwrap();
    let mut bytes = [0; 2];
    inside.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"in");
    inside.write_all(b"out").await.unwrap();
    assert_eq!(next(&mut client).await, Message::binary(&b"out"[..]));
    client.close(None).await.unwrap();
    assert_eq!(inside.read(&mut bytes).await.unwrap(), 0);
    drop(inside);
    tunnel.await.unwrap();
}
