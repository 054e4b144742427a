//! Stamps by Linux: `SO_TIMESTAMPING` (Documentation/networking/timestamping.rst of the kernel).

use super::RawReceived;
use crate::packet::Stamp;
use nix::{
    cmsg_space,
    libc::sock_extended_err,
    sys::{
        socket::{
            ControlMessageOwned, MsgFlags, SockaddrStorage, TimestampingFlag as Flag, Timestamps, recvmsg,
            setsockopt, sockopt,
        },
        time::TimeSpec,
    },
};
use socket2::Socket as Raw;
use std::{
    io::{self, IoSliceMut},
    net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    os::fd::AsRawFd,
};

/// The origin of what the error queue tells about packets that left (`SO_EE_ORIGIN_TIMESTAMPING`, linux/errqueue.h).
const ORIGIN_TIMESTAMPING: u8 = 4;

/// Asks for stamps of packets that arrive and leave; the kernel counts those that leave from 0 again. False when it
/// cannot.
pub(super) fn enable_stamps(socket: &UdpSocket) -> bool {
    let all = Flag::SOF_TIMESTAMPING_SOFTWARE
        | Flag::SOF_TIMESTAMPING_RX_SOFTWARE
        | Flag::SOF_TIMESTAMPING_TX_SOFTWARE
        | Flag::SOF_TIMESTAMPING_OPT_ID
        | Flag::SOF_TIMESTAMPING_OPT_TSONLY;
    // Turning it off first makes the count begin again.
    setsockopt(socket, sockopt::Timestamping, &Flag::empty())
        .and_then(|()| setsockopt(socket, sockopt::Timestamping, &all))
        .is_ok()
}

/// Asks for the TTL of packets that arrive. A socket for both families wants both; where it fails, TTLs are unknown.
pub(super) fn report_ttl(socket: &UdpSocket) {
    let _not_of_this_family = setsockopt(socket, sockopt::Ipv4RecvTtl, &true);
    let _not_of_this_family = setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true);
}

/// Sets the traffic class of packets that leave.
pub(super) fn set_class_v6(socket: &Raw, class: u32) -> io::Result<()> {
    socket.set_tclass_v6(class)
}

/// Takes a packet, if there is one.
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<RawReceived> {
    let mut control = cmsg_space!(Timestamps, i32);
    let mut parts = [IoSliceMut::new(buffer)];
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
    let (mut stamp, mut ttl) = (None, None);
    for said in message.cmsgs()? {
        match said {
            ControlMessageOwned::ScmTimestampsns(stamps) => stamp = taken(stamps.system),
            ControlMessageOwned::Ipv4Ttl(hops) | ControlMessageOwned::Ipv6HopLimit(hops) => {
                ttl = u8::try_from(hops).ok()
            }
            _ => {}
        }
    }
    let from = message.address.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
    Ok(RawReceived { len: message.bytes, from, stamp, ttl })
}

/// Takes what the kernel says of a packet that left: its place in the count, and when.
pub(super) fn left(socket: &UdpSocket) -> Option<(u32, Stamp)> {
    // Two addresses of the size of IPv6 are room for what the error queue adds.
    let mut control = cmsg_space!(Timestamps, sock_extended_err, SockaddrStorage, i32);
    loop {
        // The packets themselves are not given back, so there is nothing to read.
        let mut nothing = [0; 1];
        let mut parts = [IoSliceMut::new(&mut nothing)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags).ok()?;
        let (mut stamp, mut id) = (None, None);
        for said in message.cmsgs().ok()? {
            match said {
                ControlMessageOwned::ScmTimestampsns(stamps) => stamp = taken(stamps.system),
                ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                    id = (error.ee_origin == ORIGIN_TIMESTAMPING).then_some(error.ee_data);
                }
                _ => {}
            }
        }
        if let (Some(id), Some(stamp)) = (id, stamp) {
            return Some((id, stamp));
        }
    }
}

/// A stamp of the kernel; zero says that it took none.
fn taken(at: TimeSpec) -> Option<Stamp> {
    let ns = at.tv_sec().checked_mul(1_000_000_000)?.checked_add(at.tv_nsec())?;
    (ns > 0).then(|| Stamp::from_unix_ns(ns))
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4(SocketAddrV4::from(*v4)));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6))))
}
