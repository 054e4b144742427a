//! Reports on disk, first in first out, until the collector has them.
//!
//! A folder holds `lock`, `cursor` (what is done, see `cursor.rs`) and segment files named by the sequence of their
//! first report (see `segment.rs`). [`Spool::append`] returns when its reports survive a power failure, and only
//! those are ever handed out. A segment is deleted as a whole, when all of it is done or when the disk limit asks
//! for room; reports given up in that way are counted as lost.
//!
//! Sequences begin at the wall clock's microseconds, grow by one with each report and are never used twice. When the
//! newest file is damaged (a torn tail, a bad checksum) they jump, because the collector may have seen numbers that
//! are no longer on the disk.
//!
//! While the disk refuses, `store.rs` keeps reports in memory (`memory.rs`) and tries the disk again every second.

mod cursor;
mod error;
mod memory;
mod segment;
mod shared;
mod store;

pub use error::SpoolError;
pub use segment::Spooled;
#[cfg(feature = "fuzzing")]
pub use segment::frame;
pub use shared::{Gauges, SharedSpool};

use crate::atomic_file;
use cursor::Cursor;
use segment::{Borrowed, Record, Segment};
use std::{
    collections::VecDeque,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};
use tracing::{error, warn};
use wire::{Micros, ProbeId, mesh::MeshWindow, report::MAX_SAMPLES, sample::Sample};

/// The most windows in one report; each has about 2 KB, so a report stays far below what a batch may have.
const WINDOWS: usize = 100;
/// A segment that has grown to this is not written to any more, bytes.
const SEGMENT_BYTES: u64 = 1 << 20;
/// The mark is written after so many commits. A crash lets those since then come again, which the collector notices and
/// does not count twice; writing and syncing the mark each time would cost more than everything else of a report.
const MARK_EVERY: u32 = 16;
/// How many numbers are passed over after damage, when the clock does not say more.
const SKIP: i64 = 1 << 20;
/// The least disk limit that makes sense, bytes.
const CAP_LEAST: u64 = 64 << 10;

/// The spool of one probe. Its calls block on the disk; [`SharedSpool`] is the form for tasks.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    cap: u64,
    segment_bytes: u64,
    /// Oldest first. The last one stays, also when all of it is done, because it remembers the sequence.
    segments: VecDeque<Segment>,
    /// Open for appending to the last segment; none when the next append shall begin a new one.
    active: Option<File>,
    cursor: Cursor,
    /// Commits that the mark on disk does not know.
    unmarked: u32,
    next: i64,
    /// Held for as long as this spool is open.
    _lock: File,
}

impl Spool {
    /// Opens the spool in `folder`, which is created if need be. It takes at most about `cap` bytes (at least
    /// 64 KiB; one append may exceed it for a moment). `now` numbers the reports of a new or damaged spool.
    ///
    /// # Errors
    /// When another process has it, a newer version wrote it, or the folder cannot be read and written.
    pub fn open(folder: &Path, cap: u64, now: Micros) -> Result<Self, SpoolError> {
        fs::create_dir_all(folder).map_err(SpoolError::io("create the spool folder", folder))?;
        let lock = lock(folder)?;
        // A clock before 1970 would make names that are not found again.
        let now = now.0.max(0);
        let (cursor, mut damaged) = Cursor::load(folder)?;
        let mut segments = VecDeque::new();
        let firsts = segment::list(folder)?;
        for (index, first) in firsts.iter().enumerate() {
            let (mut segment, harm) = Segment::scan(folder, *first)?;
            match firsts.get(index + 1) {
                Some(following) => segment.end_before(*following),
                // Only here it is unknown which numbers were used.
                None => damaged |= harm,
            }
            segments.push_back(segment);
        }
        let known =
            segments.back().map(Segment::end).into_iter().chain(cursor.as_ref().map(|c| c.next)).max();
        let next = match known {
            Some(known) if damaged => known.saturating_add(SKIP).max(now),
            Some(known) => known,
            None => now,
        };
        let cursor =
            cursor.unwrap_or_else(|| Cursor { next: segments.front().map_or(next, |s| s.first), lost: 0 });
        let cap = cap.max(CAP_LEAST);
        let segment_bytes = SEGMENT_BYTES.min(cap / 4);
        let mut spool = Self {
            folder: folder.to_owned(),
            cap,
            segment_bytes,
            segments,
            active: None,
            cursor,
            unmarked: 0,
            next,
            _lock: lock,
        };
        if damaged {
            // At once, because the name of the new file is what remembers the jump.
            spool.begin_segment()?;
        } else if let Some(last) = spool.segments.back()
            && last.end() == next
        {
            spool.active = Some(last.reopen()?);
        }
        spool.delete_done();
        Ok(spool)
    }

