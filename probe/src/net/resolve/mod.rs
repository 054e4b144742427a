//! The resolver: each run asks anew, with sockets and questions of our own, so that no cache stands between a check
//! and what a new user would be told, and so that trouble with the probe's own servers is told from trouble with
//! the name.
//!
//! `/etc/hosts` comes first and is called server `hosts`; then come the machine's servers, with its search domains.
//! A check that names its servers asks exactly these, for exactly the name. A server that is silent, refuses or
//! fails hands over to the next; what a server knows of a name, also that it does not exist, is the end of it.

pub(crate) mod ask;
mod failure;
pub(crate) mod question;
mod system;

pub(crate) use failure::Failure;
pub use failure::Trouble;
pub(crate) use system::{PORT, System};

use failure::{Silence, Tried};
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, RecordType},
};
use question::{Manner, Question};
use runtime::random::Random;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use wire::{assignment::Family, sample::Lookup};

/// How often each server is asked before the lookup fails.
const ROUNDS: u32 = 2;
/// How many times an alias is followed (RFC 1034, 3.6.2 says that chains should not occur; people have them).
const ALIASES_MOST: usize = 8;
/// The server of what `/etc/hosts` says.
const HOSTS: &str = "hosts";

/// How long a lookup may take: four fifths of a run's time, so that a failure of the lookup is told as one and not as
/// the end of the run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) until: Instant,
    pub(crate) length: Duration,
}

impl Patience {
    /// For a run that must be over at `until`.
    pub(crate) fn within(until: Instant) -> Patience {
        let length = until.saturating_duration_since(Instant::now()) * 4 / 5;
        Patience { until: Instant::now() + length, length }
    }
}

/// What is looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) family: Family,
    /// The addresses of every family that is allowed, not only of the first that has one.
    pub(crate) all: bool,
    /// Whom to ask, in order; the machine's servers when empty.
    pub(crate) servers: &'a [SocketAddr],
}

/// The addresses of a name, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) lookup: Lookup,
}

/// An answer that settles a question, and who gave it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) server: SocketAddr,
    pub(crate) message: Box<Message>,
}

/// Looks names up.
pub(crate) struct Resolver {
    system: System,
    random: Random,
}

impl Resolver {
    pub(crate) fn new(system: System, random: Random) -> Resolver {
        Resolver { system, random }
    }

    /// The addresses of a name.
    ///
    /// # Errors
    /// [`Failure`], which tells the name's faults from the resolver's.
    pub(crate) async fn lookup(&self, wanted: Wanted<'_>, patience: Patience) -> Result<Found, Failure> {
        let names = self.system.names();
        // A check that names its servers wants to know what they say, and not this machine. That a name is this
        // machine needs nobody's word.
        if wanted.servers.is_empty() || system::local(wanted.name) {
            let mut addresses = names.hosts(wanted.name);
            addresses.retain(|address| fits(*address, wanted.family));
            if !addresses.is_empty() {
                if !wanted.all && wanted.family == Family::Any {
                    addresses.sort_by_key(IpAddr::is_ipv6);
                }
                let found = count(addresses.len());
                let lookup = Lookup { server: HOSTS.into(), rcode: "NOERROR".into(), ttl_s: None, found };
                return Ok(Found { addresses, lookup });
            }
        }
        let (servers, candidates) = if wanted.servers.is_empty() {
            (names.servers.as_slice(), names.candidates(wanted.name))
        } else {
            (wanted.servers, vec![wanted.name.to_owned()])
        };
        if servers.is_empty() {
            return Err(Failure::no_servers(wanted.name));
        }
        let mut worst: Option<Failure> = None;
        for candidate in candidates {
            let failure = match self.addresses(&candidate, wanted, servers, patience).await {
                Ok(found) => return Ok(found),
                Err(failure) => failure,
            };
            let over = failure.trouble == Trouble::Failed || Instant::now() >= patience.until;
            if worst.as_ref().is_none_or(|worst| failure.outweighs(worst)) {
                worst = Some(failure);
            }
            if over {
                break;
            }
        }
        Err(worst.unwrap_or_else(|| Failure::no_servers(wanted.name)))
    }

    /// The addresses of an absolute name.
    async fn addresses(
        &self,
        name: &str,
        wanted: Wanted<'_>,
        servers: &[SocketAddr],
        patience: Patience,
    ) -> Result<Found, Failure> {
        let of = |record| self.family(name, wanted, record, servers, patience);
        match wanted.family {
            Family::V4 => of(RecordType::A).await,
            Family::V6 => of(RecordType::AAAA).await,
            // Asked for only when there is need, because every question is work for somebody.
            Family::Any if !wanted.all => match of(RecordType::A).await {
                Err(failure) if failure.empty => of(RecordType::AAAA).await,
                done => done,
            },
            Family::Any => match futures_util::future::join(of(RecordType::A), of(RecordType::AAAA)).await {
                (Ok(four), Ok(six)) => Ok(four.and(six)),
                (Ok(found), Err(failure)) | (Err(failure), Ok(found)) => {
                    // That one family has no address is no failure; not to be told is one: addresses may be missing.
                    if failure.empty { Ok(found) } else { Err(failure) }
                }
                (Err(four), Err(six)) => Err(if six.outweighs(&four) { six } else { four }),
            },
        }
    }

