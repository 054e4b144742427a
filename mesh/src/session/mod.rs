//! A sender's side of one session, without any I/O: numbers packets, matches answers, and sums up windows.
//!
//! The caller takes the next [`Session::request`], sends it, and tells with [`Session::sent`] that it left; stamps of
//! the kernel and answers follow in any order. [`Session::close`] gives a window when the last of its packets has been
//! waited for.

mod bounds;
mod delays;
mod loss;
mod order;
mod probe;
mod summary;

use crate::{
    clock::{Discipline, Moment},
    packet::{Answer, ErrorEstimate, Request, Stamp, tlv},
};
use loss::Ledger;
use probe::{Got, Probe};
use std::collections::{HashMap, VecDeque};
pub(crate) use summary::plain_window;
use wire::{
    ProbeId, RegionId,
    mesh::{MeshSend, MeshWindow},
};

/// Who measures whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub ssid: u16,
    pub from: ProbeId,
    pub from_region: RegionId,
    pub to: ProbeId,
    pub to_region: RegionId,
}

/// What is assumed and required of a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How long a window is, nanoseconds.
    pub window_ns: i64,
    /// An answer after this is late, nanoseconds.
    pub timeout_ns: i64,
    /// No direction takes less, nanoseconds.
    pub least_delay_ns: i64,
    /// How fast the two clocks may move against each other, parts in a million. 15 is what RFC 5905 (PHI) allows for.
    pub drift_ppm: f64,
    /// A wall clock that moved further than this while a packet was on its way was stepped, nanoseconds.
    pub step_ns: u64,
}

impl From<&MeshSend> for Settings {
    fn from(send: &MeshSend) -> Self {
        Self {
            window_ns: i64::from(send.window_us) * 1000,
            timeout_ns: i64::from(send.timeout_us) * 1000,
            least_delay_ns: i64::from(send.least_delay_us) * 1000,
            drift_ppm: 15.0,
            step_ns: 50_000,
        }
    }
}

/// An answer that came, already found authentic.
#[derive(Debug, Clone)]
pub struct Heard {
    pub answer: Answer,
    pub told: tlv::Told,
    /// T4.
    pub received: Stamp,
    /// Whether the kernel took T4.
    pub by_kernel: bool,
    /// When the program got it.
    pub at: Moment,
}

/// What an answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// The first answer to a packet, in time.
    Answered,
    Duplicate,
    Late,
    /// Not an answer to any packet of this session: another number of session, or not what was sent.
    Foreign,
}

/// Counts of a window that are not made from its packets when it is closed.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    not_sent: u32,
    late: u32,
    duplicates: u32,
    reordered: u32,
    rejected: u32,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    identity: Identity,
    settings: Settings,
    /// When window 0 began.
    start_ns: i64,
    /// The first window that is not closed yet.
    open: u64,
    next: u32,
    /// Packets of open windows and of the one before, in order of their numbers.
    probes: VecDeque<Probe>,
    /// Which packet the reflector answered with which number, for follow-ups.
    by_number: HashMap<u32, u32>,
    ledger: Ledger,
    newest_answered: Option<u32>,
    arrivals: i64,
    tallies: HashMap<u64, Tally>,
    ttl: Option<u8>,
}

impl Session {
    /// A session whose first window begins now.
    pub fn new(identity: Identity, settings: Settings, now: Moment) -> Self {
        Self {
            identity,
            settings,
            start_ns: now.monotonic_ns,
            open: 0,
            next: 0,
            probes: VecDeque::new(),
            by_number: HashMap::new(),
            ledger: Ledger::default(),
            newest_answered: None,
            arrivals: 0,
            tallies: HashMap::new(),
            ttl: None,
        }
    }

    /// The packet to send next, stamped with a time that is about now.
    pub fn request(&self, sent: Stamp, clock: ErrorEstimate, extensions: Vec<u8>) -> Request {
        Request { sequence: self.next, sent, error: clock, ssid: self.identity.ssid, extensions }
    }

    /// The next packet has left; `sent` is T1 as the packet says, `at` was read just before. Gives its number.
    pub fn sent(&mut self, at: Moment, sent: Stamp) -> u32 {
        let sequence = self.next;
        self.next = self.next.wrapping_add(1);
        self.probes.push_back(Probe::new(sequence, self.window_of(at.monotonic_ns), at, sent));
        sequence
    }

    /// A packet could not be sent from this machine, or its turn was missed. Its number is not used up.
    pub fn not_sent(&mut self, at: Moment) {
        self.tally(at).not_sent += 1;
    }

    /// A packet came that is no authentic answer.
    pub fn reject(&mut self, at: Moment) {
        self.tally(at).rejected += 1;
    }

    /// The kernel says when a packet really left (T1).
    pub fn left(&mut self, sequence: u32, at: Stamp) {
        if let Some(probe) = self.probe(sequence) {
            probe.left = at;
            probe.left_by_kernel = true;
        }
    }

