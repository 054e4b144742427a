//! Connections that stay for the next run of their series, where a check asks for that.
//!
//! A connection that ended while nobody used it is replaced by a fresh one, because nothing was sent on it yet; that
//! is seen when it is taken, not asked of the server. Once a request is written nothing is repeated: a connection that
//! dies then is a failure, as it is for users.

use super::{
    exchange::{self, Talk},
    fault::Fault,
    prepare::Prepared,
    record::{Phase, Recorder},
    way::Way,
};
use crate::net::shelf::Owner;
use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};
use url::Position;
use wire::{
    Micros,
    assignment::Reach,
    sample::{Connection, FailClass},
};

/// After so many intervals without a run a connection is dropped.
const INTERVALS: u32 = 2;
/// For checks with very short intervals, whose runs may still take a while.
const SHORTEST: Duration = Duration::from_secs(2);

/// A connection between two runs, with what is known of it.
pub(crate) struct Kept {
    talk: Talk,
    /// How it was reached: a check that was changed makes a new one.
    reach: Reach,
    address: Option<SocketAddr>,
    connection: Connection,
    certificate_expires: Option<Micros>,
    socket: Option<(OwnedFd, u32)>,
}

/// Sends and reads, on the kept connection if there is one, and keeps it.
pub(super) async fn exchange(prepared: &Prepared, way: &Way<'_>, recorder: &Recorder) -> Result<(), Fault> {
    let owner = Owner {
        check: way.series.check.clone(),
        target: way.series.target.clone(),
        origin: prepared.url[..Position::BeforePath].to_owned(),
        address: way.given(&prepared.to),
    };
    let (mut talk, reused) = match revive(&owner, way, recorder).await {
        Some(talk) => (talk, true),
        None => (exchange::open(prepared, way, recorder).await?, false),
    };
    let request = prepared.to_http(talk.h2(), true)?;
    let done = talk.exchange(request, recorder).await;
    done.map_err(|fault| if reused { of_kept(fault) } else { fault })?;
    let whole = recorder.note(|record| !record.truncated);
    if whole && talk.lives().await {
        shelve(owner, talk, way, recorder);
    }
    Ok(())
}

/// The kept connection, if it still lives: phase `send` has begun.
async fn revive(owner: &Owner, way: &Way<'_>, recorder: &Recorder) -> Option<Talk> {
    let Kept { mut talk, reach, address, connection, certificate_expires, socket } =
        way.net.kept().take(owner, Instant::now())?;
    if reach != *way.reach || !talk.lives().await {
        return None;
    }
    talk.serve(recorder);
    recorder.enter(Phase::Send);
    recorder.note(|record| {
        record.address = address;
        record.certificate_expires = certificate_expires;
        record.connection = Connection { reused: true, ..connection };
    });
    if let Some((handle, retransmits)) = socket {
        recorder.attach(handle, retransmits);
    }
    Some(talk)
}

fn shelve(owner: Owner, talk: Talk, way: &Way<'_>, recorder: &Recorder) {
    let socket = recorder.detach();
    let kept = recorder.note(|record| Kept {
        talk,
        reach: way.reach.clone(),
        address: record.address,
        connection: Connection { lookup: None, ..record.connection.clone() },
        certificate_expires: record.certificate_expires,
        socket,
    });
    let idle = Duration::from_micros(way.series.interval_us.into()) * INTERVALS;
    way.net.kept().keep(owner, kept, Instant::now() + idle.max(SHORTEST));
}

/// Says what kind of connection it was that failed.
fn of_kept(fault: Fault) -> Fault {
    match fault.class {
        FailClass::Connect | FailClass::Protocol => {
            let summary = format!("{} (on a connection kept from an earlier run)", fault.summary);
            Fault::new(fault.class, summary)
        }
        _ => fault,
    }
}
