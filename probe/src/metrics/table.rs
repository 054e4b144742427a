//! What the last run of each series gave: a compact row a series, so that ten thousand of them take a few megabytes.
//!
//! The rows are those of the assignment in force and no others, which bounds both memory and what is scraped.

use runtime::lock::lock;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use wire::{
    CheckId, Micros,
    assignment::{Assignment, CheckKind, Target},
    sample::{Outcome, Phases, Sample},
};

/// What a series is, as far as it decides which figures it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    Http,
    Dns,
    Icmp,
    #[default]
    Other,
}

/// The last run of one series, and how many there were since this process began.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Last {
    pub kind: Kind,
    pub ok: u64,
    pub failed: u64,
    pub skipped: u64,
    /// Absent before the first run.
    pub run: Option<Run>,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub ended: Micros,
    pub ok: bool,
    pub slow: bool,
    pub total_us: u32,
    pub delay_us: i64,
    pub phases: Phases,
    pub status: Option<u16>,
    pub bytes: Option<u32>,
    pub redirects: u8,
    pub certificate_expires: Option<Micros>,
    pub ip: Option<Ip>,
    pub protocol: Option<Protocol>,
    pub tls: Option<Tls>,
}

/// The version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ip {
    V4,
    V6,
}

/// The version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// The version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    V12,
    V13,
}

/// The rows by series.
pub type Rows = BTreeMap<(CheckId, Target), Last>;

/// The rows of one probe. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Arc<Mutex<Rows>>,
}

impl Table {
    /// Follows an assignment: series that go on keep their row.
    pub fn assign(&self, assignment: &Assignment) {
        let mut rows = lock(&self.rows);
        let mut old = std::mem::take(&mut *rows);
        for check in &assignment.checks {
            let kind = kind(&check.kind);
            for endpoint in &check.endpoints {
                let key = (check.id.clone(), endpoint.target.clone());
                // A check that changed its kind has other figures.
                let kept = old.remove(&key).filter(|last| last.kind == kind);
                rows.insert(key, kept.unwrap_or_else(|| Last { kind, ..Last::default() }));
            }
        }
    }

    /// Takes a run; one of a series that is not assigned any more is left out.
    pub fn take(&self, sample: &Sample) {
        let mut rows = lock(&self.rows);
        let Some(last) = rows.get_mut(&(sample.check.clone(), sample.target.clone())) else { return };
        match sample.outcome {
            Outcome::Ok => last.ok += 1,
            Outcome::Fail(_) | Outcome::Unsupported => last.failed += 1,
            Outcome::Missed => {
                last.skipped += 1;
                return;
            }
        }
        last.run = Some(run(sample));
    }

    /// The rows as they are now.
    pub fn rows(&self) -> Rows {
        lock(&self.rows).clone()
    }
}

fn kind(kind: &CheckKind) -> Kind {
    match kind {
        CheckKind::Http(_) | CheckKind::WebSocket(_) => Kind::Http,
        CheckKind::Dns(_) => Kind::Dns,
        CheckKind::Icmp(_) => Kind::Icmp,
        _ => Kind::Other,
    }
}

fn run(sample: &Sample) -> Run {
    // IPv6 addresses with a port stand in brackets, those without have several colons.
    let ip = |address: &str| {
        if address.starts_with('[') || address.matches(':').count() > 1 { Ip::V6 } else { Ip::V4 }
    };
    let protocol = sample.connection.protocol.as_deref();
    let tls = sample.connection.tls.as_ref();
    Run {
        ended: sample.started.plus_us(sample.total_us.into()),
        ok: sample.outcome == Outcome::Ok,
        slow: sample.slow,
        total_us: sample.total_us,
        delay_us: sample.schedule_delay_us(),
        phases: sample.phases,
        status: sample.status,
        bytes: sample.bytes,
        redirects: u8::try_from(sample.hops.len()).unwrap_or(u8::MAX),
        certificate_expires: sample.certificate_expires,
        ip: sample.address.as_deref().map(ip),
        protocol: protocol.map(|name| if name == "HTTP/2" { Protocol::Http2 } else { Protocol::Http1 }),
        tls: tls.map(|facts| if facts.version == "TLSv1.2" { Tls::V12 } else { Tls::V13 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assignment, check, sample};

    const URL: &str = "http://127.0.0.1:1/";

    #[test]
    fn the_rows_are_those_of_the_assignment() {
        let table = Table::default();
        table.take(&sample(1));
        assert!(table.rows().is_empty(), "nothing is assigned yet");
        table.assign(&assignment(vec![check("home", 1, URL), check("gone", 1, URL)]));
        table.take(&sample(1));
        table.take(&Sample { outcome: Outcome::Missed, ..sample(2) });
        table.assign(&assignment(vec![check("home", 2, URL), check("new", 1, URL)]));
        let rows = table.rows();
        let names: Vec<&str> = rows.keys().map(|(check, _)| check.as_str()).collect();
        assert_eq!(names, ["home", "new"]);
        let home = rows.values().next().expect("two rows");
        assert_eq!((home.ok, home.skipped), (1, 1));
        let run = home.run.as_ref().expect("a missed run is no run");
        assert_eq!((run.ok, run.status, run.total_us), (true, Some(200), 1000));
    }

    #[test]
    fn a_row_is_small() {
        assert!(size_of::<Last>() <= 200, "{} bytes", size_of::<Last>());
    }

    #[test]
    fn addresses_tell_their_family() {
        for (address, ip) in [
            ("192.0.2.1:443", Ip::V4),
            ("192.0.2.1", Ip::V4),
            ("[2001:db8::1]:443", Ip::V6),
            ("2001:db8::1", Ip::V6),
        ] {
            assert_eq!(run(&Sample { address: Some(address.into()), ..sample(1) }).ip, Some(ip));
        }
    }
}
