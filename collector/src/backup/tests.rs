//! Archives that were written come back as they were; archives that were changed do not.

use super::{
    Column, Corrupt, Header, Item, Key, Kind, Table, Value, Writer,
    file::{self, Out, Output},
    format,
    sealed::{CHUNK, SALT, TAG},
};
use proptest::prelude::*;
use std::{
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
};
use wire::Micros;

type Rows = Vec<Vec<Value>>;

fn header() -> Header {
    Header {
        created: Micros(1_795_000_000_000_000),
        program: "0.1.0".into(),
        schema: 2,
        engine: "sqlite".into(),
        instance: "sextant.db".into(),
    }
}

fn key() -> Key {
    Key::parse(&Key::text([7; 32])).expect("a key")
}

fn write(tables: &[(Table, Rows)], key: Option<&Key>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let out = Out::begin(&mut bytes, key.map(|key| (key, [3; SALT]))).expect("begun");
    let mut writer = Writer::new(out, header()).expect("a header");
    for (table, rows) in tables {
        writer.table(table.clone()).expect("a table");
        rows.iter().for_each(|row| writer.row(row).expect("a row"));
    }
    let (out, summary) = writer.finish().expect("ended");
    assert_eq!(summary.rows(), tables.iter().map(|(_, rows)| rows.len() as u64).sum::<u64>());
    out.finish().expect("flushed");
    bytes
}

fn read(bytes: &[u8], key: Option<&Key>) -> Result<Vec<(Table, Rows)>, Corrupt> {
    let mut archive = file::open(bytes, key)?;
    assert_eq!(*archive.header(), header());
    let mut tables: Vec<(Table, Rows)> = Vec::new();
    while let Some(item) = archive.next_item()? {
        match item {
            Item::Table(table) => tables.push((table, Rows::new())),
            Item::Rows(rows) => tables.last_mut().expect("a table comes first").1.extend(rows),
        }
    }
    let summary = archive.verify()?;
    assert_eq!(summary.rows(), tables.iter().map(|(_, rows)| rows.len() as u64).sum::<u64>());
    assert_eq!(summary.sealed, key.is_some());
    Ok(tables)
}

fn table(name: &str, kinds: &[Kind]) -> Table {
    let columns = kinds.iter().enumerate().map(|(n, kind)| Column { name: format!("c{n}"), kind: *kind });
    Table { name: name.into(), columns: columns.collect() }
}

/// Two small tables, and one that fills several frames with what cannot be compressed.
fn example() -> Vec<(Table, Rows)> {
    use Value::{Boolean, Bytes, Float, Integer, Null, Text};
    let all = table("all_kinds", &[Kind::Integer, Kind::Float, Kind::Boolean, Kind::Text, Kind::Bytes]);
    let rows = vec![
        vec![Integer(i64::MIN), Float(-0.0), Boolean(true), Text("a “word”\0".into()), Bytes(vec![0, 255])],
        vec![Integer(1), Float(f64::NAN), Boolean(false), Text(String::new()), Bytes(Vec::new())],
        vec![Null, Null, Null, Null, Null],
    ];
    let mut seed = 1_u64;
    let mut noise = || {
        let next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        };
        Bytes(std::iter::repeat_with(next).take(3000).collect())
    };
    let large = (0..1000).map(|n| vec![Integer(n), noise()]).collect();
    vec![
        (all, rows),
        (table("empty", &[Kind::Text]), Vec::new()),
        (table("large", &[Kind::Integer, Kind::Bytes]), large),
    ]
}

#[test]
fn what_was_written_is_read() {
    let example = example();
    assert_eq!(read(&write(&example, None), None).expect("read"), example);
    let sealed = write(&example, Some(&key()));
    assert!(sealed.len() > 10 * CHUNK, "the example takes several chunks");
    assert_eq!(read(&sealed, Some(&key())).expect("read"), example);
    assert!(!sealed.windows(9).any(|bytes| bytes == b"all_kinds"), "names are encrypted too");
}

#[test]
fn an_archive_that_was_cut_off_is_refused() {
    let small = &example()[..2];
    for key in [None, Some(key())] {
        let bytes = write(small, key.as_ref());
        for end in 0..bytes.len() {
            let error = read(&bytes[..end], key.as_ref()).expect_err("cut off");
            let fits = matches!(error, Corrupt::Cut | Corrupt::NotOurs | Corrupt::Key);
            assert!(fits, "{end} of {} bytes: {error}", bytes.len());
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(read(&longer, key.as_ref()).is_err(), "something follows");
    }
}

#[test]
fn an_archive_with_a_changed_bit_is_refused() {
    let small = &example()[..2];
    for key in [None, Some(key())] {
        let bytes = write(small, key.as_ref());
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // The header is compared by `read`, and here only its signature counts.
            let found = file::open(changed.as_slice(), key.as_ref()).and_then(super::Archive::verify);
            assert!(found.is_err(), "bit {bit} of {}", bytes.len() * 8);
        }
    }
}

#[test]
fn chunks_in_another_order_are_refused() {
    let bytes = write(&example(), Some(&key()));
    let head = format::MAGIC.len() + 2 + SALT;
    let chunk = CHUNK + TAG;
    let (first, second) = (head..head + chunk, head + chunk..head + 2 * chunk);
    let swapped = [&bytes[..head], &bytes[second.clone()], &bytes[first], &bytes[second.end..]].concat();
    assert!(matches!(read(&swapped, Some(&key())), Err(Corrupt::Key)));
    let shortened = &bytes[..head + 3 * chunk];
    assert!(matches!(read(shortened, Some(&key())), Err(Corrupt::Key)), "cut between two chunks");
}

