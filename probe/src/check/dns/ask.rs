//! Carrying a question to the server and an answer back, by UDP or TCP.

use crate::check::{
    dial,
    fault::Fault,
    record::{Phase, Recorder},
    tcp::lost,
};
use crate::net::resolve::{
    ask::{DATAGRAM_MOST, socket},
    question::{Match, Question},
};
use hickory_proto::op::Message;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::sample::FailClass;

/// Asks by UDP. Messages that are no answer are ignored until the run is cut.
pub(super) async fn by_udp(
    question: &Question,
    server: SocketAddr,
    recorder: &Recorder,
) -> Result<Box<Message>, Fault> {
    recorder.enter(Phase::Send);
    let failed = |error: std::io::Error| Fault::connect(server, &error);
    let socket = socket(server).await.map_err(failed)?;
    socket.send(&question.bytes).await.map_err(failed)?;
    recorder.enter(Phase::Wait);
    let mut buffer = [0; DATAGRAM_MOST];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(failed)?;
        match question.read(&buffer[..length]) {
            Match::Answer(answer) => return Ok(answer),
            Match::Foreign => {}
            Match::Broken(why) => return Err(broken(&why)),
        }
    }
}

/// Asks by TCP, where each message follows its length (RFC 1035, 4.2.2).
pub(super) async fn by_tcp(
    question: &Question,
    server: SocketAddr,
    recorder: &Recorder,
) -> Result<Box<Message>, Fault> {
    let mut socket = dial::connect(server, recorder).await?;
    recorder.enter(Phase::Send);
    let length =
        u16::try_from(question.bytes.len()).map_err(|_| Fault::request("the question is too long"))?;
    let framed = [&length.to_be_bytes()[..], &question.bytes].concat();
    socket.write_all(&framed).await.map_err(|error| lost("while sending", &error))?;
    recorder.enter(Phase::Wait);
    let waiting = |error: std::io::Error| lost("while waiting", &error);
    let length = socket.read_u16().await.map_err(waiting)?;
    let mut bytes = vec![0; length.into()];
    socket.read_exact(&mut bytes).await.map_err(waiting)?;
    match question.read(&bytes) {
        Match::Answer(answer) => Ok(answer),
        Match::Foreign => Err(Fault::new(FailClass::Protocol, "the server answered another question")),
        Match::Broken(why) => Err(broken(&why)),
    }
}

fn broken(why: &str) -> Fault {
    Fault::new(FailClass::Protocol, format!("the answer is not valid DNS: {why}"))
}
