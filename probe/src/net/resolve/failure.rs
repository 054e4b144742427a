//! Why a name has no address: its own fault, or that of the servers that were asked.

use super::question;
use hickory_proto::op::ResponseCode;
use std::{fmt, io, net::SocketAddr, time::Duration};
use wire::{
    assignment::Family,
    sample::{FailClass, Lookup},
};

/// Whose fault a lookup that failed was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Trouble {
    /// A server knew: the name does not exist, or has no such address.
    #[default]
    None,
    /// Every server that spoke failed (SERVFAIL): it may be they or the name's own servers.
    Doubtful,
    /// No server of ours was of use: silent, refusing, unreachable, or none configured. That says nothing about the
    /// target.
    Failed,
}

/// Why a name was not resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// A sentence.
    pub(crate) summary: String,
    pub(crate) trouble: Trouble,
    /// The name exists and has no address of the family.
    pub(super) empty: bool,
    /// What a server knew.
    pub(crate) lookup: Option<Lookup>,
}

impl Failure {
    fn new(summary: String, trouble: Trouble, lookup: Option<Lookup>) -> Failure {
        Failure { summary, trouble, empty: false, lookup }
    }

    pub(super) fn nonexistent(name: &str, lookup: Lookup) -> Failure {
        let summary = format!("{name} did not resolve: it does not exist (NXDOMAIN from {})", lookup.server);
        Failure::new(summary, Trouble::None, Some(lookup))
    }

    pub(super) fn empty(name: &str, family: Family, lookup: Lookup) -> Failure {
        let what = match family {
            Family::Any => "address",
            Family::V4 => "IPv4 address",
            Family::V6 => "IPv6 address",
        };
        let summary =
            format!("{name} did not resolve: it exists and has no {what} ({} says so)", lookup.server);
        Failure { empty: true, ..Failure::new(summary, Trouble::None, Some(lookup)) }
    }

    pub(super) fn aliases(name: &str, most: usize) -> Failure {
        let summary = format!("{name} did not resolve: it is an alias of an alias, more than {most} times");
        Failure::new(summary, Trouble::None, None)
    }

    pub(super) fn unaskable(name: &str, why: &str) -> Failure {
        Failure::new(format!("{name} did not resolve: it cannot be asked for: {why}"), Trouble::None, None)
    }

    pub(super) fn no_servers(name: &str) -> Failure {
        let summary = format!(
            "{name} did not resolve: this probe has no DNS server; put one into /etc/resolv.conf, or `resolver` into \
             the check"
        );
        Failure::new(summary, Trouble::Failed, None)
    }

    pub(crate) fn unanswered(name: &str, silence: Silence) -> Failure {
        match silence {
            Silence::Unaskable(why) => Failure::unaskable(name, &why),
            Silence::Of { .. } => {
                let summary = format!("{name} did not resolve: {silence}");
                let failed = silence.servfail();
                let trouble = if failed.is_some() { Trouble::Doubtful } else { Trouble::Failed };
                let lookup = failed.map(|server| Lookup {
                    server: server.to_string(),
                    rcode: "SERVFAIL".into(),
                    ttl_s: None,
                    found: 0,
                });
                Failure::new(summary, trouble, lookup)
            }
        }
    }

    /// Whether this is the one to tell, of two for names that were tried in turn: that the name exists says more than
    /// that it does not, and that nobody knows says more than both.
    pub(super) fn outweighs(&self, other: &Failure) -> bool {
        (self.trouble, self.empty) > (other.trouble, other.empty)
    }
}

/// No server settled a question.
#[derive(Debug)]
pub(crate) enum Silence {
    /// It cannot be put.
    Unaskable(String),
    Of {
        tried: Vec<Tried>,
        after: Duration,
    },
}

impl Silence {
    /// What kind of failure it is of the first server, where that is what is measured.
    pub(crate) fn class(&self) -> FailClass {
        let Silence::Of { tried, .. } = self else { return FailClass::Request };
        match tried.first().map(|tried| &tried.said) {
            Some(Said::Declined(_)) => FailClass::Status,
            Some(Said::Broken(_)) => FailClass::Connect,
            Some(Said::Nothing) | None => FailClass::Timeout,
        }
    }

    /// The first server that said SERVFAIL, when one did.
    fn servfail(&self) -> Option<SocketAddr> {
        let Silence::Of { tried, .. } = self else { return None };
        let failed = |tried: &&Tried| tried.said == Said::Declined(ResponseCode::ServFail);
        tried.iter().find(failed).map(|tried| tried.server)
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tried, after) = match self {
            Silence::Unaskable(why) => return f.write_str(why),
            Silence::Of { tried, after } => (tried, after),
        };
        for (index, tried) in tried.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            let server = tried.server;
            match &tried.said {
                Said::Nothing => write!(f, "no answer from {server}")?,
                Said::Declined(ResponseCode::NoError) => write!(f, "{server} knows nothing and asks nobody")?,
                Said::Declined(code) => write!(f, "{server} answered {}", question::rcode(*code))?,
                Said::Broken(why) => write!(f, "{server}: {why}")?,
            }
        }
        let silent = tried.iter().any(|tried| tried.said == Said::Nothing);
        if silent { write!(f, " within {:.1} s", after.as_secs_f64()) } else { Ok(()) }
    }
}

/// A server, and what became of asking it.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(super) server: SocketAddr,
    said: Said,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Nothing,
    Declined(ResponseCode),
    Broken(String),
}

impl Tried {
    pub(super) fn new(server: SocketAddr) -> Tried {
        Tried { server, said: Said::Nothing }
    }

    pub(super) fn may_answer(&self) -> bool {
        self.said == Said::Nothing
    }

    pub(super) fn declined(&mut self, code: ResponseCode) {
        self.said = Said::Declined(code);
    }

    pub(super) fn broke(&mut self, error: &io::Error) {
        self.said = Said::Broken(match error.kind() {
            io::ErrorKind::ConnectionRefused => "refused, nothing listens there".to_owned(),
            io::ErrorKind::InvalidData => format!("its answer is not valid DNS: {error}"),
            _ => error.to_string(),
        });
    }
}