#[test]
fn the_wrong_key_is_told_from_damage() {
    let other = Key::parse(&Key::text([8; 32])).expect("a key");
    let (sealed, plain) = (write(&example(), Some(&key())), write(&example(), None));
    assert!(matches!(read(&sealed, Some(&other)), Err(Corrupt::Key)));
    assert!(matches!(read(&sealed, None), Err(Corrupt::NeedsKey)));
    assert!(matches!(read(&plain, Some(&key())), Err(Corrupt::NotSealed)));
    assert!(matches!(read(b"PK\x03\x04 something else", None), Err(Corrupt::NotOurs)));
    let mut newer = plain;
    newer[format::MAGIC.len()] = 2;
    assert!(matches!(read(&newer, None), Err(Corrupt::Newer(2))));
    assert_eq!(Key::parse("backup_AAAA").map(|_| ()), None);
    assert_eq!(format!("{:?}", key()), "Key(…)");
}

#[test]
fn a_claim_of_much_allocates_nothing() {
    let mut bytes = write(&[], None);
    // A header of 4 GiB, in a file of some bytes.
    bytes[11..15].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read(&bytes, None), Err(Corrupt::Damaged(_))));
}

#[test]
fn what_cannot_be_is_not_written() {
    let mut writer = Writer::new(Vec::new(), header()).expect("a header");
    assert!(writer.row(&[]).is_err(), "no table");
    assert!(writer.table(table("semi;colon", &[Kind::Text])).is_err());
    assert!(writer.table(table("none", &[])).is_err());
    writer.table(table("one", &[Kind::Text])).expect("a table");
    assert!(writer.row(&[Value::Integer(1)]).is_err(), "another kind");
    assert!(writer.row(&[Value::Null, Value::Null]).is_err(), "too many");
    let error = writer.row(&[Value::Text("x".repeat(format::ROW_MOST))]).expect_err("too large");
    assert!(error.to_string().contains("a row of one takes 67108869 bytes"), "{error}");
    writer.row(&[Value::Text("x".repeat(format::ROW_MOST - 5))]).expect("just fits");
    let (bytes, _) = writer.finish().expect("ended");
    let mut archive = super::Archive::new(bytes.as_slice(), false).expect("a header");
    archive.next_item().expect("read");
    assert!(matches!(archive.next_item(), Ok(Some(Item::Rows(rows))) if rows.len() == 1));
}

#[test]
fn an_archive_is_there_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("backup");
    fs::write(&path, "the one of yesterday").expect("written");
    let output = Output::create(&path).expect("begun");
    assert!(matches!(Output::create(&path), Err(file::Error::Busy(_))), "one at a time");
    std::io::Write::write_all(&mut output.file(), b"half").expect("written");
    drop(output);
    assert_eq!(fs::read(&path).expect("read"), b"the one of yesterday");
    assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1, "nothing is left behind");

    fs::write(folder.path().join("backup.partial"), "left by a killed one").expect("written");
    let output = Output::create(&path).expect("begun");
    std::io::Write::write_all(&mut output.file(), b"whole").expect("written");
    output.finish().expect("named");
    assert_eq!(fs::read(&path).expect("read"), b"whole");
    assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 1);
    assert!(Output::create(&folder.path().join("none/backup")).is_err());
    assert!(Output::create(folder.path()).is_err(), "a folder");
}

#[test]
fn a_link_and_a_device_stay_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, link) = (folder.path().join("backup"), folder.path().join("newest"));
    std::os::unix::fs::symlink("backup", &link).expect("made");
    for text in ["first", "second"] {
        let output = Output::create(&link).expect("begun");
        std::io::Write::write_all(&mut output.file(), text.as_bytes()).expect("written");
        output.finish().expect("named");
        assert_eq!(fs::read_to_string(&path).expect("read"), text);
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    }
    assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 2, "nothing is left behind");

    let output = Output::create(Path::new("/dev/full")).expect("a device");
    let error = std::io::Write::write_all(&mut output.file(), b"x").expect_err("no room");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    drop(output);
    assert!(fs::metadata("/dev/full").expect("there").file_type().is_char_device());
}

fn any_value(kind: Kind) -> BoxedStrategy<Value> {
    let value = match kind {
        Kind::Integer => any::<i64>().prop_map(Value::Integer).boxed(),
        Kind::Float => any::<u64>().prop_map(|bits| Value::Float(f64::from_bits(bits))).boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Kind::Text => ".*".prop_map(Value::Text).boxed(),
        Kind::Bytes => prop::collection::vec(any::<u8>(), 0..200).prop_map(Value::Bytes).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 5 => value].boxed()
}

fn any_table() -> impl Strategy<Value = (Table, Rows)> {
    let kinds =
        prop::sample::select(vec![Kind::Integer, Kind::Float, Kind::Boolean, Kind::Text, Kind::Bytes]);
    prop::collection::vec(kinds, 1..8).prop_flat_map(|kinds| {
        let row: Vec<_> = kinds.iter().map(|kind| any_value(*kind)).collect();
        prop::collection::vec(row, 0..40).prop_map(move |rows| (table("t", &kinds), rows))
    })
}

proptest! {
    #[test]
    fn every_table_comes_back(tables in prop::collection::vec(any_table(), 0..4), sealed: bool) {
        let mut tables = tables;
        for (n, (table, _)) in tables.iter_mut().enumerate() {
            table.name = format!("t{n}");
        }
        let key = sealed.then(key);
        let bytes = write(&tables, key.as_ref());
        prop_assert_eq!(read(&bytes, key.as_ref()).expect("read"), tables);
    }
}
