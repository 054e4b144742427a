//! Systems whose kernels are not asked for stamps.

use super::RawReceived;
use crate::packet::Stamp;
use socket2::Socket as Raw;
use std::{io, net::UdpSocket};

pub(super) fn enable_stamps(_: &UdpSocket) -> bool {
    false
}

pub(super) fn report_ttl(_: &UdpSocket) {}

pub(super) fn set_class_v6(_: &Raw, _class: u32) -> io::Result<()> {
    Ok(())
}

pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<RawReceived> {
    let (len, from) = socket.recv_from(buffer)?;
    Ok(RawReceived { len, from, stamp: None, ttl: None })
}

pub(super) fn left(_: &UdpSocket) -> Option<(u32, Stamp)> {
    None
}
