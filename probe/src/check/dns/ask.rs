//! Carrying a question to the server and an answer back, by UDP or TCP.

use super::question::{Match, Question};
use crate::check::{
    dial,
    fault::Fault,
    record::{Phase, Recorder},
    tcp::lost,
};
use hickory_proto::op::Message;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UdpSocket,
};
use wire::sample::FailClass;

/// Room for one datagram, bytes: more than the question allows, for servers that do not care.
const DATAGRAM_MOST: usize = 4096;

/// Asks by UDP. Messages that are no answer are ignored until the run is cut.
pub(super) async fn by_udp(
    question: &Question,
    server: SocketAddr,
    recorder: &Recorder,
) -> Result<Box<Message>, Fault> {
    recorder.enter(Phase::Send);
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let failed = |error: std::io::Error| Fault::connect(server, &error);
    let socket = UdpSocket::bind(local).await.map_err(failed)?;
    // Connected, so that the system passes on only what comes from the server, and tells when its port is closed.
    socket.connect(server).await.map_err(failed)?;
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
