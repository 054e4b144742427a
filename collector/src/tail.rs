//! The log as its readers see it: in order, from memory where it is recent, else from the database.
//!
//! Every collector has two readers, the decider ([`crate::fold`]) and the history ([`crate::history`]). What this
//! collector itself has just written they get as it was parsed when it came; what another one wrote, and what is old,
//! they read from the database. Unpacking and parsing that is most of the work of a start, so a [`Reader`] has it done on
//! several processors, some entries ahead.

use crate::{
    decide::Event,
    store::{Appended, Error, Logged, PackedEntry, Store},
};
use runtime::lock::lock;
use std::{
    collections::VecDeque,
    panic::resume_unwind,
    sync::{Arc, Mutex},
    thread::available_parallelism,
};
use tokio::{sync::watch, task::JoinHandle};
use wire::report::Report;

/// Samples (and entries) that are kept in memory for the readers, some 50 MB.
const MOST: usize = 50_000;
/// Entries that are read from the database at a time: at first, and at least and at most.
const CHUNK: i64 = 100;
const CHUNKS: (usize, usize) = (16, 2_000);
/// Packed bytes that are read at a time, as far as the sizes of the last entries tell.
const CHUNK_BYTES: usize = 4 << 20;
/// Packed bytes that are unpacked together, some 3,500 samples; unpacked they take some ten times as much.
const BATCH_BYTES: usize = 512 << 10;
/// The most batches that are unpacked at the same time, or wait unpacked to be taken.
const MOST_BATCHES: usize = 8;

/// Reads the log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tail {
    store: Store,
    recent: Arc<Mutex<Recent>>,
    news: watch::Sender<u64>,
}

/// The newest entries of this collector without a gap: all that the log has after `after` up to `upto`.
#[derive(Debug, Default)]
struct Recent {
    after: i64,
    upto: i64,
    entries: VecDeque<Logged>,
    weight: usize,
}

impl Recent {
    /// False when the log had gone back.
    fn extend(&mut self, appended: &Appended) -> bool {
        let sound = appended.before >= self.upto;
        if appended.before != self.upto {
            // Another collector has written in between: what we hold ends there.
            *self = Recent { after: appended.before, ..Recent::default() };
        }
        self.upto = appended.upto;
        for entry in &appended.logged {
            self.weight += weight_of(entry);
            self.entries.push_back(entry.clone());
        }
        while self.weight > MOST
            && let Some(oldest) = self.entries.pop_front()
        {
            self.after = oldest.position;
            self.weight -= weight_of(&oldest);
        }
        sound
    }

    /// What comes after a position, if it is here without a gap.
    fn after(&self, position: i64) -> Vec<Logged> {
        if position < self.after {
            return Vec::new();
        }
        let from = self.entries.partition_point(|entry| entry.position <= position);
        self.entries.range(from..).cloned().collect()
    }
}

/// What an entry costs in memory and time, in samples.
pub fn weight_of(entry: &Logged) -> usize {
    match &*entry.event {
        Event::Report { report, .. } => weight(report),
        _ => 1,
    }
}

/// The same of a report: its samples and their steps, its measurements of the network, and one for itself.
pub fn weight(report: &Report) -> usize {
    let samples = report.samples.iter().map(|sample| 1 + sample.steps.len()).sum::<usize>();
    1 + samples + report.mesh.len()
}

impl Tail {
    /// A reader of a store's log.
    pub fn new(store: Store) -> Tail {
        Tail { store, recent: Arc::default(), news: watch::Sender::new(0) }
    }

    /// Takes what this collector has just committed, and wakes the readers. False when the log ended before where it had
    /// ended: the database is an earlier one, and readers that are beyond its end would never read what comes now.
    #[must_use]
    pub fn appended(&self, appended: &Appended) -> bool {
        let sound = lock(&self.recent).extend(appended);
        self.nudge();
        sound
    }

