//! What was synced and is not done comes out once and in order, whatever crashes.

use super::*;
use crate::testing::{self, sample};
use proptest::prelude::*;
use std::{collections::VecDeque, io::Write};
use tempfile::TempDir;
use wire::{report::Report, sample::Evidence};

const NOW: Micros = Micros(1_795_000_000_000_000);
const CAP: u64 = 64 << 20;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn open(folder: &TempDir) -> Spool {
    Spool::open(folder.path(), CAP, NOW).expect("the spool opens")
}

/// Opens it again after a stop.
fn open_again(spool: Spool, folder: &TempDir) -> Spool {
    drop(spool);
    open(folder)
}

fn probe() -> ProbeId {
    "north-1".parse().expect("an id")
}

/// Appends one report of one sample.
fn put(spool: &mut Spool, n: i64) -> i64 {
    spool.append(&probe(), &[sample(n)]).expect("written").expect("something was")
}

/// Everything that is not done: (sequence, the mark of its first sample).
fn all(spool: &mut Spool) -> Vec<(i64, i64)> {
    let reports = spool.peek(usize::MAX, usize::MAX).expect("readable");
    reports.iter().map(|report| (report.sequence, testing::read(report).samples[0].scheduled.0)).collect()
}

/// A window of the mesh.
fn window() -> MeshWindow {
    let text = r#"{"ssid": 7, "from": "north-1", "from_region": "a", "to": "p2", "to_region": "b", "method": "tcp",
        "started": 1, "ended": 2, "timeout_us": 3000000, "sent": 600, "answered": 599,
        "loss": {"lost": 1, "of": 600, "low": 0.0, "high": 0.01}}"#;
    serde_json::from_str(text).expect("a window")
}

#[test]
fn windows_of_the_mesh_are_reports_too_on_disk_and_in_memory() {
    let folder = folder();
    let mut spool = open(&folder);
    put(&mut spool, 1);
    let windows = vec![window(); WINDOWS + 1];
    spool.append_windows(&probe(), &windows).expect("written");
    let mut spool = open_again(spool, &folder);
    let disk = spool.peek(usize::MAX, usize::MAX).expect("readable");
    assert_eq!(disk.iter().map(|report| report.sequence - NOW.0).collect::<Vec<_>>(), [0, 1, 2]);
    let mut memory = memory::Memory::default();
    let report = Report { probe: probe(), sequence: 0, samples: vec![sample(1)], mesh: windows.clone() };
    memory.append(&report, NOW);
    for reports in [disk, memory.peek(usize::MAX, usize::MAX)] {
        assert!(!reports[0].json.windows(6).any(|part| part == b"\"mesh\""), "left out when there is none");
        let read: Vec<Report> = reports.iter().map(testing::read).collect();
        assert_eq!(read.iter().map(|report| report.samples.len()).sum::<usize>(), 1);
        assert_eq!(read.into_iter().flat_map(|report| report.mesh).collect::<Vec<_>>(), windows);
    }
}

fn last_file(folder: &TempDir) -> PathBuf {
    let last = *segment::list(folder.path()).expect("a list").last().expect("a segment");
    folder.path().join(format!("{last:020}.seg"))
}

/// Changes one byte of a file.
fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).expect("read");
    bytes[offset] ^= 0x40;
    fs::write(path, bytes).expect("written");
}

#[test]
fn numbers_begin_at_the_clock_and_go_on_after_a_restart() {
    let folder = folder();
    let mut spool = open(&folder);
    assert_eq!(put(&mut spool, 1), NOW.0);
    assert_eq!(put(&mut spool, 2), NOW.0 + 1);
    spool.commit(NOW.0 + 1).expect("marked");
    drop(spool);
    let mut spool = Spool::open(folder.path(), CAP, NOW.plus_us(-1_000_000)).expect("opens");
    assert_eq!(all(&mut spool), []);
    assert_eq!(put(&mut spool, 3), NOW.0 + 2);
}