    /// Takes an answer.
    pub fn hear(&mut self, heard: Heard) -> Hearing {
        let answer = &heard.answer;
        let (sequence, ssid) = (answer.sender_sequence, self.identity.ssid);
        // A number of 0 is sent back by reflectors that know nothing of RFC 8972.
        let ours = answer.ssid == ssid || answer.ssid == 0;
        let Some(known) = self.probe(sequence).filter(|probe| ours && probe.said == answer.sender_sent)
        else {
            self.reject(heard.at);
            return Hearing::Foreign;
        };
        let (duplicate, sent_at, window) = (known.got.is_some(), known.at, known.window);
        self.follow_up(&heard);
        if heard.at.monotonic_ns - sent_at.monotonic_ns > self.settings.timeout_ns {
            let tally = self.tally_of(window, heard.at);
            if duplicate {
                tally.duplicates += 1;
                return Hearing::Duplicate;
            }
            tally.late += 1;
            return Hearing::Late;
        }
        let newer = |newest: u32| sequence.wrapping_sub(newest) as i32 > 0;
        let newest = self.newest_answered.is_none_or(newer);
        let number = self.ledger.take(answer.sequence, sequence, newest && !duplicate);
        if duplicate {
            self.tally_of(window, heard.at).duplicates += 1;
            return Hearing::Duplicate;
        }
        if newest {
            self.newest_answered = Some(sequence);
        } else {
            self.tally_of(window, heard.at).reordered += 1;
        }
        self.by_number.insert(answer.sequence, sequence);
        self.ttl = answer.sender_ttl.or(self.ttl);
        let got =
            Got::new(&heard, sent_at, (self.ledger.epoch, number), self.arrivals, self.settings.step_ns);
        self.arrivals += 1;
        if let Some(probe) = self.probe(sequence) {
            probe.got = Some(got);
        }
        Hearing::Answered
    }

    /// The oldest window, when its last packet has been waited for. To be called again until there is none.
    pub fn close(&mut self, now: Moment, local: &Discipline) -> Option<MeshWindow> {
        let started_ns = self.start_ns + self.open as i64 * self.settings.window_ns;
        let ended_ns = started_ns + self.settings.window_ns;
        if now.monotonic_ns < ended_ns + self.settings.timeout_ns {
            return None;
        }
        let fates = self.probes.iter().filter(|p| p.window == self.open).map(Probe::fate).collect::<Vec<_>>();
        let later = self.probes.iter().filter(|p| p.window > self.open).map(Probe::fate);
        let lost = self.ledger.settle(&fates, later);
        let tally = self.tallies.remove(&self.open).unwrap_or_default();
        let at = |monotonic_ns: i64| Moment {
            wall_ns: now.wall_ns - (now.monotonic_ns - monotonic_ns),
            monotonic_ns,
        };
        let window = summary::Summary {
            identity: &self.identity,
            settings: &self.settings,
            started: at(started_ns),
            ended: at(ended_ns),
            probes: self.probes.iter().filter(|p| p.window == self.open).collect(),
            overtaken: order::overtaken(&self.probes, self.open),
            lost,
            tally,
            ttl: self.ttl,
            local,
        }
        .window();
        self.open += 1;
        // One closed window is kept, to tell duplicates from late answers.
        while self.probes.front().is_some_and(|probe| probe.window + 1 < self.open) {
            self.probes.pop_front();
        }
        let first = self.probes.front().map_or(self.next, |probe| probe.sequence);
        self.by_number.retain(|_, sequence| sequence.wrapping_sub(first) as i32 >= 0);
        Some(window)
    }

    /// When the next window can be closed, monotonic, nanoseconds.
    pub fn closes_at_ns(&self) -> i64 {
        self.start_ns + (self.open as i64 + 1) * self.settings.window_ns + self.settings.timeout_ns
    }

    /// Corrects T3 of an earlier answer. A follow-up that would make the answer leave before it was stamped, or much
    /// later, is not believed.
    fn follow_up(&mut self, heard: &Heard) {
        const MUCH_LATER_NS: i64 = 10_000_000_000;
        let Some(told) = heard.told.follow_up else { return };
        let Some(sequence) = self.by_number.get(&told.sequence).copied() else { return };
        let Some(got) = self.probe(sequence).and_then(|probe| probe.got.as_mut()) else { return };
        if !got.returned_by_kernel && (0..MUCH_LATER_NS).contains(&told.returned.since(got.returned)) {
            got.returned = told.returned;
            got.returned_by_kernel = matches!(told.method, tlv::BY_HARDWARE | tlv::BY_SOFTWARE);
        }
    }

    fn probe(&mut self, sequence: u32) -> Option<&mut Probe> {
        let first = self.probes.front()?.sequence;
        self.probes.get_mut(sequence.wrapping_sub(first) as usize)
    }

    fn window_of(&self, monotonic_ns: i64) -> u64 {
        // A packet is never put into a window that was closed already.
        let since = monotonic_ns.saturating_sub(self.start_ns).max(0);
        ((since / self.settings.window_ns) as u64).max(self.open)
    }

    /// The counts of a packet's own window, or of the present one when that is closed already.
    fn tally_of(&mut self, window: u64, at: Moment) -> &mut Tally {
        if window >= self.open { self.tallies.entry(window).or_default() } else { self.tally(at) }
    }

    fn tally(&mut self, at: Moment) -> &mut Tally {
        let window = self.window_of(at.monotonic_ns);
        self.tallies.entry(window).or_default()
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
