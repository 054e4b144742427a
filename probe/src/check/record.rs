//! The stop watch of one request, and what is known of its answer so far.
//!
//! A run can be cut at any moment, so the engine writes down what it learns when it learns it. Phases are
//! differences of marks on one clock: they tile the time from the start to the end without gap or overlap, and
//! their sum is the total to the microsecond.

use crate::net::{Trouble, tcp_info};
use http::HeaderMap;
use runtime::lock::lock;
use std::{
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};
use wire::{
    Micros,
    sample::{Connection, Phases},
};

/// What a request is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Dns,
    Connect,
    Tls,
    Send,
    Wait,
    Transfer,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Phase::Dns => "dns",
            Phase::Connect => "connect",
            Phase::Tls => "tls",
            Phase::Send => "send",
            Phase::Wait => "wait",
            Phase::Transfer => "transfer",
        }
    }

    fn slot(self, phases: &mut Phases) -> &mut Option<u32> {
        match self {
            Phase::Dns => &mut phases.dns,
            Phase::Connect => &mut phases.connect,
            Phase::Tls => &mut phases.tls,
            Phase::Send => &mut phases.send,
            Phase::Wait => &mut phases.wait,
            Phase::Transfer => &mut phases.transfer,
        }
    }
}

/// What is known of a request and its answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    /// From the start to [`Recorder::finish`], microseconds.
    pub(super) total_us: u32,
    pub(super) phases: Phases,
    /// The phase that was going on when the record was closed.
    pub(super) ended_in: Option<Phase>,
    pub(super) address: Option<SocketAddr>,
    pub(super) status: Option<u16>,
    pub(super) headers: HeaderMap,
    /// At most [`super::MAX_BODY`] bytes.
    pub(super) body: Vec<u8>,
    /// True when the body went on.
    pub(super) truncated: bool,
    /// Fields behind the body (RFC 9110, 6.5).
    pub(super) trailers: HeaderMap,
    /// When the first certificate of the chain that the server showed stops being valid.
    pub(super) certificate_expires: Option<Micros>,
    /// The issuer whose certificate is the first to expire; the server's own when absent.
    pub(super) expires_first: Option<String>,
    /// The server asked for the client's certificate in the handshake.
    pub(super) client_certificate_wanted: bool,
    /// What is known of the connection.
    pub(super) connection: Connection,
    /// Whose fault it was that a name was not resolved.
    pub(super) resolver: Trouble,
    /// When the watch was stopped.
    pub(super) stopped: Option<Instant>,
    /// What is being waited for, for the sentence when it does not come in time: "no … within 1 s".
    pub(super) awaited: Option<String>,
}

impl Record {
    /// Body bytes read, absent when no body was waited for.
    pub(super) fn bytes(&self) -> Option<u32> {
        self.phases.transfer.map(|_| u32::try_from(self.body.len()).unwrap_or(u32::MAX))
    }

    /// The phase that took the most time.
    pub(super) fn longest_phase(&self) -> Option<(String, u32)> {
        let (name, us) = self.phases.named().max_by_key(|(_, us)| *us)?;
        Some((name.to_owned(), us))
    }

    /// A response header as text.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// The region that says it served the request: the header's value if it can be an id at all, that is 1 to
    /// 63 visible ASCII characters.
    pub(super) fn served_by(&self, region_header: Option<&str>) -> Option<String> {
        let value = self.headers.get(region_header?)?.as_bytes();
        let plausible = (1..=63).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
        plausible.then(|| String::from_utf8_lossy(value).into_owned())
    }

    /// For messages: the phase at the end, or that nothing had begun.
    pub(super) fn ended_in(&self) -> &'static str {
        self.ended_in.map_or("preparation", Phase::name)
    }
}

/// A running record, shared by the engine and the connection under it.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    watch: Arc<Mutex<Watch>>,
}

#[derive(Debug)]
struct Watch {
    started: Instant,
    /// When the current phase began, microseconds after `started`.
    mark_us: u32,
    current: Option<Phase>,
    armed: bool,
    socket: Option<Socket>,
    record: Record,
}

/// The TCP connection, to ask the system about.
#[derive(Debug)]
struct Socket {
    /// A descriptor of our own for the socket: whoever speaks on it may be gone by the time that we ask.
    handle: OwnedFd,
    /// What had been sent again before this run, on a connection that was there before.
    retransmits: u32,
}

impl Watch {
    fn enter(&mut self, next: Option<Phase>, now: Instant) {
        let now_us = micros(now.saturating_duration_since(self.started));
        // Before the first phase `mark_us` is 0, so that the first phase takes the time since the start.
        if let Some(current) = self.current.take() {
            let slot = current.slot(&mut self.record.phases);
            *slot = Some(slot.unwrap_or(0).saturating_add(now_us.saturating_sub(self.mark_us)));
            self.mark_us = now_us;
        }
        self.current = next;
    }

    /// Notes what the system knows of the connection.
    fn ask_system(&mut self) {
        let Some(socket) = &self.socket else { return };
        if let Some(facts) = tcp_info::read(&socket.handle) {
            let connection = &mut self.record.connection;
            connection.retransmits = Some(facts.retransmits.saturating_sub(socket.retransmits));
            connection.min_rtt_us = facts.min_rtt_us;
        }
    }
}

