//! A connection that remembers the first bytes it received: when they are no TLS, a person wants to know what they
//! are.

use super::words;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How much is remembered, bytes.
const MOST: usize = 48;

/// The connection under TLS.
#[derive(Debug)]
pub(super) struct Opening {
    socket: TcpStream,
    heard: [u8; MOST],
    length: usize,
}

impl Opening {
    pub(super) fn new(socket: TcpStream) -> Opening {
        Opening { socket, heard: [0; MOST], length: 0 }
    }

    /// The first line, in quotation marks, when it is text.
    pub(super) fn text(&self) -> Option<String> {
        let heard = &self.heard[..self.length];
        let line = heard.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
        let readable = line.len() >= 3 && line.iter().all(|byte| (b' '..=b'~').contains(byte));
        readable.then(|| words::quote(&String::from_utf8_lossy(line)))
    }
}

impl AsyncRead for Opening {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.socket).poll_read(context, buffer);
        if this.length < MOST {
            let new = &buffer.filled()[before..];
            let kept = new.len().min(MOST - this.length);
            this.heard[this.length..this.length + kept].copy_from_slice(&new[..kept]);
            this.length += kept;
        }
        polled
    }
}

impl AsyncWrite for Opening {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(context)
    }
}