#[test]
fn a_crash_lets_only_the_last_reports_come_again() {
    let folder = folder();
    let mut spool = open(&folder);
    let commits = i64::from(MARK_EVERY) * 2 + 5;
    for n in 0..commits {
        let sequence = put(&mut spool, n);
        spool.commit(sequence).expect("marked");
    }
    put(&mut spool, commits);
    // What a crash leaves: the files as they are now.
    let left = self::folder();
    for name in segment::list(folder.path()).expect("a list").iter().map(|first| format!("{first:020}.seg")) {
        fs::copy(folder.path().join(&name), left.path().join(&name)).expect("copied");
    }
    fs::copy(folder.path().join("cursor"), left.path().join("cursor")).expect("copied");
    let again = all(&mut open(&left));
    let marks: Vec<i64> = again.iter().map(|(_, mark)| *mark).collect();
    assert_eq!(marks, (commits - 5..=commits).collect::<Vec<_>>());
    // An orderly end leaves nothing to send again.
    drop(spool);
    assert_eq!(all(&mut open(&folder)), [(NOW.0 + commits, commits)]);
}

#[test]
fn a_report_under_another_number_is_passed_over() {
    let folder = folder();
    drop({
        let mut spool = open(&folder);
        put(&mut spool, 1);
        spool
    });
    fs::rename(last_file(&folder), folder.path().join(format!("{:020}.seg", NOW.0 + 100))).expect("renamed");
    assert_eq!(all(&mut open(&folder)), []);
}

