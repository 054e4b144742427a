//! What this machine says of names: `/etc/resolv.conf` and `/etc/hosts`, read again when they change.

use runtime::lock::lock;
use std::{
    collections::HashMap,
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

/// The port of name servers (RFC 1035, 4.2).
pub(crate) const PORT: u16 = 53;
/// As many servers as the C library asks.
const SERVERS_MOST: usize = 3;
/// As many search domains as the C library tried for decades.
const SEARCH_MOST: usize = 6;
/// The largest `ndots` (resolv.conf(5)).
const NDOTS_MOST: usize = 15;
/// Larger files are not read: no list of hosts that people keep by hand is as long, bytes.
const FILE_MOST: u64 = 1 << 20;
/// How often is looked whether a file changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What the files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(super) servers: Vec<SocketAddr>,
    /// Domains to put behind short names, without dots at the ends.
    pub(super) search: Vec<String>,
    /// A name with at least so many dots is first asked for as it is.
    pub(super) ndots: usize,
    hosts: HashMap<String, Vec<IpAddr>>,
}

impl Names {
    fn parse(resolv: &str, hosts: &str, port: u16) -> Names {
        let mut names = Names { servers: Vec::new(), search: Vec::new(), ndots: 1, hosts: HashMap::new() };
        for line in resolv.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") if names.servers.len() < SERVERS_MOST => {
                    // An address with a zone (`fe80::1%eth0`) is not understood and left out.
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    names.servers.extend(address.map(|ip| SocketAddr::new(ip, port)));
                }
                Some("search" | "domain") => {
                    let domains = words.map(|word| word.trim_matches('.').to_ascii_lowercase());
                    names.search = domains.filter(|domain| !domain.is_empty()).take(SEARCH_MOST).collect();
                }
                Some("options") => {
                    let ndots =
                        words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok()).next_back();
                    names.ndots = ndots.map_or(names.ndots, |ndots: usize| ndots.min(NDOTS_MOST));
                }
                _ => {}
            }
        }
        for line in hosts.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
            for name in words {
                let of = names.hosts.entry(name.trim_end_matches('.').to_ascii_lowercase()).or_default();
                if !of.contains(&address) {
                    of.push(address);
                }
            }
        }
        names
    }

    /// The addresses that `/etc/hosts` gives to a name, and for `localhost` and what is below it the loopback
    /// addresses (RFC 6761, 6.3), whatever the file says of it.
    pub(super) fn hosts(&self, name: &str) -> Vec<IpAddr> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let mut found = self.hosts.get(&name).cloned().unwrap_or_default();
        if found.is_empty() && local(&name) {
            found = vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
        }
        found
    }

    /// The absolute names that a name may mean, in the order in which they are tried (resolv.conf(5)).
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let mut names: Vec<String> = self.search.iter().map(|domain| format!("{name}.{domain}.")).collect();
        let as_it_is = format!("{name}.");
        if name.matches('.').count() >= self.ndots {
            names.insert(0, as_it_is);
        } else {
            names.push(as_it_is);
        }
        names
    }
}

/// Whether a name is this machine by its very name.
pub(super) fn local(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

/// What tells one state of a file from another: change time and length.
type Stamp = Option<(SystemTime, u64)>;

struct Seen {
    looked: Instant,
    stamps: [Stamp; 2],
    names: Arc<Names>,
}

/// The files. They are looked at when somebody asks, at most every [`LOOK_EVERY`].
pub(crate) struct System {
    resolv: PathBuf,
    hosts: PathBuf,
    every: Duration,
    /// Where name servers listen.
    port: u16,
    seen: Mutex<Option<Seen>>,
}

impl System {
    /// This machine's.
    pub(crate) fn of_this_machine() -> System {
        System::at("/etc/resolv.conf".into(), "/etc/hosts".into(), LOOK_EVERY, PORT)
    }

    pub(crate) fn at(resolv: PathBuf, hosts: PathBuf, every: Duration, port: u16) -> System {
        System { resolv, hosts, every, port, seen: Mutex::new(None) }
    }

    /// What the files say now. A file that is not there says nothing.
    pub(crate) fn names(&self) -> Arc<Names> {
        let mut seen = lock(&self.seen);
        if let Some(seen) = seen.as_ref().filter(|seen| seen.looked.elapsed() < self.every) {
            return seen.names.clone();
        }
        let stamps = [stamp(&self.resolv), stamp(&self.hosts)];
        let names = match seen.as_ref().filter(|seen| seen.stamps == stamps) {
            Some(seen) => seen.names.clone(),
            None => Arc::new(Names::parse(&text(&self.resolv), &text(&self.hosts), self.port)),
        };
        *seen = Some(Seen { looked: Instant::now(), stamps, names: names.clone() });
        names
    }
}

fn stamp(path: &Path) -> Stamp {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

fn text(path: &Path) -> String {
    let short = fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() <= FILE_MOST);
    let bytes = if short { fs::read(path).unwrap_or_default() } else { Vec::new() };
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_understood_and_nonsense_is_left_out() {
        let names = Names::parse(
            "# a\nnameserver 10.0.0.1 # b\nnameserver fe80::1%eth0\nnameserver ::1\nnameserver\nnameserver x\n\
             domain old.test\nsearch Corp.Test. b.test\noptions rotate ndots:2 timeout:1\n;search no\nnonsense",
            "127.0.0.1 localhost\n10.0.0.9\tShop.Test shop # x\n::9 shop.test\nx y\n10.0.0.9 shop.test\n",
            PORT,
        );
        assert_eq!(names.servers, ["10.0.0.1:53", "[::1]:53"].map(|text| text.parse().expect("an address")));
        assert_eq!((names.search.join(" ").as_str(), names.ndots), ("corp.test b.test", 2));
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(names.hosts("SHOP.test."), [ip("10.0.0.9"), ip("::9")]);
        assert_eq!(names.hosts("other.test"), Vec::<IpAddr>::new());
        assert_eq!(names.hosts("localhost"), [ip("127.0.0.1")]);
        assert_eq!(names.hosts("a.localhost"), [ip("127.0.0.1"), ip("::1")]);
        let many = Names::parse(&"nameserver 10.0.0.1\n".repeat(9), "", PORT);
        assert_eq!(many.servers.len(), SERVERS_MOST);
    }

    #[test]
    fn short_names_are_completed_first_and_long_ones_last() {
        let names = Names::parse("search a.test b.test\noptions ndots:2", "", PORT);
        for (name, tried) in [
            ("x.y.z", "x.y.z. x.y.z.a.test. x.y.z.b.test."),
            ("x.y", "x.y.a.test. x.y.b.test. x.y."),
            ("x.", "x."),
        ] {
            assert_eq!(names.candidates(name).join(" "), tried);
        }
        assert_eq!(Names::parse("", "", PORT).candidates("x"), ["x."]);
    }

    #[test]
    fn a_file_that_changed_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (resolv, hosts) = (folder.path().join("resolv.conf"), folder.path().join("hosts"));
        let system = System::at(resolv.clone(), hosts, Duration::ZERO, PORT);
        assert!(system.names().servers.is_empty());
        fs::write(&resolv, "nameserver 10.0.0.1").expect("written");
        let first = system.names();
        assert_eq!(first.servers.len(), 1);
        assert!(Arc::ptr_eq(&first, &system.names()), "nothing changed, so nothing is parsed");
        fs::write(&resolv, "nameserver 10.0.0.1\nnameserver 10.0.0.2").expect("written");
        assert_eq!(system.names().servers.len(), 2);
    }
}
