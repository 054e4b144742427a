//! What is taken out of a sample, and what becomes of it on the disk.

use super::*;
use crate::{runner::Taken, schedule::Schedule, testing};
use proptest::prelude::*;
use runtime::{clock::ManualClock, random::Random};
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use wire::{
    Micros,
    residency::{UNLISTED, Withheld, sentence},
    sample::{Evidence, FailClass, Outcome},
};

const NOW: Micros = Micros(1_795_000_000_000_000);
const MARK: &str = "MARKER-4711";
const FAILED: Outcome = Outcome::Fail(FailClass::Assertion);
const HOUR: i64 = 3_600_000_000;

fn failing(n: i64) -> Sample {
    let evidence = Evidence {
        summary: format!("got {MARK}"),
        step: Some("pay".into()),
        excerpt: Some(format!("<p>\n{MARK}")),
        withheld: None,
    };
    let served_by = Some(MARK.to_owned());
    Sample { outcome: FAILED, served_by, evidence: Some(evidence), ..testing::sample(n) }
}

/// The series of a check whose evidence is kept there.
fn series(residency: Residency) -> Series {
    let mut check = testing::check("home", 1_000_000, "http://127.0.0.1:1/");
    check.endpoints[0].evidence = residency;
    check.places.listed = ["a".parse().expect("an id")].into();
    let assignment = testing::assignment(vec![check]);
    let schedule = Schedule::new(&assignment, NOW);
    let found = schedule.find(&"home".parse().expect("an id"), &testing::target("a"));
    Series::clone(found.expect("it is scheduled"))
}

fn has_mark(sample: &Sample) -> bool {
    serde_json::to_string(sample).expect("JSON").contains(MARK)
}

fn record(n: i64) -> Record {
    let mut sample = failing(n);
    let content = withhold(&series(Residency::Stays), &mut sample).expect("it is kept");
    let salt = Random::seeded(u64::try_from(n).expect("small")).bytes();
    Record::new("north-1".parse().expect("an id"), &sample, &content, salt)
}

struct Scene {
    folder: TempDir,
    limits: Limits,
}

impl Scene {
    fn new(bytes: u64, hours: u64) -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        Scene { folder, limits: Limits { bytes, age: Duration::from_secs(hours * 3600) } }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("evidence")
    }

    fn store(&self) -> Store {
        Store::open(self.path(), self.limits).expect("it opens")
    }

    fn hashes(&self) -> Vec<String> {
        list(&self.path()).expect("readable").into_iter().map(|record| record.hash).collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path()).expect("the folder");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        files
    }
}

#[test]
fn what_must_not_travel_is_taken_out_of_the_sample() {
    for (residency, travels, kept) in [
        (Residency::Travels, true, false),
        (Residency::Encrypted, true, false),
        (Residency::Stays, false, true),
        (Residency::Dropped, false, false),
    ] {
        let mut sample = failing(1);
        let content = withhold(&series(residency), &mut sample);
        assert_eq!((has_mark(&sample), content.is_some()), (travels, kept), "{residency:?}");
        if !travels {
            assert_eq!(sample.evidence.expect("it stays").summary, sentence(FAILED, residency));
            assert_eq!(sample.served_by.as_deref(), Some(UNLISTED));
        }
    }
    let mut good = Sample { served_by: Some("a".into()), ..testing::sample(1) };
    assert_eq!(withhold(&series(Residency::Stays), &mut good), None);
    assert_eq!(good.served_by.as_deref(), Some("a"), "a region of the configuration may be named");
}

