//! The addresses that no check may reach: a check is configured by many people, and the metadata service of
//! a cloud hands its caller the machine's credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why `address` must not be connected to, in words, or `None` when it may be.
///
/// Denied are the link-local networks (RFC 3927, RFC 4291 2.5.6), the unspecified addresses, and the metadata
/// addresses of cloud providers; also where an IPv6 address only carries a denied IPv4 address (mapped,
/// compatible, and the NAT64 prefix of RFC 6052). Private networks are allowed: they are what is monitored.
pub fn denied(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => denied_v4(v4),
        IpAddr::V6(v6) => denied_v6(v6),
    }
}

fn denied_v4(address: Ipv4Addr) -> Option<&'static str> {
    match address.octets() {
        [169, 254, 169, 254] | [100, 100, 100, 200] => Some("a cloud metadata address"),
        [169, 254, ..] => Some("a link-local address"),
        [0, 0, 0, 0] => Some("the unspecified address"),
        _ => None,
    }
}

fn denied_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("the unspecified address");
    }
    if let Some(inner) = carried_v4(address) {
        return denied_v4(inner);
    }
    match address.segments() {
        // Amazon's and Google's metadata services.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => {
            Some("a cloud metadata address")
        }
        [first, ..] if first & 0xffc0 == 0xfe80 => Some("a link-local address"),
        _ => None,
    }
}

/// The IPv4 address that an IPv6 address stands for, if it does.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denies_what_gives_away_credentials_and_nothing_else() {
        for bad in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "0.0.0.0",
            "::",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::100.100.100.200",
        ] {
            assert!(denied(bad.parse().expect(bad)).is_some(), "{bad}");
        }
        for good in
            ["127.0.0.1", "10.0.0.1", "100.100.100.201", "::1", "fec0::1", "fd00::1", "::ffff:10.0.0.1"]
        {
            assert_eq!(denied(good.parse().expect(good)), None, "{good}");
        }
    }
}