    /// The addresses of one family, aliases followed.
    async fn family(
        &self,
        name: &str,
        wanted: Wanted<'_>,
        record: RecordType,
        servers: &[SocketAddr],
        patience: Patience,
    ) -> Result<Found, Failure> {
        let mut asked = question::name(name).map_err(|why| Failure::unaskable(wanted.name, &why))?;
        for _ in 0..ALIASES_MOST {
            let manner = Manner { recursive: true, authentic: false };
            let reply = self
                .ask(&asked, record, manner, servers, patience)
                .await
                .map_err(|silence| Failure::unanswered(wanted.name, silence))?;
            let rcode = question::rcode(reply.message.metadata.response_code);
            let (addresses, ttl_s, last) = read(&reply.message, &asked, record);
            let lookup =
                Lookup { server: reply.server.to_string(), rcode, ttl_s, found: count(addresses.len()) };
            if !addresses.is_empty() {
                return Ok(Found { addresses, lookup });
            }
            if reply.message.metadata.response_code == ResponseCode::NXDomain {
                return Err(Failure::nonexistent(wanted.name, lookup));
            }
            if last == asked {
                return Err(Failure::empty(wanted.name, wanted.family, lookup));
            }
            // The server gave an alias and left it to us to follow it.
            asked = last;
        }
        Err(Failure::aliases(wanted.name, ALIASES_MOST))
    }

    /// Asks one server after the other until one settles the question: with records, with their absence, or with the
    /// name's absence.
    pub(crate) async fn ask(
        &self,
        name: &Name,
        record: RecordType,
        manner: Manner,
        servers: &[SocketAddr],
        patience: Patience,
    ) -> Result<Reply, Silence> {
        let mut tried: Vec<Tried> = servers.iter().map(|server| Tried::new(*server)).collect();
        let each = patience.length / (ROUNDS * u32::try_from(servers.len()).unwrap_or(u32::MAX).max(1));
        for _ in 0..ROUNDS {
            // A server that said something is not asked twice.
            for tried in tried.iter_mut().filter(|tried| tried.may_answer()) {
                let until = (Instant::now() + each).min(patience.until);
                let id = u16::from_be_bytes(self.random.bytes());
                let question = Question::new(name.clone(), record, id, manner).map_err(Silence::Unaskable)?;
                match timeout_at(until, ask::ask(&question, tried.server)).await {
                    Err(_elapsed) => {}
                    Ok(Err(error)) => tried.broke(&error),
                    Ok(Ok(message)) if settles(&message, manner) => {
                        return Ok(Reply { server: tried.server, message });
                    }
                    Ok(Ok(message)) => tried.declined(message.metadata.response_code),
                }
            }
        }
        Err(Silence::Of { tried, after: patience.length })
    }

    /// The machine's servers.
    pub(crate) fn servers(&self) -> Vec<SocketAddr> {
        self.system.names().servers.clone()
    }
}

impl Found {
    fn and(mut self, other: Found) -> Found {
        self.addresses.extend(other.addresses);
        self.lookup.found = count(self.addresses.len());
        self.lookup.ttl_s = self.lookup.ttl_s.into_iter().chain(other.lookup.ttl_s).min();
        self
    }
}

/// Whether an address is of a family.
pub(crate) fn fits(address: IpAddr, family: Family) -> bool {
    match family {
        Family::Any => true,
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    }
}

fn count(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// Whether a message is the end of it. A server that neither knows nor asks others (a lame one) says nothing.
fn settles(message: &Message, manner: Manner) -> bool {
    let about = &message.metadata;
    match about.response_code {
        ResponseCode::NXDomain => true,
        ResponseCode::NoError => {
            !manner.recursive
                || !message.answers.is_empty()
                || about.authoritative
                || about.recursion_available
        }
        _ => false,
    }
}

/// The addresses of `name` in an answer, the least time to live among them, and the name at the end of its aliases.
fn read(message: &Message, name: &Name, record: RecordType) -> (Vec<IpAddr>, Option<u32>, Name) {
    let mut name = name.clone();
    for _ in 0..ALIASES_MOST {
        let mut addresses = Vec::new();
        let mut ttl_s = None;
        let mut alias = None;
        for answer in message.answers.iter().filter(|answer| answer.name == name) {
            let address = match &answer.data {
                RData::A(a) if record == RecordType::A => IpAddr::from(a.0),
                RData::AAAA(a) if record == RecordType::AAAA => IpAddr::from(a.0),
                RData::CNAME(to) => {
                    alias = Some(to.0.clone());
                    continue;
                }
                _ => continue,
            };
            ttl_s = Some(ttl_s.map_or(answer.ttl, |least: u32| least.min(answer.ttl)));
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        match alias {
            Some(to) if addresses.is_empty() => name = to,
            _ => return (addresses, ttl_s, name),
        }
    }
    (Vec::new(), None, name)
}