    /// Writes samples as one report, or as several when they are many or large, and returns the sequence of the
    /// last one when all of them survive a power failure. Absent when there was nothing to write.
    ///
    /// # Errors
    /// When the disk refuses; nothing of the call counts as written then.
    pub fn append(&mut self, probe: &ProbeId, samples: &[Sample]) -> Result<Option<i64>, SpoolError> {
        self.append_encoded(encode_samples(probe, self.next, samples))
    }

    /// Writes windows of the mesh, as [`Spool::append`] does with samples.
    ///
    /// # Errors
    /// As there.
    pub fn append_windows(
        &mut self,
        probe: &ProbeId,
        windows: &[MeshWindow],
    ) -> Result<Option<i64>, SpoolError> {
        self.append_encoded(encode_windows(probe, self.next, windows))
    }

    fn append_encoded(&mut self, Encoded { bytes, records }: Encoded) -> Result<Option<i64>, SpoolError> {
        if records.is_empty() {
            return Ok(None);
        }
        while self.bytes() + bytes.len() as u64 > self.cap && self.give_up_oldest()? {}
        let next = self.next + records.len() as i64;
        self.write(&bytes, records)?;
        self.next = next;
        Ok(Some(next - 1))
    }

    /// The oldest reports that are not done, in order: at most `max_reports`, and at most `max_bytes` of JSON
    /// unless the first alone has more. Reports that cannot be read are passed over, and counted as lost when
    /// the ones after them are done.
    ///
    /// # Errors
    /// When a segment cannot be opened now (for example for want of file handles).
    pub fn peek(&mut self, max_reports: usize, max_bytes: usize) -> Result<Vec<Spooled>, SpoolError> {
        let mut reports = Vec::new();
        let (mut bytes, mut reached) = (0, self.cursor.next);
        'all: for segment in &mut self.segments {
            let from = segment.index_of(self.cursor.next);
            if from == segment.records.len() {
                continue;
            }
            let file = segment.open()?;
            for index in from..segment.records.len() {
                let record = &mut segment.records[index];
                let sequence = segment.first + index as i64;
                bytes += record.json_bytes();
                if reports.len() == max_reports || (bytes > max_bytes && !reports.is_empty()) {
                    break 'all;
                }
                match record.read(file.as_ref(), sequence) {
                    Some(report) => reports.push(report),
                    None if record.sound => {
                        record.sound = false;
                        error!(sequence, file = %segment.path.display(), "a spooled report cannot be read, passing over it");
                    }
                    None => {}
                }
                reached = sequence + 1;
            }
        }
        if reports.is_empty() && reached > self.cursor.next {
            self.advance(reached)?;
        }
        Ok(reports)
    }

    /// Marks every report up to and including `sequence` as done. They are not handed out again, also when this
    /// returns an error; only after a crash the last ones might be.
    ///
    /// # Errors
    /// When the mark cannot be written.
    pub fn commit(&mut self, sequence: i64) -> Result<(), SpoolError> {
        self.advance(sequence.saturating_add(1))
    }

    /// Gives up the report `sequence` and whatever is before it: done, and counted as lost.
    ///
    /// # Errors
    /// As [`Spool::commit`].
    pub fn give_up(&mut self, sequence: i64) -> Result<(), SpoolError> {
        let lost: u64 =
            self.segments.iter().map(|s| s.samples(self.cursor.next, sequence + 1, Record::is_sound)).sum();
        self.note_lost(lost);
        self.commit(sequence)
    }

    /// Counts samples that were lost elsewhere; kept on disk with the next mark.
    pub fn note_lost(&mut self, samples: u64) {
        self.cursor.lost = self.cursor.lost.saturating_add(samples);
    }

    /// Samples lost so far, over all restarts. A report that became unreadable counts as one.
    pub fn lost(&self) -> u64 {
        self.cursor.lost
    }

    /// The disk that the segments take, bytes.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size).sum()
    }

    fn advance(&mut self, to: i64) -> Result<(), SpoolError> {
        let to = to.clamp(self.cursor.next, self.next.max(self.cursor.next));
        let unreadable = |record: &Record| !record.is_sound();
        let lost: u64 = self.segments.iter().map(|s| s.samples(self.cursor.next, to, unreadable)).sum();
        self.note_lost(lost);
        self.cursor.next = to;
        // Deleting first means that a full disk, which refuses the mark, does not stay full.
        self.delete_done();
        self.unmarked += 1;
        if lost > 0 || self.unmarked >= MARK_EVERY { self.mark() } else { Ok(()) }
    }

    fn mark(&mut self) -> Result<(), SpoolError> {
        // Also when it fails: a disk that refuses is not asked at each report.
        self.unmarked = 0;
        self.cursor.save(&self.folder)
    }

    fn delete_done(&mut self) {
        while self.segments.len() > 1
            && let Some(segment) = self.segments.pop_front_if(|segment| segment.end() <= self.cursor.next)
        {
            segment.delete();
        }
    }

    /// Makes room; false when there is nothing left to give up.
    fn give_up_oldest(&mut self) -> Result<bool, SpoolError> {
        let Some(oldest) = self.segments.front() else { return Ok(false) };
        let lost = oldest.samples(self.cursor.next, oldest.end(), |_| true);
        self.cursor.next = self.cursor.next.max(oldest.end());
        if lost > 0 {
            warn!(samples = lost, "the spool is full: its oldest samples are lost");
        }
        self.note_lost(lost);
        if self.segments.len() == 1 {
            // Only the mark remembers the sequence from here on.
            self.cursor.next = self.next;
        }
        let saved = self.mark();
        if self.segments.len() == 1 {
            saved?;
            self.active = None;
        }
        if let Some(oldest) = self.segments.pop_front() {
            oldest.delete();
        }
        Ok(true)
    }

    fn begin_segment(&mut self) -> Result<(), SpoolError> {
        self.active = None;
        let (segment, file) = Segment::create(&self.folder, self.next)?;
        // One that never took a report may have the same name.
        self.segments.retain(|old| old.first != segment.first);
        self.segments.push_back(segment);
        self.active = Some(file);
        Ok(())
    }

    fn write(&mut self, encoded: &[u8], records: Vec<Record>) -> Result<(), SpoolError> {
        let full = self.segments.back().is_none_or(|segment| segment.size >= self.segment_bytes);
        if full || self.active.is_none() {
            self.begin_segment()?;
        }
        let (Some(segment), Some(file)) = (self.segments.back_mut(), &self.active) else {
            unreachable!("made above when there was none")
        };
        if let Err(source) = segment.append(file, encoded, records) {
            let path = segment.path.clone();
            // After a failed write nobody knows what is in the file: never append to it again.
            self.active = None;
            return Err(SpoolError::Io { action: "write to the spool", path, source });
        }
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if self.unmarked > 0
            && let Err(error) = self.mark()
        {
            error!(%error, "the last reports are done and cannot be marked so: they are sent again");
        }
    }
}