fn micros(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

impl Recorder {
    /// Starts the watch.
    pub(super) fn start() -> Recorder {
        Recorder::start_at(Instant::now())
    }

    /// Starts the watch in the past: when the one before was stopped, so that no time is lost between them.
    pub(super) fn start_at(started: Instant) -> Recorder {
        Recorder::of(Watch {
            started,
            mark_us: 0,
            current: None,
            armed: false,
            socket: None,
            record: Record::default(),
        })
    }

    fn of(watch: Watch) -> Recorder {
        Recorder { watch: Arc::new(Mutex::new(watch)) }
    }

    /// Ends the current phase, and makes another watch that knows and has measured the same so far.
    pub(super) fn fork(&self) -> Recorder {
        let mut watch = self.lock();
        watch.enter(None, Instant::now());
        let (started, mark_us, record) = (watch.started, watch.mark_us, watch.record.clone());
        Recorder::of(Watch { started, mark_us, current: None, armed: false, socket: None, record })
    }

    /// From now on, the system is asked about this connection when the record is closed. `retransmits` is how many
    /// segments had been sent again on it before.
    pub(super) fn attach(&self, handle: OwnedFd, retransmits: u32) {
        self.lock().socket = Some(Socket { handle, retransmits });
    }

    /// Like [`Recorder::attach`] for a new connection. Where no descriptor is left for it, the run goes on without.
    pub(super) fn attach_new(&self, socket: &impl AsFd) {
        if let Ok(handle) = socket.as_fd().try_clone_to_owned() {
            self.attach(handle, 0);
        }
    }

    /// Notes what the system knows of the connection now, and gives the connection back, with how many segments were
    /// ever sent again on it.
    pub(super) fn detach(&self) -> Option<(OwnedFd, u32)> {
        let mut watch = self.lock();
        watch.ask_system();
        let socket = watch.socket.take()?;
        let since = watch.record.connection.retransmits.unwrap_or_default();
        Some((socket.handle, socket.retransmits.saturating_add(since)))
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        lock(&self.watch)
    }

    /// Ends the current phase and begins another.
    pub(super) fn enter(&self, phase: Phase) {
        self.lock().enter(Some(phase), Instant::now());
    }

    /// From now on, the next bytes that reach the socket are the request.
    pub(super) fn arm(&self) {
        self.lock().armed = true;
    }

    /// Bytes reached the socket: if they are the request, sending is over and waiting begins.
    pub(super) fn flushed(&self) {
        let mut watch = self.lock();
        if watch.armed && watch.current == Some(Phase::Send) {
            watch.enter(Some(Phase::Wait), Instant::now());
        }
    }

    /// Adds to what is known.
    pub(super) fn note<T>(&self, add: impl FnOnce(&mut Record) -> T) -> T {
        add(&mut self.lock().record)
    }

    /// Stops the watch, bills the current phase and takes the record; the watch is of no use afterwards.
    pub(super) fn finish(&self) -> Record {
        let mut watch = self.lock();
        let now = Instant::now();
        let ended_in = watch.current;
        watch.enter(None, now);
        // A fork that never went on ended with the lookup.
        let idle = ended_in.is_none() && watch.mark_us > 0;
        let total_us =
            if idle { watch.mark_us } else { micros(now.saturating_duration_since(watch.started)) };
        watch.ask_system();
        watch.socket = None;
        Record { total_us, ended_in, stopped: Some(now), ..std::mem::take(&mut watch.record) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_tile_the_total() {
        let recorder = Recorder::start();
        for phase in [Phase::Connect, Phase::Tls, Phase::Send] {
            recorder.enter(phase);
            std::thread::yield_now();
        }
        recorder.flushed();
        recorder.arm();
        recorder.flushed();
        let record = recorder.finish();
        assert_eq!(record.phases.sum(), record.total_us);
        assert_eq!(record.ended_in, Some(Phase::Wait));
        assert_eq!(record.phases.dns, None);
        assert_eq!(record.phases.transfer, None);
        recorder.flushed();
    }

    #[test]
    fn a_fork_goes_on_where_the_first_watch_stood() {
        let recorder = Recorder::start();
        recorder.enter(Phase::Dns);
        let forks = [recorder.fork(), recorder.fork()];
        for fork in &forks {
            fork.enter(Phase::Connect);
        }
        let [one, two] = forks.map(|fork| fork.finish());
        for record in [&one, &two] {
            assert_eq!(record.phases.sum(), record.total_us);
            assert!(record.phases.connect.is_some() && record.ended_in == Some(Phase::Connect));
        }
        assert_eq!(one.phases.dns, two.phases.dns);
        let next = Recorder::start_at(one.stopped.expect("it was stopped"));
        next.enter(Phase::Connect);
        let next = next.finish();
        assert_eq!(next.phases.sum(), next.total_us);
    }

    #[test]
    fn a_served_by_header_that_cannot_be_an_id_is_ignored() {
        let mut record = Record::default();
        for (value, plausible) in [("eu-west", true), ("", false), ("a b", false), (&*"x".repeat(64), false)]
        {
            record.headers.insert("x-region", value.parse().expect("a header value"));
            assert_eq!(record.served_by(Some("X-Region")).is_some(), plausible, "{value}");
        }
        assert_eq!(record.served_by(None), None);
        assert_eq!(record.served_by(Some("not a name")), None);
    }
}
