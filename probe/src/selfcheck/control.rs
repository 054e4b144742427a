//! Control targets: places that have nothing to do with what is measured, asked again and again for a connection.

use std::{
    fmt,
    net::SocketAddr,
    str::FromStr,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinHandle,
    time::timeout,
};
use url::Url;

/// Time between two knocks.
pub const EVERY: Duration = Duration::from_secs(2);
/// How long one may take.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long a name's addresses are used without asking again.
const NAME: Duration = Duration::from_secs(60);

/// Where to knock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Control {
    /// IPv6 addresses without brackets.
    host: String,
    port: u16,
}

/// Why a text is not a [`Control`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a control target: write a URL or HOST:PORT, for example https://example.org or 192.0.2.53:53"
)]
pub struct BadControl(pub String);

impl Control {
    /// The host and port of a URL; absent when it has none.
    pub fn of(url: &Url) -> Option<Control> {
        let host = match url.host()? {
            url::Host::Ipv6(address) => address.to_string(),
            host => host.to_string(),
        };
        Some(Control { host, port: url.port_or_known_default()? })
    }
}

impl FromStr for Control {
    type Err = BadControl;

    fn from_str(text: &str) -> Result<Control, BadControl> {
        let bad = || BadControl(text.to_owned());
        let text = text.trim();
        let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("tcp://{text}")) };
        let url = url.map_err(|_| bad())?;
        let plain = url.username().is_empty() && url.password().is_none();
        Control::of(&url)
            .filter(|control| plain && control.port != 0 && !control.host.is_empty())
            .ok_or_else(bad)
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Control { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Knocks at one control target.
pub(super) struct Knocker {
    control: Control,
    known: Vec<SocketAddr>,
    asked: Option<Instant>,
    /// A question that is not answered yet. The system's resolver cannot be interrupted, so there is only one.
    pending: Option<JoinHandle<std::io::Result<Vec<SocketAddr>>>>,
}

impl Knocker {
    pub(super) fn new(control: Control) -> Knocker {
        Knocker { control, known: Vec::new(), asked: None, pending: None }
    }

    /// Whether a connection is accepted. A refusal is none: whoever refuses may stand in our own house.
    pub(super) async fn knock(&mut self) -> bool {
        let knock = async {
            self.resolve().await;
            for address in &self.known {
                if TcpStream::connect(address).await.is_ok() {
                    return true;
                }
            }
            false
        };
        timeout(PATIENCE, knock).await.unwrap_or(false)
    }

    /// Asks for the addresses when it is time to. Old ones are used for as long as there are no new ones: whether the
    /// resolver works is another question.
    async fn resolve(&mut self) {
        let fresh = self.asked.is_some_and(|at| at.elapsed() < NAME);
        if fresh && !self.known.is_empty() {
            return;
        }
        let Control { host, port } = self.control.clone();
        let pending = self.pending.get_or_insert_with(|| {
            tokio::spawn(async move { Ok(lookup_host((host, port)).await?.collect()) })
        });
        // With an address at hand nobody waits.
        if !self.known.is_empty() && !pending.is_finished() {
            return;
        }
        let answer = pending.await;
        self.pending = None;
        if let Ok(Ok(addresses)) = answer
            && !addresses.is_empty()
        {
            self.known = addresses;
            self.asked = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls_and_addresses() {
        for (text, shown) in [
            ("https://example.org/path", "example.org:443"),
            ("http://example.org:8080", "example.org:8080"),
            ("192.0.2.53:53", "192.0.2.53:53"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"),
            (" dns.example:53 ", "dns.example:53"),
        ] {
            assert_eq!(text.parse::<Control>().expect(text).to_string(), shown);
        }
        for text in
            ["", "example.org", "example.org:0", "https://", ":53", "https://u:p@example.org", "a b:1"]
        {
            assert!(text.parse::<Control>().is_err(), "{text:?}");
        }
    }

    #[tokio::test]
    async fn an_accepted_connection_is_an_answer_and_nothing_else_is() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut knocker = Knocker::new(address.to_string().parse().expect("a control target"));
        assert!(knocker.knock().await);
        drop(listener);
        assert!(!knocker.knock().await);
        let mut nowhere = Knocker::new("nowhere.invalid:1".parse().expect("a control target"));
        assert!(!nowhere.knock().await);
    }
}