#[test]
fn one_process_at_a_time() {
    let folder = folder();
    let _first = open(&folder);
    let second = Spool::open(folder.path(), CAP, NOW);
    assert!(matches!(second, Err(SpoolError::Taken { .. })), "{second:?}");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = folder();
    put(&mut open(&folder), 1);
    let path = last_file(&folder);
    let mut bytes = fs::read(&path).expect("read");
    bytes[8..12].copy_from_slice(&(segment::VERSION + 1).to_le_bytes());
    fs::write(&path, &bytes).expect("written");
    let newer = Spool::open(folder.path(), CAP, NOW);
    assert!(matches!(newer, Err(SpoolError::Newer { version: 2, .. })), "{newer:?}");
    assert_eq!(fs::read(&path).expect("read"), bytes);

    fs::remove_file(&path).expect("removed");
    fs::write(folder.path().join("cursor"), r#"{"version":7,"next":1,"lost":0}"#).expect("written");
    let newer = Spool::open(folder.path(), CAP, NOW);
    assert!(matches!(newer, Err(SpoolError::Newer { version: 7, .. })), "{newer:?}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let error = Spool::open(&file.join("spool"), CAP, NOW).expect_err("not a folder");
    assert!(error.to_string().contains("file/spool"), "{error}");
}

#[test]
fn peek_is_bounded_and_changes_nothing() {
    let folder = folder();
    let mut spool = open(&folder);
    (0..10).for_each(|n| _ = put(&mut spool, n));
    assert_eq!(spool.peek(3, usize::MAX).expect("readable").len(), 3);
    let one = spool.peek(1, 0).expect("readable")[0].json.len();
    assert_eq!(spool.peek(10, one * 2 + one / 2).expect("readable").len(), 2);
    assert_eq!(all(&mut spool).len(), 10);
}

#[test]
fn many_and_large_samples_become_several_reports() {
    let folder = folder();
    let mut spool = open(&folder);
    let mut samples: Vec<Sample> = (0..1200).map(sample).collect();
    for sample in &mut samples[..500] {
        sample.evidence =
            Some(Evidence { summary: "x".repeat(4000), step: None, excerpt: None, withheld: None });
    }
    let last = spool.append(&probe(), &samples).expect("written").expect("something was");
    let reports = spool.peek(usize::MAX, usize::MAX).expect("readable");
    let sequences: Vec<i64> = reports.iter().map(|report| report.sequence).collect();
    assert_eq!(sequences, (NOW.0..=last).collect::<Vec<_>>());
    assert!(reports.iter().all(|report| report.json.len() <= 1 << 20));
    let marks: Vec<i64> =
        reports.iter().flat_map(|r| testing::read(r).samples).map(|sample| sample.scheduled.0).collect();
    assert_eq!(marks, (0..1200).collect::<Vec<_>>());
}

#[test]
fn a_full_spool_loses_its_oldest_samples_and_counts_them() {
    let folder = folder();
    let mut spool = Spool::open(folder.path(), 0, NOW).expect("opens");
    (0..1000).for_each(|n| _ = put(&mut spool, n));
    let left = all(&mut spool);
    assert!(spool.bytes() <= CAP_LEAST, "{} bytes", spool.bytes());
    assert_eq!(spool.lost() + left.len() as u64, 1000);
    assert_eq!(left.last(), Some(&(NOW.0 + 999, 999)));
    let lost = spool.lost();
    drop(spool);
    let mut spool = open(&folder);
    assert_eq!((spool.lost(), all(&mut spool)), (lost, left));
}

#[test]
fn done_files_are_deleted() {
    let folder = folder();
    let mut spool = Spool::open(folder.path(), 1 << 20, NOW).expect("opens");
    let last = (0..2000).map(|n| put(&mut spool, n)).last().expect("some");
    assert!(segment::list(folder.path()).expect("a list").len() > 1);
    spool.commit(last).expect("marked");
    assert_eq!(segment::list(folder.path()).expect("a list").len(), 1);
}

#[test]
fn a_report_given_up_is_lost_and_the_next_one_comes() {
    let folder = folder();
    let mut spool = open(&folder);
    (0..3).for_each(|n| _ = put(&mut spool, n));
    spool.give_up(NOW.0).expect("marked");
    assert_eq!(spool.lost(), 1);
    assert_eq!(all(&mut spool), [(NOW.0 + 1, 1), (NOW.0 + 2, 2)]);
}

#[test]
fn damage_costs_what_it_hits_and_is_counted() {
    // The offset lands in the second report's body; first found by a running spool, then by a restart.
    for restart in [false, true] {
        let folder = folder();
        let mut spool = open(&folder);
        (0..3).for_each(|n| _ = put(&mut spool, n));
        let path = last_file(&folder);
        flip(&path, fs::metadata(&path).expect("there").len() as usize / 2);
        if restart {
            drop(spool);
            spool = open(&folder);
        }
        assert_eq!(all(&mut spool), [(NOW.0, 0), (NOW.0 + 2, 2)]);
        spool.commit(NOW.0 + 2).expect("marked");
        assert_eq!(spool.lost(), 1);
        assert!(put(&mut spool, 3) > NOW.0 + 2);
    }
}

#[test]
fn nothing_but_damage_does_not_block() {
    let folder = folder();
    let mut spool = open(&folder);
    put(&mut spool, 0);
    let path = last_file(&folder);
    flip(&path, fs::metadata(&path).expect("there").len() as usize - 1);
    assert_eq!(all(&mut spool), []);
    assert_eq!(spool.lost(), 1);
    let next = put(&mut spool, 1);
    assert_eq!(all(&mut spool), [(next, 1)]);
}

#[test]
fn a_file_that_vanished_is_passed_over() {
    let folder = folder();
    let mut spool = Spool::open(folder.path(), 1 << 20, NOW).expect("opens");
    (0..1500).for_each(|n| _ = put(&mut spool, n));
    let firsts = segment::list(folder.path()).expect("a list");
    fs::remove_file(folder.path().join(format!("{:020}.seg", firsts[0]))).expect("removed");
    assert_eq!(all(&mut spool).first().map(|(sequence, _)| *sequence), Some(firsts[1]));
}

#[test]
fn numbers_are_not_used_again_after_a_torn_tail_or_a_lost_header() {
    for cut in [11, 200] {
        let folder = folder();
        let mut spool = open(&folder);
        let used = [put(&mut spool, 0), put(&mut spool, 1)];
        drop(spool);
        File::options().write(true).open(last_file(&folder)).and_then(|file| file.set_len(cut)).expect("cut");
        // Nothing is written this time, so the jump must be remembered without it.
        drop(open(&folder));
        assert!(put(&mut open(&folder), 2) > used[1]);
    }
}

#[test]
fn a_write_that_fails_leaves_nothing_behind() {
    let folder = folder();
    let mut spool = open(&folder);
    let first = put(&mut spool, 0);
    // A handle that may only read stands for a disk that refuses.
    spool.active = File::open(last_file(&folder)).ok();
    let refused = spool.append(&probe(), &[sample(1)]);
    assert!(matches!(refused, Err(SpoolError::Io { .. })), "{refused:?}");
    let second = put(&mut spool, 2);
    assert_eq!(all(&mut spool), [(first, 0), (second, 2)]);
    drop(spool);
    assert_eq!(all(&mut open(&folder)), [(first, 0), (second, 2)]);
}

#[test]
fn a_damaged_mark_sends_again_what_is_there() {
    let folder = folder();
    let mut spool = open(&folder);
    (0..2).for_each(|n| _ = put(&mut spool, n));
    spool.commit(NOW.0).expect("marked");
    drop(spool);
    fs::write(folder.path().join("cursor"), "{").expect("written");
    assert_eq!(all(&mut open(&folder)), [(NOW.0, 0), (NOW.0 + 1, 1)]);
}

#[test]
fn a_mark_with_an_impossible_number_sends_again_what_is_there() {
    for next in [i64::MAX, i64::MIN, -1] {
        let folder = folder();
        let first = put(&mut open(&folder), 0);
        fs::write(folder.path().join("cursor"), format!(r#"{{"version":1,"next":{next},"lost":3}}"#))
            .expect("written");
        let mut spool = open(&folder);
        assert_eq!(all(&mut spool), [(first, 0)]);
        let second = put(&mut spool, 1);
        assert!(second > first);
        assert_eq!(all(&mut open_again(spool, &folder)), [(first, 0), (second, 1)]);
    }
}

#[test]
fn files_with_other_names_are_left_alone() {
    let folder = folder();
    let first = put(&mut open(&folder), 0);
    let names = [
        "1.seg",
        "-1.seg",
        "+0000000000000000001.seg",
        "-0000000000000000001.seg",
        "09223372036854775807.seg",
        "99999999999999999999.seg",
        "note.seg",
        "note.txt",
    ];
    for name in names {
        fs::write(folder.path().join(name), "not a segment").expect("written");
    }
    let mut spool = open(&folder);
    assert_eq!(all(&mut spool), [(first, 0)]);
    put(&mut spool, 1);
    assert_eq!(all(&mut open_again(spool, &folder)).len(), 2);
    for name in names {
        assert_eq!(fs::read(folder.path().join(name)).expect("still there"), b"not a segment", "{name}");
    }
}

#[test]
fn a_clock_before_1970_does_no_harm() {
    let folder = folder();
    let mut spool = Spool::open(folder.path(), CAP, Micros(-5)).expect("opens");
    let first = put(&mut spool, 0);
    assert_eq!(all(&mut open_again(spool, &folder)), [(first, 0)]);
}

#[derive(Debug, Clone)]
enum Step {
    /// Appends this many reports.
    Append(u8),
    /// Marks up to this many reports as done.
    Commit(u8),
    Restart,
    /// The process dies in the middle of writing: this share (of 255) of a record reaches the disk.
    Crash(u8),
    /// The machine dies: a garbage tail of this many bytes, and a half-written mark.
    PowerLoss(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1u8..40).prop_map(Step::Append),
        2 => (0u8..60).prop_map(Step::Commit),
        1 => Just(Step::Restart),
        2 => any::<u8>().prop_map(Step::Crash),
        1 => any::<u8>().prop_map(Step::PowerLoss),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn synced_reports_come_out_once_and_in_order(steps in prop::collection::vec(step(), 1..30)) {
        let folder = folder();
        // Small files, so that rotation and deletion take part.
        let open = || Spool::open(folder.path(), 512 << 10, NOW).expect("opens");
        let mut spool = open();
        spool.segment_bytes = 4096;
        let (mut waiting, mut mark, mut highest) = (VecDeque::new(), 0, 0);
        for step in steps {
            let tail = match step {
                Step::Append(count) => {
                    for _ in 0..count {
                        mark += 1;
                        let sequence = put(&mut spool, mark);
                        prop_assert!(sequence > highest, "a number was used twice");
                        highest = sequence;
                        waiting.push_back((sequence, mark));
                    }
                    continue;
                }
                Step::Commit(count) => {
                    let count = usize::from(count).min(waiting.len());
                    if let Some((last, _)) = waiting.drain(..count).next_back() {
                        spool.commit(last).expect("marked");
                    }
                    continue;
                }
                Step::Restart => Vec::new(),
                Step::Crash(share) => {
                    let (mut bytes, mut records) = (Vec::new(), Vec::new());
                    let torn = [sample(-1)];
                    let torn =
                        Borrowed { probe: &probe(), sequence: spool.next, samples: &torn, mesh: &[] };
                    segment::encode(&torn, &mut bytes, &mut records);
                    bytes.truncate(bytes.len() * usize::from(share) / 256);
                    bytes
                }
                Step::PowerLoss(count) => {
                    fs::write(folder.path().join("cursor.new"), "{\"version").expect("written");
                    vec![0; usize::from(count)]
                }
            };
            drop(spool);
            if !waiting.is_empty() {
                let mut file = File::options().append(true).open(last_file(&folder)).expect("there");
                file.write_all(&tail).expect("written");
            }
            spool = open();
            spool.segment_bytes = 4096;
            prop_assert_eq!(all(&mut spool), Vec::from(waiting.clone()));
        }
        prop_assert_eq!(all(&mut spool), Vec::from(waiting));
        prop_assert_eq!(spool.lost(), 0);
    }
}
