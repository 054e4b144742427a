//! A block of addresses (CIDR, RFC 4632 and RFC 4291, 2.3), or a single address.

use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, str::FromStr};

/// An address with the number of its leading bits that count: 0 to 32, or 0 to 128 for IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no block of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address and no block of addresses: write 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32")]
pub struct BadNetwork(pub String);

impl Network {
    /// Whether an address lies in this block. An IPv4 address in its IPv6 form counts as the former.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, longest) = number(self.address);
        let (other, length) = number(address.to_canonical());
        longest == length && masked(own, longest, self.bits) == masked(other, longest, self.bits)
    }
}

/// The address as a number, and how many bits that has.
fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

/// The leading `bits` of a number of `length` bits.
fn masked(number: u128, length: u8, bits: u8) -> u128 {
    number.checked_shr((length - bits).into()).unwrap_or(0)
}

impl FromStr for Network {
    type Err = BadNetwork;
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.chars().take(60).collect());
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let (number, longest) = number(address);
        let bits = match bits {
            None => longest,
            // `u8` reads `+8` too, which nobody means.
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().map_err(|_| bad())?,
            Some(_) => return Err(bad()),
        };
        // Bits behind the length are a typing mistake in one of the two.
        let rest = (longest.checked_sub(bits).ok_or_else(bad)?).into();
        let whole = masked(number, longest, bits).checked_shl(rest).unwrap_or(0);
        if whole == number { Ok(Network { address, bits }) } else { Err(bad()) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == number(self.address).1 {
            self.address.fmt(f)
        } else {
            write!(f, "{}/{}", self.address, self.bits)
        }
    }
}

impl TryFrom<String> for Network {
    type Error = BadNetwork;
    fn try_from(text: String) -> Result<Self, BadNetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> String {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holds(network: &str, address: &str) -> bool {
        let network: Network = network.parse().expect("a network");
        network.contains(address.parse().expect("an address"))
    }

    #[test]
    fn addresses_lie_in_blocks() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "1.2.3.4"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
        ] {
            assert!(holds(network, inside), "{network} {inside}");
            assert!(!holds(network, outside), "{network} {outside}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/24", "::1/129", "1.2.3.0/+24", "::1/64"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(address: [u8; 16], bits in 0u8..=128, four: bool) {
            let (address, longest): (IpAddr, u8) = if four {
                (<[u8; 4]>::try_from(&address[..4]).expect("four").into(), 32)
            } else {
                (address.into(), 128)
            };
            let text = format!("{address}/{}", bits.min(longest));
            if let Ok(network) = text.parse::<Network>() {
                prop_assert!(network.contains(address));
                prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
            }
            prop_assert!(holds(&address.to_string(), &address.to_string()));
        }
    }
}
