//! The TCP check: is a connection accepted, and does the server say what it should?

use super::{
    dial::{self, Destination, Socket},
    fault::Fault,
    handshake,
    record::{Phase, Recorder},
    starttls,
    way::Way,
    words,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;
use wire::assignment::Tcp;

/// How much of what the server says is looked at, bytes.
const MAX_SAID: usize = 4096;

/// Connects to host and port of `url` and closes: phases `dns`, for a name, and `connect`; `send` and `wait` where
/// there is something to send or to expect, and `tls` where the connection turns to TLS.
pub(super) async fn check(tcp: &Tcp, url: &str, way: &Way<'_>, recorder: &Recorder) -> Result<(), Fault> {
    let to = Destination::of(&parse(url)?)?;
    let Some(protocol) = tcp.starttls else {
        let mut socket = dial::tcp(&to, way, recorder).await?;
        return talk(tcp, &mut socket, recorder).await;
    };
    let name = dial::name(&to, way.net)?;
    let mut socket = dial::tcp(&to, way, recorder).await?;
    starttls::ask(protocol, &mut socket, recorder).await?;
    let mut socket = handshake::secure(socket, name, &[], way.net, recorder).await?;
    talk(tcp, &mut socket, recorder).await
}

/// Sends and listens, in clear or inside TLS.
async fn talk(tcp: &Tcp, socket: &mut impl Socket, recorder: &Recorder) -> Result<(), Fault> {
    if let Some(text) = &tcp.send {
        recorder.enter(Phase::Send);
        let sent = async {
            socket.write_all(text.as_bytes()).await?;
            socket.flush().await
        };
        sent.await.map_err(|error| lost("while sending", &error))?;
    }
    match &tcp.expect {
        Some(text) => listen(socket, text, recorder).await,
        None => Ok(()),
    }
}

/// The endpoint as a URL.
pub(super) fn parse(url: &str) -> Result<Url, Fault> {
    Url::parse(url).map_err(|error| Fault::request(format!("the endpoint is not a URL: {error}")))
}

/// Reads until `text` was said: phase `wait`.
async fn listen(socket: &mut impl Socket, text: &str, recorder: &Recorder) -> Result<(), Fault> {
    recorder.enter(Phase::Wait);
    recorder.note(|record| record.awaited = Some(words::quote(text)));
    let mut buffer = [0; MAX_SAID];
    let mut length = 0;
    loop {
        if find(&buffer[..length], text.as_bytes()) {
            return Ok(());
        }
        let text = words::quote(text);
        if length == MAX_SAID {
            let why = "not in its first 4096 bytes, the rest was not read";
            return Err(Fault::assertion(format!("expected the server to say {text}: {why}")));
        }
        let read = socket.read(&mut buffer[length..]).await.map_err(|error| lost("while waiting", &error))?;
        if read == 0 {
            let said = words::quote(&String::from_utf8_lossy(&buffer[..length]));
            let said = if length == 0 { "nothing" } else { &said };
            return Err(Fault::assertion(format!(
                "expected the server to say {text}: it said {said} and closed the connection"
            )));
        }
        recorder.note(|record| record.body.extend_from_slice(&buffer[length..length + read]));
        length += read;
    }
}

/// Whether `wanted` is a part of `said`. Both are short: the search is allowed to be simple.
fn find(said: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || said.windows(wanted.len()).any(|part| part == wanted)
}

/// The connection was there and broke.
pub(super) fn lost(when: &str, error: &std::io::Error) -> Fault {
    Fault::lost(&format!(" {when}"), error)
}