#[test]
fn what_is_kept_is_found_by_its_hash() {
    let scene = Scene::new(1 << 20, 1000);
    let records: Vec<Record> = (0..5).map(record).collect();
    let mut store = scene.store();
    store.keep(&records[..2], NOW).expect("kept");
    store.keep(&records[2..], NOW.plus_us(1)).expect("kept");
    assert_eq!(list(&scene.path()).expect("readable"), records);
    let found = find(&scene.path(), &records[3].hash[..8].to_uppercase()).expect("it is there");
    assert_eq!(found, records[3]);
    let content = found.content().expect("nobody changed it");
    assert_eq!(content.excerpt.as_deref(), Some(&*format!("<p>\n{MARK}")));
    assert_eq!(content.served_by, [MARK]);
    assert!(matches!(find(&scene.path(), "0badc0de"), Err(FindError::Unknown { .. })));
    for bad in ["", "0badc0d", "not hexadecimal"] {
        assert!(matches!(find(&scene.path(), bad), Err(FindError::NoHash)), "{bad}");
    }
    store.keep(&records[..1], NOW).expect("kept");
    assert!(matches!(find(&scene.path(), &records[0].hash), Err(FindError::Ambiguous(_))));
}

#[test]
fn nobody_else_reads_the_files() {
    let scene = Scene::new(1 << 20, 1000);
    scene.store().keep(&[record(1)], NOW).expect("kept");
    let mode = |path: &std::path::Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&scene.path()), mode(&scene.files()[0])), (0o700, 0o600));
}

