//! The stateful reflector (RFC 8762, section 4.3) without any I/O: who is answered, and with what.
//!
//! Only sessions that were provisioned are answered (RFC 8972, section 3); everything else is dropped without a word
//! and counted. No answer is longer than its request, except that requests of TWAMP, which may be as short as 14
//! bytes, get the 44 bytes of the base packet. Each sender socket of a session has its own count of answers, by which
//! the sender can tell on which way a packet was lost.

mod extend;
mod limit;
mod stream;

use crate::packet::{Answer, ErrorEstimate, Key, Malformed, Mode, Request, Stamp, tlv};
use limit::Limiter;
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};
use stream::{StreamKey, Streams};

/// A session that is answered.
#[derive(Debug, Clone)]
pub struct Provision {
    /// The number of the session. 0 stands for a peer that knows nothing of RFC 8972: whatever its packets have in
    /// the place of the number is accepted, but only from the address in `from`.
    pub ssid: u16,
    /// The only address that is answered; any when absent.
    pub from: Option<IpAddr>,
    /// The key that authenticates both directions. With a key, packets without authentication are not answered.
    pub key: Option<Key>,
}

/// A packet that came.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    pub from: SocketAddr,
    pub bytes: &'a [u8],
    /// T2.
    pub reached: Stamp,
    /// Whether the kernel took T2.
    pub by_kernel: bool,
    /// TTL or hop limit as it arrived.
    pub ttl: Option<u8>,
}

/// What to send back to where the packet came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub ticket: Ticket,
}

/// Names an answer, to tell later when it really left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    stream: StreamKey,
    sequence: u32,
}

/// Why a packet is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Discard {
    #[error("no such session is provisioned for its sender")]
    UnknownSession,
    #[error("its authentication code is wrong")]
    NotAuthentic,
    #[error("it is no packet of STAMP")]
    Malformed,
    #[error("its sender sends too fast")]
    TooFast,
}

/// How many packets met which fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    pub answered: u64,
    pub unknown_session: u64,
    pub not_authentic: u64,
    pub malformed: u64,
    pub too_fast: u64,
}

/// What the reflector knows.
#[derive(Debug)]
pub struct Core {
    sessions: HashMap<u16, Provision>,
    streams: Streams,
    limiter: Limiter,
    counters: Counters,
}

impl Core {
    /// A reflector that answers nobody yet, and later at most `per_second` packets a second from one address (with a
    /// burst of a second's worth).
    pub fn new(per_second: u32) -> Self {
        Self {
            sessions: HashMap::new(),
            streams: Streams::default(),
            limiter: Limiter::new(per_second),
            counters: Counters::default(),
        }
    }

    /// Replaces the provisioned sessions. Counts of sessions that stay go on.
    pub fn provision(&mut self, sessions: impl IntoIterator<Item = Provision>) {
        self.sessions = sessions.into_iter().map(|session| (session.ssid, session)).collect();
        self.streams.keep(|ssid| self.sessions.contains_key(&ssid));
    }

    /// How many packets met which fate since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether any session would be answered to this address, for the fall-back by TCP.
    pub fn knows(&self, address: IpAddr) -> bool {
        self.sessions.values().any(|session| session.from.is_none_or(|from| from == address))
    }

    /// Answers a packet or says why not. `clock` says how far off this machine's clock may be, `now_ns` is monotonic
    /// time for the rate, and `returned` reads T3: it is called when all else is done.
    ///
    /// # Errors
    /// When the packet must be dropped.
    pub fn reflect(
        &mut self,
        arrival: Arrival<'_>,
        clock: ErrorEstimate,
        now_ns: i64,
        returned: impl FnOnce() -> Stamp,
    ) -> Result<Reply, Discard> {
        let result = self.answer(arrival, clock, now_ns, returned);
        let counter = match result {
            Ok(_) => &mut self.counters.answered,
            Err(Discard::UnknownSession) => &mut self.counters.unknown_session,
            Err(Discard::NotAuthentic) => &mut self.counters.not_authentic,
            Err(Discard::Malformed) => &mut self.counters.malformed,
            Err(Discard::TooFast) => &mut self.counters.too_fast,
        };
        *counter += 1;
        result
    }

    /// Tells when an answer really left, for the next answer's follow-up.
    pub fn left(&mut self, ticket: &Ticket, at: Stamp) {
        let follow_up = tlv::FollowUp { sequence: ticket.sequence, returned: at, method: tlv::BY_SOFTWARE };
        self.streams.followed_up(&ticket.stream, follow_up);
    }

    fn answer(
        &mut self,
        arrival: Arrival<'_>,
        clock: ErrorEstimate,
        now_ns: i64,
        returned: impl FnOnce() -> Stamp,
    ) -> Result<Reply, Discard> {
        let session = self.session_of(&arrival)?;
        let key = session.key.clone();
        let ssid = session.ssid;
        let request = Request::decode(arrival.bytes, key.as_ref()).map_err(|why| match why {
            Malformed::NotAuthentic => Discard::NotAuthentic,
            Malformed::TooShort | Malformed::TooLong => Discard::Malformed,
        })?;
        if !self.limiter.allows(arrival.from.ip(), now_ns) {
            return Err(Discard::TooFast);
        }
        let stream = StreamKey { ssid, from: arrival.from };
        let turn = self.streams.next(&stream, now_ns);
        let base_len = if key.is_some() { Mode::Authenticated } else { Mode::Open }.base_len();
        let intact = key.as_ref().is_none_or(|key| tlv::authentic(arrival.bytes, base_len, key));
        let said = extend::Said { clock, by_kernel: arrival.by_kernel, follow_up: turn.follow_up };
        let extensions = extend::answer(request.extensions, intact, &said);
        let answer = Answer {
            sequence: turn.sequence,
            returned: returned(),
            error: clock,
            ssid: request.ssid,
            reached: arrival.reached,
            sender_sequence: request.sequence,
            sender_sent: request.sent,
            sender_error: request.error,
            sender_ttl: arrival.ttl,
            extensions,
        };
        let mut bytes = answer.encode(key.as_ref());
        if let Some(key) = key.as_ref().filter(|_| intact) {
            tlv::sign(&mut bytes, base_len, key);
        }
        Ok(Reply { bytes, ticket: Ticket { stream, sequence: turn.sequence } })
    }

    /// The session that a packet claims to belong to. The place of the number depends on whether it has a key.
    fn session_of(&self, arrival: &Arrival<'_>) -> Result<&Provision, Discard> {
        let claimed = |mode| self.sessions.get(&Request::peek_ssid(arrival.bytes, mode));
        let here =
            |session: &&Provision| session.from.is_none_or(|from| from == arrival.from.ip().to_canonical());
        let open = claimed(Mode::Open).filter(|session| session.ssid != 0 && session.key.is_none());
        let sealed =
            claimed(Mode::Authenticated).filter(|session| session.ssid != 0 && session.key.is_some());
        let foreign = self.sessions.get(&0).filter(|session| session.from.is_some());
        [open, sealed, foreign].into_iter().flatten().find(here).ok_or(Discard::UnknownSession)
    }
}

#[cfg(test)]
mod tests;
