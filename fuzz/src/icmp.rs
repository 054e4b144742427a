//! Packets that arrive at the socket of an ICMP check.

use crate::parts;
use probe::fuzzing::check::icmp;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first byte chooses the family and whether a header comes first, two are a sequence number, then the packet.
pub fn run(data: &[u8]) {
    let (choice, data) = parts::byte(data);
    let (sequence, packet) = parts::bytes::<2>(data);
    let sequence = u16::from_be_bytes(sequence);
    let v6 = choice & 1 != 0;
    let from: IpAddr = if v6 { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
    let header = choice & 2 != 0;
    let token = [0xab; 16];
    if icmp::reply(packet, from, header, &token).is_some() {
        assert!(packet.ends_with(&token), "a reply without the token");
    }
    let mut ours = icmp::request(from, sequence, &token);
    assert_eq!(icmp::reply(&ours, from, false, &token), None, "a request is no reply");
    ours[0] = if v6 { 129 } else { 0 };
    assert_eq!(icmp::reply(&ours, from, false, &token), Some(sequence));
}