    /// Wakes the readers: the log may have grown.
    pub fn nudge(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    /// Changes whenever the log may have grown.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// A way through the log of one's own.
    pub fn reader(&self) -> Reader {
        let batches = available_parallelism().map_or(2, usize::from).clamp(2, MOST_BATCHES);
        Reader { tail: self.clone(), batches, given: 0, window: Window::default() }
    }
}

/// One reader's way through the log. It remembers where it is and works ahead of whoever reads: while one batch is taken
/// in, the next ones are unpacked, and more is read from the database.
#[derive(Debug)]
pub struct Reader {
    tail: Tail,
    /// The most batches in unpacking.
    batches: usize,
    /// The position up to which entries were given out.
    given: i64,
    window: Window,
}

/// What was read ahead, in order: first what is being unpacked, then what waits for that.
#[derive(Debug, Default)]
struct Window {
    /// The position of the newest entry in it.
    upto: i64,
    unpacking: VecDeque<JoinHandle<Result<Vec<Logged>, Error>>>,
    packed: VecDeque<Vec<PackedEntry>>,
    /// Whether the last look found the end of the log.
    ended: bool,
    /// How many entries to read the next time.
    chunk: Option<i64>,
}

impl Reader {
    /// Some entries after a position, oldest first; none when there are no more. Cheapest when the position is that of the
    /// last entry it gave; for any other it begins anew.
    ///
    /// # Errors
    /// When the database fails or an entry cannot be read. Asked again it reads from there again.
    pub async fn after(&mut self, position: i64) -> Result<Vec<Logged>, Error> {
        // Taken out, and put back when all went well: after an error, or when this is given up half-way, nothing is skipped.
        let mut window = std::mem::take(&mut self.window);
        if position != self.given || window.is_empty() {
            window = Window { upto: position, chunk: window.chunk, ..Window::default() };
            self.given = position;
            let recent = lock(&self.tail.recent).after(position);
            if let Some(newest) = recent.last() {
                self.given = newest.position;
                self.window = window;
                return Ok(recent);
            }
            window.fetch(&self.tail.store).await?;
        }
        window.unpack(self.batches);
        let Some(first) = window.unpacking.pop_front() else {
            self.window = window;
            return Ok(Vec::new());
        };
        let entries = if window.packed.len() < self.batches && !window.ended {
            let (entries, fetched) = tokio::join!(first, window.fetch(&self.tail.store));
            fetched?;
            entries
        } else {
            first.await
        };
        let entries = match entries.map_err(|error| error.try_into_panic()) {
            Ok(entries) => entries?,
            Err(Ok(panic)) => resume_unwind(panic),
            // The runtime is going down.
            Err(Err(_)) => return Ok(Vec::new()),
        };
        window.unpack(self.batches);
        self.given = entries.last().map_or(position, |newest| newest.position);
        self.window = window;
        Ok(entries)
    }
}

impl Window {
    fn is_empty(&self) -> bool {
        self.unpacking.is_empty() && self.packed.is_empty()
    }

    /// Reads more from the database.
    async fn fetch(&mut self, store: &Store) -> Result<(), Error> {
        let limit = self.chunk.unwrap_or(CHUNK);
        let entries = store.log_packed(self.upto, i64::MAX, limit).await?;
        self.ended = (entries.len() as i64) < limit;
        let Some(newest) = entries.last() else { return Ok(()) };
        self.upto = newest.position;
        let each = entries.iter().map(PackedEntry::bytes).sum::<usize>() / entries.len();
        self.chunk = i64::try_from((CHUNK_BYTES / each.max(1)).clamp(CHUNKS.0, CHUNKS.1)).ok();
        let mut room = 0;
        for entry in entries {
            match self.packed.back_mut().filter(|_| entry.bytes() <= room) {
                Some(batch) => {
                    room -= entry.bytes();
                    batch.push(entry);
                }
                None => {
                    room = BATCH_BYTES.saturating_sub(entry.bytes());
                    self.packed.push_back(vec![entry]);
                }
            }
        }
        Ok(())
    }

