//! Carrying a question to a server and an answer back: by UDP, and by TCP when the answer was cut (RFC 7766).

use super::question::{Match, Question};
use hickory_proto::op::Message;
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

/// Room for one datagram, bytes: more than the question allows, for servers that do not care.
pub(crate) const DATAGRAM_MOST: usize = 4096;

/// Asks until an answer comes; messages that are no answer to this question are ignored.
///
/// # Errors
/// The socket's, or [`io::ErrorKind::InvalidData`] for an answer that is not DNS.
pub(crate) async fn ask(question: &Question, server: SocketAddr) -> io::Result<Box<Message>> {
    let answer = by_udp(question, server).await?;
    if answer.metadata.truncation { by_tcp(question, server).await } else { Ok(answer) }
}

/// A socket with a source port of its own, chosen by the system at random, that takes nothing but what `server`
/// sends, and is told when the server's port is closed.
pub(crate) async fn socket(server: SocketAddr) -> io::Result<UdpSocket> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(server).await?;
    Ok(socket)
}

async fn by_udp(question: &Question, server: SocketAddr) -> io::Result<Box<Message>> {
    let socket = socket(server).await?;
    socket.send(&question.bytes).await?;
    let mut buffer = [0; DATAGRAM_MOST];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match question.read(&buffer[..length]) {
            Match::Answer(answer) => return Ok(answer),
            Match::Foreign => {}
            Match::Broken(why) => return Err(io::Error::new(io::ErrorKind::InvalidData, why)),
        }
    }
}

async fn by_tcp(question: &Question, server: SocketAddr) -> io::Result<Box<Message>> {
    let mut socket = TcpStream::connect(server).await?;
    let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let length = u16::try_from(question.bytes.len()).map_err(|_| bad("the question is too long".into()))?;
    socket.write_all(&[&length.to_be_bytes()[..], &question.bytes].concat()).await?;
    let length = socket.read_u16().await?;
    let mut bytes = vec![0; length.into()];
    socket.read_exact(&mut bytes).await?;
    match question.read(&bytes) {
        Match::Answer(answer) => Ok(answer),
        Match::Foreign => Err(bad("it answered another question".into())),
        Match::Broken(why) => Err(bad(why)),
    }
}