/// Reports as they are written, numbered without a gap.
struct Encoded {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

/// Encodes samples as one report, or as several when they are many or large.
fn encode_samples(probe: &ProbeId, first: i64, samples: &[Sample]) -> Encoded {
    encode(first, samples.chunks(MAX_SAMPLES), |sequence, samples| Borrowed {
        probe,
        sequence,
        samples,
        mesh: &[],
    })
}

/// Encodes windows of the mesh in the same way.
fn encode_windows(probe: &ProbeId, first: i64, windows: &[MeshWindow]) -> Encoded {
    encode(first, windows.chunks(WINDOWS), |sequence, mesh| Borrowed { probe, sequence, samples: &[], mesh })
}

fn encode<'a, T: 'a>(
    first: i64,
    chunks: impl Iterator<Item = &'a [T]>,
    report: impl Fn(i64, &'a [T]) -> Borrowed<'a>,
) -> Encoded {
    let mut encoded = Encoded { bytes: Vec::new(), records: Vec::new() };
    chunks.fold(first, |next, chunk| {
        segment::encode(&report(next, chunk), &mut encoded.bytes, &mut encoded.records)
    });
    encoded
}

fn lock(folder: &Path) -> Result<File, SpoolError> {
    let path = folder.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(SpoolError::io("write to the spool folder", folder))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(SpoolError::Taken { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => {
            return Err(SpoolError::Io { action: "lock the spool", path, source });
        }
    }
    atomic_file::sync_folder(folder).map_err(SpoolError::io("sync the spool folder", folder))?;
    Ok(file)
}

#[cfg(test)]
mod tests;
