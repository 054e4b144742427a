//! Echo requests and replies (RFC 792, RFC 4443) as bytes.

use std::net::IpAddr;

/// The bytes before the payload: type, code, checksum, identifier, sequence.
const HEADER: usize = 8;

/// An echo request. The system fills in the checksum for IPv6 (RFC 3542, 3.1), and the identifier where the socket is
/// not a raw one.
pub(super) fn request(to: IpAddr, sequence: u16, token: &[u8; 16]) -> Vec<u8> {
    let kind = if to.is_ipv4() { 8 } else { 128 };
    let mut packet = vec![kind, 0, 0, 0, token[0], token[1]];
    packet.extend(sequence.to_be_bytes());
    packet.extend(token);
    if to.is_ipv4() {
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// The sequence number of an echo reply that carries `token`; `None` for anything else, such as our own request, which
/// a raw socket sees on the loopback interface, or the reply to another run.
///
/// `header` says that an IPv4 header comes first, as it does on a raw socket.
pub(super) fn reply(bytes: &[u8], from: IpAddr, header: bool, token: &[u8; 16]) -> Option<u16> {
    let bytes = if header {
        // The low half of the first byte is the header's length in units of four bytes.
        let words = usize::from(bytes.first()? & 0x0f);
        bytes.get(words * 4..)?
    } else {
        bytes
    };
    let kind = if from.is_ipv4() { 0 } else { 129 };
    let [first, 0, _, _, _, _, high, low, ..] = bytes else { return None };
    let payload = bytes.get(HEADER..)?;
    (*first == kind && payload == token).then(|| u16::from_be_bytes([*high, *low]))
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let sum =
        bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    #[test]
    fn requests_sum_to_zero_and_are_no_replies() {
        let token = [0xab; 16];
        let packet = request(V4, 0x1234, &token);
        assert_eq!((packet.len(), checksum(&packet)), (24, 0));
        assert_eq!(reply(&packet, V4, false, &token), None);
        for (to, kind) in [(V4, 0), (V6, 129)] {
            let mut answer = request(to, 0x1234, &token);
            answer[0] = kind;
            assert_eq!(reply(&answer, to, false, &token), Some(0x1234));
            assert_eq!(reply(&answer, to, false, &[0; 16]), None);
            assert_eq!(reply(&answer[..23], to, false, &token), None);
            let framed = [&[0x46; 24][..], &answer].concat();
            assert_eq!(reply(&framed, to, true, &token), Some(0x1234));
            answer[1] = 1;
            assert_eq!(reply(&answer, to, false, &token), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            for header in [false, true] {
                proptest::prop_assert_eq!(reply(&bytes, V4, header, &[0xab; 16]), None);
            }
        }
    }
}
