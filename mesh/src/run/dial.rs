//! From `host:port` to an address that may be contacted.

use std::net::{IpAddr, SocketAddr};

/// Resolves a name and gives its first address that is allowed.
///
/// # Errors
/// Why there is none, for people.
pub(super) async fn resolve(
    target: &str,
    denied: fn(IpAddr) -> Option<&'static str>,
) -> Result<SocketAddr, String> {
    let found =
        tokio::net::lookup_host(target).await.map_err(|error| format!("cannot resolve {target}: {error}"))?;
    let mut why = format!("{target} has no address");
    for address in found {
        match denied(address.ip().to_canonical()) {
            None => return Ok(address),
            Some(reason) => why = format!("{target} is {reason}, which must not be contacted"),
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn denied_addresses_are_not_dialled() {
        let none: fn(IpAddr) -> Option<&'static str> = |_| None;
        assert_eq!(resolve("192.0.2.1:862", none).await, Ok("192.0.2.1:862".parse().expect("an address")));
        let all: fn(IpAddr) -> Option<&'static str> = |_| Some("a test");
        assert!(resolve("192.0.2.1:862", all).await.expect_err("denied").contains("must not be contacted"));
        assert!(resolve("no port", none).await.is_err());
    }
}
