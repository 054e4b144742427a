//! Hosts: DNS names, and servers with a port.

use crate::config::read::At;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest text that is looked at. Names end earlier, with a message of their own.
const LONGEST: usize = 4 << 10;

/// The longest name and the longest of its labels (RFC 1035), as text without the last dot.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A DNS name, without a last dot.
pub fn name(at: &At<'_>) -> Option<String> {
    let text = at.text(LONGEST)?;
    if !text.is_ascii() {
        return at.expected("a DNS name in ASCII, with its international labels as xn--…");
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    if !is_name(name) {
        return at.expected(format!(
            "a DNS name such as www.example.com, at most {LONGEST_NAME} characters, at most {LONGEST_LABEL} between \
             dots"
        ));
    }
    Some(name.to_owned())
}

/// What a certificate is made out to: a DNS name or an IP address.
pub fn name_or_address(at: &At<'_>) -> Option<String> {
    match at.text(LONGEST)?.parse::<IpAddr>() {
        Ok(ip) => Some(ip.to_string()),
        Err(_) => name(at),
    }
}

/// A server as `host:port`, with this port when it names none.
pub fn server(at: &At<'_>, port: u16) -> Option<String> {
    let text = at.text(LONGEST)?;
    with_port(text, port).or_else(|| {
        at.expected("a host with or without a port, such as ns1.example.com or \"192.0.2.53:53\"")
    })
}

fn with_port(text: &str, default: u16) -> Option<String> {
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Some(format!("[{ip}]:{default}"));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, port) = rest.split_once(']')?;
            (format!("[{}]", ip.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let host = host.strip_suffix('.').unwrap_or(host);
            let well = host.parse::<Ipv4Addr>().is_ok() || is_name(host);
            (well.then(|| host.to_owned())?, port)
        }
    };
    let port = if port.is_empty() { default } else { number(port.strip_prefix(':')?)? };
    Some(format!("{host}:{port}"))
}

fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// Whether a text is a name rather than an address: letters, digits, `-` and `_`, and no number as its last label.
fn is_name(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= LONGEST_NAME && text.split('.').all(is_label) && !last.bytes().all(|b| b.is_ascii_digit())
}

fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_names_from_other_texts() {
        let long = format!("{}.{}", "a.".repeat(125), "b2");
        for good in
            ["localhost", "www.example.com", "_dmarc.example.com", "2.0.192.in-addr.arpa", &"a".repeat(63)]
        {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "a..b", "-a.b", "a-.b", "a b", "192.0.2.1", "a.1", "*.a", &long, &"a".repeat(64)]
        {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn completes_servers() {
        for (text, expected) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("ns1.example.com.", "ns1.example.com:53"),
            ("ns1.example.com.:54", "ns1.example.com:54"),
            ("2001:DB8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]", "[2001:db8::53]:53"),
            ("[::1]:65535", "[::1]:65535"),
        ] {
            assert_eq!(with_port(text, 53).as_deref(), Some(expected), "{text}");
        }
        for bad in
            ["", ":53", "a:", "a:0", "a:65536", "a:+5", "a:5:3", "[::1", "[::1]53", "[a]:1", "1.2.3", "a/b"]
        {
            assert_eq!(with_port(bad, 53), None, "{bad}");
        }
    }
}
