//! The stop watch of one request, and what is known of its answer so far.
//!
//! A run can be cut at any moment, so the engine writes down what it learns when it learns it. Phases are
//! differences of marks on one clock: they tile the time from the start to the end without gap or overlap, and
//! their sum is the total to the microsecond.

use http::HeaderMap;
use runtime::lock::lock;
use std::{
    net::SocketAddr,
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
#[derive(Debug, Default)]
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
    /// When the certificate that the server showed stops being valid.
    pub(super) certificate_expires: Option<Micros>,
    /// What is known of the connection.
    pub(super) connection: Connection,
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

    /// The value of a cookie that this answer sets.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        let values = self.headers.get_all(http::header::SET_COOKIE).iter();
        let mut pairs = values.filter_map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            let (cookie, value) = text.split(';').next()?.split_once('=')?;
            (cookie.trim() == name).then(|| value.trim().to_owned())
        });
        pairs.next()
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
    record: Record,
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
}

fn micros(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

impl Recorder {
    /// Starts the watch.
    pub(super) fn start() -> Recorder {
        let started = Instant::now();
        let watch = Watch { started, mark_us: 0, current: None, armed: false, record: Record::default() };
        Recorder { watch: Arc::new(Mutex::new(watch)) }
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
        let total_us = micros(now.saturating_duration_since(watch.started));
        Record { total_us, ended_in, ..std::mem::take(&mut watch.record) }
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
}