#[test]
fn the_hash_is_of_salt_and_content() {
    let (first, again, other) = (record(1), record(1), record(2));
    assert_eq!(first.hash, again.hash);
    // The same content, and nobody can tell.
    assert_eq!(first.content(), other.content());
    assert_ne!(first.hash, other.hash);
    // By the words of the documentation: SHA-256 over the 32 bytes of the salt and the JSON.
    use sha2::Digest;
    let salt: [u8; 32] = Random::seeded(1).bytes();
    let json = serde_json::to_string(&first.content().expect("whole")).expect("JSON");
    let digest = sha2::Sha256::digest([&salt[..], json.as_bytes()].concat());
    assert_eq!(first.hash, digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let changed = serde_json::to_string(&first).expect("JSON").replace(MARK, "MARKER-4712");
    let changed: Record = serde_json::from_str(&changed).expect("a record");
    assert_eq!(changed.content(), None, "it is not what was hashed");
}

#[test]
fn it_goes_on_after_a_restart_in_the_same_file() {
    let scene = Scene::new(1 << 20, 1000);
    for n in 0..4 {
        scene.store().keep(&[record(n)], NOW.plus_us(n)).expect("kept");
    }
    assert_eq!((scene.files().len(), scene.hashes().len()), (1, 4));
}

#[test]
fn a_torn_tail_costs_no_more_than_itself() {
    let scene = Scene::new(1 << 20, 1000);
    scene.store().keep(&[record(0), record(1)], NOW).expect("kept");
    let file = scene.files().remove(0);
    let whole = fs::read(&file).expect("readable");
    for cut in [1, 9, 200] {
        fs::write(&file, &whole[..whole.len() - cut]).expect("written");
        let mut store = scene.store();
        store.keep(&[record(2)], NOW.plus_us(1)).expect("kept");
        assert_eq!(scene.hashes(), [record(0).hash, record(2).hash], "{cut}");
        fs::remove_file(&scene.files()[1]).expect("removed");
    }
    // A flipped bit in the first record costs that record.
    let mut bent = whole.clone();
    bent[40] ^= 1;
    fs::write(&file, &bent).expect("written");
    assert_eq!(scene.hashes(), [record(1).hash]);
    fs::write(&file, b"something else").expect("written");
    assert!(scene.hashes().is_empty());
    File::create(scene.path().join("notes.txt")).expect("made").write_all(b"x").expect("written");
    scene.store().keep(&[record(3)], NOW.plus_us(2)).expect("kept");
    assert_eq!(scene.hashes(), [record(3).hash]);
    assert!(scene.path().join("notes.txt").exists(), "what is not ours stays");
}

#[test]
fn the_oldest_goes_when_there_are_too_many_bytes() {
    let one = record(0).encode().expect("small").len() as u64;
    let scene = Scene::new(one * 32, 1000);
    let mut store = scene.store();
    for n in 0..200 {
        store.keep(&[record(n)], NOW.plus_us(n)).expect("kept");
        assert!(store.bytes() <= one * 32 + 40, "{}", store.bytes());
    }
    let disk: u64 = scene.files().iter().map(|file| fs::metadata(file).expect("it is there").len()).sum();
    assert_eq!(disk, store.bytes());
    let hashes = scene.hashes();
    assert!(hashes.len() > 20, "{}", hashes.len());
    let newest: Vec<String> = (200 - hashes.len() as i64..200).map(|n| record(n).hash).collect();
    assert_eq!(hashes, newest);
}

#[test]
fn nothing_outlives_the_age() {
    let scene = Scene::new(1 << 20, 16);
    let mut store = scene.store();
    for n in 0..40 {
        let now = NOW.plus_us(n * HOUR / 2);
        let mut record = record(n);
        record.started = now;
        store.keep(&[record], now).expect("kept");
        let oldest = list(&scene.path()).expect("readable").remove(0).started;
        assert!(now.since(oldest) < 16 * HOUR, "{n}");
        assert!(n < 32 || now.since(oldest) >= 14 * HOUR, "and not much goes before: {n}");
    }
    // Also where nothing new comes, after a restart, and when the clock was wrong.
    let mut store = scene.store();
    store.expire(NOW.plus_us(40 * HOUR));
    assert_eq!((scene.hashes().len(), store.bytes()), (0, 0));
    store.keep(&[record(1)], NOW.plus_us(90_000 * HOUR)).expect("kept");
    store.keep(&[record(2)], NOW.plus_us(41 * HOUR)).expect("kept");
    assert_eq!(scene.hashes(), [record(2).hash]);
}

#[test]
fn a_clock_that_is_set_back_costs_nothing() {
    let scene = Scene::new(1 << 20, 16);
    let mut store = scene.store();
    for (n, back) in [0, 2, 4].into_iter().enumerate() {
        store.keep(&[record(n as i64)], NOW.plus_us(-back * HOUR)).expect("kept");
    }
    assert_eq!(scene.hashes().len(), 3);
    drop(store);
    scene.store().keep(&[record(3)], NOW.plus_us(-HOUR)).expect("kept");
    assert_eq!(scene.hashes().len(), 4);
}

#[tokio::test]
async fn samples_go_on_with_a_hash_and_without_one_where_the_disk_refuses() {
    let scene = Scene::new(1 << 20, 1000);
    let clock = Arc::new(ManualClock::at(NOW));
    let mut keeper = Keeper::new(scene.path(), scene.limits, clock, Random::seeded(1));
    let taken = || {
        let mut sample = failing(1);
        let withheld = withhold(&series(Residency::Stays), &mut sample);
        let other = Taken { probe: "north-1".parse().expect("an id"), sample: failing(2), withheld: None };
        [other, Taken { probe: "north-1".parse().expect("an id"), sample, withheld }]
    };
    // A file is where the folder should be.
    fs::write(scene.path(), "").expect("written");
    let mut lost = taken();
    keeper.keep(&mut lost).await;
    let withheld = |taken: &Taken| taken.sample.evidence.as_ref().expect("it failed").withheld.clone();
    assert_eq!((withheld(&lost[1]), &lost[1].withheld), (None, &None));
    assert!(!has_mark(&lost[1].sample), "what cannot be kept does not travel either");

    fs::remove_file(scene.path()).expect("removed");
    let mut kept = taken();
    keeper.keep(&mut kept).await;
    assert_eq!(kept[0].sample, failing(2), "the others are as they were");
    let Some(Withheld::Kept(hash)) = withheld(&kept[1]) else { panic!("no hash") };
    assert!(Withheld::Kept(hash.clone()).is_from_probe());
    assert_eq!(scene.hashes(), [hash]);
}

proptest! {
    #[test]
    fn any_file_is_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), headed in any::<bool>()) {
        let bytes = if headed { [&record::header()[..], &bytes].concat() } else { bytes };
        let scan = record::scan(&bytes);
        prop_assert!(scan.records.is_empty());
    }

    #[test]
    fn damage_anywhere_invents_nothing(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let records = [record(0), record(1), record(2)];
        let mut bytes = record::header().to_vec();
        bytes.extend(records.iter().flat_map(|record| record.encode().expect("small")));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for found in record::scan(&bytes).records {
            prop_assert!(records.contains(&found));
        }
    }
}
