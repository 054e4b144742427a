//! Packets that arrive at the mesh's reflector, one after the other, from several senders.

use crate::parts;
use mesh::{
    packet::{AUTHENTICATED_LEN, BASE_LEN, ErrorEstimate, Key, Stamp, tlv},
    reflect::{Arrival, Core, Provision},
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const KEY: &[u8] = b"0123456789abcdef";
/// So that the limit takes part.
const PER_SECOND: u32 = 20;

/// Entries of: sender and what to do (a byte), the milliseconds since the one before (a byte), length (two bytes), and
/// a packet. The codes of authenticated packets are made here where the byte says so.
pub fn run(mut data: &[u8]) {
    let mut core = Core::new(PER_SECOND);
    let address = |n: u8| IpAddr::from(Ipv4Addr::new(10, 0, 0, n));
    core.provision([
        Provision { ssid: 1, from: None, key: None },
        Provision { ssid: 2, from: Some(address(2)), key: None },
        Provision { ssid: 3, from: None, key: Some(Key::new(KEY)) },
        Provision { ssid: 0, from: Some(address(0)), key: None },
    ]);
    let clock = ErrorEstimate::new(true, 1_000);
    let (mut now_ns, mut packets) = (0_i64, 0_u64);
    while !data.is_empty() {
        let ([choice, pause, high, low], rest) = parts::bytes::<4>(data);
        let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (packet, rest) = rest.split_at(length);
        data = rest;
        now_ns += i64::from(pause) * 1_000_000;
        let mut packet = packet.to_vec();
        if choice & 0x80 != 0 && packet.len() >= AUTHENTICATED_LEN {
            let key = Key::new(KEY);
            let code = key.code(&[&packet[..96]]);
            packet[96..AUTHENTICATED_LEN].copy_from_slice(&code);
            tlv::sign(&mut packet, AUTHENTICATED_LEN, &key);
        }
        let arrival = Arrival {
            from: SocketAddr::new(address(choice & 3), 1000 + u16::from(choice >> 2 & 3)),
            bytes: &packet,
            reached: Stamp::from_unix_ns(now_ns),
            by_kernel: choice & 0x40 != 0,
            ttl: (choice & 0x20 != 0).then_some(choice),
        };
        packets += 1;
        if let Ok(reply) = core.reflect(arrival, clock, now_ns, || Stamp::from_unix_ns(now_ns + 1)) {
            assert!(reply.bytes.len() <= packet.len().max(BASE_LEN), "an answer of {}", reply.bytes.len());
            if choice & 0x10 != 0 {
                core.left(&reply.ticket, Stamp::from_unix_ns(now_ns + 2));
            }
        }
    }
    let count = core.counters();
    let fates = [count.answered, count.unknown_session, count.not_authentic, count.malformed, count.too_fast];
    assert_eq!(fates.iter().sum::<u64>(), packets, "a packet without a fate");
}