    /// Has as much unpacked as may be.
    fn unpack(&mut self, most: usize) {
        while self.unpacking.len() < most
            && let Some(batch) = self.packed.pop_front()
        {
            let work = move || batch.into_iter().map(PackedEntry::unpack).collect();
            self.unpacking.push_back(tokio::task::spawn_blocking(work));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Entry;
    use wire::Micros;

    fn appended(before: i64, positions: &[i64], upto: i64) -> Appended {
        let entry = |position: &i64| Logged {
            position: *position,
            received: Micros(0),
            clock_us: 0,
            event: Arc::new(Event::Tick),
        };
        Appended { before, upto, positions: Vec::new(), logged: positions.iter().map(entry).collect() }
    }

    fn positions(recent: &Recent, after: i64) -> Vec<i64> {
        recent.after(after).iter().map(|entry| entry.position).collect()
    }

    #[test]
    fn only_what_has_no_gap_is_read_from_memory() {
        let mut recent = Recent::default();
        recent.extend(&appended(7, &[8, 10], 10));
        assert_eq!(positions(&recent, 6), [0_i64; 0], "7 may have been written by another");
        assert_eq!(positions(&recent, 7), [8, 10]);
        assert_eq!(positions(&recent, 8), [10]);
        recent.extend(&appended(10, &[11], 12));
        assert_eq!(positions(&recent, 9), [10, 11]);
        // 13 and 14 are another collector's.
        recent.extend(&appended(14, &[15], 15));
        assert_eq!(positions(&recent, 11), [0_i64; 0]);
        assert_eq!(positions(&recent, 14), [15]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut recent = Recent::default();
        for position in 0..3 * i64::try_from(MOST).expect("a small number") {
            recent.extend(&appended(position, &[position + 1], position + 1));
        }
        assert_eq!(recent.entries.len(), MOST);
        assert_eq!(recent.after, recent.entries[0].position - 1);
    }

    /// A log of reports of very different sizes.
    async fn log(store: &Store, count: i64) -> Vec<Logged> {
        let mut all = Vec::new();
        for sequence in 1..=count {
            // Some hundred kilobytes now and then, which do not pack.
            let noise = (0..if sequence % 4 == 0 { 5_000 } else { 1 })
                .map(|n| (n * sequence * 2_654_435_761_i64) as u64);
            let ids: Vec<String> =
                noise.map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
            let text = format!(r#"{{"probe":"p","sequence":{sequence},"samples":[],"ids":{ids:?}}}"#);
            let raw = serde_json::value::RawValue::from_string(text).expect("JSON");
            let report = serde_json::from_str(raw.get()).expect("a report");
            let entry = Entry::report(Micros(sequence), 0, (Micros(5), 0), report, &raw);
            all.extend(store.append(&[entry]).await.expect("appended").logged);
        }
        all
    }

    async fn read_on(reader: &mut Reader, mut position: i64) -> Vec<Logged> {
        let mut read = Vec::new();
        loop {
            let more = reader.after(position).await.expect("read");
            let Some(newest) = more.last() else { return read };
            position = newest.position;
            read.extend(more);
        }
    }

    #[tokio::test]
    async fn a_reader_gives_every_entry_once_and_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::sqlite(&folder.path().join("sextant.db")).await.expect("opened");
        let mut all = log(&store, 200).await;
        let tail = Tail::new(store.clone());
        let mut reader = tail.reader();
        assert_eq!(read_on(&mut reader, 0).await, all);
        assert_eq!(read_on(&mut reader, all[99].position).await, all[100..], "begun anew");

        // Given up half-way, it goes on from wherever it is asked.
        let first = reader.after(0).await.expect("read");
        assert_eq!(first, all[..first.len()]);
        let position = first.last().expect("some").position;
        drop(futures_util::FutureExt::now_or_never(reader.after(position)));
        assert_eq!(read_on(&mut reader, position).await, all[first.len()..]);

        // From memory what is there, and from the database what another collector wrote.
        let own = store.append(&[Entry::answer(Micros(1), Event::Tick)]).await.expect("appended");
        assert!(tail.appended(&own));
        all.extend(own.logged);
        all.extend(store.append(&[Entry::answer(Micros(2), Event::Tick)]).await.expect("appended").logged);
        assert_eq!(read_on(&mut reader, all[199].position).await, all[200..]);
        let next = store.append(&[Entry::answer(Micros(3), Event::Tick)]).await.expect("appended");
        assert!(tail.appended(&next), "another collector wrote in between");
        let earlier = Appended { before: next.before - 1, ..next };
        assert!(!tail.appended(&earlier), "the log has gone back");
        store.close().await;
        assert!(reader.after(0).await.is_err());
    }
}
