//! The WebSocket check (RFC 6455): a handshake, and a message each way where that is asked for.
//!
//! `http://` means `ws`, `https://` means `wss`. The handshake is `send` and `wait`, as for any HTTP request; the
//! messages are `transfer`.

use super::{
    crew::Stamped,
    dial::{self, Line, Socket},
    evidence,
    fault::Fault,
    prepare::{Prepared, prepare},
    record::{Phase, Recorder},
    way::Way,
    words,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Uri, header};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};
use url::Position;
use wire::{
    assignment::{Request, WebSocket},
    sample::FailClass,
};

/// The longest message that is accepted, bytes.
const MESSAGE_MOST: usize = 64 * 1024;
/// How many messages without content (pings, say) may come before the first with content.
const CONTROL_MOST: usize = 100;
/// WebSocket begins as HTTP/1.1.
const ALPN: dial::Alpn = &["http/1.1"];

type Stream = WebSocketStream<Stamped<Box<dyn Socket>>>;

/// Reads the configuration, with the secrets in it.
///
/// # Errors
/// [`FailClass::Request`] when a part of it cannot be sent as written.
pub(super) fn ready(
    check: &WebSocket,
    url: &str,
    traceparent: &str,
) -> Result<(Prepared, Vec<String>), Fault> {
    let request = Request {
        method: "GET".into(),
        path: check.path.clone(),
        headers: check.headers.clone(),
        body: None,
        expect: Default::default(),
    };
    let prepared = prepare(&request, url, traceparent, |_| None)?;
    let secrets = evidence::secrets(&prepared);
    Ok((prepared, secrets))
}

/// Connects, shakes hands, and exchanges messages.
pub(super) async fn check(
    check: &WebSocket,
    prepared: &Prepared,
    nonce: [u8; 16],
    way: &Way<'_>,
    recorder: &Recorder,
) -> Result<(), Fault> {
    let line = dial::line(&prepared.to, prepared.secure.then_some(ALPN), way, recorder).await?;
    let mut stream = open(line, prepared, nonce, recorder).await?;
    if check.send.is_some() || check.expect.is_some() {
        recorder.enter(Phase::Transfer);
    }
    if let Some(text) = &check.send {
        stream.send(Message::text(text.as_str())).await.map_err(|error| broken(error, recorder))?;
    }
    if let Some(text) = &check.expect {
        recorder.note(|record| record.awaited = Some(format!("message with {}", words::quote(text))));
        expect(&mut stream, text, recorder).await?;
    }
    // Says goodbye and does not wait for an answer: what was to be measured is over.
    let _best_effort = stream.close(None).await;
    Ok(())
}

/// The handshake: phases `send` and `wait`.
async fn open(
    line: Line,
    prepared: &Prepared,
    nonce: [u8; 16],
    recorder: &Recorder,
) -> Result<Stream, Fault> {
    recorder.enter(Phase::Send);
    recorder.arm();
    let request = request(prepared, nonce)?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_MOST))
        .max_frame_size(Some(MESSAGE_MOST))
        .read_buffer_size(MESSAGE_MOST)
        .write_buffer_size(0);
    let socket = Stamped::new(line.socket, recorder.clone());
    let opened = client_async_with_config(request, socket, Some(limits)).await;
    let (stream, answer) = opened.map_err(|error| broken(error, recorder))?;
    recorder.note(|record| {
        record.status = Some(answer.status().as_u16());
        record.headers = answer.headers().clone();
    });
    Ok(stream)
}

/// The handshake's request. What the protocol needs replaces what the check says.
fn request(prepared: &Prepared, nonce: [u8; 16]) -> Result<http::Request<()>, Fault> {
    let refuse = |error: http::Error| Fault::request(format!("the request cannot be sent: {error}"));
    let (mut head, _) = prepared.to_http(false, false)?.into_parts();
    head.uri = Uri::builder()
        .scheme(if prepared.secure { "wss" } else { "ws" })
        .authority(prepared.authority.as_str())
        .path_and_query(&prepared.url[Position::BeforePath..Position::AfterQuery])
        .build()
        .map_err(refuse)?;
    let key = HeaderValue::from_str(&STANDARD.encode(nonce)).map_err(|error| refuse(error.into()))?;
    head.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    head.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    head.headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    head.headers.insert(header::SEC_WEBSOCKET_KEY, key);
    Ok(http::Request::from_parts(head, ()))
}

/// Waits for the first message with content; it must contain `text`.
async fn expect(stream: &mut Stream, text: &str, recorder: &Recorder) -> Result<(), Fault> {
    let wanted = words::quote(text);
    for _ in 0..CONTROL_MOST {
        let message = match stream.next().await {
            Some(message) => message.map_err(|error| broken(error, recorder))?,
            None => return Err(closed(&wanted, None)),
        };
        let said = match message {
            Message::Text(_) | Message::Binary(_) => message.into_data(),
            Message::Close(frame) => return Err(closed(&wanted, frame.as_ref())),
            _ => continue,
        };
        let seen = String::from_utf8_lossy(&said).into_owned();
        recorder.note(|record| record.body = said.into());
        if seen.contains(text) {
            return Ok(());
        }
        let seen = words::quote(&seen);
        return Err(Fault::assertion(format!("expected a message with {wanted}, the first one is {seen}")));
    }
    Err(Fault::assertion(format!("expected a message with {wanted}, saw {CONTROL_MOST} without any content")))
}

fn closed(wanted: &str, frame: Option<&tungstenite::protocol::CloseFrame>) -> Fault {
    let why = frame.map_or_else(String::new, |frame| {
        let reason = words::line(&frame.reason, 60);
        format!(" (code {}{}{reason})", u16::from(frame.code), if reason.is_empty() { "" } else { ": " })
    });
    Fault::assertion(format!("expected a message with {wanted}, the server closed the connection{why}"))
}

/// What a failed handshake or a broken connection says.
fn broken(error: tungstenite::Error, recorder: &Recorder) -> Fault {
    match error {
        tungstenite::Error::Http(answer) => {
            let status = answer.status();
            let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
            let (head, body) = answer.into_parts();
            recorder.note(|record| {
                record.status = Some(status.as_u16());
                record.headers = head.headers;
                record.body = body.unwrap_or_default();
                record.body.truncate(super::MAX_BODY);
            });
            let summary = format!("expected status 101, saw {}{reason}", status.as_u16());
            Fault::new(FailClass::Status, summary)
        }
        tungstenite::Error::Io(error) => Fault::lost("", &error),
        tungstenite::Error::Capacity(error) => {
            Fault::new(FailClass::Protocol, format!("the server's message is beyond the limit: {error}"))
        }
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => {
            Fault::new(FailClass::Protocol, "the server closed the connection")
        }
        other => Fault::new(FailClass::Protocol, format!("the answer is not valid WebSocket: {other}")),
    }
}
