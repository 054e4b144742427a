//! A spool folder whose files hold anything: it opens or says that it is newer, gives only what is sound, never
//! repeats a number and never stands still, and takes more.

mod folder;

use crate::parts;
use folder::{Sound, write};
use probe::spool::{Spool, SpoolError, Spooled};
use std::{cell::RefCell, path::PathBuf};
use tempfile::TempDir;
use wire::{Micros, ProbeId, report::Report, sample::Sample};

/// The clock at the start.
const NOW: Micros = Micros(1_795_000_000_000_000);
/// The disk limit is far above what the fuzzer writes, so that nothing is given up for want of room.
const CAP: u64 = 16 << 20;
/// Far above any number that a spool gives (the year 36 000).
const GIVEN_MOST: i64 = 1 << 60;
/// More than the reports that a folder of the fuzzer can hold.
const ROUNDS_MOST: usize = 100_000;

/// The first byte chooses whether something is added before everything is read; see [`folder`] for the rest.
pub fn run(data: &[u8]) {
    let (choice, data) = parts::byte(data);
    let folder = fresh();
    let sound = write(&folder, data);
    let Some(mut spool) = open(&folder) else { return };
    let lost = spool.lost();
    let early = (choice & 1 != 0).then(|| put(&mut spool));
    let mut reader = Reader { sound, ours: early.into_iter().collect(), last: None };
    reader.drain(&mut spool, if choice & 2 != 0 { 1 } else { 100 });
    if let Some(early) = early {
        assert_eq!(reader.last, Some(early), "what was added did not come out last");
    }
    let late = put(&mut spool);
    assert!(reader.last.is_none_or(|last| late > last), "a number came again");
    if late > GIVEN_MOST {
        // Files that claim such numbers are taken for damaged one day, and then everything is sent again: the collector
        // knows what it has. No probe gets there: numbers are microseconds since 1970.
        return;
    }
    reader.ours.push(late);
    drop(spool);
    let mut spool = open(&folder).expect("what we wrote is not newer");
    assert!(spool.lost() >= lost, "losses were forgotten");
    reader.drain(&mut spool, 100);
    assert_eq!(reader.last, Some(late), "what was added last did not come out last, after a restart");
}

/// One folder for each thread, emptied: the file system is most of the time.
fn fresh() -> PathBuf {
    thread_local! {
        static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
    }
    let path = FOLDER.with_borrow_mut(|kept| {
        let folder = kept.get_or_insert_with(|| {
            // In memory where there is such a place, for every step is synced.
            tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
        });
        folder.path().join("spool")
    });
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("removed");
    }
    std::fs::create_dir(&path).expect("made");
    path
}

/// Absent when the files say that a newer version wrote them.
fn open(folder: &std::path::Path) -> Option<Spool> {
    match Spool::open(folder, CAP, NOW) {
        Ok(spool) => Some(spool),
        Err(SpoolError::Newer { .. }) => None,
        Err(error) => panic!("the spool does not open: {error:?}"),
    }
}

fn probe() -> ProbeId {
    "north-1".parse().expect("an id")
}

/// Adds a report of one sample.
fn put(spool: &mut Spool) -> i64 {
    spool.append(&probe(), &[sample()]).expect("written").expect("a sample was given")
}

fn sample() -> Sample {
    const TEXT: &str =
        r#"{"check":"home","target":"a","scheduled":0,"started":0,"total_us":1,"outcome":"ok"}"#;
    serde_json::from_str(TEXT).expect("a sample")
}

/// Whether it is what [`put`] adds.
fn is_ours(report: &Spooled) -> bool {
    let read: Report = serde_json::from_slice(&report.json).expect("what we wrote is JSON");
    read.samples == [sample()]
}

/// What has come out so far.
struct Reader {
    /// Every sound record that was in the folder.
    sound: Sound,
    /// Numbers that we added.
    ours: Vec<i64>,
    last: Option<i64>,
}

impl Reader {
    /// Takes everything, a few at a time.
    fn drain(&mut self, spool: &mut Spool, most: usize) {
        for _ in 0..ROUNDS_MOST {
            let reports = spool.peek(most, 1 << 20).expect("the disk is good");
            let Some(end) = reports.last().map(|report| report.sequence) else { return };
            for report in reports {
                assert!(self.last.is_none_or(|last| report.sequence > last), "out of order: {report:?}");
                self.last = Some(report.sequence);
                let ours = self.ours.contains(&report.sequence) && is_ours(&report);
                assert!(ours || self.sound.holds(&report), "not sound: {report:?}");
            }
            spool.commit(end).expect("the disk is good");
        }
        panic!("it never ends");
    }
}
