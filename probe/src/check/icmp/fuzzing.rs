//! The entrance for the fuzzer to packets.

use super::packet;
use std::net::IpAddr;

/// See `packet::reply`.
pub fn reply(bytes: &[u8], from: IpAddr, header: bool, token: &[u8; 16]) -> Option<u16> {
    packet::reply(bytes, from, header, token)
}

/// See `packet::request`.
pub fn request(to: IpAddr, sequence: u16, token: &[u8; 16]) -> Vec<u8> {
    packet::request(to, sequence, token)
}
