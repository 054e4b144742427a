//! What the system knows of a TCP connection (Linux `TCP_INFO`): lost segments and the least round trip.

use std::os::fd::AsFd;

/// What is told of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TcpFacts {
    /// Segments sent again since the connection was opened (`tcpi_total_retrans`).
    pub(crate) retransmits: u32,
    /// The least round trip seen, microseconds (`tcpi_min_rtt`); absent where none was seen yet.
    pub(crate) min_rtt_us: Option<u32>,
}

#[cfg(target_os = "linux")]
mod linux {
    use nix::{getsockopt_impl, libc, sockopt_impl};

    /// The beginning of `struct tcp_info` (linux/tcp.h), which only ever grew; up to `tcpi_min_rtt`, Linux 4.6.
    #[derive(Debug, Clone, Copy)]
    #[repr(C)]
    pub struct TcpInfo {
        _states: [u8; 8],
        _timers_and_losses: [u32; 23],
        pub total_retrans: u32,
        _rates_and_bytes: [u64; 4],
        _segments: [u32; 3],
        pub min_rtt: u32,
    }

    sockopt_impl!(
        /// Reads it.
        GetTcpInfo,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        TcpInfo
    );
}

/// Asks the system; nothing where it does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn read(socket: &impl AsFd) -> Option<TcpFacts> {
    let info = nix::sys::socket::getsockopt(socket, linux::GetTcpInfo).ok()?;
    // The kernel's way to say that it has seen no round trip is the largest number.
    let min_rtt_us = Some(info.min_rtt).filter(|us| *us != u32::MAX && *us != 0);
    Some(TcpFacts { retransmits: info.total_retrans, min_rtt_us })
}

/// Elsewhere nothing is known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read(_socket: &impl AsFd) -> Option<TcpFacts> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        mem::{offset_of, size_of},
        net::{TcpListener, TcpStream},
    };

    #[test]
    fn the_fields_are_where_linux_has_them() {
        // From linux/tcp.h: seven bytes and one bit field, 23 numbers, then `tcpi_total_retrans`; four numbers of
        // 64 bits, three of 32, then `tcpi_min_rtt`.
        assert_eq!(offset_of!(linux::TcpInfo, total_retrans), 100);
        assert_eq!(offset_of!(linux::TcpInfo, min_rtt), 148);
        assert_eq!(size_of::<linux::TcpInfo>(), 152);
    }

    #[test]
    fn a_healthy_connection_has_a_round_trip_and_nothing_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut here = TcpStream::connect(listener.local_addr().expect("bound")).expect("connects");
        let (mut there, _) = listener.accept().expect("accepts");
        here.write_all(b"x").expect("sent");
        there.read_exact(&mut [0]).expect("arrived");
        there.write_all(b"y").expect("sent");
        here.read_exact(&mut [0]).expect("arrived");
        let facts = read(&here).expect("TCP");
        assert_eq!(facts.retransmits, 0);
        assert!(facts.min_rtt_us.is_some_and(|us| us < 1_000_000), "{facts:?}");
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
        assert_eq!(read(&udp), None);
    }
}
