//! Names with a fixed address, written `host:port=address:port`.

use std::{fmt, net::SocketAddr, str::FromStr};

/// Sends connections for one host and port to a given address, as `curl --connect-to` does: names, certificates
/// and the `Host` header stay as they are, only the socket goes elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Lower case, without a trailing dot; IPv6 addresses in brackets.
    pub host: String,
    pub port: u16,
    pub address: SocketAddr,
}

/// Why a text is not an [`Override`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an override: {why}; write for example shop.test:443=127.0.0.1:8443")]
pub struct BadOverride {
    pub text: String,
    pub why: &'static str,
}

impl FromStr for Override {
    type Err = BadOverride;

    fn from_str(text: &str) -> Result<Self, BadOverride> {
        let bad = |why| BadOverride { text: text.to_owned(), why };
        let (name, address) = text.split_once('=').ok_or_else(|| bad("there is no `=`"))?;
        let (host, port) = name.rsplit_once(':').ok_or_else(|| bad("there is no port before the `=`"))?;
        let port = port.parse().ok().filter(|port| *port != 0);
        let port = port.ok_or_else(|| bad("the port before the `=` is not a number from 1 to 65535"))?;
        let host = url::Host::parse(host.trim_end_matches('.'))
            .map_err(|_| bad("what stands before the port is not a host name"))?
            .to_string();
        let address: SocketAddr = address
            .parse()
            .map_err(|_| bad("what follows the `=` is not an IP address with a port (IPv6 in brackets)"))?;
        if address.port() == 0 {
            return Err(bad("the port after the `=` is not a number from 1 to 65535"));
        }
        Ok(Override { host, port, address })
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}={}", self.host, self.port, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_addresses_of_both_families() {
        for (text, printed) in [
            ("Shop.Test.:443=127.0.0.1:8443", "shop.test:443=127.0.0.1:8443"),
            ("[::1]:80=[::1]:8080", "[::1]:80=[::1]:8080"),
            ("10.0.0.1:80=127.0.0.1:1", "10.0.0.1:80=127.0.0.1:1"),
            ("bücher.test:80=127.0.0.1:1", "xn--bcher-kva.test:80=127.0.0.1:1"),
        ] {
            assert_eq!(text.parse::<Override>().expect(text).to_string(), printed);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, why) in [
            ("a:80", "no `=`"),
            ("a=127.0.0.1:80", "no port before"),
            ("a:x=127.0.0.1:80", "port before"),
            ("a:0=127.0.0.1:80", "port before"),
            ("a:65536=127.0.0.1:80", "port before"),
            (":80=127.0.0.1:80", "not a host name"),
            ("a b:80=127.0.0.1:80", "not a host name"),
            ("a:80=127.0.0.1", "IP address"),
            ("a:80=b:80", "IP address"),
            ("a:80=127.0.0.1:0", "after the `=`"),
            ("", "no `=`"),
        ] {
            let error = text.parse::<Override>().expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
